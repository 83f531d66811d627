"""A run opened with numpy: the same embeddings as torch's, and nothing heavy imported."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from howto.clip.pairs import PairOptions
from howto.clip.stage import clip_videos
from howto.errors import ItemError, LibraryError, Reason, RecipeMismatch, UsageError
from howto.extract.features import read
from howto.joint.checkpoints import model_file
from howto.joint.opened import make_features, missing_features, open_model
from howto.library import Library
from howto.search.like import parse_like
from howto.search.refresh import refresh
from howto.search.search import ask
from howto.train.config import TrainOptions
from howto.train.opened import OpenRun
from howto.train.pack import Pack
from howto.train.stage import prepare, train_prepared
from howto.train.validate import stable_share

CAPTIONS = ["fold the shirt", "Crack an EGG into the bowl", "zzzz", "", "the " * 40]
OPTIONS = TrainOptions(
    backbone=("colour-motion",), epochs=2, pairs_per_video=4, lr=0.01, dim=16, device="cpu"
)


def pack_of(library: Library, name: str = "small") -> Pack:
    config = json.loads((library.state / "runs" / name / "config.json").read_text())
    return Pack.open(library.state / "packs" / config["pack"])


def trained(library: Library, name: str, **changes: object) -> None:
    """Train a run on the drawn library, unless it is there."""
    if not (library.state / "runs" / name).is_dir():
        train_prepared(prepare(library, replace(OPTIONS, **changes), name))


def torch_run(library: Library, name: str = "small") -> OpenRun:
    return OpenRun.open(library.state / "runs" / name)


@pytest.fixture
def one_thread() -> object:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_what_it_is(library: Library) -> None:
    model = open_model(library, "small")
    assert (model.name, model.kind, model.dim, model.normalised) == ("small", "run", 24, True)
    assert model.streams == {"colour-motion": 512}
    assert model.recipe.parts["features"][0]["backbone"] == "colour-motion"


def test_a_picture_by_itself_is_refused(library: Library, shared_data: Path) -> None:
    picture = shared_data / "images" / "bee.jpg"
    with pytest.raises(UsageError, match=r"bee\.jpg: the run 'small' .* Name a moment of a video"):
        ask(library, None, library.folder, model="small", like=parse_like(str(picture)))


def test_captions_are_embedded_as_torch_does(library: Library) -> None:
    ours = open_model(library, "small").embed_text(CAPTIONS)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(
        ours, torch_run(library).embed_text(CAPTIONS).numpy(), rtol=0, atol=1e-5
    )


def test_spans_are_embedded_as_the_rows_of_the_pack(library: Library) -> None:
    model, theirs, pack = open_model(library, "small"), torch_run(library), pack_of(library)
    for number, video_id in enumerate(pack.video_ids):
        rows = np.arange(pack.offsets[number], pack.offsets[number + 1])
        wanted = theirs.embed_clips(pack.batch(rows).clips).numpy()
        ours = model.embed_spans(library, video_id, pack.spans[rows])
        np.testing.assert_allclose(ours, wanted, rtol=0, atol=1e-5)


def test_features_at_hand_are_embedded_as_the_pack_does(library: Library) -> None:
    pack = pack_of(library)
    rows = np.arange(pack.num_pairs)
    ours = open_model(library, "small").embed_features([np.asarray(pack.clips)])
    wanted = torch_run(library).embed_clips(pack.batch(rows).clips).numpy()
    np.testing.assert_allclose(ours, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("shapes", [[], [(3, 512), (3, 512)], [(3, 511)], [(512,)]])
def test_other_features_are_refused(library: Library, shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(UsageError, match=r"takes features of colour-motion \(512\)"):
        open_model(library, "small").embed_features([np.zeros(shape) for shape in shapes])


def test_embeddings_that_are_not_normalised(library: Library, one_thread: object) -> None:
    trained(library, "long", loss="mil-nce")
    model, theirs, pack = open_model(library, "long"), torch_run(library, "long"), pack_of(library)
    assert model.normalised is False
    wanted = theirs.embed_clips(pack.batch(np.arange(9)).clips).numpy()
    ours = model.embed_features([np.asarray(pack.clips[:9])])
    np.testing.assert_allclose(ours, wanted, rtol=1e-4, atol=1e-5)
    assert np.abs(np.linalg.norm(ours, axis=1) - 1).max() > 1e-3


def glove(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    words = "fold the shirt Shirt egg crack an into bowl a".split()
    rows = [f"{word} {' '.join(f'{x:.5f}' for x in rng.normal(0, 1, 8))}\n" for word in words]
    (folder / "glove.txt").write_text("".join(rows))
    return folder / "glove.txt"


@pytest.mark.parametrize("encoder", ["learned", "word2vec"])
def test_a_run_without_its_query_side_reads_the_checkpoint(
    library: Library, tmp_path: Path, encoder: str, one_thread: object
) -> None:
    """As a run is that is still training: words go through the layer when they are asked for."""
    name = f"bare-{encoder}"
    file = str(glove(tmp_path)) if encoder == "word2vec" else None
    trained(library, name, text_encoder=encoder, text_weights=file)
    shutil.rmtree(library.state / "runs" / name / "query")
    ours = open_model(library, name).embed_text(CAPTIONS)
    wanted = torch_run(library, name).embed_text(CAPTIONS).numpy()
    np.testing.assert_allclose(ours, wanted, rtol=0, atol=1e-5)


def test_words_of_a_query(library: Library, tmp_path: Path, one_thread: object) -> None:
    """A benchmark's caption is read as it stands, a query also in lower case."""
    trained(library, "cased", text_encoder="word2vec", text_weights=str(glove(tmp_path)))
    model = open_model(library, "cased")
    asked = ["FOLD", "shirt", "zzzz", ""]
    assert model.known_words(asked).tolist() == [False, True, False, False]
    assert model.known_words(asked, as_query=True).tolist() == [True, True, False, False]
    unknown, nothing = model.embed_text(["zzzz", ""])
    np.testing.assert_array_equal(unknown, nothing)
    [query] = model.embed_text(["FOLD"], as_query=True)
    np.testing.assert_allclose(query, model.embed_text(["fold"])[0], atol=1e-6)


def test_a_query_loses_stop_words_where_the_captions_did(
    library: Library, one_thread: object
) -> None:
    clip_videos(library, PairOptions(words="paper"))
    pairs = PairOptions(words="paper").recipe().short
    trained(library, "paper", clips=pairs)
    asked, bare = "now fold the shirt", "fold shirt"
    of_paper, of_all = open_model(library, "paper"), open_model(library, "small")
    np.testing.assert_array_equal(*of_paper.embed_text([asked, bare], as_query=True))
    assert np.ptp(of_all.embed_text([asked, bare], as_query=True), axis=0).max() > 0


def test_a_search_imports_no_torch(library: Library) -> None:
    video_id = pack_of(library).video_ids[0]
    code = (
        "import sys\nfrom pathlib import Path\nfrom howto.library import Library\n"
        "from howto.joint.opened import open_model, missing_features\n"
        f"library = Library.open(Path({str(library.folder)!r}))\n"
        "model = open_model(library, 'small')\n"
        "missing_features(library, model), model.recipe, model.trained_on\n"
        "said = model.embed_text(['fold the shirt'], as_query=True)\n"
        f"shown = model.embed_spans(library, {video_id!r}, [(0, 5)])\n"
        "assert (said @ shown.T).shape == (1, 1)\n"
        "print(*{'torch', 'cv2', 'av', 'typer'} & set(sys.modules))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stdout.split() == []


# --- windows and spans ---


def test_a_window_of_a_run_is_a_second(library: Library) -> None:
    model, video_id = open_model(library, "small"), pack_of(library).video_ids[0]
    found = model.windows(library, video_id)
    stored = model.feature_sets(library)[0]
    features = np.array(read(stored.path(video_id)).features)
    np.testing.assert_array_equal(found.spans[:, 0], np.arange(len(features)))
    # colour-motion has one feature a second: second k sees row k alone.
    alone = model.embed_features([features])
    np.testing.assert_allclose(found.embeddings, alone, atol=1e-6)


def test_no_spans_and_spans_that_are_none(library: Library) -> None:
    model, video_id = open_model(library, "small"), pack_of(library).video_ids[0]
    assert model.embed_spans(library, video_id, []).shape == (0, 24)
    for spans in ([(0.0, float("nan"))], [1.0, 2.0]):
        with pytest.raises(ValueError, match="expected finite spans"):
            model.embed_spans(library, video_id, spans)


# --- features that are missing ---


def test_missing_features_are_named_and_made(tmp_path: Path, drawn: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(drawn, folder)
    with Library.open(folder) as library:
        model = open_model(library, "small")
        assert missing_features(library, model) == []
        _, video_id = library.connection.execute(
            "SELECT number, video_id FROM videos ORDER BY video_id LIMIT 1"
        ).fetchone()
        (stored,) = model.feature_sets(library)
        before = model.embed_spans(library, video_id, [(3, 9)])
        stored.path(video_id).unlink()
        assert missing_features(library, model) == [video_id]
        with pytest.raises(ItemError, match=r"howto extract .* --backbone colour-motion") as error:
            model.embed_spans(library, video_id, [(3, 9)])
        assert error.value.reason == Reason.NO_FEATURES
        assert video_id in error.value.detail
        assert make_features(library, model).made == 1
        np.testing.assert_array_equal(model.embed_spans(library, video_id, [(3, 9)]), before)
        stored.path(video_id).write_bytes(b"cut off")
        with pytest.raises(ItemError, match="damaged"):
            model.embed_spans(library, video_id, [(3, 9)])


def test_a_file_that_cannot_be_decoded_is_not_missing(tmp_path: Path, drawn: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(drawn, folder)
    (folder / "broken.mp4").write_bytes(b"no video")
    with Library.open(folder) as library:
        refresh(library)
        assert missing_features(library, open_model(library, "small")) == []


def test_features_made_otherwise_are_refused(tmp_path: Path, drawn: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(drawn, folder)
    with Library.open(folder) as library:
        path = library.state / "runs" / "small" / "config.json"
        config = json.loads(path.read_text())
        config["recipe"]["source"]["features"][0]["version"] = "0"
        path.write_text(json.dumps(config))
        model = open_model(library, "small")
        assert len(missing_features(library, model)) == 6
        with pytest.raises(RecipeMismatch, match=r'version: "1" \| "0"'):
            make_features(library, model)


# --- what it was trained on ---


def test_held_out_videos_are_not_trained_on(library: Library) -> None:
    ready = prepare(library, replace(OPTIONS, epochs=4, lr=0.01, dim=24), "small")
    ids = np.array(ready.problem.pack.video_ids)
    model = open_model(library, "small")
    assert model.trained_on == set(ids[ready.problem.trains])
    assert not model.trained_on & set(ids[ready.problem.held_out])
    assert model.trained_on_note == ""


def test_what_chose_the_checkpoint_is_known(
    library: Library, tmp_path: Path, drawn: Path, one_thread: object
) -> None:
    run = library.state / "runs" / "small"
    ids = json.loads((pack_of(library).folder / "video_ids.json").read_text())
    model = open_model(library, "small")
    assert model.selected is not None
    assert model.selected.checkpoint == (run / "best").read_text().strip()
    assert model.selected.video_ids == set(ids) - model.trained_on
    assert len(model.selected.video_ids) == 2
    trained(library, "unjudged", validate="none", dim=24)
    assert open_model(library, "unjudged").selected is None
    folder = tmp_path / "copy"
    shutil.copytree(drawn, folder)
    with Library.open(folder) as copy:
        pack = pack_of(copy).folder
        shutil.rmtree(pack)
        gone = open_model(copy, "small").selected
        assert gone is not None
        assert gone.video_ids == {one for one in ids if stable_share(one) < 0.1}


def test_a_run_that_started_from_another_was_trained_on_its_videos_too(
    library: Library, one_thread: object
) -> None:
    trained(library, "half", fraction=0.5, dim=24)
    half = open_model(library, "half").trained_on
    assert len(half) == 2
    trained(library, "more", init="small", fraction=0.5, dim=None)
    assert open_model(library, "more").trained_on == open_model(library, "small").trained_on | half


def test_a_library_that_grew_counts_rather_too_many(tmp_path: Path, drawn: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(drawn, folder)
    with Library.open(folder) as library:
        before = open_model(library, "small").trained_on
        pack = pack_of(library).folder
        ids = json.loads((pack / "video_ids.json").read_text())
        (pack / "video_ids.json").write_text(json.dumps([*ids, "another"]))
        grown = open_model(library, "small")
        assert before | {"another"} <= grown.trained_on
        assert "changed" in grown.trained_on_note
        shutil.rmtree(pack)
        gone = open_model(library, "small")
        assert before <= gone.trained_on
        assert "gone" in gone.trained_on_note


# --- what can be opened ---


def test_an_unknown_name_says_what_there_is(library: Library) -> None:
    with pytest.raises(UsageError, match=r"no model named 'smal'\. Runs here: .*small") as error:
        open_model(library, "smal")
    assert "s3d-milnce" in str(error.value)
    with pytest.raises(UsageError, match="no folder of a run"):
        open_model(library, "./nowhere")
    with pytest.raises(UsageError, match="weights are for ready models"):
        open_model(library, "small", weights="net.pth")


def test_a_run_by_its_folder(library: Library) -> None:
    model = open_model(None, str(library.state / "runs" / "small"))
    wanted = open_model(library, "small")
    assert model.recipe == wanted.recipe
    np.testing.assert_array_equal(model.embed_text(CAPTIONS), wanted.embed_text(CAPTIONS))


def test_a_run_without_a_checkpoint_and_a_damaged_one(tmp_path: Path, drawn: Path) -> None:
    run = tmp_path / "runs" / "bad"
    shutil.copytree(drawn / ".howto" / "runs" / "small", run)
    model = model_file(run)
    model.write_bytes(model.read_bytes()[:100])
    with pytest.raises(LibraryError, match="cannot be read"):
        open_model(None, str(run)).embed_features([np.zeros((1, 512), np.float32)])
    for pointer in ("best", "last"):
        (run / pointer).unlink(missing_ok=True)
    with pytest.raises(UsageError, match="has no checkpoint yet"):
        open_model(None, str(run))

"""The authors' checkpoint as a run, on a file of their form with a small D."""

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from howto.errors import PluginError, UsageError
from howto.extract.features import Features, write
from howto.extract.store import SetEnd, StoredFeatures
from howto.joint.added import add_authors, words_of_captions
from howto.joint.kept import KeptModels
from howto.joint.opened import missing_features, open_model
from howto.library import Library
from howto.recipe import Recipe
from howto.records import State
from howto.train.authors_checkpoint import AUTHORS_STREAMS, read_authors, to_authors
from howto.train.model import TextVideoModel
from howto.train.opened import OpenRun
from howto.train.text_pooling import TextPooling
from howto.train.word_vectors import list_words

WORDS = ["cut", "the", "onion", "Onion", "New_York", "don't", "e-mail", "##", "fold"]
DIM = 12


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    """GoogleNews in small: word2vec binary, 300 numbers a word."""
    rng = np.random.default_rng(0)
    path = tmp_path / "GoogleNews-small.bin"
    rows = b"".join(
        word.encode() + b" " + rng.normal(size=300).astype("<f4").tobytes() for word in WORDS
    )
    path.write_bytes(f"{len(WORDS)} 300\n".encode() + rows)
    return path


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Their file in small: the keys of method, d = 12."""
    torch.manual_seed(0)
    model = TextVideoModel(AUTHORS_STREAMS, DIM, TextPooling(torch.zeros(1, 300), DIM), DIM)
    path = tmp_path / "howto100m_pt_model.pth"
    torch.save(to_authors(model), path)
    return path


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Library]:
    folder = tmp_path / "films"
    folder.mkdir()
    with Library.open(folder) as library:
        yield library


def table_of(vectors: Path, words: list[str]) -> torch.Tensor:
    data = vectors.read_bytes()
    rows = [torch.zeros(300)]
    for word in words:
        begin = data.index(word.encode() + b" ") + len(word.encode()) + 1
        rows.append(torch.tensor(np.frombuffer(data[begin : begin + 1200], "<f4")))
    return torch.stack(rows)


def test_it_embeds_as_their_network_does(empty: Library, checkpoint: Path, vectors: Path) -> None:
    added = add_authors(empty, checkpoint, vectors, "howto100m")
    assert (added.dim, added.words, added.left_out) == (DIM, 6, 3)
    model = open_model(empty, "howto100m")
    assert (model.kind, model.dim, model.normalised) == ("run", DIM, True)
    assert model.streams == {"resnet152": 2048, "resnext101-3d": 2048}
    known = ["cut", "the", "onion", "Onion", "don't", "fold"]
    theirs = read_authors(checkpoint, table_of(vectors, known)).eval()
    tokens = torch.tensor([[1, 2, 4] + [0] * 17, [0] * 20, list(range(1, 7)) + [0] * 14])
    with torch.no_grad():
        wanted = theirs.embed_text(tokens).numpy()
    ours = model.embed_text(["cut the New_York Onion", "zzz", "cut the onion Onion don't fold"])
    np.testing.assert_allclose(ours, wanted, rtol=0, atol=1e-5)
    rng = np.random.default_rng(1)
    clips = [rng.normal(size=(5, 2048)).astype(np.float32) for _ in range(2)]
    unit = [clip / np.linalg.norm(clip, axis=1, keepdims=True) for clip in clips]
    with torch.no_grad():
        shown = theirs.embed_clips(torch.tensor(np.concatenate(unit, axis=1))).numpy()
    np.testing.assert_allclose(model.embed_features(clips), shown, rtol=0, atol=1e-5)


def test_a_query_loses_stop_words_and_a_caption_does_not(
    empty: Library, checkpoint: Path, vectors: Path
) -> None:
    add_authors(empty, checkpoint, vectors, "howto100m")
    model = open_model(empty, "howto100m")
    query = model.embed_text(["cut the onion", "CUT onion"], as_query=True)
    np.testing.assert_allclose(query[0], query[1], atol=1e-6)
    caption = model.embed_text(["cut the onion", "cut onion"])
    assert np.abs(caption[0] - caption[1]).max() > 1e-3


def test_torch_opens_it_like_any_run(empty: Library, checkpoint: Path, vectors: Path) -> None:
    added = add_authors(empty, checkpoint, vectors, "theirs")
    captions = ["cut the onion", "nothing"]
    wanted = OpenRun.open(added.folder).embed_text(captions).numpy()
    np.testing.assert_allclose(open_model(empty, "theirs").embed_text(captions), wanted, atol=1e-5)


def test_it_sees_a_library_by_its_features(empty: Library, checkpoint: Path, vectors: Path) -> None:
    """Those that the library has of the two backbones, by their names."""
    add_authors(empty, checkpoint, vectors, "howto100m")
    with empty.writing():
        number = empty.number_of("a")
    kept = KeptModels()
    model = kept.opened(empty, "howto100m")
    assert model.feature_sets(empty) == (None, None)
    assert model.recipe.parts["features"] == []
    rng = np.random.default_rng(2)
    rows = {}
    for name, count, rate in (("resnet152", 8, "1"), ("resnext101-3d", 12, "3/2")):
        recipe = Recipe.of(backbone=name, dim=2048, made="by hand")
        stored = StoredFeatures(empty, recipe)
        rows[name] = rng.normal(size=(count, 2048)).astype(np.float16)
        times = np.arange(count, dtype=np.float64)
        write(stored.path("a"), Features("a", rows[name], times, recipe, 8.0, Fraction(rate)))
        with empty.writing():
            stored.put(number, SetEnd(State.OK, num_features=count))
    ours = model.embed_spans(empty, "a", [(2, 4)])
    pooled = [rows["resnet152"][2:5].max(axis=0), rows["resnext101-3d"][3:7].max(axis=0)]
    np.testing.assert_allclose(
        ours, model.embed_features([one[None] for one in pooled]), rtol=0, atol=1e-6
    )
    assert missing_features(empty, model) == []  # nothing that has a file
    # As a process knows it that opens it only now: both write the same index.
    assert kept.opened(empty, "howto100m").recipe == open_model(empty, "howto100m").recipe


def test_what_it_was_trained_on_is_not_told(
    empty: Library, checkpoint: Path, vectors: Path
) -> None:
    add_authors(empty, checkpoint, vectors, "howto100m")
    model = open_model(empty, "howto100m")
    assert model.trained_on == frozenset()
    assert "trained elsewhere" in model.trained_on_note


def test_what_cannot_be_added(empty: Library, checkpoint: Path, vectors: Path) -> None:
    add_authors(empty, checkpoint, vectors, "howto100m")
    with pytest.raises(UsageError, match="a run named 'howto100m' already"):
        add_authors(empty, checkpoint, vectors, "howto100m")
    with pytest.raises(UsageError, match="no checkpoint"):
        add_authors(empty, checkpoint.with_name("none.pth"), vectors, "other")
    with pytest.raises(UsageError, match="no file of word vectors"):
        add_authors(empty, checkpoint, vectors.with_name("none.bin"), "other")
    short = vectors.with_name("short.txt")
    short.write_text("cut 1 2 3\nthe 1 2 4\n")
    with pytest.raises(PluginError, match=r"of another shape: text.fc.weight"):
        add_authors(empty, checkpoint, short, "other")
    bad = checkpoint.with_name("bad.pth")
    torch.save({"weight": torch.zeros(2)}, bad)
    with pytest.raises(PluginError, match="do not fit"):
        add_authors(empty, bad, vectors, "other")
    assert [path.name for path in (empty.state / "runs").iterdir()] == ["howto100m"]


def test_the_command(empty: Library, checkpoint: Path, vectors: Path, cli: Callable) -> None:
    ran = cli("models", "add", checkpoint, "--word-vectors", vectors, "-L", empty.folder, "--json")
    assert ran.code == 0, ran.err
    assert (ran.json["run"], ran.json["dim"], ran.json["words"]) == ("howto100m", DIM, 6)
    [listed] = [one for one in cli("models", "-L", empty.folder, "--json").json if one["here"]]
    assert (listed["name"], listed["kind"], listed["licence"]) == ("howto100m", "run", "Apache-2.0")
    assert [one["name"] for one in cli("runs", "-L", empty.folder, "--json").json] == ["howto100m"]
    assert cli("runs", "-L", empty.folder).code == 0
    assert cli("models", "add", checkpoint, "-L", empty.folder).code == 2
    json.loads((empty.state / "runs" / "howto100m" / "config.json").read_text())


# --- the words of a file ---


@pytest.mark.parametrize("form", ["binary", "glove", "npy"])
def test_words_are_listed_in_the_order_of_the_file(
    tmp_path: Path, vectors: Path, form: str
) -> None:
    path = vectors
    if form == "glove":
        path = tmp_path / "glove.txt"
        path.write_text("".join(f"{word} 1 2 3\n" for word in WORDS))
    elif form == "npy":
        path = tmp_path / "array.npy"
        np.save(path, np.zeros((len(WORDS), 3), np.float32))
        (tmp_path / "array.txt").write_text("\n".join(WORDS) + "\n")
    assert list(list_words(path)) == WORDS
    assert words_of_captions(path) == (["cut", "the", "onion", "Onion", "don't", "fold"], 3)

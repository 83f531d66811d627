"""Ready models: their windows as features of the library, and means over spans."""

import shutil
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto.errors import ItemError, PluginError, Reason, UsageError
from howto.extract.choice import Choice, choose
from howto.joint.opened import make_features, missing_features, open_model, plan_features
from howto.joint.windows import mean_of_windows, second_spans
from howto.library import Library
from howto.media.encode import H264Writer
from howto.search.pictures import PictureOffer, make_offered
from howto.search.refresh import refresh

SHADES = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


@pytest.fixture
def traffic(tmp_path: Path) -> Iterator[Library]:
    """A library of one video: two seconds of each colour."""
    folder = tmp_path / "films"
    folder.mkdir()
    with H264Writer(folder / "light.mp4", width=16, height=16, frame_rate=Fraction(10)) as writer:
        for shade in SHADES.values():
            for _ in range(20):
                writer.write_frame(np.full((16, 16, 3), shade, np.uint8))
    with Library.open(folder) as library:
        refresh(library)
        yield library


def the_video(library: Library) -> str:
    [(video_id,)] = library.connection.execute("SELECT video_id FROM videos")
    return video_id


def test_what_is_seen_is_found_by_its_name(traffic: Library, colour_words: Path) -> None:
    model = open_model(traffic, "colour-words")
    assert (model.kind, model.dim, model.normalised) == ("ready", 3, True)
    video_id = the_video(traffic)
    assert missing_features(traffic, model) == [video_id]
    assert len(plan_features(traffic, model).jobs) == 1
    with pytest.raises(
        ItemError, match=r"light.mp4 has no windows of colour-words yet; make"
    ) as error:
        model.embed_spans(traffic, video_id, [(0, 1)])
    assert error.value.reason == Reason.NO_FEATURES
    assert make_features(traffic, model).made == 1
    assert missing_features(traffic, model) == []
    assert make_features(traffic, model).made == 0

    shown = model.embed_spans(traffic, video_id, [(0, 2), (2, 4), (4, 6)])
    said = model.embed_text([*SHADES, "nothing"])
    assert (said @ shown.T).argmax(axis=0).tolist() == [0, 1, 2]
    np.testing.assert_allclose(np.linalg.norm(shown, axis=1), 1, atol=1e-6)
    assert model.known_words(["red", "zzzz"]).tolist() == [True, False]
    assert (model.trained_on, bool(model.trained_on_note)) == (frozenset(), True)


def test_only_what_was_offered_is_made(traffic: Library, colour_words: Path) -> None:
    offered = the_video(traffic)
    number = traffic.numbers([offered])[offered]
    with H264Writer(
        traffic.folder / "dark.mp4", width=16, height=16, frame_rate=Fraction(10)
    ) as writer:
        for _ in range(20):
            writer.write_frame(np.zeros((16, 16, 3), np.uint8))
    refresh(traffic)
    model = open_model(traffic, "colour-words")
    assert len(missing_features(traffic, model)) == 2
    assert make_offered(traffic, PictureOffer("colour-words", (number,), 6.0, None)) == 1
    [left] = missing_features(traffic, model)
    assert traffic.paths_of(traffic.numbers([left])[left]) == ["dark.mp4"]


def test_windows_of_several_frames(traffic: Library, colour_words: Path) -> None:
    """Two frames a window at two a second: a second each."""
    model = open_model(traffic, "colour-pairs")
    make_features(traffic, model)
    video_id = the_video(traffic)
    windows = model.windows(traffic, video_id)
    np.testing.assert_array_equal(windows.spans, [(k, k + 1) for k in range(6)])
    ours = model.embed_spans(traffic, video_id, second_spans(6))
    np.testing.assert_allclose(ours, windows.embeddings, atol=1e-6)
    [both] = model.embed_spans(traffic, video_id, [(0, 4)])
    np.testing.assert_allclose(both, windows.embeddings[:4].mean(axis=0), atol=1e-6)
    assert np.linalg.norm(both) < 0.9  # the length counts


def test_its_windows_are_no_backbones_features(traffic: Library, colour_words: Path) -> None:
    """Another model, or other weights, have other sets."""
    model = open_model(traffic, "colour-words")
    (stored,) = model.feature_sets(traffic)
    assert stored.backbone == "joint:colour-words"
    other = colour_words.with_name("other.txt")
    other.write_text("red 0 0 1\n")
    recipes = {
        model.recipe,
        open_model(traffic, "colour-pairs").recipe,
        open_model(traffic, "colour-words", weights=str(other)).recipe,
    }
    assert len(recipes) == 3
    assert open_model(None, "colour-words").recipe == model.recipe


def test_weights_that_are_not_here_are_not_fetched(colour_words: Path) -> None:
    colour_words.unlink()
    with pytest.raises(PluginError, match=r"no file .*colours\.txt"):
        open_model(None, "colour-words")
    assert not colour_words.exists()


def test_a_plugins_advice_for_other_commands_is_not_given(
    colour_words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a plugin says is for `howto extract`; here `howto models fetch` gets the weights."""
    colour_words.unlink()
    with pytest.raises(PluginError) as error:
        open_model(None, "colour-words")
    assert str(error.value) == (
        f"the weights of colour-words are not here: no file {colour_words}. Get them: howto models "
        "fetch colour-words; or name a file of them with --weights FILE"
    )
    with pytest.raises(UsageError, match="without colour-words= before it"):
        open_model(None, "colour-words", weights="colour-words=colours.txt")
    with pytest.raises(PluginError, match="no file other"):  # a person's own file is no download
        open_model(None, "colour-words", weights="other")
    # Weights that are there and wrong are another matter.
    colour_words.write_text("red 1 0 0\n")
    module = sys.modules["fake_colour_words"]

    def damaged(_path: Path) -> str:
        raise PluginError("the file is damaged")

    monkeypatch.setattr(module, "file_hash", damaged)
    with pytest.raises(PluginError, match="the file is damaged"):
        open_model(None, "colour-words")
    monkeypatch.setattr(module.ColourWords, "fetch_as", "download", raising=False)
    with pytest.raises(UsageError, match="nothing is fetched here"):
        open_model(None, "colour-words", weights="download")


def test_weights_of_the_s3d_model_are_not_fetched(weights: Path) -> None:
    with pytest.raises(PluginError, match="howto models fetch s3d-milnce"):
        open_model(None, "s3d-milnce")


def test_features_of_others_are_refused(colour_words: Path) -> None:
    model = open_model(None, "colour-words")
    np.testing.assert_allclose(
        model.embed_features([np.array([[2.0, 0, 0]])]), [[1, 0, 0]], atol=1e-6
    )
    for streams in ([], [np.zeros((2, 4))], [np.zeros((2, 3))] * 2):
        with pytest.raises(UsageError, match="its own embeddings"):
            model.embed_features(streams)


def test_a_run_does_not_hide_a_model_of_another_name(
    traffic: Library, colour_words: Path, drawn: Path
) -> None:
    """A run named like a ready model is the one that is meant in its library."""
    shutil.copytree(drawn / ".howto" / "runs" / "small", traffic.state / "runs" / "colour-words")
    assert open_model(traffic, "colour-words").kind == "run"
    assert open_model(None, "colour-words").kind == "ready"


def test_extract_and_search_do_not_stumble_over_the_set(
    traffic: Library, colour_words: Path, cli: Callable
) -> None:
    make_features(traffic, open_model(traffic, "colour-words"))
    listed = cli("features", "-L", traffic.folder, "--json").json
    assert [one["backbone"] for one in listed["sets"]] == ["joint:colour-words"]
    assert cli("extract", traffic.folder, "--check").code == 0
    choose(Choice(("colour-motion",), "cpu"))


@given(
    centres=st.lists(st.integers(0, 40), min_size=1, max_size=12, unique=True),
    spans=st.lists(st.tuples(st.integers(-5, 45), st.integers(0, 20)), min_size=1, max_size=8),
)
def test_the_mean_of_windows_is_a_plain_loops(
    centres: list[int], spans: list[tuple[int, int]]
) -> None:
    at = np.sort(np.array(centres, np.float64))
    embeddings = np.random.default_rng(0).normal(size=(len(at), 4)).astype(np.float32)
    pairs = np.array([(start, start + length) for start, length in spans], np.float64)
    found = mean_of_windows(embeddings, at, pairs)
    for (start, end), row in zip(pairs, found, strict=True):
        inside = [k for k, centre in enumerate(at) if start <= centre < end]
        if not inside:
            middle = (start + end) / 2
            inside = [min(range(len(at)), key=lambda k: (abs(at[k] - middle), k))]
        np.testing.assert_allclose(row, embeddings[inside].mean(axis=0), atol=1e-5)

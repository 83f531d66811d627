"""Signals that rank by vectors: calibration depends on what a library holds, on nothing else."""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest

from howto.library import Library
from howto.recipe import Recipe
from howto.search.index.units import Filling
from howto.search.index.vectors import VectorIndex
from howto.search.refresh import refresh
from howto.search.vector_signal import VectorSignal, _own_words, opened_signal
from howto.search.words import Candidate

DIM = 16
VERBS = ("press", "crack", "whisk", "drill", "solder", "varnish")


class OwnWords:
    """Knows the words of the library alone, each a direction of its own."""

    def embed_text(self, captions: Sequence[str], *, as_query: bool = False) -> np.ndarray:
        rows = [direction(caption) for caption in captions]
        return np.array(rows, np.float32)

    def known_words(self, captions: Sequence[str], *, as_query: bool = False) -> np.ndarray:
        return np.array([any(v in text for v in VERBS) for text in captions])


def direction(text: str) -> np.ndarray:
    found = np.random.default_rng([*text.encode()]).normal(size=DIM)
    return found / np.linalg.norm(found)


def write_films(folder: Path, small_video: Callable[..., Path]) -> list[str]:
    """Eight films of ten lines each, no two of which say the same."""
    folder.mkdir()
    names = [f"film-{number}.mp4" for number in range(8)]
    for number, name in enumerate(names):
        small_video(folder / name, seconds=20 + number)
        cues = (
            f"{line + 1}\n00:00:{2 * line:02},000 --> 00:00:{2 * line + 2:02},000\n"
            f"{VERBS[line % 6]}{number}{line} a thing\n"
            for line in range(10)
        )
        (folder / name).with_suffix(".srt").write_text("\n".join(cues))
    return names


def signal_of(folder: Path, films: Path, turns: Iterable[Sequence[str]]) -> VectorSignal:
    """The signal of a library to which these films came turn by turn."""
    folder.mkdir()
    for names in turns:
        for name in names:
            for suffix in (".mp4", ".srt"):
                file = Path(name).with_suffix(suffix)
                (folder / file).write_bytes((films / file).read_bytes())
        with Library.open(folder) as library:
            refresh(library, workers=1)
            signal = opened_signal("pictures", library, filling(library), OwnWords())
    return signal


def filling(library: Library) -> Filling:
    def embed(video_id: str, clips: Sequence[Candidate]) -> np.ndarray:
        return np.array([direction(f"{video_id} {clip.caption}") for clip in clips], np.float32)

    folder = library.state / "index" / "main"
    return Filling(folder, Recipe.of(test=1), DIM, spoken=True, embed=embed)


def index_of(signal: VectorSignal) -> VectorIndex:
    assert signal.index is not None
    return signal.index


def test_the_order_of_indexing_changes_no_calibration(
    tmp_path: Path, small_video: Callable[..., Path]
) -> None:
    names = write_films(tmp_path / "films", small_video)
    one = signal_of(tmp_path / "one", tmp_path / "films", [names])
    # The last turn measures the calibration anew, over what all turns put in.
    other = signal_of(tmp_path / "other", tmp_path / "films", [names[6:], names[5:2:-1], names[:3]])
    first, second = index_of(one), index_of(other)
    assert list(first.manifest.groups) != list(second.manifest.groups)
    for fact in ("null", "null-pictures"):
        assert json.loads(first.manifest.facts[fact])["values"] == pytest.approx(
            json.loads(second.manifest.facts[fact])["values"], abs=2e-4
        )
    np.testing.assert_array_equal(first.sample(30), second.sample(30))
    with Library.open(tmp_path / "one") as library, Library.open(tmp_path / "other") as second_one:
        words = _own_words(library)
        assert words == _own_words(second_one)
    assert len(words) == 40
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(first.vectors, second.vectors)


def test_words_are_paired_across_videos(tmp_path: Path, small_video: Callable[..., Path]) -> None:
    names = write_films(tmp_path / "films", small_video)
    signal_of(tmp_path / "one", tmp_path / "films", [names])
    with Library.open(tmp_path / "one") as library:
        for pair in _own_words(library):
            one, other = (word.strip("abcdefghijklmnopqrstuvwxyz")[0] for word in pair.split())
            assert one != other

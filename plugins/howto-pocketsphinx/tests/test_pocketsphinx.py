"""Real recognition of real speech: words, their times, and finding them by a search."""

import json
import os
import subprocess
import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from howto_pocketsphinx.source import PocketSphinxSource, cleaned, lines_of

from howto import plugins
from howto.errors import MediaError, PluginError, Reason, UsageError
from howto.media.audio import sound
from howto.media.encode import H264Writer
from howto.records import Kind, Narration, Video, Word
from howto.testing import NarrationSourceContract

VIDEOS = Path(__file__).resolve().parents[4] / "shared" / "data" / "videos"
RATE = 16_000
KENNEDY = (
    "and so my fellow americans ask not what your country can do for you"
    " ask what you can do for your country"
)
"""What is said in jfk.flac."""


def real(name: str) -> Path:
    if not VIDEOS.is_dir():
        pytest.skip(f"the shared data is not at {VIDEOS}")
    return VIDEOS / name


def spoken_video(path: Path, samples: np.ndarray) -> Path:
    """A black video with this sound."""
    with H264Writer(path, width=16, height=16, frame_rate=Fraction(2), sample_rate=RATE) as writer:
        for _ in range(2 * len(samples) // RATE):
            writer.write_frame(np.zeros((16, 16, 3), np.uint8))
        writer.write_sound(samples)
    return path


@pytest.fixture(scope="module")
def kennedy() -> Narration:
    narration = PocketSphinxSource().narrate(Video("jfk", real("jfk.flac")))
    assert narration is not None
    return narration


class TestPocketSphinx(NarrationSourceContract):
    plugin = "pocketsphinx"

    def narrated_videos(self, folder: Path) -> list[Video]:
        samples = next(sound(real("jfk.flac"), RATE))
        return [Video("jfk", spoken_video(folder / "jfk.mp4", samples[: 3 * RATE]))]

    def silent_videos(self, folder: Path) -> list[Video]:
        t = np.arange(5 * RATE) / RATE
        hum = (0.3 * np.sin(2 * np.pi * 220 * t)).astype(np.float32)
        return [Video("hum", spoken_video(folder / "hum.mp4", hum))]

    def unreadable_videos(self, folder: Path) -> list[Video]:
        broken = folder / "broken.mp4"
        broken.write_bytes(b"not a video")
        return [Video("broken", broken)]


def words_of(narration: Narration) -> list[Word]:
    return [word for line in narration.lines for word in line.words]


def test_most_words_of_a_speech_are_right(kennedy: Narration) -> None:
    """4 of 22 were wrong when this was written; docs/speech.md gives the figures."""
    found = [word.text for word in words_of(kennedy)]
    assert word_errors(KENNEDY.split(), found) <= 7
    assert found.count("country") == 2
    assert (kennedy.language, kennedy.kind) == ("en-US", Kind.AUTOMATIC)
    assert kennedy.source.startswith("pocketsphinx 5.")


def test_words_are_at_their_time(kennedy: Narration) -> None:
    """The first country begins at 5.85 s, the second at 9.95 s: read off the waveform."""
    starts = [word.start for word in words_of(kennedy) if word.text == "country"]
    assert starts == pytest.approx([5.87, 9.96], abs=0.15)


def test_lines_end_at_pauses_and_hold_their_words(kennedy: Narration) -> None:
    assert len(kennedy.lines) >= 4
    for line in kennedy.lines:
        assert line.text == " ".join(word.text for word in line.words)
        assert (line.start, line.end) == (line.words[0].start, line.words[-1].end)
        assert len(line.words) <= 10
        assert not any(mark in line.text for mark in "<>[]()")


def test_what_was_heard_before_changes_nothing(tmp_path: Path) -> None:
    """The first phrase is the same after another video, and where doubtful words are left out."""
    samples = next(sound(real("jfk.flac"), RATE))[: 3 * RATE]
    first = Video("first", spoken_video(tmp_path / "first.mp4", samples))
    source = PocketSphinxSource()
    alone = source.narrate(first)
    noise = np.random.default_rng(0).normal(0, 0.05, len(samples)).astype(np.float32)
    noisy = spoken_video(tmp_path / "noisy.mp4", samples[::-1].copy() + noise)
    source.narrate(Video("noisy", noisy))
    assert source.narrate(first) == alone
    assert alone is not None
    sure = PocketSphinxSource(least_probability=0.5).narrate(first)
    assert sure is not None
    assert 0 < len(words_of(sure)) < len(words_of(alone))
    assert set(words_of(sure)) < set(words_of(alone))


@pytest.mark.long
def test_the_captions_of_nasa_agree_in_time() -> None:
    """Words that are in the subtitles too lie in the time of their line, give or take 0.3 s."""
    narration = PocketSphinxSource().narrate(Video("nasa", real("nasa_13013.mp4")))
    assert narration is not None
    words = words_of(narration)
    times = {word.text: word.start for word in words}
    assert -0.1 < times["science"] < 4.6
    assert 3.9 < times["telescope"] < 8.7
    assert 8.0 < times["goddard"] < 12.8
    subtitles = (
        "this is the optical and science segment of the webb space telescope in one of the largest"
        " cleanrooms in the world at nasa's goddard space flight center in greenbelt maryland"
    ).split()
    assert word_errors(subtitles, [word.text for word in words]) <= 12


def howto(*arguments: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run the program; the other recognisers, which come first, find no weights in `home`."""
    program = Path(sys.executable).with_name("howto")
    empty = {name: str(home) for name in ("HOWTO_WHISPER_WEIGHTS", "HOWTO_FASTER_WHISPER_WEIGHTS")}
    return subprocess.run(
        [program, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **empty},
    )


@pytest.fixture
def speeches(tmp_path: Path) -> Path:
    """A folder with a video that is silent for 20 s, and then has jfk.flac."""
    folder = tmp_path / "speeches"
    folder.mkdir()
    silence = np.zeros(20 * RATE, np.float32)
    spoken_video(folder / "kennedy.mp4", np.concatenate([silence, next(sound(real("jfk.flac")))]))
    return folder


def hits(ran: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(ran.stdout)["hits"]
    return found


def is_there(found: list[dict[str, Any]], seconds: float) -> bool:
    return any(one["start"] - 0.5 <= seconds <= one["end"] + 0.5 for one in found)


def test_a_search_finds_the_second(speeches: Path, tmp_path: Path) -> None:
    found = hits(howto("search", "country", speeches, "--yes", "--json", home=tmp_path))
    assert {hit["video"] for hit in found} == {"kennedy.mp4"}
    assert is_there(found, 20 + 5.87)


def test_what_transcribe_heard_a_search_finds(speeches: Path, tmp_path: Path) -> None:
    """Both times that `country` is said, and nothing where something else is."""
    asked = howto("transcribe", speeches, "--asr", "pocketsphinx", "--json", home=tmp_path)
    (outcome,) = json.loads(asked.stdout)["outcomes"]
    assert (outcome["video"], outcome["state"]) == ("kennedy.mp4", "ok")
    found = hits(howto("search", "country", speeches, "--no-slow", "--json", home=tmp_path))
    assert {hit["video"] for hit in found} == {"kennedy.mp4"}
    assert is_there(found, 20 + 5.87)
    assert is_there(found, 20 + 9.96)
    assert min(hit["start"] for hit in found) > 20 + 3.0  # "ask not" begins at 3.3 s
    assert hits(howto("search", "sleeve", speeches, "--no-slow", "--json", home=tmp_path)) == []


def test_a_video_without_sound_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "mute.mp4"
    with H264Writer(path, width=16, height=16, frame_rate=Fraction(2)) as writer:
        writer.write_frame(np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(MediaError) as caught:
        PocketSphinxSource().narrate(Video("mute", path))
    assert caught.value.reason is Reason.NO_AUDIO_STREAM


def test_pronunciations_and_fillers_are_cleaned() -> None:
    raw = ["<s>", "<sil>", "and(2)", "[NOISE]", "++UH++", "the", "read(10)", "</s>"]
    assert [cleaned(word) for word in raw] == ["", "", "and", "", "", "the", "read", ""]


def test_lines_are_of_about_equal_length() -> None:
    words = [Word(at * 0.3, at * 0.3 + 0.3, f"w{at}") for at in range(23)]
    words += [Word(9.0, 9.2, "later")]
    sizes = [len(line.words) for line in lines_of(words, most=10, pause=0.5)]
    assert sizes == [7, 8, 8, 1]
    assert [word for line in lines_of(words, 10, 0.5) for word in line.words] == words
    assert list(lines_of([], 10, 0.5)) == []


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    source = PocketSphinxSource(model=str(tmp_path / "nothing"))
    with pytest.raises(PluginError, match="cannot load its model"):
        source.narrate(Video("jfk", real("jfk.flac")))


@pytest.mark.parametrize(
    "wrong", [{"words_per_line": 0}, {"pause": -1.0}, {"least_probability": 2.0}]
)
def test_options_that_cannot_mean_anything(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        plugins.create("asr", "pocketsphinx", **wrong)


def word_errors(wanted: list[str], found: list[str]) -> int:
    """Words wrong, missing and added: the edit distance."""
    row = list(range(len(found) + 1))
    for at, word in enumerate(wanted, 1):
        above, row = row, [at]
        for column, other in enumerate(found, 1):
            substituted = above[column - 1] + (word != other)
            row.append(min(above[column] + 1, row[-1] + 1, substituted))
    return row[-1]


def test_its_own_models_hear_english_alone() -> None:
    with pytest.raises(UsageError, match="hear English alone, not 'de'"):
        PocketSphinxSource(language="de")
    assert PocketSphinxSource(language="en-GB").language == "en-US"
    assert PocketSphinxSource(language="de", model="/models/german").language == "de"


def test_a_word_lasts_until_the_frame_after_its_last(kennedy: Narration) -> None:
    """Neighbours that were said without a pause meet; PocketSphinx counts the last frame in."""
    words = words_of(kennedy)
    assert sum(one.end == two.start for one, two in pairwise(words)) > len(words) / 2

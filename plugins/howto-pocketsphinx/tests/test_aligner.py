"""Word times of real speech and of espeak-ng's, against times that are known."""

import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from howto_pocketsphinx.aligner import PocketSphinxAligner, in_dictionary

from howto.errors import AlignmentError, PluginError
from howto.library import Library
from howto.media.audio import sound
from howto.media.encode import H264Writer
from howto.records import Kind, Line, Narration
from howto.testing import AlignerContract
from howto.transcribe.align import align_narration, aligner_recipe

VIDEOS = Path(__file__).resolve().parents[4] / "shared" / "data" / "videos"
RATE = 16_000
SPOKEN = (
    (0.3, 2.2, "And so, my fellow Americans,"),
    (3.2, 7.7, "ask not what your country can do for you."),
    (8.1, 10.6, "Ask what you can do for your country."),
)
"""What is said in jfk.flac, as captions of it would be."""
STARTS = {
    (0, "so,"): 0.56,
    (1, "ask"): 3.29,
    (1, "not"): 4.02,
    (1, "what"): 5.41,
    (1, "country"): 5.85,
    (1, "can"): 6.48,
    (1, "do"): 6.70,
    (2, "Ask"): 8.19,
    (2, "what"): 8.62,
    (2, "can"): 9.23,
    (2, "country."): 9.95,
}
"""Where words begin in jfk.flac, by line: read off its spectrogram, where the onset of a voice, a
hiss or a burst can be seen."""


def kennedy() -> np.ndarray:
    if not VIDEOS.is_dir():
        pytest.skip(f"the shared data is not at {VIDEOS}")
    return np.concatenate(list(sound(VIDEOS / "jfk.flac", RATE)))


def said_by_espeak(words: list[str], gap: float) -> tuple[np.ndarray, list[float]]:
    """Words one after the other with a gap of silence, and the second at which each begins."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    pieces, starts, at = [np.zeros(RATE // 2, np.float32)], [], 0.5
    for word in words:
        ran = subprocess.run(
            ["espeak-ng", "-v", "en-us", "-s", "150", "--stdout", word],
            capture_output=True,
            check=True,
        )
        # The header that espeak-ng writes to a pipe states no true length.
        samples = np.frombuffer(ran.stdout[44:], "<i2") / np.float32(32_768)
        times = np.arange(0, len(samples) / 22_050, 1 / RATE)
        spoken = np.interp(times, np.arange(len(samples)) / 22_050, samples).astype(np.float32)
        loud = np.flatnonzero(np.abs(spoken) > 0.01)
        spoken = spoken[loud[0] : loud[-1]]
        starts.append(at)
        pieces += [spoken, np.zeros(round(gap * RATE), np.float32)]
        at += (len(spoken) + round(gap * RATE)) / RATE
    return np.concatenate(pieces), starts


class TestPocketSphinxAligner(AlignerContract):
    plugin = "pocketsphinx"
    impossible = ("zxqv", "12")

    def speech(self) -> tuple[tuple[str, ...], np.ndarray]:
        return ("ask", "not", "what", "your", "country"), kennedy()[3 * RATE : round(6.45 * RATE)]


def test_words_of_a_real_speech_are_at_their_time() -> None:
    lines = tuple(Line(*one) for one in SPOKEN)
    found = align_narration(
        Narration(lines, "en", Kind.MANUAL, "by hand"), kennedy(), PocketSphinxAligner()
    )
    assert found.problems == ()
    assert [[word.text for word in line.words] for line in found.lines] == [
        text.split() for _, _, text in SPOKEN
    ]
    starts = {
        (number, word.text): word.start
        for number, line in enumerate(found.lines)
        for word in line.words
    }
    assert {key: starts[key] for key in STARTS} == pytest.approx(STARTS, abs=0.15)


def test_the_command_gives_words_to_the_captions_of_a_video(tmp_path: Path) -> None:
    samples = kennedy()
    folder = tmp_path / "speeches"
    folder.mkdir()
    with H264Writer(
        folder / "kennedy.mp4", width=16, height=16, frame_rate=Fraction(2), sample_rate=RATE
    ) as writer:
        for _ in range(2 * len(samples) // RATE):
            writer.write_frame(np.zeros((16, 16, 3), np.uint8))
        writer.write_sound(samples)
    (folder / "kennedy.en.csv").write_text(
        "start,end,text\n" + "".join(f'{start},{end},"{text}"\n' for start, end, text in SPOKEN)
    )
    program = Path(sys.executable).with_name("howto")
    subprocess.run([program, "transcribe", folder, "--align", "pocketsphinx"], check=True)
    with Library.open(folder) as library:
        (number,) = library.paths()
        found = library.narration(number)
        recipe = library.narration_recipe(number)
    assert found is not None
    assert recipe is not None
    assert recipe.parts["aligned"]["name"] == "pocketsphinx"
    starts = {
        (row, word.text): word.start for row, line in enumerate(found.lines) for word in line.words
    }
    assert {key: starts[key] for key in STARTS} == pytest.approx(STARTS, abs=0.15)


def test_captions_that_are_half_a_second_off() -> None:
    """Each line alone, as where nothing is said around it; the whole of it is heard."""
    lines = (Line(3.7, 7.2, SPOKEN[1][2]),)
    found = align_narration(
        Narration(lines, "en", Kind.MANUAL, "by hand"), kennedy(), PocketSphinxAligner()
    )
    words = {word.text: word.start for word in found.lines[0].words}
    assert (words["ask"], words["country"]) == pytest.approx((3.29, 5.85), abs=0.15)


@pytest.mark.parametrize("gap", [0.05, 0.3])
def test_words_of_espeak_are_where_they_were_put(gap: float) -> None:
    words = "fold the left sleeve over and press the shirt flat with your hands".split()
    samples, starts = said_by_espeak(words, gap)
    found = PocketSphinxAligner().align(words, samples)
    assert [start for start, _ in found] == pytest.approx(starts, abs=0.15)


def test_a_word_out_of_no_dictionary_gets_the_time_between() -> None:
    samples = kennedy()
    words = ["ask", "not", "blorptag", "what", "your", "country"]
    found = PocketSphinxAligner().align(words, samples[3 * RATE : round(6.45 * RATE)])
    assert found[2] == (found[1][1], found[3][0])
    assert 3 + found[3][0] == pytest.approx(5.41, abs=0.15)


def test_what_is_not_said_is_told() -> None:
    samples = kennedy()[: round(2.5 * RATE)]
    with pytest.raises(AlignmentError, match="what is heard there is not what it says"):
        PocketSphinxAligner().align(
            "unscrew the battery cover of the vacuum cleaner".split() * 3, samples
        )


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("Country!", ["country"]),
        ("“Don’t", ["don't"]),
        ("shirt's", ["shirt"]),
        ("heavy-duty", ["heavy", "duty"]),
        ("well-blorptag", ["well"]),
        ("salt/pepper", ["salt", "pepper"]),
        ("blorptag", []),
        ("350°", []),
        ("…", []),
        ("<sil>", []),
        ("the(2)", ["the"]),
    ],
)
def test_written_words_in_the_dictionary(word: str, found: list[str]) -> None:
    known = "country don't shirt heavy duty well salt pepper the the(2) <sil>".split()
    assert in_dictionary(word, lambda one: "AH" if one in known else None) == found


def test_a_model_of_ones_own_is_part_of_the_recipe(tmp_path: Path) -> None:
    wheel = aligner_recipe(PocketSphinxAligner()).parts
    assert wheel["name"] == "pocketsphinx"
    assert wheel["weights"] is None
    dictionary = tmp_path / "own.dict"
    dictionary.write_text("ask AE S K\n")
    own = PocketSphinxAligner(dictionary=str(dictionary))
    first = own.weights_hash()
    assert first
    samples = kennedy()[3 * RATE : 4 * RATE]
    assert len(own.align(["ask"], samples)) == 1
    with pytest.raises(AlignmentError):
        own.align(["country"], samples)
    dictionary.write_text("ask AA S K\n")
    assert own.weights_hash() != first
    missing = PocketSphinxAligner(model=str(tmp_path / "nothing"))
    with pytest.raises(PluginError, match="there is no"):
        missing.weights_hash()
    with pytest.raises(PluginError, match="cannot load its model"):
        missing.align(["ask"], samples)

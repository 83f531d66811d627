"""`howto transcribe --align`: word times for what has none, in a library and for one file."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from howto.library import Library
from howto.records import Word
from howto.transcribe import aligning

SPREADER = """
import os
import time

from howto.errors import AlignmentError, PluginError

class Spreader:
    '''Spreads words evenly over the sound it is given; words of one letter are unknown to it.'''

    name = "{name}"
    version = "1"
    sound_per_second = 2.0

    def weights_hash(self):
        if os.environ.get("SPREADER_LACKS"):
            raise PluginError("there is no file /somewhere/spreader.pt")
        return "{name}-weights"

    def align(self, words, samples):
        with open({log!r}, "a") as log:
            print(" ".join(words), file=log)
        if "crash" in words:
            os._exit(77)
        if "hang" in words:
            time.sleep(600)
        if len(words[0]) == 1:
            raise AlignmentError("a word of one letter")
        each = len(samples) / 16000 / len(words)
        shift = 0.001 if "{name}" == "other-spreader" else 0.0
        return [(at * each + shift, (at + 1) * each) for at in range(len(words))]
"""


@pytest.fixture
def spreader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two aligners with known answers; returns the file in which they note what they aligned."""
    site, log = tmp_path / "site", tmp_path / "aligned.txt"
    info = site / "spreader-1.0.dist-info"
    info.mkdir(parents=True)
    entries = ["[howto.aligners]"]
    for name in ("spreader", "other-spreader"):
        module = name.replace("-", "_") + "_for_tests"
        (site / f"{module}.py").write_text(SPREADER.format(name=name, log=str(log)))
        sys.modules.pop(module, None)
        entries.append(f"{name} = {module}:Spreader")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: spreader\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join(entries))
    monkeypatch.syspath_prepend(site)
    log.touch()
    return log


@pytest.fixture
def folder(tmp_path: Path, small_video) -> Path:
    """One video with captions and sound, one without sound, one whose words have times."""
    folder = tmp_path / "captioned"
    folder.mkdir()
    small_video(folder / "fold.mp4", shade=1, sound=True)
    (folder / "fold.vtt").write_text(
        "WEBVTT\n\n00:01.000 --> 00:04.000\nfold the sleeve\n\n"
        "00:05.000 --> 00:06.000\na b c\n\n00:08.000 --> 00:09.000\npress it\n"
    )
    small_video(folder / "mute.mp4", shade=2)
    (folder / "mute.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nnobody hears\n")
    small_video(folder / "timed.mp4", shade=3, sound=True)
    timed = {
        "events": [
            {
                "tStartMs": 1000,
                "dDurationMs": 900,
                "segs": [{"utf8": "said"}, {"utf8": " before", "tOffsetMs": 300}],
            }
        ]
    }
    (folder / "timed.en.json3").write_text(json.dumps(timed))
    return folder


def words_of(folder: Path, name: str) -> list[tuple[Word, ...]]:
    with Library.open(folder) as library:
        number = library.number_of_file(name)
        assert number is not None
        narration = library.narration(number)
    assert narration is not None
    return [line.words for line in narration.lines]


def ended(ran, stage: str = "align") -> dict[str, tuple[str, str | None]]:
    return {
        one["video"]: (one["state"], one["reason"])
        for one in ran.json["outcomes"]
        if one["stage"] == stage
    }


def test_lines_without_words_get_them_once(cli, folder: Path, spreader: Path) -> None:
    timed = cli("transcribe", folder)
    assert timed.code == 0
    before = words_of(folder, "timed.mp4")
    assert before[0]
    ran = cli("transcribe", folder, "--align", "spreader", "--json")
    assert ran.code == 0, ran.err
    assert ended(ran) == {"fold.mp4": ("ok", None), "mute.mp4": ("skipped", "no_audio_stream")}
    # A half second before and after each line is heard too.
    assert words_of(folder, "fold.mp4") == [
        (
            Word(0.5, pytest.approx(1.833, abs=2e-3), "fold"),
            Word(pytest.approx(1.833, abs=2e-3), pytest.approx(3.167, abs=2e-3), "the"),
            Word(pytest.approx(3.167, abs=2e-3), 4.5, "sleeve"),
        ),
        (),
        (Word(7.5, 8.5, "press"), Word(8.5, 9.5, "it")),
    ]
    assert words_of(folder, "timed.mp4") == before
    assert "Note: fold.mp4: no word times for 1 line: a word of one letter" in ran.err
    said = spreader.read_text().splitlines()
    assert set(said) == {"fold the sleeve", "a b c", "press it"}
    again = cli("transcribe", folder, "--align", "spreader", "--json")
    assert ended(again) == ended(ran)
    assert spreader.read_text().splitlines() == said
    # Without the option what is there stays.
    assert cli("transcribe", folder).code == 0
    assert words_of(folder, "fold.mp4")[2][0] == Word(7.5, 8.5, "press")


def test_the_recipe_and_what_status_and_clip_make_of_it(cli, folder: Path, spreader: Path) -> None:
    cli("clip", folder, "--clipper", "relines")
    cli("transcribe", folder, "--align", "spreader")
    with Library.open(folder) as library:
        number = library.number_of_file("fold.mp4")
        recipe = library.narration_recipe(number)
    assert recipe.parts["source"] == "sidecar"
    assert recipe.parts["aligned"] == {
        "name": "spreader",
        "version": "1",
        "weights": "spreader-weights",
    }
    rows = cli("status", folder, "--json").json["outcomes"]
    details = {one["video"]: one["detail"] for one in rows if one["stage"] == "align"}
    assert details["fold.mp4"] == "word times for 2 of 3 lines"
    # Clips of words that have other times now are made again.
    assert cli("clip", folder, "--clipper", "relines", "--json").json["made"] == 1
    assert cli("search", "sleeve", folder, "--json").json["hits"][0]["start"] == 1


def test_another_aligner_begins_from_the_captions(cli, folder: Path, spreader: Path) -> None:
    cli("transcribe", folder, "--align", "spreader")
    before = spreader.read_text().splitlines()
    cli("transcribe", folder, "--align", "other-spreader")
    assert words_of(folder, "fold.mp4")[2][0] == Word(7.501, 8.5, "press")
    assert len(spreader.read_text().splitlines()) == 2 * len(before)


def test_captions_that_are_read_anew_have_no_outcome_of_aligning(
    cli, folder: Path, spreader: Path
) -> None:
    cli("transcribe", folder, "--align", "spreader")
    cli("transcribe", folder, "--ends", "speech")
    rows = cli("status", folder, "--json").json["outcomes"]
    assert [one["video"] for one in rows if one["stage"] == "align"] == []
    assert not any(words_of(folder, "fold.mp4"))


def test_a_changed_caption_is_aligned_again(cli, folder: Path, spreader: Path) -> None:
    cli("transcribe", folder, "--align", "spreader")
    (folder / "fold.vtt").write_text("WEBVTT\n\n00:02.000 --> 00:03.000\nturn over\n")
    cli("search", "turn", folder)
    assert words_of(folder, "fold.mp4") == [()]
    ran = cli("transcribe", folder, "--align", "spreader", "--json")
    assert ended(ran)["fold.mp4"] == ("ok", None)
    assert words_of(folder, "fold.mp4") == [(Word(1.5, 2.5, "turn"), Word(2.5, 3.5, "over"))]


def test_an_aligner_that_crashes_or_hangs_costs_one_video(
    cli, folder: Path, spreader: Path, small_video, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aligning, "_LOADING_SECONDS", 5.0)
    monkeypatch.setattr(aligning, "_SLOWER", 0.0)
    for shade, name in enumerate(["crash", "hang"], start=5):
        small_video(folder / f"a-{name}.mp4", shade=shade, sound=True)
        (folder / f"a-{name}.vtt").write_text(f"WEBVTT\n\n00:01.000 --> 00:02.000\n{name}\n")
    ran = cli("transcribe", folder, "--align", "spreader", "--json")
    assert ran.code == 1
    assert ended(ran) == {
        "a-crash.mp4": ("failed", "decoder_crashed"),
        "a-hang.mp4": ("failed", "time_limit"),
        "fold.mp4": ("ok", None),
        "mute.mp4": ("skipped", "no_audio_stream"),
    }
    assert set(ended(ran, "transcribe").values()) == {("ok", None)}
    assert "Failed: a-crash.mp4: decoder_crashed: exit code 77" in (
        cli("transcribe", folder, "--align", "spreader", "--only", "a-crash*").err
    )


def test_dry_run_only_and_limit(
    cli, folder: Path, spreader: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("transcribe", folder)
    found = cli("transcribe", folder, "--align", "spreader", "--dry-run", "--json").json
    # Lines of 3, 1 and 1 s at twice real time.
    assert found["align"] == {
        "aligner": "spreader",
        "videos": ["fold.mp4"],
        "done": 0,
        "left": 0,
        "seconds": 2.5,
    }
    assert "1 video to align with spreader, about 2 s; 0 done already." in (
        cli("transcribe", folder, "--align", "spreader", "--dry-run").out
    )
    cli("transcribe", folder, "--align", "spreader", "--only", "timed*")
    assert spreader.read_text() == ""
    monkeypatch.setenv("SPREADER_LACKS", "1")
    ran = cli("transcribe", folder, "--align", "spreader")
    assert (ran.code, ran.out) == (1, "")
    assert "Error: there is no file /somewhere/spreader.pt" in ran.err


def test_a_dry_run_in_a_terminal_names_files_without_moving_its_cursor(
    cli, folder: Path, spreader: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for suffix in ("mp4", "vtt"):
        (folder / f"fold.{suffix}").rename(folder / f"a\x1b[31mb.{suffix}")
    cli("transcribe", folder)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    told = cli("transcribe", folder, "--align", "spreader", "--dry-run").out
    assert "a\\x1b[31mb.mp4\n" in told


def test_one_file_with_its_sound(cli, folder: Path, spreader: Path) -> None:
    captions, video = folder / "fold.vtt", folder / "fold.mp4"
    ran = cli("transcribe", captions, "--align", "spreader", "--sound", video, "--json")
    assert ran.code == 0, ran.err
    words = [one["words"] for one in ran.json["lines"]]
    assert words[2][0] == {"start": 7.5, "end": 8.5, "text": "press"}
    assert words[1] == []
    assert ran.json["problems"][0]["what"].startswith("no word times for 1 line")
    assert not (folder / ".howto").exists()
    silent = cli("transcribe", captions, "--align", "spreader", "--sound", folder / "mute.mp4")
    assert silent.code == 1
    assert f"Error: {folder / 'mute.mp4'}: " in silent.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["fold.vtt", "--align", "spreader"],
        ["fold.vtt", "--sound", "fold.mp4"],
        ["fold.vtt", "mute.vtt", "--align", "spreader", "--sound", "fold.mp4"],
        [".", "--align", "spreader", "--sound", "fold.mp4"],
    ],
)
def test_wrong_usage(
    cli, folder: Path, spreader: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert cli("transcribe", *arguments).code == 2


def test_silence_is_heard_as_silence(folder: Path) -> None:
    samples = aligning.all_sound(folder / "fold.mp4")
    assert samples.dtype == np.float32
    assert len(samples) == pytest.approx(20 * 16_000, abs=2_000)

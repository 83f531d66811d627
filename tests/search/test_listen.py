"""Listening is offered with an estimate, done when it is accepted, and never done by itself."""

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from howto.library import Library
from howto.search.listen import listen, offer
from howto.search.refresh import refresh

RECOGNISER = '''
from howto.errors import BrokenPlugin, CaptionError, Reason
from howto.records import Kind, Line, Narration

class Parrot:
    """Hears the name of the file: a recogniser with a known answer."""

    name = "parrot"
    listens = True
    sound_per_second = 0.5

    def narrate(self, video):
        if "broken" in video.path.name:
            raise CaptionError(Reason.NOT_MEDIA, "cannot hear this")
        if "quiet" in video.path.name:
            return None
        if "locked" in video.path.name:
            raise BrokenPlugin("put the weights into /somewhere")
        if "bug" in video.path.name:
            raise RuntimeError("of the recogniser")
        line = Line(3.0, 5.0, f"this is {video.path.stem} speaking")
        return Narration((line,), "en", Kind.AUTOMATIC, "parrot 1")
'''


@pytest.fixture
def recogniser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A distribution with a recogniser, on the path of this process and of those it starts."""
    site = tmp_path / "site"
    info = site / "parrot-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "parrot_plugin.py").write_text(RECOGNISER)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: parrot\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[howto.asr]\nparrot = parrot_plugin:Parrot\n")
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", str(site))
    return site


@pytest.fixture
def folder(tmp_path: Path, small_video) -> Path:
    folder = tmp_path / "spoken"
    folder.mkdir()
    for shade, name in enumerate(["plain", "quiet", "broken"]):
        small_video(folder / f"{name}.mp4", shade=shade, seconds=30, sound=True)
    small_video(folder / "mute.mp4", shade=9)
    return folder


def test_it_is_offered_with_the_one_command_that_does_it(
    cli, folder: Path, recogniser: Path
) -> None:
    (note,) = [
        one
        for one in cli("search", "speaking", folder, "--json").json["notes"]
        if "3 videos with" in one
    ]
    # 90 s of sound at half real time; the video without sound is not counted.
    assert (
        "3 videos with sound have no narration. To listen to them with parrot (about 3 min)" in note
    )
    assert note.endswith(f"howto search QUERY {folder} --yes")


def test_yes_listens_and_finds(cli, folder: Path, recogniser: Path) -> None:
    ran = cli("search", "speaking", folder, "--yes", "--json")
    assert ran.code == 0, ran.err
    (hit,) = ran.json["hits"]
    assert (hit["video"], hit["start"], hit["end"]) == ("plain.mp4", 3, 5)
    ended = {
        one["video"]: (one["state"], one["reason"])
        for one in cli("status", folder, "--json").json["outcomes"]
        if one["stage"] == "transcribe"
    }
    assert ended == {
        "plain.mp4": ("ok", None),
        "quiet.mp4": ("skipped", "nothing_said"),
        "broken.mp4": ("failed", "not_media"),
        "mute.mp4": ("skipped", "no_narration"),
    }
    again = cli("search", "speaking", folder, "--yes", "--json").json
    assert not any("no narration" in note for note in again["notes"])


def test_what_was_heard_outlives_a_changed_companion(cli, folder: Path, recogniser: Path) -> None:
    cli("search", "speaking", folder, "--yes")
    (folder / "plain.info.json").write_text('{"title": "A talk"}')
    assert cli("search", "speaking", folder, "--json").json["hits"]
    assert cli("search", "talk", folder, "--json").json["hits"]
    (folder / "plain.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:03.000\nby hand\n")
    with Library.open(folder) as library:
        refresh(library)
    assert not cli("search", "speaking", folder, "--json").json["hits"]
    assert cli("search", "hand", folder, "--json").json["hits"]


def test_a_bug_of_the_recogniser_costs_one_video(
    cli, folder: Path, recogniser: Path, small_video
) -> None:
    small_video(folder / "a-bug.mp4", shade=21, sound=True)
    assert cli("search", "speaking", folder, "--yes", "--json").json["hits"]
    (bug,) = [
        one
        for one in cli("status", folder, "--json").json["outcomes"]
        if (one["video"], one["stage"]) == ("a-bug.mp4", "transcribe")
    ]
    assert (bug["reason"], bug["detail"]) == ("internal_error", "RuntimeError: of the recogniser")


def test_a_recogniser_that_cannot_be_used_ends_the_command_with_what_to_do(
    cli, folder: Path, recogniser: Path, small_video
) -> None:
    small_video(folder / "a-locked.mp4", shade=22, sound=True)
    ran = cli("search", "speaking", folder, "--yes")
    assert (ran.code, "Error: put the weights into /somewhere" in ran.err) == (1, True)
    # It is no video's fault, so nothing is written against one.
    reasons = {one["reason"] for one in cli("status", folder, "--json").json["outcomes"]}
    assert "internal_error" not in reasons


def test_what_another_process_has_heard_is_not_heard_again(
    cli, folder: Path, recogniser: Path
) -> None:
    cli("search", "speaking", folder)
    with Library.open(folder) as library:
        offered = offer(library, set(library.paths()))
        assert len(list(listen(library, offered))) == 3
        assert list(listen(library, offered)) == []


def test_a_broken_recogniser_is_passed_over(cli, folder: Path, recogniser: Path) -> None:
    (recogniser / "parrot_plugin.py").write_text("import nothing_of_that_name")
    sys.modules.pop("parrot_plugin", None)
    # Which other one there is depends on the machine; without any, the note says how to get one.
    ran = cli("search", "speaking", folder)
    assert ran.code == 0
    assert "parrot" not in ran.err
    assert "3 videos with sound have no narration" in ran.err


@pytest.mark.parametrize(("typed", "heard"), [("y\n", True), ("n\n", False)])
def test_on_a_terminal_one_question_is_asked(
    folder: Path, recogniser: Path, typed: str, heard: bool
) -> None:
    shown = on_a_terminal(["search", "speaking", str(folder)], typed)
    assert (
        "3 videos with sound have no narration; listen now with parrot? about 3 min [Y/n]" in shown
    )
    assert ("this is plain speaking" in shown) == heard


def on_a_terminal(arguments: list[str], typed: str) -> str:
    """Run the program on a pseudo-terminal, type when it asks, and return all that was shown."""
    ours, theirs = pty.openpty()
    program = Path(sys.executable).with_name("howto")
    process = subprocess.Popen(
        [program, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"},
        close_fds=True,
    )
    os.close(theirs)
    shown, deadline = b"", time.monotonic() + 60
    try:
        while time.monotonic() < deadline:
            if select.select([ours], [], [], 0.2)[0]:
                try:
                    shown += os.read(ours, 65536)
                except OSError:
                    break
            if b"[Y/n]" in shown and typed:
                os.write(ours, typed.encode())
                typed = ""
            if process.poll() is not None and not select.select([ours], [], [], 0)[0]:
                break
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return shown.decode()

"""The library under kills and several processes at once, for minutes: `make test-long`."""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from howto.library import Library

pytestmark = pytest.mark.long

VIDEOS = 120
KILLS = 20
PROGRAM = Path(sys.executable).with_name("howto")


@pytest.fixture
def folder(tmp_path: Path, small_video: Callable[..., Path]) -> Path:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(VIDEOS):
        small_video(folder / f"{number:03}.mp4", shade=number, seconds=60)
        cues = (
            f"00:{second:02}.000 --> 00:{second + 2:02}.000\nshirt {number} line {second}\n"
            for second in range(0, 58, 2)
        )
        (folder / f"{number:03}.vtt").write_text("\n".join(["WEBVTT\n", *cues]))
    return folder


def start(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [PROGRAM, "search", "shirt", folder, "--json", "--top", "1000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def contents(folder: Path) -> dict[str, Any]:
    """All that the library says, without the numbers that depend on the order of work."""
    with Library.open(folder) as library:
        paths = library.paths()
        narrations = {paths[number][0]: library.narration(number) for number in paths}
        check = library.connection.execute("PRAGMA integrity_check").fetchone()[0]
        for table in ("clip_words", "chapter_words", "video_words"):
            library.connection.execute(f"INSERT INTO {table}({table}) VALUES ('integrity-check')")
        indexed = library.connection.execute(
            "SELECT (SELECT count(*) FROM clips WHERE caption <> ''),"
            " (SELECT count(*) FROM clip_words_docsize)"
        ).fetchone()
        return {
            "counts": dict(library.counts()),
            "narrations": narrations,
            "outcomes": library.outcomes(),
            "check": check,
            "indexed": indexed,
        }


def test_twenty_kills_at_any_instant_lose_and_double_nothing(folder: Path, tmp_path: Path) -> None:
    chance = random.Random(0)
    seen = 0
    for _ in range(KILLS):
        process = start(folder)
        time.sleep(chance.uniform(0.3, 2.0))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if (folder / ".howto" / "library.db").exists():
            now = contents(folder)
            assert now["check"] == "ok"
            assert now["counts"]["files"] >= seen, "a finished video was lost"
            assert now["indexed"][0] == now["indexed"][1]
            seen = now["counts"]["files"]
    start(folder).communicate(timeout=300)
    assert contents(folder)["counts"]["narrations"] == VIDEOS
    (folder / ".howto").rename(tmp_path / "killed")
    start(folder).communicate(timeout=300)
    clean = contents(folder)
    (folder / ".howto").rename(tmp_path / "clean")
    (tmp_path / "killed").rename(folder / ".howto")
    assert contents(folder) == clean


def test_four_processes_at_once_on_a_folder_that_changes(folder: Path) -> None:
    processes = [start(folder) for _ in range(4)]
    time.sleep(1)
    (folder / "000.mp4").rename(folder / "renamed.mp4")
    (folder / "001.mp4").unlink()
    for process in processes:
        _, problem = process.communicate(timeout=300)
        assert process.returncode == 0, problem.decode()
    start(folder).communicate(timeout=300)
    last = json.loads(start(folder).communicate(timeout=300)[0])
    assert last["refreshed"] == {"new": 0, "changed": 0, "renamed": 0, "removed": 0}
    now = contents(folder)
    assert now["check"] == "ok"
    assert now["counts"]["files"] == VIDEOS - 1
    # 000.vtt lies beside no video any more, and 001.mp4 is gone.
    assert now["counts"]["lines"] == 29 * (VIDEOS - 2)

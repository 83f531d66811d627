"""`howto extract` on 200 videos, a tenth of them broken, under kills: `make test-long`."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from howto.extract.features import read
from howto.library import Library
from howto.records import Stage

pytestmark = pytest.mark.long

VIDEOS = 200
RUNS_KILLED = 6
PROGRAM = Path(sys.executable).with_name("howto")
BACKBONES = "colour-motion,template-mean-colour"


@pytest.fixture
def folder(films: Path) -> Path:
    """The films, ten of them cut off and ten that are none."""
    for film in range(10):
        whole = films / f"{20 * film:03}.mp4"
        whole.write_bytes(whole.read_bytes()[: 1000 + film])
        (films / f"{20 * film + 1:03}.mp4").write_bytes(f"no film {film}".encode())
    return films


def start(folder: Path, *options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [PROGRAM, "extract", folder, "--backbone", BACKBONES, "--workers", "2", "--json", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def decoders_of(process: int) -> list[int]:
    """The children of a process that look at files or decode, as far as it still runs."""
    with suppress(OSError):
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        return [one for one in map(int, children) if b"spawn_main" in command_of(one)]
    return []


def command_of(process: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes()
    return b""


def kill(process: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def files_of(folder: Path) -> dict[Path, int]:
    found = (folder / ".howto" / "features").glob("*/*/[!.]*.safetensors")
    return {path: path.stat().st_mtime_ns for path in found}


def test_two_hundred_videos_with_kills_end_once_each(folder: Path) -> None:
    chance = random.Random(0)
    seen: dict[Path, int] = {}
    for _ in range(RUNS_KILLED):
        process = start(folder)
        until = time.monotonic() + chance.uniform(8, 20)
        while time.monotonic() < until and process.poll() is None:
            time.sleep(chance.uniform(0.5, 3))
            if decoders := decoders_of(process.pid):
                kill(chance.choice(decoders))
        kill(process.pid)
        process.communicate()
        now = files_of(folder)
        assert seen.items() <= now.items(), "what was done was lost, or done again"
        seen = now
        for path in now:
            read(path)  # whole, every one
    assert seen, "the kills left no time to do anything"

    ended = start(folder)
    told = json.loads(ended.communicate(timeout=900)[0])
    assert ended.returncode == 1  # some are broken
    assert seen.items() <= files_of(folder).items()
    by_video = Counter(one["video"] for one in told["outcomes"])
    assert by_video == Counter({f"{k:03}.mp4": 1 for k in range(VIDEOS)})

    retried = start(folder, "--retry")
    told = json.loads(retried.communicate(timeout=900)[0])
    reasons = Counter(str(one["reason"]) for one in told["outcomes"])
    assert (reasons["None"], reasons.total()) == (180, 200), reasons
    assert not {"decoder_crashed", "time_limit", "internal_error"} & reasons.keys()
    files = files_of(folder)
    assert len(files) == 2 * 180
    with Library.open(folder) as library:
        outcomes = [one for one in library.outcomes() if one.stage == Stage.EXTRACT]
        assert len(outcomes) == len({one.video_id for one in outcomes}) == VIDEOS
        rows = library.connection.execute("SELECT count(*) FROM feature_files WHERE state = 'ok'")
        assert rows.fetchone() == (360,)
        assert library.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    last = start(folder)
    told = json.loads(last.communicate(timeout=900)[0])
    assert (told["made"], told["unchanged"]) == (0, 180)
    assert files_of(folder) == files

"""Ctrl-C while a set is drawn: it stops at once, says one line, and goes on another time."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from howto.demo import DemoSpec, DemoVideo, generator, write_demo
from howto.errors import HowtoError, ItemError
from tests.conftest import is_running, until


def workers_of(process: int) -> list[int]:
    """The processes that it started to draw."""
    found = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in task.read_text().split()]
    return [child for child in found if b"spawn_main" in command_of(child)]


def command_of(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc")
def test_ctrl_c_ends_the_workers_and_says_one_line(tmp_path: Path) -> None:
    command = [Path(sys.executable).with_name("howto"), "demo", tmp_path / "demo"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    try:
        until(lambda: workers_of(process.pid))
        workers = workers_of(process.pid)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        told = process.communicate(timeout=120)[1].decode()
    finally:
        process.kill()
        process.wait()
    assert told == "Stopped. What is done is kept; run the same command to go on.\n"
    assert process.returncode == 130
    until(lambda: not any(map(is_running, workers)))


def crash(_task: object) -> None:
    os.abort()


def fail(_task: object) -> OSError:
    return OSError(28, "No space left on device")


def bug(_task: object) -> None:
    raise KeyError("x")


@pytest.mark.parametrize(
    ("draw", "kind", "said"),
    [
        (crash, HowtoError, "process that draws the demo died"),
        (fail, OSError, "No space left"),
        (bug, ItemError, "KeyError: 'x' at test_stop.py"),
    ],
)
def test_what_ends_the_drawing_is_told(
    tmp_path: Path,
    small_spec: DemoSpec,
    monkeypatch: pytest.MonkeyPatch,
    draw: Callable[[object], object],
    kind: type[Exception],
    said: str,
) -> None:
    monkeypatch.setattr(generator, "_render_apart", draw)
    with pytest.raises(kind, match=said):
        write_demo(tmp_path, small_spec, workers=2)


def test_a_fault_of_the_disk_crosses_processes(
    small_set: tuple[Path, list[DemoVideo]], small_spec: DemoSpec, tmp_path: Path
) -> None:
    nowhere = replace(small_set[1][0], path=tmp_path / "gone" / "film.mp4")
    assert isinstance(generator._render_apart((small_spec, nowhere)), FileNotFoundError)

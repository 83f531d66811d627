"""The rates of this machine, measured on a video drawn for the purpose; estimates build on them."""

import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from howto.records import FrameSpec

__all__ = ["Rate", "measure"]

WIDTH, HEIGHT = 640, 360
FRAMES_PER_SECOND = 30
SECONDS = 20
LINES = 10_000
REPEATS = 3

TIMES = "times real time"

PAPER_2D = FrameSpec(Fraction(1), short_side=224)
PAPER_3D = FrameSpec(Fraction(24), short_side=112, crop=112)


@dataclass(frozen=True, slots=True)
class Rate:
    """One rate.

    Attributes:
        work: what was done.
        value: how much of it in the unit.
    """

    work: str
    value: float
    unit: str


def measure(on_step: Callable[[int, int, str], None] | None = None) -> list[Rate]:
    """Measure every rate, each as the median of 3 runs; about 20 s in all.

    Args:
        on_step: told how many are done, how many there are, and which one is next.
    """
    with tempfile.TemporaryDirectory() as name:
        video = _draw(Path(name) / "bench.mp4")
        captions = _captions()
        both = (PAPER_2D, PAPER_3D)
        steps: list[tuple[str, str, float, Callable[[], object]]] = [
            ("look at a new file", "files/s", 1, lambda: _probe(video)),
            ("decode for the 2D backbone", TIMES, SECONDS, lambda: _decode(video, PAPER_2D)),
            ("decode for the 3D backbone", TIMES, SECONDS, lambda: _decode(video, PAPER_3D)),
            ("decode for both in one pass", TIMES, SECONDS, lambda: _decode(video, *both)),
            ("decode the sound", TIMES, SECONDS, lambda: _listen(video)),
            ("read captions", "lines/s", LINES, lambda: _read(captions)),
            ("index captions", "lines/s", LINES, _index),
            ("answer a query over 10,000 lines", "queries/s", 1, _query(_index())),
        ]
        rates = []
        for done, (work, unit, amount, run) in enumerate(steps):
            if on_step:
                on_step(done, len(steps), work)
            rates.append(Rate(work, amount / _median_seconds(run), unit))
        return rates


def _median_seconds(run: Callable[[], object]) -> float:
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def _draw(path: Path) -> Path:
    """A moving pattern with noise: as hard to decode as film, and always the same."""
    import numpy as np

    from howto.media.encode import H264Writer

    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    with H264Writer(
        path, width=WIDTH, height=HEIGHT, frame_rate=Fraction(FRAMES_PER_SECOND), sample_rate=44_100
    ) as writer:
        for number in range(SECONDS * FRAMES_PER_SECOND):
            wave = 127 + 90 * np.sin((rows + 3 * number) / 31) * np.cos((columns - 2 * number) / 47)
            noise = rng.integers(-12, 13, (HEIGHT, WIDTH, 3))
            writer.write_frame((wave[..., None] + noise).clip(0, 255).astype(np.uint8))
        writer.write_sound(rng.normal(0, 0.1, SECONDS * 44_100).clip(-1, 1).astype(np.float32))
    return path


def _probe(video: Path) -> None:
    from howto.media.probe import probe

    probe(video)


def _decode(video: Path, *specs: FrameSpec) -> None:
    from howto.media.decode import decode

    for _ in decode(video, specs):
        pass


def _listen(video: Path) -> None:
    from howto.media.audio import sound

    for _ in sound(video):
        pass


def _captions() -> str:
    cues = ["WEBVTT\n"]
    for line in range(LINES):
        cues.append(f"{_clock(line)} --> {_clock(line + 1)}\n{_line(line)}\n")
    return "\n".join(cues)


def _line(number: int) -> str:
    words = (
        "fold pour stir cut press wipe roll glue shirt pan bowl egg box cloth knife leaf".split()
    )
    return " ".join(words[number * step % len(words)] for step in (1, 3, 5, 7, 11, 13))


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.000"


def _read(captions: str) -> None:
    from howto.transcribe.vtt import read_vtt

    read_vtt(captions)


def _index() -> sqlite3.Connection:
    from howto import schema
    from howto.search.words import add_video

    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.migrate(connection, "memory")
    connection.execute("BEGIN")
    connection.execute("INSERT INTO videos (number, video_id) VALUES (1, 'bench')")
    connection.executemany(
        "INSERT INTO clips (number, start, end, caption) VALUES (1, ?, ?, ?)",
        ((line, line + 1, _line(line)) for line in range(LINES)),
    )
    add_video(connection, 1, "bench.mp4")
    connection.execute("COMMIT")
    return connection


def _query(connection: sqlite3.Connection) -> Callable[[], object]:
    from howto.search.query import Query
    from howto.search.words import rank

    return lambda: rank(connection, Query.parse("fold a shirt"))

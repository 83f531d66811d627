"""The bookkeeping of a library of the paper's size: 1.2M videos and 20.4M clips here, and what that
comes to at 136M.

The library is made by bulk SQL of the rows that the commands leave (a transaction a video, as they
write them, would take hours), but for the word index and what a site said of videos; its media are
empty files, its feature files names of one real one. Then fresh processes list it, plan, make pairs
of what an interrupted run left, find nothing left to do, and pack the pairs, killed once, without
vectors of clips: what a pack holds but for those, which are one array that is written as it comes.

paper_size.peak_mb.1200k       the most memory that any of these processes had
paper_size.seconds.STEP.1200k  the time that each took
paper_size.bytes_per_video     of library.db and of the pack, of libraries of one size and unlike
paper_size.bytes_per_clip      numbers of clips: what a clip adds, and what is left for a video
paper_size.gb.136m             library.db and pack at the paper's size

What a step costs is taken as a V + b C for V videos and C clips. Two small libraries of as many
videos, one with 17 clips a video, one with the paper's 111, give b; the large one gives the rest:

    cost(136M) = cost(20.4M) + b (136M - 20.4M)
"""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measure import Figure, emit, parse

VIDEOS, VIDEOS_SMALL = 1_200_000, 24_000
CLIPS_EACH, CLIPS_EACH_PAPER = 17, 111
CLIPS_PAPER = 136_000_000
MOST_MB = 2048
AT_ONCE = 20_000  # videos of one transaction, so that the journal stays small
LINKS = 50_000  # names of one file; file systems allow some 65,000
WORDS, TEXTS = 30_000, 200_000
LEFT = 400
"""Videos without pairs, as an interrupted `howto clip` leaves them."""
SEED = 0

HOWTO = [sys.executable, "-m", "howto"]


@dataclass(frozen=True)
class Cost:
    """What one process took."""

    seconds: float
    peak_mb: float
    told: str


@dataclass(frozen=True)
class Costs:
    """What a library of one size took, and holds."""

    videos: int
    clips: int
    steps: Mapping[str, Cost]
    db_bytes: int
    pack_bytes: int


def main() -> None:
    if len(sys.argv) > 2:
        CHILDREN[sys.argv[1]](Path(sys.argv[2]), *map(int, sys.argv[3:]))
        return
    quick = parse(__doc__ or "").quick
    if quick:
        emit(figures(measured(VIDEOS_SMALL, CLIPS_EACH), "24k"))
        return
    # The small ones first: a process is counted with what its parent had grown to.
    few = measured(VIDEOS_SMALL, CLIPS_EACH)
    many = measured(VIDEOS_SMALL, CLIPS_EACH_PAPER)
    full = measured(VIDEOS, CLIPS_EACH)
    extrapolate(few, many, full)
    emit([*figures(full, "1200k"), *sizes(few, many, full)])


def figures(costs: Costs, size: str) -> list[Figure]:
    peak = max(cost.peak_mb for cost in costs.steps.values())
    return [
        Figure.at_most(f"paper_size.peak_mb.{size}", peak, MOST_MB, "MB"),
        *(
            Figure.reported(f"paper_size.seconds.{name}.{size}", cost.seconds, "s")
            for name, cost in costs.steps.items()
        ),
    ]


def sizes(few: Costs, many: Costs, full: Costs) -> list[Figure]:
    made = []
    for name in ("db_bytes", "pack_bytes"):
        clip = (getattr(many, name) - getattr(few, name)) / (many.clips - few.clips)
        video = (getattr(full, name) - clip * full.clips) / full.videos
        all_ = getattr(full, name) + clip * (CLIPS_PAPER - full.clips)
        what = name.removesuffix("_bytes")
        made += [
            Figure.reported(f"paper_size.{what}.bytes_per_video", video, "B"),
            Figure.reported(f"paper_size.{what}.bytes_per_clip", clip, "B"),
            Figure.reported(f"paper_size.{what}.gb.136m", all_ / 1e9, "GB"),
        ]
    return made


def extrapolate(few: Costs, many: Costs, full: Costs) -> None:
    """Print the table: what was measured, and what it comes to with the paper's clips."""
    print("cost(136M) = cost(20.4M) + b (136M - 20.4M), b of two libraries of 24k videos")
    print("| step | 20.4M clips | at 136M | peak here | peak at 136M |\n|---|---|---|---|---|")
    more = (CLIPS_PAPER - full.clips) / (many.clips - few.clips)
    for name, cost in full.steps.items():
        small, large = few.steps[name], many.steps[name]
        seconds = cost.seconds + more * max(0.0, large.seconds - small.seconds)
        peak = cost.peak_mb + more * max(0.0, large.peak_mb - small.peak_mb)
        print(
            f"| {name} | {cost.seconds:.1f} s | {seconds:.0f} s | {cost.peak_mb:.0f} MB |"
            f" {peak:.0f} MB |"
        )


# What is measured.


def measured(videos: int, clips_each: int) -> Costs:
    """Make a library, and run on it what is run on one."""
    print(f"{videos:,} videos of {clips_each} clips", flush=True)
    steps: dict[str, Cost] = {}

    def step(name: str, command: list[str], *told: str) -> str:
        cost = taken(command)
        steps[name] = cost
        print(f"  {name}: {cost.seconds:.1f} s, {cost.peak_mb:.0f} MB", flush=True)
        for one in told:
            if one not in cost.told:
                sys.exit(f"{name}: expected {one!r} in\n{cost.told[-2000:]}")
        return cost.told

    with tempfile.TemporaryDirectory() as name:
        ours = [sys.executable, __file__]
        extract = [*HOWTO, "extract", name, "--backbone", "colour-motion", "--device", "cpu"]
        size = [str(videos), str(clips_each)]
        step("build", [*ours, "fill", name, *size])
        step("status", [*HOWTO, "status", name], f"{videos} videos in {videos} files")
        step("status_json", [*HOWTO, "status", name, "--json"], f'"videos": {videos}')
        left = f"Would make the pairs of {LEFT} videos"
        step("clip_dry_run", [*HOWTO, "clip", name, "--dry-run"], left)
        half = f"of {videos // 2} videos"
        step("extract_dry_run", [*extract, "--dry-run"], half)
        step(
            "clip_goes_on",
            [*HOWTO, "clip", name, "--limit", str(LEFT // 2)],
            f"made for {LEFT // 2} videos now, {videos - LEFT} unchanged, {LEFT // 2} left",
        )
        step("clip_ends", [*HOWTO, "clip", name], f"made for {LEFT // 2} videos now")
        step("clip_again", [*HOWTO, "clip", name], f"made for 0 videos now, {videos} unchanged")
        step("build_features", [*ours, "features", name, str(videos)])
        step("extract_again", extract, f"0 feature files made; {videos} videos unchanged")
        pack = [*ours, "pack", name]
        step("pack_killed", [*pack, str(videos // 2)])
        step("pack_goes_on", pack, f"{videos} videos")
        step("pack_again", pack, f"{videos} kept")
        state = Path(name) / ".howto"
        packed = sum(path.stat().st_size for path in (state / "packs").glob("*/*"))
        return Costs(
            videos, videos * clips_each, steps, (state / "library.db").stat().st_size, packed
        )


def taken(command: list[str]) -> Cost:
    """Run a process: what it took, and what it printed."""
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as told:
        process = subprocess.Popen(
            command, stdout=told, env={**os.environ, "COLUMNS": "200"}, start_new_session=True
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = code = os.waitstatus_to_exitcode(status)
        if code not in (0, -signal.SIGKILL):
            sys.exit(f"{' '.join(command)} ended with {code}")
        size = told.seek(0, os.SEEK_END)
        told.seek(0)
        printed = told.read(10_000)
        if size > len(printed):
            told.seek(size - 10_000)
            printed += told.read()
        return Cost(time.perf_counter() - began, usage.ru_maxrss / 1024, printed)


# Processes of ours.


def fill(folder: Path, videos: int, clips_each: int) -> None:
    """Make the library: everything but the features of half of its videos."""
    from howto.library import Library

    with Library.open(folder) as library:
        connection = library.connection
        connection.execute("PRAGMA synchronous = OFF")  # a benchmark's library may be lost
        _put_choices(connection)
        media = library.state / "media"
        media.mkdir()
        for first in range(1, videos + 1, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, videos + 1))
            with library.writing():
                _put_videos(connection, media, numbers)
                _put_clips(connection, numbers, clips_each)
        _leave_out(library, videos)
        _put_features(library, range(1, videos // 2 + 1))


def _put_choices(connection: sqlite3.Connection) -> None:
    """What is the same for all: sets, recipes, and captions of words as rare as words are."""
    from howto.clip.pairs import PairOptions

    draw = random.Random(SEED)
    often = [1 / rank for rank in range(1, WORDS + 1)]
    drawn = draw.choices([f"word{number}" for number in range(WORDS)], often, k=8 * TEXTS)
    connection.execute("CREATE TEMP TABLE texts (number INTEGER PRIMARY KEY, text TEXT)")
    connection.executemany(
        "INSERT INTO texts VALUES (?, ?)",
        (
            (number, " ".join(drawn[8 * number : 8 * number + draw.randint(4, 8)]))
            for number in range(TEXTS)
        ),
    )
    connection.execute("INSERT INTO pair_sets (recipe) VALUES (?)", (PairOptions().recipe().text,))


def _put_videos(connection: sqlite3.Connection, media: Path, numbers: range) -> None:
    info = json.dumps(
        {
            "duration": 400.0, "start_time": 0.0, "width": 640, "height": 360,
            "coded_width": 640, "coded_height": 360, "pixel_aspect": "1", "rotation": 0,
            "frame_rate": "25", "variable_frame_rate": False, "video_codec": "h264",
            "pixel_format": "yuv420p", "has_audio": True, "subtitles": [], "chapters": [],
            "title": "",
        }
    )  # fmt: skip
    recipe = _narration().text
    rows = [(number, _video_id(number)) for number in numbers]
    connection.executemany(
        "INSERT INTO videos VALUES (?, ?, 400, ?, ?, '', '', 'abcdefgh')",
        ((number, video_id, info, f"How to do it {number}") for number, video_id in rows),
    )
    connection.executemany(
        "INSERT INTO candidates (candidate, video_id, source, site, address, title, state, media)"
        " VALUES (?, ?, 'youtube', 'youtube', ?, ?, 'done', ?)",
        (
            (number, one, f"https://www.youtube.com/watch?v={one}", "How to do it", f"{one}.mp4")
            for number, one in rows
        ),
    )
    connection.executemany(
        "INSERT INTO files VALUES (?, ?, 0, ?, '')",
        (
            (f".howto/media/{one}.mp4".encode(), number, _touched(media / f"{one}.mp4"))
            for number, one in rows
        ),
    )
    connection.executemany(
        "INSERT INTO narrations VALUES (?, 'en', 'automatic', 'captions', ?, '[]',"
        " 110, 2.1, 0.2, 0.6, 0)",
        ((number, recipe) for number in numbers),
    )
    connection.executemany(
        "INSERT INTO outcomes VALUES (?, ?, 'ok', NULL, '')",
        ((number, stage) for number in numbers for stage in ("probe", "transcribe", "clip")),
    )


def _put_clips(connection: sqlite3.Connection, numbers: range, clips_each: int) -> None:
    """Lines of narration, the clips that search returns, and pairs that grew out of lines."""
    given = {"first": numbers.start, "after": numbers.stop, "each": clips_each, "texts": TEXTS}
    some = (
        "WITH RECURSIVE positions(p) AS (SELECT 0 UNION ALL SELECT p + 1 FROM positions"
        " WHERE p + 1 < :each) "
    )
    rows = (
        " FROM videos AS one CROSS JOIN positions"
        " JOIN texts ON texts.number = (one.number * :each + p) * 7919 % :texts"
        " WHERE one.number >= :first AND one.number < :after"
    )
    into = (
        "INSERT INTO lines SELECT one.number, p, p * 3.6, p * 3.6 + 4.2, text, NULL",
        "INSERT INTO clips (number, start, end, caption)"
        " SELECT one.number, p * 3.6, p * 3.6 + 4.2, text",
        "INSERT INTO pairs SELECT 1, one.number, p, p * 3.6, p * 3.6 + 5.0, text, p, p, 0.5",
    )
    for what in into:
        head, select = what.split(" SELECT ", 1)
        connection.execute(f"{head} {some} SELECT {select}{rows}", given)
    connection.executemany(
        "INSERT INTO paired_videos VALUES (1, ?, ?)",
        ((number, _narration().short) for number in numbers),
    )


def _leave_out(library: Any, videos: int) -> None:
    """An interrupted run: some videos, here and there, have no pairs."""
    with library.writing() as connection:
        for number in range(1, videos + 1, videos // LEFT):
            connection.execute("DELETE FROM pairs WHERE pair_set = 1 AND number = ?", (number,))
            connection.execute(
                "DELETE FROM paired_videos WHERE pair_set = 1 AND number = ?", (number,)
            )


def features(folder: Path, videos: int) -> None:
    """Give all videos their features."""
    from howto.library import Library

    with Library.open(folder) as library:
        _put_features(library, range(videos // 2 + 1, videos + 1))


def _put_features(library: Any, numbers: range) -> None:
    from fractions import Fraction

    import numpy as np

    from howto.extract.choice import Choice, choose
    from howto.extract.features import Features, write
    from howto.extract.store import StoredFeatures

    (wanted,) = choose(Choice(("colour-motion",), device="cpu"))
    stored = StoredFeatures(library, wanted.recipe)
    array = np.zeros((2, wanted.backbone.dim), np.float16)
    times = np.arange(2, dtype=np.float64)
    real = library.state / "one"
    for place, number in enumerate(numbers):
        video_id = _video_id(number)
        if place % LINKS == 0:
            real.unlink(missing_ok=True)
            write(real, Features(video_id, array, times, wanted.recipe, 400.0, Fraction(1)))
        path = stored.path(video_id)
        if not path.parent.exists():
            path.parent.mkdir(parents=True)
        os.link(real, path)
    real.unlink()
    with library.writing() as connection:
        connection.execute(
            "INSERT OR IGNORE INTO feature_sets (recipe) VALUES (?)", (wanted.recipe.text,)
        )
        connection.executemany(
            "INSERT INTO feature_files VALUES (?, ?, 'ok', NULL, '', 2)",
            ((stored.key, number) for number in numbers),
        )
        connection.executemany(
            "INSERT INTO outcomes VALUES (?, 'extract', 'ok', NULL, '')",
            ((number,) for number in numbers),
        )


def _video_id(number: int) -> str:
    return f"youtube-{number:011}"


def _touched(path: Path) -> int:
    handle = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        return os.fstat(handle).st_mtime_ns
    finally:
        os.close(handle)


def _narration() -> Any:
    from howto.recipe import Recipe

    return Recipe.of(source="captions", version="1")


def pack(folder: Path, kill_at: int = 0) -> None:
    """Pack the pairs without vectors of clips; with `kill_at`, end when so many videos are done."""
    from howto.library import Library
    from howto.train.pack_build import build_pack, packs_folder
    from howto.train.pack_source import LibrarySource, chosen_pairs
    from howto.train.pack_text import TextChoice

    def show(done: int, _total: int, _video_id: str) -> None:
        if kill_at and done >= kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    with Library.open(folder) as library, library.reading():
        source = LibrarySource(library, chosen_pairs(library), ())
        built = build_pack(source, TextChoice("learned"), packs_folder(library), on_progress=show)
        print(f"{built.pack.num_videos} videos, {built.pack.num_pairs} pairs, {built.kept} kept")


CHILDREN = {"fill": fill, "features": features, "pack": pack}


if __name__ == "__main__":
    main()

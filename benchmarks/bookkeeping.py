"""Bookkeeping: what collect's ledger costs at the size of HowTo100M.

bookkeeping.next_seconds.1200k   the ledger of 1.2M videos, of which a part is done, rejected or put
                                 off, and 5M hits of 23,611 tasks is opened by a new process, which
                                 finds out what to do next: the longest of the runs
bookkeeping.peak_mb.1200k        the most memory that any of these processes had, the one that read
                                 all hits of the list into the ledger included
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from measure import Figure, emit, parse

from howto.collect.fetched import Candidate, Task
from howto.collect.ledger import Ledger
from howto.collect.rules import Rules
from howto.library import Library

VIDEOS, HITS = 1_200_000, 5_000_000
VIDEOS_QUICK, HITS_QUICK = 60_000, 250_000
TASKS = 23_611
RUNS = 5
SEED = 0


def main() -> None:
    if len(sys.argv) == 5:
        print(
            json.dumps(_child(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
        )
        return
    quick = parse(__doc__ or "").quick
    videos, hits = (VIDEOS_QUICK, HITS_QUICK) if quick else (VIDEOS, HITS)
    with tempfile.TemporaryDirectory() as name:
        filled = _run("fill", name, videos, hits)
        print(
            f"{videos:,} videos and {hits:,} hits put in {filled['seconds']:.0f} s; "
            f"the ledger is {filled['bytes'] / 1e6:.0f} MB"
        )
        runs = [_run("next", name, videos, hits) for _ in range(RUNS)]
    print("next:", ", ".join(f"{run['seconds']:.4f} s" for run in runs))
    print("rules looked at again:", ", ".join(f"{run['rules_seconds']:.2f} s" for run in runs))
    size = f"{videos // 1000}k"
    slowest = max(run["seconds"] for run in runs)
    peak = max(run["peak_mb"] for run in (filled, *runs))
    emit(
        [
            Figure.at_most(f"bookkeeping.next_seconds.{size}", slowest, 1, "s"),
            Figure.at_most(f"bookkeeping.peak_mb.{size}", peak, 500, "MB"),
        ]
    )


def _run(what: str, folder: str, videos: int, hits: int) -> dict[str, float]:
    command = [sys.executable, __file__, what, folder, str(videos), str(hits)]
    ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(ended.stdout)
    return found


def _child(what: str, folder: Path, videos: int, hits: int) -> dict[str, float]:
    found = _fill(folder, videos, hits) if what == "fill" else _next(folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {**found, "peak_mb": peak}


def _fill(folder: Path, videos: int, hits: int) -> dict[str, float]:
    began = time.perf_counter()
    with Library.open(folder) as library:
        ledger = Ledger(library)
        ledger.put_list(_hits(videos, hits))
        with library.writing() as connection:
            # As weeks of work leave it: of ten videos three are whole, two refused, one put off.
            connection.execute(
                "UPDATE candidates SET state = 'done', media = 'x.mp4', not_before = NULL"
                " WHERE candidate % 10 < 3"
            )
            connection.execute(
                "UPDATE candidates SET state = 'rejected', reason = 'too_few_views',"
                " not_before = NULL WHERE candidate % 10 IN (3, 4)"
            )
            connection.execute(
                "UPDATE candidates SET state = 'later', reason = 'network', not_before = 4e9"
                " WHERE candidate % 10 = 5"
            )
            connection.execute(
                "INSERT INTO descriptions SELECT candidate, title, printf('%0500d', candidate),"
                " 400, 50, 'en', '', '[]', '[]', '[]', '', '', 900, 110, '', '', '', 1"
                " FROM candidates WHERE candidate % 10 < 5"
            )
        size = (library.state / "library.db").stat().st_size
    return {"seconds": time.perf_counter() - began, "bytes": size}


def _hits(videos: int, hits: int) -> Iterator[tuple[Task, Candidate]]:
    """Rows like those of HowTo100M_v1.csv: every video once, and then more hits of them."""
    chance = random.Random(SEED)
    tasks = [
        Task(f"task {number}", f"category {number % 12}", str(number)) for number in range(TASKS)
    ]
    for row in range(hits):
        number = row if row < videos else chance.randrange(videos)
        video_id = f"youtube-{number:011}"
        address = f"https://www.youtube.com/watch?v={number:011}"
        candidate = Candidate(video_id, "youtube", address, 1 + row % 200, f"How to do it {number}")
        yield tasks[chance.randrange(TASKS)], candidate


def _next(folder: Path) -> dict[str, float]:
    began = time.perf_counter()
    with Library.open(folder) as library:
        ledger = Ledger(library)
        now = time.time()
        ledger.parked()
        if ledger.next_video("youtube", now) is None:
            sys.exit("there is something to do, and the ledger says that there is nothing")
        ledger.next_search("youtube", now)
        ledger.next_time("youtube", "youtube", {})
        seconds = time.perf_counter() - began
        began = time.perf_counter()
        ledger.reconsider(Rules())
        return {"seconds": seconds, "rules_seconds": time.perf_counter() - began}


if __name__ == "__main__":
    main()

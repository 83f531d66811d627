"""What a run of collect would do, before it makes a request: how much, how long, how large."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from howto.collect.fetched import Candidate, Pace, Task
from howto.collect.ledger import Ledger
from howto.collect.place import media_bytes
from howto.collect.rules import Rules, is_excluded
from howto.collect.stage import rows_of, rows_outside
from howto.contracts import Source
from howto.errors import Reason
from howto.library import Library

__all__ = ["Plan", "plan"]

_BATCH = 1000
_SECONDS_OF_WORK = 2.0
"""For what a site's answers take, beside the waits between requests."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done.

    Attributes:
        searches: tasks to search for.
        waiting: videos that are known and not finished.
        listed: videos of the lists that are not known yet.
        most_videos: to look at, at most: all hits of the searches may be new.
        seconds: at most, where every video is fetched.
        size: bytes of media at most, about.
    """

    searches: int
    waiting: int
    listed: int
    most_videos: int
    seconds: float
    size: float


def plan(
    library: Library | None,
    rules: Rules,
    pace: Pace,
    *,
    tasks: Iterable[Task] = (),
    search: str = "youtube",
    lists: Iterable[tuple[str, Source]] = (),
    limit: int | None = None,
    retry: bool = False,
    own: Mapping[str, Rules] | None = None,
    reopen: Collection[Reason] = (),
) -> Plan:
    """Find out what there is to do; nothing is asked of a site, and nothing is written.

    Args:
        library: None where there is none yet.
        pace: of the source that is asked most.
        tasks, search, lists, limit, retry, own, reopen: as for `collect`.

    Raises:
        UsageError: a list cannot be read.
    """
    ledger = Ledger(library) if library is not None else None
    searches = waiting = 0
    if ledger is not None:
        with ledger.supposing(rules, own, reopen, retry=retry):
            searches, waiting = ledger.num_open()
    known_searches = _searched(library, search)
    searches += sum(known_searches.get(_key(task), 0) < rules.top for task in tasks)
    listed = sum(
        _num_new(ledger, rows_outside(library, source) if library else rows_of(source), rules)
        for fingerprint, source in lists
        if ledger is None or not ledger.has_list(fingerprint)
    )
    videos = waiting + listed + searches * rules.top
    if limit is not None:
        videos = min(videos, limit)
    each = pace.requests + pace.captions + _SECONDS_OF_WORK
    if not rules.captions_only:
        each += pace.media
    size = 0.0 if rules.captions_only else videos * media_bytes(rules.height, None)
    seconds = searches * (pace.requests + _SECONDS_OF_WORK) + videos * each
    return Plan(searches, waiting, listed, videos, seconds, size)


def _searched(library: Library | None, source: str) -> Mapping[tuple[str, str], float]:
    """How deep each task was searched for; without end where it is to be, which is counted."""
    if library is None:
        return {}
    rows = library.connection.execute(
        "SELECT name, task_id, iif(not_before IS NULL, top, 9e999)"
        " FROM searches JOIN tasks USING (task) WHERE source = ?",
        (source,),
    )
    return {(name.casefold(), task_id): top for name, task_id, top in rows}


def _key(task: Task) -> tuple[str, str]:
    return task.name.casefold(), task.task_id


def _num_new(
    ledger: Ledger | None, rows: Iterator[tuple[Task | None, Candidate]], rules: Rules
) -> int:
    new = 0
    seen: set[str] = set()
    while batch := {candidate.video_id for _, candidate in islice(rows, _BATCH)}:
        fresh = {one for one in batch - seen if not is_excluded(one, rules.exclude)}
        seen |= fresh
        new += len(fresh - (ledger.known(fresh) if ledger is not None else set()))
    return new

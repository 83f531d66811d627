"""The ledger of collect: what was asked for, what was found, and how far each video is.

    found -> described -> captioned -> done
         \\_____________ any of them ______________/-> rejected | later | failed

Each arrow is one transaction, made after the file it speaks of lies whole in its place. So after a
kill at any instant a video is repeated from its last arrow, and finished work is not asked for
again. A state that is not `done`, `rejected` or `failed` is open: it has a time before which it is
left alone, and one index holds the open ones in order, so that finding what to do next costs the
same with a million videos as with ten. A video that is done without its media is open too where
that is wanted; it stays done whatever comes of it.
"""

import json
import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from urllib.parse import urlsplit

from howto.collect.fetched import Candidate, Described, Task
from howto.collect.policy import MOST_FORGIVEN
from howto.collect.rules import Rules
from howto.errors import ItemError, Reason, UsageError
from howto.library import Library, storable
from howto.records import Narration

__all__ = ["Ledger", "Parked", "Search", "Step", "Work", "site_of"]

_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_RESERVED = re.compile(r"con|prn|aux|nul|(?:com|lpt)[0-9]", re.IGNORECASE)  # on Windows
_YOUTUBE = "youtube-"
_BATCH = 10_000


class Step(StrEnum):
    """How far a video is."""

    FOUND = "found"
    DESCRIBED = "described"
    CAPTIONED = "captioned"
    LATER = "later"
    DONE = "done"
    REJECTED = "rejected"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Work:
    """A video to go on with.

    Attributes:
        number: the ledger's key of it.
        attempts: that failed.
        caption: name of its caption file, which lies there whole if `captioned`.
        captioned: its captions are in place, or it was found to need none.
        num_words: of its narration; None where they were not counted.
        done: it is complete but for its media.
        site: who is asked for it.
        forgiven: attempts that were not counted.
    """

    number: int
    candidate: Candidate
    attempts: int
    caption: str | None
    captioned: bool
    num_words: int | None
    done: bool
    site: str
    forgiven: int


@dataclass(frozen=True, slots=True)
class Search:
    """A task to ask a source for."""

    number: int
    task: Task
    attempts: int
    forgiven: int


@dataclass(frozen=True, slots=True)
class Parked:
    """A site that is left alone until a time, in seconds since 1970."""

    site: str
    reason: Reason
    detail: str
    until: float
    times: int


class Ledger:
    """The ledger of one library. Every method that changes it is one transaction.

    Args:
        library: open; nobody else collects into it (`library.exclusive("collect")`).
    """

    def __init__(self, library: Library) -> None:
        self.library = library
        self.connection = library.connection

    # What is asked for.

    def put_tasks(self, tasks: Iterable[Task], source: str, top: int) -> None:
        """Remember tasks to search for; one that was searched for as deep is not again.

        A name or category that a list adds to a known task is kept.
        """
        with self.library.writing():
            for task in tasks:
                self._put_search(self._task_number(task), source, top)

    def _put_search(self, task: int, source: str, top: int) -> None:
        self.connection.execute(
            "INSERT INTO searches (source, task, top, not_before) VALUES (?, ?, ?, 0)"
            " ON CONFLICT DO UPDATE SET top = excluded.top, not_before = 0, attempts = 0"
            " WHERE excluded.top > top",
            (source, task, top),
        )

    def _task_number(self, task: Task) -> int:
        name, category, task_id, query = map(
            storable, (task.name, task.category, task.task_id, task.query)
        )
        known: int | None = self._known_task(name, task_id)
        if known is None:
            known = self.connection.execute(
                "INSERT INTO tasks (name, category, task_id, query) VALUES (?, ?, ?, ?)",
                (name, category, task_id, query),
            ).lastrowid
            assert known is not None  # a row was inserted
        elif category:
            self.connection.execute(
                "UPDATE tasks SET category = ? WHERE task = ?", (category, known)
            )
        if name != task_id:
            self.connection.execute(
                "UPDATE tasks SET name = ? WHERE task = ? AND name = task_id", (name, known)
            )
        return known

    def _known_task(self, name: str, task_id: str) -> int | None:
        """A task by its name and id; where one side has the id for a name, by the id alone."""
        row = self.connection.execute(
            "SELECT task FROM tasks WHERE name = ? AND task_id = ?", (name, task_id)
        ).fetchone()
        if row is None and task_id:
            row = self.connection.execute(
                "SELECT task FROM tasks WHERE task_id = ?1 AND task_id <> ''"
                " AND (name = task_id OR ?2 = ?1) LIMIT 1",
                (task_id, name),
            ).fetchone()
        return row[0] if row else None

    def has_list(self, fingerprint: str) -> bool:
        """Whether a list was read to its end."""
        row = self.connection.execute(
            "SELECT 1 FROM lists WHERE fingerprint = ?", (fingerprint,)
        ).fetchone()
        return row is not None

    def put_list(
        self,
        found: Iterable[tuple[Task | None, Candidate]],
        fingerprint: str = "",
        site: str = "",
    ) -> int:
        """Remember the videos of a list, a batch at a time; a killed one is read again.

        Args:
            found: each with the task that it was listed for, where the list says one.
            fingerprint: by which it is known that this list was read; '' for one that may change.
            site: who is asked for all of them; '': as `site_of` has it.

        Returns:
            How many there were, known ones included.
        """
        count = 0
        numbers: dict[Task, int] = {}
        batch: list[tuple[Task | None, Candidate]] = []

        def put() -> None:
            with self.library.writing():
                for task in {task for task, _ in batch if task is not None} - numbers.keys():
                    numbers[task] = self._task_number(task)
                self._put_candidates((one for _, one in batch), site)
                self._put_hits(
                    (numbers[task], one.rank, one.video_id) for task, one in batch if task
                )

        for row in found:
            batch.append(row)
            count += 1
            if len(batch) == _BATCH:
                put()
                batch = []
        put()
        if fingerprint:
            with self.library.writing():
                self.connection.execute("INSERT OR IGNORE INTO lists VALUES (?)", (fingerprint,))
        return count

    def put_hits(
        self, search: Search, source: str, found: Sequence[Candidate], site: str = ""
    ) -> None:
        """Remember all that a search found; with that it is finished."""
        with self.library.writing():
            self._put_candidates(found, site)
            self._put_hits((search.number, one.rank, one.video_id) for one in found)
            self.connection.execute(
                "UPDATE searches SET not_before = NULL, reason = NULL, detail = '', num_hits = ?"
                " WHERE source = ? AND task = ?",
                (len(found), source, search.number),
            )

    def _put_candidates(self, found: Iterable[Candidate], site: str) -> None:
        """New ones alone, and none that was forgotten."""
        rows = [
            (
                _safe(one),
                one.source,
                storable(site or site_of(one)),
                _packed(one.address),
                storable(one.title),
            )
            for one in found
        ]
        self.connection.executemany(
            "INSERT INTO candidates (video_id, source, site, address, title, state, not_before)"
            " SELECT ?1, ?2, ?3, ?4, ?5, 'found', 0"
            " WHERE NOT EXISTS (SELECT 1 FROM tombstones WHERE video_id = ?1)"
            " ON CONFLICT DO NOTHING",
            rows,
        )

    def _put_hits(self, rows: Iterable[tuple[int, int, str]]) -> None:
        """(task, rank, video id); of two ranks for one task the better one stays."""
        self.connection.executemany(
            "INSERT INTO hits (candidate, task, rank)"
            " SELECT candidate, ?1, ?2 FROM candidates WHERE video_id = ?3"
            " ON CONFLICT DO UPDATE SET rank = excluded.rank WHERE excluded.rank < rank",
            rows,
        )

    # What is next.

    def next_video(self, source: str, now: float, parked: Collection[str] = ()) -> Work | None:
        """The next video of a source that may be worked on.

        Args:
            parked: sites that are left alone.
        """
        row = self.connection.execute(
            "SELECT candidate, video_id, address, one.title, attempts, caption, state, site,"
            " caption_sha256, num_words, forgiven FROM candidates AS one"
            " LEFT JOIN descriptions USING (candidate)"
            " WHERE source = ? AND not_before <= ?"
            " AND site NOT IN (SELECT value FROM json_each(?))"
            " ORDER BY not_before, candidate LIMIT 1",
            (source, now, json.dumps(list(parked))),
        ).fetchone()
        if row is None:
            return None
        number, video_id, address, title, attempts, caption, state, site, sha, *counts = row
        return Work(
            number,
            Candidate(video_id, source, _unpacked(address), 0, title),
            attempts,
            caption,
            captioned=sha is not None,
            num_words=counts[0],
            done=state == Step.DONE,
            site=site,
            forgiven=counts[1],
        )

    def next_search(self, source: str, now: float) -> Search | None:
        """The next task to ask a source for."""
        row = self.connection.execute(
            "SELECT task, name, category, task_id, query, attempts, forgiven"
            " FROM searches JOIN tasks USING (task) WHERE source = ? AND not_before <= ?"
            " ORDER BY not_before, task LIMIT 1",
            (source, now),
        ).fetchone()
        return Search(row[0], Task(*row[1:5]), *row[5:]) if row else None

    def search_depth(self, source: str, search: Search) -> int:
        """How many results of a search are wanted."""
        row = self.connection.execute(
            "SELECT top FROM searches WHERE source = ? AND task = ?", (source, search.number)
        )
        top: int = row.fetchone()[0]
        return top

    def next_time(self, source: str, search_site: str, parked: Mapping[str, float]) -> float | None:
        """When there is something to do for a source, in seconds since 1970; None: never.

        Args:
            search_site: who is asked when this source is searched.
            parked: until when each site is left alone.
        """
        ask, sites = self.connection.execute, json.dumps(list(parked))
        (free,) = ask(
            "SELECT min(not_before) FROM candidates WHERE source = ? AND not_before IS NOT NULL"
            " AND site NOT IN (SELECT value FROM json_each(?))",
            (source, sites),
        ).fetchone()
        (search,) = ask(
            "SELECT min(not_before) FROM searches WHERE source = ? AND not_before IS NOT NULL",
            (source,),
        ).fetchone()
        times = [] if free is None else [float(free)]
        if search is not None:
            times.append(max(float(search), parked.get(search_site, 0.0)))
        if parked:
            times += [
                max(float(due), parked[site])
                for site, due in ask(
                    "SELECT site, min(not_before) FROM candidates WHERE source = ?"
                    " AND not_before IS NOT NULL"
                    " AND site IN (SELECT value FROM json_each(?)) GROUP BY site",
                    (source, sites),
                )
            ]
        return min(times, default=None)

    def sources(self) -> tuple[str, ...]:
        """The sources that there is something to do for, now or later."""
        rows = self.connection.execute(
            "SELECT DISTINCT source FROM candidates WHERE not_before IS NOT NULL"
            " UNION SELECT source FROM searches WHERE not_before IS NOT NULL ORDER BY source"
        )
        return tuple(source for (source,) in rows)

    def sources_of_all(self) -> tuple[str, ...]:
        """All sources that ever gave a video, or were searched."""
        rows = self.connection.execute(
            "SELECT source FROM candidates UNION SELECT source FROM searches ORDER BY source"
        )
        return tuple(source for (source,) in rows)

    def num_open(self) -> tuple[int, int]:
        """How many searches and how many videos are not finished."""
        row = self.connection.execute(
            "SELECT (SELECT count(*) FROM searches WHERE not_before IS NOT NULL),"
            " (SELECT count(*) FROM candidates WHERE not_before IS NOT NULL)"
        )
        searches, videos = row.fetchone()
        return searches, videos

    # How a video gets on.

    def described(self, work: Work, described: Described, caption: str | None) -> None:
        """A source said what it knows of a video.

        Args:
            caption: the name that its caption file will have; None: it gets none.
        """
        with self.library.writing():
            self._put_description(work.number, described)
            self.connection.execute(
                "UPDATE candidates SET caption = ?,"
                " state = CASE state WHEN 'done' THEN state ELSE ? END WHERE candidate = ?",
                (caption, Step.CAPTIONED if work.captioned else Step.DESCRIBED, work.number),
            )

    def _put_description(self, number: int, described: Described) -> None:
        names = (
            "title description duration views language license tags categories chapters channel"
            " uploaded"
        ).split()
        values = (
            storable(described.title),
            storable(described.description),
            described.duration,
            described.views,
            described.language,
            storable(described.license),
            json.dumps(described.tags),
            json.dumps(described.categories),
            json.dumps([asdict(one) for one in described.chapters]),
            storable(described.channel),
            storable(described.uploaded),
        )
        try:
            self.connection.execute(
                f"INSERT INTO descriptions (candidate, {', '.join(names)})"  # noqa: S608
                f" VALUES (?{', ?' * len(names)}) ON CONFLICT DO UPDATE SET"
                f" {', '.join(f'{name} = coalesce(excluded.{name}, {name})' for name in names)}",
                (number, *values),
            )
        except (OverflowError, sqlite3.InterfaceError, sqlite3.ProgrammingError) as error:
            # Anything may stand on a page; it costs this video alone.
            raise ItemError(
                Reason.INTERNAL_ERROR, f"what its source says cannot be kept: {error}"
            ) from error

    def captioned(self, work: Work, narration: Narration, num_words: int, sha: str) -> None:
        """The caption file of a video lies in its place.

        Where nobody states how long the video is, the end of its last line stands for that.
        """
        with self.library.writing():
            num_lines = len(narration.lines)
            self._count_words(work.number, num_words, num_lines, narration.kind, sha)
            self.connection.execute(
                "UPDATE descriptions SET duration = coalesce(duration, ?) WHERE candidate = ?",
                (max((line.end for line in narration.lines), default=None), work.number),
            )
            self._set_state(work.number, Step.CAPTIONED)

    def without_captions(self, work: Work) -> None:
        """A video has no captions, and needs none."""
        with self.library.writing():
            self._count_words(work.number, 0, 0, "", "")
            self._set_state(work.number, Step.CAPTIONED)

    def _count_words(
        self, number: int, words: int, lines: int | None, kind: str | None, sha: str | None
    ) -> None:
        """`sha` is NULL exactly where no caption file lies in its place that should."""
        self.connection.execute(
            "UPDATE descriptions SET num_words = ?, num_lines = ?, caption_kind = ?,"
            " caption_sha256 = ? WHERE candidate = ?",
            (words, lines, kind, sha, number),
        )

    def done(self, work: Work, media: str | None, sha: str = "", size: int = 0) -> None:
        """A video is complete.

        Args:
            media: name of its file, which lies in its place; None for captions alone.
        """
        with self.library.writing():
            self.connection.execute(
                "UPDATE descriptions SET media_sha256 = ?, media_bytes = ? WHERE candidate = ?",
                (sha, size, work.number),
            )
            self.connection.execute(
                "UPDATE candidates SET media = ?, attempts = 0 WHERE candidate = ?",
                (media, work.number),
            )
            self._set_state(work.number, Step.DONE)

    def _set_state(
        self, number: int, state: Step, reason: Reason | None = None, detail: str = ""
    ) -> None:
        """What is done stays done: it lacks nothing but the media that may have been wanted."""
        closed = state in (Step.DONE, Step.REJECTED, Step.FAILED)
        self.connection.execute(
            "UPDATE candidates SET reason = ?, detail = ?, not_before = ?,"
            " state = CASE state WHEN 'done' THEN state ELSE ? END WHERE candidate = ?",
            (reason, storable(detail), None if closed else 0, state, number),
        )

    def reject(
        self,
        work: Work,
        reason: Reason,
        detail: str,
        *,
        asked: str = "",
        described: Described | None = None,
        num_words: int | None = None,
    ) -> None:
        """A video is not wanted, or not to be had, and is not asked for again.

        Args:
            asked: `Rules.asked`.
            described: what was found out of it, where it was.
            num_words: of its narration, where they were counted.
        """
        with self.library.writing():
            if described is not None:
                self._put_description(work.number, described)
            if num_words is not None:
                self._count_words(work.number, num_words, None, None, None)
            if not work.done:
                self.connection.execute(
                    "UPDATE descriptions SET caption_sha256 = NULL WHERE candidate = ?",
                    (work.number,),
                )
            self._set_state(work.number, Step.REJECTED, reason, detail)
            self.connection.execute(
                "UPDATE candidates SET asked = ? WHERE candidate = ?", (asked, work.number)
            )

    def postpone(self, work: Work, reason: Reason, detail: str, not_before: float) -> None:
        """An attempt failed; the next one is not made before a time."""
        with self.library.writing():
            self._set_state(work.number, Step.LATER, reason, detail)
            self.connection.execute(
                "UPDATE candidates SET attempts = attempts + 1, not_before = ? WHERE candidate = ?",
                (not_before, work.number),
            )

    def put_behind(self, work: Work, reason: Reason, detail: str, not_before: float) -> None:
        """Its site has had enough; the others come before this video then, and nothing counts."""
        with self.library.writing():
            self._set_state(work.number, Step.LATER, reason, detail)
            self.connection.execute(
                "UPDATE candidates SET forgiven = forgiven + 1, not_before = ? WHERE candidate = ?",
                (not_before, work.number),
            )

    def wait_for_room(self, work: Work, detail: str, not_before: float) -> None:
        """There is no room for a video on the disk, which says nothing about the video."""
        with self.library.writing():
            self._set_state(work.number, Step.LATER, Reason.DISK_FULL, detail)
            self.connection.execute(
                "UPDATE candidates SET not_before = ? WHERE candidate = ?",
                (not_before, work.number),
            )

    def put_search_behind(self, source: str, search: Search, not_before: float) -> None:
        """The same for a search."""
        with self.library.writing():
            self.connection.execute(
                "UPDATE searches SET forgiven = forgiven + 1, not_before = ?"
                " WHERE source = ? AND task = ?",
                (not_before, source, search.number),
            )

    def fail(self, work: Work, reason: Reason, detail: str) -> None:
        """A video is given up."""
        with self.library.writing():
            self._set_state(work.number, Step.FAILED, reason, detail)

    def postpone_search(
        self,
        source: str,
        search: Search,
        reason: Reason | None,
        detail: str,
        not_before: float | None,
    ) -> None:
        """A search failed; the next attempt is not made before a time; None: it is given up.

        Args:
            reason: None where it found nothing.
        """
        with self.library.writing():
            self.connection.execute(
                "UPDATE searches SET attempts = attempts + 1, reason = ?, detail = ?,"
                " not_before = ? WHERE source = ? AND task = ?",
                (reason, storable(detail), not_before, source, search.number),
            )

    # Parking.

    def park(self, parked: Parked, forgiven: Collection[int] = (), source: str = "") -> None:
        """Leave a site alone for a time.

        What is forgiven comes behind the others then, so that a few bad ones stop nobody, and it is
        forgiven a few times alone: `howto.collect.policy.MOST_FORGIVEN`.

        Args:
            forgiven: numbers of videos, below 0 of searches, whose last attempt says nothing about
                them and does not count.
            source: of the searches.
        """
        with self.library.writing():
            self.connection.execute(
                "INSERT OR REPLACE INTO parked VALUES (?, ?, ?, ?, ?)",
                (parked.site, parked.reason, storable(parked.detail), parked.until, parked.times),
            )
            self.connection.executemany(
                # Who was given up has no attempt counted for it, and is taken up again.
                "UPDATE candidates SET attempts = attempts - (not_before IS NOT NULL),"
                " not_before = ?, state = CASE state WHEN 'done' THEN state ELSE 'later' END,"
                " forgiven = forgiven + 1 WHERE candidate = ? AND forgiven < ?",
                [(parked.until, number, MOST_FORGIVEN) for number in forgiven if number > 0],
            )
            self.connection.executemany(
                "UPDATE searches SET attempts = attempts - (not_before IS NOT NULL),"
                " not_before = ?, forgiven = forgiven + 1"
                " WHERE source = ? AND task = ? AND forgiven < ?",
                [
                    (parked.until, source, -number, MOST_FORGIVEN)
                    for number in forgiven
                    if number < 0
                ],
            )

    def unpark(self, site: str) -> None:
        """A site gives something again."""
        with self.library.writing():
            self.connection.execute("DELETE FROM parked WHERE site = ?", (site,))

    def parked(self) -> dict[str, Parked]:
        """The sites that were parked, also those whose time has come, until they give again."""
        rows = self.connection.execute("SELECT site, reason, detail, until, times FROM parked")
        return {row[0]: Parked(row[0], Reason(row[1]), *row[2:]) for row in rows}

    # Rules that changed.

    def reconsider(
        self, rules: Rules, own: Mapping[str, Rules] | None = None, also: Collection[Reason] = ()
    ) -> None:
        """Open again what other rules had refused and these would not, and what lacks its media.

        Args:
            own: rules of sources that have their own.
            also: reasons that these rules, or what else was asked for, lift.
        """
        with self.library.writing():
            self._reconsider(rules, own or {}, also)

    def _reconsider(self, rules: Rules, own: Mapping[str, Rules], also: Collection[Reason]) -> None:
        self._reconsider_by("source NOT IN (SELECT value FROM json_each(?))", [*own], rules)
        for source, its_rules in own.items():
            self._reconsider_by("source IN (SELECT value FROM json_each(?))", [source], its_rules)
        for reason in also:
            self._open_again("reason = ?", reason)

    def _reconsider_by(self, whose: str, sources: list[str], rules: Rules) -> None:
        names = json.dumps(sources)
        for reason, fit, value in (
            (Reason.TOO_LONG, "duration <= ?", rules.max_seconds),
            (Reason.TOO_FEW_VIEWS, "views >= ?", rules.min_views),
            (Reason.TOO_FEW_WORDS, "num_words >= ?", rules.min_words),
            (Reason.LICENCE_UNFIT, "? IN (license, 'any')", rules.license),
        ):
            fitting = (
                "EXISTS (SELECT 1 FROM descriptions AS its"  # noqa: S608
                f" WHERE its.candidate = candidates.candidate AND {fit})"
            )
            self._open_again(f"reason = ? AND {fitting} AND {whose}", reason, value, names)
        for reason in (Reason.NO_CAPTIONS, Reason.OTHER_LANGUAGE):
            self._open_again(f"reason = ? AND asked <> ? AND {whose}", reason, rules.asked, names)
        if rules.min_words == 0 and not rules.captions_only:
            self._open_again(f"reason = ? AND {whose}", Reason.NO_CAPTIONS, names)
        media = "0 WHERE not_before IS NULL AND reason IS NULL AND"
        if rules.captions_only:
            media = "NULL WHERE not_before IS NOT NULL AND"
        self.connection.execute(
            f"UPDATE candidates SET not_before = {media} state = ? AND media IS NULL AND {whose}",  # noqa: S608
            (Step.DONE, names),
        )

    def _open_again(self, which: str, *values: object) -> None:
        self.connection.execute(
            "UPDATE candidates SET not_before = 0, attempts = 0, forgiven = 0,"  # noqa: S608
            " state = CASE state WHEN 'done' THEN state ELSE ? END"
            f" WHERE (state IN (?, ?, ?) OR state = ? AND media IS NULL) AND {which}",
            (Step.FOUND, Step.REJECTED, Step.FAILED, Step.LATER, Step.DONE, *values),
        )

    def retry(self) -> None:
        """Open again all that failed, is gone, or was refused for anything but the rules.

        Searches that failed or found nothing too; and no site is parked any more.
        """
        with self.library.writing():
            self._retry()

    def _retry(self) -> None:
        ruled = [Reason.TOO_LONG, Reason.TOO_SHORT, Reason.TOO_FEW_VIEWS, Reason.TOO_FEW_WORDS]
        ruled += [Reason.LICENCE_UNFIT, Reason.OTHER_LANGUAGE]
        self._open_again("reason NOT IN (SELECT value FROM json_each(?))", json.dumps(ruled))
        self.connection.execute(
            "UPDATE searches SET not_before = 0, attempts = 0, forgiven = 0"
            " WHERE reason IS NOT NULL OR num_hits = 0"
        )
        self.connection.execute("DELETE FROM parked")

    @contextmanager
    def supposing(
        self,
        rules: Rules,
        own: Mapping[str, Rules] | None = None,
        also: Collection[Reason] = (),
        *,
        retry: bool = False,
    ) -> Iterator[None]:
        """The ledger as a run with these rules would find it, for as long as this is open."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            if retry:
                self._retry()
            self._reconsider(rules, own or {}, also)
            yield
        finally:
            self.connection.execute("ROLLBACK")

    # What there is.

    def videos_with_rank_at_most(self, rank: int) -> frozenset[str]:
        """Ids of the videos that are among the first hits of any task, as the scale study cuts."""
        rows = self.connection.execute(
            "SELECT DISTINCT video_id FROM hits JOIN candidates USING (candidate)"
            " WHERE rank BETWEEN 1 AND ?",
            (rank,),
        )
        return frozenset(video_id for (video_id,) in rows)

    def known(self, video_ids: Iterable[str]) -> set[str]:
        """Those of some ids that the ledger holds, or that were forgotten."""
        rows = self.connection.execute(
            "SELECT video_id FROM candidates WHERE video_id IN (SELECT value FROM json_each(?1))"
            " UNION SELECT video_id FROM tombstones"
            " WHERE video_id IN (SELECT value FROM json_each(?1))",
            (json.dumps(list(video_ids)),),
        )
        return {video_id for (video_id,) in rows}

    def caption_of(self, work: Work) -> str | None:
        """The name of a video's caption file, which may lie in its place or not."""
        row = self.connection.execute(
            "SELECT caption FROM candidates WHERE candidate = ?", (work.number,)
        ).fetchone()
        name: str | None = row[0]
        return name

    def is_search_open(self, name: str) -> bool:
        """Whether a task of this name is still to be searched for."""
        row = self.connection.execute(
            "SELECT 1 FROM searches JOIN tasks USING (task)"
            " WHERE name = ? AND not_before IS NOT NULL",
            (storable(name),),
        ).fetchone()
        return row is not None

    def is_open(self, video_id: str) -> bool:
        """Whether a video is still to be worked on."""
        row = self.connection.execute(
            "SELECT not_before FROM candidates WHERE video_id = ?", (video_id,)
        ).fetchone()
        return row is not None and row[0] is not None

    def kept(self) -> Iterator[tuple[str, str, str | None, str | None]]:
        """The complete videos: id, address, caption file, media file."""
        for video_id, address, caption, media in self.connection.execute(
            "SELECT video_id, address, caption, media FROM candidates WHERE state = ?",
            (Step.DONE,),
        ):
            yield video_id, _unpacked(address), caption, media

    # Forgetting.

    def bury(self, video_ids: Iterable[str], why: str, files: Sequence[str]) -> None:
        """Leave tombstones in the place of videos. Call inside `library.writing()`.

        Args:
            files: of these videos, relative to the state folder: they are to be deleted after this.
        """
        day = datetime.now(UTC).date().isoformat()
        for video_id in video_ids:
            self.connection.execute(
                "INSERT OR REPLACE INTO tombstones VALUES (?, ?, ?, ?)",
                (video_id, storable(why), day, json.dumps(list(files))),
            )
            row = self.connection.execute(
                "SELECT candidate FROM candidates WHERE video_id = ?", (video_id,)
            ).fetchone()
            for table in ("hits", "descriptions", "candidates") if row else ():
                self.connection.execute(f"DELETE FROM {table} WHERE candidate = ?", row)  # noqa: S608

    def buried_files(self) -> list[tuple[str, list[str]]]:
        """Ids of forgotten videos with the files that are not yet known to be deleted."""
        rows = self.connection.execute("SELECT video_id, files FROM tombstones WHERE files <> '[]'")
        return [(video_id, json.loads(files)) for video_id, files in rows]

    def files_deleted(self, video_id: str) -> None:
        """The files of a forgotten video are deleted."""
        with self.library.writing():
            self.connection.execute(
                "UPDATE tombstones SET files = '[]' WHERE video_id = ?", (video_id,)
            )


def _packed(address: str) -> str | bytes:
    """An address as SQLite takes it: a path need not be valid text."""
    try:
        address.encode()
    except UnicodeEncodeError:
        return address.encode(errors="surrogatepass")
    return address


def _unpacked(address: str | bytes) -> str:
    if isinstance(address, bytes):
        return address.decode(errors="surrogatepass")
    return address


def site_of(candidate: Candidate) -> str:
    """Who is asked for a video: the host of its address, else its source.

    A YouTube video has one id wherever it was listed, and one site.
    """
    if candidate.video_id.startswith(_YOUTUBE):
        return "youtube"
    try:
        parts = urlsplit(candidate.address)
        host = parts.hostname if parts.scheme in ("http", "https") else None
    except ValueError:
        host = None
    return (host or "").rstrip(".") or candidate.source


def _safe(candidate: Candidate) -> str:
    video_id = candidate.video_id
    if not _SAFE_ID.fullmatch(video_id) or _RESERVED.fullmatch(video_id):
        raise UsageError(
            f"source {candidate.source} gives the id {candidate.video_id!r}, which is unfit for "
            "the name of a file; that is a bug of the source"
        )
    return candidate.video_id

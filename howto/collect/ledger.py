"""The ledger of collect: what was asked for, what was found, and how far each video is.

    found -> described -> captioned -> done
         \\_____________ any of them ______________/-> rejected | later | failed

Each arrow is one transaction, made after the file it speaks of lies whole in its place. So after a
kill at any instant a video is repeated from its last arrow, and finished work is not asked for
again. A state that is not `done`, `rejected` or `failed` is open: it has a time before which it is
left alone, and one index holds the open ones in order, so that finding what to do next costs the
same with a million videos as with ten.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum

from howto.collect.fetched import Candidate, Described, Task
from howto.collect.rules import Rules
from howto.errors import Reason, UsageError
from howto.library import Library, storable
from howto.records import Narration

__all__ = ["Ledger", "Parked", "Search", "Step", "Work"]

_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_RESERVED = re.compile(r"con|prn|aux|nul|(?:com|lpt)[0-9]", re.IGNORECASE)  # on Windows
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
    """

    number: int
    candidate: Candidate
    attempts: int
    caption: str | None
    captioned: bool


@dataclass(frozen=True, slots=True)
class Search:
    """A task to ask a source for."""

    number: int
    task: Task
    attempts: int


@dataclass(frozen=True, slots=True)
class Parked:
    """A source that is left alone until a time, in seconds since 1970."""

    source: str
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
        self.connection.execute(
            "INSERT INTO tasks (name, category, task_id, query) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET category = excluded.category"
            " WHERE excluded.category <> ''",
            tuple(map(storable, (task.name, task.category, task.task_id, task.query))),
        )
        row = self.connection.execute(
            "SELECT task FROM tasks WHERE name = ? AND task_id = ?",
            (storable(task.name), storable(task.task_id)),
        )
        number: int = row.fetchone()[0]
        return number

    def has_list(self, fingerprint: str) -> bool:
        """Whether a list was read to its end."""
        row = self.connection.execute(
            "SELECT 1 FROM lists WHERE fingerprint = ?", (fingerprint,)
        ).fetchone()
        return row is not None

    def put_list(
        self, found: Iterable[tuple[Task | None, Candidate]], fingerprint: str = ""
    ) -> int:
        """Remember the videos of a list, a batch at a time; a killed one is read again.

        Args:
            found: each with the task that it was listed for, where the list says one.
            fingerprint: by which it is known that this list was read; '' for one that may change.

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
                self._put_candidates(one for _, one in batch)
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

    def put_hits(self, search: Search, source: str, found: Sequence[Candidate]) -> None:
        """Remember all that a search found; with that it is finished."""
        with self.library.writing():
            self._put_candidates(found)
            self._put_hits((search.number, one.rank, one.video_id) for one in found)
            self.connection.execute(
                "UPDATE searches SET not_before = NULL, reason = NULL, detail = ''"
                " WHERE source = ? AND task = ?",
                (source, search.number),
            )

    def _put_candidates(self, found: Iterable[Candidate]) -> None:
        """New ones alone, and none that was forgotten."""
        rows = [
            (_safe(one), one.source, _packed(one.address), storable(one.title)) for one in found
        ]
        self.connection.executemany(
            "INSERT INTO candidates (video_id, source, address, title, state, not_before)"
            " SELECT ?1, ?2, ?3, ?4, 'found', 0"
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

    def next_video(self, source: str, now: float) -> Work | None:
        """The next video of a source that may be worked on; the one that was begun comes first."""
        row = self.connection.execute(
            "SELECT candidate, video_id, address, title, attempts, caption,"
            " (SELECT caption_sha256 FROM descriptions WHERE candidate = one.candidate)"
            " FROM candidates AS one WHERE source = ? AND not_before <= ?"
            " ORDER BY not_before, candidate LIMIT 1",
            (source, now),
        ).fetchone()
        if row is None:
            return None
        number, video_id, address, title, attempts, caption, sha = row
        candidate = Candidate(video_id, source, _unpacked(address), 0, title)
        return Work(number, candidate, attempts, caption, captioned=sha is not None)

    def next_search(self, source: str, now: float) -> Search | None:
        """The next task to ask a source for."""
        row = self.connection.execute(
            "SELECT task, name, category, task_id, query, attempts"
            " FROM searches JOIN tasks USING (task) WHERE source = ? AND not_before <= ?"
            " ORDER BY not_before, task LIMIT 1",
            (source, now),
        ).fetchone()
        return Search(row[0], Task(*row[1:5]), row[5]) if row else None

    def search_depth(self, source: str, search: Search) -> int:
        """How many results of a search are wanted."""
        row = self.connection.execute(
            "SELECT top FROM searches WHERE source = ? AND task = ?", (source, search.number)
        )
        top: int = row.fetchone()[0]
        return top

    def next_time(self, source: str) -> float | None:
        """When there is something to do for a source, in seconds since 1970; None: never."""
        (time,) = self.connection.execute(
            "SELECT min(time) FROM ("
            " SELECT min(not_before) AS time FROM candidates"
            "  WHERE source = ?1 AND not_before IS NOT NULL"
            " UNION ALL SELECT min(not_before) FROM searches"
            "  WHERE source = ?1 AND not_before IS NOT NULL)",
            (source,),
        ).fetchone()
        return None if time is None else float(time)

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
                "UPDATE candidates SET state = ?, caption = ? WHERE candidate = ?",
                (Step.CAPTIONED if work.captioned else Step.DESCRIBED, caption, work.number),
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
        self.connection.execute(
            f"INSERT INTO descriptions (candidate, {', '.join(names)})"  # noqa: S608
            f" VALUES (?{', ?' * len(names)}) ON CONFLICT DO UPDATE SET"
            f" {', '.join(f'{name} = coalesce(excluded.{name}, {name})' for name in names)}",
            (number, *values),
        )

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
        closed = state in (Step.DONE, Step.REJECTED, Step.FAILED)
        self.connection.execute(
            "UPDATE candidates SET state = ?, reason = ?, detail = ?, not_before = ?"
            " WHERE candidate = ?",
            (state, reason, storable(detail), None if closed else 0, number),
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

    def fail(self, work: Work, reason: Reason, detail: str) -> None:
        """A video is given up."""
        with self.library.writing():
            self._set_state(work.number, Step.FAILED, reason, detail)

    def postpone_search(
        self, source: str, search: Search, reason: Reason, detail: str, not_before: float | None
    ) -> None:
        """A search failed; the next attempt is not made before a time; None: it is given up."""
        with self.library.writing():
            self.connection.execute(
                "UPDATE searches SET attempts = attempts + 1, reason = ?, detail = ?,"
                " not_before = ? WHERE source = ? AND task = ?",
                (reason, storable(detail), not_before, source, search.number),
            )

    # Parking.

    def park(self, parked: Parked, forgiven: Collection[int] = ()) -> None:
        """Leave a source alone for a time.

        Args:
            forgiven: numbers of videos, below 0 of searches, whose last attempt says nothing about
                them and does not count.
        """
        with self.library.writing():
            self.connection.execute(
                "INSERT OR REPLACE INTO parked VALUES (?, ?, ?, ?, ?)",
                (parked.source, parked.reason, storable(parked.detail), parked.until, parked.times),
            )
            self.connection.executemany(
                # Who was given up has no attempt counted for it, and is taken up again.
                "UPDATE candidates SET attempts = attempts - (state = 'later'), state = 'later',"
                " not_before = 0 WHERE candidate = ?",
                [(number,) for number in forgiven if number > 0],
            )
            self.connection.executemany(
                "UPDATE searches SET attempts = attempts - 1, not_before = 0"
                " WHERE source = ? AND task = ?",
                [(parked.source, -number) for number in forgiven if number < 0],
            )

    def unpark(self, source: str) -> None:
        """A source gives something again."""
        with self.library.writing():
            self.connection.execute("DELETE FROM parked WHERE source = ?", (source,))

    def parked(self) -> dict[str, Parked]:
        """The sources that were parked, also those whose time has come, until they give again."""
        rows = self.connection.execute("SELECT source, reason, detail, until, times FROM parked")
        return {row[0]: Parked(row[0], Reason(row[1]), *row[2:]) for row in rows}

    # Rules that changed.

    def reconsider(self, rules: Rules) -> int:
        """Open again what other rules had refused and these would not, and what lacks its media.

        Returns:
            How many videos.
        """
        opened = 0
        with self.library.writing():
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
                opened += self._open_again(f"reason = ? AND {fitting}", reason, value)
            for reason in (Reason.NO_CAPTIONS, Reason.OTHER_LANGUAGE):
                opened += self._open_again("reason = ? AND asked <> ?", reason, rules.asked)
            if rules.min_words == 0 and not rules.captions_only:
                opened += self._open_again("reason = ?", Reason.NO_CAPTIONS)
            if not rules.captions_only:
                opened += self.connection.execute(
                    "UPDATE candidates SET state = ?, not_before = 0"
                    " WHERE state = ? AND media IS NULL",
                    (Step.CAPTIONED, Step.DONE),
                ).rowcount
        return opened

    def _open_again(self, which: str, *values: object) -> int:
        return self.connection.execute(
            "UPDATE candidates SET state = ?, not_before = 0, attempts = 0"  # noqa: S608
            f" WHERE state IN (?, ?, ?) AND {which}",
            (Step.FOUND, Step.REJECTED, Step.FAILED, Step.LATER, *values),
        ).rowcount

    def retry(self) -> int:
        """Open again all that failed, is gone, or was refused for anything but the rules.

        Returns:
            How many videos.
        """
        ruled = [Reason.TOO_LONG, Reason.TOO_SHORT, Reason.TOO_FEW_VIEWS, Reason.TOO_FEW_WORDS]
        ruled += [Reason.LICENCE_UNFIT, Reason.OTHER_LANGUAGE]
        with self.library.writing():
            opened = self._open_again(
                "reason NOT IN (SELECT value FROM json_each(?))", json.dumps(ruled)
            )
            self.connection.execute(
                "UPDATE searches SET not_before = 0, attempts = 0 WHERE reason IS NOT NULL"
            )
        return opened

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


def _safe(candidate: Candidate) -> str:
    video_id = candidate.video_id
    if not _SAFE_ID.fullmatch(video_id) or _RESERVED.fullmatch(video_id):
        raise UsageError(
            f"source {candidate.source} gives the id {candidate.video_id!r}, which is unfit for "
            "the name of a file; that is a bug of the source"
        )
    return candidate.video_id

"""A library: a folder of videos, and what howto knows about it, in `.howto/` inside it.

SQLite in WAL mode holds the manifest: videos, files, narration, clips, outcomes and the word index.
Everything that is written for one video is one transaction, so a kill at any instant leaves it
absent or whole, and two processes on one library see each other's finished videos only.
"""

import hashlib
import json
import os
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from howto import schema
from howto.errors import LibraryBusy, LibraryError, NoLibrary, Reason
from howto.places import existing_folder, find, kept_in, make_state_folder
from howto.recipe import Recipe
from howto.records import (
    Chapter,
    Clip,
    Kind,
    Line,
    MediaInfo,
    Narration,
    Outcome,
    Problem,
    Quality,
    Stage,
    State,
    SubtitleTrack,
    Video,
    Word,
)

__all__ = ["FileRow", "Library", "storable"]

_BUSY_SECONDS = 60
# C0 without line feed, delete, C1, and the marks that turn the direction of what follows.
_CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_EXCLUSIVE_SECONDS = 3600
_HASH_DIGITS = 16
_QUALITY = "num_words, words_per_second, non_speech_share, language_share, lines_outside"
_OUTCOME = "video_id, stage, state, reason, detail"


@dataclass(frozen=True, slots=True)
class FileRow:
    """One media file as it was when it was last looked at.

    Attributes:
        path: relative to the library's folder.
        number: the library's short key of its video.
        companions: names, sizes and times of the caption and description files beside it, as one
            text.
    """

    path: str
    number: int
    size: int
    mtime_ns: int
    companions: str


class Library:
    """An open library. Use it as a context manager, or call `close`.

    Attributes:
        folder: the folder of videos, absolute.
        state: the folder that holds library.db and all that is derived.
        connection: in autocommit mode; write inside `writing()`.
    """

    def __init__(self, folder: Path, state: Path, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self.state = state
        self.connection = connection

    @classmethod
    def open(cls, folder: Path, state_dir: Path | None = None, *, create: bool = True) -> "Library":
        """Open the library that a folder belongs to.

        Args:
            folder: the folder, or any folder inside it: parents are climbed to the nearest library.
            state_dir: where to keep the state instead of `.howto`. It belongs to the first folder
                that it was named for.
            create: make a new library where there is none.

        Raises:
            UsageError: the folder is missing or no folder, or the state folder is another's.
            NoLibrary: there is none, and `create` is False.
            LibraryError: it is damaged, or cannot be written.
            NewerLibrary: a newer howto wrote it.
        """
        folder = existing_folder(folder)
        root, state = kept_in(state_dir.resolve(), folder) if state_dir else find(folder)
        if not (state / "library.db").exists() and not create:
            raise NoLibrary(
                f"{folder} is no library yet. Make it one by searching it: "
                f"howto search QUERY {folder}"
            )
        make_state_folder(state, root)
        try:
            return cls(root, state, _connect(state))
        except sqlite3.OperationalError as error:
            raise LibraryError(
                f"{state / 'library.db'} cannot be opened: {error}. Make room or give permission, "
                "or name another place for what howto keeps: --state-dir DIR"
            ) from error
        except sqlite3.DatabaseError as error:
            raise LibraryError(
                f"{state / 'library.db'} cannot be read as a library ({error}). Move it away and "
                "run the command again: it is rebuilt from the videos, which howto never changes. "
                "What was collected and what was forgotten stands there alone: take that from a "
                "copy, where there is one."
            ) from error

    def close(self) -> None:
        """Close the database. What was written inside `writing()` is already safe."""
        self.connection.close()

    def __enter__(self) -> "Library":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_outside(self) -> bool:
        """The state lies outside the folder: it cannot be written, or that was asked for."""
        return self.state.parent != self.folder

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all that is written inside is kept together, or nothing of it.

        Raises:
            LibraryError: the disk is full, or cannot be written any more.
        """
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            yield self.connection
            self.connection.execute("COMMIT")
        except BaseException as error:
            if self.connection.in_transaction:  # SQLite ends it by itself on some errors
                self.connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError):
                raise LibraryError(
                    f"{self.state / 'library.db'} cannot be written: {error}. What is finished is "
                    "kept; the same command goes on."
                ) from error
            raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One view of the library, whatever other processes write meanwhile."""
        self.connection.execute("BEGIN")
        try:
            yield self.connection
        finally:
            self.connection.execute("COMMIT")

    @contextmanager
    def exclusive(
        self,
        work: str,
        *,
        seconds: float = _EXCLUSIVE_SECONDS,
        on_wait: Callable[[], None] | None = None,
    ) -> Iterator[None]:
        """Hold one kind of work on this library, so that two processes do not do it twice.

        The lock belongs to the process: it is gone when the process is, however it ended.

        Args:
            work: a short name such as `refresh`.
            seconds: how long to wait for another process.
            on_wait: called once where there is one to wait for.

        Raises:
            LibraryBusy: it took longer.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.state / f"{work}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if on_wait is not None:
                on_wait()
            try:
                lock.acquire(timeout=seconds)
            except Timeout as error:
                raise LibraryBusy(
                    f"another howto has been working on {self.folder} for {seconds:.0f} s. "
                    "Wait for it, or end it, and run the command again."
                ) from error
        try:
            yield
        finally:
            lock.release()

    # Files and videos

    def files(self) -> dict[str, FileRow]:
        """All files known, by path relative to the folder."""
        rows = self.connection.execute("SELECT path, number, size, mtime_ns, companions FROM files")
        return {os.fsdecode(row[0]): FileRow(os.fsdecode(row[0]), *row[1:]) for row in rows}

    def paths(self) -> dict[int, list[str]]:
        """The paths of every video that has any, sorted, by the video's number."""
        paths: dict[int, list[str]] = {}
        for path, number in self.each_path():
            paths.setdefault(number, []).append(path)
        return paths

    def each_path(self) -> Iterator[tuple[str, int]]:
        """Every path and its video's number, by path, one in memory at a time."""
        rows = self.connection.execute("SELECT path, number FROM files ORDER BY path")
        return ((os.fsdecode(path), number) for path, number in rows)

    def number_of(self, video_id: str) -> int:
        """The short key of a video; it is given one where it has none. Call inside `writing()`."""
        self.connection.execute("INSERT OR IGNORE INTO videos (video_id) VALUES (?)", (video_id,))
        row = self.connection.execute("SELECT number FROM videos WHERE video_id = ?", (video_id,))
        number: int = row.fetchone()[0]
        return number

    def numbers(self, video_ids: Iterable[str]) -> dict[str, int]:
        """The short keys of those videos that the library knows."""
        rows = self.connection.execute(
            "SELECT video_id, number FROM videos"
            " WHERE video_id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(video_ids)),),
        )
        return dict(rows)

    def numbers_like(self, pattern: str) -> set[int]:
        """The short keys of the videos whose id fits a pattern of SQL's LIKE."""
        rows = self.connection.execute(
            "SELECT number FROM videos WHERE video_id LIKE ?", (pattern,)
        )
        return {number for (number,) in rows}

    def number_of_file(self, path: str) -> int | None:
        """The short key of the video at a path, or None."""
        row = self.connection.execute(
            "SELECT number FROM files WHERE path = ?", (os.fsencode(path),)
        ).fetchone()
        return row[0] if row else None

    def put_file(self, file: FileRow) -> None:
        """Remember a file as it is now."""
        self.connection.execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)",
            (os.fsencode(file.path), file.number, file.size, file.mtime_ns, file.companions),
        )

    def forget_files(self, paths: Iterable[str]) -> None:
        """Forget files that are gone. Their videos stay known: a file that comes back costs
        nothing."""
        self.connection.executemany(
            "DELETE FROM files WHERE path = ?", [(os.fsencode(path),) for path in paths]
        )

    def paths_of(self, number: int) -> list[str]:
        """The paths of one video, sorted."""
        rows = self.connection.execute(
            "SELECT path FROM files WHERE number = ? ORDER BY path", (number,)
        )
        return [os.fsdecode(path) for (path,) in rows]

    def video_id(self, number: int) -> str:
        """The id of a video."""
        row = self.connection.execute("SELECT video_id FROM videos WHERE number = ?", (number,))
        video_id: str = row.fetchone()[0]
        return video_id

    def delete_video(self, number: int) -> None:
        """Delete all that is known of a video. Take it out of the word index first."""
        tables = self.connection.execute(
            'SELECT one.name, key."from" FROM sqlite_master AS one,'
            " pragma_foreign_key_list(one.name) AS key"
            " WHERE one.type = 'table' AND key.\"table\" = 'videos'"
        ).fetchall()
        for table, column in (*tables, ("videos", "number")):
            self.connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (number,))  # noqa: S608

    def collecting(self) -> dict[str, int]:
        """How many videos that were found, or listed, are in each state of collecting."""
        rows = self.connection.execute("SELECT state, count(*) FROM candidates GROUP BY state")
        return dict(rows)

    def forgotten(self) -> frozenset[str]:
        """Ids of the videos that were forgotten and do not come back."""
        rows = self.connection.execute("SELECT video_id FROM tombstones")
        return frozenset(video_id for (video_id,) in rows)

    def ignore_file(self, path: str, size: int, mtime_ns: int) -> None:
        """Pass over a file that holds a forgotten video, as long as it is as it is now."""
        self.connection.execute(
            "INSERT OR REPLACE INTO ignored_files VALUES (?, ?, ?)",
            (os.fsencode(path), size, mtime_ns),
        )

    def video(self, number: int, path: Path) -> Video:
        """The record of a video, without its caption files.

        Args:
            path: which of its files to name, absolute.
        """
        video_id, info = self.connection.execute(
            "SELECT video_id, info FROM videos WHERE number = ?", (number,)
        ).fetchone()
        return Video(video_id, path, info=_info_from_json(info) if info else None)

    def info(self, video_id: str) -> MediaInfo | None:
        """What probing found, or None where the video is unknown or could not be probed."""
        row = self.connection.execute(
            "SELECT info FROM videos WHERE video_id = ? AND info IS NOT NULL", (video_id,)
        ).fetchone()
        return _info_from_json(row[0]) if row else None

    def examined(self, video_id: str) -> str | None:
        """The companions of a video when it was last looked at; None where it never was."""
        row = self.connection.execute(
            "SELECT examined FROM videos WHERE video_id = ?", (video_id,)
        ).fetchone()
        return row[0] if row else None

    def put_video(
        self, number: int, info: MediaInfo | None, title: str, description: str, examined: str
    ) -> None:
        """Remember what probing found (None where it failed), and with which companions."""
        self.connection.execute(
            "UPDATE videos SET duration = ?, info = ?, title = ?, description = ?, examined = ?"
            " WHERE number = ?",
            (
                info.duration if info else None,
                _info_to_json(info) if info else None,
                storable(title),
                storable(description),
                examined,
                number,
            ),
        )

    # Narration, chapters and clips

    def put_narration(
        self,
        number: int,
        narration: Narration | None,
        recipe: Recipe,
        quality: Quality | None = None,
    ) -> None:
        """Replace the narration of a video; None takes it away. `quality` is kept beside it."""
        self.connection.execute("DELETE FROM lines WHERE number = ?", (number,))
        self.connection.execute("DELETE FROM narrations WHERE number = ?", (number,))
        if narration is None:
            return
        problems = json.dumps([[problem.line, problem.what] for problem in narration.problems])
        self.connection.execute(
            "INSERT INTO narrations (number, language, kind, source, recipe, problems,"
            " num_words, words_per_second, non_speech_share, language_share, lines_outside)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                number,
                narration.language,
                narration.kind,
                storable(narration.source),
                recipe.text,
                problems,
                *(astuple(quality) if quality else (None,) * 4 + (narration.lines_outside,)),
            ),
        )
        self.connection.executemany(
            "INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?)",
            (
                (
                    number,
                    position,
                    line.start,
                    line.end,
                    storable(line.text),
                    _words_to_json(line.words),
                )
                for position, line in enumerate(narration.lines)
            ),
        )

    def narration_source(self, number: int) -> str | None:
        """Name of the narration source that a video's narration is from, or None."""
        recipe = self.narration_recipe(number)
        return str(recipe.parts["source"]) if recipe else None

    def narration_recipe(self, number: int) -> Recipe | None:
        """How a video's narration was made, or None where it has none."""
        row = self.connection.execute(
            "SELECT recipe FROM narrations WHERE number = ?", (number,)
        ).fetchone()
        return Recipe(row[0]) if row else None

    def qualities(self) -> dict[int, Quality]:
        """What was measured of the narrations of all videos that have a file, by video number."""
        return dict(self.each_quality())

    def each_quality(self) -> Iterator[tuple[int, Quality]]:
        """As `qualities`, one in memory at a time."""
        rows = self.connection.execute(
            f"SELECT number, {_QUALITY} FROM narrations"  # noqa: S608
            " WHERE num_words IS NOT NULL AND number IN (SELECT number FROM files)"
        )
        for number, *measured in rows:
            yield number, Quality(*measured)

    def quality(self, number: int) -> Quality | None:
        """What was measured of the narration of one video that has a file."""
        row = self.connection.execute(
            f"SELECT {_QUALITY} FROM narrations"  # noqa: S608
            " WHERE number = ? AND num_words IS NOT NULL"
            " AND EXISTS (SELECT 1 FROM files WHERE files.number = narrations.number)",
            (number,),
        ).fetchone()
        return Quality(*row) if row else None

    def narration(self, number: int) -> Narration | None:
        """The narration of a video, or None."""
        row = self.connection.execute(
            "SELECT language, kind, source, problems, coalesce(lines_outside, 0) FROM narrations"
            " WHERE number = ?",
            (number,),
        ).fetchone()
        if row is None:
            return None
        language, kind, source, problems, lines_outside = row
        lines = self.connection.execute(
            "SELECT start, end, text, words FROM lines WHERE number = ? ORDER BY position",
            (number,),
        )
        return Narration(
            lines=tuple(
                Line(start, end, text, _words_from_json(words)) for start, end, text, words in lines
            ),
            language=language,
            kind=Kind(kind),
            source=source,
            problems=tuple(Problem(line, what) for line, what in json.loads(problems)),
            lines_outside=lines_outside,
        )

    def problems(self) -> list[tuple[str, str, Problem]]:
        """What could not be read in captions: first path of the video, source, and problem."""
        rows = self.connection.execute(
            "SELECT (SELECT min(path) FROM files WHERE files.number = one.number) AS first,"
            " source, problems FROM narrations AS one WHERE problems <> '[]'"
        )
        return sorted(
            (
                (os.fsdecode(first), source, Problem(line, what))
                for first, source, problems in rows
                if first is not None
                for line, what in json.loads(problems)
            ),
            key=lambda row: (row[0], row[2].line or 0),
        )

    def failed_numbers(self) -> set[int]:
        """The short keys of the videos of which a stage failed."""
        rows = self.connection.execute("SELECT number FROM outcomes WHERE state = 'failed'")
        return {number for (number,) in rows}

    def has_failed(self, video_id: str) -> bool:
        """Whether a stage failed for a video."""
        row = self.connection.execute(
            "SELECT 1 FROM outcomes JOIN videos USING (number)"
            " WHERE video_id = ? AND state = 'failed'",
            (video_id,),
        ).fetchone()
        return row is not None

    def put_chapters(self, number: int, chapters: Iterable[Chapter]) -> None:
        """Replace the chapters of a video. Take the old ones out of the word index first."""
        self.connection.execute("DELETE FROM chapters WHERE number = ?", (number,))
        self.connection.executemany(
            "INSERT INTO chapters (number, start, end, title) VALUES (?, ?, ?, ?)",
            [(number, one.start, one.end, storable(one.title)) for one in chapters],
        )

    def put_clips(self, number: int, clips: Iterable[Clip]) -> None:
        """Replace the clips of a video. Take the old ones out of the word index first."""
        rows = [(number, clip.start, clip.end, storable(clip.caption)) for clip in clips]
        self.connection.execute("DELETE FROM clips WHERE number = ?", (number,))
        self.connection.executemany(
            "INSERT INTO clips (number, start, end, caption) VALUES (?, ?, ?, ?)", rows
        )
        self.connection.execute(
            "UPDATE videos SET clips_hash = ? WHERE number = ?", (_hash_of_clips(rows), number)
        )

    # Settings

    def setting(self, name: str) -> str | None:
        """What was chosen for the library, or None."""
        row = self.connection.execute(
            "SELECT value FROM settings WHERE name = ?", (name,)
        ).fetchone()
        return row[0] if row else None

    def put_setting(self, name: str, value: str) -> None:
        """Remember a choice in place of the one before. Call inside `writing()`."""
        self.connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    # Outcomes

    def clear_outcomes(self, number: int, stage: Stage | None = None) -> None:
        """Forget how a stage ended, or all of them, for a video that is looked at anew."""
        self.connection.execute(
            "DELETE FROM outcomes WHERE number = ? AND stage = coalesce(?, stage)", (number, stage)
        )

    def put_outcome(self, number: int, outcome: Outcome) -> None:
        """Remember how a stage ended for a video, in place of how it ended before."""
        self.connection.execute(
            "INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?, ?, ?)",
            (number, outcome.stage, outcome.state, outcome.reason, storable(outcome.detail)),
        )

    def outcome(self, video_id: str, stage: Stage) -> Outcome | None:
        """How a stage ended for a video, or None."""
        row = self.connection.execute(
            f"SELECT number, {_OUTCOME} FROM outcomes JOIN videos USING (number)"  # noqa: S608
            " WHERE video_id = ? AND stage = ?",
            (video_id, stage),
        ).fetchone()
        return _outcome(row[1:], tuple(self.paths_of(row[0]))) if row else None

    def outcomes(self, stage: Stage | None = None) -> list[Outcome]:
        """The outcomes of all videos that have a file, by first path and stage.

        Args:
            stage: of this one alone.
        """
        paths = self.paths()
        rows = self.connection.execute(
            f"SELECT number, {_OUTCOME} FROM outcomes JOIN videos USING (number)"  # noqa: S608
            " WHERE stage = coalesce(?, stage)",
            (stage,),
        )
        outcomes = [_outcome(row, tuple(paths[number])) for number, *row in rows if number in paths]
        order = list(Stage)
        return sorted(outcomes, key=lambda outcome: (outcome.paths[0], order.index(outcome.stage)))

    def each_outcome(self, state: State | None = None) -> Iterator[Outcome]:
        """As `outcomes`, one in memory at a time; of a video's paths each has the first alone.

        Args:
            state: only those that ended so.
        """
        rows = self.connection.execute(
            f"SELECT (SELECT min(path) FROM files WHERE files.number = one.number) AS first,"  # noqa: S608
            f" {_OUTCOME} FROM outcomes AS one JOIN videos USING (number)"
            " WHERE state = coalesce(?, state) AND first IS NOT NULL"
            f" ORDER BY first, {_stage_order()}",
            (state,),
        )
        for first, *row in rows:
            yield _outcome(row, (os.fsdecode(first),))

    def tally(self) -> Mapping[tuple[Stage, State, Reason | None], int]:
        """How many videos that have a file ended how: stage by stage, the most frequent first."""
        rows = self.connection.execute(
            "SELECT stage, state, reason, count(*) FROM outcomes"  # noqa: S608
            " WHERE number IN (SELECT number FROM files) GROUP BY stage, state, reason"
            f" ORDER BY {_stage_order()}, count(*) DESC, state, reason"
        )
        return {
            (Stage(stage), State(state), Reason(reason) if reason else None): count
            for stage, state, reason, count in rows
        }

    def counts(self) -> Mapping[str, float]:
        """How much of everything there is, counting only videos that have a file."""
        row = self.connection.execute(
            """
            WITH present AS (SELECT DISTINCT number FROM files)
            SELECT (SELECT count(*) FROM present),
                   (SELECT count(*) FROM files),
                   (SELECT count(*) FROM videos WHERE number NOT IN present),
                   (SELECT coalesce(sum(duration), 0) FROM videos WHERE number IN present),
                   (SELECT count(*) FROM narrations WHERE number IN present),
                   (SELECT count(*) FROM lines WHERE number IN present),
                   (SELECT count(*) FROM chapters WHERE number IN present),
                   (SELECT count(*) FROM clips WHERE number IN present)
            """
        ).fetchone()
        names = "videos files absent seconds narrations lines chapters clips".split()
        return dict(zip(names, row, strict=True))


def _connect(state: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(state / "library.db", timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        if not schema.is_current(connection, str(state / "library.db")):
            _set_up(connection, state)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: sqlite3.Connection, state: Path) -> None:
    from filelock import FileLock

    # Two processes that meet a new library at once: the second finds it made.
    with FileLock(state / "library.lock"):
        connection.execute("PRAGMA journal_mode = WAL")
        schema.migrate(connection, str(state / "library.db"))


def _outcome(row: list[Any], paths: tuple[str, ...]) -> Outcome:
    video_id, stage, state, reason, detail = row
    return Outcome(
        video_id, Stage(stage), State(state), Reason(reason) if reason else None, detail, paths
    )


def _stage_order() -> str:
    """SQL for the place of a stage among all."""
    cases = " ".join(f"WHEN '{stage}' THEN {place}" for place, stage in enumerate(Stage))
    return f"CASE stage {cases} END"


def storable(text: str) -> str:
    """Text that SQLite takes and a terminal may show.

    Half characters (from file names, tags, JSON) become question marks, and control characters,
    which could move a terminal's cursor or turn the direction of text, become spaces.
    """
    if not text.isascii():
        text = text.encode(errors="replace").decode()
    return text if text.isprintable() else _CONTROLS.sub(" ", text)


def _info_to_json(info: MediaInfo) -> str:
    return json.dumps(asdict(info), default=str)


def _info_from_json(text: str) -> MediaInfo:
    parts: dict[str, Any] = json.loads(text)
    rate = parts["frame_rate"]
    return MediaInfo(
        **{
            **parts,
            "pixel_aspect": Fraction(parts["pixel_aspect"]),
            "frame_rate": Fraction(rate) if rate is not None else None,
            "subtitles": tuple(SubtitleTrack(**track) for track in parts["subtitles"]),
            "chapters": tuple(Chapter(**chapter) for chapter in parts["chapters"]),
        }
    )


def _hash_of_clips(rows: Iterable[tuple[int, float, float, str]]) -> str:
    content = json.dumps([row[1:] for row in rows])
    return hashlib.sha256(content.encode()).hexdigest()[:_HASH_DIGITS]


def _words_to_json(words: tuple[Word, ...]) -> str | None:
    if not words:
        return None
    rows = [[word.start, word.end, word.text] for word in words]
    return json.dumps(rows)


def _words_from_json(text: str | None) -> tuple[Word, ...]:
    return tuple(Word(*row) for row in json.loads(text)) if text else ()

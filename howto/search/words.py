"""Search by words: SQLite's FTS5 over the narration, chapter titles, video titles, file names and
descriptions.

Any word of the query matches; rare words weigh more (BM25). FTS5's own idf is zero for a word that
more than half of the rows hold, which in a folder about shirts is the word shirt; so the term
frequencies are taken from FTS5, one word at a time, and weighed by an idf that stays positive
(Robertson and Zaragoza's with one added inside the logarithm, as Lucene has it).

A score lies in 0..1: 1 is as good as a line of average length that says every word of the query
once.
"""

import json
import math
import os
import re
import sqlite3
import unicodedata
from collections.abc import Collection, Iterable, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

from howto.search.query import Query

__all__ = [
    "KINDS",
    "Candidate",
    "add_video",
    "clips_saying",
    "rank",
    "remove_if_absent",
    "remove_video",
]

# Scripts written without spaces between words: each character is indexed as a word, and a query in
# them is a phrase of characters. FTS5 would take a whole sentence for one word.
_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0002fa1f])"
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")

CHAPTER_WEIGHT = 0.7
TITLE_WEIGHT = 0.5
"""How much of a full score a chapter's or a video's words can give to what lies inside them: they
say what the whole is about, not what is shown now."""

_DESCRIPTION_WEIGHT = 0.4
_MOST_ROWS = 20_000
_MOST_CANDIDATES = 2_000
"""Rows taken of each word's matches, and of all words together, best first. Nobody reads the
2,001st hit."""

_OF_VIDEOS = "SELECT value FROM json_each(?)"
_ROWS_OF_VIDEOS = {
    "clip_words": f"SELECT clip FROM clips WHERE number IN ({_OF_VIDEOS})",  # noqa: S608
    "chapter_words": f"SELECT chapter FROM chapters WHERE number IN ({_OF_VIDEOS})",  # noqa: S608
    "video_words": _OF_VIDEOS,
}
"""The row ids of each table that belong to some videos, given as JSON."""

KINDS = ("narration", "chapter", "title")
"""Where words are found; a title is a video's title, file and folder names or description."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A span of a video that a signal puts forward.

    Attributes:
        number: the library's short key of the video.
        clip: the library's key of the clip, or None where the span is a chapter or a whole video.
        score: 0..1.
        matched: where the words were found: `narration`, `chapter`, `title`.
        around: how much of the score the names around it give: those of its chapter and video.
    """

    number: int
    start: float
    end: float
    caption: str
    clip: int | None
    score: float
    matched: tuple[str, ...]
    around: float = 0.0

    @property
    def own(self) -> float:
        """What the span scores by itself, whatever is named around it."""
        return self.score - self.around

    @property
    def key(self) -> tuple[int, float, float, int | None]:
        """The span that is meant, whatever a signal says of it."""
        return self.number, self.start, self.end, self.clip


def add_video(connection: sqlite3.Connection, number: int, path: str) -> None:
    """Put a video's clips, chapters and names into the word index. Call inside a transaction.

    Args:
        path: its path relative to the library's folder; the words of folder and file name count.
    """
    title, description = connection.execute(
        "SELECT title, description FROM videos WHERE number = ?", (number,)
    ).fetchone()
    name = _name_words(path)
    connection.execute(
        "INSERT INTO indexed_videos VALUES (?, ?, ?, ?)", (number, title, name, description)
    )
    connection.execute(
        "INSERT INTO video_words (rowid, title, name, description) VALUES (?, ?, ?, ?)",
        (number, _spaced(title), _spaced(name), _spaced(description)),
    )
    for table, rows in _texts(connection, number):
        connection.executemany(f"INSERT INTO {table[0]} (rowid, {table[1]}) VALUES (?, ?)", rows)  # noqa: S608


def remove_video(connection: sqlite3.Connection, number: int) -> None:
    """Take a video out of the word index. Call before its clips or chapters change."""
    row = connection.execute(
        "SELECT title, name, description FROM indexed_videos WHERE number = ?", (number,)
    ).fetchone()
    if row is None:
        return
    connection.execute(
        "INSERT INTO video_words (video_words, rowid, title, name, description)"
        " VALUES ('delete', ?, ?, ?, ?)",
        (number, *map(_spaced, row)),
    )
    for table, rows in _texts(connection, number):
        connection.executemany(
            f"INSERT INTO {table[0]} ({table[0]}, rowid, {table[1]}) VALUES ('delete', ?, ?)",  # noqa: S608
            rows,
        )
    connection.execute("DELETE FROM indexed_videos WHERE number = ?", (number,))


def remove_if_absent(connection: sqlite3.Connection, number: int) -> None:
    """Take a video out of the word index if it has no file left."""
    if not connection.execute("SELECT 1 FROM files WHERE number = ?", (number,)).fetchone():
        remove_video(connection, number)


def _texts(
    connection: sqlite3.Connection, number: int
) -> list[tuple[tuple[str, str], list[tuple[int, str]]]]:
    """The rows of a video that are indexed one by one: (table, column) and (row id, text)."""
    clips = connection.execute(
        "SELECT clip, caption FROM clips WHERE number = ? AND caption <> ''", (number,)
    )
    chapters = connection.execute("SELECT chapter, title FROM chapters WHERE number = ?", (number,))
    return [
        (("clip_words", "caption"), [(row, _spaced(text)) for row, text in clips]),
        (("chapter_words", "title"), [(row, _spaced(text)) for row, text in chapters]),
    ]


def _spaced(text: str) -> str:
    if text.isascii():
        return text
    return _UNSPACED.sub(r" \1 ", unicodedata.normalize("NFC", text))


def _name_words(path: str) -> str:
    """The words of a file's path: `shirts/FoldShirt_02.mp4` gives `shirts Fold Shirt 02`.

    What lies in a hidden folder, or outside the library's, was named by no person.
    """
    if path.startswith(("/", ".")) or "/." in path or Path(path).is_absolute():
        return ""
    stem = os.path.splitext(path)[0].encode(errors="replace").decode()
    return " ".join(_CAMEL.sub(" ", stem).replace("/", " ").replace("_", " ").split())


def rank(
    connection: sqlite3.Connection,
    query: Query,
    kinds: Collection[str] = KINDS,
    *,
    among: Set[int] | None = None,
    without: Set[int] = frozenset(),
    unnamed: Query | None = None,
) -> list[Candidate]:
    """Rank everything that holds any word of the query.

    Args:
        kinds: what is read besides the narration, of `KINDS`; the other words are as if not there.
        among: numbers of the videos looked at; None: all. How rare a word is, is that of the whole
            library all the same.
        without: keys of clips that are left out.
        unnamed: chapters and videos with any of these words in their own title or name are no hits
            themselves; what is said inside them is.

    Returns:
        Best first. Clips that say the words; chapters and videos that are named by them, where no
        clip inside says any.
    """
    if not query.terms:
        return []
    clips = _scores(connection, "clip_words", query.terms, among=among, without=without)
    chapters: dict[int, float] = {}
    videos: dict[int, float] = {}
    if "chapter" in kinds:
        chapters = _scores(connection, "chapter_words", query.terms, among=among)
    if "title" in kinds:
        weights = (1.0, 1.0, _DESCRIPTION_WEIGHT)
        videos = _scores(connection, "video_words", query.terms, weights, among=among)
    found = _clip_candidates(connection, clips, _best(clips))
    named = _chapter_candidates(connection, chapters)
    candidates = [_in_context(clip, named, videos) for clip in found]
    # What is left out is said there all the same: its chapter and video are no hits instead of it.
    left_out = dict.fromkeys(without and without & clips_saying(connection, query), 0.0)
    said = [*found, *_clip_candidates(connection, left_out, json.dumps([*left_out]))]
    covered = {clip.number for clip in said}
    unwanted: Set[int] = frozenset()
    if unnamed is not None:
        unwanted = _matching(connection, "chapter_words", unnamed)
        covered |= _matching(connection, "video_words", unnamed, "{title name} : ")
    of_unwanted = {chapter: chapters[chapter] for chapter in chapters.keys() & unwanted}
    no_hits = {one.key for one in _chapter_candidates(connection, of_unwanted)}
    for chapter in named:
        if not any(_inside(clip, chapter) for clip in said if clip.number == chapter.number):
            covered.add(chapter.number)
            if chapter.key not in no_hits:
                candidates.append(_in_context(chapter, (), videos))
    candidates += _video_candidates(connection, videos, covered)
    return sorted(candidates, key=lambda one: (-one.score, one.number, one.start))


def clips_saying(connection: sqlite3.Connection, query: Query) -> set[int]:
    """The keys of the clips in which any word of the query is said."""
    return _matching(connection, "clip_words", query)


def _matching(
    connection: sqlite3.Connection, table: str, query: Query, columns: str = ""
) -> set[int]:
    """The ids of the rows that hold any word of the query.

    Args:
        columns: a column filter of FTS5; '' where any column will do.
    """
    found: set[int] = set()
    for term in query.terms:
        rows = connection.execute(
            f"SELECT rowid FROM {table} WHERE {table} MATCH ?",  # noqa: S608
            (f"{columns}{_phrase(term)}",),
        )
        found.update(row for (row,) in rows)
    return found


def _scores(
    connection: sqlite3.Connection,
    table: str,
    terms: Sequence[str],
    column_weights: Sequence[float] = (),
    *,
    among: Set[int] | None = None,
    without: Set[int] = frozenset(),
) -> dict[int, float]:
    """BM25 of every row that holds any of the terms, as a share of the ideal row's.

    Args:
        among: numbers of the videos whose rows are wanted; None: all.
        without: ids of rows that are not.
    """
    condition, values = _restriction(table, among, without)
    total = connection.execute(f"SELECT count(*) FROM {table}_docsize").fetchone()[0]  # noqa: S608
    weights = "".join(f", {weight}" for weight in column_weights)
    sums: dict[int, float] = {}
    ideal = 0.0
    for term in terms:
        phrase = _phrase(term)
        (matches,) = connection.execute(
            f"SELECT count(*) FROM {table} WHERE {table} MATCH ?",  # noqa: S608
            (phrase,),
        ).fetchone()
        idf = math.log(1 + (total - matches + 0.5) / (matches + 0.5))
        ideal += idf
        theirs = _fts5_idf(total, matches)
        rows = connection.execute(
            f"SELECT rowid, -bm25({table}{weights}) FROM {table} WHERE {table} MATCH ?{condition}"  # noqa: S608
            " ORDER BY 2 DESC, rowid LIMIT ?",
            (phrase, *values, _MOST_ROWS),
        )
        for row, relevance in rows:
            sums[row] = sums.get(row, 0.0) + idf * relevance / theirs
    return {row: value / ideal if value < ideal else 1.0 for row, value in sums.items()}


def _restriction(
    table: str, among: Set[int] | None, without: Set[int]
) -> tuple[str, tuple[str, ...]]:
    """A condition on the row ids of a table, and its values; '' where every row will do.

    It stands in the query, before the best rows are taken: those of other videos would leave no
    room for the ones that are wanted.
    """
    # The plus sign keeps SQLite from asking FTS5 once for each row id.
    condition = ""
    values: tuple[str, ...] = ()
    if among is not None:
        condition += f" AND +rowid IN ({_ROWS_OF_VIDEOS[table]})"
        values += (json.dumps([*among]),)
    if without:
        condition += " AND +rowid NOT IN (SELECT value FROM json_each(?))"
        values += (json.dumps([*without]),)
    return condition, values


def _fts5_idf(total: int, matches: int) -> float:
    idf = math.log((total - matches + 0.5) / (matches + 0.5))
    return idf if idf > 0 else 1e-6


def _phrase(term: str) -> str:
    """A term as an FTS5 string: whatever it holds, it is data."""
    return '"' + _spaced(term).replace('"', '""') + '"'


def _best(scores: dict[int, float]) -> str:
    """The keys of the best scores, as JSON for SQLite."""
    rows: Iterable[int] = scores
    if len(scores) > _MOST_CANDIDATES:
        # All that equal the last one wanted stay, or the order of equals would be chance.
        least = sorted(scores.values())[-_MOST_CANDIDATES]
        rows = [row for row, score in scores.items() if score >= least]
    best = sorted(rows, key=lambda row: (-scores[row], row))
    return json.dumps(best[:_MOST_CANDIDATES])


def _clip_candidates(
    connection: sqlite3.Connection, scores: dict[int, float], clips: str
) -> list[Candidate]:
    """Those clips, whose keys are given as JSON, with their scores."""
    rows = connection.execute(
        "SELECT clip, number, start, end, caption FROM clips"
        " WHERE clip IN (SELECT value FROM json_each(?))",
        (clips,),
    )
    return [
        Candidate(number, start, end, caption, clip, scores[clip], ("narration",))
        for clip, number, start, end, caption in rows
    ]


def _chapter_candidates(
    connection: sqlite3.Connection, scores: dict[int, float]
) -> list[Candidate]:
    rows = connection.execute(
        "SELECT chapter, number, start, end, title FROM chapters"
        " WHERE chapter IN (SELECT value FROM json_each(?))",
        (_best(scores),),
    )
    return [
        Candidate(number, start, end, title, None, CHAPTER_WEIGHT * scores[chapter], ("chapter",))
        for chapter, number, start, end, title in rows
    ]


def _video_candidates(
    connection: sqlite3.Connection, scores: dict[int, float], covered: set[int]
) -> list[Candidate]:
    named = {number: score for number, score in scores.items() if number not in covered}
    rows = connection.execute(
        "SELECT number, coalesce(duration, 0), indexed_videos.title, name"
        " FROM videos JOIN indexed_videos USING (number)"
        " WHERE number IN (SELECT value FROM json_each(?)) AND info IS NOT NULL",
        (_best(named),),
    )
    return [
        Candidate(
            number, 0.0, duration, title or name, None, TITLE_WEIGHT * named[number], ("title",)
        )
        for number, duration, title, name in rows
    ]


def _in_context(
    one: Candidate, chapters: Sequence[Candidate], videos: dict[int, float]
) -> Candidate:
    """Add to a span what its chapter and its video are named, as independent evidence adds up."""
    around = [chapter for chapter in chapters if _inside(one, chapter)]
    if not around and one.number not in videos:
        return one
    miss = 1.0 - one.score
    matched = list(one.matched)
    if around:
        miss *= 1.0 - max(chapter.score for chapter in around)
        matched.append("chapter")
    if one.number in videos:
        miss *= 1.0 - TITLE_WEIGHT * videos[one.number]
        matched.append("title")
    score = 1.0 - miss
    return replace(one, score=score, matched=tuple(matched), around=score - one.score)


def _inside(clip: Candidate, chapter: Candidate) -> bool:
    return clip.number == chapter.number and chapter.start <= clip.start < chapter.end

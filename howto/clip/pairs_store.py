"""Pairs in library.db: sets of them, each known by its recipe.

A set holds the pairs of many videos, made with the same options. For each video it also holds which
narration they were made from, so that a narration that changed is seen, and pairs are made again.
"""

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from howto.clip.pairs import Pair
from howto.library import Library
from howto.recipe import Recipe

__all__ = ["StoredPair", "StoredSet", "count_pairs", "pair_sets", "read_pairs"]

# Between the captions of one pair; no caption has a line break.
_BREAK = "\n"


@dataclass(frozen=True, slots=True)
class StoredPair:
    """A pair as the library holds it.

    Attributes:
        video: the first path of its video, relative to the library's folder.
        number: the library's short key of its video.
        position: of the pair within its video, from 0.
    """

    video_id: str
    video: str
    number: int
    position: int
    pair: Pair


class StoredSet:
    """The pairs of one recipe, to be written. Call everything that writes inside `writing()`.

    Args:
        recipe: what `howto.clip.pairs.PairOptions.recipe` gives.
    """

    def __init__(self, library: Library, recipe: Recipe) -> None:
        self.library = library
        self.recipe = recipe

    @property
    def key(self) -> int | None:
        """The library's short key of the set; None while nothing was written."""
        row = self.library.connection.execute(
            "SELECT pair_set FROM pair_sets WHERE recipe = ?", (self.recipe.text,)
        ).fetchone()
        return row[0] if row else None

    def made_from(self) -> dict[int, str]:
        """Short hash of the narration that each video's pairs were made from."""
        rows = self.library.connection.execute(
            "SELECT number, narration FROM paired_videos WHERE pair_set = ?", (self.key,)
        )
        return dict(rows.fetchall())

    def put(self, number: int, pairs: Iterable[Pair], narration: str) -> None:
        """Replace the pairs of a video.

        Args:
            narration: short hash of its narration's recipe.
        """
        connection = self.library.connection
        connection.execute(
            "INSERT OR IGNORE INTO pair_sets (recipe) VALUES (?)", (self.recipe.text,)
        )
        key = self.key
        self.take_out(number)
        connection.execute("INSERT INTO paired_videos VALUES (?, ?, ?)", (key, number, narration))
        connection.executemany(
            "INSERT INTO pairs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    *(key, number, position, pair.start, pair.end, _captions(pair)),
                    *(pair.first, pair.last, pair.quality),
                )
                for position, pair in enumerate(pairs)
            ),
        )

    def take_out(self, number: int) -> None:
        """Forget a video's pairs, of this set only."""
        for table in ("pairs", "paired_videos"):
            self.library.connection.execute(
                f"DELETE FROM {table} WHERE pair_set = ? AND number = ?",  # noqa: S608 both ours
                (self.key, number),
            )


def pair_sets(library: Library) -> dict[int, Recipe]:
    """All sets of pairs that a library holds, by their short key, oldest first."""
    rows = library.connection.execute("SELECT pair_set, recipe FROM pair_sets ORDER BY pair_set")
    return {key: Recipe(text) for key, text in rows}


def count_pairs(library: Library, recipe: Recipe, numbers: Collection[int] | None = None) -> int:
    """How many pairs a set has, of all videos or of some."""
    rows = library.connection.execute(
        "SELECT number, count(*) FROM pairs WHERE pair_set = ? GROUP BY number",
        (StoredSet(library, recipe).key,),
    )
    return sum(count for number, count in rows if numbers is None or number in numbers)


def read_pairs(
    library: Library, recipe: Recipe, numbers: Collection[int] | None = None
) -> Iterator[StoredPair]:
    """The pairs of a set, video by video in order of path, each video's in order of position.

    Videos that have no file any more are left out. One video's pairs are in memory at a time.

    Args:
        numbers: only of these videos; None: of all.
    """
    key = StoredSet(library, recipe).key
    paths = sorted(
        (paths[0], number)
        for number, paths in library.paths().items()
        if numbers is None or number in numbers
    )
    for path, number in paths:
        rows = library.connection.execute(
            "SELECT video_id, position, start, end, caption, first, last, quality"
            " FROM pairs JOIN videos USING (number)"
            " WHERE pair_set = ? AND number = ? ORDER BY position",
            (key, number),
        ).fetchall()
        several = recipe.parts["candidates"] is not None
        for video_id, position, start, end, captions, first, last, quality in rows:
            found = tuple(captions.split(_BREAK))
            pair = Pair(start, end, found[0], first, last, quality, found if several else ())
            yield StoredPair(video_id, os.fspath(path), number, position, pair)


def _captions(pair: Pair) -> str:
    """The caption, or all candidates, one a line; a line break within one becomes a space."""
    captions = (" ".join(text.splitlines()) for text in pair.candidates or (pair.caption,))
    text = _BREAK.join(captions)
    return text if text.isascii() else text.encode(errors="replace").decode()

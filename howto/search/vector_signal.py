"""A signal that ranks by vectors: an index, what its raw scores mean, and the clips it stands for.

Pictures and the meaning of words are both such signals; they differ in what makes the vectors.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Sequence, Set
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Protocol

from howto.errors import LibraryBusy
from howto.library import Library
from howto.search.index.units import (
    Brought,
    Filling,
    bring_up_to_date,
    candidates,
    clips_changed,
    rows_of,
)
from howto.search.words import Candidate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from howto.search.calibrate import AnyNull
    from howto.search.index.vectors import VectorIndex

__all__ = ["MOST_CANDIDATES", "Embedder", "VectorSignal", "opened_signal", "row_lengths"]

MOST_CANDIDATES = 200
"""Clips that a signal puts forward: neighbours are joined, so ten moments may take a hundred."""

_LINES = 400  # of the library, where words are drawn from them
_CHANGED_SHARE = 0.1  # of the clips put in or taken out, before the null is measured anew


class Embedder(Protocol):
    """What turns captions into vectors of an index's space."""

    def embed_text(
        self, captions: Sequence[str], *, as_query: bool = False
    ) -> "NDArray[np.float32]":
        """Map captions to float32 (B, D)."""
        ...

    def known_words(
        self, captions: Sequence[str], *, as_query: bool = False
    ) -> "NDArray[np.bool_]":
        """bool (B,): a word of the caption is known."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class VectorSignal:
    """A signal that is up to date and ready to rank.

    Attributes:
        name: `pictures` or `meaning`.
        index: None where the library has nothing that it could rank.
        brought: what was done to bring the index up to date.
        spoken: only clips in which something is said have a vector.
    """

    name: str
    index: "VectorIndex | None"
    brought: Brought
    spoken: bool

    def rank(
        self,
        library: Library,
        query: "NDArray[np.float32]",
        *,
        video_ids: Collection[str] | None = None,
        without: Set[int] = frozenset(),
        is_picture: bool = False,
        count: int = MOST_CANDIDATES,
    ) -> list[Candidate]:
        """Rank clips by their dot product with a query, best first.

        Args:
            query: float32 (D,).
            video_ids: only clips of these videos; None: of all.
            without: keys of clips that are left out.
            is_picture: the query is a picture's embedding, which lies nearer to pictures than
                words do: its scores are compared with those of other pictures.
            count: the most wanted.
        """
        if self.index is None:
            return []
        from howto.search.calibrate import Sample

        left_out = rows_of(library, self.index, without, spoken=self.spoken)
        found = self.index.search(query, count, names=video_ids, without=left_out)
        above = Sample.of(self.index).standing_out(query[None], found.scores[None])[0]
        shares = self._null(is_picture).share(above)
        return list(
            candidates(library, self.index, found, shares, spoken=self.spoken, matched=self.name)
        )

    def is_measured(self, is_picture: bool = False) -> bool:
        """Whether scores are compared with what unrelated queries find here. Where too little is
        there to measure that, they are compared with what normal values would give.

        Args:
            is_picture: as for `rank`.
        """
        return self.index is None or self._kept(is_picture) is not None

    def _kept(self, is_picture: bool) -> list[float] | None:
        """What unrelated queries were found to give; None where it could not be measured."""
        assert self.index is not None, "nothing is ranked without an index"
        text = self.index.manifest.facts.get(_fact(is_picture))
        kept: list[float] | None = json.loads(text)["values"] if text else None
        return kept or None

    def _null(self, is_picture: bool) -> "AnyNull":
        from howto.search.calibrate import Null, NullOfNormal

        assert self.index is not None, "nothing is ranked without an index"
        kept = self._kept(is_picture)
        return Null.of(kept) if kept else NullOfNormal(self.index.manifest.live)


def _fact(is_picture: bool) -> str:
    return "null-pictures" if is_picture else "null"


def opened_signal(
    name: str,
    library: Library,
    filling: Filling,
    embedder: Embedder,
    *,
    before: VectorSignal | None = None,
    on_progress: Callable[[int, int, str], None] | None = None,
    on_wait: Callable[[], None] | None = None,
) -> VectorSignal:
    """Bring a signal's index up to date with a library, and open it.

    Args:
        before: the same signal as it was opened earlier; what did not change of it is kept.
        on_progress, on_wait: as for `howto.search.index.units.bring_up_to_date`.
    """
    brought = bring_up_to_date(library, filling, on_progress=on_progress, on_wait=on_wait)
    index = brought.index
    if index is not None and not brought.is_behind and _lacks_null(index):
        try:
            index = _with_null(library, index, filling, embedder)
        except LibraryBusy:
            if filling.wait is None:
                raise
            # It ranks all the same; its scores are rough, and a note says so.
    if before is not None and before.index is not None and index is not None:
        index = before.index if before.index.manifest == index.manifest else index
    return VectorSignal(name, index, brought, filling.spoken)


def _lacks_null(index: "VectorIndex") -> bool:
    text = index.manifest.facts.get(_fact(False))
    if text is None:
        return True
    told = json.loads(text)
    changed = clips_changed(index.manifest.facts) - told.get("changed", 0)
    return bool(changed > _CHANGED_SHARE * told["live"])


def _with_null(
    library: Library, index: "VectorIndex", filling: Filling, embedder: Embedder
) -> "VectorIndex":
    """Measure what unrelated queries find, and keep it beside the vectors."""
    from howto.search.calibrate import measure_null, measure_null_of_pictures
    from howto.search.index.writer import WAIT_SECONDS, IndexWriter

    at = {"live": index.manifest.live, "changed": clips_changed(index.manifest.facts)}
    nulls = {
        False: measure_null(index, embedder, _own_words(library)),
        True: measure_null_of_pictures(index),
    }
    wait = WAIT_SECONDS if filling.wait is None else filling.wait
    with IndexWriter(filling.folder, filling.recipe, filling.dim, wait=wait) as writer:
        for is_picture, null in nulls.items():
            values = null.rounded() if null else None
            writer.keep(_fact(is_picture), json.dumps({**at, "values": values}))
        writer.commit()
        return writer.opened()


def _own_words(library: Library) -> list[str]:
    """Pairs of words that lines of different videos say: nobody shows both at once.

    For a model whose few words are those of the library. They are drawn by the ids of the videos
    and what is said in them: the order in which videos were indexed, which is that in which
    workers were done, changes nothing.
    """
    from howto.search.query import Query

    lines = [Query.parse(line).terms for line in _spread_lines(library)]
    distinct = list(dict.fromkeys(max(terms, key=len) for terms in lines if terms))
    return [f"{one} {other}" for one, other in zip(distinct[::2], distinct[1::2], strict=False)]


def _spread_lines(library: Library) -> list[str]:
    """Some hundred lines, the next always of another video."""
    rows = library.connection.execute(
        "SELECT video_id, number FROM videos WHERE EXISTS"
        " (SELECT 1 FROM clips WHERE clips.number = videos.number AND caption <> '')"
    ).fetchall()
    rows.sort(key=lambda row: hashlib.sha256(row[0].encode()).digest())
    told = [
        library.connection.execute(
            "SELECT caption FROM clips WHERE number = ? AND caption <> ''"
            " ORDER BY start, end, caption LIMIT ?",
            (number, -(-_LINES // len(rows))),
        ).fetchall()
        for _, number in rows[:_LINES]
    ]
    turns = zip_longest(*told)
    return [line[0] for turn in turns for line in turn if line is not None][:_LINES]


def row_lengths(vectors: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Vectors at length 1, float32 (B, D); zeros stay zeros."""
    import numpy as np

    lengths = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), np.float32)

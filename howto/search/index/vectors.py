"""An index opened to be searched: a picture of it at one moment, whatever is written meanwhile."""

import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from howto.errors import LibraryError
from howto.recipe import Recipe
from howto.search.index.approximate import ApproximateIndex, is_installed
from howto.search.index.exact import best, scores
from howto.search.index.manifest import BYTES_PER_VALUE, Manifest, read_manifest

__all__ = ["Found", "VectorIndex", "map_vectors"]

QUICK_ROWS = 250_000
"""Rows of 512 values that one query searches exactly in about the time that importing FAISS takes;
of longer vectors fewer."""
_QUICK_VALUES = 512 * QUICK_ROWS
_FEW_ROWS = 20_000
"""So few allowed rows are looked at one by one: the cells around the query may hold none."""
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a search finds.

    Attributes:
        rows: int64 (n,), best first.
        scores: float32 (n,), exact.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]


class VectorIndex:
    """An index as it was when it was opened. Any number of threads may search it at once.

    Attributes:
        manifest: what it holds.
        vectors: float16 (rows, D), memory-mapped; dead rows included.
    """

    def __init__(self, manifest: Manifest, vectors: NDArray[np.float16]) -> None:
        self.manifest = manifest
        self.vectors = vectors

    @classmethod
    def open(cls, folder: Path, recipe: Recipe | None = None) -> "VectorIndex | None":
        """Open the index in a folder; None where there is none.

        Args:
            recipe: what is to be searched; None: whatever is there.

        Raises:
            RecipeMismatch: it was made by another recipe; the message lists the keys.
            LibraryError: it is damaged.
        """
        for _ in range(_ATTEMPTS):
            manifest = read_manifest(folder)
            if manifest is None:
                return None
            if recipe is not None:
                manifest.recipe.require_same(recipe, f"the index in {folder} and what is asked for")
            try:
                return cls(manifest, map_vectors(manifest))
            except FileNotFoundError:
                continue  # another process rewrote it between the two steps
        raise LibraryError(f"the vectors in {folder} are gone. Delete the folder: it is made again")

    @cached_property
    def alive(self) -> NDArray[np.bool_]:
        """bool (rows,): the rows that belong to a group."""
        return self.mask(self.manifest.groups)

    def mask(self, names: Collection[str]) -> NDArray[np.bool_]:
        """bool (rows,): the rows of these groups; names that are no group count for nothing."""
        groups = self.manifest.groups
        wanted = [groups[name] for name in names if name in groups]
        firsts = np.array([group.first for group in wanted], np.int64)
        ends = firsts + np.array([group.count for group in wanted], np.int64)
        edges = np.zeros(self.manifest.rows + 1, np.int8)
        edges[firsts] += 1
        edges[ends] -= 1  # 0 where the next group begins
        return np.cumsum(edges[:-1], dtype=np.int8).astype(bool)

    def search(
        self,
        query: NDArray[np.float32],
        count: int,
        *,
        names: Collection[str] | None = None,
        without: NDArray[np.int64] | None = None,
        exact: bool = False,
    ) -> Found:
        """Find the vectors with the highest dot products.

        Args:
            query: float32 (D,).
            count: the most wanted.
            names: search these groups alone.
            without: int64 (n,), rows that are left out.
            exact: look at every vector. Otherwise the approximate index is asked where there is
                one and the time to load it is worth it; scores are exact all the same.

        Raises:
            ValueError: a query of another length, or not finite.
        """
        query = np.ascontiguousarray(query, np.float32)
        if query.shape != (self.manifest.dim,) or not np.isfinite(query).all():
            raise ValueError(f"expected {self.manifest.dim} finite values, got {query.shape}")
        allowed = self.alive if names is None else self.mask(names)
        if without is not None:
            allowed = allowed.copy()  # the rows alive are kept from one search to the next
            allowed[without] = False
        num_allowed = int(np.count_nonzero(allowed))
        whole = num_allowed == len(allowed)
        few = exact or num_allowed <= _FEW_ROWS
        cells = None if few or not self._worth_loading(num_allowed) else self._cells
        if cells is not None:
            rows = self._near(cells, query, count, None if whole else allowed)
            return Found(*best(self.scores_of(rows, query), rows, count))
        if whole:
            found = scores(self.vectors, query[None])[:, 0]
            return Found(*best(found, np.arange(len(found)), count))
        rows = np.flatnonzero(allowed)
        return Found(*best(self.scores_of(rows, query), rows, count))

    def _near(
        self,
        cells: ApproximateIndex,
        query: NDArray[np.float32],
        count: int,
        allowed: NDArray[np.bool_] | None,
    ) -> NDArray[np.int64]:
        """The rows in the cells around the query, and every row that is in no cell yet."""
        covered = self._covered
        later = np.arange(covered, self.manifest.rows)
        if allowed is None:
            return np.concatenate([np.sort(cells.candidates(query, count, None)), later])
        near = cells.candidates(query, count, allowed[:covered])
        return np.concatenate([np.sort(near), later[allowed[covered:]]])

    def scores_of(self, rows: NDArray[np.int64], query: NDArray[np.float32]) -> NDArray[np.float32]:
        """Exact scores of some rows: float32 (n,)."""
        found = np.empty(len(rows), np.float32)
        for first in range(0, len(rows), _FEW_ROWS):
            part = slice(first, first + _FEW_ROWS)
            found[part] = scores(np.asarray(self.vectors[rows[part]]), query[None])[:, 0]
        return found

    def _worth_loading(self, num_allowed: int) -> bool:
        told = self.manifest.approximate
        if told is None or not is_installed():
            return False
        quick = num_allowed * self.manifest.dim <= _QUICK_VALUES
        return "faiss" in sys.modules or not quick

    @property
    def _covered(self) -> int:
        told = self.manifest.approximate
        return told.rows if told else 0

    @cached_property
    def _cells(self) -> ApproximateIndex | None:
        """The approximate index; None where a file of it is gone or cut off: searching is exact
        then, only slower, and the next writer makes it again."""
        told = self.manifest.approximate
        folder = self.manifest.folder
        if told is None or not told.shards or not told.is_whole(folder):
            return None
        return ApproximateIndex(
            folder / told.cells.file, [folder / shard.file for shard in told.shards]
        )

    def warm(self) -> None:
        """Load what queries need beforehand, FAISS too: for a process that answers many."""
        if is_installed():
            _ = self._cells

    def places(self, rows: Iterable[int]) -> list[tuple[str, int]]:
        """The group of each row, and its position in it.

        Raises:
            ValueError: a row that is in no group.
        """
        names = list(self.manifest.groups)
        groups = list(self.manifest.groups.values())
        firsts = np.array([group.first for group in groups], np.int64)
        asked = np.fromiter(rows, np.int64)
        held = np.searchsorted(firsts, asked, side="right") - 1
        found = []
        for row, at in zip(asked.tolist(), held.tolist(), strict=True):
            if at < 0 or row >= groups[at].first + groups[at].count:
                raise ValueError(f"row {row} is in no group")
            found.append((names[at], row - groups[at].first))
        return found

    def spread(self, count: int) -> NDArray[np.int64]:
        """Live rows spread evenly over the groups in order of their names, int64 (at most count,):
        the same of the same groups, in whatever order they were put in."""
        firsts, counts = self._by_name
        ends = np.cumsum(counts)
        total = int(ends[-1]) if len(ends) else 0
        wanted = np.linspace(0, total - 1, min(count, total)).astype(np.int64)
        held = np.searchsorted(ends, wanted, side="right")
        found: NDArray[np.int64] = firsts[held] + wanted - (ends[held] - counts[held])
        return found

    @cached_property
    def _by_name(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First rows and counts of the groups, in order of their names."""
        groups = [group for _, group in sorted(self.manifest.groups.items())]
        firsts = np.array([group.first for group in groups], np.int64)
        return firsts, np.array([group.count for group in groups], np.int64)

    def sample(self, count: int) -> NDArray[np.float16]:
        """The vectors of the rows that `spread` gives, float16 (at most count, D)."""
        return np.asarray(self.vectors[self.spread(count)])


def map_vectors(manifest: Manifest) -> NDArray[np.float16]:
    """Map the vectors that count.

    Raises:
        FileNotFoundError: their file is not there.
        LibraryError: it is shorter than it should be.
    """
    shape = (manifest.rows, manifest.dim)
    if not manifest.rows:
        return np.zeros(shape, np.float16)
    path = manifest.vectors_path
    missing = manifest.rows * manifest.dim * BYTES_PER_VALUE - path.stat().st_size
    if missing > 0:
        raise LibraryError(
            f"{path} was cut off: {missing} bytes are missing. Delete the folder: it is made again"
        )
    return np.memmap(path, "<f2", "r", shape=shape)

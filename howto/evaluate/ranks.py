"""Ranks and recall of retrieval, exact on ties, with intervals over videos.

A query has one answer among the candidates, or several of which the best-ranked one counts (a video
with 20 captions, asked for any of them). `better` counts candidates that score strictly higher than
the answer, `tied` those that score the same, the answer included. What a tie is worth is a rule:

    average      R@K is what random tie-breaking gives on average, clip((K - better) / tied, 0, 1)
                 for one answer, and so is the rank, 1 + better + (tied - 1) / 2. A scorer that
                 gives all candidates one score gets exactly chance.
    optimistic   the answer comes first among its equals
    pessimistic  the answer comes last among its equals
    authors      the metric that was published with HowTo100M, which looks for the answer's score in
                 the sorted row: each equal place counts as a query of its own, and a query whose
                 answer has no finite score is dropped. To compare with numbers made that way only.

Intervals resample *videos*: clips of one video are much alike, and queries drawn one by one would
make results look surer than they are.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from hashlib import blake2b
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "TIES",
    "Interval",
    "Ranks",
    "Ties",
    "drawn_videos",
    "interval_over_videos",
    "joined",
    "middle",
    "ranks_back_of",
    "ranks_back_of_embeddings",
    "ranks_of",
    "ranks_of_embeddings",
]

Ties = Literal["average", "optimistic", "pessimistic", "authors"]
TIES: tuple[Ties, ...] = get_args(Ties)
"""Rules of what a tie is worth."""

RESAMPLES = 2000
"""Of videos, for an interval."""

_BLOCK_BYTES = 64 << 20  # of scores that are looked at together
_DRAWN_BYTES = 1 << 20  # of counts of drawn videos; they are filled in random order, in a cache
_NAMED = 3  # rows that a message names


_CountsOf = Callable[[NDArray[np.int64]], NDArray[np.int64]]


@dataclass(frozen=True, slots=True, eq=False)
class Ranks:
    """Where the answers of Q queries stand, by one rule of ties.

    Attributes:
        better: int64 (Q,), candidates above the answer.
        tied: int64 (Q,), candidates level with it, itself included: 1 or more.
        right: int64 (Q,), how many of the tied ones are answers: 1 or more.
        num_candidates: int64 (Q,), all of them, the answers included.
        num_answers: int64 (Q,), all of them.
        counted: int64 (Q,), how many queries each one counts for: 1; by the rule `authors` as many
            as are tied, or 0 where it is dropped.
    """

    better: NDArray[np.int64]
    tied: NDArray[np.int64]
    right: NDArray[np.int64]
    num_candidates: NDArray[np.int64]
    num_answers: NDArray[np.int64]
    counted: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.better)

    def hits_at(self, k: int) -> NDArray[np.float64]:
        """How likely an answer is among the first k, (Q,), 0 to 1; its mean is R@K."""
        return _hits(k, self.better, self.tied, self.right)

    def recall_at(self, k: int) -> float:
        """R@K, a fraction.

        Raises:
            ValueError: there are no queries.
        """
        return self._mean(self.hits_at(k))

    @property
    def ranks(self) -> NDArray[np.float64]:
        """The rank of each answer, (Q,); 1 is best."""
        return self.better + (self.tied + 1) / (self.right + 1)

    @property
    def mean_rank(self) -> float:
        """The mean of the ranks. Raises ValueError where there are no queries."""
        return self._mean(self.ranks)

    @property
    def median_rank(self) -> float:
        """The median of the ranks. Raises ValueError where there are no queries."""
        self._check()
        values, counts_of = self.places()
        return middle(values, counts_of(np.ones(len(self), np.int64)))

    def chance_at(self, k: int) -> float:
        """R@K of a scorer that knows nothing. Raises ValueError where there are no queries."""
        self._check()
        none = np.zeros(len(self), np.int64)
        hits = _hits(k, none, self.num_candidates, self.num_answers)
        return math.fsum(hits) / len(self)

    @property
    def chance_ranks(self) -> NDArray[np.float64]:
        """The rank that a scorer gives that gives all candidates one score, (Q,)."""
        return (self.num_candidates + 1) / (self.num_answers + 1)

    @property
    def chance_median_rank(self) -> float:
        """The median rank of a scorer that gives all candidates one score."""
        self._check()
        return float(np.median(self.chance_ranks))

    def places(self) -> tuple[NDArray[np.float64], _CountsOf]:
        """What a median is taken of.

        Returns:
            Ranks (P,), growing, and a function from how often each query is drawn, int64 (Q,), to
            how often each of these ranks occurs then, int64 (P,).
        """
        if (self.counted == 1).all():
            order = np.argsort(self.ranks, kind="stable")
            return self.ranks[order], lambda drawn: drawn[order]
        end = int((self.better + self.tied).max(initial=0)) + 1

        def counts_of(drawn: NDArray[np.int64]) -> NDArray[np.int64]:
            # Each query that is not dropped fills the places better .. better + tied - 1.
            times = np.where(self.counted > 0, drawn, 0)
            begins = np.bincount(self.better, times, end)
            ends = np.bincount(self.better + self.tied, times, end)
            return (begins - ends).cumsum().astype(np.int64)

        return np.arange(1.0, end + 1), counts_of

    def _mean(self, values: NDArray[np.float64]) -> float:
        self._check()
        # The exact sum: where all queries fare alike, the mean is what each of them has.
        return math.fsum(values * self.counted) / int(self.counted.sum())

    def _check(self) -> None:
        if not len(self):
            raise ValueError("no query, so no recall")
        if not self.counted.sum():
            raise ValueError("no answer has a finite score, so the rule `authors` drops all")


def _hits(
    k: int, better: NDArray[np.int64], tied: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.float64]:
    """How likely one of the `right` answers is among the first k, in a random order of equals."""
    room = np.clip(k - better, 0, tied)
    hits: NDArray[np.float64] = room / tied
    for placed in range(1, int(right.max(initial=1))):
        # The answers before this one missed, so it lies in one of tied - placed places.
        also = np.minimum(room / np.maximum(tied - placed, 1), 1.0)
        hits = np.where(right > placed, hits + (1 - hits) * also, hits)
    return hits


def middle(values: NDArray[np.float64], counts: NDArray[np.int64]) -> float:
    """The median of values, growing, each of which occurs so often."""
    upto = counts.cumsum()
    places = ((upto[-1] - 1) // 2, upto[-1] // 2)
    low, high = values[np.searchsorted(upto, places, side="right")]
    return float((low + high) / 2)


def ranks_of(scores: ArrayLike, answers: ArrayLike, *, ties: Ties = "average") -> Ranks:
    """Rank the answer of each query among all candidates.

    Args:
        scores: (Q, N), higher is better; infinities are scores. It is read in blocks of rows, so
            it may be a memory map.
        answers: whole numbers (Q,), the column of each query's answer.

    Raises:
        ValueError: a NaN, with the rows it is in (but by the rule `authors`, which drops it);
            shapes that do not fit; a query without an answer.
    """
    table, columns = _checked(scores, answers)
    pairs = _Pairs(np.arange(len(table)), columns)
    return _ranked(_rows_of(table), pairs, table.shape, ties, "row")


def ranks_back_of(scores: ArrayLike, answers: ArrayLike, *, ties: Ties = "average") -> Ranks:
    """Turn the question round: rank the queries for each candidate that answers one.

    Args:
        scores, answers: as for `ranks_of`. A candidate that answers several queries takes the
            best-ranked of them.

    Returns:
        Ranks (A,), of the A candidates that answer a query, in order: `np.unique(answers)`.

    Raises:
        ValueError: as `ranks_of`.
    """
    table, columns = _checked(scores, answers)
    asked, pairs = _turned(columns)
    return _ranked(_rows_of(table.T, asked), pairs, (len(asked), len(table)), ties, "column")


def ranks_of_embeddings(
    queries: ArrayLike, candidates: ArrayLike, answers: ArrayLike, *, ties: Ties = "average"
) -> Ranks:
    """Rank by the dot product, without ever holding all scores.

    The product is made once, in blocks of queries against all candidates, so that an answer and
    its rivals come out of one product. Candidates that are alike to the bit score alike, which a
    matrix product alone does not promise: it may round the last columns in another way.

    Args:
        queries: (Q, D), finite; may be a memory map.
        candidates: (N, D), finite; may be a memory map. One in float16 is copied to float32 whole.
        answers: as for `ranks_of`.

    Returns:
        As `ranks_of`. Besides the inputs it needs less than 400 MB for 100,000 candidates.

    Raises:
        ValueError: an embedding that is not finite, with its row; otherwise as `ranks_of`.
    """
    asking, found = _floats(queries, "queries"), _floats(candidates, "candidates")
    columns = _checked_answers(answers, len(asking), len(found))
    pairs = _Pairs(np.arange(len(asking)), columns)
    return _ranked(_products(asking, found), pairs, (len(asking), len(found)), ties, "query")


def ranks_back_of_embeddings(
    queries: ArrayLike, candidates: ArrayLike, answers: ArrayLike, *, ties: Ties = "average"
) -> Ranks:
    """As `ranks_of_embeddings`, turned round as `ranks_back_of` does."""
    asking, found = _floats(queries, "queries"), _floats(candidates, "candidates")
    asked, pairs = _turned(_checked_answers(answers, len(asking), len(found)))
    shape = (len(asked), len(asking))
    return _ranked(_products(found, asking, asked), pairs, shape, ties, "candidate")


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Which query (row) has which answer (column), (P,) each, by growing row; each row has one."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]


def _turned(answers: NDArray[np.int64]) -> tuple[NDArray[np.int64], _Pairs]:
    """The candidates that answer a query, and the pairs of their places in it with the queries."""
    asked, place = np.unique(answers, return_inverse=True)
    order = np.argsort(place, kind="stable")
    return asked, _Pairs(place[order], order)


def _checked(
    scores: ArrayLike, answers: ArrayLike
) -> tuple[NDArray[np.generic], NDArray[np.int64]]:
    table = np.asarray(scores)
    if table.ndim != 2:
        raise ValueError(f"expected scores (Q, N), got shape {table.shape}")
    if table.dtype.kind not in "fiub":
        raise ValueError(f"expected real numbers as scores, got {table.dtype}")
    return table, _checked_answers(answers, *table.shape)


def _checked_answers(answers: ArrayLike, queries: int, candidates: int) -> NDArray[np.int64]:
    columns = np.asarray(answers)
    if columns.shape != (queries,):
        raise ValueError(f"expected an answer for each of {queries} rows, got {columns.shape}")
    if columns.dtype.kind not in "iu" and len(columns):
        raise ValueError(f"expected the answers as whole numbers, got {columns.dtype}")
    wrong = np.flatnonzero((columns < 0) | (columns >= candidates))
    if len(wrong):
        raise ValueError(
            f"{_named(wrong, 'row')} without an answer: {columns[wrong[0]]} is no column of"
            f" 0..{candidates - 1}"
        )
    return columns.astype(np.int64)


def _named(numbers: NDArray[np.int64], noun: str) -> str:
    """Such as 'row 3, row 5, row 8 and 4 more'."""
    rest = len(numbers) - _NAMED
    first = ", ".join(f"{noun} {number}" for number in numbers[:_NAMED])
    return f"{first} and {rest} more" if rest > 0 else first


def _floats(embeddings: ArrayLike, what: str) -> NDArray[np.floating]:
    table = np.asarray(embeddings)
    if table.ndim != 2 or table.dtype.kind not in "fiub":
        raise ValueError(f"expected {what} (N, D) of numbers, got {table.dtype} {table.shape}")
    if table.dtype not in (np.float32, np.float64):
        table = table.astype(np.float32 if table.dtype.kind == "f" else np.float64)
    for first, last in _blocks(len(table), table.shape[1] * table.itemsize):
        wrong = np.flatnonzero(~np.isfinite(table[first:last]).all(axis=1))
        if len(wrong):
            raise ValueError(f"{_named(wrong + first, 'row')} of the {what}: not a finite number")
    return table


def _blocks(rows: int, bytes_a_row: int, most: int | None = None) -> Iterator[tuple[int, int]]:
    """First row and end of each block, of at most so many bytes."""
    size = max(1, (most or _BLOCK_BYTES) // max(bytes_a_row, 1))
    return ((first, min(first + size, rows)) for first in range(0, rows, size))


_Block = tuple[int, NDArray[np.generic]]
"""The first row of it, and its scores (R, N)."""


def _rows_of(
    table: NDArray[np.generic], chosen: NDArray[np.int64] | None = None
) -> Iterator[_Block]:
    """Rows of a table, or the chosen ones, growing; never a copy of more than a block."""
    rows = len(table) if chosen is None else len(chosen)
    for first, last in _blocks(rows, table.shape[1] * table.itemsize):
        # numpy compares float16 one by one, float32 many at once.
        kind = np.float32 if table.dtype == np.float16 else table.dtype
        yield first, np.ascontiguousarray(table[_part(chosen, first, last)], kind)


def _part(chosen: NDArray[np.int64] | None, first: int, last: int) -> slice | NDArray[np.int64]:
    """Which rows a block holds: those from first to last, of all or of the chosen ones."""
    if chosen is None or chosen[last - 1] - chosen[first] == last - first - 1:
        start = first if chosen is None else int(chosen[first])
        return slice(start, start + last - first)  # a view, where they lie side by side
    return chosen[first:last]


def _products(
    queries: NDArray[np.floating],
    candidates: NDArray[np.floating],
    chosen: NDArray[np.int64] | None = None,
) -> Iterator[_Block]:
    """Scores of the queries, or of the chosen ones, growing, for all candidates."""
    if queries.shape[1] != candidates.shape[1]:
        raise ValueError(f"expected one length, got {queries.shape[1]} and {candidates.shape[1]}")
    like = _first_alike(candidates)
    again = np.flatnonzero(like != np.arange(len(like)))
    width = max(candidates.shape) * np.result_type(queries, candidates).itemsize
    for first, last in _blocks(len(queries) if chosen is None else len(chosen), width):
        with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is looked at anyway
            block = queries[_part(chosen, first, last)] @ candidates.T
        block[:, again] = block[:, like[again]]
        yield first, block


def _first_alike(rows: NDArray[np.floating]) -> NDArray[np.int64]:
    """The number of the first row that is the same, for each, (N,)."""
    seen: dict[bytes, int] = {}
    # + 0.0 makes -0.0 the 0.0 that it equals.
    digests = (blake2b((row + 0.0).tobytes(), digest_size=16).digest() for row in rows)
    return np.fromiter(
        (seen.setdefault(digest, number) for number, digest in enumerate(digests)),
        np.int64,
        len(rows),
    )


def _ranked(
    blocks: Iterable[_Block], pairs: _Pairs, shape: tuple[int, ...], ties: Ties, noun: str
) -> Ranks:
    """Count by blocks of rows.

    Args:
        shape: Q, N.
        noun: of a row, for messages.
    """
    better, tied, right = (np.empty(shape[0], np.int64) for _ in range(3))
    finite = np.empty(shape[0], bool)
    for first, block in blocks:
        if ties != "authors":
            _refuse_nan(block, first, noun)
        here = slice(first, first + len(block))
        own = slice(*np.searchsorted(pairs.rows, (first, first + len(block))))
        rows = pairs.rows[own] - first
        scores = block[rows, pairs.columns[own]]
        starts = np.searchsorted(rows, np.arange(len(block)))
        best = np.maximum.reduceat(scores, starts)
        better[here] = _count(block > best[:, None])
        tied[here] = _count(block == best[:, None])
        right[here] = np.add.reduceat(scores == best[rows], starts, dtype=np.int64)
        finite[here] = np.isfinite(best)
    num_answers = np.bincount(pairs.rows, minlength=shape[0])
    return _by_rule(ties, better, tied, right, finite, shape[1], num_answers)


def _count(found: NDArray[np.bool_]) -> NDArray[np.int64]:
    # Row by row numpy counts bits; along an axis it adds integers, in ten times the time.
    return np.fromiter(map(np.count_nonzero, found), np.int64, len(found))


def _refuse_nan(block: NDArray[np.generic], first: int, noun: str) -> None:
    # The maximum of a row that holds a NaN is one; it needs no table of its own.
    if block.dtype.kind != "f" or not block.size:
        return
    wrong = np.flatnonzero(np.isnan(block.max(axis=1)))
    if len(wrong):
        raise ValueError(f"{_named(wrong + first, noun)} of the scores: there is a NaN")


def _by_rule(
    ties: Ties,
    better: NDArray[np.int64],
    tied: NDArray[np.int64],
    right: NDArray[np.int64],
    finite: NDArray[np.bool_],
    num_candidates: int,
    num_answers: NDArray[np.int64],
) -> Ranks:
    one = np.ones(len(better), np.int64)
    counted = one
    match ties:
        case "optimistic":
            tied, right = one, one
        case "pessimistic":
            better, tied, right = better + tied - right, one, one
        case "authors":
            # It looks where the sorted row minus the answer's score is 0; of two infinities that
            # is no number.
            counted = np.where(finite, tied, 0)
            tied, right = np.maximum(tied, 1), one
    return Ranks(better, tied, right, num_candidates * one, num_answers, counted)


def joined(parts: Sequence[Ranks]) -> Ranks:
    """The ranks of several sets of queries as those of one."""
    empty = np.empty(0, np.int64)
    names = [field.name for field in fields(Ranks)]
    return Ranks(*(np.concatenate([empty, *(getattr(p, name) for p in parts)]) for name in names))


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 per cent interval.

    Attributes:
        value: of the sample itself.
    """

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """All of it lies on one side of 0."""
        return self.low > 0 or self.high < 0


def interval_over_videos(
    values: ArrayLike, video_of: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """The mean of a value over queries, with an interval from resampling videos.

    Args:
        values: (Q,), such as `Ranks.hits_at`.
        video_of: (Q,), the video of each query.
        seed: of the resampling; the same gives the same interval.

    Returns:
        The mean and the 2.5th and 97.5th percentiles of it. With one video the interval is the
        mean alone: nothing can be said about others.

    Raises:
        ValueError: no value, or not as many videos.
    """
    numbers, videos = np.asarray(values, np.float64), np.asarray(video_of)
    if numbers.shape != videos.shape or not len(numbers):
        raise ValueError(f"expected as many values as videos, got {len(numbers)}, {len(videos)}")
    own = np.unique(videos, return_inverse=True)[1]
    sums, counts = np.bincount(own, numbers), np.bincount(own)
    means = np.concatenate(
        [(times @ sums) / (times @ counts) for times in drawn_videos(len(sums), resamples, seed)]
    )
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(numbers.mean()), float(low), float(high))


def drawn_videos(videos: int, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Draw as many videos as there are, with replacement, again and again.

    Yields:
        Blocks (R, V), R resamples in each: how often each video is drawn.
    """
    rng = np.random.default_rng(seed)
    for first, last in _blocks(resamples, videos * 8, _DRAWN_BYTES):
        drawn = rng.integers(0, videos, (last - first, videos))
        drawn += videos * np.arange(last - first)[:, None]
        times = np.bincount(drawn.ravel(), minlength=drawn.size)
        yield times.reshape(drawn.shape).astype(np.float64)

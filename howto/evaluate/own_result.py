"""What `howto.evaluate.own` finds out, as records, JSON, and rows to print."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from howto.evaluate.moments import CRITERIA, KS, Found, MomentScores, Span
from howto.evaluate.ranks import Interval
from howto.evaluate.truth import KnownVideo, OwnQuery
from howto.records import Problem

__all__ = [
    "MAIN_CRITERION",
    "MAIN_K",
    "OwnPart",
    "OwnResult",
    "SignalScores",
    "SignalSet",
]

MAIN_CRITERION, MAIN_K = "centre", 5
"""By which sets of signals are compared: a right moment among those that a person sees at once."""


@dataclass(frozen=True, slots=True)
class SignalSet:
    """Signals that rank together.

    Attributes:
        signals: of `words`, `meaning` and `pictures`.
        model: whose pictures; None without them.
    """

    signals: tuple[str, ...]
    model: str | None = None

    def __str__(self) -> str:
        by = f" ({self.model})" if self.model else ""
        return " + ".join(self.signals) + by


@dataclass(frozen=True, slots=True, eq=False)
class SignalScores:
    """How well a set of signals answered.

    Attributes:
        hits: the first moments found of each query.
        scores: of all queries.
        by_kind: of the queries of each kind, where there are several kinds.
        over_words: how much more than words alone it finds, of the same queries; None for words,
            and where words were not asked.
    """

    signals: SignalSet
    hits: tuple[tuple[Span, ...], ...]
    scores: MomentScores
    by_kind: Mapping[str, MomentScores]
    over_words: Interval | None


@dataclass(frozen=True, slots=True, eq=False)
class OwnPart:
    """What was asked by one kind of truth.

    Attributes:
        truth: `queries` (of a file), `names` (chapters, tasks and titles) or `captions`.
        queries: in the order of every `SignalScores.hits`.
        results: of each set of signals, words first where they were asked.
    """

    truth: str
    queries: tuple[OwnQuery, ...]
    results: tuple[SignalScores, ...]

    @property
    def kinds(self) -> dict[str, int]:
        """How many queries there are of each kind."""
        return dict(Counter(query.kind for query in self.queries))

    def of(self, signals: SignalSet) -> SignalScores:
        """What a set of signals found. Raises KeyError where it was not asked."""
        for one in self.results:
            if one.signals == signals:
                return one
        raise KeyError(str(signals))


@dataclass(frozen=True, slots=True, eq=False)
class OwnResult:
    """How good search is on a library.

    Attributes:
        videos: that were searched, by id.
        trained_on: how many videos were left out because a model was trained on them.
        alike: how many more because they show the same pictures as one of those.
        not_drawn: how many more because only a share was wanted.
        queries_left_out: queries all of whose moments lie in videos that were left out.
        parts: one for each kind of truth.
        problems: rows of the file of queries that could not be asked.
        notes: sentences for a person.
    """

    videos: Mapping[str, KnownVideo]
    trained_on: int
    alike: int
    not_drawn: int
    queries_left_out: int
    parts: tuple[OwnPart, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """All figures as JSON values; recalls are fractions."""
        return {
            "benchmark": "own",
            "videos": len(self.videos),
            "left_out": {
                "trained_on": self.trained_on,
                "near_duplicates_of_these": self.alike,
                "not_drawn": self.not_drawn,
                "queries": self.queries_left_out,
            },
            "parts": [_part_json(part) for part in self.parts],
            "problems": [{"line": one.line, "what": one.what} for one in self.problems],
            "notes": list(self.notes),
        }

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """The header and the rows of a table: each signal's recalls with their intervals in per
        cent, and chance below them."""
        header = ("", "", *(criterion.name for criterion in CRITERIA))
        rows: list[tuple[str, ...]] = []
        for part in self.parts:
            rows.append((_told(part), *[""] * (len(header) - 1)))
            for one in part.results:
                rows += _rows(one)
        return header, rows

    def per_query(self) -> list[dict[str, Any]]:
        """One row for each query and set of signals, for a CSV: what was found first, and whether
        a right moment is among the first K."""
        return [
            row
            for part in self.parts
            for one in part.results
            for row in _query_rows(part, one, self.videos)
        ]


_PLURALS = {"query": "queries"}
_OWN_KINDS = ("query", "chapter", "task", "title", "caption")


def _told(part: OwnPart) -> str:
    kinds = ", ".join(_counted(count, kind) for kind, count in part.kinds.items())
    marks = {"names": " (names not searched)", "captions": " (pictures only)"}
    return kinds + marks.get(part.truth, "")


def _counted(count: int, kind: str) -> str:
    """Such as `3 titles`; a kind of a person's own stays as it is: `40 seen`."""
    if kind in _OWN_KINDS and count != 1:
        kind = _PLURALS.get(kind, f"{kind}s")
    return f"{count} {kind}"


def _rows(one: SignalScores) -> list[tuple[str, ...]]:
    """A set of signals: of all queries with chance, then of each kind."""
    rows = []
    for k in KS:
        found = [one.scores.found[criterion.name][k] for criterion in CRITERIA]
        name = str(one.signals) if k == KS[0] else ""
        rows.append((name, f"R@{k}", *map(_percent, found)))
        rows.append(("  chance", "", *(f"{100 * cell.chance:.1f}%" for cell in found)))
    for kind, scores in one.by_kind.items():
        for k in KS:
            found = [scores.found[criterion.name][k] for criterion in CRITERIA]
            name = f"  {_counted(scores.queries, kind)}" if k == KS[0] else ""
            rows.append((name, f"R@{k}", *map(_percent, found)))
    return rows


def _percent(found: Found) -> str:
    recall = found.recall
    return f"{100 * recall.value:.0f}% ({100 * recall.low:.0f}-{100 * recall.high:.0f})"


def _part_json(part: OwnPart) -> dict[str, Any]:
    return {
        "truth": part.truth,
        "kinds": part.kinds,
        "results": [
            {
                "signals": list(one.signals.signals),
                "model": one.signals.model,
                **one.scores.as_json(),
                "by_kind": {kind: scores.as_json() for kind, scores in one.by_kind.items()},
                "over_words": _gain_json(one.over_words),
            }
            for one in part.results
        ],
    }


def _gain_json(found: Interval | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "of": f"R@{MAIN_K} {MAIN_CRITERION}",
        "value": found.value,
        "low": found.low,
        "high": found.high,
    }


def _query_rows(
    part: OwnPart, one: SignalScores, videos: Mapping[str, KnownVideo]
) -> list[dict[str, Any]]:
    rows = []
    for place, query in enumerate(part.queries):
        first = one.hits[place][0] if one.hits[place] else None
        rows.append(
            {
                "truth": part.truth,
                "query": query.text,
                "kind": query.kind,
                "signals": "+".join(one.signals.signals),
                "model": one.signals.model or "",
                "video": videos[first.video].paths[0] if first else "",
                "start": round(first.start, 3) if first else "",
                "end": round(first.end, 3) if first else "",
                **{
                    f"{criterion.name} R@{k}": int(one.scores.found[criterion.name][k].right[place])
                    for criterion in CRITERIA
                    for k in KS
                },
            }
        )
    return rows

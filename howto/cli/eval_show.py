"""What `howto eval` shows, writes and draws of each kind of result."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from howto.cli.console import errors, output
from howto.cli.eval_tables import (
    moment_table,
    own_table,
    print_table,
    retrieval_table,
    step_table,
    task_table,
)
from howto.evaluate.benchmark import BenchmarkResult
from howto.evaluate.benchmarks.score import StepScores
from howto.evaluate.benchmarks.sets import MomentSet, RetrievalSet
from howto.evaluate.localise import Localisation
from howto.evaluate.moments import KS, MomentScores
from howto.evaluate.own_result import OwnResult
from howto.evaluate.published import RETRIEVAL, STEPS
from howto.evaluate.ranks import Ranks
from howto.evaluate.retrieval import Direction, RetrievalResult
from howto.search.phrases import counted

if TYPE_CHECKING:
    from howto.evaluate.best_signals import Choice
    from howto.evaluate.plot import Bar, RecallLine
    from howto.joint.opened import OpenedModel

__all__ = ["Report", "benchmark_report", "own_report", "scores_report"]


@dataclass(frozen=True, slots=True)
class Report:
    """One result, ready to be shown, written and drawn.

    Attributes:
        json: all figures as JSON values.
        rows: one for each query (of steps: each task), for a CSV.
        show: prints the tables.
        draw: writes the picture.
        is_partial: a part of what was asked for could not be scored.
    """

    json: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    show: Callable[[], None]
    draw: Callable[[Path], None]
    is_partial: bool = False

    def write_json(self, path: Path) -> None:
        """Write what --json prints."""
        path.write_text(json.dumps(self.json, indent=2) + "\n")

    def write_queries(self, path: Path) -> None:
        """Write a CSV with a header and a row for each query."""
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(self.rows[0]) if self.rows else [])
            writer.writeheader()
            writer.writerows(self.rows)


# --- retrieval ---


def scores_report(scores: Path, found: RetrievalResult) -> Report:
    """The report of a matrix of scores."""

    def show() -> None:
        output.print(_sizes(found))
        print_table(retrieval_table(found))
        _say_counts(found)

    def draw(path: Path) -> None:
        from howto.evaluate.plot import draw_recalls, line_of

        lines = [
            line_of("text to video", found.text_to_video),
            line_of("video to text", found.video_to_text),
            _chance_line(found.text_to_video),
        ]
        draw_recalls(lines, f"{scores.name}: {_sizes(found)}", path)

    value = {"scores": str(scores), **found.as_json()}
    ranks = _rank_rows(found.text_to_video.ranks)
    return Report(value, [{"query": n, **row} for n, row in enumerate(ranks)], show, draw)


def _sizes(found: RetrievalResult) -> str:
    ties = "" if found.ties == "average" else f", ties: {found.ties}"
    return f"{_many(found.queries, 'caption')}, {_many(found.candidates, 'clip')}{ties}"


def _many(count: int, noun: str) -> str:
    """Such as '1 clip' or '3,350 clips'."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _say_counts(found: RetrievalResult) -> None:
    """Say where figures do not count every caption and clip once."""
    there = int(found.text_to_video.ranks.counted.sum())
    if there != found.queries:
        _note(
            f"the published metric counts {there} queries here, not {found.queries}: a tie counts"
            " several times, an answer without a finite score not at all"
        )
    silent = found.candidates - len(found.video_to_text.ranks)
    if silent:
        _note(f"{counted(silent, 'clip')} without a caption can be found, and asks for nothing")


def _note(text: str) -> None:
    errors.print(f"Note: {text}")


def _rank_rows(ranks: Ranks) -> list[dict[str, Any]]:
    """The rank of each query by the rule of ties, and what it comes from."""
    return [
        {"rank": float(rank), "better": int(better), "tied": int(tied)}
        for rank, better, tied in zip(ranks.ranks, ranks.better, ranks.tied, strict=True)
    ]


def _chance_line(found: Direction) -> "RecallLine":
    from howto.evaluate.plot import CURVE_KS, RecallLine

    chances = [found.ranks.chance_at(k) for k in CURVE_KS]
    return RecallLine("chance", CURVE_KS, chances, is_chance=True)


# --- benchmarks ---


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the kinds of benchmark have in common."""

    show: Callable[[], None]
    rows: Sequence[Mapping[str, Any]]
    draw: Callable[[Path], None]
    published: Sequence[Any] = ()


def benchmark_report(result: BenchmarkResult, model: "OpenedModel") -> Report:
    """The report of a benchmark, beside what was published of it."""
    title = f"{result.benchmark} {result.split}".strip()
    scores = result.scores
    if isinstance(scores, RetrievalResult):
        parts = _retrieval(result, scores, title, _trained_on(model))
    elif isinstance(scores, StepScores):
        parts = _steps(result, scores, title, _trained_on(model))
    else:
        parts = _moments(result, scores, title)

    def show() -> None:
        seen = "the features in its files" if result.from_features else "the library's features"
        sizes = f", {_sizes(scores)}" if isinstance(scores, RetrievalResult) else ""
        of = counted(result.videos, "video")
        output.print(f"{title}, by {seen}: {of}{sizes}")
        parts.show()
        _say_left_out(result)

    value = {
        **result.as_json(),
        "lost_videos": [
            {"video": one.video_id, "reason": one.reason, "detail": one.detail}
            for one in result.lost
        ],
        "published": [asdict(row) for row in parts.published],
    }
    return Report(value, parts.rows, show, parts.draw, bool(result.lost))


def _trained_on(model: "OpenedModel") -> str:
    if model.kind == "ready":
        return "see its makers"
    return counted(len(model.trained_on), "video")


def _say_left_out(result: BenchmarkResult) -> None:
    if result.shared:
        _note(
            f"{counted(len(result.shared), 'video')} left out, because the model was trained on"
            f" them, such as {result.shared[0]}"
        )
    reasons = Counter(one.reason for one in result.lost)
    for reason, count in reasons.items():
        example = next(one for one in result.lost if one.reason == reason)
        _note(f"{count} not scored, {reason}; such as {example.video_id}: {example.detail}")
    if "no_features" in reasons:
        _note("--extract makes the features that the model lacks")
    for note in result.notes:
        _note(note)


def _retrieval(
    result: BenchmarkResult, scores: RetrievalResult, title: str, trained_on: str
) -> _Parts:
    published = RETRIEVAL.get((result.benchmark, result.split), ())

    def draw(path: Path) -> None:
        from howto.evaluate.plot import draw_recalls, line_of, published_line

        ours = line_of(f"{result.model}, here", scores.text_to_video)
        theirs = [published_line(row) for row in published if row.year is not None]
        lines = [ours, *theirs, _chance_line(scores.text_to_video)]
        draw_recalls(lines, f"{title}: text to video", path)

    rows = []
    if isinstance(result.scored, RetrievalSet):
        clips = [result.scored.clips[number] for number in result.scored.answers]
        rows = [
            {"caption": caption, "clip": clip.name, "video": clip.video, **row}
            for caption, clip, row in zip(
                result.scored.captions, clips, _rank_rows(scores.text_to_video.ranks), strict=True
            )
        ]

    def show() -> None:
        table = partial(retrieval_table, scores, result.model, trained_on, published)
        print_table(table(), partial(table, narrow=True))
        _say_counts(scores)

    return _Parts(show, rows, draw, published)


def _steps(result: BenchmarkResult, scores: StepScores, title: str, trained_on: str) -> _Parts:
    published = STEPS.get((result.benchmark, result.split), ())

    def draw(path: Path) -> None:
        from howto.evaluate.plot import Bar, draw_bars

        bars = [
            _step_bar(f"{result.model}, here: ordered", scores.ordered),
            _step_bar(f"{result.model}, here: free", scores.free),
            *(Bar(f"{row.name}: {row.trained_on}", row.recall / 100) for row in published),
        ]
        draw_bars(bars, f"{title}: recall of steps, mean over tasks", path)

    rows = [
        {
            "task": task.task,
            "videos": task.videos,
            "present": task.present,
            **{
                f"{way} {name}": value
                for way, one in (("ordered", task), ("free", free))
                for name, value in (
                    ("matched", one.matched),
                    ("recall", one.recall),
                    ("chance", one.chance),
                )
            },
        }
        for task, free in zip(scores.ordered.tasks, scores.free.tasks, strict=True)
    ]

    def show() -> None:
        print_table(step_table(scores, result.model, trained_on, published))
        output.print()
        print_table(task_table(scores.ordered))

    return _Parts(show, rows, draw, published)


def _step_bar(name: str, found: Localisation) -> "Bar":
    from howto.evaluate.plot import Bar

    recall = found.recall
    return Bar(name, recall.value, recall.low, recall.high, found.chance, is_ours=True)


def _moments(result: BenchmarkResult, scores: MomentScores, title: str) -> _Parts:
    def draw(path: Path) -> None:
        from howto.evaluate.plot import draw_bars, moment_bars

        draw_bars(moment_bars(scores), f"{title}, {result.model}", path)

    rows = []
    if isinstance(result.scored, MomentSet):
        rows = [
            {"query": query.query, "video": query.video, **_right(scores, number)}
            for number, query in enumerate(result.scored.queries)
        ]
    return _Parts(lambda: print_table(moment_table(scores, result.model)), rows, draw)


def _right(scores: MomentScores, number: int) -> dict[str, int]:
    """Whether a right moment is among the first K, by each criterion, of one query."""
    return {
        f"{name} R@{k}": int(by_k[k].right[number])
        for name, by_k in scores.found.items()
        for k in KS
    }


# --- own videos ---


def own_report(found: OwnResult, choice: "Choice | None" = None) -> Report:
    """The report of a library's own videos.

    Args:
        choice: of signals, which was made by it for the library.
    """

    def show() -> None:
        output.print(f"{counted(len(found.videos), 'video')} searched")
        print_table(own_table(*found.table()), lambda: own_table(*found.table(), narrow=True))
        left_out = (
            (found.trained_on, "because a model was trained on them"),
            (found.alike, "because they show the same pictures as one of those"),
            (found.not_drawn, "because only a share was wanted"),
        )
        for number, why in left_out:
            if number:
                _note(f"{counted(number, 'video')} left out, {why}")
        if found.queries_left_out:
            silent = found.queries_left_out
            many = "1 query" if silent == 1 else f"{silent} queries"
            _note(f"not asked, for what is asked for lies there: {many}")
        for note in found.notes:
            _note(note)
        if choice is not None:
            _note(choice.told)
        for problem in found.problems:
            errors.print(f"Failed: line {problem.line}: {problem.what}")

    def draw(path: Path) -> None:
        from howto.evaluate.plot import draw_own

        draw_own(found, path)

    value = found.as_json() | ({"choice": asdict(choice)} if choice else {})
    return Report(value, found.per_query(), show, draw, bool(found.problems))

"""What the page says of the library as a whole: how much there is, how each stage ended, and why
not better."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from howto.extract.store import feature_sets
from howto.library import Library
from howto.records import Outcome, Stage, State
from howto.search.phrases import named
from howto.serve.settings import Settings
from howto.serve.videos import shown_paths

__all__ = ["overview"]

_MOST_LISTED = 100
"""Videos named for each reason, and lines of captions; the counts are whole."""


def overview(library: Library, settings: Settings) -> dict[str, Any]:
    """The library in figures. Outcomes are those of the videos inside the served folder; the counts
    are of the whole library."""
    shown = set(shown_paths(library, settings.folder).values())
    outcomes = [one for one in library.outcomes() if shown.intersection(one.paths)]
    problems = [one for one in library.problems() if one[0] in shown]
    return {
        "folder": named(settings.folder.name or str(settings.folder)),
        "counts": {name: round(count, 3) for name, count in library.counts().items()},
        "stages": _stages(outcomes),
        "failures": _by_reason(one for one in outcomes if one.state == State.FAILED),
        "skipped": _by_reason(one for one in outcomes if one.state == State.SKIPPED),
        "features": [
            {"backbone": one.backbone, "set": one.recipe.short, "tally": dict(tally)}
            for one, tally in feature_sets(library)
        ],
        "collecting": library.collecting(),
        "caption_problems": {
            "total": len(problems),
            "listed": [
                {"source": named(source), "line": problem.line, "what": problem.what}
                for _, source, problem in problems[:_MOST_LISTED]
            ],
        },
    }


def _stages(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """How many videos ended how, for every stage that any came to, in order."""
    tally = Counter((one.stage, one.state) for one in outcomes)
    met = {stage for stage, _ in tally}
    return [
        {"stage": stage.value, **{state.value: tally[stage, state] for state in State}}
        for stage in Stage
        if stage in met
    ]


def _by_reason(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """Most frequent reason first, with its videos."""
    groups: dict[tuple[str, str, str], list[Outcome]] = {}
    for one in outcomes:
        if one.reason is not None:
            key = (one.stage, one.reason.value, one.reason.meaning)
            groups.setdefault(key, []).append(one)
    return [
        {
            "stage": stage,
            "reason": reason,
            "meaning": meaning,
            "total": len(group),
            "videos": [
                {"video_id": one.video_id, "name": named(one.paths[0]), "detail": one.detail}
                for one in group[:_MOST_LISTED]
            ],
        }
        for (stage, reason, meaning), group in sorted(groups.items(), key=lambda one: -len(one[1]))
    ]

"""Which signals a search should take by itself: those that are best on the library's own videos.

    choice = best_signals(library, [open_model(library, "main"), open_model(library, "clip")])
    print(choice.signals, choice.model, choice.reason)

Words are taken, and pictures beside or instead of them only where they find clearly more: the 95
per cent interval of the paired difference in R@5 (the middle of a hit inside a true moment) lies
above 0. A run of the library is taken only if it clearly beats every ready model, in the same way.

The truth is a file of queries, else chapters, tasks and titles. Where there is none of that, models
are compared by lines of narration, on pictures alone; the best is taken beside words if it finds
clearly more than chance. Where nothing can be measured, it is words.

What was found out is kept in the library until its videos, their words, the queries or the models
change, and plain searches take it (`howto.search.choice`). Where nothing could be measured they
stay as they were.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from howto.errors import UsageError
from howto.evaluate.moments import gain, interval_over_groups
from howto.evaluate.near_duplicates import RECIPE as HASHES
from howto.evaluate.own import evaluate_own
from howto.evaluate.own_result import (
    MAIN_CRITERION,
    MAIN_K,
    OwnPart,
    OwnResult,
    SignalScores,
    SignalSet,
)
from howto.evaluate.ranks import Interval
from howto.evaluate.truth import known_videos, library_queries, read_queries
from howto.library import Library
from howto.recipe import Recipe
from howto.search.choice import SignalChoice, remember

if TYPE_CHECKING:
    from howto.joint.opened import OpenedModel

__all__ = ["Choice", "best_signals", "chosen", "keep_chosen"]

SETTING = "best-signals"
LEAST_QUERIES = 10
"""Fewer prove nothing, whatever their interval says."""

_VERSION = 1  # of the rule; another one is measured anew
_WORDS = SignalSet(("words",))
_SCORE = f"R@{MAIN_K}"


@dataclass(frozen=True, slots=True)
class Choice:
    """The signals to search by.

    Attributes:
        signals: `words`, or `words` and `pictures`, or `pictures`.
        model: whose pictures; None without them.
        reason: why, in words for a person.
        measured: it was measured; False: there was nothing to measure with, so plain searches stay
            as they were.
    """

    signals: tuple[str, ...]
    model: str | None
    reason: str
    measured: bool

    @property
    def told(self) -> str:
        """What it means for plain searches, for a person."""
        if self.measured:
            return f"a plain search of this library now takes {self.reason}"
        return f"what a plain search of this library takes stays as it was: {self.reason}"


def best_signals(
    library: Library,
    models: "Sequence[OpenedModel]" = (),
    *,
    queries: Path | None = None,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> Choice:
    """Choose the signals for a library, from what was kept or by measuring.

    Args:
        models: opened, those whose features the library has; of equally good ones the first.
        queries: a CSV of queries; see `howto.evaluate.truth`.
        on_progress: as for `howto.evaluate.own.evaluate_own`.

    Raises:
        UsageError: the file of queries is none.
    """
    if not models:
        return Choice(("words",), None, "there is no model of pictures to search by", False)
    kept = json.loads(library.setting(SETTING) or "{}")
    if kept.get("recipe") == _recipe(library, models, queries).short:
        return Choice(**{**kept["choice"], "signals": tuple(kept["choice"]["signals"])})
    return _kept(library, models, queries, _measured(library, models, queries, on_progress))


def keep_chosen(
    library: Library,
    result: OwnResult,
    models: "Sequence[OpenedModel]",
    *,
    queries: Path | None = None,
) -> Choice:
    """Choose by a result that is there already, and keep that: plain searches take it, if it was
    measured.

    Args:
        models, queries: what the result is of; at least one model.
    """
    return _kept(library, models, queries, chosen(result, models))


def _kept(
    library: Library, models: "Sequence[OpenedModel]", queries: Path | None, choice: Choice
) -> Choice:
    """Keep a choice with what it was measured on; if it was, let plain searches have it."""
    recipe = _recipe(library, models, queries)
    told = json.dumps({"recipe": recipe.short, "choice": asdict(choice)})
    with library.writing():
        library.put_setting(SETTING, told)
        if choice.measured:
            as_measured = [one.recipe.short for one in models if one.name == choice.model]
            remember(
                library,
                SignalChoice(choice.signals, choice.model, choice.reason, *as_measured[:1]),
            )
    return choice


_STANDING = (
    "SELECT count(*), total(clip), total(start), total(length(caption)) FROM clips",
    "SELECT count(*), total(start), total(length(title)) FROM chapters",
    "SELECT count(*), total(duration), total(length(title)) FROM videos JOIN files USING (number)",
    "SELECT count(*), total(candidate), total(task) FROM hits",
)


def _recipe(library: Library, models: "Sequence[OpenedModel]", queries: Path | None) -> Recipe:
    """All that decides: the queries, what the library says as far as sums show it, the models.

    Quick, for it is asked before every search.
    """
    asked = read_queries(queries, known_videos(library))[0] if queries else []
    return Recipe.of(
        what=SETTING,
        version=_VERSION,
        queries=[asdict(one) for one in asked],
        library=[library.connection.execute(sums).fetchone() for sums in _STANDING],
        hashes=HASHES,
        models=[[model.name, model.recipe.short] for model in models],
    )


def _measured(
    library: Library,
    models: "Sequence[OpenedModel]",
    queries: Path | None,
    on_progress: Callable[[int, int, str], None] | None,
) -> Choice:
    has_truth = bool(queries or library_queries(library, known_videos(library)))
    try:
        result = evaluate_own(
            library, models, queries=queries, captions=not has_truth, on_progress=on_progress
        )
    except UsageError as error:  # the file was read before: nothing is left to ask
        return _words_for_want(str(error))
    return chosen(result, models)


def chosen(result: OwnResult, models: "Sequence[OpenedModel]") -> Choice:
    """What a result says is best; the rule is that of the module.

    Args:
        models: those that were evaluated.
    """
    part = result.parts[0]
    if not models:
        return Choice(("words",), None, "words alone were measured", False)
    if len(part.queries) < LEAST_QUERIES:
        return _words_for_want(f"of {LEAST_QUERIES} queries needed there {_are(len(part.queries))}")
    ready = [model.name for model in models if model.kind == "ready"]
    return _by_captions(part, ready) if part.truth == "captions" else _beside_words(part, ready)


def _are(count: int) -> str:
    return "is 1" if count == 1 else f"are {count}"


def _words_for_want(why: str) -> Choice:
    return Choice(("words",), None, f"nothing to measure pictures with: {why}", False)


def _beside_words(part: OwnPart, ready: Sequence[str]) -> Choice:
    """The best set of those that find clearly more than words."""
    words = part.of(_WORDS)
    kinds = "" if list(part.kinds) == ["query"] else f" ({', '.join(part.kinds)})"
    asked = f"{len(part.queries)} queries{kinds}"
    # Meaning is searched when it is asked for: it imports torch.
    rivals = [one for one in part.results if one.signals.model is not None and _is_quick(one)]
    better = [one for one in rivals if one.over_words and one.over_words.low > 0]
    better.sort(key=lambda one: -_value(one))
    fit = [one for one in better if _beats_ready(one, part, ready)]
    if not fit:
        best = max(rivals, key=_value)
        why = (
            f"words alone: on {asked} {best.signals} finds {_told(best)} in {_SCORE}, words "
            f"{_told(words)}, {_difference(best.over_words)}"
        )
        if better:
            why += "; a run is taken only where it clearly beats the ready models"
        return Choice(("words",), None, why, True)
    best = fit[0]
    reason = (
        f"{best.signals}: on {asked} it finds {_told(best)} in {_SCORE}, words alone "
        f"{_told(words)}, {_difference(best.over_words)}"
    )
    return Choice(best.signals.signals, best.signals.model, reason, True)


def _by_captions(part: OwnPart, ready: Sequence[str]) -> Choice:
    """The best model by pictures alone, where it finds clearly more than chance."""
    asked = f"{len(part.queries)} lines of narration, by pictures alone"
    by_recall = sorted(part.results, key=lambda one: -_value(one))
    for one in by_recall:
        found = one.scores.found[MAIN_CRITERION][MAIN_K]
        over = interval_over_groups(found.right - found.chance, one.scores.groups)
        if over.low > 0 and _beats_ready(one, part, ready):
            reason = (
                f"words + {one.signals}: on {asked}, it finds {_told(one)} in {_SCORE}, chance "
                f"{100 * found.chance:.1f}%"
            )
            return Choice(("words", "pictures"), one.signals.model, reason, True)
    best = by_recall[0]
    chance = best.scores.found[MAIN_CRITERION][MAIN_K].chance
    why = f"words alone: on {asked}, {best.signals} finds {_told(best)}, chance {100 * chance:.1f}%"
    return Choice(("words",), None, f"{why}: not clearly more", True)


def _beats_ready(one: SignalScores, part: OwnPart, ready: Sequence[str]) -> bool:
    """Whether a set is of a ready model, or finds clearly more than each with a ready model."""
    if one.signals.model in ready:
        return True
    rivals = (part.of(replace(one.signals, model=name)) for name in ready)
    return all(
        gain(one.scores, rival.scores, criterion=MAIN_CRITERION, k=MAIN_K).low > 0
        for rival in rivals
    )


def _is_quick(one: SignalScores) -> bool:
    return "meaning" not in one.signals.signals


def _value(one: SignalScores) -> float:
    return one.scores.found[MAIN_CRITERION][MAIN_K].recall.value


def _told(one: SignalScores) -> str:
    return f"{100 * _value(one):.0f}%"


def _difference(found: Interval | None) -> str:
    if found is None:
        return "not compared"
    low, high = 100 * found.low, 100 * found.high
    clear = "clearly more" if found.low > 0 else "not clearly more"
    return f"a difference of {100 * found.value:+.0f} points ({low:+.0f} to {high:+.0f}): {clear}"

"""Which signals rank a search, and keeping them open for the next one.

words      the narration's words, chapters, titles and names (`howto.search.words`)
meaning    the narration by a sentence encoder (`howto.search.meaning`); when asked for
pictures   what is seen, by a joint model (`howto.search.pictures`)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from howto.errors import UsageError
from howto.joint.kept import KeptModels
from howto.library import Library
from howto.recipe import Recipe
from howto.search.choice import remembered
from howto.search.meaning import Meaning, open_meaning
from howto.search.phrases import shown
from howto.search.pictures import Pictures, models_in_use, open_pictures
from howto.search.vector_signal import VectorSignal

if TYPE_CHECKING:
    from howto.joint.opened import OpenedModel

__all__ = [
    "AUTO",
    "NO_MODEL",
    "SIGNALS",
    "Chosen",
    "Opened",
    "as_measured",
    "check_signals",
    "choose_signals",
]

SIGNALS = ("words", "meaning", "pictures")
AUTO, NO_MODEL = "auto", "none"


@dataclass(frozen=True, slots=True)
class Chosen:
    """Signals, and why these.

    Attributes:
        model: whose pictures; None without them.
        why: one sentence where howto chose; '' where the person did.
        notes: what the person should know about the choice.
        recipe: what the model was when it was chosen, the short form of its recipe; '' where it
            was not measured.
    """

    signals: tuple[str, ...]
    model: str | None = None
    why: str = ""
    notes: tuple[str, ...] = ()
    recipe: str = ""


def check_signals(by: Sequence[str] | None, model: str, *, by_picture: bool) -> None:
    """Refuse signals and models that contradict each other.

    Args:
        by: the signals asked for; None: whichever are best.
        model: a name, `auto` or `none`.
        by_picture: the query holds a picture.

    Raises:
        UsageError: with what was expected.
    """
    if by is not None:
        unknown = [name for name in by if name not in SIGNALS]
        if unknown or not by:
            raise UsageError(
                f"cannot search by {', '.join(unknown) or 'nothing'}. "
                f"Signals there are: {', '.join(SIGNALS)}"
            )
        if "pictures" in by and model == NO_MODEL:
            raise UsageError("--by pictures and --model none contradict each other")
        if "pictures" not in by and model not in (AUTO, NO_MODEL):
            raise UsageError(
                f"--model {model} says whose pictures rank; add pictures to --by {','.join(by)}"
            )
        if "pictures" not in by and by_picture:
            raise UsageError(f"--like needs pictures; add them to --by {','.join(by)}")
    if model == NO_MODEL and by_picture:
        raise UsageError("--like needs a model: leave --model none out")


def choose_signals(
    library: Library,
    by: Sequence[str] | None,
    model: str = AUTO,
    *,
    text: bool = True,
    by_picture: bool = False,
    folder: Path | None = None,
) -> Chosen:
    """Say which signals rank. Nothing is measured here: what was measured before is remembered.

    Args:
        by, model, by_picture: as for `check_signals`.
        text: the query holds words.
        folder: as it was typed, for the commands that notes name; None: the library's.

    Raises:
        UsageError: they contradict each other, or it cannot be told which model is meant.
    """
    check_signals(by, model, by_picture=by_picture)
    signals = tuple(dict.fromkeys(by)) if by is not None else None
    if by_picture and signals is None:
        signals = ("words", "pictures") if text else ("pictures",)
    if not text and signals is not None:
        signals = tuple(name for name in signals if name == "pictures")
    if model == NO_MODEL:
        return Chosen(signals or ("words",))
    if model != AUTO:
        return Chosen(signals or ("words", "pictures"), model)
    if signals is None:
        return _best(library, folder or library.folder)
    if "pictures" not in signals:
        return Chosen(signals)
    return Chosen(signals, _the_model(library))


def _best(library: Library, folder: Path) -> Chosen:
    """What was measured to be best; words where nothing was."""
    used = models_in_use(library)
    choice = remembered(library)
    if choice is None:
        note = (
            "searched by words alone: which signals are best here was not measured yet. "
            f"Measure: {_to_measure(folder, used)}, or name a model: "
            f"--model {'|'.join(map(quote, used))}"
        )
        return Chosen(("words",), notes=(note,) if used else ())
    if choice.model is not None and choice.model not in used:
        note = (
            f"searched by words alone: {choice.model}, which was measured to be best, is no longer "
            f"here{f'. Measure: {_to_measure(folder, used)}' if used else ''}"
        )
        return Chosen(("words",), notes=(note,))
    return Chosen(choice.signals, choice.model, choice.why, recipe=choice.recipe)


def as_measured(library: Library, chosen: Chosen, now: Recipe, folder: Path) -> Chosen:
    """The same, or words where the model is no longer what was measured: it learned anew, or sees
    other features.

    Args:
        now: the model's recipe.
        folder: as for `choose_signals`.
    """
    if chosen.recipe in ("", now.short):
        return chosen
    note = (
        f"searched by words alone: {chosen.model} has changed since it was measured to be best. "
        f"Measure again: {_to_measure(folder, models_in_use(library))}"
    )
    return Chosen(("words",), notes=(*chosen.notes, note))


def _to_measure(folder: Path, models: Sequence[str]) -> str:
    """The command that measures, as it has to be typed: without a model it chooses nothing.

    Args:
        models: at least one.
    """
    named = " ".join(f"--model {quote(model)}" for model in models)
    return (
        f"howto eval --benchmark own -L {shown(folder)} {named} (and --queries FILE.csv, "
        "if you have queries)"
    )


def _the_model(library: Library) -> str:
    """The model that must be meant."""
    choice = remembered(library)
    used = models_in_use(library)
    if choice is not None and choice.model in used:
        return str(choice.model)
    if len(used) == 1:
        return used[0]
    if not used:
        raise UsageError(
            "searching by pictures needs a model: train one (howto train), or name a ready one, "
            "--model NAME; howto models lists them"
        )
    raise UsageError(f"which model is meant? Name one: --model {'|'.join(used)}")


@dataclass(slots=True)
class Opened:
    """Signals kept open from one search to the next, for a process that answers many.

    Each call brings them up to date with the library; what did not change stays loaded. One object
    serves one library, and one thread at a time.

    Attributes:
        models: those of pictures.
    """

    models: KeptModels = field(default_factory=KeptModels)
    # Of the models that are kept: an index goes when its model does.
    _pictures: WeakKeyDictionary["OpenedModel", VectorSignal] = field(
        default_factory=WeakKeyDictionary
    )
    _meaning: list[Meaning] = field(default_factory=list)

    def pictures(
        self,
        library: Library,
        model: "OpenedModel",
        on_progress: Callable[[int, int, str], None] | None = None,
        on_wait: Callable[[], None] | None = None,
        wait: float | None = None,
    ) -> Pictures:
        """The pictures signal of one of `models`, up to date; raises as `open_pictures`."""
        found = open_pictures(
            library,
            model.name,
            model=model,
            before=self._pictures.get(model),
            on_progress=on_progress,
            on_wait=on_wait,
            wait=wait,
        )
        self._pictures[model] = found.signal
        return found

    def meaning(
        self,
        library: Library,
        on_progress: Callable[[int, int, str], None] | None = None,
        on_wait: Callable[[], None] | None = None,
        wait: float | None = None,
    ) -> Meaning:
        """The meaning signal, up to date; raises as `open_meaning`."""
        found = open_meaning(
            library,
            device=self.models.device,
            before=self._meaning[0] if self._meaning else None,
            on_progress=on_progress,
            on_wait=on_wait,
            wait=wait,
        )
        self._meaning[:] = [found]
        return found

"""Which model is meant where none is named: the best one measured, or the one that there is."""

from dataclasses import dataclass

from howto.errors import UsageError
from howto.joint.known import known_models
from howto.joint.places import what_there_is
from howto.library import Library
from howto.search.choice import remembered

__all__ = ["ChosenModel", "chosen_model", "only_model"]


@dataclass(frozen=True, slots=True)
class ChosenModel:
    """A model that nobody named.

    Attributes:
        why: it is this one, in words that fit after its name.
    """

    name: str
    why: str


def only_model(library: Library | None) -> str:
    """The name of the model that `chosen_model` takes."""
    return chosen_model(library).name


def chosen_model(library: Library | None) -> ChosenModel:
    """The model that was found to be best here, else the only run, else the only ready model whose
    weights are here.

    Raises:
        UsageError: there is none, or there are several; the message names them.
    """
    there = [one for one in known_models(library) if one.is_here]
    best = None if library is None else remembered(library)
    if best is not None and best.model in {one.name for one in there}:
        return ChosenModel(str(best.model), "which was measured to be the best here")
    runs = [one.name for one in there if one.kind == "run"]
    names = runs or [one.name for one in there]
    if len(names) == 1:
        others = "the one run that there is" if len(there) > 1 else "the one that there is"
        return ChosenModel(names[0], others)
    if names:
        raise UsageError(f"which model? Name one: --model {' or --model '.join(names)}")
    raise UsageError(
        f"there is no model to see videos by. {what_there_is(library)}; "
        "`howto models fetch NAME` gets the weights of a ready one"
    )

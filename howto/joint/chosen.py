"""Which model is meant where none is named: the one that there is."""

from howto.errors import UsageError
from howto.joint.known import known_models
from howto.joint.places import what_there_is
from howto.library import Library
from howto.search.choice import remembered

__all__ = ["only_model"]


def only_model(library: Library | None) -> str:
    """The name of the model that was found to be best here, else of the only run, else of the only
    ready model whose weights are here.

    Raises:
        UsageError: there is none, or there are several; the message names them.
    """
    there = [one for one in known_models(library) if one.is_here]
    best = None if library is None else remembered(library)
    if best is not None and best.model in {one.name for one in there}:
        return str(best.model)
    runs = [one.name for one in there if one.kind == "run"]
    names = runs or [one.name for one in there]
    if len(names) == 1:
        return names[0]
    if names:
        raise UsageError(f"which model? Name one: --model {' or --model '.join(names)}")
    raise UsageError(
        f"there is no model to see videos by. {what_there_is(library)}; "
        "`howto models fetch NAME` gets the weights of a ready one"
    )

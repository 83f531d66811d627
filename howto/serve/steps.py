"""The steps of a list in one video as the page draws them: `howto.joint.locate` at an address."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from howto.errors import UsageError
from howto.joint.kept import KeptModels
from howto.library import Library
from howto.serve.answers import check_model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


__all__ = ["MOST_BYTES", "StepFinder", "read_list"]

MOST_BYTES = 64 << 10
_MOST_STEPS = 100
_MOST_CHARACTERS = 300  # of one step
_COLUMNS = 160  # of a strip: what a phone can still show


def read_list(body: bytes) -> list[str]:
    """Read `{"steps": ["lay it flat", ...]}`; empty ones are left out.

    Raises:
        UsageError: it is something else, or too much.
    """
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:  # thousands of brackets in each other
        raise UsageError('expected JSON such as {"steps": ["lay the shirt flat"]}') from error
    steps = said.get("steps") if isinstance(said, dict) else None
    if not isinstance(steps, list) or not all(isinstance(one, str) for one in steps):
        raise UsageError('expected JSON such as {"steps": ["lay the shirt flat"]}')
    steps = [one.strip() for one in steps if one.strip()]
    if not 0 < len(steps) <= _MOST_STEPS:
        raise UsageError(f"{len(steps)} steps; name 1 to {_MOST_STEPS}")
    if any(len(one) > _MOST_CHARACTERS for one in steps):
        raise UsageError(f"a step of more than {_MOST_CHARACTERS} characters")
    return steps


class StepFinder:
    """Finds steps by models that are kept open: one object serves one thread."""

    def __init__(self, models: KeptModels) -> None:
        self._models = models

    def find(
        self, library: Library, video_id: str, steps: Sequence[str], name: str, *, ordered: bool
    ) -> dict[str, Any]:
        """Give each step a second of the video.

        Args:
            name: of the model; '' for the one that there is.

        Raises:
            UsageError: there is no such model, or several could be meant.
            ItemError: NO_FEATURES, or as `howto.joint.locate.locate_steps`.
        """
        from howto.joint.chosen import only_model
        from howto.joint.locate import locate_steps

        check_model(library, name)
        model = self._models.opened(library, name or only_model(library))
        found = locate_steps(library, model, video_id, steps, ordered=ordered)
        return {
            "model": found.model,
            "ordered": found.ordered,
            "was_trained_on": found.was_trained_on,
            "seconds": found.scores.shape[1],
            "steps": [
                {
                    "number": step.number,
                    "text": step.text,
                    "second": step.second,
                    "score": round(step.score, 4),
                    "share_below": round(step.share_below, 4),
                    "note": step.note,
                    "strip": _strip(row),
                }
                for step, row in zip(found.steps, found.scores, strict=True)
            ],
        }


def _strip(scores: "NDArray[np.float32]") -> list[float]:
    """The scores over time as shares of the step's own range, the highest of each stretch."""
    import numpy as np

    span = float(np.ptp(scores)) or 1.0
    levels = (scores - scores.min()) / span
    edges = np.linspace(0, len(levels), min(_COLUMNS, len(levels)) + 1).astype(int)
    return [round(float(level), 2) for level in np.maximum.reduceat(levels, edges[:-1])]

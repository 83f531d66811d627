"""Where a video shows each step of a list: every second against every step, then an assignment.

    from howto.joint.locate import locate_steps, read_steps

    found = locate_steps(library, open_model(library, "main"), video_id, read_steps(path))

The same assignment that `howto eval --benchmark crosstask` judges (`howto.evaluate.localise`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf, isinf
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from howto.errors import ItemError, Reason, UsageError
from howto.evaluate.localise import assign_free, assign_ordered
from howto.joint.opened import OpenedModel
from howto.joint.windows import second_spans
from howto.library import Library
from howto.search.phrases import clock

__all__ = ["Located", "PlacedStep", "locate_steps", "placed", "read_steps", "seconds_seen"]

_MARKED = re.compile("([-*+\u2022\u2013]\\s+)?(\\d+\\s*[.):]\\s+)?")  # a bullet, a number, or both
_LONGEST_LIST = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class PlacedStep:
    """One step, and the second of the video that it was given.

    Attributes:
        number: of the step, from 1.
        second: it covers second .. second + 1.
        score: dot product of the step and that second.
        share_below: the share of the video's seconds that score lower for this step; near 1 where
            it stands out.
        best_second: where this step alone would be placed.
        rival: number of the step that scores higher than this one at that second; None: this one
            scores highest.
        is_known: the model knows a word of it; otherwise the score says nothing.
    """

    number: int
    text: str
    second: int
    score: float
    share_below: float
    best_second: int
    rival: int | None
    is_known: bool

    @property
    def note(self) -> str:
        """What speaks against the place, in words; '' where nothing does."""
        if not self.is_known:
            return "the model knows no word of it"
        notes = []
        if self.best_second != self.second:
            notes.append(f"best at {clock(self.best_second)}, out of order")
        if self.rival is not None:
            notes.append(f"step {self.rival} scores higher here")
        return "; ".join(notes)


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """The steps of a list in one video.

    Attributes:
        model: its name.
        ordered: the steps were kept in their order.
        was_trained_on: the model was trained on this very video.
        steps: in the order of the list.
        scores: float32 (S, T), of each step at each second.
    """

    video_id: str
    model: str
    ordered: bool
    was_trained_on: bool
    steps: tuple[PlacedStep, ...]
    scores: NDArray[np.float32]


def read_steps(path: Path) -> list[str]:
    """Read a list of steps, one a line; empty lines are dropped, and so are bullets and numbers in
    front of them, such as `- ` and `2.`.

    Raises:
        UsageError: the file cannot be read as text, or holds no step.
    """
    try:
        if path.stat().st_size > _LONGEST_LIST:
            raise UsageError(f"{path} is too long for a list of steps, one a line")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"the list of steps {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path}: byte {error.start} is no UTF-8; expected steps as text"
        ) from error
    lines = (_MARKED.sub("", line.strip(), count=1).strip() for line in text.splitlines())
    if steps := [line for line in lines if line]:
        return steps
    raise UsageError(f"{path} holds no step; expected one a line")


def seconds_seen(
    library: Library, model: OpenedModel, video_id: str, start: float = 0.0, end: float = inf
) -> NDArray[np.float64]:
    """The seconds of a stretch of a video in which the model has something to see.

    Args:
        start, end: of the stretch, seconds; the default is the whole video.

    Returns:
        float64 (T, 2), as `second_spans` from `start` on: none begins after the stretch, the file
        or the model's features have ended, where nothing would be compared with the steps.

    Raises:
        ItemError: NO_FEATURES, also where neither the file nor the features say how long the video
            is.
    """
    info = library.info(video_id)
    if info is not None and info.duration > 0:
        end = min(end, info.duration)
    end = min(end, model.seen_until(library, video_id))
    if isinf(end):
        raise ItemError(
            Reason.NO_FEATURES, f"one feature for all of {video_id}, and nobody knows its length"
        )
    return second_spans(max(ceil(end - start), 0), start)


def locate_steps(
    library: Library,
    model: OpenedModel,
    video_id: str,
    steps: Sequence[str],
    *,
    ordered: bool = True,
) -> Located:
    """Give each step a second of a video, by the features that the library has of it.

    Args:
        ordered: the seconds grow strictly with the steps, with the highest sum of scores; otherwise
            each step gets its best second.

    Raises:
        ItemError: NO_FEATURES or FEWER_SECONDS_THAN_STEPS; NO_VIDEO_STREAM or UNREADABLE_FILE for
            a file that could not be looked at.
    """
    info = library.info(video_id)
    if info is None:
        raise ItemError(Reason.UNREADABLE_FILE, "it could not be looked at (howto status)")
    if not info.video_codec:
        raise ItemError(Reason.NO_VIDEO_STREAM)
    shown = model.embed_spans(library, video_id, seconds_seen(library, model, video_id))
    scores = model.embed_text(steps, as_query=True) @ shown.T
    return Located(
        video_id,
        model.name,
        ordered,
        video_id in model.trained_on,
        placed(steps, scores, model.known_words(steps, as_query=True), ordered=ordered),
        scores,
    )


def placed(
    steps: Sequence[str],
    scores: NDArray[np.float32],
    known: NDArray[np.bool_],
    *,
    ordered: bool = True,
) -> tuple[PlacedStep, ...]:
    """Assign a second to each step, and say what each place is worth.

    A step of which the model knows no word takes what the others leave: its scores move no other
    step, and rival none.

    Args:
        scores: (S, T), finite.
        known: (S,), whether the model knows a word of the step.

    Raises:
        ItemError: FEWER_SECONDS_THAN_STEPS.
    """
    told = np.where(known[:, None], scores, 0)
    assigned = assign_ordered(told) if ordered else assign_free(told)
    best = told.argmax(axis=1)
    rivals = np.where(known[:, None], scores, -np.inf)
    found = []
    for number, (text, second) in enumerate(zip(steps, assigned, strict=True)):
        row, column = scores[number], rivals[:, second]
        rival = int(column.argmax())
        is_beaten = column[rival] > row[second]
        at_its_best = told[number, second] == told[number, best[number]]
        found.append(
            PlacedStep(
                number=number + 1,
                text=text,
                second=int(second),
                score=float(row[second]),
                share_below=float((row < row[second]).mean()),
                best_second=int(second if at_its_best else best[number]),
                rival=rival + 1 if is_beaten else None,
                is_known=bool(known[number]),
            )
        )
    return tuple(found)

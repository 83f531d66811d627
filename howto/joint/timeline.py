"""A picture of located steps: a strip of scores over time for each, with its place marked."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from howto.joint.locate import Located, PlacedStep
from howto.search.phrases import clock

__all__ = ["draw_timeline"]

_WIDTH, _LEFT, _RIGHT = 1100, 330, 30
_TOP, _ROW, _STRIP, _BOTTOM = 60, 44, 24, 46
_WHITE, _INK, _FAINT = (255, 255, 255), (60, 60, 60), (150, 150, 150)
_MARK = (0, 94, 213)  # told apart by people who see red and green alike too; blue, green, red
_TICKS = 6
_LONGEST_LABEL = 36  # letters
_LONGEST_TITLE = 110


def draw_timeline(found: Located, title: str, path: Path) -> None:
    """Draw a PNG: time to the right, a strip a step, brighter where the step scores higher.

    Each strip is stretched from the step's own lowest to its own highest score, so strips cannot be
    compared with each other.

    Raises:
        OSError: the file cannot be written.
    """
    seconds = found.scores.shape[1]
    height = _TOP + _ROW * len(found.steps) + _BOTTOM
    canvas = np.full((height, _WIDTH, 3), _WHITE, np.uint8)
    _write(canvas, title[:_LONGEST_TITLE], (16, 24), _INK, 0.5)
    told = "brighter: the step scores higher in that second, by its own scale"
    _write(canvas, told, (_LEFT, 46), _FAINT, 0.4)
    for row, step in enumerate(found.steps):
        _strip(canvas, _TOP + row * _ROW, step, found.scores[row])
    _axis(canvas, seconds)
    path.write_bytes(cv2.imencode(".png", canvas)[1].tobytes())


def _strip(
    canvas: NDArray[np.uint8], top: int, step: PlacedStep, scores: NDArray[np.float32]
) -> None:
    width = _WIDTH - _LEFT - _RIGHT
    span = float(np.ptp(scores)) or 1.0
    levels = ((scores - scores.min()) / span * 255).astype(np.uint8)
    colours = cv2.applyColorMap(levels[None], cv2.COLORMAP_VIRIDIS)
    strip = cv2.resize(colours, (width, _STRIP), interpolation=cv2.INTER_NEAREST)
    canvas[top : top + _STRIP, _LEFT : _LEFT + width] = strip
    label = (
        step.text if len(step.text) <= _LONGEST_LABEL else f"{step.text[: _LONGEST_LABEL - 3]}..."
    )
    _write(canvas, f"{step.number}. {label}", (16, top + 17), _INK, 0.45)
    first, after = (
        _LEFT + round(width * second / len(scores)) for second in (step.second, step.second + 1)
    )
    after = max(after, first + 3)
    cv2.rectangle(canvas, (first - 2, top - 3), (after + 1, top + _STRIP + 2), _WHITE, 4)
    cv2.rectangle(canvas, (first - 2, top - 3), (after + 1, top + _STRIP + 2), _MARK, 2)
    at = min(first - 2, _WIDTH - _RIGHT - 40)
    _write(canvas, clock(step.second), (at, top + _STRIP + 13), _MARK, 0.38)


def _axis(canvas: NDArray[np.uint8], seconds: int) -> None:
    width, line = _WIDTH - _LEFT - _RIGHT, len(canvas) - _BOTTOM + 10
    cv2.line(canvas, (_LEFT, line), (_LEFT + width, line), _FAINT, 1)
    for tick in range(_TICKS):
        x = _LEFT + round(width * tick / (_TICKS - 1))
        cv2.line(canvas, (x, line), (x, line + 5), _FAINT, 1)
        label = clock(seconds * tick / (_TICKS - 1))
        _write(canvas, label, (x - 4 * len(label), line + 22), _INK, 0.4)


def _write(
    canvas: NDArray[np.uint8],
    text: str,
    at: tuple[int, int],
    colour: tuple[int, int, int],
    size: float,
) -> None:
    plain = text.encode("ascii", "replace").decode()  # the font has no other letters
    cv2.putText(canvas, plain, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)

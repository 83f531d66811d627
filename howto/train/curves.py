"""A picture of the curves of one run or several: loss, and R@10 on held-out videos.

Drawn by OpenCV, which howto needs anyway, so that a run always ends with its picture and no
plotting library has to be installed for it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Curve", "curves_of_run", "draw_curves", "round_ticks"]

_WIDTH, _HEIGHT = 900, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 44, 44
_WHITE, _INK, _FAINT = (255, 255, 255), (60, 60, 60), (225, 225, 225)
# Told apart by people who see red and green alike too (Okabe and Ito, 2008); blue, green, red.
_COLOURS = (
    (178, 114, 0),
    (0, 94, 213),
    (115, 158, 0),
    (167, 121, 204),
    (0, 159, 230),
    (60, 60, 60),
)
_TICKS = 5  # of an axis, about
_SMOOTH = 0.02  # of the points of a curve are averaged into one


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One line of a picture.

    Attributes:
        x, y: of its points, in order of x.
        low, high: of a band around it; None: there is none.
        dashed: such as what chance would give.
        is_share: y is a share of 1, shown in per cent.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    dashed: bool = False
    is_share: bool = False


def curves_of_run(rows: Sequence[Mapping[str, Any]], name: str = "") -> dict[str, list[Curve]]:
    """The curves of a run's metrics, by the title of their panel.

    Args:
        rows: as `howto.train.runs.read_metrics` gives them.
        name: of the run, where there are several.
    """
    steps = [row for row in rows if row["what"] == "step"]
    judged = [row for row in rows if row["what"] == "evaluation"]
    label = f"{name} " if name else ""
    x, y = _smoothed([row["step"] for row in steps], [row["loss"] for row in steps])
    panels = {"loss by step": [Curve(f"{label}loss", x, y)]}
    for sort, title in (
        ("coarse", "R@10 by step, among all held-out clips"),
        ("fine", "R@1 by step, among clips of one video"),
    ):
        key = "recall_at_10" if sort == "coarse" else "recall_at_1"
        found = [(row["step"], row[sort][key]) for row in judged if row[sort]]
        if found:
            at = [float(step) for step, _ in found]
            columns = {part: [float(one[part]) for _, one in found] for part in found[0][1]}
            curve = Curve(
                f"{label}{key.replace('recall_at_', 'R@')}",
                at,
                columns["value"],
                columns["low"],
                columns["high"],
                is_share=True,
            )
            chance = Curve(f"{label}chance", at, columns["chance"], dashed=True, is_share=True)
            panels[title] = [curve, chance]
    return panels


def _smoothed(x: Sequence[float], y: Sequence[float]) -> tuple[list[float], list[float]]:
    """Means of neighbouring points, where there are many."""
    size = max(1, int(len(x) * _SMOOTH))
    parts = [slice(first, first + size) for first in range(0, len(x), size)]
    return [sum(x[p]) / len(x[p]) for p in parts], [sum(y[p]) / len(y[p]) for p in parts]


def draw_curves(
    panels: Mapping[str, Sequence[Curve]], path: Path, *, by_ratio: bool = False
) -> None:
    """Draw panels below each other, as a PNG.

    Args:
        by_ratio: x, all above 0, is drawn by its logarithm, with a tick at each point.

    Raises:
        ValueError: there is no panel.
        OSError: the file cannot be written.
    """
    import cv2

    if not panels:
        raise ValueError("there is no curve to draw")
    picture = np.concatenate([_panel(title, curves, by_ratio) for title, curves in panels.items()])
    path.write_bytes(cv2.imencode(".png", picture)[1].tobytes())


def _panel(title: str, curves: Sequence[Curve], by_ratio: bool) -> NDArray[np.uint8]:
    canvas = np.full((_HEIGHT, _WIDTH, 3), _WHITE, np.uint8)
    shown = [curve for curve in curves if len(curve.x)]
    places = _places(shown, by_ratio)
    _axes(canvas, places)
    for number, curve in enumerate(shown):
        _band(canvas, places, curve, _COLOURS[number % len(_COLOURS)])
    for number, curve in enumerate(shown):
        _line(canvas, places, curve, _COLOURS[number % len(_COLOURS)])
    _write(canvas, title, (_LEFT, 20), _INK)
    for number, curve in enumerate(shown):
        at = (_LEFT + number * (_WIDTH - _LEFT) // max(4, len(shown)), 38)
        _write(canvas, curve.name[:28], at, _COLOURS[number % len(_COLOURS)], 0.4)
    return canvas


def _ends(values: Sequence[float]) -> tuple[float, float]:
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def round_ticks(low: float, high: float, *, whole: bool = False) -> list[float]:
    """Round numbers in equal steps of 1, 2 or 5 times a power of ten, about five of them.

    The first is at most `low`, the last at least `high`.

    Args:
        low, high: ends of what is shown, low < high.
        whole: steps are whole numbers.
    """
    rough = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(part * power for part in (1, 2, 5, 10) if part * power >= rough * (1 - 1e-9))
    step = max(step, 1.0) if whole else step
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class _Places:
    """Where numbers lie in a panel, and which ones are written at its axes."""

    of_x: tuple[float, float]
    of_y: tuple[float, float]
    ticks_x: Sequence[float]
    ticks_y: Sequence[float]
    by_ratio: bool
    is_share: bool

    def at(self, x: float, y: float) -> tuple[int, int]:
        ends = (*self.of_x, x)
        left, right, here = map(math.log, ends) if self.by_ratio else ends
        across = (here - left) / (right - left)
        up = (y - self.of_y[0]) / (self.of_y[1] - self.of_y[0])
        width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        return round(_LEFT + across * width), round(_HEIGHT - _BOTTOM - up * height)


def _places(shown: Sequence[Curve], by_ratio: bool) -> _Places:
    along = [x for curve in shown for x in curve.x]
    values = [v for c in shown for part in (c.y, c.low, c.high) for v in part or ()]
    left, right = _ends(along)
    ticks_y = round_ticks(*_ends([value for value in values if math.isfinite(value)]))
    if by_ratio:
        ticks_x = sorted(set(along))
        left = left if left > 0 else right / 2
    else:
        whole = all(float(x).is_integer() for x in along)
        ticks_x = [x for x in round_ticks(left, right, whole=whole) if left <= x <= right]
    ends_y = (ticks_y[0], ticks_y[-1])
    is_share = any(curve.is_share for curve in shown)
    return _Places((left, right), ends_y, ticks_x, ticks_y, by_ratio, is_share)


def _axes(canvas: NDArray[np.uint8], places: _Places) -> None:
    import cv2

    for y in places.ticks_y:
        left, right = (places.at(one, y) for one in places.of_x)
        cv2.line(canvas, left, right, _FAINT, 1)
        label = f"{_plain(100 * y)}%" if places.is_share else _plain(y)
        _write(canvas, label, (8, left[1] + 4), _INK, 0.4)
    for x in places.ticks_x:
        across, bottom = places.at(x, places.of_y[0])
        cv2.line(canvas, (across, bottom), (across, bottom + 4), _INK, 1)
        label = _plain(x)
        at = min(across - 4 * len(label), _WIDTH - 8 * len(label) - 4)
        _write(canvas, label, (at, _HEIGHT - 18), _INK, 0.4)


def _plain(value: float) -> str:
    """A tick as people write it: 20, 0.05, 12,000, without the last bits of a float."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{round(value, 9):.6g}"


def _points(places: _Places, x: Sequence[float], y: Sequence[float]) -> NDArray[np.int32]:
    pairs = zip(x, y, strict=True)
    return np.array([places.at(a, b) for a, b in pairs if math.isfinite(b)], np.int32)


def _band(
    canvas: NDArray[np.uint8], places: _Places, curve: Curve, colour: tuple[int, int, int]
) -> None:
    import cv2

    if curve.low is None or curve.high is None:
        return
    edge = np.concatenate(
        [_points(places, curve.x, curve.low), _points(places, curve.x, curve.high)[::-1]]
    )
    filled = cv2.fillPoly(canvas.copy(), [edge], colour)
    canvas[:] = cv2.addWeighted(filled, 0.18, canvas, 0.82, 0)


def _line(
    canvas: NDArray[np.uint8], places: _Places, curve: Curve, colour: tuple[int, int, int]
) -> None:
    import cv2

    points = _points(places, curve.x, curve.y)
    if len(points) == 1:
        cv2.circle(canvas, tuple(map(int, points[0])), 3, colour, -1, cv2.LINE_AA)
    elif curve.dashed:
        for first, second in zip(points[:-1:2], points[1::2], strict=False):
            cv2.line(canvas, tuple(map(int, first)), tuple(map(int, second)), colour, 1)
    else:
        cv2.polylines(canvas, [points], False, colour, 2, cv2.LINE_AA)


def _write(
    canvas: NDArray[np.uint8],
    text: str,
    at: tuple[int, int],
    colour: tuple[int, int, int],
    size: float = 0.5,
) -> None:
    import cv2

    plain = text.encode("ascii", "replace").decode()  # the font has no other letters
    cv2.putText(canvas, plain, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)

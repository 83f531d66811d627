"""Pictures of an evaluation: recall at K as curves, or one recall of several things as bars.

Drawn by OpenCV, as `howto.train.curves` is, so that no plotting library has to be installed. What
was measured here is drawn thick and in colour, with its interval; what others published is thin.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from howto.evaluate.moments import KS, Found, MomentScores
from howto.evaluate.own_result import MAIN_CRITERION, MAIN_K, OwnResult
from howto.evaluate.published import PublishedRetrieval
from howto.evaluate.retrieval import RECALLS, Direction, direction

__all__ = [
    "Bar",
    "RecallLine",
    "draw_bars",
    "draw_own",
    "draw_recalls",
    "line_of",
    "moment_bars",
    "published_line",
]

CURVE_KS = tuple(range(1, 11))
"""K at which a curve has its points."""

_Colour = tuple[int, int, int]
_WHITE, _INK, _GREY, _FAINT = (255, 255, 255), (60, 60, 60), (130, 130, 130), (228, 228, 228)
# Told apart by people who see red and green alike too (Okabe and Ito, 2008); blue, green, red.
_OURS: tuple[_Colour, ...] = ((178, 114, 0), (0, 94, 213), (115, 158, 0))
_THEIRS: tuple[_Colour, ...] = (
    (167, 121, 204),
    (0, 159, 230),
    (115, 158, 0),
    (30, 60, 120),
    (60, 60, 60),
    (200, 170, 60),
)

_WIDTH, _HEIGHT = 1040, 520
_LEFT, _TOP, _BOTTOM = 70, 52, 48
_NAMES = 420  # pixels for names, right of the curves
_LINE = 20  # pixels from one name to the next
_BAR, _BAR_GAP, _BAR_NAMES = 18, 14, 400
_MOST_LETTERS = 44
_BAND = 0.18  # how much of an interval's colour shows
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25)  # between two lines of the grid
_MOST_LINES = 6


@dataclass(frozen=True, slots=True, eq=False)
class RecallLine:
    """Recall at K.

    Attributes:
        ks: K, growing.
        recalls, lows, highs: fractions, one for each K; without an interval lows and highs are
            empty.
        is_ours: it was measured here.
        is_chance: it is what chance gives.
    """

    name: str
    ks: Sequence[int]
    recalls: Sequence[float]
    lows: Sequence[float] = ()
    highs: Sequence[float] = ()
    is_ours: bool = False
    is_chance: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """One recall.

    Attributes:
        recall: a fraction; low and high its interval, None where there is none.
        chance: what a guesser has; None where nobody says.
        is_ours: it was measured here.
    """

    name: str
    recall: float
    low: float | None = None
    high: float | None = None
    chance: float | None = None
    is_ours: bool = False


def line_of(name: str, found: Direction) -> RecallLine:
    """The curve of one way to ask, with its interval over videos."""
    recalls = direction(found.ranks, found.video_of, recalls=CURVE_KS).recalls.values()
    return RecallLine(
        name,
        CURVE_KS,
        [one.value for one in recalls],
        [one.low for one in recalls],
        [one.high for one in recalls],
        is_ours=True,
    )


def published_line(row: PublishedRetrieval) -> RecallLine:
    """The three points of a row that was published."""
    name = row.name if row.year is None else f"{row.name}: {row.trained_on}"
    return RecallLine(name, RECALLS, [one / 100 for one in row.recalls], is_chance=row.year is None)


def draw_recalls(lines: Sequence[RecallLine], title: str, path: Path) -> None:
    """Draw curves of recall at K as a PNG, each with its name beside its end.

    Raises:
        ValueError: there is no curve.
        OSError: the file cannot be written.
    """
    if not lines:
        raise ValueError("there is no curve to draw")
    canvas = np.full((_HEIGHT, _WIDTH, 3), _WHITE, np.uint8)
    top = _top(max(max(*line.recalls, *line.highs) for line in lines))
    _grid(canvas, top)
    # What is ours lies on top.
    coloured = sorted(_coloured(lines), key=lambda pair: pair[0].is_ours)
    for line, colour in coloured:
        _curve(canvas, line, colour, top)
    by_end = sorted(coloured, key=lambda pair: -pair[0].recalls[-1])
    ends = [_at(line.ks[-1], line.recalls[-1], top) for line, _ in by_end]
    rows = _spread([y for _, y in ends])
    for (line, colour), (x, y), row in zip(by_end, ends, rows, strict=True):
        _label(canvas, line, colour, (x, y), row)
    _write(canvas, title, (_LEFT, 24), _INK, 0.6)
    _save(canvas, path)


def _coloured(lines: Sequence[RecallLine]) -> list[tuple[RecallLine, _Colour]]:
    seen = {True: 0, False: 0}
    found = []
    for line in lines:
        if line.is_chance:
            found.append((line, _GREY))
            continue
        palette = _OURS if line.is_ours else _THEIRS
        found.append((line, palette[seen[line.is_ours] % len(palette)]))
        seen[line.is_ours] += 1
    return found


def _top(highest: float) -> float:
    """The end of the axis of recall: the first line of the grid at or above the highest point."""
    step = _step(highest)
    return min(1.0, step * math.ceil(max(highest, 1e-6) / step - 1e-9))


def _step(highest: float) -> float:
    return next((one for one in _STEPS if highest / one <= _MOST_LINES), _STEPS[-1])


def _at(k: float, recall: float, top: float) -> tuple[int, int]:
    width, height = _WIDTH - _LEFT - _NAMES, _HEIGHT - _TOP - _BOTTOM
    across = (k - CURVE_KS[0]) / (CURVE_KS[-1] - CURVE_KS[0])
    return round(_LEFT + across * width), round(_HEIGHT - _BOTTOM - recall / top * height)


def _grid(canvas: NDArray[np.uint8], top: float) -> None:
    import cv2

    step = _step(top)
    for line in range(round(top / step) + 1):
        left, right = (_at(k, line * step, top) for k in (CURVE_KS[0], CURVE_KS[-1]))
        cv2.line(canvas, left, right, _FAINT, 1)
        _write(canvas, f"{100 * line * step:.0f}%", (18, left[1] + 5), _INK)
    for k in CURVE_KS:
        _write(canvas, str(k), (_at(k, 0, top)[0] - 4, _HEIGHT - 26), _INK)
    _write(canvas, "K: right among the first K", (_LEFT, _HEIGHT - 8), _GREY, 0.42)


def _curve(canvas: NDArray[np.uint8], line: RecallLine, colour: _Colour, top: float) -> None:
    import cv2

    points = _points(line.ks, line.recalls, top)
    if len(line.lows):
        edge = [_points(line.ks, line.lows, top), _points(line.ks, line.highs, top)[::-1]]
        filled = cv2.fillPoly(canvas.copy(), [np.concatenate(edge)], colour)
        canvas[:] = cv2.addWeighted(filled, _BAND, canvas, 1 - _BAND, 0)
    cv2.polylines(canvas, [points], False, colour, 3 if line.is_ours else 1, cv2.LINE_AA)
    if not line.is_chance:
        for x, y in points.tolist():
            cv2.circle(canvas, (x, y), 4 if line.is_ours else 3, colour, -1, cv2.LINE_AA)


def _points(ks: Sequence[int], recalls: Sequence[float], top: float) -> NDArray[np.int32]:
    pairs = zip(ks, recalls, strict=True)
    return np.array([_at(k, recall, top) for k, recall in pairs], np.int32)


def _spread(wanted: Sequence[int]) -> list[int]:
    """Rows for names, near those wanted (growing) and `_LINE` pixels apart."""
    rows: list[int] = []
    for row in wanted:
        rows.append(max(row, rows[-1] + _LINE) if rows else row)
    # Those that were pushed below the picture push the ones above them up again.
    floor = _HEIGHT - _BOTTOM
    for place in reversed(range(len(rows))):
        rows[place] = min(rows[place], floor)
        floor = rows[place] - _LINE
    return rows


def _label(
    canvas: NDArray[np.uint8], line: RecallLine, colour: _Colour, end: tuple[int, int], row: int
) -> None:
    import cv2

    left = end[0] + 26
    cv2.line(canvas, (end[0] + 5, end[1]), (left - 4, row), _FAINT, 1, cv2.LINE_AA)
    text = f"{100 * line.recalls[-1]:.1f}%  {line.name}"
    _write(canvas, text, (left, row + 5), colour, 0.46, 2 if line.is_ours else 1)


def moment_bars(found: MomentScores) -> list[Bar]:
    """A bar for each K and criterion of moments that were searched here."""
    return [
        _moment_bar(f"R@{k}, {criterion}", by_k[k])
        for k in KS
        for criterion, by_k in found.found.items()
    ]


def draw_own(result: OwnResult, path: Path) -> None:
    """Draw how often each set of signals finds a right moment of a library, as `draw_bars`."""
    bars = [
        _moment_bar(f"{part.truth}: {one.signals}", one.scores.found[MAIN_CRITERION][MAIN_K])
        for part in result.parts
        for one in part.results
    ]
    title = f"A right moment among the first {MAIN_K} (the middle of the hit lies inside)"
    draw_bars(bars, title, path)


def _moment_bar(name: str, found: Found) -> Bar:
    recall = found.recall
    return Bar(name, recall.value, recall.low, recall.high, found.chance, is_ours=True)


def draw_bars(bars: Sequence[Bar], title: str, path: Path) -> None:
    """Draw recalls as horizontal bars, with intervals and a mark at chance, as a PNG.

    Raises:
        ValueError: there is no bar.
        OSError: the file cannot be written.
    """
    import cv2

    if not bars:
        raise ValueError("there is no bar to draw")
    height = _TOP + len(bars) * (_BAR + _BAR_GAP) + _BOTTOM
    canvas = np.full((height, _WIDTH, 3), _WHITE, np.uint8)
    top = _top(max(value for bar in bars for value in (bar.recall, bar.high or 0)))

    def across(recall: float) -> int:
        return round(_BAR_NAMES + recall / top * (_WIDTH - _BAR_NAMES - 80))

    step = _step(top)
    for line in range(round(top / step) + 1):
        x = across(line * step)
        cv2.line(canvas, (x, _TOP - 8), (x, height - _BOTTOM), _FAINT, 1)
        _write(canvas, f"{100 * line * step:.0f}%", (x - 14, height - _BOTTOM + 18), _INK)
    for number, bar in enumerate(bars):
        y = _TOP + number * (_BAR + _BAR_GAP)
        _bar(canvas, bar, y, [across(one) for one in _values(bar)])
    if any(bar.chance is not None for bar in bars):
        # Left of the axis, where it cannot be taken for a mark itself.
        _write(canvas, "upright black line: chance", (20, height - 8), _INK, 0.42)
    _write(canvas, title, (20, 24), _INK, 0.6)
    _save(canvas, path)


def _values(bar: Bar) -> list[float]:
    """Where it begins and ends, its interval, and chance."""
    low = bar.recall if bar.low is None else bar.low
    high = bar.recall if bar.high is None else bar.high
    return [0.0, bar.recall, low, high, bar.chance or 0.0]


def _bar(canvas: NDArray[np.uint8], bar: Bar, y: int, places: Sequence[int]) -> None:
    import cv2

    begin, end, low, high, chance = places
    colour = _OURS[0] if bar.is_ours else (200, 200, 200)
    cv2.rectangle(canvas, (begin, y), (end, y + _BAR), colour, -1)
    middle = y + _BAR // 2
    if bar.low is not None:
        cv2.line(canvas, (low, middle), (high, middle), _INK, 1)
        for x in (low, high):
            cv2.line(canvas, (x, middle - 4), (x, middle + 4), _INK, 1)
    if bar.chance is not None:
        cv2.line(canvas, (chance, y - 4), (chance, y + _BAR + 4), _INK, 2)
    _write(canvas, f"{100 * bar.recall:.1f}%", (max(high, end) + 8, y + _BAR - 4), _INK)
    _write(canvas, bar.name, (20, y + _BAR - 4), _INK, 0.46, 2 if bar.is_ours else 1)


def _write(
    canvas: NDArray[np.uint8],
    text: str,
    at: tuple[int, int],
    colour: _Colour,
    size: float = 0.46,
    thickness: int = 1,
) -> None:
    import cv2

    # The font has no other letters.
    plain = text[: 2 * _MOST_LETTERS].encode("ascii", "replace").decode()
    cv2.putText(canvas, plain, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, thickness, cv2.LINE_AA)


def _save(canvas: NDArray[np.uint8], path: Path) -> None:
    import cv2

    path.write_bytes(cv2.imencode(".png", canvas)[1].tobytes())

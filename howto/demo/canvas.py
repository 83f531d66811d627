"""Shapes on a picture, in units that do not depend on its size.

One unit is 1/240 of the picture's height; the origin is its middle, x goes right and y down.
Everything that matters lies within |x| <= 155 and |y| <= 115, so that 4:3 and wider pictures show
it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Canvas", "Colour", "Points", "arc", "mix", "shade"]

Colour = tuple[int, int, int]
# (N, 2)
Points = Sequence[tuple[float, float]] | NDArray[np.float64]

UNITS_HIGH = 240
# OpenCV takes coordinates with this many binary digits after the point: slow motion stays smooth.
SHIFT = 4
TURN = np.linspace(0, 2 * math.pi, 40, endpoint=False)
CIRCLE = np.column_stack([np.cos(TURN), np.sin(TURN)])


class Canvas:
    """A picture and where on it one draws; `at` moves the place, the picture stays the same.

    Args:
        image: uint8 (H, W, 3), RGB, drawn into.
        matrix: float64 (2, 3), from units to pixels; by default the whole picture.
    """

    def __init__(self, image: NDArray[np.uint8], matrix: NDArray[np.float64] | None = None) -> None:
        self.image = image
        if matrix is None:
            height, width = image.shape[:2]
            scale = height / UNITS_HIGH
            matrix = np.array([[scale, 0, width / 2], [0, scale, height / 2]])
        self._matrix = matrix
        self._scale = math.sqrt(abs(np.linalg.det(matrix[:, :2])))

    def at(
        self, x: float = 0, y: float = 0, *, turn: float = 0, scale: float = 1, squash: float = 1
    ) -> Canvas:
        """The same picture seen from another origin.

        Args:
            turn: degrees clockwise.
            scale: of both axes.
            squash: of the x axis alone; negative mirrors.
        """
        cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        own = np.array([[cos, -sin], [sin, cos]]) @ np.diag([scale * squash, scale])
        turned = self._matrix[:, :2] @ own
        moved = self._matrix[:, :2] @ np.array([x, y]) + self._matrix[:, 2]
        return Canvas(self.image, np.column_stack([turned, moved]))

    def shape(self, points: Points, fill: Colour, edge: float = 1.2) -> None:
        """Fill a polygon; `edge` is the width of its outline in units, 0 for none."""
        pixels = self._pixels(points)
        cv2.fillPoly(self.image, [pixels], fill, cv2.LINE_AA, SHIFT)
        if edge:
            line = shade(fill, 0.62)
            cv2.polylines(self.image, [pixels], True, line, self._width(edge), cv2.LINE_AA, SHIFT)

    def oval(
        self, x: float, y: float, rx: float, ry: float, fill: Colour, edge: float = 1.2
    ) -> None:
        """Fill an ellipse with half axes `rx` and `ry`."""
        self.shape(CIRCLE * (rx, ry) + (x, y), fill, edge)

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: Colour,
        edge: float = 1.2,
        corner: float = 0,
    ) -> None:
        """Fill a rectangle around (x, y), its corners rounded by `corner` units."""
        right, low = width / 2, height / 2
        if not corner:
            points = [(x - right, y - low), (x + right, y - low), (x + right, y + low)]
            self.shape([*points, (x - right, y + low)], fill, edge)
            return
        rounded: list[tuple[float, float]] = []
        for side_x, side_y, start in ((1, 1, 0), (-1, 1, 90), (-1, -1, 180), (1, -1, 270)):
            middle = (x + side_x * (right - corner), y + side_y * (low - corner))
            rounded += arc(*middle, corner, corner, start, start + 90, 5)
        self.shape(rounded, fill, edge)

    def line(self, points: Points, colour: Colour, width: float = 1.5) -> None:
        """Draw an open line, `width` in units."""
        cv2.polylines(
            self.image,
            [self._pixels(points)],
            False,
            colour,
            self._width(width),
            cv2.LINE_AA,
            SHIFT,
        )

    def _pixels(self, points: Points) -> NDArray[np.int32]:
        pixels = np.asarray(points, np.float64) @ self._matrix[:, :2].T + self._matrix[:, 2]
        return np.round(pixels * (1 << SHIFT)).astype(np.int32)

    def _width(self, units: float) -> int:
        return max(1, round(units * self._scale))


def arc(
    x: float, y: float, rx: float, ry: float, start: float, stop: float, number: int = 16
) -> list[tuple[float, float]]:
    """Points on an ellipse from `start` to `stop` degrees, clockwise from the right."""
    angles = [math.radians(start + (stop - start) * i / (number - 1)) for i in range(number)]
    return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]


def shade(colour: Colour, factor: float) -> Colour:
    """A darker (factor below 1) or lighter colour."""
    red, green, blue = (min(255, int(part * factor)) for part in colour)
    return red, green, blue


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """`share` of the other colour, the rest of the one."""
    red, green, blue = (int(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue

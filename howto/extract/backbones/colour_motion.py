"""Colours, edges and movement of each second, without a network: what OpenCV can tell quickly.

No weights, no training, fast on a CPU; the default of the demo. Optical flow is DIS (Kroeger et
al.: Fast Optical Flow using Dense Inverse Search, ECCV 2016) as OpenCV has it (Apache-2.0). Needs
OpenCV and numpy; torch for its input and output alone.
"""

import functools
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from howto.errors import PluginError
from howto.records import FrameSpec

__all__ = ["ColourMotionBackbone"]

GRID = 4  # cells across and down
HUES = 24
SHADES = 8
COLOURS = HUES + SHADES
DIRECTIONS = 8
SPEEDS = 16
STEP = 2  # every second pixel across and down tells enough of the colours

# Movement is measured in pixels from one frame to the next, of pictures 112 high.
STILL = 0.05  # movement below this on average fades into none: noise has directions, too
FASTEST = 16.0
NOISE = 0.25  # of a single pixel

BLOCKS = {
    "colours of each quarter": (4 * COLOURS, 1.0),
    "colours of what moves": (COLOURS, 1.0),
    "light of each cell": (GRID * GRID * 3, 0.5),
    "edges of each cell": (GRID * GRID * DIRECTIONS, 1.0),
    "directions of each cell": (GRID * GRID * DIRECTIONS, 1.0),
    "where it moves": (GRID * GRID, 1.0),
    "where movement changes": (GRID * GRID, 1.0),
    "speeds": (SPEEDS, 1.0),
}
"""Parts of a feature in their order: length, and greatest length as a vector (its weight)."""

_Array = NDArray[np.float32]
_Picture = NDArray[np.uint8]


class ColourMotionBackbone:
    """One feature a second from 6 frames: histograms of colours, edges and optical flow.

    Each part of `BLOCKS` is the square root of a histogram (so that dot products compare
    histograms as the Hellinger distance does), not negative, but for the light, which lies around
    0. Movement is that between the frames of one feature, the first frame of the next is not
    looked at; a single frame, at the end of a video, has none.
    """

    name = "colour-motion"
    version = "1"
    dim = sum(length for length, _ in BLOCKS.values())
    frames = FrameSpec(rate=Fraction(6), short_side=112)
    frames_per_feature = 6
    precisions = ("fp32",)

    def load(
        self,
        device: str,  # noqa: ARG002 it is computed on the CPU whatever the device
        dtype: torch.dtype,  # noqa: ARG002 and in float32
        weights: str | None = None,
    ) -> None:
        """Make the flow's tables; there are no weights to load."""
        if weights is not None:
            raise PluginError(f"backbone {self.name!r} has no weights to load, got {weights!r}")
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def weights_hash(self, weights: str | None = None) -> str:  # noqa: ARG002 there are none
        """'': there are no weights."""
        return ""

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        """Map uint8 (T, H, W, 3) to float32 (ceil(T / 6), 512), on the CPU."""
        pictures = frames.cpu().contiguous().numpy()
        starts = range(0, len(pictures), self.frames_per_feature)
        with _one_thread():
            rows = [self._feature(pictures[k : k + self.frames_per_feature]) for k in starts]
        return torch.from_numpy(np.stack(rows))

    def _feature(self, frames: NDArray[np.uint8]) -> _Array:
        grey = [np.asarray(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY), np.uint8) for one in frames]
        polar = [self._polar_flow(a, b) for a, b in itertools.pairwise(grey)]
        speed = np.zeros((0, *grey[0].shape), np.float32)
        angle = speed
        if polar:
            speed = np.stack([np.maximum(length - NOISE, 0) for length, _ in polar])
            angle = np.stack([turn for _, turn in polar])
        parts = [
            *_colours(frames, speed),
            _light(frames),
            _edges(grey),
            *_movement(speed, angle),
        ]
        weights = [weight for _, weight in BLOCKS.values()]
        weighed = [weight * part for weight, part in zip(weights, parts, strict=True)]
        return np.concatenate(weighed).astype(np.float32)

    def _polar_flow(self, first: _Picture, second: _Picture) -> tuple[_Array, _Array]:
        """Length in pixels and direction in radians of the movement of each pixel."""
        flow = self._flow.calc(first, second, None)  # type: ignore[call-overload]  # a first guess
        return _polar(flow[..., 0], flow[..., 1])


def _polar(across: _Array, down: _Array) -> tuple[_Array, _Array]:
    length, angle = cv2.cartToPolar(across, down)
    return np.asarray(length, np.float32), np.asarray(angle, np.float32)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let OpenCV work in one thread: DIS gives other flow where a picture is cut up for several."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _root(histogram: NDArray[np.float64], least: float = 0.0) -> _Array:
    """Square roots of shares; below a total of `least` they fade to 0, instead of being noise."""
    return np.sqrt(histogram / max(float(histogram.sum()), least, 1e-12)).astype(np.float32)


@functools.lru_cache(maxsize=8)
def _cells(height: int, width: int, grid: int) -> NDArray[np.int64]:
    """Which cell each pixel is in: int64 (height, width), row by row from 0."""
    down, across = np.arange(height) * grid // height, np.arange(width) * grid // width
    return down[:, None] * grid + across


# --- colours ---


def _colours(frames: NDArray[np.uint8], speed: _Array) -> tuple[_Array, _Array]:
    """Colours of each quarter of the picture, and of what moves, each frame with the next.

    A pixel counts for its hue by how colourful it is, and for its lightness by how grey.
    """
    small = frames[:, ::STEP, ::STEP]
    hsv = np.stack([cv2.cvtColor(np.ascontiguousarray(frame), _TO_HSV) for frame in small])
    hue, shade = hsv[..., 0].astype(np.float32), hsv[..., 2].astype(np.float32)
    chroma = hsv[..., 1].astype(np.float32) * shade / np.float32(255**2)
    quarters = np.broadcast_to(_cells(*small.shape[1:3], 2), hue.shape)
    whole = _shares(hue, shade, chroma, quarters, 4)
    n = len(speed)
    moving = _shares(hue[:n], shade[:n], chroma[:n], None, 1, speed[:, ::STEP, ::STEP])
    return _root(whole), _root(moving, least=STILL * hue[:n].size)


_TO_HSV = cv2.COLOR_RGB2HSV_FULL


def _shares(
    hue: _Array,
    shade: _Array,
    chroma: _Array,
    cells: NDArray[np.int64] | None,
    num_cells: int,
    weight: _Array | float = 1.0,
) -> NDArray[np.float64]:
    """Sum pixels into (num_cells * COLOURS,); each falls between two hues and two shades."""
    first = np.zeros(hue.shape, np.int64) if cells is None else cells * COLOURS
    total = np.zeros(num_cells * COLOURS)
    hues = _between(hue * (HUES / 256), HUES)
    shades = _between(shade * ((SHADES - 1) / 255), SHADES)
    for (index, share), offset, part in (
        *((pair, 0, chroma) for pair in hues),
        *((pair, HUES, 1 - chroma) for pair in shades),
    ):
        sums = (share * part * weight).ravel()
        total += np.bincount((first + offset + index).ravel(), sums, len(total))
    return total


def _between(position: _Array, count: int) -> list[tuple[NDArray[np.int64], _Array]]:
    """The two bins that a position lies between, and the share of each; the last meets the first.

    (A shade never lies beyond the last bin, so for shades nothing meets.)
    """
    low = np.floor(position).astype(np.int64)
    above = (position - low).astype(np.float32)
    return [(low % count, 1 - above), ((low + 1) % count, above)]


def _light(frames: NDArray[np.uint8]) -> _Array:
    """Mean red, green and blue of each cell, about 0, as a vector no longer than 1."""
    mean = frames.mean(axis=0, dtype=np.float32)
    cells = np.asarray(cv2.resize(mean, (GRID, GRID), interpolation=cv2.INTER_AREA), np.float32)
    return (cells.ravel() / 127.5 - 1) / np.float32(np.sqrt(cells.size))


# --- edges and movement ---


def _edges(grey: list[_Picture]) -> _Array:
    """How strong the edges of each cell are, by the direction across them (to and fro alike)."""
    total = np.zeros(GRID * GRID * DIRECTIONS)
    for picture in (grey[0], grey[len(grey) // 2]):
        across = np.asarray(cv2.Sobel(picture, cv2.CV_32F, 1, 0), np.float32)
        down = np.asarray(cv2.Sobel(picture, cv2.CV_32F, 0, 1), np.float32)
        strength, angle = _polar(across, down)
        total += _directions(strength, angle * 2)
    return _root(total, least=1.0)


def _directions(strength: _Array, angle: _Array) -> NDArray[np.float64]:
    """Sum strengths of (..., H, W) by cell and by direction; angles in radians."""
    cells = np.broadcast_to(_cells(*angle.shape[-2:], GRID), angle.shape)
    total = np.zeros(GRID * GRID * DIRECTIONS)
    for index, share in _between(angle * (DIRECTIONS / (2 * np.pi)), DIRECTIONS):
        bins = cells * DIRECTIONS + index
        total += np.bincount(bins.ravel(), (strength * share).ravel(), len(total))
    return total


def _movement(speed: _Array, angle: _Array) -> tuple[_Array, _Array, _Array, _Array]:
    """Directions, place, change and speeds of the movement (n, H, W); zeros where n is 0."""
    pixels = speed.size
    directions = _root(_directions(speed, angle), least=STILL * pixels)
    cells = _cells(*speed.shape[1:], GRID).ravel()
    each = [np.bincount(cells, one.ravel(), GRID * GRID) for one in speed]
    per_cell = np.array(each).reshape(-1, GRID * GRID)
    where = _root(per_cell.sum(axis=0), least=STILL * pixels)
    change = np.abs(np.diff(per_cell, axis=0)).sum(axis=0)
    level = np.log1p(np.minimum(speed, FASTEST)) * ((SPEEDS - 1) / np.log1p(FASTEST))
    speeds = np.bincount(level.astype(np.int64).ravel(), minlength=SPEEDS)
    speeds[0] = 0  # what stands still is most of every picture
    return (
        directions,
        where,
        _root(change, least=STILL * pixels),
        np.sqrt(speeds / max(pixels, 1)).astype(np.float32),
    )

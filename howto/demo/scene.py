"""Where a video plays: background, light, camera and person, fixed for the whole video.

The background is what differs between two videos of a task and never within one; it says which
video a frame is from, and nothing about the step.
"""

import colorsys
import random
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from howto.demo.canvas import Canvas, Colour, mix, shade
from howto.demo.spec import DemoSpec

__all__ = ["HERO_COLOURS", "Look", "Scene", "make_scene"]

# What the colour words of the phrases look like.
HERO_COLOURS: dict[str, Colour] = {
    "red": (205, 48, 48),
    "blue": (45, 95, 205),
    "green": (50, 150, 75),
    "yellow": (235, 195, 45),
    "purple": (130, 70, 175),
    "orange": (238, 128, 38),
    "pink": (238, 130, 170),
    "grey": (135, 140, 148),
}
# The table is at least so far from the main thing's colour, summed over the channels.
LEAST_CONTRAST = 150
SKINS: tuple[Colour, ...] = (
    (250, 214, 186),
    (236, 188, 150),
    (205, 150, 110),
    (160, 108, 74),
    (112, 74, 52),
)
BOWLS: tuple[Colour, ...] = (
    (240, 240, 236),
    (120, 170, 190),
    (200, 110, 90),
    (150, 180, 130),
    (215, 190, 120),
)


@dataclass(frozen=True, slots=True)
class Look:
    """What is drawn differently in each video, and alike all through it.

    Attributes:
        hero: colour of the main thing.
        skin, sleeve: of the person.
        bowl: of bowls and the like.
        wood: of boards and drawers.
        shadow: what a shadow on the table looks like.
        speed: of the hands; 1 is usual.
        sway: where the regular motions begin, in turns.
    """

    hero: Colour
    skin: Colour
    sleeve: Colour
    bowl: Colour
    wood: Colour
    shadow: Colour
    speed: float
    sway: float


@dataclass(frozen=True, slots=True)
class Scene:
    """The place of one video.

    Attributes:
        background: uint8 (H, W, 3), RGB: the empty place.
        shift: of the camera, in units of the canvas.
        zoom: of the camera.
        light: uint8 (256, 1, 3): what the lamp makes of each value of each channel.
    """

    background: NDArray[np.uint8]
    shift: tuple[float, float]
    zoom: float
    light: NDArray[np.uint8]
    look: Look

    def frame(self) -> Canvas:
        """A fresh copy of the empty place to draw on, seen through the camera."""
        return Canvas(self.background.copy()).at(*self.shift, scale=self.zoom)


def make_scene(spec: DemoSpec, setting: str, colour: str, chance: random.Random) -> Scene:
    """Decide on the place of one video.

    Args:
        setting: one of `howto.demo.tasks.SETTINGS`.
        colour: of the main thing, a key of `HERO_COLOURS`.
    """
    width, height = spec.size
    image = np.zeros((height, width, 3), np.uint8)
    table = _paint_place(Canvas(image), setting, HERO_COLOURS[colour], chance)
    _shade_edges(image, chance)
    extent = spec.variation
    look = Look(
        hero=_vary(HERO_COLOURS[colour], 0.05 * extent, chance),
        skin=chance.choice(SKINS),
        sleeve=_any_colour(chance, (0.3, 0.8), (0.35, 0.85)),
        bowl=_vary(chance.choice(BOWLS), 0.05 * extent, chance),
        wood=_vary((190, 140, 90), 0.08 * extent, chance),
        shadow=shade(table, 0.72),
        speed=1 + 0.25 * extent * chance.uniform(-1, 1),
        sway=chance.random(),
    )
    shift = (12 * extent * chance.uniform(-1, 1), 6 * extent * chance.uniform(-1, 1))
    zoom = 1 + 0.1 * extent * chance.uniform(-1, 1)
    return Scene(image, shift, zoom, _light(extent, chance), look)


def _light(extent: float, chance: random.Random) -> NDArray[np.uint8]:
    gains = 1 + 0.08 * extent * np.array([chance.uniform(-1, 1) for _ in range(3)])
    values = np.arange(256)[:, None] * gains * (1 + 0.1 * extent * chance.uniform(-1, 1))
    return np.clip(np.round(values), 0, 255).astype(np.uint8)[:, None]


def _any_colour(
    chance: random.Random, saturation: tuple[float, float], value: tuple[float, float]
) -> Colour:
    rgb = colorsys.hsv_to_rgb(chance.random(), chance.uniform(*saturation), chance.uniform(*value))
    red, green, blue = (int(255 * part) for part in rgb)
    return red, green, blue


def _vary(colour: Colour, extent: float, chance: random.Random) -> Colour:
    """Another shade of the same colour; `extent` 0.05 turns the hue by up to 5% of the circle."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(part / 255 for part in colour))
    hue += 0.5 * extent * chance.uniform(-1, 1)
    saturation *= 1 + 3 * extent * chance.uniform(-1, 1)
    value *= 1 + 2 * extent * chance.uniform(-1, 1)
    rgb = colorsys.hsv_to_rgb(hue % 1, min(1, saturation), min(1, value))
    red, green, blue = (int(255 * part) for part in rgb)
    return red, green, blue


def _shade_edges(image: NDArray[np.uint8], chance: random.Random) -> None:
    """Let the light fall off from one side, and give the surfaces a fine grain."""
    height, width = image.shape[:2]
    across = np.linspace(-1, 1, width)[None] * chance.uniform(-0.12, 0.12)
    down = np.linspace(-1, 1, height)[:, None] * chance.uniform(-0.05, 0.1)
    grain = np.random.default_rng(chance.getrandbits(32)).normal(0, 0.012, (height, width))
    light = 0.95 + across + down + cv2.GaussianBlur(grain, (0, 0), 0.8)
    image[:] = np.clip(image * light[:, :, None], 0, 255).astype(np.uint8)


# The places. A painter fills the wall behind the table, above the line `edge`.


def _paint_place(pic: Canvas, setting: str, hero: Colour, chance: random.Random) -> Colour:
    """Wall, table and what stands about; returns the colour of the table."""
    edge = chance.uniform(-52, -38)
    WALLS[setting](pic, edge, chance)
    _ornament(pic, setting, -1, edge, chance)
    _ornament(pic, setting, 1, edge, chance)
    return _table(pic, edge, hero, chance)


def _wall(pic: Canvas, edge: float, colour: Colour) -> None:
    pic.box(0, (edge - 120) / 2, 900, edge + 120, colour, 0)


def _kitchen(pic: Canvas, edge: float, chance: random.Random) -> None:
    colour = _any_colour(chance, (0.05, 0.4), (0.75, 0.95))
    _wall(pic, edge, shade(colour, 0.82))
    side = chance.choice((16, 20, 26))
    offset = chance.uniform(0, side)
    other = mix(colour, _any_colour(chance, (0.2, 0.6), (0.6, 0.9)), chance.choice((0, 0, 0.6)))
    for row in range(8):
        for column in range(-18, 18):
            tile = other if (row + column) % 2 else colour
            y = edge - side * (row + 0.5)
            if y > -130:
                pic.box(column * side + offset, y, side - 1.4, side - 1.4, tile, 0)


def _bedroom(pic: Canvas, edge: float, chance: random.Random) -> None:
    colour = _any_colour(chance, (0.1, 0.4), (0.7, 0.92))
    _wall(pic, edge, colour)
    second = mix(colour, (255, 255, 255), 0.35)
    step = chance.uniform(18, 34)
    dotted = chance.random() < 0.4
    for column in range(-20, 20):
        if dotted:
            for row in range(7):
                x = (column + 0.5 * (row % 2)) * step
                pic.oval(x, edge - 8 - row * step * 0.6, 3, 3, second, 0)
        else:
            pic.box(column * step, (edge - 120) / 2, step * 0.45, edge + 120, second, 0)
    pic.box(0, edge - 3, 900, 6, (240, 238, 230), 0)


def _workshop(pic: Canvas, edge: float, chance: random.Random) -> None:
    if chance.random() < 0.5:
        colour = _any_colour(chance, (0.25, 0.5), (0.5, 0.72))
        _wall(pic, edge, shade(colour, 0.75))
        for row in range(10):
            for column in range(-12, 12):
                x, y = (column + 0.5 * (row % 2)) * 34, edge - 5.5 - row * 11
                brick = shade(colour, chance.uniform(0.9, 1.1))
                pic.box(x, y, 32, 9.5, brick, 0)
        return
    colour = _any_colour(chance, (0.2, 0.5), (0.6, 0.85))
    _wall(pic, edge, colour)
    for column in range(-26, 27):
        for row in range(9):
            pic.oval(column * 9, edge - 6 - row * 9, 1.3, 1.3, shade(colour, 0.55), 0)


def _garden(pic: Canvas, edge: float, chance: random.Random) -> None:
    sky = mix((150, 200, 240), (245, 205, 170), chance.uniform(0, 0.8))
    _wall(pic, edge, sky)
    green = mix((70, 140, 60), (120, 150, 60), chance.random())
    for x in range(-230, 240, 14):
        pic.oval(x, edge - chance.uniform(0, 12), 14, chance.uniform(14, 30), green, 0)
    if chance.random() < 0.6:
        paint = mix((250, 250, 250), _any_colour(chance, (0.2, 0.6), (0.4, 0.9)), 0.6)
        width = chance.uniform(14, 22)
        for post in range(25):
            left = -230 + post * (width + 5)
            top = edge - 32
            right = left + width
            peak = ((left + right) / 2, top - 8)
            points = [(left, edge), (left, top), peak, (right, top), (right, edge)]
            pic.shape(points, paint, 1)


def _living_room(pic: Canvas, edge: float, chance: random.Random) -> None:
    colour = _any_colour(chance, (0.15, 0.55), (0.5, 0.85))
    _wall(pic, edge, colour)
    second = shade(colour, chance.choice((0.86, 1.12)))
    size = chance.uniform(16, 28)
    for row in range(8):
        for column in range(-16, 17):
            x, y = (column + 0.5 * (row % 2)) * size * 1.4, edge - 10 - row * size * 0.7
            pic.shape([(x - size / 3, y), (x, y - size / 3), (x + size / 3, y), (x, y + size / 3)],
                      second, 0)  # fmt: skip
    pic.box(0, edge - 4, 900, 8, shade(colour, 0.6), 0)


WALLS: dict[str, Callable[[Canvas, float, random.Random], None]] = {
    "kitchen": _kitchen,
    "bedroom": _bedroom,
    "workshop": _workshop,
    "garden": _garden,
    "living-room": _living_room,
}


def _ornament(pic: Canvas, setting: str, side: int, edge: float, chance: random.Random) -> None:
    """Something on the wall at one side, in the corner of the picture."""
    half_width = 120 * pic.image.shape[1] / pic.image.shape[0]
    place = pic.at(side * (half_width - chance.uniform(30, 48)), edge - 38)
    colour = _any_colour(chance, (0.3, 0.9), (0.4, 0.95))
    kinds = [_clock, _picture, _shelf]
    if setting == "garden":
        kinds = [_hanging_basket, _hanging_basket, _clock]
    chance.choice(kinds)(place, colour, chance)


def _clock(pic: Canvas, colour: Colour, chance: random.Random) -> None:
    pic.oval(0, 0, 17, 17, colour, 1.5)
    pic.oval(0, 0, 13, 13, (248, 246, 238), 0)
    for length in (7, 10):
        hand = pic.at(turn=chance.uniform(0, 360))
        hand.line([(0, 0), (0, -length)], (40, 40, 40), 1.6)


def _picture(pic: Canvas, colour: Colour, chance: random.Random) -> None:
    width = chance.uniform(32, 48)
    pic.box(0, 0, width, 34, shade(colour, 0.6))
    pic.box(0, 0, width - 6, 28, (240, 236, 225), 0)
    pic.oval(chance.uniform(-6, 6), 4, 9, 7, _any_colour(chance, (0.4, 0.9), (0.5, 0.9)), 0)
    pic.oval(6, -5, 4, 4, colour, 0)


def _shelf(pic: Canvas, colour: Colour, chance: random.Random) -> None:
    pic.box(0, 16, 60, 5, shade((170, 120, 75), chance.uniform(0.6, 1.1)))
    x = -24.0
    while x < 22:
        width, height = chance.uniform(6, 13), chance.uniform(14, 28)
        pic.box(x + width / 2, 13.5 - height / 2, width, height,
                mix(colour, _any_colour(chance, (0.2, 0.9), (0.3, 0.9)), 0.7), 1, 1.5)  # fmt: skip
        x += width + chance.uniform(1, 4)


def _hanging_basket(pic: Canvas, colour: Colour, chance: random.Random) -> None:
    pic.line([(0, -90), (0, 0)], (90, 80, 70), 1.2)
    for _ in range(14):
        x, y = chance.uniform(-16, 16), chance.uniform(-12, 4)
        pic.oval(x, y, 6, 5, (60, int(chance.uniform(110, 160)), 60), 0)
    for _ in range(6):
        pic.oval(chance.uniform(-15, 15), chance.uniform(-12, 2), 3, 3, colour, 0)
    pic.shape([(-15, 2), (15, 2), (9, 15), (-9, 15)], (150, 100, 60))


def _table(pic: Canvas, edge: float, hero: Colour, chance: random.Random) -> Colour:
    colour = _any_colour(chance, (0.1, 0.55), (0.55, 0.9))
    while sum(abs(a - b) for a, b in zip(colour, hero, strict=True)) < LEAST_CONTRAST:
        colour = _any_colour(chance, (0.1, 0.55), (0.55, 0.9))
    pic.box(0, (edge + 125) / 2, 900, 125 - edge, colour, 0)
    kind = chance.choice(("planks", "stripes", "checks", "speckles"))
    dark, light = shade(colour, 0.86), shade(colour, 1.1)
    if kind == "planks":
        for y in np.arange(edge, 125, chance.uniform(16, 30)):
            pic.line([(-230, y), (230, y)], dark, 1.2)
    elif kind == "stripes":
        for x in np.arange(-225, 230, chance.uniform(24, 40)):
            pic.shape([(x, edge), (x + 9, edge), (x * 1.35 + 12, 125), (x * 1.35, 125)], light, 0)
    elif kind == "checks":
        for row in range(9):
            for column in range(-9, 10):
                if (row + column) % 2:
                    pic.box(column * 26, edge + 13 + row * 26, 26, 26, light, 0)
    else:
        for _ in range(160):
            spot = chance.choice((dark, light))
            pic.oval(chance.uniform(-225, 225), chance.uniform(edge, 122), 1.6, 1.2, spot, 0)
    pic.box(0, edge + 2, 900, 4, shade(colour, 0.7), 0)
    return colour

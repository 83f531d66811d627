"""The things that the videos show, each drawn around the origin of its canvas."""

import math

from howto.demo.canvas import Canvas, Colour, arc, mix, shade

__all__ = [
    "LIQUIDS",
    "bird_house",
    "board",
    "bottle",
    "bowl",
    "brush",
    "bucket",
    "cake",
    "can",
    "cloth",
    "cucumber",
    "cucumber_slice",
    "drawer",
    "egg",
    "flour_bag",
    "gift",
    "hammer",
    "hand",
    "iron",
    "jug",
    "knife",
    "ladle",
    "lettuce",
    "nail",
    "oven",
    "paint_roller",
    "pan",
    "pancake",
    "paper",
    "plant",
    "pot",
    "pot_front",
    "pump",
    "saw",
    "scissors",
    "shaker",
    "shirt",
    "spatula",
    "spoon",
    "spray_bottle",
    "squeegee",
    "stack",
    "stick",
    "tap",
    "tape_measure",
    "tin",
    "tomato",
    "tomato_slice",
    "tray",
    "trowel",
    "watering_can",
    "wheel",
    "whisk",
    "window",
    "window_bars",
    "wrench",
]

WHITE: Colour = (248, 247, 242)
STEEL: Colour = (185, 192, 200)
DARK: Colour = (52, 54, 60)
WOOD: Colour = (196, 150, 98)
SOIL: Colour = (92, 62, 40)
LEAF: Colour = (62, 148, 66)
GLASS: Colour = (190, 222, 238)
WATER: Colour = (110, 180, 235)
CLAY: Colour = (200, 110, 70)
CAKE: Colour = (222, 172, 100)

LIQUIDS: dict[str, Colour] = {
    "milk": (250, 250, 250),
    "batter": (244, 218, 148),
    "syrup": (156, 82, 20),
    "soap": (90, 200, 170),
    "oil": (214, 190, 50),
    "flour": (252, 250, 245),
    "egg": (250, 190, 40),
    "water": WATER,
}


def hand(pic: Canvas, x: float, y: float, side: int, skin: Colour, sleeve: Colour) -> None:
    """An arm from the lower edge, and its hand at (x, y); side -1 is the left one."""
    foot_x, foot_y = side * 105 + 0.25 * x, 150.0
    length = math.hypot(foot_x - x, foot_y - y)
    turn = math.degrees(math.atan2(x - foot_x, foot_y - y))
    arm = pic.at(x, y, turn=turn)
    arm.shape([(-9, 14), (9, 14), (13, length), (-13, length)], skin)
    cuff = max(30.0, 0.45 * length)
    arm.shape([(-14, cuff), (14, cuff), (19, length + 20), (-19, length + 20)], sleeve)
    for finger, reach in ((-7.5, -13), (-2.6, -17), (2.6, -17), (7.5, -13)):
        arm.box(finger, reach / 2 + 1, 5, -reach + 6, skin, 1, 2.4)
    thumb = arm.at(side * -10, 5, turn=side * -35)
    thumb.box(0, -4, 5.5, 15, skin, 1, 2.6)
    arm.box(0, 6, 20, 20, skin, 0, 7)


# Cloth and paper


def shirt(pic: Canvas, colour: Colour, left: float = 0, right: float = 0, up: float = 0) -> None:
    """A T-shirt lying flat; each fold goes from 0 (open) to 1 (closed)."""
    back = shade(colour, 0.8)
    middle = [(-30, -52), (-14, -52), *arc(0, -52, 14, 9, 180, 0), (14, -52), (30, -52)]
    if up <= 0:
        pic.shape([*middle, (30, 62), (-30, 62)], colour)
    else:
        pic.shape([*middle, (30, 6), (-30, 6)], colour)
    pic.line(arc(0, -51, 15, 12, 180, 0), back, 2.5)
    bottom = 62.0 if up <= 0 else 6.0
    flap = [(30, -52), (52, -46), (86, -16), (70, 4), (50, -16), (50, bottom), (30, bottom)]
    for side, fold in ((-1, left), (1, right)):
        lean = math.cos(math.pi * fold)
        lift = 20 * math.sin(math.pi * fold)
        points = [(side * (30 + (x - 30) * lean), y - lift * (x - 30) / 50) for x, y in flap]
        pic.shape(points, colour if lean > 0 else back)
    if up > 0:
        lean = math.cos(math.pi * min(up, 0.96))
        wide = 30 + 8 * math.sin(math.pi * up)
        edge = 6 + 54 * lean
        pic.shape([(-30, 6), (30, 6), (wide, edge), (-wide, edge)], colour if lean > 0 else back)


def paper(pic: Canvas, colour: Colour, width: float, height: float) -> None:
    """A sheet of dotted wrapping paper, its left edge at -width / 2."""
    pic.box(0, 0, width, height, colour)
    light = mix(colour, WHITE, 0.55)
    columns, rows = max(1, int(width / 22)), max(1, int(height / 22))
    for column in range(columns):
        for row in range(rows):
            x = -width / 2 + (column + 0.5 + 0.25 * (-1) ** row) * width / columns
            pic.oval(x, -height / 2 + (row + 0.5) * height / rows, 3.2, 3.2, light, 0)


def gift(pic: Canvas, colour: Colour, ribbon: float = 0, bow: float = 0) -> None:
    """A wrapped box seen from a corner; ribbon and bow go from 0 (none) to 1 (complete)."""
    gold = (250, 214, 70)
    pic.shape([(-52, -20), (-36, -44), (64, -44), (52, -20)], shade(colour, 1.2))
    pic.shape([(52, -20), (64, -44), (64, 22), (52, 48)], shade(colour, 0.75))
    pic.at(0, 14).box(0, 0, 104, 68, colour)
    light = mix(colour, WHITE, 0.55)
    for x in range(-40, 50, 20):
        for y in range(-8, 48, 18):
            pic.oval(x + (y // 9) % 2 * 5, y, 3, 3, light, 0)
    if ribbon > 0:
        pic.box(0, -20 + 34 * ribbon, 12, 68 * ribbon, gold)
        pic.shape([(-6, -20), (6, -20), (20, -44), (8, -44)], gold)
    if ribbon > 0.5:
        pic.box(-52 + 104 * (ribbon - 0.5), 14, 208 * (ribbon - 0.5), 12, gold)
    for side in (-1, 1):
        if bow > 0:
            loop = pic.at(8, -36, turn=side * 62)
            loop.oval(0, -14 * bow, 8 * bow, 17 * bow, gold, 1.5)
            loop.oval(0, -13 * bow, 3 * bow, 9 * bow, shade(gold, 0.75), 0)
    if bow > 0:
        pic.oval(8, -36, 6, 6, shade(gold, 0.9))


def cloth(pic: Canvas, colour: Colour, wave: float) -> None:
    """A crumpled rag; `wave` in [-1, 1] moves its folds."""
    lumps = [(-24, -12), (-6, -19 + 3 * wave), (14, -15), (26, -2), (20, 14 - 3 * wave)]
    pic.shape([*lumps, (0, 19), (-20, 14 + 3 * wave), (-28, 2)], colour)
    pic.line([(-14, -8), (0, 2 + 3 * wave), (14, -6)], shade(colour, 0.75), 2)
    pic.line([(-14, 8), (4, 9 - 3 * wave)], shade(colour, 0.75), 2)


def iron(pic: Canvas) -> None:
    """A steam iron seen from the side."""
    pic.shape([(-38, 18), (44, 18), (34, 2), (10, -12), (-34, -12)], (225, 232, 240))
    pic.box(2, 20, 84, 6, STEEL, 1.2, 2)
    pic.shape([(-32, -12), (-28, -32), (24, -32), (30, -24), (20, -22), (-16, -22), (-16, -12)],
              (60, 110, 200))  # fmt: skip
    pic.oval(4, 4, 7, 7, (240, 90, 60), 0)


def drawer(pic: Canvas, wood: Colour, opened: float) -> None:
    """A chest of drawers, the upper drawer pulled towards us (0 to 1)."""
    pic.box(0, 0, 150, 96, shade(wood, 0.85))
    pic.box(0, 26, 138, 36, wood, 1.5)
    pic.oval(0, 26, 5, 5, (240, 215, 120))
    pic.box(0, -22, 138, 40, shade(wood, 0.45), 1.5)
    low = -22 + 34 * opened
    if opened > 0.05:
        pic.shape([(-66, -40), (66, -40), (70, low), (-70, low)], shade(wood, 0.6))
    pic.box(0, low, 142, 36, wood, 1.5)
    pic.oval(0, low, 5, 5, (240, 215, 120))


# The kitchen


def bowl(pic: Canvas, colour: Colour, content: Colour | None = None, level: float = 1) -> None:
    """A mixing bowl from slightly above, filled up to `level` (0 to 1)."""
    pic.box(0, 42, 44, 8, shade(colour, 0.8), 1.2, 3)
    pic.shape(arc(0, -8, 66, 50, 0, 180, 24), colour)
    pic.line(arc(0, -6, 58, 42, 110, 160, 12), mix(colour, WHITE, 0.6), 3)
    pic.oval(0, -8, 66, 21, mix(colour, WHITE, 0.3))
    pic.oval(0, -7, 59, 17, shade(colour, 0.72), 0)
    if content is not None and level > 0:
        size = 0.55 + 0.4 * min(1, level)
        pic.oval(0, -1 - 5 * level, 58 * size, 15 * size, content, 0)


def pan(pic: Canvas) -> None:
    """A frying pan, its handle to the right."""
    pic.at(60, 6, turn=8).box(38, 0, 78, 11, (30, 30, 34), 1.2, 5)
    pic.oval(0, 6, 72, 33, DARK)
    pic.oval(0, 0, 72, 31, (84, 87, 94))
    pic.oval(0, 2, 62, 25, (40, 41, 46), 0)


def pancake(pic: Canvas, width: float, height: float, colour: Colour) -> None:
    """One pancake; a small height shows it from the side."""
    pic.oval(0, 3, width, height, shade(colour, 0.7))
    pic.oval(0, 0, width, height, colour)
    pic.oval(0, 0, width * 0.72, height * 0.7, shade(colour, 0.88), 0)


def stack(pic: Canvas, syrup: float = 0) -> None:
    """Pancakes on a plate, covered with syrup from 0 to 1."""
    pic.oval(0, 34, 84, 22, WHITE)
    pic.oval(0, 32, 62, 14, (225, 226, 222), 0)
    for layer in range(5):
        pancake(pic.at((-1) ** layer * 2, 30 - 11 * layer), 52, 15, (226, 166, 82))
    brown = LIQUIDS["syrup"]
    if syrup > 0:
        pic.oval(0, -15, 46 * syrup, 11 * syrup, brown, 0)
        for x, reach in ((-34, 30), (-16, 44), (6, 36), (24, 48), (38, 24)):
            if abs(x) < 46 * syrup:
                pic.box(x, -11 + reach * syrup / 2, 7, reach * syrup, brown, 0, 3)
    pic.box(4, -20, 15, 8, (255, 236, 140), 1, 2)


def egg(pic: Canvas, opened: float = 0) -> None:
    """An egg; opened from 0 (whole) to 1 (two halves apart)."""
    shell = (240, 208, 172)
    if opened <= 0:
        pic.oval(0, 0, 14, 18, shell)
        pic.oval(-4, -6, 4, 5, (252, 232, 208), 0)
        return
    for side in (-1, 1):
        half = pic.at(side * (5 + 16 * opened), 0, turn=side * 55 * opened)
        edge = [(-14, 0), (-9, -4), (-4, 1), (2, -4), (7, 1), (14, 0)]
        half.shape([*edge, *arc(0, 0, 14, 18, 0, 180)], shell)
        half.oval(0, 1, 9, 3, WHITE, 0)


def jug(pic: Canvas) -> None:
    """A milk jug, its spout to the left."""
    pic.line([(20, -18), (38, -14), (38, 16), (20, 20)], (70, 110, 180), 5)
    pic.shape([(-30, -34), (-20, -30), (22, -32), (18, -16), (26, 10), (22, 34), (-20, 34),
               (-26, 10), (-18, -16)], WHITE)  # fmt: skip
    pic.shape([(-25, 4), (25, 4), (26, 16), (-26, 16)], (70, 110, 180), 0)


def bottle(pic: Canvas, liquid: Colour) -> None:
    """A bottle of something, its neck to the left when tipped by 90 degrees to the left."""
    pic.box(0, -36, 10, 22, mix(liquid, WHITE, 0.25), 1.2, 2)
    pic.box(0, -49, 13, 8, (200, 60, 50), 1.2, 2)
    pic.box(0, 6, 32, 66, liquid, 1.2, 9)
    pic.box(0, 10, 32, 26, WHITE, 1)
    pic.oval(0, 10, 8, 8, liquid, 0)


def ladle(pic: Canvas, liquid: Colour) -> None:
    """A soup ladle with its cup at the origin, handle up to the right."""
    pic.line([(16, -4), (30, -60)], shade(STEEL, 0.7), 6)
    pic.line([(16, -4), (30, -60)], STEEL, 4)
    pic.shape(arc(0, -4, 20, 20, 0, 180), STEEL)
    pic.oval(0, -4, 20, 6, liquid)


def flour_bag(pic: Canvas) -> None:
    """A paper bag of flour with an ear of wheat on it; its opening is up."""
    tan = (222, 190, 140)
    pic.shape([(-26, -38), (-18, -34), (-8, -40), (6, -34), (18, -40), (26, -36), (28, 40),
               (-28, 40)], tan)  # fmt: skip
    pic.box(0, 6, 38, 40, WHITE, 1, 4)
    pic.line([(0, 20), (0, -6)], (190, 140, 40), 2)
    for y in (-8, 0, 8):
        for side in (-1, 1):
            pic.at(side * 5, y, turn=side * 40).oval(0, 0, 3, 6, (220, 170, 50), 0)


def shaker(pic: Canvas) -> None:
    """A small jar of sprinkles, its holes up."""
    pic.box(0, 6, 30, 44, (245, 245, 250), 1.2, 6)
    for index in range(12):
        spot = SPRINKLES[index % len(SPRINKLES)]
        pic.oval(-10 + 7 * (index % 4), 20 - 8 * (index // 4), 2.6, 2.6, spot, 0)
    pic.box(0, -20, 32, 12, (220, 50, 90), 1.2, 3)


SPRINKLES: tuple[Colour, ...] = ((230, 50, 80), (60, 140, 230), (250, 210, 50), (80, 190, 90))


def whisk(pic: Canvas) -> None:
    """A whisk standing on the origin."""
    pic.box(0, -74, 8, 44, (60, 60, 70), 1.2, 3)
    for width in (-13, -5, 5, 13):
        pic.line([(0, -52), (width, -28), (width * 0.8, -8), (0, 0)], (215, 220, 226), 2)


def spoon(pic: Canvas) -> None:
    """A wooden spoon standing on the origin."""
    pic.line([(0, -8), (0, -92)], shade(WOOD, 0.6), 8)
    pic.line([(0, -8), (0, -92)], WOOD, 5.5)
    pic.oval(0, -8, 10, 14, WOOD)


def stick(pic: Canvas) -> None:
    """A flat stirring stick standing on the origin."""
    pic.box(0, -44, 10, 92, (222, 190, 140), 1.2, 2)


def spatula(pic: Canvas) -> None:
    """A spatula lying with its blade at the origin, handle up."""
    pic.box(0, -60, 11, 40, (40, 40, 46), 1.2, 4)
    pic.box(0, -18, 17, 50, STEEL, 1.2, 6)


def tin(pic: Canvas, content: Colour | None, level: float) -> None:
    """A round baking tin."""
    grey = (150, 155, 164)
    pic.shape([(-64, -4), (64, -4), (58, 36), *arc(0, 36, 58, 12, 0, 180), (-58, 36)], grey)
    pic.oval(0, -4, 64, 18, shade(grey, 1.2))
    pic.oval(0, -3, 58, 15, shade(grey, 0.7), 0)
    if content is not None and level > 0:
        pic.oval(0, 3 - 6 * level, 40 + 17 * level, 10 + 4.5 * level, content, 0)


def oven(pic: Canvas, glow: float) -> None:
    """An oven with its door open to a glowing inside."""
    pic.box(0, 0, 190, 118, (228, 228, 232), 1.5, 5)
    pic.box(0, -48, 178, 14, (60, 62, 70), 1)
    for x in (-70, -45, 45, 70):
        pic.oval(x, -48, 5, 5, (230, 230, 235), 0)
    pic.box(0, 12, 166, 84, (45, 30, 28), 1.5, 4)
    pic.box(0, 12, 154, 72, mix((90, 40, 24), (250, 120, 30), glow), 0, 4)
    for y in (0, 34):
        pic.line([(-76, y), (76, y)], (160, 160, 165), 2)
    pic.shape([(-84, 56), (84, 56), (92, 74), (-92, 74)], (70, 72, 80))


def cake(pic: Canvas, icing: Colour, covered: float) -> None:
    """A cake on a stand; the icing covers its top from left to right, 0 to 1."""
    pic.oval(0, 44, 86, 18, WHITE)
    pic.shape([(-62, -8), (62, -8), (62, 36), *arc(0, 36, 62, 15, 0, 180), (-62, 36)], CAKE)
    pic.shape([(-62, 14), *arc(0, 14, 62, 15, 180, 0), (62, 20), *arc(0, 20, 62, 15, 0, 180)],
              (200, 70, 80), 0)  # fmt: skip
    pic.oval(0, -8, 62, 17, shade(CAKE, 1.1))
    if covered <= 0:
        return
    limit = -62 + 124 * min(1, covered)
    points = [(min(x, limit), y) for x, y in arc(0, -9, 62, 17, 0, 360, 40)]
    pic.shape(points, icing, 0)
    for x in range(-58, 60, 14):
        if x < limit:
            pic.box(x, 4 + 6 * math.cos(x / 40), 12, 18 + x % 5 * 2, icing, 0, 5)


def lettuce(pic: Canvas, wave: float) -> None:
    """A head of lettuce."""
    for index in range(10):
        leaf = pic.at(turn=index * 36 + 4 * wave)
        green = (110, 190, 70) if index % 2 else (140, 210, 90)
        leaf.oval(0, -20, 15, 20, green)
        leaf.line([(0, -4), (0, -32)], (200, 235, 160), 1.6)
    pic.oval(0, 0, 16, 15, (190, 230, 130))


def tomato(pic: Canvas) -> None:
    """A tomato with its green star."""
    pic.oval(0, 0, 30, 26, (220, 50, 40))
    pic.oval(-10, -9, 7, 5, (245, 130, 110), 0)
    for turn in range(0, 360, 72):
        pic.at(0, -20, turn=turn).shape([(-3, 0), (0, -11), (3, 0)], LEAF, 0)


def tomato_slice(pic: Canvas) -> None:
    """A slice of tomato."""
    pic.oval(0, 0, 17, 15, (215, 60, 50))
    pic.oval(0, 0, 13, 11, (240, 120, 100), 0)
    pic.oval(0, 0, 5, 4, (250, 190, 150), 0)


def cucumber(pic: Canvas, length: float) -> None:
    """A cucumber lying along x, from -length / 2."""
    pic.box(0, 0, length, 27, (40, 120, 55), 1.2, 12)
    pic.line([(-length / 2 + 10, -6), (length / 2 - 10, -6)], (90, 170, 90), 2)


def cucumber_slice(pic: Canvas) -> None:
    """A slice of cucumber."""
    pic.oval(0, 0, 13, 13, (40, 120, 55))
    pic.oval(0, 0, 10, 10, (205, 235, 170), 0)
    pic.oval(0, 0, 4, 4, (170, 210, 130), 0)


def knife(pic: Canvas) -> None:
    """A kitchen knife along x, its edge down, the handle to the right."""
    pic.shape([(-56, -4), (10, -10), (10, 8), (-44, 8)], (215, 220, 226))
    pic.box(32, -2, 46, 13, DARK, 1.2, 4)


def tap(pic: Canvas) -> None:
    """A kitchen tap, its mouth at the origin."""
    pic.line([(0, -4), (0, -24), (14, -38), (34, -38), (44, -26), (44, 30)], shade(STEEL, 0.6), 13)
    pic.line([(0, -4), (0, -24), (14, -38), (34, -38), (44, -26), (44, 30)], (210, 216, 222), 9)
    pic.box(44, -44, 22, 7, STEEL, 1.2, 3)


# The workshop


def wheel(pic: Canvas, turn: float, tyre: float = 1) -> None:
    """A bicycle wheel; `tyre` is the share of the rim that the tyre covers, from the top."""
    if tyre > 0:
        points = arc(0, 0, 68, 68, -90 - 180 * tyre, -90 + 180 * tyre, 48)
        pic.line(points, (36, 36, 40), 13)
        pic.line(points, (74, 74, 80), 2)
    pic.line(arc(0, 0, 59, 59, 0, 360, 60), (215, 220, 226), 5)
    pic.line(arc(0, 0, 56, 56, 0, 360, 60), (120, 125, 132), 1.2)
    for spoke in range(14):
        angle = math.radians(turn + spoke * 360 / 14)
        end = (56 * math.cos(angle), 56 * math.sin(angle))
        pic.line([(0, 0), end], (232, 235, 240), 1.6)
    flag = math.radians(turn)
    pic.oval(42 * math.cos(flag), 42 * math.sin(flag), 5, 5, (250, 150, 40))
    pic.oval(0, 0, 9, 9, STEEL)


def wrench(pic: Canvas) -> None:
    """An open-ended wrench, its jaw at the origin, handle to the right."""
    pic.box(46, 0, 76, 13, (165, 175, 188), 1.2, 5)
    pic.shape([(-10, -15), (8, -15), (16, -6), (16, 6), (8, 15), (-10, 15), (-10, 7), (2, 6),
               (2, -6), (-10, -7)], (165, 175, 188))  # fmt: skip


def pump(pic: Canvas, colour: Colour, handle: float) -> None:
    """A floor pump on its foot; `handle` from 0 (down) to 1 (up)."""
    top = -34 - 42 * handle
    pic.line([(0, -20), (0, top)], STEEL, 5)
    pic.box(0, top, 52, 9, DARK, 1.2, 4)
    pic.box(0, 12, 18, 74, colour, 1.2, 3)
    pic.box(0, 52, 54, 8, DARK, 1.2, 3)
    pic.oval(0, 34, 11, 11, WHITE)
    pic.line([(0, 34), (7 * handle, 28)], (200, 30, 30), 1.6)


def board(pic: Canvas, wood: Colour, width: float = 190) -> None:
    """A plank along x."""
    pic.box(0, 4, width, 44, shade(wood, 0.7), 1.2, 2)
    pic.box(0, 0, width, 44, wood, 1.2, 2)
    for y, reach in ((-12, 0.9), (-2, 0.7), (10, 0.85)):
        pic.line([(-width * reach / 2, y), (0, y + 3), (width * reach / 2, y)],
                 shade(wood, 0.85), 1.3)  # fmt: skip


def saw(pic: Canvas) -> None:
    """A hand saw along x, teeth down, handle to the right."""
    teeth = [(x, 12 + 4 * (index % 2)) for index, x in enumerate(range(42, -72, -6))]
    pic.shape([(-70, 2), (42, -14), *teeth], (205, 212, 220))
    pic.box(60, -2, 38, 34, (200, 110, 50), 1.2, 9)
    pic.box(60, -2, 18, 14, (120, 60, 25), 0, 5)


def hammer(pic: Canvas) -> None:
    """A hammer, its face at the origin, handle to the right."""
    pic.box(50, -14, 90, 9, WOOD, 1.2, 4)
    pic.box(2, -13, 20, 26, (90, 95, 105), 1.2, 2)
    pic.shape([(-6, -26), (10, -26), (4, -40), (-8, -38)], (90, 95, 105))


def nail(pic: Canvas, height: float) -> None:
    """A nail, its head `height` above the origin."""
    pic.line([(0, 0), (0, -height)], (140, 145, 152), 3)
    pic.box(0, -height, 10, 3, (165, 170, 178), 1)


def tape_measure(pic: Canvas, length: float) -> None:
    """A tape measure at the origin, its tape drawn out by `length` to the left."""
    pic.box(-length / 2, 10, length, 10, (250, 215, 60))
    for index in range(int(length / 8)):
        pic.line([(-index * 8.0, 5), (-index * 8.0, 9 + 3 * (index % 2))], DARK, 1)
    pic.box(14, -2, 38, 36, (215, 60, 45), 1.2, 8)
    pic.oval(14, -2, 10, 10, (60, 60, 66), 0)


def bird_house(pic: Canvas, wood: Colour, paint: Colour, painted: float) -> None:
    """A birdhouse; the paint covers it from the top, 0 to 1."""
    pic.box(0, 22, 74, 72, wood)
    pic.shape([(-52, -10), (0, -56), (52, -10), (44, -2), (0, -42), (-44, -2)], shade(wood, 0.75))
    pic.shape([(-37, -12), (0, -43), (37, -12)], wood, 0)
    if painted > 0:
        low = -56 + 114 * min(1, painted)
        pic.shape([(-36, max(-14, min(low, 0))), (-36, max(-13, low)), (36, max(-13, low)),
                   (36, -13), (0, -42), (-36, -13)], paint, 0)  # fmt: skip
        pic.shape([(-52, -10), (0, -56), (52, -10), (44, -2), (0, -42), (-44, -2)],
                  shade(paint, 0.7))  # fmt: skip
    pic.oval(0, 12, 15, 15, (40, 28, 22))
    pic.line([(0, 36), (0, 44)], shade(wood, 0.5), 5)


# Garden


def pot(pic: Canvas, colour: Colour, soil: float = 0) -> None:
    """A flower pot, filled with soil from 0 to 1."""
    pic.shape([(-40, -18), (40, -18), (30, 48), (-30, 48)], colour)
    pic.oval(0, -20, 46, 12, mix(colour, WHITE, 0.15))
    pic.oval(0, -20, 40, 9, shade(colour, 0.5), 0)
    if soil > 0:
        pic.oval(0, -16 - 4 * soil, 28 + 11 * soil, 5 + 4 * soil, SOIL, 0)
    pot_front(pic, colour)


def pot_front(pic: Canvas, colour: Colour) -> None:
    """The near side of a flower pot: what stands in it goes behind this."""
    rim = arc(0, -20, 46, 12, 180, 0)
    pic.shape([(-40, -12), *arc(0, -12, 40, 8, 180, 0), (40, -12), (30, 48), (-30, 48)], colour)
    pic.shape([*rim, (46, -8), *arc(0, -8, 46, 10, 0, 180)], colour)


def plant(pic: Canvas, wave: float, dry: int = 0, roots: bool = False) -> None:
    """A leafy plant growing from the origin; `dry` of its leaves are brown."""
    if roots:
        pic.shape([(-26, -2), (26, -2), (20, 34), (-20, 34)], SOIL)
        for x in (-14, -4, 6, 15):
            pic.line([(x, 4), (x - 4, 18), (x + 3, 32)], (200, 180, 150), 1.5)
    pic.line([(0, 0), (2 * wave, -30), (4 * wave, -62)], (80, 120, 50), 5)
    leaves = ((-62, 18, 36), (58, 22, 36), (-38, 40, 34), (36, 44, 34), (-14, 60, 34), (16, 62, 32))
    for index, (turn, height, length) in enumerate(leaves):
        leaf = pic.at(3 * wave * height / 60, -height, turn=turn + 5 * wave)
        colour = (176, 130, 60) if index < dry else shade(LEAF, 1 + 0.08 * (index % 3))
        leaf.oval(0, -length / 2, 12, length / 2 + 4, colour)
        leaf.line([(0, 0), (0, -length)], shade(colour, 1.25), 1.4)


def trowel(pic: Canvas, full: bool) -> None:
    """A garden trowel, its tip to the left of the origin."""
    pic.box(52, 0, 46, 11, (210, 80, 40), 1.2, 5)
    pic.line([(16, 0), (32, 0)], STEEL, 5)
    pic.shape([(-36, 2), (-18, -13), (16, -12), (18, 10), (-18, 14)], STEEL)
    if full:
        pic.shape([(-26, 0), (-16, -18), (-2, -22), (14, -12), (14, 4)], SOIL)


def watering_can(pic: Canvas, colour: Colour) -> None:
    """A watering can, its rose to the left."""
    pic.line([(24, -20), (52, -18), (50, 18), (26, 20)], shade(colour, 0.7), 6)
    pic.shape([(-26, 6), (-62, -22), (-56, -30), (-22, -14)], shade(colour, 0.85))
    pic.shape([(-72, -18), (-54, -38), (-50, -32), (-66, -12)], shade(colour, 0.7))
    pic.box(2, 4, 56, 54, colour, 1.2, 5)
    pic.oval(2, -23, 28, 6, shade(colour, 0.6))


def scissors(pic: Canvas, opened: float) -> None:
    """Scissors with their tips to the left; opened from 0 to 1."""
    for side in (-1, 1):
        half = pic.at(turn=side * (3 + 20 * opened))
        half.shape([(-52, 0), (8, -5), (8, 5)], (205, 212, 220))
        half.line([(8, 0), (26, side * -5)], (190, 40, 50), 5)
        half.line(arc(38, side * -9, 13, 10, 0, 360, 24), (190, 40, 50), 5)
    pic.oval(0, 0, 3, 3, DARK, 0)


# The house


def window(pic: Canvas, dirt: float, wet: float = 0) -> None:
    """A window with a view; `dirt` and `wet` from 0 to 1."""
    pic.box(0, 0, 196, 142, WHITE, 1.5)
    pane = mix(mix(GLASS, (150, 136, 105), 0.65 * dirt), (225, 240, 250), 0.5 * wet)
    pic.box(0, 0, 180, 126, pane, 1.2)
    pic.oval(-52, 44, 34, 16, mix(pane, (90, 160, 90), 0.55), 0)
    pic.oval(46, 46, 42, 15, mix(pane, (80, 150, 90), 0.5), 0)
    pic.oval(56, -34, 13, 13, mix(pane, (255, 225, 120), 0.7), 0)
    for x in (-70, -52):
        pic.line([(x, -10), (x + 30, -50)], mix(pane, WHITE, 0.6), 3)


def window_bars(pic: Canvas) -> None:
    """The cross of the frame, and the sill."""
    pic.box(0, 0, 7, 128, WHITE, 1)
    pic.box(0, 0, 182, 7, WHITE, 1)
    pic.box(0, 74, 212, 10, (235, 232, 224), 1.2)


def bucket(pic: Canvas, content: Colour, foam: float) -> None:
    """A bucket with its content, and foam from 0 to 1."""
    blue = (60, 120, 200)
    pic.line(arc(0, -20, 58, 52, 190, 350), (150, 155, 162), 2.5)
    pic.shape([(-58, -18), (58, -18), (44, 52), (-44, 52)], blue)
    pic.oval(0, -18, 58, 16, shade(blue, 1.25))
    pic.oval(0, -17, 52, 13, content, 0)
    for index in range(int(14 * foam)):
        x, y = 40 * math.sin(index * 2.4), -17 + 9 * math.cos(index * 1.7)
        pic.oval(x, y, 7, 5, (240, 250, 252), 0.8)


def spray_bottle(pic: Canvas, colour: Colour) -> None:
    """A spray bottle, its nozzle to the left, at the height of the origin."""
    pic.box(8, 40, 34, 52, colour, 1.2, 8)
    pic.box(6, 8, 12, 14, WHITE, 1)
    pic.shape([(-16, -6), (20, -6), (24, 4), (-4, 4), (-16, 2)], (230, 60, 50))
    pic.line([(-2, 4), (-8, 14)], (230, 60, 50), 3)


def squeegee(pic: Canvas) -> None:
    """A squeegee with its blade at the origin, handle down."""
    pic.box(0, 30, 10, 52, (240, 150, 40), 1.2, 4)
    pic.box(0, 2, 62, 8, (170, 176, 184), 1.2, 2)
    pic.box(0, -3, 66, 5, (36, 36, 40), 0)


def can(pic: Canvas, paint: Colour) -> None:
    """An open can of paint."""
    pic.line(arc(0, -18, 50, 44, 195, 345), (150, 155, 162), 2)
    pic.shape([(-48, -18), (48, -18), (48, 42), *arc(0, 42, 48, 12, 0, 180), (-48, 42)],
              (205, 208, 212))  # fmt: skip
    pic.box(0, 18, 95, 34, paint, 0)
    pic.oval(0, 18, 12, 12, WHITE, 0)
    pic.oval(0, -18, 48, 14, (225, 228, 232))
    pic.oval(0, -17, 42, 11, paint, 0)


def tray(pic: Canvas, paint: Colour, level: float) -> None:
    """A paint tray, filled from 0 to 1."""
    pic.shape([(-80, -24), (80, -24), (92, 34), (-92, 34)], (60, 64, 72))
    pic.shape([(-70, -16), (70, -16), (80, 26), (-80, 26)], (100, 104, 112), 0)
    for y in (-8, 2, 12):
        pic.line([(-66 - y / 3, y), (66 + y / 3, y)], (80, 84, 92), 1.5)
    if level > 0:
        pic.oval(0, 6, 72 * level, 18 * level, paint, 0)


def brush(pic: Canvas, paint: Colour) -> None:
    """A paint brush, the tip of its bristles at the origin, handle down."""
    pic.box(0, 52, 10, 44, WOOD, 1.2, 4)
    pic.box(0, 26, 25, 12, (180, 150, 70))
    pic.shape([(-12, 21), (12, 21), (10, 0), (-10, 0)], mix(paint, (90, 70, 50), 0.15))


def paint_roller(pic: Canvas, paint: Colour) -> None:
    """A paint roller at the origin, handle down."""
    pic.line([(34, 0), (44, 0), (44, 22), (0, 30), (0, 48)], (140, 145, 152), 4)
    pic.box(0, 62, 13, 42, (210, 60, 50), 1.2, 5)
    pic.box(0, 0, 70, 24, paint, 1.2, 6)
    pic.line([(-30, -6), (30, -6)], mix(paint, WHITE, 0.4), 2)

"""What is done in each step: one function a motion, drawing one moment of it.

Each takes the canvas, the looks of the video, and a moment: how far the step has got, and the
seconds that drive its regular movement. The movement is characteristic (to stir goes round, to
hammer goes up and down), and goes on all through the step, so that any second of it shows what is
done.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from howto.demo import things
from howto.demo.canvas import Canvas, Colour, arc, mix, shade
from howto.demo.scene import Look
from howto.demo.things import LIQUIDS

__all__ = ["MOTIONS", "Moment", "greet", "rest"]

Motion = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of a step.

    Attributes:
        done: how far the step has got, 0 to 1.
        seconds: since the step began, at the speed of this person.
    """

    done: float
    seconds: float

    def swing(self, per_second: float, lag: float = 0) -> float:
        """A regular movement to and fro, from -1 to 1."""
        return math.sin(2 * math.pi * (per_second * self.seconds - lag))

    def circle(self, per_second: float) -> tuple[float, float]:
        """A point going round the unit circle."""
        angle = 2 * math.pi * per_second * self.seconds
        return math.cos(angle), math.sin(angle)

    def ease(self, start: float, stop: float) -> float:
        """0 before `start`, 1 after `stop` (as shares of the step), smooth in between."""
        share = min(max((self.done - start) / (stop - start), 0), 1)
        return share * share * (3 - 2 * share)

    def again(self, times: int) -> "Moment":
        """The step cut into equal rounds: the moment within its round."""
        whole = self.done * times
        return Moment(whole - int(min(whole, times - 1e-6)), self.seconds)

    def round_number(self, times: int) -> int:
        """In which of the equal rounds this moment is, from 0."""
        return min(int(self.done * times), times - 1)


def _hand(pic: Canvas, look: Look, x: float, y: float, side: int) -> None:
    things.hand(pic, x, y, side, look.skin, look.sleeve)


def _shadow(pic: Canvas, look: Look, x: float, y: float, rx: float, ry: float) -> None:
    pic.oval(x, y, rx, ry, look.shadow, 0)


def _scatter(number: int) -> float:
    """A number in [-1, 1] for each grain or drop: its neighbours lie elsewhere."""
    return math.sin(1.7 * number * number)


def rest(pic: Canvas, look: Look, moment: Moment) -> None:
    """Nothing to see but the hands: between two steps."""
    breath = moment.swing(0.3)
    _hand(pic, look, -88, 92 + breath, -1)
    _hand(pic, look, 88, 92 - breath, 1)


def greet(pic: Canvas, look: Look, moment: Moment) -> None:
    """The person waves: at the beginning and the end."""
    _hand(pic, look, -84, 88, -1)
    wave = moment.swing(1.1)
    things.hand(pic, 42 + 26 * wave, 2 + 4 * abs(wave), 1, look.skin, look.sleeve)


# The shirt


def smooth(pic: Canvas, look: Look, moment: Moment) -> None:
    """Both hands run over the cloth from the middle to the sides."""
    things.shirt(pic.at(0, 28), look.hero)
    out = (1 - math.cos(2 * math.pi * 0.55 * moment.seconds)) / 2
    height = 12 + 40 * moment.done
    _hand(pic, look, -14 - 42 * out, height, -1)
    _hand(pic, look, 14 + 42 * out, height, 1)


def iron(pic: Canvas, look: Look, moment: Moment) -> None:
    """The iron glides to and fro, steam rises."""
    things.shirt(pic.at(0, 28), look.hero)
    x, y = 34 * moment.swing(0.6), 12 + 46 * (moment.done - 0.2)
    for puff in range(3):
        rise = (moment.seconds * 0.8 + puff / 3) % 1
        pic.oval(x - 10 + 16 * puff, y - 30 - 34 * rise, 5 + 5 * rise, 4 + 4 * rise,
                 mix(look.hero, (255, 255, 255), 0.55 + 0.3 * rise), 0)  # fmt: skip
    things.iron(pic.at(x, y))
    _hand(pic, look, x, y - 22, 1)
    _hand(pic, look, -72, 66, -1)


def fold_shirt(pic: Canvas, look: Look, moment: Moment, side: str) -> None:
    """One part of the shirt goes over, is patted down, opened a little and closed again."""
    fold = moment.ease(0.1, 0.42) - 0.55 * moment.ease(0.5, 0.62) + 0.55 * moment.ease(0.66, 0.9)
    lean = math.cos(math.pi * fold)
    place = pic.at(0, 28)
    if side == "up":
        things.shirt(place, look.hero, 1, 1, max(fold, 0.001))
        for hand in (-1, 1):
            _hand(pic, look, hand * 24, 28 + 6 + 54 * lean, hand)
        return
    left = side == "left"
    things.shirt(place, look.hero, *((fold, 0) if left else (1, fold)))
    sign = -1 if left else 1
    reach = 30 + 38 * lean
    _hand(pic, look, sign * reach, 24 - 20 * math.sin(math.pi * fold), sign)
    _hand(pic, look, -sign * 24, 66, -sign)


def stow(pic: Canvas, look: Look, moment: Moment) -> None:
    """The drawer opens, the folded shirt goes in, the drawer shuts."""
    opened = moment.ease(0, 0.25) - moment.ease(0.72, 1)
    things.drawer(pic.at(0, 0), look.wood, opened)
    down = moment.ease(0.25, 0.65)
    if moment.done < 0.72:
        y = 86 - 92 * down + 16 * math.sin(math.pi * down)
        pile = pic.at(0, y, scale=0.9)
        for layer in range(3):
            pile.box(0, 12 - 9 * layer, 70, 12, shade(look.hero, 0.8 + 0.1 * layer), 1.2, 4)
        things.shirt(pile.at(0, -17, scale=0.5), look.hero, 1, 1, 0.001)
        _hand(pic, look, -34, y + 12, -1)
        _hand(pic, look, 34, y + 12, 1)
    else:
        _hand(pic, look, 12, 14 + 34 * opened, 1)
        _hand(pic, look, -80, 84, -1)


# Bowls, pans and pots


def _vessel(pic: Canvas, look: Look, kind: str, content: str, level: float) -> None:
    """The thing that something is poured or stirred in; `content` is a liquid, hero or none."""
    inside = _liquid(look, content)
    if kind == "bowl":
        things.bowl(pic, look.bowl, inside, level)
        if content == "salad":
            _salad(pic, 0)
    elif kind == "pan":
        things.pan(pic)
    elif kind == "tin":
        things.tin(pic, inside, level)
    elif kind == "tray":
        things.tray(pic, look.hero, level)
    elif kind == "can":
        things.can(pic, look.hero)
    elif kind == "bucket":
        things.bucket(pic, LIQUIDS["water"], level)


def _liquid(look: Look, name: str) -> Colour | None:
    if name == "hero":
        return look.hero
    return {"salad": (110, 170, 70)}.get(name, LIQUIDS.get(name))


def _salad(pic: Canvas, wave: float) -> None:
    for index in range(16):
        x = 44 * math.sin(index * 2.4 + wave) * (0.5 + 0.5 * math.sin(index * 1.3))
        y = -12 + 10 * math.cos(index * 1.9 + wave)
        kind = index % 4
        colour = ((110, 190, 70), (150, 215, 95), (220, 60, 45), (205, 235, 170))[kind]
        pic.oval(x, y, 11, 6, colour, 1)


def pour(
    pic: Canvas, look: Look, moment: Moment, source: str, liquid: str, into: str, content: str
) -> None:
    """Something is tipped over the vessel and runs in."""
    colour = _liquid(look, liquid)
    assert colour is not None
    place = pic.at(-22, 48)
    _shadow(place, look, 0, 46, 74, 16)
    running = 0.1 < moment.done < 0.92
    level = moment.ease(0.1, 0.95)
    if into == "stack":
        things.stack(place, level)
    elif content in ("egg", "water", "salad"):
        _vessel(place, look, into, content, 1 if content != "water" else level)
        if content == "egg":
            place.oval(0, -6, 54 * level, 15 * level, colour, 0)
    elif into == "pan":
        things.pan(place)
        place.oval(0, 2, 50 * level, 19 * level, shade(colour, 0.7), 0)
        place.oval(0, 0, 50 * level, 19 * level, colour, 0)
    else:
        _vessel(place, look, into, liquid, level)
    mouth_x, mouth_y = -14 + 5 * moment.swing(0.5), -36.0
    if running:
        for drop in range(5):
            fall = (moment.seconds * 2.2 + drop / 5) % 1
            pic.oval(mouth_x + 2 * math.sin(9 * fall), mouth_y + 76 * fall, 5, 8, colour, 0)
        pic.line([(mouth_x, mouth_y), (mouth_x + 1, mouth_y + 40), (mouth_x - 1, mouth_y + 78)],
                 colour, 6)  # fmt: skip
    tip = 62 * (moment.ease(0, 0.12) - moment.ease(0.9, 1))
    hand = _tipped(pic, look, source, colour, (mouth_x, mouth_y), tip)
    _hand(pic, look, *hand, 1)
    _hand(pic, look, -88, 76, -1)


def _tipped(
    pic: Canvas, look: Look, source: str, liquid: Colour, mouth: tuple[float, float], tip: float
) -> tuple[float, float]:
    """Draw what is poured from, its mouth over the stream; returns where the hand holds it."""
    x, y = mouth
    sway = 1 - tip / 62
    if source == "jug":
        things.jug(pic.at(x + 38, y - 12 + 8 * sway, turn=-tip))
        return x + 58, y + 6
    if source == "bottle":
        things.bottle(pic.at(x + 42, y - 20 + 14 * sway, turn=-tip * 1.25, scale=0.95), liquid)
        return x + 50, y - 12
    if source == "ladle":
        things.ladle(pic.at(x + 12, y - 4, turn=-tip * 0.5), liquid)
        return x + 24, y - 48
    if source == "can":
        things.can(pic.at(x + 56, y - 18, turn=-tip, scale=0.85), liquid)
        return x + 84, y + 6
    things.bowl(pic.at(x + 52, y - 26, turn=-tip * 0.8, scale=0.8), look.bowl, liquid)
    return x + 92, y - 6


def stir(pic: Canvas, look: Look, moment: Moment, vessel: str, content: str, tool: str) -> None:
    """The tool goes round in the vessel."""
    place = pic.at(0, 48)
    _shadow(place, look, 0, 46, 74, 16)
    _vessel(place, look, vessel, content, 1)
    colour = _liquid(look, content)
    assert colour is not None
    across, along = moment.circle(0.9)
    wide = 32 if vessel == "can" else 44
    if content == "salad":
        _salad(place, moment.seconds * 1.4)
    else:
        turn = math.degrees(math.atan2(along, across))
        height = -18 if vessel == "can" else -11
        for size in (0.9, 0.6, 0.3):
            points = arc(0, height, wide * size, 10 * size, turn - 200, turn, 14)
            place.line(points, shade(colour, 0.82), 2.5)
    x, y = wide * 0.8 * across, 36 + 9 * along - (8 if vessel == "can" else 0)
    draw = {"whisk": things.whisk, "spoon": things.spoon, "stick": things.stick}[tool]
    draw(pic.at(x, y, turn=10 * across))
    _hand(pic, look, x + 10 + 12 * across, y - 66, 1)
    _hand(pic, look, -62, 66, -1)


def crack(pic: Canvas, look: Look, moment: Moment) -> None:
    """Two eggs, one after the other: tapped on the edge, opened, dropped."""
    place = pic.at(0, 52)
    _shadow(place, look, 0, 46, 74, 16)
    egg_number = moment.round_number(2)
    turn = moment.again(2)
    things.bowl(place, look.bowl, (238, 236, 215), 0.5)
    for yolk in range(egg_number + (turn.done > 0.8)):
        place.oval(-16 + 30 * yolk, -6, 12, 6, LIQUIDS["egg"], 1)
    for spare in range(2 - egg_number):
        things.egg(pic.at(-118 + 26 * spare, 34))
    opened = turn.ease(0.45, 0.75)
    if turn.done < 0.45:
        x, y = 34.0, 14 - 12 * abs(moment.swing(0.9))
    else:
        x, y = 34 - 34 * turn.ease(0.4, 0.55), 4.0
        fall = turn.ease(0.58, 0.8)
        if 0.05 < fall < 1:
            pic.oval(0, 14 + 30 * fall, 16, 9, (240, 236, 205), 0)
            pic.oval(0, 14 + 30 * fall, 10, 7, LIQUIDS["egg"], 1)
    things.egg(pic.at(x, y), opened)
    _hand(pic, look, x - 24 - 14 * opened, y + 6, -1)
    _hand(pic, look, x + 22 + 14 * opened, y + 6, 1)


def shake(pic: Canvas, look: Look, moment: Moment, tool: str, grains: str, onto: str) -> None:
    """A bag or a jar is shaken, and grains fall."""
    place = pic.at(-8, 52)
    _shadow(place, look, 0, 46, 78, 16)
    done = moment.ease(0.05, 0.95)
    if onto == "bowl":
        things.bowl(place, look.bowl, LIQUIDS["egg"], 0.6)
        place.oval(0, -6 - 4 * done, 52 * done, 13 * done, LIQUIDS["flour"], 1)
    else:
        things.cake(place, look.hero, 1)
        for spot in range(int(50 * done)):
            reach = math.sqrt((spot * 0.618) % 1)
            x, y = 56 * reach * math.cos(spot * 2.4), -9 + 14 * reach * math.sin(spot * 2.4)
            place.oval(x, y, 2.4, 1.8, things.SPRINKLES[spot % 4], 0)
    jerk = moment.swing(2.1)
    middle = -10 + 24 * moment.swing(0.25)
    for grain in range(26):
        fall = (moment.seconds * 1.5 + grain * 0.381) % 1
        spread = _scatter(grain)
        colour = LIQUIDS["flour"] if grains == "flour" else things.SPRINKLES[grain % 4]
        size = 2.8 if grains == "flour" else 2.2
        pic.oval(middle + spread * (6 + 22 * fall), -34 + 78 * fall, size, size, colour, 0)
    held = pic.at(middle + 26, -58 + 5 * jerk, turn=-128 + 6 * jerk, scale=0.9)
    (things.flour_bag if tool == "bag" else things.shaker)(held)
    _hand(pic, look, middle + 46, -44 + 5 * jerk, 1)
    _hand(pic, look, -84, 78, -1)


def flip(pic: Canvas, look: Look, moment: Moment) -> None:
    """The pancake flies up from the pan, turns over and comes down, again and again."""
    beat = (moment.seconds * 0.55) % 1
    flight = min(max((beat - 0.2) / 0.6, 0), 1)
    dip = 7 * math.sin(math.pi * min(beat / 0.25, 1)) - 4 * math.sin(2 * math.pi * beat)
    place = pic.at(-26, 58 + dip)
    _shadow(pic, look, -26, 96, 74, 14)
    things.pan(place)
    height = 90 * 4 * flight * (1 - flight)
    side = math.cos(2 * math.pi * flight)
    colour = (214, 150, 70) if side > 0 else (240, 205, 130)
    things.pancake(pic.at(-26, 58 + dip - height), 50, 4 + 15 * abs(side), colour)
    _hand(pic, look, 78, 72 + dip, 1)
    _hand(pic, look, -100, 92, -1)


# The bicycle


def _standing_wheel(pic: Canvas, look: Look, turn: float, tyre: float = 1, x: float = 0) -> Canvas:
    _shadow(pic, look, x, 102, 60, 8)
    place = pic.at(x, 26)
    things.wheel(place, turn, tyre)
    return place


def wrench(pic: Canvas, look: Look, moment: Moment) -> None:
    """The wrench turns the nut in the middle of the wheel, a bit at a time."""
    place = _standing_wheel(pic, look, 15)
    beat = (moment.seconds * 0.6) % 1
    pull = beat / 0.65 if beat < 0.65 else (1 - beat) / 0.35
    turn = 25 - 75 * pull
    place.oval(0, 0, 7, 7, (225, 190, 80), 1.5)
    things.wrench(place.at(turn=turn))
    angle = math.radians(turn)
    _hand(pic, look, 74 * math.cos(angle), 26 + 74 * math.sin(angle), 1)
    _hand(pic, look, -66, 46, -1)


def pry(pic: Canvas, look: Look, moment: Moment) -> None:
    """Two levers work along the rim; the tyre comes off behind them."""
    place = _standing_wheel(pic, look, 15, 1 - 0.62 * moment.ease(0.1, 0.95))
    push = 16 * moment.swing(0.8)
    for side, at in ((-1, 150), (1, 30)):
        angle = math.radians(at + side * 20 * moment.done)
        x, y = 60 * math.cos(angle), 60 * math.sin(angle)
        lever = place.at(x, y, turn=at - 90 + side * push)
        lever.box(0, 14, 9, 52, look.hero, 1.4, 4)
        lever.box(0, -12, 14, 6, look.hero, 1.2, 2)
        _hand(pic, look, x * 1.35 - side * push * 0.5, 26 + y * 1.35 + 5, side)


def pull_tube(pic: Canvas, look: Look, moment: Moment) -> None:
    """The inner tube is drawn out in a long wobbling loop."""
    _standing_wheel(pic, look, 15, 0.4, x=-34)
    tube = (226, 120, 140)
    out = moment.ease(0, 0.9)
    jerk = 7 * moment.swing(1.3)
    reach = 20 + 92 * out + jerk
    start = math.radians(-70)
    foot = (-34 + 62 * math.cos(start), 26 + 62 * math.sin(start))
    low = (-34 + 62 * math.cos(-start), 26 + 62 * math.sin(-start))
    wobble = 9 * moment.swing(0.9)
    loop = [foot, (foot[0] + reach * 0.6, -38 + wobble), (reach, -12 + wobble),
            (reach + 8, 20), (reach, 52 - wobble), (low[0] + reach * 0.6, 82), low]  # fmt: skip
    pic.line(loop, shade(tube, 0.7), 12)
    pic.line(loop, tube, 8)
    pic.line(arc(-34, 26, 62, 62, 70, 290, 30), tube, 5)
    _hand(pic, look, reach + 4, 10, 1)
    _hand(pic, look, -82, 62, -1)


def fit_tyre(pic: Canvas, look: Look, moment: Moment) -> None:
    """Two thumbs press the tyre in, from the top down both sides."""
    covered = 0.25 + 0.75 * moment.ease(0, 0.95)
    place = _standing_wheel(pic, look, 15, covered)
    if covered < 0.98:
        slack = arc(0, 14, 74, 74, -90 + 180 * covered, 270 - 180 * covered, 30)
        place.line(slack, (70, 70, 76), 9)
    for side in (-1, 1):
        angle = math.radians(-90 + side * 175 * covered)
        press = 6 * moment.swing(1.5, 0.25 * side)
        x, y = (72 + press) * math.cos(angle), 26 + (72 + press) * math.sin(angle)
        _hand(pic, look, x, min(y, 92), side)


def pump(pic: Canvas, look: Look, moment: Moment) -> None:
    """The handle of a floor pump goes up and down; the hose leads to the wheel."""
    place = _standing_wheel(pic, look, 15, x=-58)
    up = 0.5 + 0.5 * moment.swing(0.9)
    hose = [(72, 78), (46, 98), (10, 100), (-22, 94), (-58 + 20, 84)]
    pic.line(hose, (30, 30, 34), 5)
    place.line(arc(0, 0, 68, 68, 60, 120, 8), (70, 70, 76), 13 + 3 * moment.done)
    things.pump(pic.at(78, 44), look.hero, up)
    top = 44 - 34 - 42 * up
    _hand(pic, look, 62, top + 2, -1)
    _hand(pic, look, 96, top + 2, 1)


def spin(pic: Canvas, look: Look, moment: Moment) -> None:
    """The wheel turns fast; a hand gives it another push."""
    turn = 300 * moment.seconds
    _standing_wheel(pic, look, turn)
    push = max(0.0, moment.swing(0.5))
    _hand(pic, look, 82 - 8 * push, 40 + 34 * push, 1)
    _hand(pic, look, -96, 92, -1)


# The plant


def scoop(pic: Canvas, look: Look, moment: Moment) -> None:
    """A trowel carries soil from the heap into the pot, four times."""
    times = 4
    turn = moment.again(times)
    level = (moment.round_number(times) + turn.ease(0.6, 0.8)) / times
    pic.shape([(-130, 92), (-112, 58), (-92, 46), (-72, 60), (-52, 92)], things.SOIL)
    _shadow(pic, look, 44, 96, 50, 10)
    things.pot(pic.at(44, 48), look.hero, 0.15 + 0.85 * level)
    way = turn.ease(0.12, 0.55) - turn.ease(0.8, 1)
    x, y = -86 + 116 * way, 56 - 66 * math.sin(math.pi * min(way, 1) * 0.62)
    full = 0.08 < turn.done < 0.68
    tip = -38 * (turn.ease(0.55, 0.68) - turn.ease(0.8, 0.95))
    if 0.6 < turn.done < 0.82:
        for crumb in range(7):
            fall = (moment.seconds * 2 + crumb / 7) % 1
            pic.oval(x - 12 + crumb * 4, y + 34 * fall, 4, 3, things.SOIL, 0)
    things.trowel(pic.at(x, y, turn=tip), full)
    _hand(pic, look, x + 52, y + 6, 1)
    _hand(pic, look, 88 if way < 0.3 else -92, 84, -1 if way >= 0.3 else 1)


def move_plant(pic: Canvas, look: Look, moment: Moment) -> None:
    """The plant with its roots goes over from the old pot into the new one."""
    _shadow(pic, look, -76, 98, 44, 8)
    _shadow(pic, look, 66, 98, 50, 8)
    way = moment.ease(0.25, 0.7)
    up = moment.ease(0.02, 0.3) - moment.ease(0.65, 0.95)
    x, y = -76 + 142 * way, 40 - 52 * up
    wave = moment.swing(0.8)
    old, new = pic.at(-76, 58, scale=0.8), pic.at(66, 52)
    for place, colour in ((old, things.CLAY), (new, look.hero)):
        place.oval(0, -20, 46, 12, shade(colour, 0.6))
    things.plant(pic.at(x, y), wave, 2, roots=True)
    things.pot_front(old, things.CLAY)
    things.pot_front(new, look.hero)
    _hand(pic, look, x - 24, y + 4, -1)
    _hand(pic, look, x + 24, y + 4, 1)


def _potted(pic: Canvas, look: Look, wave: float, dry: int, x: float = 0) -> None:
    _shadow(pic, look, x, 104, 48, 9)
    things.pot(pic.at(x, 56), look.hero, 1)
    things.plant(pic.at(x, 34), wave, dry)


def press_soil(pic: Canvas, look: Look, moment: Moment) -> None:
    """Both hands push down around the stem, in turn."""
    _potted(pic, look, 0.5 * moment.swing(1.0), 2)
    for side in (-1, 1):
        press = 10 * moment.swing(1.0, 0.25 * side)
        _hand(pic, look, side * 30, 22 + press, side)


def trim(pic: Canvas, look: Look, moment: Moment) -> None:
    """Scissors snip at the leaves; brown ones fall."""
    _potted(pic, look, 0.6 * moment.swing(0.5), 4 - int(3.99 * moment.done), x=-20)
    beat = (moment.seconds * 0.7) % 1
    leaf = pic.at(-46 + 14 * math.sin(6 * beat), -10 + 100 * beat, turn=300 * beat)
    leaf.oval(0, 0, 9, 15, (176, 130, 60))
    x, y = 44 + 8 * moment.swing(0.35), -22 + 36 * moment.swing(0.22)
    things.scissors(pic.at(x, y, turn=-8), 0.5 + 0.5 * moment.swing(1.6))
    _hand(pic, look, x + 42, y + 8, 1)
    _hand(pic, look, -74, 60, -1)


def water(pic: Canvas, look: Look, moment: Moment) -> None:
    """Drops fall from the watering can onto the plant."""
    _potted(pic, look, 0.8 * moment.swing(0.7), 0, x=-34)
    sway = 14 * moment.swing(0.35)
    x, y = 62 + sway, -52.0
    for drop in range(22):
        fall = (moment.seconds * 1.3 + drop * 0.618) % 1
        place = x - 62 - 26 * fall + 26 * _scatter(drop) * (0.4 + fall)
        pic.line([(place, y + 4 + 88 * fall), (place - 2, y + 13 + 88 * fall)],
                 (95, 170, 240), 2.4)  # fmt: skip
    things.watering_can(pic.at(x, y, turn=-22), (70, 160, 150))
    _hand(pic, look, x + 48, y + 6, 1)
    _hand(pic, look, -102, 88, -1)


# The gift


def unroll(pic: Canvas, look: Look, moment: Moment) -> None:
    """The roll turns from left to right, and the paper lies behind it."""
    out = moment.ease(0.02, 0.9) - 0.12 * moment.ease(0.9, 1)
    width = 24 + 190 * out
    left = -112.0
    things.paper(pic.at(left + width / 2, 36), look.hero, width, 96)
    roll = pic.at(left + width, 36)
    roll.box(0, 0, 26 - 10 * out, 108, shade(look.hero, 0.85), 1.4, 8)
    for stripe in range(3):
        y = -50 + ((moment.done * 900 + stripe * 36) % 100)
        roll.line([(-9 + 4 * out, y), (9 - 4 * out, y + 8)], shade(look.hero, 1.25), 2)
    _hand(pic, look, left + width + 6, 68 + 3 * moment.swing(1.2), 1)
    _hand(pic, look, left + 14, 76, -1)


def cut_paper(pic: Canvas, look: Look, moment: Moment) -> None:
    """Scissors run through the paper from the right to the left."""
    way = moment.ease(0.02, 0.98)
    x = 96 - 190 * way
    things.paper(pic.at(0, 18), look.hero, 216, 60)
    lower = pic.at(0, 72)
    things.paper(lower, look.hero, 216, 40)
    pic.line([(108, 48), (x, 48)], look.shadow, 4 + 4 * way)
    things.scissors(pic.at(x + 42, 48), 0.5 + 0.5 * moment.swing(1.5))
    _hand(pic, look, x + 84, 56, 1)
    _hand(pic, look, -96, 30, -1)


CARDBOARD: Colour = (190, 148, 98)


def _open_box(pic: Canvas) -> None:
    pic.box(0, 0, 84, 62, CARDBOARD, 1.5)
    pic.line([(0, -31), (0, 31)], shade(CARDBOARD, 0.8), 2)
    pic.box(0, 0, 14, 62, (226, 200, 150), 0)


def place_box(pic: Canvas, look: Look, moment: Moment) -> None:
    """A box is carried in, set down, and pushed about until it lies right."""
    things.paper(pic.at(0, 38), look.hero, 216, 116)
    down = moment.ease(0.02, 0.45)
    slide = 12 * moment.swing(0.45) * moment.ease(0.45, 0.55)
    x, y = 96 * (1 - down) + slide, -52 + 88 * down
    _shadow(pic, look, x + 10 * (1 - down), y + 10 + 34 * (1 - down), 46, 34)
    _open_box(pic.at(x, y, scale=1.15 - 0.15 * down))
    _hand(pic, look, x - 46, y + 12, -1)
    _hand(pic, look, x + 46, y + 12, 1)


def fold_paper(pic: Canvas, look: Look, moment: Moment) -> None:
    """The paper comes over the box from both sides, one after the other."""
    place = pic.at(0, 38)
    folds = (moment.ease(0.05, 0.45), moment.ease(0.5, 0.92))
    place.box(0, 0, 88, 112, look.hero)
    _open_box(place)
    back = mix(look.hero, (255, 255, 255), 0.6)
    for side, fold in zip((-1, 1), folds, strict=True):
        lean = math.cos(math.pi * fold)
        lift = 16 * math.sin(math.pi * fold)
        edge = side * (44 + 62 * lean)
        points = [(side * 44, -56), (edge, -56 - lift), (edge, 56 - lift), (side * 44, 56)]
        place.shape(points, look.hero if lean < 0 else back)
        busy = fold < 1 and (side == -1 or folds[0] >= 1)
        spot = (edge, 44 - lift) if busy else (side * 46, 54 + 3 * moment.swing(0.8))
        _hand(pic, look, spot[0], spot[1] + 30 * (not busy), side)


def tape(pic: Canvas, look: Look, moment: Moment, thing: str) -> None:
    """A strip is drawn from the roll and rubbed down."""
    if thing == "wall":
        _tape_wall(pic, look, moment)
        return
    things.gift(pic.at(-6, 40), look.hero)
    out = moment.ease(0, 0.55)
    rub = moment.swing(1.0) * moment.ease(0.55, 0.6)
    strip = (252, 250, 225)
    pic.box(-46 + 45 * out, 50, 90 * out, 17, strip, 1.2)
    roll = pic.at(-40 + 100 * out, 50)
    roll.oval(0, -8, 19, 19, (235, 225, 170), 1.5)
    roll.oval(0, -8, 10, 10, look.shadow)
    _hand(pic, look, -40 + 100 * out + 14, 60, 1)
    _hand(pic, look, -36 + 40 * max(0, rub), 62, -1)


def _tape_wall(pic: Canvas, look: Look, moment: Moment) -> None:
    _bare_wall(pic)
    blue = (60, 120, 215)
    down = moment.ease(0, 0.95)
    pic.box(-88, -50 + 60 * down, 14, 120 * down, blue, 1)
    y = -108 + 118 * down
    roll = pic.at(-88, y + 4)
    roll.oval(0, 0, 17, 17, blue, 1.5)
    roll.oval(0, 0, 8, 8, (230, 230, 225))
    _hand(pic, look, -68 + 3 * moment.swing(1.2), y + 14, 1)
    _hand(pic, look, -92, max(y - 16, -60) + 14 * moment.swing(0.9), -1)


def tie(pic: Canvas, look: Look, moment: Moment) -> None:
    """The ribbon goes around; then two hands pull the loops of the bow."""
    ribbon = moment.ease(0, 0.4)
    bow = moment.ease(0.4, 0.6) * (0.8 + 0.2 * moment.swing(0.8))
    things.gift(pic.at(-6, 44), look.hero, ribbon, bow)
    if bow > 0:
        pull = 8 * moment.swing(0.8)
        _hand(pic, look, -28 - pull, 4, -1)
        _hand(pic, look, 32 + pull, 4, 1)
        return
    _hand(pic, look, -6 + 40 * ribbon, 24 + 68 * ribbon, 1)
    _hand(pic, look, -50, 30 + 4 * moment.swing(1.0), -1)


# The cake


def bake(pic: Canvas, look: Look, moment: Moment) -> None:
    """The tin slides into the glowing oven."""
    glow = 0.6 + 0.25 * moment.swing(0.7)
    things.oven(pic.at(0, -18), glow)
    way = moment.ease(0.08, 0.75)
    tin = pic.at(3 * moment.swing(0.9), 80 - 74 * way, scale=1 - 0.3 * way)
    things.tin(tin, LIQUIDS["batter"], 1)
    if way < 1:
        for side in (-1, 1):
            _hand(pic, look, side * (70 - 22 * way), 90 - 74 * way, side)
        return
    _hand(pic, look, -60, 78, -1)
    _hand(pic, look, 60, 78 + 5 * moment.swing(0.8), 1)


def spread(pic: Canvas, look: Look, moment: Moment) -> None:
    """A spatula sweeps to and fro over the top of the cake."""
    place = pic.at(-4, 54)
    _shadow(place, look, 0, 58, 88, 14)
    things.cake(place, look.hero, 0.12 + 0.9 * moment.done)
    front = -62 + 124 * min(1, moment.done)
    x, y = min(front, 50) + 24 * moment.swing(0.75), 42 + 5 * moment.swing(1.5)
    things.spatula(pic.at(x, y, turn=38))
    _hand(pic, look, x + 46, y - 50, 1)
    _hand(pic, look, -92, 84, -1)


# The window


def spray(pic: Canvas, look: Look, moment: Moment) -> None:
    """Bursts of mist fly from the bottle to the pane, drops stay."""
    place = pic.at(-26, -22)
    things.window(place, 1 - 0.3 * moment.done, 0.5 * moment.done)
    for drop in range(int(40 * moment.done)):
        x, y = 80 * math.sin(drop * 2.4), 54 * math.cos(drop * 1.7)
        place.oval(x, y + 4 * moment.done, 3, 4, (240, 250, 255), 0.8)
    things.window_bars(place)
    beat = (moment.seconds * 1.2) % 1
    x, y = 74 + 10 * moment.swing(0.3), 14 + 18 * moment.swing(0.23)
    for puff in range(12):
        reach = beat * (0.5 + 0.5 * (puff % 4) / 3)
        spot = (x - 20 - 66 * reach, y - 26 * reach + 30 * reach * _scatter(puff))
        pic.oval(*spot, 3 + 4 * reach, 3 + 4 * reach, (235, 246, 252), 0)
    things.spray_bottle(pic.at(x, y), look.hero)
    _hand(pic, look, x + 10, y + 26 - 3 * (beat < 0.3), 1)
    _hand(pic, look, -92, 92, -1)


def wipe(pic: Canvas, look: Look, moment: Moment) -> None:
    """A cloth rubs the pane in circles and moves on."""
    place = pic.at(0, -18)
    things.window(place, 0.9 * (1 - moment.done), 0.3)
    across, along = moment.circle(1.0)
    x = -50 + 100 * (0.5 + 0.5 * moment.swing(0.16)) + 24 * across
    y = -22 + 26 * along
    for foam in range(9):
        spot = (x - 14 * foam * across / 3 + 9 * math.sin(foam * 2.4), y + 14 * math.cos(foam))
        pic.oval(*spot, 6, 5, (244, 250, 252), 0.8)
    things.window_bars(place)
    things.cloth(pic.at(x, y), look.hero, moment.swing(1.0))
    _hand(pic, look, x + 4, y + 8, 1)
    _hand(pic, look, -92, 90, -1)


def squeegee(pic: Canvas, look: Look, moment: Moment) -> None:
    """The blade comes down the pane, stripe after stripe."""
    place = pic.at(0, -18)
    things.window(place, 0.15, 0.9)
    stripes = 4
    turn = moment.again(stripes)
    stripe = moment.round_number(stripes)
    down = turn.ease(0, 0.75) - turn.ease(0.78, 1)
    clear = (150, 205, 240)
    for done in range(stripe):
        place.box(-67.5 + 45 * done, 0, 44, 124, clear, 0)
    x = -67.5 + 45 * stripe
    reach = 124 * (turn.ease(0, 0.75) if turn.done < 0.75 else 1)
    place.box(x, -62 + reach / 2, 44, reach, clear, 0)
    things.window_bars(place)
    y = -62 + 124 * down
    things.squeegee(place.at(x, y, scale=0.72))
    _hand(pic, look, x, -18 + y + 34, 1)
    _hand(pic, look, -98, 94, -1)


def polish(pic: Canvas, look: Look, moment: Moment) -> None:
    """A ball of paper runs around the frame with short rubs."""
    place = pic.at(0, -18)
    things.window(place, 0)
    things.window_bars(place)
    way = moment.done * 4
    edge = int(min(way, 3.999))
    along = way - edge
    corners = ((-94, -68), (94, -68), (94, 68), (-94, 68), (-94, -68))
    (x0, y0), (x1, y1) = corners[edge], corners[edge + 1]
    x, y = x0 + (x1 - x0) * along, -18 + y0 + (y1 - y0) * along
    rub = 9 * moment.swing(1.7)
    x, y = (x + rub, y) if edge % 2 == 0 else (x, y + rub)
    ball = pic.at(x, y)
    ball.oval(0, 0, 17, 14, (226, 224, 214))
    for line in (-6, 0, 6):
        ball.line([(-11, line), (10, line + 2)], (120, 120, 118), 1.4)
    _hand(pic, look, x + 6, y + 10, 1 if x > -40 else -1)
    _hand(pic, look, -98 if x > -40 else 98, 92, -1 if x > -40 else 1)


# The wall


def _bare_wall(pic: Canvas) -> None:
    pic.box(0, -30, 216, 170, (222, 216, 204), 1.5)
    for x, y in ((-70, -60), (40, -20), (80, -75), (-20, 10)):
        pic.line([(x, y), (x + 9, y + 6), (x + 12, y + 15)], (200, 192, 178), 1.3)
    pic.box(0, 58, 220, 12, (246, 244, 238), 1.2)


def brush(pic: Canvas, look: Look, moment: Moment, onto: str) -> None:
    """Short strokes of a brush leave paint behind."""
    if onto == "birdhouse":
        place = pic.at(-8, 44)
        _shadow(place, look, 0, 60, 52, 9)
        things.bird_house(place, look.wood, look.hero, moment.ease(0, 1))
        x = -8 + 30 * moment.swing(0.9)
        y = -4 + 78 * moment.ease(0, 1)
    else:
        _bare_wall(pic)
        down = moment.ease(0, 0.95)
        pic.box(-88, -50 + 58 * down, 30, 118 * down, look.hero, 0)
        pic.box(0, -100, 170, 22 * min(1, 3 * down), look.hero, 0)
        x, y = -86 + 4 * moment.swing(0.5), -104 + 110 * down + 14 * moment.swing(1.1)
    tool = pic.at(x, y, turn=-28)
    things.brush(tool, look.hero)
    _hand(pic, look, x + 24, y + 48, 1)
    _hand(pic, look, -96, 94, -1)


def roll(pic: Canvas, look: Look, moment: Moment) -> None:
    """The roller goes up and down in long strokes, column after column."""
    _bare_wall(pic)
    columns = 3
    turn = moment.again(columns)
    column = moment.round_number(columns)
    for done in range(column):
        pic.box(-69 + 69 * done, -30, 67, 168, look.hero, 0)
    x = -69 + 69 * column
    reach = 168 * turn.ease(0, 0.8)
    pic.box(x, -114 + reach / 2, 67, reach, look.hero, 0)
    y = -34 + 60 * moment.swing(0.55)
    tool = pic.at(x + 6 * moment.swing(0.2), y)
    things.paint_roller(tool, look.hero)
    _hand(pic, look, x, y + 70, 1)
    _hand(pic, look, -106, 96, -1)


# The birdhouse


def measure(pic: Canvas, look: Look, moment: Moment) -> None:
    """The tape is drawn out along the board and runs back."""
    things.board(pic.at(0, 56), look.wood)
    out = 0.5 - 0.5 * math.cos(2 * math.pi * 0.28 * moment.seconds)
    length = 20 + 160 * out
    things.tape_measure(pic.at(-92 + length, 36), length)
    _hand(pic, look, -92 + length + 20, 46, 1)
    _hand(pic, look, -94, 54, -1)


def saw(pic: Canvas, look: Look, moment: Moment) -> None:
    """The saw goes to and fro, sinks in, and dust falls."""
    things.board(pic.at(-24, 50), look.wood)
    deep = 34 * moment.ease(0.02, 0.98)
    pic.line([(34, 28), (34, 28 + deep)], shade(look.wood, 0.35), 3)
    stroke = 30 * moment.swing(1.1)
    for grain in range(10):
        fall = (moment.seconds * 1.6 + grain * 0.381) % 1
        pic.oval(34 + 9 * _scatter(grain), 66 + 36 * fall, 2, 2, (236, 206, 150), 0)
    things.saw(pic.at(34 + stroke, 12 + deep, turn=8))
    _hand(pic, look, 94 + stroke, 20 + deep, 1)
    _hand(pic, look, -70, 44, -1)


def sand(pic: Canvas, look: Look, moment: Moment) -> None:
    """A block with sandpaper rubs along the board."""
    things.board(pic.at(0, 52), look.wood)
    x = 58 * moment.swing(0.85)
    pic.box(0, 42, 2 * 58 * moment.ease(0, 0.6) + 30, 12, mix(look.wood, (255, 240, 205), 0.5), 0)
    block = pic.at(x, 36)
    block.box(0, 0, 52, 22, (172, 84, 66), 1.2, 3)
    block.box(0, 11, 52, 6, (92, 60, 54), 1)
    _hand(pic, look, x + 6, 30, 1)
    _hand(pic, look, -98, 62, -1)


def hammer(pic: Canvas, look: Look, moment: Moment) -> None:
    """The hammer comes down on the nail, three nails in all."""
    place = pic.at(-30, 62, scale=0.9)
    _shadow(place, look, 0, 60, 52, 9)
    things.bird_house(place, look.wood, look.hero, 0)
    nails = 3
    turn = moment.again(nails)
    number = moment.round_number(nails)
    roof = ((-50, 30), (-30, 14), (-10, 30))
    for x, y in roof[:number]:
        things.nail(pic.at(x, y), 3)
    x, y = roof[number]
    height = 22 - 19 * turn.done
    things.nail(pic.at(x, y), height)
    beat = (moment.seconds * 1.5) % 1
    lift = 58 * (math.sin(math.pi * beat / 0.7) if beat < 0.7 else 0)
    place = pic.at(x + 88, y - height + 2, turn=lift)
    things.hammer(place.at(-88, 0))
    angle = math.radians(lift)
    _hand(pic, look, x + 88 - 8 * math.sin(angle), y - height - 6, 1)
    _hand(pic, look, x - 26, y + 14, -1)


# The salad


def wash(pic: Canvas, look: Look, moment: Moment) -> None:
    """Lettuce turns to and fro under running water."""
    place = pic.at(0, 72)
    place.oval(0, 0, 100, 34, (180, 186, 194), 1.5)
    place.oval(0, 3, 90, 27, (120, 170, 210), 0)
    ripple = (moment.seconds * 0.9) % 1
    place.line(arc(0, 4, 40 + 46 * ripple, 10 + 15 * ripple, 0, 360, 40), (190, 220, 240), 1.5)
    things.tap(pic.at(0, -44))
    stream = (120, 185, 240)
    pic.box(0, -4, 9, 76, stream, 0, 3)
    for drop in range(10):
        fly = (moment.seconds * 1.8 + drop * 0.381) % 1
        side = _scatter(drop)
        pic.oval(side * 56 * fly, 24 - 26 * fly + 60 * fly * fly, 3, 3.4, stream, 0)
    x = 9 * moment.swing(0.9)
    things.lettuce(pic.at(x, 44, turn=16 * moment.swing(0.9)), moment.swing(1.8))
    _hand(pic, look, x - 36, 54, -1)
    _hand(pic, look, x + 36, 54, 1)


def slice_(pic: Canvas, look: Look, moment: Moment, thing: str) -> None:
    """The knife goes up and down; slices pile up at its side."""
    pic.box(0, 56, 230, 82, shade(look.wood, 0.8), 1.2, 10)
    pic.box(0, 52, 230, 82, look.wood, 1.2, 10)
    done = moment.ease(0, 0.98)
    number = int(9 * done)
    if thing == "cucumber":
        length = 150 - 105 * done
        things.cucumber(pic.at(-92 + length / 2, 44), length)
        cut_x = -92 + length
        for index in range(number):
            things.cucumber_slice(pic.at(cut_x + 20 + 12 * index, 48 + 8 * (index % 2)))
    else:
        cut_x = 4 - 50 * done
        things.tomato(pic.at(-44, 42))
        pic.shape([(cut_x + 2, 12), (-4, 12), (-4, 74), (cut_x + 2, 74)], look.wood, 0)
        for index in range(number):
            things.tomato_slice(pic.at(14 + 10 * index, 46 + 10 * (index % 2)))
    chop = abs(moment.swing(0.8))
    knife = pic.at(cut_x + 4, 38 - 40 * chop, turn=-72 + 8 * chop)
    things.knife(knife.at(28, 0))
    _hand(pic, look, cut_x + 22, -16 - 40 * chop, 1)
    _hand(pic, look, cut_x - 36, 40, -1)


MOTIONS: dict[str, Motion] = {
    "bake": bake,
    "brush": brush,
    "crack": crack,
    "cut_paper": cut_paper,
    "fit_tyre": fit_tyre,
    "flip": flip,
    "fold_paper": fold_paper,
    "fold_shirt": fold_shirt,
    "hammer": hammer,
    "iron": iron,
    "measure": measure,
    "move_plant": move_plant,
    "place_box": place_box,
    "polish": polish,
    "pour": pour,
    "press_soil": press_soil,
    "pry": pry,
    "pull_tube": pull_tube,
    "pump": pump,
    "roll": roll,
    "sand": sand,
    "saw": saw,
    "scoop": scoop,
    "shake": shake,
    "slice": slice_,
    "smooth": smooth,
    "spin": spin,
    "spray": spray,
    "spread": spread,
    "squeegee": squeegee,
    "stir": stir,
    "stow": stow,
    "tape": tape,
    "tie": tie,
    "trim": trim,
    "unroll": unroll,
    "wash": wash,
    "water": water,
    "wipe": wipe,
    "wrench": wrench,
}

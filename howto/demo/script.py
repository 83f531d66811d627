"""What happens and what is said in one demo video, before anything is drawn.

Pure Python and cheap (thousands of scripts a second), so that what the narration is like can be
measured over many videos without rendering one.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from howto.demo.phrases import (
    COLOURS,
    FILLERS,
    GOODBYES,
    GREETINGS,
    LEADS,
    TAILS,
    WRONG,
    coloured,
)
from howto.demo.spec import CaptionForm, DemoSpec
from howto.demo.tasks import SETTINGS, TASKS, Step, Task

__all__ = [
    "DemoLine",
    "DemoScript",
    "DemoStep",
    "LineKind",
    "chances",
    "make_script",
    "make_scripts",
]

LineKind = Literal["aligned", "shifted", "wrong", "distractor"]

SHORTEST_LINE, LONGEST_LINE = 2.0, 6.0  # seconds
PAUSES = (0.15, 0.9)  # seconds between two lines
FEWEST_STEPS = 3
# A line that names a step said closer to it than this would be neither on time nor off it.
LEAST_OFFSET = 1.0  # seconds
# Lines are this long on average; only used to deal out the kinds of lines evenly.
USUAL_LINE_SECONDS = 3.9


@dataclass(frozen=True, slots=True)
class DemoStep:
    """One step as it is shown: in view from `start` to `end` seconds."""

    slug: str
    name: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class DemoLine:
    """One line of narration.

    Attributes:
        start, end: seconds, when it is said.
        text: as the captions give it.
        kind: `aligned`, `shifted` (names a step of this video out of view), `wrong` (names
            something of another task) or `distractor`.
        names: slug of the step of this video that the line names, or None.
        offset: seconds from the middle of the line to the nearest moment at which that step is in
            view: 0 for an aligned line, positive where the line runs early, negative where it runs
            late; None where it names no step.
    """

    start: float
    end: float
    text: str
    kind: LineKind
    names: str | None
    offset: float | None

    @property
    def aligned(self) -> bool:
        """The step that the line names is in view in its middle, and for half of it or more."""
        return self.kind == "aligned"


@dataclass(frozen=True, slots=True)
class DemoScript:
    """All that is decided about a video before it is drawn.

    Attributes:
        name: the file's name without its ending, `<task>-<number from 01>`.
        task: slug of the task.
        number: of the video within its task, from 1.
        title: tag of the container, '' for some.
        description: tag of the container, '' for some.
        setting: the surroundings, one of `howto.demo.tasks.SETTINGS`.
        colour: of the main thing, one of `howto.demo.phrases.COLOURS`.
        num_frames: of the whole video.
        duration: seconds.
        caption_form: how captions come with it, or None.
        steps, lines: in order of time; steps never overlap, nor do lines.
    """

    name: str
    task: str
    number: int
    title: str
    description: str
    setting: str
    colour: str
    num_frames: int
    duration: float
    caption_form: CaptionForm | None
    steps: tuple[DemoStep, ...]
    lines: tuple[DemoLine, ...]


def make_scripts(spec: DemoSpec) -> list[DemoScript]:
    """The scripts of a whole set, task by task."""
    numbers = range(1, spec.videos_per_task + 1)
    return [make_script(spec, task, number) for task in spec.tasks for number in numbers]


def make_script(spec: DemoSpec, task_slug: str, number: int) -> DemoScript:
    """Decide on one video; it depends on the seed, the task and the number, never on other videos.

    Args:
        task_slug: key of `TASKS`.
        number: from 1.
    """
    task = TASKS[task_slug]
    name = f"{task.slug}-{number:02d}"
    chance = chances(spec, name, "script")
    colour = chance.choice(COLOURS)
    elsewhere = chance.choice(SETTINGS)
    setting = task.setting if chance.random() < spec.setting_share else elsewhere
    steps, num_frames = _plan_steps(spec, task, chance)
    duration = num_frames / spec.frame_rate
    speaker = _Speaker(spec, task, colour, steps, duration, chance)
    titled = chance.random() < 0.6
    return DemoScript(
        name=name,
        task=task.slug,
        number=number,
        title=f"How to {task.title[0].lower()}{task.title[1:]}" if titled else "",
        description=coloured(f"A drawn how-to video: {task.topic}.", colour) if titled else "",
        setting=setting,
        colour=colour,
        num_frames=num_frames,
        duration=duration,
        caption_form=_caption_form(spec, task, number, name),
        steps=tuple(steps),
        lines=tuple(speaker.lines()),
    )


def chances(spec: DemoSpec, name: str, what: str) -> random.Random:
    """The chances of one side of one video: another drawing of it leaves its script as it is."""
    # Seeding with a string goes through SHA-512: the same on every machine and Python.
    return random.Random(f"{spec.seed}/{name}/{what}")  # noqa: S311


def _caption_form(spec: DemoSpec, task: Task, number: int, name: str) -> CaptionForm | None:
    if name in spec.uncaptioned:
        return None
    # Counted over all tasks there are, so that the choice of tasks does not matter.
    turn = 3 * list(TASKS).index(task.slug) + number - 1
    return spec.caption_forms[turn % len(spec.caption_forms)]


def _plan_steps(spec: DemoSpec, task: Task, chance: random.Random) -> tuple[list[DemoStep], int]:
    """Lay the steps along the time, in whole frames; returns them and the video's frames."""

    def frames(mean_seconds: float, spread: float) -> int:
        return round(mean_seconds * chance.uniform(1 - spread, 1 + spread) * spec.frame_rate)

    # The chance of each step is drawn even where few remain: the draws that follow stay the same.
    left_out = [step for step in task.steps if chance.random() < spec.skip_share]
    left_out = left_out[: max(0, len(task.steps) - FEWEST_STEPS)]
    now = frames(spec.intro_seconds, 0.25)
    shown: list[DemoStep] = []
    for step in task.steps:
        if step in left_out:
            continue
        if shown:
            now += frames(spec.gap_seconds, 0.5)
        start, now = now, now + frames(spec.seconds_per_step, 0.25)
        times = (start / spec.frame_rate, now / spec.frame_rate)
        shown.append(DemoStep(step.slug, step.name, *times))
    return shown, now + frames(spec.outro_seconds, 0.25)


class _Speaker:
    """Says the lines of one video, one after the other, by the shares of the spec."""

    def __init__(
        self,
        spec: DemoSpec,
        task: Task,
        colour: str,
        steps: Sequence[DemoStep],
        duration: float,
        chance: random.Random,
    ) -> None:
        self._spec = spec
        self._task = task
        self._colour = colour
        self._steps = steps
        self._duration = duration
        self._chance = chance
        self._by_slug: dict[str, Step] = {step.slug: step for step in task.steps}
        self._careful = chance.random() < 0.4
        self._fillers = chance.sample(FILLERS, len(FILLERS))

    def lines(self) -> Iterator[DemoLine]:
        """All lines, from the greeting to the goodbye."""
        framed = self._spec.distractor_share > 0
        now = self._chance.uniform(0.2, 0.6)
        if framed:
            topic = coloured(self._task.topic, self._colour)
            text = self._one_of(GREETINGS).format(topic=topic)
            yield (greeting := self._line(now, text, "distractor"))
            now = self._after(greeting)
        else:
            now = max(now, self._steps[0].start)
        goodbye = self._one_of(GOODBYES)
        last_start = self._duration - self._seconds(goodbye) - 0.1
        stop = max(now, last_start) if framed else self._steps[-1].end
        kinds = self._deal_kinds((stop - now) / USUAL_LINE_SECONDS, framed)
        while (line := self._next_line(now, next(kinds))).end <= stop - PAUSES[0]:
            yield line
            now = self._after(line)
        if framed and last_start >= stop:
            yield self._line(stop, goodbye, "distractor")

    def _deal_kinds(self, expected: float, framed: bool) -> Iterator[LineKind]:
        """Kinds in random order and the wanted shares: about `expected` lines, then on."""
        spec = self._spec
        num_framed = 2 if framed else 0
        num_all = expected + num_framed
        wanted: dict[LineKind, float] = {
            "aligned": spec.aligned_share * num_all,
            "distractor": max(0.0, spec.distractor_share * num_all - num_framed),
            "wrong": spec.wrong_share * num_all,
        }
        shifted = 1 - spec.aligned_share - spec.distractor_share - spec.wrong_share
        wanted["shifted"] = max(0.0, shifted) * num_all
        while True:
            yield from self._hand(wanted)

    def _hand(self, wanted: dict[LineKind, float]) -> list[LineKind]:
        """As many of each kind as wanted; one common chance rounds them, so shares hold."""
        hand: list[LineKind] = []
        level = self._chance.random()
        for kind, number in wanted.items():
            hand += [kind] * (int(level + number) - int(level))
            level += number
        self._chance.shuffle(hand)
        return hand or [max(wanted, key=lambda kind: wanted[kind])]

    def _next_line(self, now: float, kind: LineKind) -> DemoLine:
        if kind == "distractor":
            self._fillers.append(self._fillers.pop(0))
            return self._line(now, self._fillers[-1], kind)
        if kind == "wrong":
            return self._line(now, self._wrong_text(), kind)
        if kind == "aligned":
            return self._aligned_line(now)
        return self._shifted_line(now)

    def _aligned_line(self, now: float) -> DemoLine:
        """Name the step that will be in view in the middle of the line; wait for it in a pause."""
        lead, tail = self._around()
        # A step's name decides how long its line is, and so where its middle is: try each in turn.
        for step in self._steps:
            text = self._say(lead, step, tail)
            start = now
            middle = now + self._seconds(text) / 2
            if middle >= step.end:
                continue
            if middle < step.start:
                start = step.start - self._seconds(text) / 2 + 0.05
            return self._line(start, text, "aligned", step)
        # Past the last step: the goodbye is due.
        return self._line(self._duration, self._fillers[0], "distractor")

    def _shifted_line(self, now: float) -> DemoLine:
        """Name the step that is in view some time later or earlier, if it is out of view now."""
        lead, tail = self._around()
        early = self._chance.random() < self._spec.early_share
        for attempt in range(60):
            # Half the tries in the direction drawn; at the ends of a video only the other can do.
            sign = 1 if early == (attempt < 30) else -1
            shift = sign * self._chance.expovariate(1 / self._spec.offset_seconds)
            text_middle = now + USUAL_LINE_SECONDS / 2
            step = self._in_view(text_middle + shift)
            if step is None:
                continue
            line = self._line(now, self._say(lead, step, tail), "shifted", step)
            if line.offset is not None and abs(line.offset) >= LEAST_OFFSET:
                return line
        return self._line(now, self._wrong_text(), "wrong")

    def _in_view(self, time: float) -> DemoStep | None:
        return next((step for step in self._steps if step.start <= time < step.end), None)

    def _around(self) -> tuple[str, str]:
        lead = self._one_of(LEADS) if self._chance.random() < 0.7 else ""
        tail = self._one_of(TAILS) if self._chance.random() < 0.5 else ""
        return lead, tail

    def _say(self, lead: str, step: DemoStep, tail: str) -> str:
        phrases = self._by_slug[step.slug].phrases
        # The first ways to say it are the usual ones (Zipf): rare ones need many videos to be met.
        weights = [1 / rank for rank in range(1, len(phrases) + 1)]
        phrase = coloured(self._chance.choices(phrases, weights)[0], self._colour)
        return " ".join(part for part in (lead, phrase, tail) if part)

    def _wrong_text(self) -> str:
        other = TASKS[self._chance.choice([slug for slug in TASKS if slug != self._task.slug])]
        own = {step.slug for step in self._task.steps}
        step = self._chance.choice([step for step in other.steps if step.slug not in own])
        return self._one_of(WRONG).format(thing=self._chance.choice(other.things), step=step.name)

    def _line(
        self, start: float, text: str, kind: LineKind, step: DemoStep | None = None
    ) -> DemoLine:
        end = start + self._seconds(text)
        offset = None if step is None else _distance((start + end) / 2, step)
        start, end = round(start, 3), round(end, 3)
        if self._careful:
            text = f"{text[0].upper()}{text[1:]}."
        slug = None if step is None else step.slug
        return DemoLine(start, end, text, kind, slug, None if offset is None else round(offset, 3))

    def _seconds(self, text: str) -> float:
        seconds = len(text.split()) / self._spec.words_per_second
        return min(max(seconds, SHORTEST_LINE), LONGEST_LINE)

    def _after(self, line: DemoLine) -> float:
        return line.end + self._chance.uniform(*PAUSES)

    def _one_of(self, items: Sequence[str]) -> str:
        return self._chance.choice(items)


def _distance(time: float, step: DemoStep) -> float:
    """Seconds to the nearest moment of the step: positive where it is still to come."""
    if time < step.start:
        return step.start - time
    return min(0.0, step.end - time)

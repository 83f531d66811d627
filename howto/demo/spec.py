"""The parameters of a demo set.

They are frozen: published figures name them, so a change is a new version.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from howto.errors import UsageError

__all__ = ["DEFAULT", "DEMO_VERSION", "CaptionForm", "DemoSpec"]

# Counts up whenever the same spec would give another script or other pictures.
DEMO_VERSION = 1

CaptionForm = Literal["vtt", "srt", "sbv", "embedded"]
CAPTION_FORMS = ("vtt", "srt", "sbv", "embedded")


@dataclass(frozen=True, slots=True)
class DemoSpec:
    """What a demo set is made of.

    The same spec gives the same scripts and captions, and without speech the same bytes.
    Every video draws its chances from (seed, task, number) alone: more videos a task, or more
    tasks, leave the others as they are.

    Attributes:
        seed: any integer; another seed gives other videos of the same tasks.
        tasks: slugs of `howto.demo.tasks.TASKS`, each once.
        videos_per_task: how many videos of each task.
        size: width and height in pixels, both even.
        frame_rate: frames per second.
        crf: libx264's quality, 0 to 51, lower is better.
        sample_rate: of the sound in Hz.
        seconds_per_step: mean length of a step; single steps last 0.75 to 1.25 times as long.
        gap_seconds: mean pause between two steps, where nothing is shown (0.5 to 1.5 times as
            long).
        intro_seconds, outro_seconds: mean lengths (0.75 to 1.25) of the greeting and of the
            goodbye.
        skip_share: chance of each step to be left out of a video; at least 3 steps always stay.
        aligned_share: share of all narration lines that name the step in view while it is in view.
            The paper found 51% on HowTo100M.
        distractor_share: share of lines that name nothing to be seen ("don't forget to subscribe"),
            the greeting and the goodbye among them; 0 leaves these two out as well.
        wrong_share: share of lines that name a thing or a step of another task.
        offset_seconds: the other lines (1 minus the three shares) name a step of this video that is
            not in view: the one shown that many seconds later (the line runs early) or before
            (late). The distance is drawn from an exponential distribution with this mean, until it
            leads to a step out of view for 1 s or more.
        early_share: chance of such a line to run early rather than late.
        words_per_second: of the speaker; a line lasts 2 to 6 s, whatever this says.
        setting_share: chance that a video is set in the surroundings usual for its task (a cake in
            a kitchen) and not in any: how much the background tells about the task.
        variation: how far videos differ in colours, light, camera and speed of the hands: 0 not at
            all (the background still differs), 1 as in the default, up to 2.
        caption_forms: dealt out over the videos in a fixed order: `vtt`, `srt`, `sbv` files, or
            `embedded` in the container.
        uncaptioned: names of videos that get no captions at all; names that are not in the set are
            ignored.
        speech: True: the lines are spoken by espeak-ng, an error where it is missing; False: room
            noise only; 'auto': spoken where espeak-ng is installed.

    Raises:
        UsageError: a value is out of its range.
    """

    seed: int = 0
    tasks: tuple[str, ...] = (
        "fold-a-shirt",
        "make-pancakes",
        "change-a-bicycle-tyre",
        "repot-a-plant",
        "wrap-a-gift",
        "bake-a-cake",
    )
    videos_per_task: int = 3
    size: tuple[int, int] = (426, 240)
    frame_rate: int = 12
    crf: int = 23
    sample_rate: int = 22_050
    seconds_per_step: float = 6.0
    gap_seconds: float = 0.8
    intro_seconds: float = 4.5
    outro_seconds: float = 4.0
    skip_share: float = 0.1
    aligned_share: float = 0.5
    distractor_share: float = 0.25
    wrong_share: float = 0.05
    offset_seconds: float = 6.0
    early_share: float = 0.5
    words_per_second: float = 2.6
    setting_share: float = 0.7
    variation: float = 1.0
    caption_forms: tuple[CaptionForm, ...] = (
        "vtt", "vtt", "srt", "vtt", "embedded", "srt", "vtt", "vtt", "sbv",
    )  # fmt: skip
    uncaptioned: tuple[str, ...] = ("wrap-a-gift-02",)
    speech: bool | Literal["auto"] = "auto"

    def __post_init__(self) -> None:
        self._check_tasks()
        self._check_numbers()
        self._check_shares()

    def as_json(self) -> dict[str, Any]:
        """All parameters as JSON values, with the version of the generator."""
        return {"version": DEMO_VERSION, **asdict(self)}

    def _check_tasks(self) -> None:
        # Imported here: tasks.py is data and knows nothing of specs.
        from howto.demo.tasks import TASKS

        if not self.tasks or len(set(self.tasks)) != len(self.tasks):
            raise UsageError("a demo set needs at least one task, and each task once.")
        for slug in self.tasks:
            if slug not in TASKS:
                raise UsageError(f"no demo task named '{slug}'. There are: {', '.join(TASKS)}.")
        if not self.caption_forms or set(self.caption_forms) - set(CAPTION_FORMS):
            raise UsageError(f"caption_forms takes one or more of {', '.join(CAPTION_FORMS)}.")
        if self.speech not in (True, False, "auto"):
            raise UsageError(f"speech is True, False or 'auto', not {self.speech!r}.")

    def _check_numbers(self) -> None:
        ranges: dict[str, tuple[float, float]] = {
            "videos_per_task": (1, 100_000),
            "frame_rate": (1, 120),
            "crf": (0, 51),
            "sample_rate": (8_000, 48_000),
            "seconds_per_step": (4, 120),
            "gap_seconds": (0, 60),
            "intro_seconds": (0, 60),
            "outro_seconds": (0, 60),
            "offset_seconds": (0.1, 600),
            "words_per_second": (1, 6),
            "variation": (0, 2),
        }
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:
                raise UsageError(f"{name} is {getattr(self, name)}; it goes from {low} to {high}.")
        if any(side % 2 or not 64 <= side <= 4096 for side in self.size):
            raise UsageError(f"size is {self.size}; both sides are even, from 64 to 4096 pixels.")

    def _check_shares(self) -> None:
        shares = ("skip", "aligned", "distractor", "wrong", "early", "setting")
        for name in (f"{share}_share" for share in shares):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} is {getattr(self, name)}; a share goes from 0 to 1.")
        total = self.aligned_share + self.distractor_share + self.wrong_share
        if total > 1 + 1e-9:
            raise UsageError(
                "aligned_share, distractor_share and wrong_share add up to"
                f" {total:g}; 1 is the most."
            )


DEFAULT = DemoSpec()

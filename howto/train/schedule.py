"""Learning-rate schedules as pure functions of the step; imports nothing heavy."""

import math
from dataclasses import dataclass

from howto.errors import UsageError

__all__ = ["SCHEDULES", "Schedule", "learning_rate"]

SCHEDULES = ("exponential", "cosine", "constant")
"""Kinds of schedule."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How the learning rate goes over a run.

    Attributes:
        base_rate: the rate that the decay starts from.
        steps_per_epoch: 1 or more.
        total_steps: of the whole run, 1 or more; `cosine` reaches 0 after the last of them.
        kind: `exponential`: times `decay` after each epoch, as the HowTo100M authors train;
            `cosine`: half a wave from the base rate, after the warm-up, to 0; `constant`.
        decay: a factor for each epoch, for `exponential` alone.
        warmup_steps: steps over which the rate rises in equal parts to what it would be; the first
            step already has one part.

    Raises:
        UsageError: a value out of its range.
    """

    base_rate: float
    steps_per_epoch: int
    total_steps: int
    kind: str = "exponential"
    decay: float = 0.9
    warmup_steps: int = 0

    def __post_init__(self) -> None:
        if self.kind not in SCHEDULES:
            raise UsageError(f"no schedule {self.kind!r}; there are {', '.join(SCHEDULES)}")
        for name, lowest in [("steps_per_epoch", 1), ("total_steps", 1), ("warmup_steps", 0)]:
            if getattr(self, name) < lowest:
                value = getattr(self, name)
                raise UsageError(f"{name} of a schedule: expected {lowest} or more, got {value}")
        if not (self.base_rate > 0 and self.decay > 0):
            raise UsageError(
                f"the learning rate and its decay are over 0, got {self.base_rate} and {self.decay}"
            )


def learning_rate(schedule: Schedule, step: int) -> float:
    """The rate of a step, counted from 0; past the last step that of the end."""
    warmup = min(1.0, (step + 1) / schedule.warmup_steps) if schedule.warmup_steps else 1.0
    return schedule.base_rate * warmup * _decayed(schedule, step)


def _decayed(schedule: Schedule, step: int) -> float:
    """What is left of the base rate, in 0..1 where the decay is at most 1."""
    if schedule.kind == "exponential":
        return float(schedule.decay ** (step // schedule.steps_per_epoch))
    if schedule.kind == "constant":
        return 1.0
    length = max(1, schedule.total_steps - schedule.warmup_steps)
    done = min(1.0, max(0, step - schedule.warmup_steps) / length)
    return (1 + math.cos(math.pi * done)) / 2

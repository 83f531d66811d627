"""Which source frame fills which output, and how large an output is: pure arithmetic, exact.

The rule, which is that of ffmpeg's `fps` filter: at rate r, output k is the last source frame whose
time is strictly below (k + 1/2)/r. So a frame at time t, followed by one at t', fills the outputs
from `output_index(t)` up to, and without, `output_index(t')`.
"""

from fractions import Fraction

from howto.records import FrameSpec

__all__ = ["Schedule", "num_outputs", "output_index", "output_size", "scaled_size"]


def output_index(time: Fraction, rate: Fraction) -> int:
    """The first output that a frame at this time may fill: time * rate, halves rounded up."""
    scaled = 2 * time * rate + 1
    return scaled.numerator // (2 * scaled.denominator)


def num_outputs(duration: Fraction, rate: Fraction) -> int:
    """How many outputs a video has.

    Args:
        duration: seconds from the container's start to the end of the last frame.
        rate: outputs a second.

    Returns:
        duration * rate, halves rounded up; 0 under half an output's time.
    """
    return max(0, output_index(duration, rate))


class Schedule:
    """Hands out the outputs of one rate, in order and each once, as the times of frames come in.

    Times are whole ticks of the stream's time base, so that every comparison is exact.

    Args:
        rate: outputs a second.
        time_base: seconds in one tick.

    Attributes:
        filled: how many outputs have been handed out.
    """

    def __init__(self, rate: Fraction, time_base: Fraction) -> None:
        self.filled = 0
        self._up = 2 * rate.numerator * time_base.numerator
        self._down = rate.denominator * time_base.denominator

    def index(self, ticks: int) -> int:
        """`output_index` of a tick."""
        return (ticks * self._up + self._down) // (2 * self._down)

    def wants(self, shown: int, until: int) -> bool:
        """Whether a frame, not the first, fills an output when shown from one tick to another."""
        return self.index(until) > self.index(shown)

    def fill(self, until: int) -> range:
        """The outputs filled by the frame shown up to a tick.

        A tick that is not later than those before it fills nothing: time does not go back.
        """
        first = self.filled
        self.filled = max(first, self.index(until))
        return range(first, self.filled)


def scaled_size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """Width and height scaled so that the shorter one is `short_side`.

    The other is int(side * short_side / shorter), the product first, as the authors of HowTo100M
    compute it.
    """
    if height >= width:
        return short_side, height * short_side // width
    return width * short_side // height, short_side


def output_size(width: int, height: int, spec: FrameSpec) -> tuple[int, int]:
    """Width and height of the frames that `spec` gives for a picture of this size."""
    if spec.crop is not None:
        return spec.crop, spec.crop
    return scaled_size(width, height, spec.short_side)

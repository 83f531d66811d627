"""The suite for aligners."""

import math
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from howto.errors import AlignmentError
from howto.testing.contract import PluginContract, expect

__all__ = ["AlignerContract"]

RATE = 16_000  # samples a second


class AlignerContract(PluginContract):
    """An aligner gives each word a time within the sound, in order, or an AlignmentError.

    Override `speech`.

    Attributes:
        impossible: words of which it knows nothing at all; None where it knows every word.
    """

    kind: ClassVar[str] = "aligners"
    impossible: ClassVar[tuple[str, ...] | None] = ("...",)

    def speech(self) -> tuple[tuple[str, ...], NDArray[np.float32]]:
        """Return words, and float32 (n,) samples at 16 kHz in which they are said."""
        raise NotImplementedError("return words, and the samples in which they are said")

    def test_says_what_it_depends_on(self) -> None:
        """The recipe of word times is made of these."""
        aligner = self.create()
        expect(
            isinstance(aligner.version, str) and aligner.version,
            f"version: expected text, got {aligner.version!r}",
        )
        found = [self.create().weights_hash() for _ in range(2)]
        expect(
            all(one is None or (isinstance(one, str) and one) for one in found),
            f"weights_hash(): expected text or None, got {found[0]!r}",
        )
        expect(found[0] == found[1], "weights_hash(): expected the same for the same files")
        rate = aligner.sound_per_second
        expect(
            isinstance(rate, int | float) and rate > 0,
            f"sound_per_second: expected seconds of sound per second of work, got {rate!r}",
        )

    def test_every_word_has_its_time(self) -> None:
        """0 <= start <= end <= length of the sound, starts in order, one for each word."""
        words, samples = self.speech()
        self._expect_times(words, samples)

    def test_one_word_alone(self) -> None:
        """The shortest line there is; whether the sound fits it is the aligner's to say."""
        words, samples = self.speech()
        try:
            self._expect_times(words[:1], samples)
        except AlignmentError as error:
            expect(str(error), "AlignmentError: expected it to say why")

    def test_words_as_people_write_them(self) -> None:
        """Capitals, marks, digits and letters of any script cost no more than the line."""
        words, samples = self.speech()
        written = (f"“{words[0].upper()},", "12½", "—", "Ωμέγα", *words[1:])
        try:
            self._expect_times(written, samples)
        except AlignmentError as error:
            expect(str(error), "AlignmentError: expected it to say why")

    def test_the_same_again(self) -> None:
        """The same words and sound give the same times, whatever came before."""
        words, samples = self.speech()
        aligner = self.create()
        first = aligner.align(list(words), samples)
        rng = np.random.default_rng(0)
        _ignored(aligner, words, rng.normal(0, 0.1, 2 * RATE).astype(np.float32))
        again = aligner.align(list(words), samples)
        expect(first == again, f"a second call gave other times: {first}, {again}")

    def test_the_sound_is_left_as_it_is(self) -> None:
        """Samples are the caller's."""
        words, samples = self.speech()
        before = samples.copy()
        self.create().align(list(words), samples)
        expect(np.array_equal(before, samples), "expected the samples as they were")

    @pytest.mark.parametrize("num_samples", [1, 160, RATE // 4])
    def test_too_little_sound(self, num_samples: int) -> None:
        """Many words in no time are an AlignmentError, or times within that time."""
        words, samples = self.speech()
        try:
            self._expect_times(words * 4, samples[:num_samples])
        except AlignmentError as error:
            expect(str(error), "AlignmentError: expected it to say why")

    def test_words_it_knows_nothing_of(self) -> None:
        """They are an AlignmentError that says so."""
        if self.impossible is None:
            pytest.skip("impossible = None")
        _, samples = self.speech()
        with pytest.raises(AlignmentError) as caught:
            self.create().align(list(self.impossible), samples)
        expect(str(caught.value), "AlignmentError: expected it to say why")

    def _expect_times(self, words: tuple[str, ...], samples: NDArray[np.float32]) -> None:
        found = self.create().align(list(words), samples)
        expect(
            len(found) == len(words), f"expected {len(words)} times, one for each, got {len(found)}"
        )
        seconds = len(samples) / RATE
        for word, (start, end) in zip(words, found, strict=True):
            expect(
                0 <= start <= end <= seconds + 1e-6 and not math.isnan(end),
                f"{word!r}: expected 0 <= start <= end <= {seconds}, got {start} .. {end}",
            )
        starts = [start for start, _ in found]
        expect(starts == sorted(starts), f"expected words in order of start: {starts}")


def _ignored(aligner: Any, words: tuple[str, ...], samples: NDArray[np.float32]) -> None:
    try:
        aligner.align(list(words), samples)
    except AlignmentError:
        return

"""Lines of a caption's size, made of what recognisers hand over in long segments."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import ClassVar

from howto.clip.bounds import lines_with_picture
from howto.clip.sentence_ends import SentenceRules, sentences
from howto.clip.spoken import Spoken, pause_after, spoken_words
from howto.clip.spoken_clips import clip_of_words
from howto.errors import UsageError
from howto.records import Clip, Narration, Video

__all__ = ["RelinesClipper"]


class RelinesClipper:
    """A clip is a line of about so many seconds or words, made anew from the words' times.

    What is said without a pause is parted into equal lines, as few as the two limits allow; a line
    never reaches over a pause or the end of a sentence that is longer than a few words.

    Args:
        seconds: how long a line lasts at most, where its words are spoken evenly.
        most_words: the most words of a line.
        pause: seconds of silence at which a line ends.

    Raises:
        UsageError: one of them is not a positive finite number.
    """

    name: ClassVar[str] = "relines"
    version: ClassVar[str] = "1"
    watches: ClassVar[bool] = False
    wants_all_words: ClassVar[bool] = True

    def __init__(self, seconds: float = 4.0, most_words: int = 10, pause: float = 0.6) -> None:
        for name, value in (("seconds", seconds), ("most_words", most_words), ("pause", pause)):
            if not (math.isfinite(value) and value > 0):
                raise UsageError(f"{name} is {value}, expected a positive number")
        self.seconds = seconds
        self.most_words = most_words
        self.pause = pause

    def pairs(self, narration: Narration, video: Video) -> list[Clip]:
        """Return the new lines in order, with every word of the narration in one of them."""
        stream = spoken_words(lines_with_picture(narration.lines, video))
        clips = [
            clip_of_words(video, line)
            for breath in self._breaths(stream)
            for line in self._lines(breath)
        ]
        return [clip for clip in clips if clip is not None]

    def _breaths(self, stream: Sequence[Spoken]) -> Iterator[Sequence[Spoken]]:
        """What is said between two pauses, and within one sentence; short sentences stay
        together."""
        rules = SentenceRules(long_pause=self.pause, most_words=max(2, len(stream)))
        held: list[Spoken] = []
        for sentence in sentences(stream, rules):
            if held and not self._go_together(held, sentence):
                yield held
                held = []
            held = [*held, *sentence]
            begin = 0
            for index in range(1, len(held)):
                if pause_after(held[index - 1], held[index]) >= self.pause:
                    yield held[begin:index]
                    begin = index
            held = held[begin:]
        if held:
            yield held

    def _go_together(self, held: Sequence[Spoken], sentence: Sequence[Spoken]) -> bool:
        lasting = sentence[-1].end - held[0].start
        return len(held) + len(sentence) <= self.most_words and lasting <= self.seconds

    def _lines(self, breath: Sequence[Spoken]) -> Iterator[Sequence[Spoken]]:
        lasting = max(word.end for word in breath) - breath[0].start
        wanted = max(len(breath) / self.most_words, lasting / self.seconds)
        count = min(len(breath), max(1, math.ceil(wanted - 1e-9)))
        edges = [round(index * len(breath) / count) for index in range(count + 1)]
        for begin, end in pairwise(edges):
            yield breath[begin:end]

"""A narration as one stream of words with times, for clippers that cut anew where lines end
badly."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby

from howto.records import Line
from howto.transcribe.ends import later_starts

__all__ = ["Spoken", "pause_after", "spoken_words", "text_of"]

# Sentence ends of scripts without spaces part a token in two.
_TOKEN = re.compile(r"[^\s。！？]*[。！？]+|[^\s。！？]+")

# How long a word takes at most to be said, in seconds: a recogniser's word can last until the next
# one starts, pause included.
_LONGEST_WORD, _LONGEST_LETTER = 0.35, 0.09


@dataclass(frozen=True, slots=True)
class Spoken:
    """One word with the marks on it, as it stands in the text.

    Attributes:
        text: without spaces; a mark that stands alone, such as a dash, is a word here.
        line: index of its line.
        start, end: seconds. Starts never go backwards through the stream.
        timed: its time is its own, not spread over its line.
    """

    text: str
    line: int
    start: float
    end: float
    timed: bool


def spoken_words(lines: Sequence[Line]) -> list[Spoken]:
    """Return all words of the lines in order, with the times of words where the lines have them.

    Elsewhere the words of a line are spread over it by their number of characters. A line that
    stays on the screen while the next is said counts until that one starts; lines that start
    together are said one after another until then. No word is said outside its line, so that one
    damaged time moves no other line.

    Args:
        lines: sorted by start.
    """
    stream: list[Spoken] = []
    now = 0.0
    later = later_starts([line.start for line in lines])
    numbered = zip(range(len(lines)), lines, later, strict=True)
    for _, group in groupby(numbered, key=lambda one: one[1].start):
        together = list(group)
        following = together[0][2]
        for word in _said_together([(index, line) for index, line, _ in together], following):
            now = max(now, word.start)
            stream.append(replace(word, start=now, end=max(now, word.end)))
    return stream


def _said_together(lines: Sequence[tuple[int, Line]], following: float | None) -> list[Spoken]:
    """The words of lines that start together, line by line.

    Args:
        lines: with their indices.
        following: start of the next later line.
    """
    latest = math.inf if following is None else following
    timed = {index: _own_times(index, line, latest) for index, line in lines}
    others = [(index, line) for index, line in lines if not timed[index]]
    tokens = [(index, token) for index, line in others for token in _TOKEN.findall(line.text)]
    until = min(latest, max((line.end for _, line in others), default=latest))
    words = chain(_spread(tokens, lines[0][1].start, until), *timed.values())
    return sorted(words, key=lambda word: word.line)


def _own_times(index: int, line: Line, latest: float) -> list[Spoken]:
    """The line's words with their own times; none where they are not those of its text."""
    tokens = _TOKEN.findall(line.text)
    if tokens != [word.text.strip() for word in line.words]:
        return []

    def within(time: float) -> float:
        return min(max(time, line.start), line.end, latest)

    return [
        Spoken(token, index, within(word.start), within(word.end), timed=True)
        for token, word in zip(tokens, line.words, strict=True)
    ]


def _spread(tokens: Sequence[tuple[int, str]], start: float, until: float) -> Iterator[Spoken]:
    lengths = [len(token) + 1 for _, token in tokens]
    per_character = (until - start) / max(1, sum(lengths))
    done = 0
    for (index, token), length in zip(tokens, lengths, strict=True):
        begin = start + done * per_character
        done += length
        # To the millisecond: more digits would claim what nobody measured.
        end = start + done * per_character
        yield Spoken(token, index, round(begin, 3), round(end, 3), timed=False)


def pause_after(word: Spoken, following: Spoken) -> float:
    """Return how many seconds of silence lie between two words, as far as their times tell.

    Spread times know of no pause within a line. Between two lines there may be one, and after a
    word with a time of its own also where its end says nothing of it.
    """
    if not word.timed:
        return following.start - word.end if word.line != following.line else 0.0
    longest = _LONGEST_WORD + _LONGEST_LETTER * len(word.text)
    return following.start - min(word.end, word.start + longest)


def text_of(stream: Sequence[Spoken]) -> str:
    """Write words as one text."""
    return " ".join(word.text for word in stream)

"""A narration as one stream of words with times, for clippers that cut anew where lines end
badly."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from howto.records import Line

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
    stays on the screen while the next is said counts until that one starts.

    Args:
        lines: sorted by start.
    """
    stream: list[Spoken] = []
    now = 0.0
    for index, line in enumerate(lines):
        following = lines[index + 1].start if index + 1 < len(lines) else line.end
        said_until = min(line.end, following) if following > line.start else line.end
        timed = _own_times(line)
        for text, start, end in timed or _spread(line, said_until):
            now = max(now, start)
            stream.append(Spoken(text, index, now, max(now, end), bool(timed)))
    return stream


def _own_times(line: Line) -> list[tuple[str, float, float]]:
    """The line's words with their own times; none where they are not those of its text."""
    tokens = _TOKEN.findall(line.text)
    if tokens != [word.text.strip() for word in line.words]:
        return []
    return [(token, word.start, word.end) for token, word in zip(tokens, line.words, strict=True)]


def _spread(line: Line, said_until: float) -> Iterator[tuple[str, float, float]]:
    tokens = _TOKEN.findall(line.text)
    lengths = [len(token) + 1 for token in tokens]
    per_character = (said_until - line.start) / max(1, sum(lengths))
    done = 0
    for token, length in zip(tokens, lengths, strict=True):
        start = line.start + done * per_character
        done += length
        # To the millisecond: more digits would claim what nobody measured.
        yield token, round(start, 3), round(line.start + done * per_character, 3)


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

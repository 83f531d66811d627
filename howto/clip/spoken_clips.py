"""A clip of consecutive words."""

from collections.abc import Sequence

from howto.clip.bounds import ClipOfLines, bounded_clip
from howto.clip.spoken import Spoken, text_of
from howto.clip.words import words
from howto.records import Video

__all__ = ["clip_of_words"]


def clip_of_words(video: Video, stream: Sequence[Spoken], mark: str = "") -> ClipOfLines | None:
    """Make a clip of consecutive words; None where they are marks alone.

    Args:
        stream: one word or more.
        mark: what the caption should end with, where it has no mark there.
    """
    text = text_of(stream)
    if not words(text):
        return None
    if mark and text[-1].isalnum():
        text += mark
    end = max(word.end for word in stream)
    return bounded_clip(video, stream[0].start, end, text, stream[0].line, stream[-1].line)

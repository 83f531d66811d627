"""One clip for each sentence that is said, wherever the lines end."""

from typing import ClassVar

from howto.clip.bounds import lines_with_picture
from howto.clip.sentence_ends import SentenceRules, is_marked, sentences
from howto.clip.spoken import spoken_words
from howto.clip.spoken_clips import clip_of_words
from howto.errors import UsageError
from howto.records import Clip, Narration, Video

__all__ = ["SentencesClipper"]


class SentencesClipper:
    """A clip is a sentence: lines are joined and parted until each caption is one.

    Where the narration has no sentence marks they are restored by rules, with a full stop at each
    end, and no other change to the text.

    Args:
        most_words: a longer sentence is cut at its best place.

    Raises:
        UsageError: most_words is below 2.
    """

    name: ClassVar[str] = "sentences"
    version: ClassVar[str] = "1"
    watches: ClassVar[bool] = False
    wants_all_words: ClassVar[bool] = True

    def __init__(self, most_words: int = 25) -> None:
        if most_words < 2:
            raise UsageError(f"most_words is {most_words}, expected at least 2")
        self.most_words = most_words

    def pairs(self, narration: Narration, video: Video) -> list[Clip]:
        """Return one clip per sentence, in order, with every word of the lines in one of them.

        A clip reaches from its first word to its last, by the words' own times where the narration
        has them, else by their share of their line. What holds no word at all gives no clip.
        """
        stream = spoken_words(lines_with_picture(narration.lines, video))
        mark = "" if is_marked(stream) else "."
        found = sentences(stream, SentenceRules(most_words=self.most_words))
        clips = [clip_of_words(video, sentence, mark) for sentence in found]
        return [clip for clip in clips if clip is not None]

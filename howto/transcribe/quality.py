"""How good a narration is, in numbers that need no model.

HowTo100M kept videos with at least 100 words. The other numbers find what spoils a training set:
a pace that nobody speaks at, a video in which hardly anything is said, captions of another
language than they say, and captions of another video.
"""

from dataclasses import replace

from howto.clip.words import words
from howto.errors import Reason
from howto.records import Line, Narration, Outcome, Quality, State
from howto.transcribe.language import primary

__all__ = ["COMMON_WORDS", "measure", "with_enough_words"]


COMMON_WORDS = {
    "en": frozenset(
        """
        the a an and or but if so of to in on at for with from by about into over up down out off
        i you he she it we they me him her us them my your his its our their this that these those
        is are was were be been am do does did have has had will would can could should may might
        not no yes what which who when where why how there here all some more just like then now
        as than one two going go get got make want know see really very right okay well because
        it's i'm you're we're that's don't let's i've we'll you'll gonna
        """.split()
    ),
    "de": frozenset(
        """
        der die das ein eine einen einem und oder aber wenn so von zu in im an am auf für mit aus
        bei nach über ich du er sie es wir ihr mich mir dich uns ist sind war sein bin hat haben
        habe wird werden kann nicht kein ja nein was wer wie wo hier da dann jetzt auch noch nur
        schon mal man dass den dem des sich als
        """.split()
    ),
    "es": frozenset(
        """
        el la los las un una unos y o pero si de del a al en con por para sin sobre yo tú él ella
        nosotros me te se lo le nos su sus mi es son era ser está están hay ha he no sí que qué
        como cómo cuando donde aquí ahora muy más ya también este esta esto vamos va
        """.split()
    ),
    "fr": frozenset(
        """
        le la les l' un une des du de d' et ou mais si à au aux en dans sur avec pour par sans je tu
        il elle on nous vous ils me te se ce ça c'est est sont était être a ai avez ont ne pas non
        oui que qui quoi comment quand où ici là maintenant très plus aussi bien alors donc fait va
        """.split()
    ),
}
"""Primary language to its commonest words in speech, lower case: articles, pronouns and such.

About every second word of speech is among those of its language, and hardly one in ten among those
of another.
"""


def measure(narration: Narration, duration: float | None) -> Quality:
    """Measure a narration.

    Args:
        duration: of the video, in seconds; None or 0 where nobody knows it.
    """
    tokens = [word.lower() for line in narration.lines for word in words(line.text)]
    said = _said_seconds(narration.lines)
    return Quality(
        num_words=len(tokens),
        words_per_second=len(tokens) / said if said else 0.0,
        non_speech_share=max(0.0, 1 - said / duration) if duration else None,
        language_share=_language_share(tokens, narration.language),
        lines_outside=narration.lines_outside,
    )


def with_enough_words(outcome: Outcome, quality: Quality | None, min_words: int) -> Outcome:
    """The outcome of transcribing a video, by how many words were heard.

    Args:
        quality: of its narration, or None where it has none, which leaves the outcome as it is.
    """
    if quality is None:
        return outcome
    if quality.num_words < min_words:
        detail = f"{quality.num_words} words: expected at least {min_words}"
        return replace(outcome, state=State.SKIPPED, reason=Reason.TOO_FEW_WORDS, detail=detail)
    if outcome.reason == Reason.TOO_FEW_WORDS:
        return replace(outcome, state=State.OK, reason=None, detail="")
    return outcome


def _said_seconds(lines: tuple[Line, ...]) -> float:
    """How long at least one line lasts: lines may overlap."""
    said = until = 0.0
    for line in lines:
        if line.end > until:
            said += line.end - max(line.start, until)
            until = line.end
    return said


def _language_share(tokens: list[str], language: str | None) -> float | None:
    common = COMMON_WORDS.get(primary(language)) if language else None
    if not (common and tokens):
        return None
    return sum(token in common for token in tokens) / len(tokens)

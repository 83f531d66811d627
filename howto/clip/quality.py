"""How likely a caption names what is seen, judged by its words alone, without any model.

The formula, with its measurements, is in docs/pairs.md. Its weights are set by hand, not fitted: a
score that orders captions by kind, for leaving out the worst, and no probability.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from howto.clip.stop_words import STOP_WORDS
from howto.clip.word_classes import (
    ACTIONS,
    CHATTER,
    CHATTER_PHRASES,
    POINTERS,
    THINGS,
    WEAK_ACTIONS,
    base_forms,
)
from howto.clip.words import words

__all__ = ["QUALITY_VERSION", "WordCounts", "count_words", "quality"]

# Counts up whenever the same caption would get another score: it is part of a pair set's recipe.
QUALITY_VERSION = 1

# What one word of a class adds, in units of log-odds, and how many words of it count.
_ACTION, _MOST_ACTIONS = 1.2, 2.0
_THING, _MOST_THINGS = 0.8, 3.0
_BOTH = 0.8  # an action and a thing: 'fold' and 'sleeve' say more together than apart
_IMPERATIVE = 0.6  # the first word that is no stop word is an action
_POINTER, _MOST_POINTERS = 0.2, 2.0
_CHATTER, _MOST_CHATTER = 0.9, 4.0
_PHRASE, _MOST_PHRASES = 0.8, 2.0
_STOP_SHARE = 1.0  # times how far the share of stop words is above the usual
_USUAL_STOP_SHARE = 0.55  # of spoken English
_SHORT = 0.7  # fewer than two words that are no stop words
_START = -1.1

_PHRASES: dict[str, list[str]] = {}  # by their first word
for _phrase in CHATTER_PHRASES:
    _PHRASES.setdefault(_phrase.partition(" ")[0], []).append(_phrase)


@dataclass(frozen=True, slots=True)
class WordCounts:
    """How many words of each class a caption has.

    Attributes:
        actions: verbs of doing; one of the weak ones counts a half.
        things: what can be seen; each word counts once, also where it is an action as well.
        pointers: here, now, into, slowly ...
        chatter: words of greetings, opinions and life.
        phrases: of chatter, of two words and more.
        imperative: the first word that is no stop word is an action.
        stop_share: of all words, 0..1.
        content: words that are no stop words.
    """

    actions: float
    things: int
    pointers: int
    chatter: int
    phrases: int
    imperative: bool
    stop_share: float
    content: int


def quality(caption: str) -> float:
    """Score a caption of English words in 0..1; 0 where it has no word."""
    counts = count_words(words(caption.lower()))
    if counts is None:
        return 0.0
    evidence = (
        _START
        + _ACTION * min(counts.actions, _MOST_ACTIONS)
        + _THING * min(counts.things, _MOST_THINGS)
        + _BOTH * (counts.actions >= 1 and counts.things >= 1)
        + _IMPERATIVE * counts.imperative
        + _POINTER * min(counts.pointers, _MOST_POINTERS)
        - _CHATTER * min(counts.chatter, _MOST_CHATTER)
        - _PHRASE * min(counts.phrases, _MOST_PHRASES)
        - _STOP_SHARE * max(0.0, counts.stop_share - _USUAL_STOP_SHARE)
        - _SHORT * (counts.content < 2)
    )
    return 1 / (1 + math.exp(-evidence))


def count_words(spoken: Sequence[str]) -> WordCounts | None:
    """Count the words of each class.

    Args:
        spoken: the words of a caption in lower case.

    Returns:
        None where there is no word.
    """
    if not spoken:
        return None
    actions = ambiguous = 0.0
    things = pointers = chatter = content = 0
    imperative = False
    for word in spoken:
        found = _classes(word)
        if found.thing:  # also an action, such as 'hammer': one of them in a caption is one
            ambiguous = max(ambiguous, found.action)
        else:
            actions += found.action
        things += found.thing
        pointers += found.pointer
        chatter += found.chatter
        if not found.is_stop_word:
            imperative = imperative or (content == 0 and found.action == 1)
            content += 1
    return WordCounts(
        actions=actions + ambiguous,
        things=things,
        pointers=pointers,
        chatter=chatter,
        phrases=_count_phrases(spoken),
        imperative=imperative,
        stop_share=1 - content / len(spoken),
        content=content,
    )


def _count_phrases(spoken: Sequence[str]) -> int:
    """How many different phrases of chatter there are."""
    possible = [phrase for word in set(spoken) & _PHRASES.keys() for phrase in _PHRASES[word]]
    if not possible:
        return 0
    text = f" {' '.join(spoken)} "
    return sum(f" {phrase} " in text for phrase in possible)


@dataclass(frozen=True, slots=True)
class _Classes:
    """What one word is."""

    action: float
    thing: bool
    pointer: bool
    chatter: bool
    is_stop_word: bool


@lru_cache(maxsize=1 << 16)
def _classes(word: str) -> _Classes:
    forms = base_forms(word)
    strong = any(form in ACTIONS for form in forms)
    weak = any(form in WEAK_ACTIONS for form in forms)
    return _Classes(
        action=1.0 if strong else 0.5 if weak else 0.0,
        thing=any(form in THINGS for form in forms),
        pointer=word in POINTERS,
        chatter=word in CHATTER,
        is_stop_word=word in STOP_WORDS,
    )

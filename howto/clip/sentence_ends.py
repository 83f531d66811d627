"""Where sentences end: at their marks, or, where nobody wrote any, by rules.

No model: pauses, capitals, the words that sentences begin with, and the words that no sentence ends
with. English; in another language without marks only pauses and lengths part sentences.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from howto.clip.spoken import Spoken, pause_after

__all__ = ["SentenceRules", "is_marked", "sentences"]


@dataclass(frozen=True, slots=True)
class SentenceRules:
    """The numbers of the rules.

    Attributes:
        long_pause: seconds; a sentence ends there, unless the next word goes on with it; then at a
            pause twice as long.
        short_pause: seconds; it ends there before an opening word.
        fewest_words: before an opening word without a pause, once it has this many words.
        most_words: a longer one is cut at its best place.
    """

    long_pause: float = 0.8
    short_pause: float = 0.3
    fewest_words: int = 6
    most_words: int = 25


# A mark for every so many words, or more often, is what people write; automatic captions have none.
_MOST_WORDS_PER_MARK = 40
# More capitals than this are headings or an all-capitals file, not beginnings of sentences.
_MOST_CAPITALS = 0.3

_END = re.compile(r"[.!?…。！？]+[\"'”’)\]]*$")
_SURE_END = re.compile(r"[!?。！？]+[\"'”’)\]]*$")
_ABBREVIATIONS = frozenset(
    "mr. mrs. ms. dr. st. vs. etc. e.g. i.e. approx. no. tsp. tbsp. oz. lb. lbs. pt. qt. min. max. "
    "sec. fig. ca. inc. jr. sr.".split()
)

_OPENERS = frozenset(
    "so now then next okay ok alright first second third finally after once when while if today "
    "hello hi hey welcome thanks let's lets".split()
)
_WEAK_OPENERS = frozenset(
    "and but because i i'm i'll i've we we're we'll you you'll he she they it it's this that's "
    "these there what what's here here's take make put add get go".split()
)
_NO_ENDS = frozenset(
    "a an the my your his her its our their this these those of to from with by for at in into "
    "onto and or but nor as than so if when while because that which who whose is are was were be "
    "been am do does did has have had can could will would shall should may might must not very "
    "really just some any every each no gonna going i we you he she they i'm we're you're it's "
    "that's there's let's let".split()
)
_GO_ON = frozenset("the a an my your of to from with into onto than".split())


def is_marked(stream: Sequence[Spoken]) -> bool:
    """Tell whether somebody wrote where sentences end."""
    marks = sum(bool(_END.search(word.text)) for word in stream)
    return marks * _MOST_WORDS_PER_MARK >= len(stream) and marks > 0


def sentences(
    stream: Sequence[Spoken], rules: SentenceRules | None = None
) -> list[Sequence[Spoken]]:
    """Cut a stream of words into sentences; every word is in one of them, in order."""
    rules = rules or SentenceRules()
    marked = is_marked(stream)
    capitals = not marked and _capitals_mean_something(stream)
    found: list[Sequence[Spoken]] = []
    begin = 0
    for index in range(len(stream)):
        is_last = index + 1 == len(stream)
        length = index + 1 - begin
        if is_last or (
            _ends_marked(stream[index], stream[index + 1])
            if marked
            else _ends_unmarked(stream[index], stream[index + 1], length, rules, capitals)
        ):
            found += _cut_to_length(stream[begin : index + 1], rules.most_words)
            begin = index + 1
    return found


def _ends_marked(word: Spoken, following: Spoken) -> bool:
    if _SURE_END.search(word.text):
        return True
    if not _END.search(word.text) or word.text.lower() in _ABBREVIATIONS:
        return False
    # 'the 1. step', 'a. m.', 'three ... four': a sentence begins with a capital where it has one.
    return not following.text[0].islower()


def _ends_unmarked(
    word: Spoken, following: Spoken, length: int, rules: SentenceRules, capitals: bool
) -> bool:
    if _END.search(word.text):  # one of the few marks there are
        return _ends_marked(word, following)
    pause = pause_after(word, following)
    opener = _plain(following)
    if pause >= rules.long_pause * (2 if opener in _GO_ON else 1):
        return True
    if _plain(word) in _NO_ENDS:
        return False
    if capitals and _begins_sentence(following):
        return True
    if pause >= rules.short_pause and (opener in _OPENERS or opener in _WEAK_OPENERS):
        return True
    return length >= rules.fewest_words and opener in _OPENERS


def _plain(word: Spoken) -> str:
    return word.text.strip(",;:-–—\"'()[]").lower()


def _capitals_mean_something(stream: Sequence[Spoken]) -> bool:
    capitals = sum(_begins_sentence(word) for word in stream)
    return 0 < capitals <= _MOST_CAPITALS * len(stream)


def _begins_sentence(word: Spoken) -> bool:
    """A word written with a capital that is not always: not I, no abbreviation like LED."""
    text = word.text.lstrip("\"'“‘([")
    return text[:1].isupper() and text[1:2].islower()


def _cut_to_length(sentence: Sequence[Spoken], most_words: int) -> list[Sequence[Spoken]]:
    """Halve what is too long at its best place, again and again."""
    if len(sentence) <= most_words:
        return [sentence]
    place = max(range(1, len(sentence)), key=lambda index: _goodness(sentence, index))
    first, second = sentence[:place], sentence[place:]
    return _cut_to_length(first, most_words) + _cut_to_length(second, most_words)


def _goodness(sentence: Sequence[Spoken], place: int) -> float:
    """How well a sentence can be parted before a word: near the middle, and where clauses meet."""
    word, following = sentence[place - 1], sentence[place]
    off_middle = abs(2 * place / len(sentence) - 1)
    good = 1 - off_middle + min(pause_after(word, following), 1.0)
    good += 0.6 * (word.text[-1] in ",;:") + 0.5 * (_plain(following) in _OPENERS)
    good += 0.3 * (_plain(following) in _WEAK_OPENERS)
    return good - 0.8 * (_plain(word) in _NO_ENDS) - (min(place, len(sentence) - place) < 3)

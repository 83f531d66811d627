"""What a person types, as terms to look for. Any string is a valid query: nothing in it is
syntax."""

import unicodedata
from dataclasses import dataclass
from itertools import groupby

from howto.errors import UsageError

__all__ = ["STOP_WORDS", "Query"]


STOP_WORDS = frozenset(
    """
    a about an and any are as at be been but by can could did do does doing for from get had has
    have having he her here him his how how's howto i i'd i'll i'm if in into is it it's its just
    let let's me my of off on onto or our out over please she should show so some than that that's
    the their them then there there's these they this those to up us was way we were what what's
    when where which while who why will with would you your
    """.split()
)
"""English words that say nothing of what is shown: left out of a query that holds any other."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query.

    Attributes:
        text: as typed, without surrounding white space.
        terms: the distinct words to look for, lower case, in the order typed.
    """

    text: str
    terms: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "Query":
        """Read a query.

        Raises:
            UsageError: there is nothing in it but white space.
        """
        text = text.strip()
        if not text:
            raise UsageError(
                'the query is empty; say what to look for: howto search "fold a shirt"'
            )
        words = list(dict.fromkeys(_words(text.lower().replace("\u2019", "'"))))
        telling = [word for word in words if word not in STOP_WORDS]
        return cls(text, tuple(telling or words))


def _words(text: str) -> list[str]:
    """Runs of letters, digits and the marks on them, as the index cuts its texts into words."""
    text = unicodedata.normalize("NFC", text)
    runs = ("".join(run) for inside, run in groupby(text, key=_is_of_word) if inside)
    return [word for run in runs if (word := run.strip("'"))]


def _is_of_word(character: str) -> bool:
    return character == "'" or unicodedata.category(character)[0] in "LNM"

"""How a library's narrations were asked for, remembered: what is read later is read the same way.

`howto transcribe` makes the choice; `refresh`, which `search` and `clip` begin with, keeps to it
when a caption file changes or a video is new. It never starts a source that listens.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from howto.library import Library
from howto.plugin_options import Value
from howto.transcribe.ask import QUICK_SOURCES, Wish
from howto.transcribe.ends import Ends

__all__ = ["Choice", "quick", "remember", "remembered"]

_SETTING = "transcribe"


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen.

    Attributes:
        wish: sources with their options, language and rule for the ends of lines.
        min_words: narrations of fewer words end as `too_few_words`.
    """

    wish: Wish = field(default_factory=Wish)
    min_words: int = 0


def remembered(library: Library) -> Choice:
    """The choice made last for a library; the defaults where none was made."""
    found = library.setting(_SETTING)
    if found is None:
        return Choice()
    parts = json.loads(found)
    wish = parts["wish"]
    ends = Ends(wish["ends"]) if wish["ends"] is not None else None
    options = tuple((name, key, _value(value)) for name, key, value in wish.get("options", ()))
    chosen = Wish(tuple(wish["sources"]), wish["language"], ends, options)
    return Choice(chosen, parts["min_words"])


def _value(value: Any) -> Value:
    """As it was before JSON, which has no tuples."""
    return tuple(map(_value, value)) if isinstance(value, list) else value


def remember(library: Library, choice: Choice) -> None:
    """Keep a choice in place of the one before."""
    if choice != remembered(library):
        with library.writing():
            library.put_setting(_SETTING, json.dumps(asdict(choice)))


def quick(wish: Wish) -> Wish:
    """The same wish, of the sources alone that cost next to nothing; there may be none."""
    return replace(wish, sources=tuple(one for one in wish.sources if one in QUICK_SOURCES))

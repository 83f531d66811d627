"""Which signals a plain search ranks by: what was measured to be best on this library, remembered.

`howto eval --benchmark own` measures, and remembers with `remember`; a search only reads, so it is
as quick as its signals. Imports neither torch nor numpy.
"""

import json
from dataclasses import asdict, dataclass

from howto.library import Library

__all__ = ["SignalChoice", "remember", "remembered"]

_SETTING = "search-signals"


@dataclass(frozen=True, slots=True)
class SignalChoice:
    """Signals that were found to be best on a library.

    Attributes:
        signals: such as `words` and `pictures`.
        model: whose pictures; None without them.
        why: one sentence for a person, with what was measured.
        recipe: what the model was when it was measured, the short form of its recipe; '' where
            nobody knows.
    """

    signals: tuple[str, ...]
    model: str | None = None
    why: str = ""
    recipe: str = ""


def remember(library: Library, choice: SignalChoice) -> None:
    """Remember a choice in place of the one before. Call inside `Library.writing()`."""
    library.put_setting(_SETTING, json.dumps(asdict(choice)))


def remembered(library: Library) -> SignalChoice | None:
    """What was chosen for a library; None where nothing was measured yet."""
    text = library.setting(_SETTING)
    if text is None:
        return None
    told = json.loads(text)
    return SignalChoice(tuple(told["signals"]), told["model"], told["why"], told.get("recipe", ""))

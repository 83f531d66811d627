"""Times, counts and folders as a person reads and types them."""

import re
import shlex
from pathlib import Path

__all__ = ["about", "clock", "counted", "in_one_line", "named", "shown"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def clock(seconds: float) -> str:
    """Seconds as a player shows them: 1:02:03, or 2:03 under an hour; the fraction is cut off."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def about(seconds: float) -> str:
    """An estimated time: 'about 40 s', 'about 14 min', 'about 3 h'."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    if seconds < 5400:
        return f"about {round(seconds / 60)} min"
    return f"about {round(seconds / 3600)} h"


def counted(count: float, noun: str) -> str:
    """A number with its noun: '1 video', '2 videos'; a whole one with all its digits."""
    number = f"{count:.0f}" if count == int(count) else f"{count:g}"
    return f"{number} {noun}" if count == 1 else f"{number} {noun}s"


def named(path: str) -> str:
    """A file name as a terminal may show it: what does not print is written as an escape."""
    if path.isprintable():
        return path
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in path)


def in_one_line(text: str) -> str:
    """A text without what moves a terminal's cursor or colours it, each written as an escape."""
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


def shown(folder: Path) -> str:
    """A folder as it can be typed into a shell."""
    return shlex.quote(str(folder))

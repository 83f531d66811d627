"""Which of the files that a site offers for one video to fetch. Works on yt-dlp's dictionaries."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["choose_formats"]

Format = Mapping[str, Any]

_PROTOCOLS = ("http", "https", "m3u8_native", "m3u8", "http_dash_segments")
"""What can be fetched without another program; earlier ones are preferred."""


def choose_formats(formats: Sequence[Format], height: int) -> tuple[Format, ...]:
    """Choose the files to fetch for one video: one that has all, else a picture and a sound.

    The tallest picture that is not above `height`, else the least tall there is; of equals, one
    that comes in one piece, then the one that yt-dlp ranks best. A picture whose height is not
    stated counts as fitting, but a stated one is preferred. One file that has picture and sound is
    preferred to a better picture alone, unless only the latter fits `height`.

    Args:
        formats: yt-dlp's, worst first, as `extract_info` gives them.
        height: in pixels.

    Returns:
        One format, or the picture's and the sound's; a picture alone where nothing has sound; () if
        there is no picture that can be fetched.
    """
    usable = [form for form in formats if _is_usable(form)]
    whole = [form for form in usable if _has_picture(form) and _has_sound(form)]
    pictures = [form for form in usable if _has_picture(form) and not _has_sound(form)]
    sounds = [form for form in usable if not _has_picture(form)]
    sound = (_best(sounds, _rank_of_sound),) if sounds else ()
    fitting = [form for form in usable if _excess(form, height) == 0]
    for among in (fitting, usable):
        for group, added in ((whole, ()), (pictures, sound)):
            found = [form for form in group if form in among]
            if found:
                return (_best(found, lambda form: _rank_of_picture(form, height)), *added)
    return ()


def _best(formats: Sequence[Format], rank: Callable[[Format], Any]) -> Format:
    """The highest of a rank, and of equals the last, which yt-dlp holds for the best."""
    return max(enumerate(formats), key=lambda item: (rank(item[1]), item[0]))[1]


def _rank_of_picture(form: Format, height: int) -> tuple[float, ...]:
    tall = _height(form)
    return (
        -_excess(form, height),
        _original_language(form),
        tall if tall is not None and tall <= height else -1,
        -_PROTOCOLS.index(str(form.get("protocol"))),
    )


def _rank_of_sound(form: Format) -> tuple[float, ...]:
    return (_original_language(form), -_PROTOCOLS.index(str(form.get("protocol"))))


def _original_language(form: Format) -> float:
    """yt-dlp's mark of what was spoken, against dubbed sound; higher is better."""
    return float(form.get("language_preference") or -1)


def _excess(form: Format, height: int) -> float:
    """By how many pixels a picture is too tall."""
    return max(0.0, (_height(form) or 0) - height)


def _height(form: Format) -> float | None:
    tall = form.get("height")
    known = isinstance(tall, int | float) and math.isfinite(tall) and tall > 0
    return tall if known else None


def _is_usable(form: Format) -> bool:
    return (
        bool(form.get("url"))
        and form.get("protocol") in _PROTOCOLS
        and form.get("has_drm") is not True
        and (_has_picture(form) or _has_sound(form))
    )


def _has_picture(form: Format) -> bool:
    return form.get("vcodec") != "none"  # None: not known, as for a plain link to a file


def _has_sound(form: Format) -> bool:
    return form.get("acodec") != "none"

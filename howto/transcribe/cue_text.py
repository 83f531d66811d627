"""What a cue says: the words without markup. Used by every format, so that all read alike.

Rules, and why:

* tags (`<i>`, `<c.class>`, `<v Name>`, `<00:00:01.000>`, `{\\an8}`) go, with the speaker's name in
  `<v Name>`;
* entities are resolved once, after the tags: `&lt;i&gt;` is the text `<i>`;
* `>>` at the start of a row says that the speaker changes, like `<v>`, and goes; a dialogue dash
  stays, for it cannot be told from a minus or a list, and word search does not see it;
* rows are joined and white space is collapsed;
* a cue of nothing but `[Music]`-like brackets and notes says nothing and is dropped, in any
  language; among words such a bracket stays. Round brackets stay: people also speak in parentheses;
* everything else is left as it was written.
"""

import html
import re

__all__ = ["NOTHING_STARTS", "clean", "strip_markup", "tidy"]

# A tag starts with a letter, so that `2 < 3 > 1` and `<3` stay; `[^<>]` keeps the search linear.
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|</>|<\s*\d+:[\d:.,]+\s*>")
_BREAK = re.compile(r"<[bB][rR]\s*/?>")
# Tags that lack their `>`: the words behind them are kept.
_OPEN_TAG = re.compile(
    r"<lang(?:\s+[\w-]+)?|</?(?:c|i|b|u|v|ruby|rt|font)(?:\.[\w-]+)*(?=\s|$)",
    re.ASCII | re.IGNORECASE,
)
_OVERRIDE = re.compile(r"\{\\[^{}]*\}|\{[yYcCfFsSpP]:[^{}]*\}")
_LONG_NUMBER = re.compile(r"&#\d{9,};?", re.ASCII)
_SPEAKER = re.compile(r"^[ \t]*>>+[ \t]*", re.MULTILINE)
_SAYS_NOTHING = re.compile(
    r"(?:[\s♪♫♬♩\u200b-\u200f\u2060\ufeff\u00ad#*]|\[[^\[\]]*\]|［[^［］]*］)*"
)
NOTHING_STARTS = frozenset("[［♪♫♬♩#*\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad")
"""A row that says nothing starts with one of these."""


def clean(raw: str) -> str:
    """Return what a cue with markup says, in one row; '' where it says nothing."""
    return tidy(strip_markup(raw))


def strip_markup(raw: str) -> str:
    """Remove tags and overrides, then resolve entities once; rows stay rows."""
    if "{" in raw:
        raw = _OVERRIDE.sub("", raw)
    if "<" in raw:
        raw = _TAG.sub("", _BREAK.sub("\n", raw))
        if "<" in raw:
            raw = _OPEN_TAG.sub("", raw)
    if "&" not in raw:
        return raw
    # No character has so long a number, and int() refuses one of thousands of digits.
    return html.unescape(_LONG_NUMBER.sub("\ufffd", raw))


def tidy(text: str) -> str:
    """Return plain text in one row, without speaker marks; '' where it says nothing."""
    if ">>" in text:
        text = _SPEAKER.sub("", text)
    text = " ".join(text.split())
    if text and text[0] in NOTHING_STARTS and _SAYS_NOTHING.fullmatch(text):
        return ""
    return text

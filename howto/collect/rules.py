"""Which videos are kept: the paper's filters, with its figures as defaults.

What nothing is known of refuses no video: one whose views the source does not say is kept, and the
report counts it.
"""

import json
import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from howto.collect.fetched import Described
from howto.errors import ItemError, Reason, UsageError
from howto.library import Library
from howto.transcribe.language import language_tag, nearest_tag, same_language

__all__ = [
    "License",
    "Rules",
    "is_excluded",
    "made_of",
    "own_rules",
    "refusal",
    "remember",
    "remembered",
    "together",
]

GIB = 1 << 30
_SETTING = "collect"
_CODE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
_OWN_FILES = {"min_views": 0, "max_seconds": float("inf"), "min_words": 0}
_OWN_SOURCE = "folder"


class License(StrEnum):
    """Which licences are good enough."""

    ANY = "any"
    CC_BY = "cc-by"


@dataclass(frozen=True, slots=True)
class Rules:
    """What to keep, and in which form.

    Attributes:
        top: search results of each task.
        min_views: a video seen less often is refused.
        max_seconds: a longer one is refused.
        min_words: of narration, as `howto.transcribe.quality` counts them; 0 takes videos without
            captions too.
        language: that is spoken, and of the captions.
        license: `cc-by` takes only what says so itself.
        height: of the picture, in pixels, at most.
        captions_only: no media is fetched.
        allow_translated: captions that a program translated into `language` will do, and then any
            language may be spoken.
        keep_free: bytes of the disk that stay free.
        exclude: ids of videos to leave out, with or without the source in front (`youtube-`).
    """

    top: int = 200
    min_views: int = 100
    max_seconds: float = 2000.0
    min_words: int = 100
    language: str = "en"
    license: License = License.ANY
    height: int = 360
    captions_only: bool = False
    allow_translated: bool = False
    keep_free: int = GIB
    exclude: Set[str] = field(default=frozenset())

    def __post_init__(self) -> None:
        for name, least in (("top", 1), ("min_views", 0), ("max_seconds", 1), ("min_words", 0)):
            self._check(name, least)
        self._check("height", 1)
        self._check("keep_free", 0)
        # Of three letters there are more than our list has.
        code = _CODE.fullmatch(self.language)
        if code is None or (len(self.language) == 2 and language_tag(self.language) is None):
            raise UsageError(
                f"language {self.language!r} is no code of a language; did you mean "
                f"{nearest_tag(self.language) or 'en'}?"
            )

    def _check(self, name: str, least: float) -> None:
        value = getattr(self, name)
        if not value >= least:  # no number (NaN) is refused too
            raise UsageError(f"{name.replace('_', ' ')} is {value:g}, expected at least {least:g}")

    @property
    def asked(self) -> str:
        """What a refusal for its captions depends on, beside the video."""
        return f"{self.language}{'+translated' if self.allow_translated else ''}"


def remembered(library: Library) -> dict[str, Any]:
    """The rules that were named for a library, by the names of `Rules`; the others are defaults."""
    found = library.setting(_SETTING)
    named = json.loads(found) if found is not None else {}
    if "exclude" in named:
        named["exclude"] = frozenset(named["exclude"])
    if "license" in named:
        named["license"] = License(named["license"])
    return {**named}


def remember(library: Library, named: Mapping[str, Any]) -> None:
    """Keep the rules that were named in place of those before."""
    if dict(named) != remembered(library):
        with library.writing():
            library.put_setting(_SETTING, json.dumps(dict(named), default=sorted))


def together(before: Mapping[str, Any], named: Mapping[str, Any]) -> dict[str, Any]:
    """Rules that were named before, and now: the new ones go first, and lists are added up."""
    exclude = frozenset(before.get("exclude", ())) | frozenset(named.get("exclude", ()))
    return {**before, **named, **({"exclude": exclude} if exclude else {})}


def made_of(named: Mapping[str, Any]) -> Rules:
    """The rules, of those that were named and the defaults."""
    return Rules(**named)


def own_rules(named: Mapping[str, Any]) -> dict[str, Rules]:
    """The rules of sources that have other defaults: a person's own files are wanted so."""
    return {_OWN_SOURCE: Rules(**{**_OWN_FILES, **named})}


def is_excluded(video_id: str, exclude: Set[str]) -> bool:
    """Whether a video is in a list of ids, with or without its source in front."""
    return video_id in exclude or video_id.partition("-")[2] in exclude


def refusal(described: Described, rules: Rules) -> ItemError | None:
    """Why a video is not wanted, by what its source says of it; None: it is, so far."""
    duration, views = described.duration, described.views
    if described.live:
        return ItemError(Reason.LIVE)
    if duration is not None and duration > rules.max_seconds:
        return ItemError(
            Reason.TOO_LONG, f"{duration:.0f} s: expected at most {rules.max_seconds:g}"
        )
    if views is not None and views < rules.min_views:
        return ItemError(
            Reason.TOO_FEW_VIEWS, f"{views} views: expected at least {rules.min_views}"
        )
    if rules.license is License.CC_BY and described.license != License.CC_BY:
        stated = described.license or "none stated"
        return ItemError(Reason.LICENCE_UNFIT, f"{stated}: expected {rules.license}")
    spoken = described.language
    if spoken and not same_language(spoken, rules.language) and not rules.allow_translated:
        return ItemError(Reason.OTHER_LANGUAGE, f"{spoken}: expected {rules.language}")
    return None

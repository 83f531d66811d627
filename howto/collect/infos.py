"""From the dictionary that yt-dlp makes of a video to our record of it.

Everything in the dictionary was said by a site: each value is taken only where it is what it should
be. Needs nothing of yt-dlp.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from howto.collect.examine import chapters_of
from howto.collect.fetched import Candidate, CaptionTrack, Described
from howto.collect.tracks import ORIGINAL, UNKNOWN, best_form
from howto.records import Kind
from howto.transcribe.language import language_tag

__all__ = ["described", "entry_of"]

_LISTS = ("subtitles", "automatic_captions")
"""Where yt-dlp keeps captions that people made, and those that a machine made."""

_LIVE = ("is_live", "is_upcoming", "post_live")  # post_live: ended, its file is not whole yet
_TOO_MUCH = 2**63  # JSON may hold integers of any length, a database holds those below this
_CODE = re.compile(r"([A-Za-z]{2,3})(-[A-Za-z0-9]{2,8})*")
_BY = re.compile(
    r"cc[ -]?by([ -]?[0-9.]+)?|by|.*creativecommons\.org/licenses/by/.*"
    r"|creative commons attribution( [0-9.]+)?( international| unported)?( licen[sc]e)?"
    r"( \(reuse allowed\))?",
    re.IGNORECASE,
)


def described(candidate: Candidate, info: Mapping[str, Any]) -> Described:
    """Make our record of yt-dlp's: what `extract_info(..., download=False)` gives for one video."""
    return Described(
        candidate=candidate,
        title=_text(info.get("title")),
        description=_text(info.get("description")),
        duration=_positive(info.get("duration")),
        views=_count(info.get("view_count")),
        language=_spoken(info),
        license=_license(_text(info.get("license"))),
        tags=_texts(info.get("tags")),
        categories=_texts(info.get("categories")),
        chapters=tuple(chapters_of(info.get("chapters"))),
        channel=_text(info.get("channel")) or _text(info.get("uploader")),
        uploaded=_date(_text(info.get("upload_date"))),
        live=info.get("is_live") is True or info.get("live_status") in _LIVE,
        tracks=tuple(_tracks(info)),
        raw=info,
    )


def entry_of(info: Mapping[str, Any], track: CaptionTrack) -> Mapping[str, Any] | None:
    """yt-dlp's own entry for one of the tracks that were described; None where it has none."""
    group, _, key = track.key.partition("/")
    tracks = _mapping(info.get(group))
    return next((entry for entry in _entries(tracks.get(key)) if entry["ext"] == track.form), None)


def _tracks(info: Mapping[str, Any]) -> Iterator[CaptionTrack]:
    """One track for each language of each kind, in its best form."""
    for group in _LISTS:
        for key, offered in _mapping(info.get(group)).items():
            entries = list(_entries(offered))
            form = best_form(entry["ext"] for entry in entries)
            if form is None or not isinstance(key, str):
                continue
            entry = next(entry for entry in entries if entry["ext"] == form)
            language, kind = _meaning(group, key, _text(entry.get("url")))
            yield CaptionTrack(language, kind, form, f"{group}/{key}")


def _entries(offered: Any) -> Iterator[Mapping[str, Any]]:
    """Those forms of a track that one request fetches. A chat beside a video is none of them."""
    for entry in offered if isinstance(offered, list) else ():
        if not isinstance(entry, Mapping) or not isinstance(entry.get("ext"), str):
            continue
        scheme = urlsplit(_text(entry.get("url"))).scheme.lower()
        direct = scheme in ("http", "https") and entry.get("protocol") in (None, "http", "https")
        if isinstance(entry.get("data"), str) or direct:
            yield entry


def _meaning(group: str, key: str, url: str) -> tuple[str, Kind]:
    """The language of a track's words, and who made it.

    The address of a translation names the language it was made into; a track that people gave a
    name has it in its key, behind the language.
    """
    query = parse_qs(urlsplit(url).query)
    into = query.get("tlang")
    if into:
        return _language(into[-1]) or UNKNOWN, Kind.TRANSLATED
    stated = query.get("lang", [""])[-1] if "timedtext" in url else ""
    bare = key.removesuffix(ORIGINAL).removeprefix("a-")
    language = _language(bare) or _language(stated) or _language(bare.partition("-")[0])
    kind = Kind.AUTOMATIC if group == "automatic_captions" else Kind.MANUAL
    return language or UNKNOWN, kind


def _spoken(info: Mapping[str, Any]) -> str | None:
    """The language of the sound that was recorded, where there are dubbed ones beside it."""
    sounds = [
        form
        for form in info.get("formats") or ()
        if form.get("acodec") != "none" and _language(form.get("language"))
    ]
    if sounds:
        original = max(sounds, key=lambda form: form.get("language_preference") or -1)
        return _language(original["language"])
    return _language(info.get("language"))


def _language(value: Any) -> str | None:
    """A BCP 47 tag, also of a language that our list of names lacks; None where it is no tag."""
    if not isinstance(value, str):
        return None
    code = _CODE.fullmatch(value)
    return language_tag(value) or (code[1].lower() if code and value != UNKNOWN else None)


def _license(stated: str) -> str:
    stated = " ".join(stated.split())
    if _BY.fullmatch(stated):
        return "cc-by"
    return "youtube" if stated.lower() == "standard youtube license" else stated


def _date(stated: str) -> str:
    return re.sub(r"^(\d{4})(\d{2})(\d{2})$", r"\1-\2-\3", stated) if len(stated) == 8 else ""


def _positive(value: Any) -> float | None:
    known = isinstance(value, int | float) and 0 < value < _TOO_MUCH
    return float(value) if known else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and 0 <= value < _TOO_MUCH else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _texts(values: Any) -> tuple[str, ...]:
    listed = values if isinstance(values, list) else ()
    return tuple(value for value in listed if isinstance(value, str))


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}

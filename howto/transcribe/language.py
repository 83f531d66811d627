"""Language tags as files and containers write them: `en`, `pt-BR`, `pt_br`, `eng`, `English`."""

import difflib
import locale
import re

__all__ = ["language_tag", "nearest_tag", "primary", "same_language", "translation"]

_CODES = """
    aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy
    da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu
    hy hz ia id ie ig ii ik io is it iu iw ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la
    lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj
    om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss st su
    sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
"""
_ISO_639_1 = frozenset(_CODES.split())

# The three-letter codes (both kinds of ISO 639-2) and names that occur in file names and
# containers.
_LONG = {
    name: short
    for short, names in {
        "ar": "ara arabic",
        "bg": "bul bulgarian",
        "bn": "ben bengali",
        "ca": "cat catalan",
        "cs": "cze ces czech",
        "da": "dan danish",
        "de": "ger deu german deutsch",
        "el": "gre ell greek",
        "en": "eng english",
        "es": "spa spanish espanol español castellano",
        "et": "est estonian",
        "eu": "baq eus basque",
        "fa": "per fas farsi persian",
        "fi": "fin finnish",
        "fr": "fre fra french francais français",
        "gl": "glg galician",
        "he": "heb hebrew",
        "hi": "hin hindi",
        "hr": "hrv croatian",
        "hu": "hun hungarian",
        "id": "ind indonesian",
        "is": "ice isl icelandic",
        "it": "ita italian italiano",
        "ja": "jpn japanese",
        "ko": "kor korean",
        "lt": "lit lithuanian",
        "lv": "lav latvian",
        "ms": "may msa malay",
        "nb": "nob",
        "nl": "dut nld dutch nederlands",
        "no": "nor norwegian",
        "pl": "pol polish polski",
        "pt": "por portuguese portugues português",
        "ro": "rum ron romanian",
        "ru": "rus russian",
        "sk": "slo slk slovak",
        "sl": "slv slovenian",
        "sr": "srp serbian",
        "sv": "swe swedish svenska",
        "ta": "tam tamil",
        "te": "tel telugu",
        "th": "tha thai",
        "tl": "tgl tagalog",
        "tr": "tur turkish",
        "uk": "ukr ukrainian",
        "ur": "urd urdu",
        "vi": "vie vietnamese",
        "zh": "chi zho chinese",
    }.items()
    for name in names.split()
}

_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})(?:[-_](?P<script>[a-z]{4}))?(?:[-_](?P<region>[a-z]{2}|\d{3}))?"
    r"(?:[-_](?:orig|[\w-]{11}))?",
    re.ASCII | re.IGNORECASE,
)


def language_tag(text: str) -> str | None:
    """Return the BCP 47 tag that a text means, or None where it is not the name of a language.

    `eng`, `English` and `en` give `en`; `pt_br` gives `pt-BR`, `ZH-hans` gives `zh-Hans`. What a
    site appends (`en-orig`, `en-eEY6OEpapPo`) is dropped.
    """
    text = text.strip()
    if named := _LONG.get(text.lower()):
        return named
    found = _TAG.fullmatch(text)
    if found is None:
        return None
    language = found["language"].lower()
    language = _LONG.get(language, language)
    if language not in _ISO_639_1:
        return None
    parts = [language]
    # `en-orig` has the form of a script; it is a site's word for the spoken language.
    if found["script"] and found["script"].lower() not in ("orig", "auto"):
        parts.append(found["script"].title())
    if found["region"]:
        parts.append(found["region"].upper())
    return "-".join(parts)


_WRITTEN_TAG = r"[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|\d{3}))?"
_TRANSLATION = re.compile(rf"({_WRITTEN_TAG})-({_WRITTEN_TAG})(?:-[\w-]{{11}})?", re.ASCII)


def translation(text: str) -> tuple[str, str] | None:
    """Return the tags that a machine translation's name means, to and from; None for other names.

    yt-dlp names a translated track `<to>-<from>`: `en-de` is English made from German, `pt-BR-en`
    Portuguese of Brazil made from English. A region is written in capitals there. Others write
    small letters, `pt-br` or `nl-be`: what is a locale that systems know is no translation.
    """
    found = _TRANSLATION.fullmatch(text)
    if found is None:
        return None
    to, source = (language_tag(part) for part in found.groups())
    if to is None or source is None or primary(to) == primary(source):
        return None
    if "_".join(found.groups()) in locale.locale_alias:
        return None
    return to, source


def nearest_tag(text: str) -> str | None:
    """Return the tag that a text most likely means: `de` for Germann; None: nothing is near."""
    near = difflib.get_close_matches(text.strip().lower(), [*_LONG, *_ISO_639_1], n=1)
    return language_tag(text) or (language_tag(near[0]) if near else None)


def primary(tag: str) -> str:
    """Return the language of a tag without script and region: `pt` of `pt-BR`."""
    return tag.split("-", 1)[0]


def same_language(tag: str | None, wanted: str) -> bool:
    """Tell whether a tag is of the wanted language, in whatever script or region."""
    return tag is not None and primary(tag) == primary(language_tag(wanted) or wanted.lower())

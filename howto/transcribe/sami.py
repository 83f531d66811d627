"""SAMI (.smi, .sami): a text lasts from its SYNC to the next one of the same language.

Read here and not by pysubs2, which joins the languages of one SYNC into one text and estimates
every end.
"""

import re
from itertools import zip_longest

from howto.transcribe.cue_text import clean
from howto.transcribe.cues import CaptionFormat, Cues, Parsed
from howto.transcribe.ends import later_starts, unstated_length
from howto.transcribe.language import language_tag, same_language

__all__ = ["FORMAT", "read_sami"]

_SYNC = re.compile(r"<sync\b([^<>]*)>", re.IGNORECASE)
_START = re.compile(
    r"\bstart\s*=[\s\"']*(-?\d{1,12})(?:\.\d*)?(?:\s*ms)?(?=[\s\"'/]|$)", re.IGNORECASE
)
_PARAGRAPH = re.compile(r"<p\b([^<>]*)>", re.IGNORECASE)
_CLASS = re.compile(r"\bclass\s*=\s*[\"']?([\w-]+)", re.IGNORECASE)
_STYLE = re.compile(r"\.([\w-]+)\s*\{([^{}]*)\}")
_LANG = re.compile(r"\blang\s*:\s*([\w-]+)", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)

_Text = tuple[int, str, int]
"""Start in milliseconds, text ('' clears the screen), line number."""


def read_sami(text: str, language: str = "en") -> Parsed:
    """Read a SAMI file.

    Args:
        text: the whole file, with any newlines.
        language: of the languages in the file, the one to take; where it is not there, the fullest
        one.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    cues = Cues()
    languages = _languages(text)
    chosen = _choose(_texts(text, cues), languages, language)
    if not (chosen or cues.problems) and text.strip() and "<sami" not in text[:4096].lower():
        cues.problem(1, f"expected <SAMI>, found {text.strip()[:60]!r}")
    name, texts = chosen or ("", [])
    later = later_starts([start for start, _, _ in texts])
    for (start, said, row), following in zip(texts, later, strict=True):
        if following is not None:
            cues.add_plain(start, following, said, row)
        elif said:
            cues.add_plain(start, start + unstated_length(said), said, row)
    return cues.parsed(language=languages.get(name))


def _languages(text: str) -> dict[str, str]:
    """The language of each class, as the style sheet says it."""
    found = {}
    for name, rules in _STYLE.findall(text[: text.lower().find("<body") + 1] or text[:20000]):
        if lang := _LANG.search(rules):
            found[name.lower()] = lang[1]
    return found


def _texts(text: str, cues: Cues) -> dict[str, list[_Text]]:
    """The texts of each class in order of start."""
    found: dict[str, list[_Text]] = {}
    row, counted_to = 1, 0
    syncs = list(_SYNC.finditer(text))
    for sync, following in zip_longest(syncs, syncs[1:]):
        row += text.count("\n", counted_to, sync.start())
        counted_to = sync.start()
        start = _START.search(sync[1])
        if start is None:
            cues.problem(row, f"expected a start in milliseconds, found {sync[0][:60]!r}")
            continue
        body = text[sync.end() : following.start() if following else len(text)]
        for name, said in _paragraphs(body).items():
            found.setdefault(name, []).append((int(start[1]), said, row))
    for texts in found.values():
        texts.sort(key=lambda item: item[0])
    return found


def _paragraphs(body: str) -> dict[str, str]:
    """What one SYNC says, by class; a body without a paragraph is one of no class."""
    if "<!--" in body:
        body = _COMMENT.sub("", body)
    parts = _PARAGRAPH.split(body)
    if len(parts) == 1:
        return {"": clean(body)}
    said: dict[str, list[str]] = {}
    for attributes, raw in zip(parts[1::2], parts[2::2], strict=True):
        name = _CLASS.search(attributes)
        said.setdefault(name[1].lower() if name else "", []).append(clean(raw))
    return {name: " ".join(filter(None, texts)) for name, texts in said.items()}


def _choose(
    texts: dict[str, list[_Text]], languages: dict[str, str], wanted: str
) -> tuple[str, list[_Text]] | None:
    """The class of the wanted language, then the one that says most, then the first."""
    if not texts:
        return None

    def merit(name: str) -> tuple[bool, int]:
        is_wanted = same_language(language_tag(languages.get(name, "")), wanted)
        return is_wanted, sum(bool(said) for _, said, _ in texts[name])

    best = max(texts, key=merit)  # the first of equals
    return best, texts[best]


def _recognises(head: str) -> bool:
    return "<sami" in head[:512].lower()


FORMAT = CaptionFormat("SAMI", (".smi", ".sami"), _recognises, read_sami)

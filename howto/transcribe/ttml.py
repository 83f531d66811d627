"""TTML and its older name DFXP (.ttml, .dfxp, .xml).

Source: W3C, Timed Text Markup Language 1 (third edition), sections 8 and 10. Read here and not by
pysubs2, which reads none of a file that counts frames or ticks, says `dur`, puts its times on
spans, uses a namespace of before 2010, or is damaged anywhere.

lxml reads what is left of a damaged file. It expands no entities and opens no other file or
address.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from html.entities import name2codepoint
from typing import TYPE_CHECKING

from howto.transcribe.cue_text import tidy
from howto.transcribe.cues import CaptionFormat, Cues, Parsed
from howto.transcribe.language import language_tag, same_language
from howto.transcribe.timing import read_time

if TYPE_CHECKING:
    from lxml.etree import _Element

__all__ = ["FORMAT", "parse_xml", "read_ttml"]

_DECLARATION = re.compile(r"\s*<\?xml[^<>]*\?>")
_ROOT = re.compile(r"<(?:\w+:)?tt[\s>]")
_OFFSET = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)\s*(h|ms|m|s|f|t)")
_FRAMES = re.compile(r"(\d{1,4}):(\d{2}):(\d{2})[:;](\d{1,4})(?:\.\d+)?")
_ENTITY = re.compile(r"&(?:(#?\w{1,32});)?", re.ASCII)
_XML_ENTITIES = frozenset({"amp", "lt", "gt", "quot", "apos"})
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_ENTITY_NODE = "&"
_NOT_SAID = frozenset({"br", "metadata", "set", "animate", "image", "audio"})
_DEFAULT_FRAME_RATE = 30  # TTML1 section 6.2.4


def read_ttml(text: str, language: str = "en") -> Parsed:
    """Read a TTML file.

    Args:
        text: the whole file.
        language: where the file's divisions are in several languages, the one to take.
    """
    cues = Cues()
    root = parse_xml(text, cues)
    if root is None or _name(root) != "tt":
        found = "no markup" if root is None else f"<{_name(root)}>"
        if text.strip():
            cues.problem(None if root is None else _row(root), f"expected <tt>, found {found}")
        return cues.parsed()
    body = next((child for child in root if _name(child) == "body"), None)
    if body is None:
        cues.problem(_row(root), "expected a <body> within <tt>, found none")
        return cues.parsed(root.get(_LANG))
    for entity in _unresolved(body):
        cues.problem(_row(entity), f"an entity of the file's own is not resolved: {entity.text}")
    stated = Counter(lang for _, lang in _paragraphs(body, root.get(_LANG)))
    taken = _choose_language(list(stated), language)
    reader = _Reader(_Clock.of(root), cues, taken)
    reader.container(body, _Interval(Fraction(0), None), root.get(_LANG))
    if left := {lang: count for lang, count in stated.items() if not _is_of(lang, taken)}:
        said = ", ".join(f"{count} in {lang or 'none'}" for lang, count in left.items())
        what = f"paragraphs of other languages are left out ({said}); read: {taken or 'none'}"
        cues.problem(None, what)
    return cues.parsed(taken)


def parse_xml(text: str, cues: Cues) -> "_Element | None":
    """Return the root of what can be read of an XML file, or None; damage is a problem of `cues`.

    No entity is expanded and nothing else is opened.

    Args:
        text: the whole file.
    """
    from lxml import etree

    # The text is decoded already: what its declaration says about the encoding no longer holds.
    # Replaced by as many newlines, so that line numbers stay.
    if found := _DECLARATION.match(text):
        text = "\n" * found[0].count("\n") + text[found.end() :]
    text, loose = _with_known_entities(text)
    if loose:
        cues.problem(None, f"damaged XML: expected &amp;, found & alone ({loose} times)")
    parser = etree.XMLParser(
        encoding="utf-8", recover=True, resolve_entities=False, no_network=True, load_dtd=False
    )
    try:
        root = etree.fromstring(text.encode("utf-8", errors="replace"), parser)
    except etree.XMLSyntaxError:
        root = None
    # A prefix that nobody declared is no damage to the text: names are taken without it.
    errors = [error for error in parser.error_log if error.domain_name != "NAMESPACE"]
    if errors:
        more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
        cues.problem(errors[0].line or None, f"damaged XML: {errors[0].message.strip()}{more}")
    return root


def _with_known_entities(text: str) -> tuple[str, int]:
    """Replace what XML does not know as an entity; return the text and how many a `&` stood alone.

    HTML's names become numbers. After one unknown name libxml2 would drop even `&amp;`.
    """
    loose = 0
    declares = "<!ENTITY" in text

    def known(found: re.Match[str]) -> str:
        nonlocal loose
        name = found[1]
        if name and (name[0] == "#" or name in _XML_ENTITIES):
            return found[0]
        if name in name2codepoint:
            return f"&#{name2codepoint[name]};"
        if name and declares:
            return found[0]
        loose += 1
        return "&amp;" + found[0][1:]

    return (_ENTITY.sub(known, text), loose) if "&" in text else (text, 0)


def _unresolved(element: "_Element") -> "Iterator[_Element]":
    """The references to entities that the file declares: they stay as they are."""
    from lxml import etree

    return element.iter(etree.Entity)


def _name(element: "_Element") -> str:
    """The name without its namespace, which differs by version; '' for comments and such."""
    tag: object = element.tag
    if isinstance(tag, str):
        return tag.rpartition("}")[2]
    return _ENTITY_NODE if getattr(tag, "__name__", "") == "Entity" else ""


def _row(element: "_Element") -> int | None:
    row: object = element.sourceline
    return row if isinstance(row, int) else None


def _attribute(element: "_Element", name: str) -> str | None:
    for key, value in element.items():
        if str(key).rpartition("}")[2] == name:
            return str(value)
    return None


@dataclass(frozen=True, slots=True)
class _Clock:
    """What a frame and a tick last, in milliseconds."""

    frame: Fraction
    tick: Fraction

    @classmethod
    def of(cls, root: "_Element") -> "_Clock":
        stated = _positive(_attribute(root, "frameRate"))
        rate = Fraction(stated or _DEFAULT_FRAME_RATE)
        # `1000 1001` in TTML1; drafts wrote `1000:1001`.
        factor = re.split(r"[\s:]+", (_attribute(root, "frameRateMultiplier") or "").strip())
        if len(factor) == 2 and (above := _positive(factor[0])) and (below := _positive(factor[1])):
            rate = rate * above / below
        ticks = _positive(_attribute(root, "tickRate"))
        tick_rate = Fraction(ticks) if ticks else (rate if stated else Fraction(1))
        return cls(1000 / rate, 1000 / tick_rate)

    def read(self, text: str) -> Fraction | None:
        """Read a time expression in milliseconds, or None."""
        text = text.strip()
        if found := _OFFSET.fullmatch(text):
            unit = {
                "h": Fraction(3_600_000),
                "m": Fraction(60_000),
                "s": Fraction(1000),
                "ms": Fraction(1),
                "f": self.frame,
                "t": self.tick,
            }[found[2]]
            return Fraction(found[1]) * unit
        if found := _FRAMES.fullmatch(text):
            hours, minutes, secs, frames = (int(part) for part in found.groups())
            return (hours * 3600 + minutes * 60 + secs) * 1000 + frames * self.frame
        milliseconds = read_time(text)
        return None if milliseconds is None else Fraction(milliseconds)


def _positive(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) or None if text.isascii() and text.isdecimal() and len(text) < 10 else None


@dataclass(frozen=True, slots=True)
class _Interval:
    """When an element is active, in milliseconds; it ends with its parent where `end` is None."""

    begin: Fraction
    end: Fraction | None


def _paragraphs(element: "_Element", lang: str | None) -> Iterator[tuple["_Element", str | None]]:
    """The paragraphs with a text, and the language that each or what it stands in states."""
    lang = element.get(_LANG) or lang
    for child in element:
        if _name(child) == "div":
            yield from _paragraphs(child, lang)
        elif _name(child) == "p" and tidy("".join(_texts(child))):
            yield child, child.get(_LANG) or lang


def _choose_language(found: list[str | None], wanted: str) -> str | None:
    """Of the languages that paragraphs state the wanted one, else the first; None: not stated."""
    for lang in found:
        if lang and same_language(language_tag(lang), wanted):
            return lang
    return None if None in found or not found else found[0]


def _is_of(lang: str | None, taken: str | None) -> bool:
    """Tell whether a language is the taken one: `en-US` is of `EN`, and `en` of `en-GB`.

    Two regions or scripts of one language are two: a file may hold both, of the same words.
    """
    if lang is None or taken is None:
        return lang is taken
    one, other = (f"{language_tag(text) or text}-".lower() for text in (lang, taken))
    return one.startswith(other) or other.startswith(one)


class _Reader:
    def __init__(self, clock: _Clock, cues: Cues, taken: str | None) -> None:
        self.clock = clock
        self.cues = cues
        self.taken = taken

    def container(self, element: "_Element", parent: _Interval, lang: str | None) -> None:
        """Read body or div: its paragraphs and divisions, each within the time of its parent."""
        lang = element.get(_LANG) or lang
        own = self._interval(element, parent)
        if own is None:
            return
        sequential = _attribute(element, "timeContainer") == "seq"
        at = own
        for child in element:
            if _name(child) == "div":
                self.container(child, at, lang)
            elif _name(child) == "p" and _is_of(child.get(_LANG) or lang, self.taken):
                self._paragraph(child, at)
            if sequential and _name(child) in ("div", "p"):
                at = self._after(child, at)

    def _after(self, element: "_Element", at: _Interval) -> _Interval:
        """In a sequence the next one begins where this one ends."""
        own = self._interval(element, at, report=False)
        return at if own is None or own.end is None else _Interval(own.end, at.end)

    def _paragraph(self, element: "_Element", parent: _Interval) -> None:
        own = self._interval(element, parent)
        if own is None:
            return
        timed = "begin" in element.attrib or "end" in element.attrib or "dur" in element.attrib
        spans = [] if timed else list(_timed_spans(element))
        if not spans:
            self._cue(element, own, _texts(element))
            return
        whens: list[_Interval] = []
        for span in spans:
            within = self._interval(span, own)
            if within is not None:
                self._cue(span, within, _texts(span))
                whens.append(within)
        beside = list(_texts(element, timed=False))
        if any(text.strip() for text in beside):
            self._cue(element, _around(own, whens), beside)

    def _cue(self, element: "_Element", when: _Interval, texts: Iterable[str]) -> None:
        text = tidy("".join(texts))
        row = _row(element) or 1
        if when.end is None:
            if text:
                self.cues.problem(row, "expected a begin and an end or a duration, found no end")
            return
        self.cues.add_plain(round(when.begin), round(when.end), text, row)

    def _interval(
        self, element: "_Element", parent: _Interval, report: bool = True
    ) -> _Interval | None:
        """The times of an element, counted from its parent's begin; None where not readable."""
        times: dict[str, Fraction] = {}
        for name in ("begin", "end", "dur"):
            value = element.get(name)
            if value is None:
                continue
            time = self.clock.read(value)
            if time is None:
                if report:
                    self.cues.problem(
                        _row(element), f"expected a time in {name}, found {value[:60]!r}"
                    )
                return None
            times[name] = time
        begin = parent.begin + times.get("begin", Fraction(0))
        ends = [parent.begin + times["end"]] if "end" in times else []
        if "dur" in times:
            ends.append(begin + times["dur"])
        return _Interval(begin, min(ends) if ends else parent.end)


def _around(own: _Interval, whens: list[_Interval]) -> _Interval:
    """The time of a paragraph's words beside its timed spans: its own, else that of all spans."""
    ends = [when.end for when in whens if when.end is not None]
    if own.end is not None or not ends:
        return own
    return _Interval(min(when.begin for when in whens), max(ends))


def _is_inline(element: "_Element") -> bool:
    """Tell whether an element's text is said: spans, and what is no TTML, such as `<b>`."""
    tag: object = element.tag
    if not isinstance(tag, str) or _name(element) in _NOT_SAID:
        return False
    return not tag.partition("}")[0].endswith("#metadata")


def _timed_spans(element: "_Element") -> Iterator["_Element"]:
    """The outermost spans with times: inside one of them times are those of its words."""
    for child in element:
        if _is_inline(child):
            if "begin" in child.attrib:
                yield child
            else:
                yield from _timed_spans(child)


def _texts(element: "_Element", *, timed: bool = True) -> Iterator[str]:
    """The text of a paragraph or span with what is in it; metadata in it is not said.

    Args:
        timed: with the spans in it that have times.
    """
    yield element.text or ""
    after_timed = False
    for child in element:
        is_timed = "begin" in child.attrib
        if _name(child) == "br":
            yield "\n"
        elif _name(child) == _ENTITY_NODE:
            yield str(child.text)
        elif _is_inline(child) and not is_timed:
            yield from _texts(child, timed=timed)
        elif _is_inline(child):
            # Each is a text of its own: two of them are not one word.
            yield " " if after_timed or not timed else ""
            yield from _texts(child) if timed else ()
        after_timed = is_timed and not child.tail
        yield child.tail or ""


def _recognises(head: str) -> bool:
    return _ROOT.search(head) is not None


FORMAT = CaptionFormat("TTML", (".ttml", ".dfxp", ".xml"), _recognises, read_ttml)

"""Rolling captions: how YouTube writes a recogniser's track as WebVTT, and SubRip made from that.

Two rows are shown at a time and move up, so every line is in the file three times: being built up,
word by word, in the lower row; finished, for 10 ms; and again in the upper row while the next one
is built up. Here each line is taken once, where it is built up, with the starts of its words.

The rule, for each cue:

* a first row that says what the line before said, without word times, shows that line a little
  longer;
* what is below it, or below an empty first row, is new.

So a repetition that was really said is kept, and a row that repeats nothing is never lost.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from operator import add, le

from howto.transcribe.cue_text import NOTHING_STARTS, clean, strip_markup, tidy
from howto.transcribe.cues import Parsed
from howto.transcribe.spoken import Spoken, SpokenCues, make_lines
from howto.transcribe.timing import whole_time

__all__ = ["HAS_WORD_TIMES", "RawCue", "is_rolling", "read_regular", "read_rolling"]

RawCue = tuple[int, int, list[str], int]
"""Start and end in milliseconds, the rows as they stand in the file, line number of the timing."""

HAS_WORD_TIMES = re.compile(r"<\d{1,3}:\d\d:\d\d\.\d{3}><c[>.]", re.ASCII)
"""In a file whose header is YouTube's: it is rolling. Karaoke by hand may have such times too."""

_HEADER = re.compile(r"WEBVTT\nKind: captions\nLanguage: (\S+)\n\n")
_TIME = r"\d\d:[0-5]\d:[0-5]\d\.\d{3}"
_TIMING = re.compile(rf"^({_TIME}) --> ({_TIME})(?: [^\r\n]*)?$", re.ASCII | re.MULTILINE)
_MARKS = ("<", ">", "&", "{", "  ")
_TIME_TAG = re.compile(r"<(\d{1,3}:[0-5]\d:[0-5]\d\.\d{3})>", re.ASCII)
_SETTLED_MS = 20
"""The cue that shows a finished line lasts 10 ms."""
_SETTLED_SHARE = 0.3
"""Half of the cues of a rolling file are such; less, for those that another program wrote anew."""


class _Times(dict[str, int]):
    """Milliseconds of a part of a time by its text: the same parts come in every file.

    Looking them up takes half the time of reading them, as long as the tables are small.
    """

    def __init__(self, form: str, *scales: int) -> None:
        self.form = re.compile(form, re.ASCII)
        self.scales = scales

    def __missing__(self, text: str) -> int:
        found = self.form.fullmatch(text)
        if found is None:
            raise KeyError(text)
        parts = zip(found.groups(), self.scales, strict=True)
        self[text] = sum(int(part) * scale for part, scale in parts)
        return self[text]


# Of a tag such as `<00:00:01.469` and a newline, see `_Words.of`, what is before the dot and after.
_SECONDS = _Times(r"<(\d\d):([0-5]\d):([0-5]\d)", 3_600_000, 60_000, 1000)
_THOUSANDTHS = _Times(r"(\d{3})\n", 1)


def read_regular(text: str) -> Parsed | None:
    """Read a file in which nothing is odd, as YouTube writes it; None for any other.

    Gives what `read_rolling` would, in a third of the time: such files come by the million. So it
    goes by columns, with the loops over words in C.

    Args:
        text: the whole file, with `\\n` newlines.
    """
    header = _HEADER.match(text)
    cues = _Cues.of(text[header.end() :]) if header else None
    if cues is None or header is None:
        return None
    built = [row != " " for row in cues.lowers]
    begins, rows = list(compress(cues.begins, built)), list(compress(cues.lowers, built))
    silent = [i for i, row in enumerate(rows) if row[0] in NOTHING_STARTS and not clean(row)]
    words = _Words.of(_without(begins, silent), _without(rows, silent))
    if words is None:
        return None
    shown = list(words.texts)
    for i in silent:
        shown.insert(i, rows[i])
    until = cues.until(shown) if _is_plain_text(shown) else None
    if until is None:
        return None
    lines, screen_ends = make_lines(
        [words.starts[first] for first in words.bounds[:-1]],
        _milliseconds([f"<{time}\n" for time in _without(until, silent)]),
        words.texts,
        words.bounds,
        words.starts,
        words.words,
        on_screen=True,
    )
    return Parsed(lines, (), header[1], "asr", len(silent), screen_ends)


def _without(column: list[str], places: list[int]) -> list[str]:
    if not places:
        return column
    left_out = set(places)
    return [value for i, value in enumerate(column) if i not in left_out]


def _milliseconds(tags: list[str]) -> list[int]:
    """Read times such as `<00:00:01.469` with a newline; KeyError where one is not of this form."""
    parts = ".".join(tags).split(".")
    seconds = map(_SECONDS.__getitem__, parts[::2])
    return list(map(add, seconds, map(_THOUSANDTHS.__getitem__, parts[1::2])))


@dataclass(frozen=True, slots=True)
class _Cues:
    """The cues of a file as columns: times as they are written, and both rows."""

    begins: list[str]
    ends: list[str]
    uppers: list[str]
    lowers: list[str]

    @classmethod
    def of(cls, body: str) -> "_Cues | None":
        """Take apart what follows the header; None where any cue is odd, or later than the next."""
        rows = [*body.rstrip("\n").split("\n"), ""]
        timings, uppers, lowers, between = (rows[i::4] for i in range(4))
        spans = _TIMING.findall("\n".join(timings))
        if not len(spans) == len(timings) == len(between) or any(between):
            return None
        begins, ends = map(list, zip(*spans, strict=True))
        # Times of this form have the order of their texts.
        ordered = begins == sorted(begins) and ends == sorted(ends) and all(map(le, begins, ends))
        if not (ordered and all(uppers) and all(lowers)):
            return None
        return cls(begins, ends, uppers, lowers)

    def until(self, lines: list[str]) -> list[str] | None:
        """Until when each line is on the screen; None where a row shows anything else.

        Args:
            lines: the texts of those that the cues build up, in order.
        """
        until: list[str] = []
        line = ""
        for upper, lower, end in zip(self.uppers, self.lowers, self.ends, strict=True):
            if upper == line:
                until[-1] = end
            elif upper != " ":
                return None
            if lower != " ":
                line = lines[len(until)]
                until.append(end)
        return until


@dataclass(frozen=True, slots=True)
class _Words:
    """The words of the rows that build lines up, as columns; see `spoken.make_lines`."""

    texts: list[str]
    bounds: list[int]
    starts: list[int]
    words: list[str]

    @classmethod
    def of(cls, begins: list[str], rows: list[str]) -> "_Words | None":
        """Take apart rows such as `fold<00:00:01.469><c> the</c>`; None where any is odd.

        Args:
            begins: the time at which each row's first word starts.
        """
        texts: list[str] = []
        bounds, tags, words = [0], list[str](), list[str]()
        for begin, row in zip(begins, rows, strict=True):
            first, less, rest = row.partition("<")
            if not less and " " in first:
                return None
            # With a tag before the first word too, tags and words come in turns. A newline, which
            # no row has, marks the tags, so that neither can pass for the other.
            alike = f"<{begin}><c> {first}</c>{less}{rest}".replace("><c> ", "\n</c>")
            pieces = alike.split("</c>")
            if pieces.pop():
                return None
            said = pieces[1::2]
            texts.append(" ".join(said))
            tags += pieces[::2]
            words += said
            bounds.append(len(words))
        try:
            starts = _milliseconds(tags)
        except KeyError:
            return None
        # A tag holds one time at most, for a newline only ends it; where one holds half, some lack.
        odd = not len(tags) == len(words) == len(starts)
        odd |= not NOTHING_STARTS.isdisjoint([text[:1] for text in texts])
        if odd or sorted(starts) != starts:
            return None
        return cls(texts, bounds, starts, words)


def _is_plain_text(lines: list[str]) -> bool:
    """Nothing in the lines is markup, or white space that would not stay."""
    said = " ".join(["", *lines, ""])
    return said.isprintable() and not any(mark in said for mark in _MARKS)


def is_rolling(cues: Sequence[RawCue]) -> bool:
    """Tell rolling captions without word times, by the cues that only show a line once more.

    Such a cue follows at once on the one that built the line up, and has an empty lower row, which
    people do not write. Where a program took that away, there must be two such cues.
    """
    settled = empty_rows = 0
    last, until = "", -1
    for start, end, raw, _ in cues:
        rows = [row for row in map(_plain, raw) if row]
        if end - start <= _SETTLED_MS and start == until and rows == [last]:
            settled += 1
            empty_rows += len(raw) > 1
        last, until = rows[-1] if rows else last, end
    enough = settled >= _SETTLED_SHARE * len(cues)
    return enough and (empty_rows > 0 or settled > 1)


def read_rolling(cues: Sequence[RawCue], said: SpokenCues, language: str | None = None) -> Parsed:
    """Read the cues of a rolling file.

    Args:
        cues: in the order of the file.
        said: with the problems found so far.
        language: what the file states.
    """
    line: Spoken | None = None
    last = ""
    for start, end, rows, number in sorted(cues, key=_start):
        new = rows
        if line is not None and _repeats(rows[0], last):
            if end > (line.end or 0):
                line.end = end
            new = rows[1:]
        for row in new:
            if row.isspace():
                continue
            built, plain = _line(row, start, end, number)
            if plain:
                line, last = built, plain
                said.add(built)
    return said.parsed(language, automatic=True, on_screen=True)


def _start(cue: RawCue) -> int:
    return cue[0]


def _repeats(row: str, last: str) -> bool:
    if row == last:
        return True
    return not row.isspace() and _TIME_TAG.search(row) is None and _plain(row) == last


def _plain(row: str) -> str:
    if "<" in row or "&" in row or "{" in row:
        row = strip_markup(row)
    return " ".join(row.split())


def _line(row: str, start: int, end: int, number: int) -> tuple[Spoken, str]:
    """The line that a row builds up, and its text as the next cues repeat it."""
    row = row.replace("<c>", "").replace("</c>", "")
    pieces = _TIME_TAG.split(row)
    words = [strip_markup(word) for word in pieces[::2]]
    plain = " ".join("".join(words).split())
    line = Spoken(start, end, tidy(plain), [], [], number)
    if len(words) > 1 or " " not in plain:
        _add_words(line, words, [start, *map(whole_time, pieces[1::2])])
    return line, plain


def _add_words(line: Spoken, words: list[str], starts: list[int]) -> None:
    for raw, start in zip(words, starts, strict=True):
        word = raw.strip()
        if not line.words and word.startswith(">>"):
            # The mark of another speaker, which the text does not have either.
            word = word.lstrip("> ")
        if word:
            line.words.append(word)
            line.starts.append(start)

"""Reading a caption file of any known format: `read_captions`."""

import re
import stat
from pathlib import Path

from howto.errors import CaptionError, Reason
from howto.records import Kind, Line, Narration, Problem
from howto.transcribe import ass, json3, sami, sbv, srt, srv, table, ttml, vtt
from howto.transcribe.cues import CaptionFormat, Parsed
from howto.transcribe.ends import Ends, with_ends
from howto.transcribe.language import language_tag
from howto.transcribe.names import CaptionName, describe, describe_without_stem
from howto.transcribe.text import decode

__all__ = ["FORMATS", "MAX_BYTES", "MOST_WORDS_PER_SECOND", "read_captions"]

FORMATS: tuple[CaptionFormat, ...] = (
    json3.FORMAT,
    srv.SRV3,
    vtt.FORMAT,
    srt.FORMAT,
    sbv.FORMAT,
    ass.FORMAT,
    ttml.FORMAT,
    sami.FORMAT,
    srv.SRV1,
    table.FORMAT,
)
"""Most wanted first: of the same captions in two formats the earlier one is read. Their suffixes,
in this order, are `howto.transcribe.names.CAPTION_SUFFIXES`."""

MAX_BYTES = 32 * 1024 * 1024
"""A day of narration is about 2 MB; what is larger than this is no caption file."""

MOST_WORDS_PER_SECOND = 8.0
"""Nobody says more over a whole video; a file with more has all its lines in the first seconds."""

_FEWEST_WORDS_TO_JUDGE = 50
_HEAD = 4096
_SITE_SUFFIXES = frozenset({".json3", ".srv1", ".srv3", ".ytt"})
_OF_MANY_FORMATS = ".xml"  # YouTube's own programs give srv1 and srv3 this suffix
_WEB_PAGE = re.compile(r"\s*(?:<!--.*?-->\s*)?<(?:!doctype html|html|head)\b", re.I | re.S)
_NARRATION_TRACKS = ("", "captions", "subtitles", "asr")


def read_captions(
    path: Path, language: str = "en", stem: str | None = None, ends: Ends | None = None
) -> Narration:
    """Read one caption file.

    The suffix says the format, unless the content is surely another one; that is then a problem of
    the narration, as is everything in the file that could not be read. The language is the one in
    the file's name, else the one the file states. A file without cues, or in which only music
    plays, gives no lines.

    Args:
        path: a file with a suffix of captions, or with any other: then the content decides.
        language: the wanted one, for formats that hold several in one file.
        stem: the name of the video without its suffix, where known; only what follows it in the
            file's name can be a language. Else `how.to.do.it.srt` would be Italian.
        ends: the rule for the ends of lines. None is `speech` for tracks of a recogniser, whose
            ends are those of the screen, and leaves all others as they are.

    Raises:
        CaptionError: `unreadable_file`, the disk or a permission; `empty_file`, no bytes;
            `token_needed`, no bytes in a file that only the site writes; `blocked`, a web page;
            `unreadable_captions`, there is something in it, but not one cue can be read, or it is
            larger than `MAX_BYTES`; `no_narration`, it holds chapters, descriptions or metadata;
            `impossible_times`, more than `MOST_WORDS_PER_SECOND` over the whole of it.
    """
    name = _describe(path, stem)
    _refuse_other_track(name.other_track)
    suffix = path.suffix.lower()
    text = decode(_read_bytes(path)).text
    form, note = _format_of(_checked(text, suffix)[:_HEAD], suffix)
    parsed = form.read(text, language)
    if parsed.track not in _NARRATION_TRACKS:
        _refuse_other_track(parsed.track)
    if not (parsed.lines or parsed.silent) and parsed.problems:
        raise CaptionError(Reason.UNREADABLE_CAPTIONS, _first_problem(parsed, form))
    _refuse_impossible(parsed.lines)
    return Narration(
        lines=with_ends(parsed.lines, ends, parsed.screen_ends) if ends else parsed.lines,
        language=name.language or language_tag(parsed.language or ""),
        kind=_kind(name, parsed.track),
        source=path.name,
        problems=(*([Problem(None, note)] if note else []), *parsed.problems),
    )


def _kind(name: CaptionName, track: str) -> Kind:
    if name.translated:
        return Kind.TRANSLATED
    return Kind.AUTOMATIC if name.automatic or track == "asr" else Kind.MANUAL


def _describe(path: Path, stem: str | None) -> CaptionName:
    name = path.name.removesuffix(path.suffix)
    if stem is None or not name.startswith(stem):
        return describe_without_stem(name.split("."))
    return describe([part for part in name.removeprefix(stem).split(".") if part])


def _refuse_other_track(track: str) -> None:
    if track:
        raise CaptionError(Reason.NO_NARRATION, f"the file holds {track}, not what is said")


def _checked(text: str, suffix: str) -> str:
    """The text, if it is more than what a site answers in place of captions."""
    if suffix in _SITE_SUFFIXES and not text.strip():
        raise CaptionError(Reason.TOKEN_NEEDED)
    if _WEB_PAGE.match(text):
        raise CaptionError(Reason.BLOCKED)
    return text


def _refuse_impossible(lines: tuple[Line, ...]) -> None:
    # Each text once: effects made by hand show the same line many times at once.
    num_words = " ".join({line.text for line in lines}).count(" ") + 1
    if num_words < _FEWEST_WORDS_TO_JUDGE:
        return
    seconds = max(line.end for line in lines) - lines[0].start
    if num_words > MOST_WORDS_PER_SECOND * seconds:
        raise CaptionError(
            Reason.IMPOSSIBLE_TIMES,
            f"{num_words} words within {seconds:.3f} s: expected at most "
            f"{MOST_WORDS_PER_SECOND:g} a second",
        )


def _read_bytes(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            # Opening a pipe would wait for ever.
            raise CaptionError(Reason.UNREADABLE_FILE, "not a regular file")
        if status.st_size > MAX_BYTES:
            raise CaptionError(
                Reason.UNREADABLE_CAPTIONS,
                f"{status.st_size} bytes: expected at most {MAX_BYTES} in a caption file",
            )
        data = path.read_bytes()
    except OSError as error:
        raise CaptionError(Reason.UNREADABLE_FILE, error.strerror or str(error)) from error
    if not data and path.suffix.lower() not in _SITE_SUFFIXES:
        raise CaptionError(Reason.EMPTY_FILE)
    return data


def _format_of(head: str, suffix: str) -> tuple[CaptionFormat, str | None]:
    """The format of a text, and a note where the suffix says another."""
    named = next((form for form in FORMATS if suffix in form.suffixes), None)
    if named is not None and named.recognises(head):
        return named, None
    found = next((form for form in FORMATS if form is not named and form.recognises(head)), None)
    if found in (srv.SRV1, srv.SRV3) and suffix == _OF_MANY_FORMATS:
        return found, None
    if found is not None:
        return found, f"named {suffix or 'without a suffix'}, but holds {found.name}"
    if named is None:
        known = ", ".join(form.name for form in FORMATS)
        raise CaptionError(Reason.UNREADABLE_CAPTIONS, f"expected one of {known}")
    return named, None


def _first_problem(parsed: Parsed, form: CaptionFormat) -> str:
    first = parsed.problems[0]
    where = f"line {first.line}: " if first.line is not None else ""
    return f"no cue of {form.name} in it; {where}{first.what}"

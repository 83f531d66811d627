"""The authors' files of captions, many videos in one: caption.json, raw_caption.json, and pickles.

`{video_id: {"start": [...], "end": [...], "text": [...]}}`, and nothing of it is changed: HowTo100M
users compare numbers. A file of a million videos is gigabytes, so JSON is read video by video.
"""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from howto.errors import CaptionError, Reason
from howto.extract.safe_pickle import PickleRefused, unpickle
from howto.records import Kind, Line, Narration, Problem

__all__ = ["read_caption_file"]

_CHUNK = 1 << 20
_SPACES = " \t\r\n"


def read_caption_file(path: Path) -> Iterator[tuple[str, Narration]]:
    """Read caption.json or caption.pickle, video by video, in the order of the file.

    The whole of a .pickle is held in memory; it may hold containers, text, numbers and numpy arrays
    alone, so that reading one runs nothing that its maker put there. `dict(read_caption_file(...))`
    is what a small file holds.

    Args:
        path: with the suffix .json or .pickle (.pkl).

    Yields:
        The video's id and its narration. A caption that makes no sense, such as one that ends
        before it starts, is left out and named by its number in a problem.

    Raises:
        CaptionError: `unreadable_file`, the disk or a permission; `unreadable_captions`, the file
            is not of that form; the message names the video where it is one video's.
    """
    try:
        with path.open("rb") as file:
            if path.suffix.lower() == ".json":
                yield from _from_pairs(_json_pairs(file), path.name)
            else:
                yield from _from_pairs(_pickled(file).items(), path.name)
    except OSError as error:
        raise CaptionError(Reason.UNREADABLE_FILE, error.strerror or str(error)) from error


def _from_pairs(pairs: Any, source: str) -> Iterator[tuple[str, Narration]]:
    for video_id, columns in pairs:
        yield str(video_id), _narration(str(video_id), columns, source)


def _narration(video_id: str, columns: Any, source: str) -> Narration:
    names = ("start", "end", "text")
    if not isinstance(columns, Mapping) or not all(name in columns for name in names):
        raise _unreadable(f"video {video_id}: expected start, end and text, found {columns!r:.60}")
    starts, ends, texts = (list(columns[name]) for name in names)
    if not len(starts) == len(ends) == len(texts):
        raise _unreadable(
            f"video {video_id}: {len(starts)} starts, {len(ends)} ends and {len(texts)} texts"
        )
    lines: list[Line] = []
    problems: list[Problem] = []
    for number, (start, end, text) in enumerate(zip(starts, ends, texts, strict=True)):
        if _is_time(start) and _is_time(end) and start <= end:
            lines.append(Line(float(start), float(end), str(text)))
        else:
            problems.append(
                Problem(None, f"video {video_id}, caption {number}: from {start!r} to {end!r}")
            )
    ordered = sorted(lines, key=lambda line: line.start)
    return Narration(tuple(ordered), None, Kind.AUTOMATIC, source, tuple(problems))


def _is_time(value: Any) -> bool:
    # numpy's numbers are not Python's, but for float64.
    try:
        return not isinstance(value, str | bool) and 0 <= float(value) < math.inf
    except (TypeError, ValueError):
        return False


def _unreadable(what: str) -> CaptionError:
    return CaptionError(Reason.UNREADABLE_CAPTIONS, what)


def _json_pairs(file: IO[bytes]) -> Iterator[tuple[str, Any]]:
    """The members of one large JSON object, holding one member at a time."""
    buffer = _Buffer(file)
    buffer.take("{")
    if buffer.next_is("}"):
        return
    while True:
        key = buffer.value()
        buffer.take(":")
        yield str(key), buffer.value()
        if buffer.next_is("}"):
            return
        buffer.take(",")


class _Buffer:
    """A JSON text that is read piece by piece."""

    def __init__(self, file: IO[bytes]) -> None:
        from codecs import getincrementaldecoder

        self.file = file
        self.decoder = json.JSONDecoder()
        self.utf8 = getincrementaldecoder("utf-8-sig")("replace")
        self.text = ""
        self.at = 0
        self.ended = False

    def value(self) -> Any:
        """The next JSON value; more is read until it is whole."""
        self._skip_spaces()
        while True:
            try:
                found, end = self.decoder.raw_decode(self.text, self.at)
            except (json.JSONDecodeError, RecursionError) as error:
                # What is cut off looks damaged until the rest of it is there.
                if not self._more():
                    raise _unreadable(f"damaged JSON: {error}") from error
                continue
            # Only a number could go on in the next piece, and here no value is a number.
            self.at = end
            return found

    def take(self, sign: str) -> None:
        """Go past a sign."""
        if not self.next_is(sign):
            found = self.text[self.at : self.at + 20]
            raise _unreadable(f"damaged JSON: expected {sign!r}, found {found!r}")

    def next_is(self, sign: str) -> bool:
        """Go past a sign if it is next."""
        self._skip_spaces()
        if self.text.startswith(sign, self.at):
            self.at += len(sign)
            return True
        return False

    def _skip_spaces(self) -> None:
        while True:
            while self.at < len(self.text) and self.text[self.at] in _SPACES:
                self.at += 1
            if self.at < len(self.text) or not self._more():
                return

    def _more(self) -> bool:
        if self.ended:
            return False
        # As much again as is held: a member larger than a piece is not tried at every piece.
        data = self.file.read(max(_CHUNK, len(self.text) - self.at))
        self.ended = not data
        self.text = self.text[self.at :] + self.utf8.decode(data, final=self.ended)
        self.at = 0
        return True


def _pickled(file: IO[bytes]) -> Mapping[str, Any]:
    try:
        found = unpickle(file)
    except PickleRefused as error:
        raise _unreadable(str(error)) from error
    if not isinstance(found, Mapping):
        raise _unreadable(f"expected videos by id, found {type(found).__name__}")
    return found

"""Files of a release: found by their names, read line by line, with errors that say where.

Nothing is downloaded, and nothing in a file is executed. What a file holds is checked while it is
read: a text that is no number, or a field that is not there, is a `UsageError` that names file and
line.
"""

import csv
import difflib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from howto.errors import UsageError

__all__ = [
    "Release",
    "ReleaseFiles",
    "check_split",
    "json_lines",
    "lines",
    "no_ready_features",
    "plain_rows",
    "read_json",
    "seconds",
    "shape_error",
    "span",
    "splits_of",
    "table",
]


_HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""An escape in JSON that stands for half a character; two together are one."""


@dataclass(frozen=True, slots=True)
class Release:
    """A published data set.

    Attributes:
        name: of the data set, as people write it.
        described: who described it where, for an error that says where to look.
    """

    name: str
    described: str


class ReleaseFiles:
    """The files that a person has of a release.

    Args:
        data: a folder, which is looked through with its folders, not with theirs; or one file,
            which is taken whatever its name is if its ending fits, unless it is that of another
            split.
        names: of the files of each split, in which `*` stands for anything; those that hold
            several splits are in each, or in none.

    Raises:
        UsageError: there is no such file or folder, or the file bears the name of another split.
    """

    def __init__(
        self,
        data: Path,
        release: Release,
        split: str,
        names: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        if not data.exists():
            raise UsageError(
                f"there is no file or folder {data}. {release.name} is described in "
                f"{release.described}"
            )
        self._data, self._release, self._split = data, release, split
        if data.is_file():
            self._refuse_other_split(names or {})

    def _refuse_other_split(self, names: Mapping[str, Sequence[str]]) -> None:
        fitting = splits_of(self._data.name, names)
        if fitting and self._split not in fitting:
            raise UsageError(
                f"{self._data} has the name of a file of {self._release.name}, split "
                f"{' or '.join(map(repr, fitting))}, and {self._split!r} is to be read. Say "
                f"--split {fitting[0]}; if it holds something else, give it another name"
            )

    def find(self, *names: str) -> Path | None:
        """The first of these files that is there.

        Args:
            names: of files, or patterns with `*`, most wanted first.

        Raises:
            UsageError: two files fit the same name, so that nobody can say which is meant.
        """
        if self._data.is_file():
            endings = {Path(name).suffix.lower() for name in names}
            return self._data if self._data.suffix.lower() in endings else None
        try:
            inside = _files_inside(self._data)
        except OSError as error:
            raise UsageError(f"{self._data} cannot be looked through: {error}") from error
        for name in names:
            fitting = [path for path in inside if fnmatchcase(path.name, name)]
            if len(fitting) > 1:
                several = ", ".join(str(path) for path in fitting)
                raise UsageError(f"{name} is there more than once, name one of them: {several}")
            if fitting:
                return fitting[0]
        return None

    def need(self, what: str, *names: str) -> Path:
        """As `find`, where there must be one.

        Args:
            what: it is, in words that fit after "has no ".

        Raises:
            UsageError: none is there; it says what was looked for, and where the release is
                described.
        """
        if (found := self.find(*names)) is not None:
            return found
        raise UsageError(
            f"{self._data} has no {what} of {self._release.name}, split {self._split!r}. Looked "
            f"for: {', '.join(names)}. The release is described in {self._release.described}. "
            "Nothing is downloaded"
        )


def splits_of(name: str, names: Mapping[str, Sequence[str]]) -> list[str]:
    """The splits that a file belongs to by its name.

    Args:
        names: as `ReleaseFiles` takes them.
    """
    return [
        split
        for split, patterns in names.items()
        if any(fnmatchcase(name, pattern) for pattern in patterns)
    ]


def _files_inside(folder: Path) -> list[Path]:
    """The files of a folder and of its folders, but of hidden ones, in order."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            found += [inner for inner in sorted(path.iterdir()) if inner.is_file()]
        elif path.is_file():
            found.append(path)
    return found


def check_split(benchmark: str, splits: Sequence[str], split: str) -> None:
    """Refuse a split that the benchmark has not.

    Raises:
        UsageError: with those that there are.
    """
    if split not in splits:
        near = difflib.get_close_matches(split, splits, n=1)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        raise UsageError(f"{benchmark} has no split {split!r}. Splits: {', '.join(splits)}.{guess}")


def no_ready_features(benchmark: str, features: bool | None) -> None:
    """Refuse to read clips with ready features, for a benchmark that is no set of clips.

    Raises:
        UsageError: they were asked for.
    """
    if features:
        raise UsageError(
            f"{benchmark} is scored along whole videos, so it has no clips with ready features. "
            "Take the features of its videos into a library: howto features import FOLDER"
        )


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file that are not empty, with their numbers from 1.

    Raises:
        UsageError: the file is missing, or is no UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, line in enumerate(file, start=1):
                if text := line.rstrip("\r\n"):
                    yield number, text
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error


def table(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a table with a header, with the number of the line that each ends on.

    Args:
        columns: that it must have; only they are given.

    Raises:
        UsageError: the file is missing, lacks a column, or a row is cut off or damaged.
    """
    rows = _csv_rows(path)
    header = next(rows, (0, []))[1]
    missing = [name for name in columns if name not in header]
    if missing:
        raise UsageError(
            f"{path}: no column {', '.join(missing)}; found {', '.join(header)[:200] or 'nothing'}"
        )
    places = {name: header.index(name) for name in columns}
    for number, row in rows:
        if len(row) != len(header):
            raise UsageError(
                f"{path}, line {number}: expected {len(header)} fields, found {len(row)}"
            )
        yield number, {name: row[place] for name, place in places.items()}


def plain_rows(path: Path, fields: int) -> Iterator[tuple[int, list[str]]]:
    """The rows of a table without a header, each with at least so many fields.

    Raises:
        UsageError: the file is missing, or a row is cut off or damaged.
    """
    for number, row in _csv_rows(path):
        if len(row) < fields:
            raise UsageError(
                f"{path}, line {number}: expected {fields} fields with commas between, found "
                f"{len(row)}"
            )
        yield number, row


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            for row in reader:
                if row:
                    yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read as a table: {error}") from error


def read_json(path: Path) -> Any:
    """Load a JSON file.

    Raises:
        UsageError: the file is missing, or is no JSON.
    """
    try:
        return _loaded(path.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read as JSON: {error}") from error


def _loaded(text: str) -> Any:
    """Raises ValueError for what is no JSON, and for halves of characters, which nobody could
    print."""
    held = json.loads(text)
    if _HALF.search(text):
        json.dumps(held, ensure_ascii=False).encode()
    return held


def json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """The values of a file with one JSON value a line, with the numbers of their lines.

    Raises:
        UsageError: the file is missing, or a line is no JSON.
    """
    for number, text in lines(path):
        try:
            yield number, _loaded(text)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{path}, line {number}: no JSON: {error}") from error


def seconds(value: object, where: str) -> float:
    """A time of a file as a finite number, from text or a number.

    Args:
        where: for the error, such as "x.csv, line 3".

    Raises:
        UsageError: it is none.
    """
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"{where}: expected seconds, found {value!r:.60}") from error
    if not math.isfinite(number):
        raise UsageError(f"{where}: expected seconds, found {value!r:.60}")
    return number


def span(start: object, end: object, where: str) -> tuple[float, float] | None:
    """Start and end of a stretch, or None where there is no such stretch: it ends before it starts,
    has no length, or starts before the video.

    Raises:
        UsageError: one of them is no finite number.
    """
    begin, finish = seconds(start, where), seconds(end, where)
    return (begin, finish) if 0 <= begin < finish else None


def shape_error(where: object, expected: str, found: object) -> UsageError:
    """What to raise where a file holds something of another shape.

    Args:
        where: file, and line or key in it.
    """
    return UsageError(f"{where}: expected {expected}, found {found!r:.80}")

"""Moments with queries, from four data sets: `moments:charades-sta`, `:didemo`, `:qvhighlights` and
`:tacos`; and `moments` alone, which takes the one whose files are there.
"""

import difflib
from pathlib import Path
from typing import Any, ClassVar

from howto.errors import UnknownPlugin, UsageError
from howto.evaluate.benchmarks.charades_sta import CHARADES_STA
from howto.evaluate.benchmarks.didemo import DIDEMO
from howto.evaluate.benchmarks.files import (
    ReleaseFiles,
    check_split,
    no_ready_features,
    splits_of,
)
from howto.evaluate.benchmarks.moment_rows import MomentFormat, queries_of
from howto.evaluate.benchmarks.qvhighlights import QVHIGHLIGHTS
from howto.evaluate.benchmarks.sets import About, MomentSet
from howto.evaluate.benchmarks.tacos import TACOS

__all__ = ["FORMATS", "MomentsBenchmark"]

FORMATS = {one.name: one for one in (CHARADES_STA, DIDEMO, QVHIGHLIGHTS, TACOS)}
"""The data sets by name."""


class MomentsBenchmark:
    """Moments to be found in a video that is given.

    Args:
        only: the data set; None: the one whose files are there.
    """

    protocol: ClassVar[str] = "moments"

    def __init__(self, only: MomentFormat | None = None) -> None:
        self._formats = tuple(FORMATS.values()) if only is None else (only,)
        self.name = "moments" if only is None else f"moments:{only.name}"
        self.splits = tuple(dict.fromkeys(name for one in self._formats for name in one.files))
        told = {one.release.name: one.release.described for one in self._formats}
        several = "; ".join(f"{name}: {where}" for name, where in told.items())
        self.described = several if only is None else only.release.described

    @classmethod
    def variant(cls, argument: str, **options: Any) -> "MomentsBenchmark":
        """One of the data sets.

        Raises:
            UnknownPlugin: there is none of that name.
        """
        if argument not in FORMATS:
            near = difflib.get_close_matches(argument, FORMATS, n=1)
            guess = f" Did you mean 'moments:{near[0]}'?" if near else ""
            raise UnknownPlugin(
                f"no data set of moments named {argument!r}. There are: "
                f"{', '.join(FORMATS)}.{guess}"
            )
        return cls(FORMATS[argument], **options)

    def read(
        self,
        data: Path,
        split: str,
        features: bool | None = None,
        trust_pickle: bool = False,  # noqa: ARG002 nothing here is a pickle
    ) -> MomentSet:
        """Read the file: as `howto.contracts.Benchmark.read`."""
        check_split(self.name, self.splits, split)
        no_ready_features(self.name, features)
        form, path = self._file(data, split)
        queries, lost = queries_of(form.rows(path))
        if not queries:
            raise UsageError(f"{path} has no query with a moment")
        note = f"{form.release.name}, split {split!r}"
        return MomentSet(tuple(queries), About((path,), tuple(lost), (note,)), form.unit)

    def _file(self, data: Path, split: str) -> tuple[MomentFormat, Path]:
        """The data set that is meant, and its file."""
        forms = [one for one in self._formats if split in one.files]
        if len(forms) == 1:
            files = ReleaseFiles(data, forms[0].release, split, forms[0].files)
            return forms[0], files.need("file of moments", *forms[0].files[split])
        if not data.exists():
            raise UsageError(f"there is no file or folder {data}. Described: {self.described}")
        found = [(one, path) for one in forms if (path := _named(data, one, split)) is not None]
        if len(found) == 1:
            return found[0]
        there = ", ".join(str(path) for _, path in found) or "none"
        names = ", ".join(name for one in forms for name in one.files[split])
        known = ", ".join(f"moments:{one.name}" for one in self._formats)
        others = "" if found else self._of_other_splits(data, split)
        raise UsageError(
            f"which data set of moments is in {data}? Found of the split {split!r}: {there}."
            f"{others} Looked for: {names}. Name it: {known}. They are described in "
            f"{self.described}. Nothing is downloaded"
        )

    def _of_other_splits(self, data: Path, split: str) -> str:
        """The files that would be read by another --split, as a sentence; '' without any."""
        there = [
            f"{path} ({one.release.name}): --split {other}"
            for one in self._formats
            for other in one.files
            if other != split and (path := _named(data, one, other)) is not None
        ]
        return f" Of other splits: {', '.join(there)}." if there else ""


def _named(data: Path, form: MomentFormat, split: str) -> Path | None:
    """The file of a data set's split, which has to bear its name: that is all that tells it."""
    if data.is_file():
        return data if split in splits_of(data.name, form.files) else None
    return ReleaseFiles(data, form.release, split).find(*form.files[split])

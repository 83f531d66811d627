"""Charades-STA: sentences about short videos of people at home.

`charades_sta_test.txt`: `AO8RW 0.0 6.9##a person is putting a book on a shelf.`
"""

from collections.abc import Iterator
from pathlib import Path

from howto.errors import UsageError
from howto.evaluate.benchmarks.files import Release, lines
from howto.evaluate.benchmarks.moment_rows import MomentFormat, MomentRow, line_rows

__all__ = ["CHARADES_STA"]


def _rows(path: Path) -> Iterator[MomentRow]:
    if path.suffix.lower() == ".jsonl":
        yield from line_rows(path)
        return
    for number, line in lines(path):
        where = f"{path}, line {number}"
        head, mark, sentence = line.partition("##")
        fields = head.split()
        if not mark or len(fields) != 3:
            raise UsageError(f"{where}: expected VIDEO START END##SENTENCE, found {line[:80]!r}")
        video, start, end = fields
        yield MomentRow(where, video, sentence.strip(), ((start, end),))


CHARADES_STA = MomentFormat(
    "charades-sta",
    Release(
        "Charades-STA",
        "Gao, Sun, Yang and Nevatia, TALL: Temporal Activity Localization via Language Query, ICCV "
        "2017 (its project page); the videos with Charades (Sigurdsson and others, ECCV 2016)",
    ),
    {
        "test": ("charades_sta_test.txt", "charades_sta_test*.jsonl"),
        "train": ("charades_sta_train.txt", "charades_sta_train*.jsonl"),
    },
    _rows,
)
"""The data set as `moments:charades-sta`."""

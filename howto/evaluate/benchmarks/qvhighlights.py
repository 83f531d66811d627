"""QVHighlights: queries about stretches of 150 s of YouTube videos, often with several moments.

`highlight_val_release.jsonl`, the form of `howto.evaluate.benchmarks.moment_rows`. A video's name
says where it was cut from: `NUsG9BgSes0_210.0_360.0`. The moments of the test set are kept back.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from howto.evaluate.benchmarks.files import Release
from howto.evaluate.benchmarks.moment_rows import MomentFormat, MomentRow, line_rows
from howto.evaluate.benchmarks.sets import Place

__all__ = ["QVHIGHLIGHTS"]

_NAME = re.compile(r"([A-Za-z0-9_-]{11})_(\d+\.\d+)_(\d+\.\d+)", re.ASCII)


def _rows(path: Path) -> Iterator[MomentRow]:
    for row in line_rows(path):
        cut = _NAME.fullmatch(row.video)
        parent = Place(cut[1], float(cut[2]), float(cut[3])) if cut else None
        yield replace(row, parent=parent)


QVHIGHLIGHTS = MomentFormat(
    "qvhighlights",
    Release(
        "QVHighlights",
        "Lei, Berg and Bansal, QVHighlights: Detecting Moments and Highlights in Videos via "
        "Natural Language Queries, NeurIPS 2021 (the Moment-DETR project)",
    ),
    {
        "val": ("highlight_val_release.jsonl",),
        "train": ("highlight_train_release.jsonl",),
    },
    _rows,
)
"""The data set as `moments:qvhighlights`."""

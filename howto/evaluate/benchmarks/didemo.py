"""DiDeMo: what is seen in stretches of 5 s of videos of up to 30 s, marked by four people.

`test_data.json`: [{"video", "description", "times": [[first, last], ...]}, ...]; the times number
the stretches, from 0, the last one included. What any of the four marked counts as right here; the
release's own metric takes the three that agree best with a hit, and their mean.
"""

from collections.abc import Iterator
from pathlib import Path

from howto.evaluate.benchmarks.files import Release, read_json, shape_error
from howto.evaluate.benchmarks.moment_rows import MomentFormat, MomentRow, line_rows

__all__ = ["DIDEMO"]

_SECONDS = 5.0


def _rows(path: Path) -> Iterator[MomentRow]:
    if path.suffix.lower() == ".jsonl":
        yield from line_rows(path)
        return
    held = read_json(path)
    if not isinstance(held, list):
        raise shape_error(path, "a list of queries", held)
    for number, told in enumerate(held):
        where = f"{path}, row {number}"
        try:
            pairs = [(int(first), int(last)) for first, last in told["times"]]
            times = tuple((first * _SECONDS, (last + 1) * _SECONDS) for first, last in pairs)
            video, query = Path(str(told["video"])).stem, str(told["description"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise shape_error(where, "video, description and times", told) from error
        yield MomentRow(where, video, query, times)


DIDEMO = MomentFormat(
    "didemo",
    Release(
        "DiDeMo",
        "Hendricks, Wang, Shechtman, Sivic, Darrell and Russell, Localizing Moments in Video with "
        "Natural Language, ICCV 2017 (the LocalizingMoments project)",
    ),
    {
        "test": ("test_data.json", "didemo_test*.jsonl"),
        "val": ("val_data.json", "didemo_val*.jsonl"),
        "train": ("train_data.json", "didemo_train*.jsonl"),
    },
    _rows,
    _SECONDS,
)
"""The data set as `moments:didemo`."""

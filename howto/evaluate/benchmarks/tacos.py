"""TACoS: sentences about people who cook, in long videos of one kitchen.

| file | form |
|---|---|
| `tacos_val_release.jsonl` | as `howto.evaluate.benchmarks.moment_rows` |
| `tacos_val.json`, `val.json` | {video: {"timestamps": frames, "sentences", "fps", "num_frames"}} |
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from howto.evaluate.benchmarks.files import Release, read_json, seconds, shape_error
from howto.evaluate.benchmarks.moment_rows import MomentFormat, MomentRow, line_rows

__all__ = ["TACOS"]


def _rows(path: Path) -> Iterator[MomentRow]:
    if path.suffix.lower() == ".jsonl":
        yield from line_rows(path)
        return
    held = read_json(path)
    if not isinstance(held, Mapping):
        raise shape_error(path, "an object of videos", held)
    for name, told in held.items():
        yield from _of_video(name, told, f"{path}, {name}")


def _of_video(name: str, told: object, where: str) -> Iterator[MomentRow]:
    try:
        rate = seconds(told["fps"], where)  # type: ignore[index]
        frames = seconds(told["num_frames"], where)  # type: ignore[index]
        pairs = zip(told["timestamps"], told["sentences"], strict=True)  # type: ignore[index]
        rows = [(seconds(a, where), seconds(b, where), str(said)) for (a, b), said in pairs]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise shape_error(where, "timestamps, sentences, fps and num_frames", told) from error
    if rate <= 0:
        raise shape_error(where, "frames a second", rate)
    for first, last, said in rows:
        times = ((first / rate, last / rate),)
        yield MomentRow(where, Path(name).stem, said, times, frames / rate)


TACOS = MomentFormat(
    "tacos",
    Release(
        "TACoS",
        "Regneri, Rohrbach, Wetzel, Thater, Schiele and Pinkal, Grounding Action Descriptions in "
        "Videos, TACL 2013 (the TACoS corpus); as JSON with 2D-TAN and Lighthouse",
    ),
    {
        split: (f"tacos_{split}_release.jsonl", f"tacos_{split}.json", f"{split}.json")
        for split in ("test", "val", "train")
    },
    _rows,
)
"""The data set as `moments:tacos`."""

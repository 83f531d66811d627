"""Intervals of moments: stretches that were cut from one video are not independent."""

from collections.abc import Callable
from pathlib import Path

from howto.evaluate.benchmark import evaluate_benchmark
from howto.library import Library
from tests.evaluate.benchmarks import releases
from tests.evaluate.benchmarks.conftest import Oracle

CUTS = ("NUsG9BgSes0_0.0_150.0", "NUsG9BgSes0_150.0_300.0")


def test_cuts_of_one_video_are_resampled_together(
    tmp_path: Path, named: Callable[..., Library]
) -> None:
    rows = [(cut, "a dog runs", [[30.0, 44.0]], 150.0) for cut in (*CUTS, "AAAAAAAAAAA_0.0_150.0")]
    (tmp_path / "highlight_val_release.jsonl").write_text(releases.moment_lines(rows))
    right, wrong = (30.0, 44.0, "a dog runs"), (100.0, 114.0, "a dog runs")
    street = (0.0, 150.0, "a street")
    library = named(*(row[0] for row in rows))
    seen = ([right, street], [wrong, street], [right, street])
    shown = dict(zip((row[0] for row in rows), seen, strict=True))
    scores = evaluate_benchmark(
        "moments:qvhighlights", Oracle(shown), data=tmp_path, library=library
    ).scores
    assert scores.groups == ({"NUsG9BgSes0"}, {"NUsG9BgSes0"}, {"AAAAAAAAAAA"})
    recall = scores.found["IoU 0.5"][1].recall
    # Of two videos one has a half, one all: no resample finds less than that half.
    assert (round(recall.value, 6), recall.low, recall.high) == (round(2 / 3, 6), 0.5, 1.0)

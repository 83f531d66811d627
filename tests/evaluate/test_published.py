"""Published rows: whole, in the order of the tables, and plausible as numbers."""

import pytest

from howto.evaluate.published import RETRIEVAL, STEPS


@pytest.mark.parametrize("benchmark", RETRIEVAL)
def test_rows_are_plausible(benchmark: tuple[str, str]) -> None:
    rows = RETRIEVAL[benchmark]
    assert len({(row.name, row.trained_on) for row in rows}) == len(rows)
    for row in rows:
        assert row.recalls[0] < row.recalls[1] < row.recalls[2] < 100
        # Half of the queries are at the median rank or above.
        assert (row.median_rank <= 10) == (row.recalls[2] >= 50)
        assert row.trained_on
        assert row.year is None or 2015 <= row.year <= 2020
    assert [row.method for row in rows if row.year is None] == ["chance"]


def test_chance_is_that_of_the_sets() -> None:
    for benchmark, split, size in (
        ("youcook2", "validation", 3350),
        ("msrvtt", "1k-A", 1000),
        ("lsmdc", "test", 1000),
    ):
        (chance,) = (row for row in RETRIEVAL[benchmark, split] if row.year is None)
        for k, recall in zip((1, 5, 10), chance.recalls, strict=True):
            assert recall == pytest.approx(100 * k / size, abs=0.005)
        assert chance.median_rank == size / 2


def test_figures_that_everybody_quotes() -> None:
    (best,) = (row for row in RETRIEVAL["msrvtt", "1k-A"] if " then " in row.trained_on)
    assert (best.name, best.recalls, best.median_rank) == (
        "Miech et al. 2019",
        (14.9, 40.2, 52.8),
        9,
    )
    assert [row.recall for row in STEPS["crosstask", "test"]] == [13.3, 22.4, 31.6, 33.6]
    assert max(row.year or 0 for row in RETRIEVAL["youcook2", "validation"]) == 2020

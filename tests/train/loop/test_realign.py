"""Re-alignment: the best shifts against trying all, and narration whose true times are known."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from howto.clip.pairs_store import pair_sets, read_pairs
from howto.library import Library
from howto.records import Line, Word
from howto.train.realign import best_shifts, realigned_lines

SHIFTS = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])


def in_order(starts: np.ndarray, chosen: tuple[int, ...]) -> bool:
    return bool((np.diff(starts + SHIFTS[list(chosen)]) >= -1e-9).all())


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.lists(st.integers(-3, 3), min_size=5, max_size=5)),
        min_size=1,
        max_size=4,
    )
)
def test_no_way_in_order_scores_more(lines: list[tuple[int, list[int]]]) -> None:
    starts = np.cumsum([gap for gap, _ in lines]).astype(float)
    scores = np.array([row for _, row in lines], float)
    found = best_shifts(scores, starts, SHIFTS)
    assert in_order(starts, tuple(found))
    reached = scores[np.arange(len(lines)), found].sum()
    ways = itertools.product(range(5), repeat=len(lines))
    best = max(
        scores[np.arange(len(lines)), list(way)].sum() for way in ways if in_order(starts, way)
    )
    assert reached == best


def test_of_equal_ways_nothing_moves() -> None:
    assert best_shifts(np.zeros((4, 5)), np.arange(4.0), SHIFTS).tolist() == [2, 2, 2, 2]
    assert best_shifts(np.zeros((0, 5)), np.zeros(0), SHIFTS).tolist() == []


def seen_at(times: dict[str, float], lines: list[Line], noise: float = 0.0) -> Callable:
    """The similarity of clips to lines whose words are seen at known times."""
    rng = np.random.default_rng(0)

    def similarity(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        middles = (starts + ends) / 2
        wanted = np.array([times[line.text] for line in lines])[:, None]
        shown = np.exp(-(((middles - wanted) / 2.5) ** 2))
        return shown + noise * rng.normal(size=shown.shape)

    return similarity


def test_known_early_and_late_shifts_are_found() -> None:
    # A step every 6 s, spoken of up to 8 s early or late, the order kept.
    rng = np.random.default_rng(3)
    truth = {f"step {number}": 20.0 + 6 * number for number in range(30)}
    offset = np.clip(np.cumsum(rng.normal(0, 2.5, 30)), -8, 8)
    starts = np.maximum.accumulate(np.array(list(truth.values())) + offset - 1.5)
    lines = [Line(s, s + 3, name) for s, name in zip(starts, truth, strict=True)]
    moved = realigned_lines(lines, seen_at(truth, lines, noise=0.1), 300.0)

    def errors(some: list[Line]) -> np.ndarray:
        return np.abs([(one.start + one.end) / 2 - truth[one.text] for one in some])

    assert errors(lines).mean() > 2
    assert errors(moved).mean() < 1
    assert [one.text for one in moved] == [one.text for one in lines]
    assert (np.diff([one.start for one in moved]) >= 0).all()


def test_lines_that_are_seen_nowhere_stay() -> None:
    lines = [Line(30.0 + 4 * n, 33.0 + 4 * n, "hello") for n in range(5)]
    assert realigned_lines(lines, lambda starts, _ends: np.full(starts.shape, 0.7), 60.0) == lines


def test_no_line_leaves_the_video_and_words_go_along() -> None:
    line = Line(2.0, 4.0, "fold", (Word(2.0, 3.0, "fold"),))
    late = realigned_lines([line], lambda starts, _ends: starts, 9.0)[0]
    assert late == Line(7.0, 9.0, "fold", (Word(7.0, 8.0, "fold"),))
    early = realigned_lines([line], lambda starts, _ends: -starts, 9.0)[0]
    assert early.start >= 0
    assert realigned_lines([], lambda starts, _ends: starts, 9.0) == []


def test_the_command_makes_another_set_of_pairs(videos: Path, cli: Callable[..., Any]) -> None:
    assert cli("clip", videos).code == 0
    assert cli("extract", videos, "--backbone", "colour-motion").code == 0
    flags = ("--name", "small", "--epochs", "3", "--dim", "8")
    trained = cli("train", videos, "--backbone", "colour-motion", *flags)
    assert trained.code == 0, trained.err
    made = cli("clip", videos, "--realign", "small", "--json")
    assert made.code == 0, made.err
    assert (made.json["made"], made.json["unchanged"], made.json["lines"]) == (2, 0, 6)
    assert made.json["recipe"]["realign"]["run"] == "small"
    again = cli("clip", videos, "--realign", "small", "--json").json
    assert (again["made"], again["unchanged"], again["pairs"]) == (0, 2, made.json["pairs"])
    with Library.open(videos) as library:
        sets = list(pair_sets(library).values())
        assert len(sets) == 2
        before, after = (list(read_pairs(library, one)) for one in sets)
    assert len(after) == len(before)
    assert all(0 <= one.pair.start <= one.pair.end <= 20 for one in after)
    assert cli("clip", videos, "--realign", "nobody").code == 2
    assert cli("clip", videos, "--realign", "small", "--dry-run").code == 2

"""Samplers: the unit of an epoch, the weights against plain loops, their limits, and the suite."""

from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from howto import plugins
from howto.contracts import ScoreFocus
from howto.errors import UsageError
from howto.testing import SamplerContract
from howto.train.losses import MaxMarginLoss, positives_of
from howto.train.samplers import (
    HardSampler,
    InterVideoSampler,
    IntraVideoSampler,
    UniformSampler,
    epoch_batches,
    semi_hard,
    weights_of,
)


class TestIntraVideo(SamplerContract):
    plugin = "intra-video"


class TestIntraVideoExact(SamplerContract):
    plugin = "intra-video"
    options: ClassVar = {"weighting": "exact", "intra": 0.8}


class TestInterVideo(SamplerContract):
    plugin = "inter-video"


class TestUniform(SamplerContract):
    plugin = "uniform"


class TestHard(SamplerContract):
    plugin = "hard"


def of_videos(v: int, k: int) -> NDArray[np.int64]:
    return np.repeat(np.arange(v), k)


# --- epochs ---


@given(
    sizes=st.lists(st.integers(0, 4), max_size=30),
    v=st.integers(1, 8),
    k=st.integers(1, 6),
    seed=st.integers(0, 100),
)
def test_an_epoch_visits_each_video_once(sizes: list[int], v: int, k: int, seed: int) -> None:
    """v a batch, the last partial batch dropped; v shrinks to the videos that have pairs."""
    offsets = np.cumsum([0, *sizes]).astype(np.int64)
    batches = list(epoch_batches(offsets, v, k, np.random.default_rng(seed)))
    there = sum(size > 0 for size in sizes)
    videos_per_batch = min(v, there)
    assert len(batches) == (there // videos_per_batch if there else 0)
    seen = []
    for batch in batches:
        videos = np.searchsorted(offsets, batch, side="right") - 1
        assert (videos.reshape(videos_per_batch, k) == videos[::k, None]).all()
        seen += videos[::k].tolist()
    assert len(set(seen)) == len(seen)
    assert all(sizes[video] for video in seen)


def test_pairs_are_drawn_evenly_and_with_replacement() -> None:
    """10,000 draws of 5 pairs: each comes up about 2,000 times, within five deviations of 40."""
    offsets = np.array([0, 5])
    [batch] = epoch_batches(offsets, 1, 10_000, np.random.default_rng(0))
    counts = np.bincount(batch, minlength=5)
    assert (np.abs(counts - 2000) < 200).all()


def test_epochs_differ_and_go_on_from_the_state() -> None:
    rng = np.random.default_rng(3)
    offsets = np.arange(0, 101, 5)
    first = list(epoch_batches(offsets, 4, 2, rng))
    state = rng.bit_generator.state
    second = list(epoch_batches(offsets, 4, 2, rng))
    assert not np.array_equal(first, second)
    rng.bit_generator.state = state
    assert np.array_equal(second, list(epoch_batches(offsets, 4, 2, rng)))


def test_three_videos_of_ten_lines_train() -> None:
    [batch] = IntraVideoSampler().batches(np.arange(0, 31, 10), 32, 64, np.random.default_rng(0))
    assert batch.shape == (3 * 64,)


# --- weights ---


@given(v=st.integers(2, 9), k=st.integers(2, 9), p=st.floats(0, 1))
def test_code_weights(v: int, k: int, p: float) -> None:
    weights = weights_of(of_videos(v, k), p, "code")
    for i in range(v * k):
        for j in range(v * k):
            wanted = v * p if i // k == j // k else v * (1 - p) / (v - 1)
            assert weights[i, j] == pytest.approx(wanted, rel=1e-6)
    assert weights.mean() == pytest.approx(1, rel=1e-5)


def test_the_published_figures() -> None:
    """v = 32, k = 64, p = 0.5: 16.0 and 0.516; the intra share of all negatives is 0.496."""
    ids = of_videos(32, 64)
    weights = weights_of(ids, 0.5, "code")
    assert weights[0, 1] == 16.0
    assert weights[0, -1] == pytest.approx(0.516, abs=5e-4)
    assert intra_share(weights, ids) == pytest.approx(0.496, abs=5e-4)
    assert intra_share(UniformSampler().weights(ids), ids) == pytest.approx(0.031, abs=5e-4)


def intra_share(weights: NDArray[np.float32], ids: NDArray[np.int64]) -> float:
    """Of the mass of all negatives."""
    negatives = weights.astype(np.float64) * ~np.eye(len(ids), dtype=bool)
    return float(negatives[np.equal.outer(ids, ids)].sum() / negatives.sum())


@given(v=st.integers(2, 9), k=st.integers(2, 9), p=st.floats(0.01, 0.99))
def test_exact_weights_are_the_papers_ratio(v: int, k: int, p: float) -> None:
    ids = of_videos(v, k)
    weights = weights_of(ids, p, "exact")
    a = p * k * (v - 1) / ((1 - p) * (k - 1))
    assert weights[0, 1] / weights[0, -1] == pytest.approx(a, rel=1e-5)
    assert intra_share(weights, ids) == pytest.approx(p, rel=1e-5)
    assert weights[~np.eye(v * k, dtype=bool)].mean() == pytest.approx(1, rel=1e-5)


@given(
    ids=st.lists(st.integers(0, 3), min_size=2, max_size=12).filter(
        lambda ids: 1 < len(set(ids)) < len(ids)
    ),
    p=st.floats(0, 1),
)
def test_exact_meets_p_for_unequal_videos(ids: list[int], p: float) -> None:
    array = np.array(ids)
    assert intra_share(weights_of(array, p, "exact"), array) == pytest.approx(p, abs=1e-5)


LIMITS = {
    # v, k, p: what an intra-video negative weighs, and an inter-video one; None: there is none
    ("code", 1, 4, 0.5): (1, None),
    ("code", 1, 4, 1.0): (1, None),
    ("code", 1, 4, 0.0): (0, None),
    ("code", 4, 1, 0.5): (None, 1),
    ("code", 4, 1, 0.0): (None, 1),
    ("code", 4, 1, 1.0): (None, 1),
    ("code", 4, 3, 0.0): (0, 4 / 3),
    ("code", 4, 3, 1.0): (4, 0),
    ("exact", 1, 4, 0.5): (1, None),
    ("exact", 1, 4, 0.0): (0, None),
    ("exact", 4, 1, 0.5): (None, 1),
    ("exact", 4, 1, 1.0): (None, 0),
    ("exact", 4, 3, 0.0): (0, 11 / 9),
    ("exact", 4, 3, 1.0): (11 / 2, 0),
}


@pytest.mark.parametrize("case", LIMITS, ids=str)
def test_limits(case: tuple[str, int, int, float]) -> None:
    """Written down in the module; a loss of them is finite."""
    weighting, v, k, p = case
    within, between = LIMITS[case]
    weights = weights_of(of_videos(v, k), p, weighting)
    if within is not None:
        assert weights[0, 1] == pytest.approx(within)
    if between is not None:
        assert weights[0, -1] == pytest.approx(between)
    scores = torch.zeros(v * k, v * k)
    for form in ("code", "exact"):
        loss = MaxMarginLoss(form=form)(scores, torch.from_numpy(weights), positives_of(v * k))
        assert bool(loss.isfinite())


@pytest.mark.parametrize("weighting", ["code", "exact"])
@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
def test_one_pair(weighting: str, p: float) -> None:
    assert np.isfinite(weights_of(np.array([7]), p, weighting)).all()


def test_the_weights_of_each_sampler() -> None:
    ids = of_videos(3, 4)
    assert np.array_equal(IntraVideoSampler().weights(ids), weights_of(ids, 0.5, "code"))
    exact = IntraVideoSampler(intra=0.2, weighting="exact")
    assert np.array_equal(exact.weights(ids), weights_of(ids, 0.2, "exact"))
    inter = np.where(np.equal.outer(ids, ids), 0, 1.5)
    assert np.array_equal(InterVideoSampler().weights(ids), inter)
    assert np.array_equal(UniformSampler().weights(ids), np.ones((12, 12)))
    assert np.array_equal(HardSampler(intra=0.2).weights(ids), weights_of(ids, 0.2, "code"))


# --- semi-hard negatives ---


def test_semi_hard_by_hand() -> None:
    """The right pair scores 0.5: nearest below first (0.4, 0.1), then nearest above (0.6, 0.9)."""
    scores = torch.tensor([[0.5, 0.9, 0.1, 0.4, 0.6]])
    right = torch.tensor([[True, False, False, False, False]])
    chosen = {
        share: semi_hard(scores, right, ~right, share)[0].nonzero().ravel().tolist()
        for share in (0.25, 0.3, 0.75, 1.0)
    }
    assert chosen == {0.25: [3], 0.3: [2, 3], 0.75: [2, 3, 4], 1.0: [1, 2, 3, 4]}


def semi_hard_by_loop(scores: Any, right: Any, among: Any, share: float) -> list[list[bool]]:
    chosen = []
    for row, own, cells in zip(scores, right, among, strict=True):
        best = max(score for score, is_own in zip(row, own, strict=True) if is_own)
        free = [j for j, cell in enumerate(cells) if cell]
        free.sort(key=lambda j: (0, best - row[j], j) if row[j] < best else (1, row[j] - best, j))
        kept = set(free[: int(np.ceil(share * len(free)))])
        chosen.append([j in kept for j in range(len(row))])
    return chosen


@given(seed=st.integers(0, 1000), n=st.integers(1, 8), share=st.sampled_from([0.25, 0.5, 1.0]))
def test_semi_hard_equals_a_loop(seed: int, n: int, share: float) -> None:
    """Scores are multiples of 1/8, so that ties are frequent and differences exact."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randint(-8, 9, (n, n), generator=generator) / 8
    right = positives_of(n)
    among = (torch.rand(n, n, generator=generator) < 0.7) & ~right
    wanted = semi_hard_by_loop(scores.tolist(), right.tolist(), among.tolist(), share)
    assert semi_hard(scores, right, among, share).tolist() == wanted


@pytest.mark.parametrize("candidates", [1, 3])
def test_focus_keeps_both_sorts_and_all_positives(candidates: int) -> None:
    v, k = 4, 6
    ids = torch.from_numpy(of_videos(v, k))
    positives = positives_of(v * k, candidates)
    scores = torch.randn(positives.shape, generator=torch.Generator().manual_seed(0))
    sampler = HardSampler(hardest=0.2)
    assert isinstance(sampler, ScoreFocus)
    kept = sampler.focus(scores, positives, ids)
    assert kept[positives].all()
    same = ids[:, None] == ids.repeat_interleave(candidates)[None, :]
    for sort in (same & ~positives, ~same):
        share = float(kept[sort].float().mean())
        assert 0.2 <= share < 0.5
        assert (kept & sort).any(dim=1).all()
        assert (kept & sort).any(dim=0).all()


def test_focus_on_everything() -> None:
    positives = positives_of(6)
    kept = HardSampler(hardest=1.0).focus(torch.rand(6, 6), positives, torch.arange(6) // 2)
    assert kept.all()


def test_focus_of_one_pair() -> None:
    kept = HardSampler().focus(torch.rand(1, 1), positives_of(1), torch.tensor([3]))
    assert kept.tolist() == [[True]]


# --- options ---


def test_the_samplers_there_are() -> None:
    ours = [p.name for p in plugins.installed("samplers") if p.distribution == "howto"]
    assert ours == ["hard", "inter-video", "intra-video", "uniform"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("intra-video", {"intra": 1.5}, r"intra-video negatives lies in 0..1, got 1.5"),
        ("intra-video", {"intra": float("nan")}, r"lies in 0..1, got nan"),
        ("inter-video", {"weighting": "paper"}, "no weighting 'paper'; there are code and exact"),
        ("hard", {"hardest": 0.0}, "over 0, at most 1, got 0.0"),
    ],
)
def test_options_out_of_range(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plugins.create("samplers", name, **options)

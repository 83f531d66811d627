"""Losses against plain loops over pairs, their limits, and the suite that every loss runs."""

import math
from typing import ClassVar

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st

from howto import plugins
from howto.errors import UsageError
from howto.testing import LossContract
from howto.train.losses import InfoNceLoss, MaxMarginLoss, MilNceLoss, positives_of
from howto.train.samplers import weights_of


class TestMaxMargin(LossContract):
    plugin = "max-margin"


class TestMaxMarginExact(LossContract):
    plugin = "max-margin"
    options: ClassVar = {"form": "exact"}


class TestMilNce(LossContract):
    plugin = "mil-nce"


class TestMilNcePaper(LossContract):
    plugin = "mil-nce"
    options: ClassVar = {"form": "paper"}


class TestInfoNce(LossContract):
    plugin = "info-nce"


# --- plain loops over pairs, in Python floats ---


def hinge(value: float) -> float:
    return value if value > 0 else 0.0


def published_weight(i: int, j: int, v: int, k: int, p: float) -> float:
    if k == 1:
        return 1.0
    return v * p if i // k == j // k else v * (1 - p) / (v - 1)


def published_by_loop(scores: list[list[float]], v: int, k: int, p: float, m: float) -> float:
    total = 0.0
    for i in range(v * k):
        for j in range(v * k):
            cell = hinge(m + scores[i][j] - scores[i][i]) + hinge(m + scores[i][j] - scores[j][j])
            total += published_weight(i, j, v, k, p) * cell
    return total / (v * k) ** 2


def paper_by_loop(scores: list[list[float]], v: int, k: int, p: float, m: float) -> float:
    """Appendix B, as sum over i of the terms of pair i, divided by the weights' sum."""
    total = mass = 0.0
    for i in range(v * k):
        for j in range(v * k):
            if i == j:
                continue
            a = p * k * (v - 1) / ((1 - p) * (k - 1)) if i // k == j // k else 1.0
            total += a * hinge(m + scores[i][j] - scores[i][i])
            total += a * hinge(m + scores[j][i] - scores[i][i])
            mass += a
    return total / mass


def sums(scores: list[list[float]], weights: list[list[float]], k: int) -> list[tuple]:
    """Of each clip: exp over its candidates, its wrong captions, and their wrong clips."""
    n = len(scores)
    found = []
    for i in range(n):
        own = range(i * k, (i + 1) * k)
        right = sum(math.exp(scores[i][j]) for j in own)
        captions = sum(weights[i][j] * math.exp(scores[i][j]) for j in range(n * k) if j not in own)
        clips = sum(weights[o][j] * math.exp(scores[o][j]) for j in own for o in range(n) if o != i)
        found.append((right, captions, clips))
    return found


def mil_nce_by_loop(
    scores: list[list[float]], weights: list[list[float]], k: int, times: int
) -> float:
    terms = [-math.log(p / (times * p + n1 + n2)) for p, n1, n2 in sums(scores, weights, k)]
    return sum(terms) / len(terms)


def info_nce_by_loop(scores: np.ndarray, weights: np.ndarray, k: int, t: float) -> float:
    n = len(scores)
    logits = scores / t
    clips = [-math.log(p / (p + n1)) for p, n1, _ in sums(logits.tolist(), weights.tolist(), k)]
    captions = []
    for j in range(n * k):
        right = math.exp(logits[j // k][j])
        wrong = sum(weights[o][j] * math.exp(logits[o][j]) for o in range(n) if o != j // k)
        captions.append(-math.log(right / (right + wrong)))
    return (sum(clips) / n + sum(captions) / (n * k)) / 2


def random_scores(rows: int, columns: int, seed: int = 0, scale: float = 0.2) -> torch.Tensor:
    return scale * torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


def batch_weights(v: int, k: int, p: float, weighting: str) -> torch.Tensor:
    return torch.from_numpy(weights_of(np.repeat(np.arange(v), k), p, weighting))


def gradient(loss, scores: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
    leaf = scores.clone().requires_grad_()
    loss(leaf, *others).backward()
    assert leaf.grad is not None
    return leaf.grad


# --- max-margin ---


@given(
    v=st.integers(2, 5),
    k=st.integers(1, 5),
    p=st.floats(0, 1),
    margin=st.floats(0, 0.5),
    seed=st.integers(0, 1000),
)
def test_code_equals_a_loop_over_pairs(v: int, k: int, p: float, margin: float, seed: int) -> None:
    scores = random_scores(v * k, v * k, seed)
    loss = MaxMarginLoss(margin=margin)(scores, batch_weights(v, k, p, "code"), positives_of(v * k))
    assert float(loss) == pytest.approx(
        published_by_loop(scores.tolist(), v, k, p, margin), abs=1e-6, rel=1e-6
    )


@given(v=st.integers(2, 5), k=st.integers(2, 5), p=st.floats(0, 0.95), seed=st.integers(0, 1000))
def test_exact_equals_a_loop_over_pairs(v: int, k: int, p: float, seed: int) -> None:
    scores = random_scores(v * k, v * k, seed)
    loss = MaxMarginLoss(form="exact")(scores, batch_weights(v, k, p, "exact"), positives_of(v * k))
    assert float(loss) == pytest.approx(
        paper_by_loop(scores.tolist(), v, k, p, 0.1), abs=1e-6, rel=1e-6
    )


@pytest.mark.parametrize(("v", "k"), [(3, 5), (8, 16), (7, 50)])
def test_code_has_the_bits_of_the_published_formula(v: int, k: int) -> None:
    """The formula as plain tensors; sizes below, at and past the rows of one step."""
    scores, weights = random_scores(v * k, v * k), batch_weights(v, k, 0.5, "code")

    def published(x: torch.Tensor, mask: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        right = torch.diag(x)
        by_row = F.relu(0.1 + x - right.view(-1, 1))
        by_column = F.relu(0.1 + x - right.view(1, -1))
        return ((by_row + by_column) * mask).mean()

    batch = scores, weights, positives_of(v * k)
    assert torch.equal(MaxMarginLoss()(*batch), published(*batch))
    ours, theirs = gradient(MaxMarginLoss(), *batch), gradient(published, *batch)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6 * float(theirs.abs().max()))


@pytest.mark.parametrize("form", ["code", "exact"])
def test_gradients_are_those_of_finite_differences(form: str) -> None:
    scores = random_scores(6, 6).double().requires_grad_()
    weights = batch_weights(2, 3, 0.3, form).double()
    loss = MaxMarginLoss(form=form)
    assert torch.autograd.gradcheck(lambda x: 3 * loss(x, weights, positives_of(6)), scores)


def test_the_right_pairs_add_their_constant() -> None:
    """Where every wrong pair is far below, 2 m p / k is left of `code`, nothing of `exact`."""
    v, k, p, margin = 4, 8, 0.5, 0.1
    scores = torch.eye(v * k)
    batch = scores, batch_weights(v, k, p, "code"), positives_of(v * k)
    assert float(MaxMarginLoss(margin=margin)(*batch)) == pytest.approx(2 * margin * p / k)
    assert float(MaxMarginLoss(margin=margin, form="exact")(*batch)) == 0


def test_by_hand() -> None:
    """Two pairs: s_00 = 0.5, s_01 = 0.45, s_10 = 0.2, s_11 = 0.3; m = 0.1.

    Cell 01: max(0, 0.1 + 0.45 - 0.5) + max(0, 0.1 + 0.45 - 0.3) = 0.05 + 0.25; cell 10: 0 + 0.
    """
    scores = torch.tensor([[0.5, 0.45], [0.2, 0.3]])
    batch = scores, torch.ones(2, 2), positives_of(2)
    assert float(MaxMarginLoss(form="exact")(*batch)) == pytest.approx(0.30 / 2)
    assert float(MaxMarginLoss()(*batch)) == pytest.approx((0.30 + 4 * 0.1) / 4)


def test_a_tie_counts_the_margin() -> None:
    batch = torch.full((4, 4), 0.3), torch.ones(4, 4), positives_of(4)
    assert float(MaxMarginLoss(form="exact")(*batch)) == pytest.approx(0.2)
    assert torch.isfinite(gradient(MaxMarginLoss(margin=0.0), *batch)).all()


def test_candidates_by_a_loop() -> None:
    """The best candidate is a clip's right pair; each caption's is its own."""
    n, k, m = 4, 3, 0.1
    scores, weights = random_scores(n, n * k), torch.rand(n, n * k)
    s = scores.tolist()
    total = mass = 0.0
    for i in range(n):
        for j in range(n * k):
            if j // k != i:
                best = max(s[i][i * k : (i + 1) * k])
                cell = hinge(m + s[i][j] - best) + hinge(m + s[i][j] - s[j // k][j])
                total, mass = total + float(weights[i, j]) * cell, mass + float(weights[i, j])
    batch = scores, weights, positives_of(n, k)
    assert float(MaxMarginLoss()(*batch)) == pytest.approx(total / (n * n * k), abs=1e-6)
    assert float(MaxMarginLoss(form="exact")(*batch)) == pytest.approx(total / mass, abs=1e-6)


def test_the_full_step_makes_few_arrays() -> None:
    """Forward and backward of 2,048 pairs stay within four arrays of that size over the input."""
    size = 2048
    scores = random_scores(size, size).requires_grad_()
    weights = batch_weights(32, 64, 0.5, "code")
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(
        activities=activities, profile_memory=True, acc_events=True
    ) as profile:
        MaxMarginLoss()(scores, weights, positives_of(size)).backward()
    held = peak = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    assert 2 * size**2 * 4 < peak <= 4 * size**2 * 4


# --- MIL-NCE and InfoNCE ---


@given(
    n=st.integers(1, 5),
    k=st.integers(1, 4),
    scale=st.floats(0.1, 4),
    form=st.sampled_from([("code", 2), ("paper", 1)]),
    seed=st.integers(0, 1000),
)
def test_mil_nce_equals_a_loop(n: int, k: int, scale: float, form, seed: int) -> None:
    scores = random_scores(n, n * k, seed, scale)
    weights = torch.rand(n, n * k, generator=torch.Generator().manual_seed(seed))
    loss = MilNceLoss(form=form[0])(scores, weights, positives_of(n, k))
    wanted = mil_nce_by_loop(scores.tolist(), weights.tolist(), k, form[1])
    assert float(loss) == pytest.approx(wanted, abs=1e-6, rel=2e-6)


@given(n=st.integers(1, 5), k=st.integers(1, 4), t=st.floats(0.05, 1), seed=st.integers(0, 1000))
def test_info_nce_equals_a_loop(n: int, k: int, t: float, seed: int) -> None:
    scores = random_scores(n, n * k, seed)
    weights = torch.rand(n, n * k, generator=torch.Generator().manual_seed(seed))
    loss = InfoNceLoss(temperature=t)(scores, weights, positives_of(n, k))
    wanted = info_nce_by_loop(scores.double().numpy(), weights.double().numpy(), k, t)
    assert float(loss) == pytest.approx(wanted, abs=1e-6, rel=2e-6)


def test_info_nce_of_one_caption_is_cross_entropy_both_ways() -> None:
    scores = random_scores(7, 7)
    loss = InfoNceLoss(temperature=0.1)(scores, torch.ones(7, 7), positives_of(7))
    target = torch.arange(7)
    both = F.cross_entropy(scores / 0.1, target), F.cross_entropy(scores.T / 0.1, target)
    torch.testing.assert_close(loss, sum(both) / 2)


def test_the_least_of_both_forms_of_mil_nce() -> None:
    """Where the right pairs are far above all others: log 2 as published, 0 in the paper."""
    batch = torch.eye(5) * 20, torch.ones(5, 5), positives_of(5)
    assert float(MilNceLoss(form="code")(*batch)) == pytest.approx(math.log(2), abs=2e-6)
    assert float(MilNceLoss(form="paper")(*batch)) == pytest.approx(0, abs=2e-6)


def test_large_scores_do_not_overflow() -> None:
    batch = 1e4 * random_scores(5, 15), torch.ones(5, 15), positives_of(5, 3)
    for loss in (MilNceLoss(), MilNceLoss(form="paper"), InfoNceLoss()):
        assert torch.isfinite(loss(*batch))
        assert torch.isfinite(gradient(loss, *batch)).all()


# --- all of them ---


def test_positives_of_a_batch() -> None:
    assert positives_of(2, 3).int().tolist() == [[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]]
    assert torch.equal(positives_of(4), torch.eye(4, dtype=torch.bool))


def test_the_losses_there_are() -> None:
    names = [plugin.name for plugin in plugins.installed("losses")]
    assert names == ["info-nce", "max-margin", "mil-nce"]
    assert plugins.noun("losses") == "loss"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("max-margin", {"form": "paper"}, "'max-margin' has no form 'paper'; there are code and"),
        ("max-margin", {"margin": -0.1}, "margin of a loss is 0 or more, got -0.1"),
        ("max-margin", {"margin": math.nan}, "margin of a loss is 0 or more, got nan"),
        ("mil-nce", {"form": "exact"}, "'mil-nce' has no form 'exact'; there are code and paper"),
        ("info-nce", {"temperature": 0}, "temperature of a loss is over 0, got 0"),
    ],
)
def test_options_out_of_range(name: str, options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plugins.create("losses", name, **options)


@pytest.mark.parametrize("loss", [MaxMarginLoss(), MilNceLoss(), InfoNceLoss()])
def test_nothing_large_is_kept_beside_what_came_in_and_the_gradient(loss) -> None:
    scores = torch.randn(300, 300, requires_grad=True)
    weights, positives = torch.ones(300, 300), positives_of(300)
    kept = {}

    def look(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.numel() >= 300 * 300:
            kept[tensor.data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(look, lambda tensor: tensor):
        loss(scores, weights, positives)
    given = {one.data_ptr() for one in (scores, weights, positives)}
    assert len(kept.keys() - given) <= 1


@pytest.mark.parametrize("loss", [MilNceLoss(), InfoNceLoss()])
@pytest.mark.parametrize("candidates", [1, 3])
def test_parts_of_a_batch_are_the_whole(loss, candidates: int, monkeypatch) -> None:
    torch.manual_seed(0)
    scores = torch.randn(30, 30 * candidates, dtype=torch.float64)
    weights, positives = torch.rand(30, 30 * candidates), positives_of(30, candidates)
    found = []
    for rows in (128, 7):
        monkeypatch.setattr("howto.train.losses._CACHED_ROWS", rows)
        taken = scores.clone().requires_grad_()
        value = loss(taken, weights, positives)
        value.backward()
        found.append((value.detach(), taken.grad))
    torch.testing.assert_close(found[0], found[1])

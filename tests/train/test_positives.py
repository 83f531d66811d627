"""Which right pairs train, and which wrong ones are left out."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from howto.errors import UsageError
from howto.train.losses import MaxMarginLoss, MilNceLoss, positives_of
from howto.train.overlaps import caption_ids, false_negatives, masked
from howto.train.positives import best_positives, sub_batch

# --- positives ---


def best_by_loop(scores: list[float], videos: list[int], keep: float) -> list[int]:
    kept = []
    for video in set(videos):
        pairs = [i for i, each in enumerate(videos) if each == video]
        pairs.sort(key=lambda i: (-scores[i], i))
        kept += pairs[: math.ceil(round(keep * len(pairs), 6))]
    return sorted(kept)


@given(
    pairs=st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 4)), min_size=1, max_size=40),
    keep=st.sampled_from([0.01, 0.2, 0.5, 0.9, 1.0]),
)
def test_the_best_of_each_video_stay(pairs: list[tuple[int, int]], keep: float) -> None:
    scores, videos = [float(score) for score, _ in pairs], [video for _, video in pairs]
    kept = best_positives(torch.tensor(scores), torch.tensor(videos), keep)
    assert kept.tolist() == best_by_loop(scores, videos, keep)


@pytest.mark.parametrize(("keep", "kept"), [(0.55, 55), (0.551, 56), (1e-6, 1), (1.0, 100)])
def test_how_many_stay(keep: float, kept: int) -> None:
    assert len(best_positives(torch.rand(100), torch.zeros(100).long(), keep)) == kept


def test_a_nan_stays_to_be_seen() -> None:
    kept = best_positives(torch.tensor([0.1, math.nan, 0.9]), torch.zeros(3).long(), 0.3)
    assert kept.tolist() == [1]


@pytest.mark.parametrize("keep", [0.0, -1.0, 1.01, math.nan])
def test_a_fraction_out_of_range(keep: float) -> None:
    with pytest.raises(UsageError, match="over 0, at most 1"):
        best_positives(torch.zeros(2), torch.zeros(2).long(), keep)


@pytest.mark.parametrize("candidates", [1, 3])
def test_a_sub_batch_is_the_batch_of_its_pairs(candidates: int) -> None:
    """The loss is that of the pairs that stay, and the others get no gradient."""
    positives = positives_of(5, candidates)
    scores = torch.randn(positives.shape, generator=torch.Generator().manual_seed(0))
    weights = torch.rand(positives.shape, generator=torch.Generator().manual_seed(1))
    pairs = torch.tensor([0, 3])
    leaf = scores.clone().requires_grad_()
    smaller = sub_batch(leaf, weights, positives, pairs)
    assert torch.equal(smaller[2], positives_of(2, candidates))
    columns = [pair * candidates + c for pair in (0, 3) for c in range(candidates)]
    assert torch.equal(smaller[0], scores[[0, 3]][:, columns])
    assert torch.equal(smaller[1], weights[[0, 3]][:, columns])
    for loss in (MaxMarginLoss(), MilNceLoss()):
        leaf.grad = None
        loss(*sub_batch(leaf, weights, positives, pairs)).backward()
        assert leaf.grad is not None
        touched = leaf.grad.nonzero()
        assert set(touched[:, 0].tolist()) <= {0, 3}
        assert set(touched[:, 1].tolist()) <= set(columns)
        assert len(touched)


# --- false negatives ---


def false_by_loop(videos, spans, texts, min_iou) -> list[list[bool]]:
    n, k = len(videos), len(texts[0])
    cells = [[False] * (n * k) for _ in range(n)]
    for i in range(n):
        for j in range(n * k):
            if j // k == i:
                continue
            o = j // k
            shared = min(spans[i][1], spans[o][1]) - max(spans[i][0], spans[o][0])
            union = (spans[i][1] - spans[i][0]) + (spans[o][1] - spans[o][0]) - shared
            overlap = spans[i] == spans[o] or (shared > 0 and shared >= min_iou * union)
            cells[i][j] = (videos[i] == videos[o] and overlap) or texts[o][j % k] in texts[i]
    return cells


SPANS = st.tuples(st.integers(0, 12), st.integers(0, 8)).map(lambda s: (s[0] / 2, sum(s) / 2))


@given(data=st.data(), n=st.integers(1, 8), k=st.integers(1, 3), iou=st.sampled_from([0.25, 0.5]))
def test_false_negatives_equal_a_loop(data: st.DataObject, n: int, k: int, iou: float) -> None:
    """Times are halves, so that an IoU of just 0.5 comes up and is exact."""

    def lists(of: st.SearchStrategy, size: int) -> list:
        return data.draw(st.lists(of, min_size=size, max_size=size))

    videos, spans = lists(st.integers(0, 2), n), lists(SPANS, n)
    texts = lists(st.lists(st.integers(0, 9), min_size=k, max_size=k), n)
    cells = false_negatives(np.array(videos), spans, np.array(texts), min_iou=iou)
    assert cells.tolist() == false_by_loop(videos, spans, texts, iou)


def test_false_negatives_by_hand() -> None:
    """Pairs 0 and 1 overlap by half of their union, 2 is of another video, 3 says what 2 says."""
    spans = [(0, 4), (1, 4.5), (1, 4.5), (20, 24)]
    cells = false_negatives(np.array([5, 5, 6, 5]), spans, np.array([10, 11, 12, 12]))
    assert np.argwhere(cells).tolist() == [[0, 1], [1, 0], [2, 3], [3, 2]]


def test_one_pair_drawn_twice_is_no_negative_of_itself() -> None:
    spans, texts = [(3.0, 3.0), (3.0, 3.0)], np.array([1, 1])
    assert false_negatives(np.array([5, 5]), spans, texts).tolist() == [
        [False, True],
        [True, False],
    ]


def test_captions_of_the_same_words_have_one_number() -> None:
    words = np.array([[3, 7, 0], [7, 3, 0], [3, 7, 0], [0, 0, 0]], np.int32)
    numbers = caption_ids(words)
    assert numbers.dtype == np.int64
    assert numbers[0] == numbers[2]
    assert len(set(numbers.tolist())) == 3
    candidates = caption_ids(words.reshape(2, 2, 3))
    assert candidates.shape == (2, 2)
    assert candidates.ravel().tolist() == numbers.tolist()


def test_masked_weights_leave_cells_out_of_the_loss() -> None:
    """A pair drawn twice pushes itself away unless it is masked."""
    weights = np.ones((3, 3), np.float32)
    cells = false_negatives(np.array([5, 5, 6]), [(0, 4), (0, 4), (0, 4)], np.array([1, 1, 2]))
    assert masked(weights, cells).tolist() == [[1, 0, 1], [0, 1, 1], [1, 1, 1]]
    assert (weights == 1).all()
    scores = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    loss = MaxMarginLoss(form="exact")
    with_them = loss(scores, torch.from_numpy(weights), positives_of(3))
    without = loss(scores, torch.from_numpy(masked(weights, cells)), positives_of(3))
    assert float(with_them) == pytest.approx(4 * 0.1 / 6)
    assert float(without) == 0

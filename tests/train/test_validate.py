"""Evaluation on held-out videos."""

import numpy as np
import pytest

from howto.train.validate import evaluate, ranks_among


def test_clips_are_asked_for_by_their_captions() -> None:
    rng = np.random.default_rng(0)
    shown = rng.normal(size=(30, 5)).astype(np.float32)
    said = (shown + rng.normal(size=(30, 5))).astype(np.float32)
    videos = np.repeat(np.arange(6), 5)
    whole = evaluate(shown, said, videos)
    scores = said @ shown.T
    better = (scores > scores.diagonal()[:, None]).sum(axis=1)
    assert whole.coarse.recalls[5].value == pytest.approx((better < 5).mean())
    assert np.array_equal(ranks_among(shown, said).hits_at(5), better < 5)


def test_clips_that_are_alike_tie() -> None:
    """A bare product rounds its last columns in another way, so that equal clips do not tie."""
    rng = np.random.default_rng(3)
    said = rng.normal(size=(407, 495)).astype(np.float32)
    shown = np.tile(rng.normal(size=495).astype(np.float32), (407, 1))
    ranks = ranks_among(shown, said)
    assert ranks.tied.tolist() == [407] * 407
    assert ranks.recall_at(5) == ranks.chance_at(5)

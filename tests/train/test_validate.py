"""Evaluation on held-out videos: queries are scored a part at a time."""

import numpy as np
import pytest

from howto.train.validate import evaluate, ranks_among


def test_parts_of_the_queries_are_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    shown = rng.normal(size=(30, 5)).astype(np.float32)
    said = (shown + rng.normal(size=(30, 5))).astype(np.float32)
    videos = np.repeat(np.arange(6), 5)
    whole = evaluate(shown, said, videos)
    scores = said @ shown.T
    better = (scores > scores.diagonal()[:, None]).sum(axis=1)
    assert whole.coarse.recalls[5].value == pytest.approx((better < 5).mean())
    monkeypatch.setattr("howto.train.validate._QUERIES", 7)
    assert evaluate(shown, said, videos) == whole
    assert np.array_equal(ranks_among(shown, said).hits_at(5), better < 5)

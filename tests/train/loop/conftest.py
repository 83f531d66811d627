"""Small made-up pairs, and a model that learns them in seconds."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from howto.recipe import Recipe
from howto.train.loop import Problem
from howto.train.losses import MaxMarginLoss
from howto.train.model import TextVideoModel
from howto.train.pack import Pack, Stream
from howto.train.samplers import IntraVideoSampler
from howto.train.validate import held_out

FEATURES, WORDS, MEANINGS = 24, 40, 12


def pack_of(videos: int = 12, clips: int = 8, *, seed: int = 0, candidates: int = 1) -> Pack:
    """Clips that show one of a dozen things in the look of their video; captions name it."""
    rng = np.random.default_rng(seed)
    count = videos * clips
    looks = rng.normal(size=(videos, FEATURES))
    things = rng.normal(size=(MEANINGS, FEATURES))
    shown = rng.integers(0, MEANINGS, (videos, clips))
    vectors = looks[:, None] + 2 * things[shown]
    vectors += 0.3 * rng.normal(size=vectors.shape)
    # Each thing has three words of its own; the last word is chatter.
    said = 1 + 3 * shown.ravel()[:, None] + rng.integers(0, 3, (count, 2))
    chatter = rng.integers(1, WORDS, (count, 1))
    words = np.concatenate([said, chatter, np.zeros((count, 1))], axis=1).astype(np.int32)
    near = np.minimum(np.arange(count)[:, None] + np.arange(candidates), count - 1)
    starts = np.tile(np.arange(clips) * 5.0, videos)
    return Pack(
        folder=Path("nowhere"),
        recipe=Recipe.of(made=True, seed=seed),
        streams=(Stream("made", FEATURES, "1"),),
        candidates=candidates,
        video_ids=tuple(f"video-{number}" for number in range(videos)),
        clips=vectors.reshape(count, FEATURES).astype(np.float16),
        spans=np.stack([starts, starts + 5.0], axis=1),
        offsets=np.arange(videos + 1) * clips,
        words=words[near],
        texts=None,
        text_of=None,
        vocabulary=None,
        counts={},
    )


class BagOfWords(nn.Module):
    """The mean of word vectors that are learnt."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(WORDS, dim, mode="mean", padding_idx=0)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        return self.bag(words)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Matrices this small are quicker without the threads of a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def made_problem(one_thread: None) -> Callable[..., Problem]:
    """Make a problem; the same arguments give the same bits."""

    def make(*, seed: int = 0, dim: int = 16, pack: Pack | None = None, **parts: Any) -> Problem:
        torch.manual_seed(seed)
        model = TextVideoModel({"made": FEATURES}, dim, BagOfWords(dim), dim)
        pack = pack or pack_of(seed=seed)
        held = held_out(pack.video_ids, 0.2)
        sampler, loss = IntraVideoSampler(), MaxMarginLoss()
        given = {"sampler": sampler, "loss": loss, "trains": ~held, "held_out": held, **parts}
        return Problem(pack=pack, model=model, **given)

    return make


@pytest.fixture
def made_pack() -> Callable[..., Pack]:
    """Make pairs that can be learnt, for tests that want their own."""
    return pack_of

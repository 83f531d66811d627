"""`--compile` trains as without, with batches whose numbers of different words vary."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from howto.recipe import Recipe
from howto.train.config import TrainOptions
from howto.train.loop import Event, Problem, Stepped, train
from howto.train.losses import MaxMarginLoss
from howto.train.model import TextVideoModel
from howto.train.pack import Pack, Stream
from howto.train.samplers import IntraVideoSampler
from howto.train.text_pooling import TextPooling

pytestmark = [
    pytest.mark.long,
    # Of what torch.compile imports, and of what it looks at.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning"),
]

VIDEOS, CLIPS, COLUMNS, WORDS = 20, 8, 24, 200


def problem() -> Problem:
    rng = np.random.default_rng(0)
    count = VIDEOS * CLIPS
    words = rng.integers(0, WORDS, (count, 1, 6)) * (rng.random((count, 1, 6)) < 0.6)
    pack = Pack(
        folder=Path("nowhere"),
        recipe=Recipe.of(made=True),
        streams=(Stream("made", COLUMNS, "1"),),
        candidates=1,
        video_ids=tuple(f"video-{number:02}" for number in range(VIDEOS)),
        clips=rng.normal(size=(count, COLUMNS)).astype(np.float16),
        spans=np.zeros((count, 2)),
        offsets=np.arange(VIDEOS + 1) * CLIPS,
        words=words.astype(np.int32),
        texts=None,
        text_of=None,
        vocabulary=None,
        counts={},
    )
    torch.manual_seed(0)
    table = torch.randn(WORDS, 16)
    table[0] = 0
    model = TextVideoModel({"made": COLUMNS}, 32, TextPooling(table, 32), 32)
    every = np.ones(VIDEOS, bool)
    return Problem(pack, every, ~every, model, IntraVideoSampler(), MaxMarginLoss())


@pytest.fixture(autouse=True)
def without_yt_dlp(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.compile looks at all modules, and some of yt-dlp's, which other tests have imported,
    cannot be looked at."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "yt_dlp"]:
        monkeypatch.delitem(sys.modules, name)


def test_compiled_it_trains_as_without(tmp_path: Path) -> None:
    options = TrainOptions(epochs=6, lr=0.01, lr_decay=1.0, videos_per_batch=4, pairs_per_video=8)
    losses = []
    for is_compiled in (False, True):
        events: list[Event] = []
        folder = tmp_path / str(is_compiled)
        train(problem(), replace(options, compile=is_compiled), folder, on_event=events.append)
        losses.append([event.loss for event in events if isinstance(event, Stepped)])
    assert len(losses[0]) == 30
    assert losses[0][-1] < losses[0][0]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-3)

"""On drawn videos that were held out: what intra-video negatives and bf16 do to training."""

from dataclasses import replace

import numpy as np
import pytest

from howto.clip.pairs import PairOptions
from howto.clip.stage import clip_videos
from howto.demo import DemoSpec, write_demo
from howto.extract.choice import Choice, choose
from howto.extract.stage import extract_videos
from howto.library import Library
from howto.search.refresh import refresh
from howto.train.config import TrainOptions
from howto.train.stage import prepare, train_prepared
from howto.train.validate import Evaluation

pytestmark = pytest.mark.long

SPEC = DemoSpec(videos_per_task=14, size=(96, 64), speech=False, sample_rate=8000, crf=30)
OPTIONS = TrainOptions(
    backbone=("colour-motion",),
    epochs=60,
    lr=1e-3,
    pairs_per_video=16,
    dim=128,
    held_out=0.3,
    validate_every=0,
)
SEEDS = 5
STUDENT_T = 2.776  # of so many seeds, 95 per cent


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("demo") / "videos"
    write_demo(folder, SPEC)
    with Library.open(folder) as opened:
        refresh(opened)
        clip_videos(opened, PairOptions())
        extract_videos(opened, choose(Choice(("colour-motion",), "cpu")))
        yield opened


def trained(library: Library, name: str, options: TrainOptions) -> Evaluation:
    found = train_prepared(prepare(library, options, name)).trained.evaluation
    assert found is not None
    return found


def test_intra_video_negatives_tell_clips_of_one_video_apart(library: Library) -> None:
    gaps = []
    for seed in range(1, SEEDS + 1):
        recalls = []
        for sampler in ("intra-video", "uniform"):
            options = replace(OPTIONS, sampler=sampler, seed=seed)
            fine = trained(library, f"{sampler}-{seed}", options).fine
            assert fine is not None
            recalls.append(fine.recalls[1].value)
        gaps.append(recalls[0] - recalls[1])
    half = STUDENT_T * np.std(gaps, ddof=1) / SEEDS**0.5
    assert np.mean(gaps) - half > 0, gaps


def test_bf16_ends_where_fp32_does(library: Library) -> None:
    ends = [
        trained(library, precision, replace(OPTIONS, precision=precision)).coarse
        for precision in ("fp32", "bf16")
    ]
    for k in (1, 5, 10):
        ours, theirs = (end.recalls[k] for end in ends)
        assert ours.low <= theirs.value <= ours.high
        assert theirs.low <= ours.value <= theirs.high

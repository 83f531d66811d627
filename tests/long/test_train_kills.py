"""Training killed at random instants and resumed ends with the weights of a run left alone."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from howto.train import checkpoint

pytestmark = pytest.mark.long

KILLS = 20
PROGRAM = """
import sys
sys.path.insert(0, {here!r})
import torch
torch.set_num_threads(1)
from pathlib import Path
from conftest import BagOfWords, FEATURES, pack_of
from howto.train import checkpoint
from howto.train.config import TrainOptions
from howto.train.loop import Problem, train
from howto.train.losses import MaxMarginLoss
from howto.train.model import TextVideoModel
from howto.train.samplers import IntraVideoSampler
from howto.train.validate import held_out

run = Path(sys.argv[1])
torch.manual_seed(0)
pack = pack_of(videos=40)
model = TextVideoModel({{"made": FEATURES}}, 64, BagOfWords(64), 64)
held = held_out(pack.video_ids, 0.2)
problem = Problem(pack, ~held, held, model, IntraVideoSampler(), MaxMarginLoss())
options = TrainOptions(epochs=150, lr=0.01, lr_decay=1.0, videos_per_batch=8, pairs_per_video=8,
                       validate_every=10, checkpoint_every=0.02, accumulate=2)
print("ready", flush=True)
train(problem, options, run, resume=checkpoint.load(run))
"""


def test_killed_at_random_instants_the_weights_are_the_same(tmp_path: Path) -> None:
    import torch

    script = tmp_path / "program.py"
    here = Path(__file__).resolve().parents[1] / "train" / "loop"
    script.write_text(PROGRAM.format(here=str(here)))
    began = time.monotonic()
    subprocess.run([sys.executable, script, tmp_path / "whole"], check=True, timeout=600)
    whole_seconds = time.monotonic() - began
    chance = random.Random(0)
    killed = 0
    for _ in range(KILLS):
        # Where it is killed varies from its start to some way into the training.
        process = subprocess.Popen(
            [sys.executable, script, tmp_path / "parts"], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0, whole_seconds / KILLS))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.wait()
        process.stdout.close()
        assert process.returncode in (0, -signal.SIGKILL)
    subprocess.run([sys.executable, script, tmp_path / "parts"], check=True, timeout=600)
    assert killed > KILLS // 2
    ends = [checkpoint.load(tmp_path / name) for name in ("whole", "parts")]
    assert all(end is not None and end.state.finished for end in ends)
    for part in ("model", "optimiser", "rng"):
        ours, theirs = (getattr(end, part) for end in ends)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert ends[0].state.best == ends[1].state.best

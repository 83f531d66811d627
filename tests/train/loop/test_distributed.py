"""Two processes on this machine train as one does on the whole batch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

PROGRAM = """
import sys, signal, os
sys.path.insert(0, {here!r})
from dataclasses import replace
from pathlib import Path
import torch
torch.set_num_threads(1)
from conftest import BagOfWords, FEATURES, pack_of
from howto.train.batches import Batches
from howto.train.config import TrainOptions
from howto.train.distributed import connected
from howto.train.loop import Problem, Stepped, loss_of, train
from howto.train.losses import MaxMarginLoss, MilNceLoss
from howto.train.model import TextVideoModel
from howto.train.samplers import IntraVideoSampler
from howto.train.validate import held_out

out, dies = Path(sys.argv[1]), "dies" in sys.argv
torch.manual_seed(0)
pack = pack_of(candidates=2)
model = TextVideoModel({{"made": FEATURES}}, 16, BagOfWords(16), 16)
held = held_out(pack.video_ids, 0.2)
problem = Problem(pack, ~held, held, model, IntraVideoSampler(), MilNceLoss())
options = TrainOptions(epochs=4, lr=0.01, lr_decay=1.0, videos_per_batch=3, pairs_per_video=5,
                       mask_overlaps=True, keep_positives=0.8, validate_every=1)
with connected("cpu") as world:
    made = Batches(pack, ~held, problem.sampler, 3, 5, 1, mask_overlaps=True, world=world)
    batch = made.ready(next(iter(made.drawn(0))))
    wrapped = world.wrap(model)
    loss = loss_of(wrapped, batch, problem, 0.8, world)
    loss.backward()
    gradients = {{name: p.grad.clone() for name, p in model.named_parameters()}}
    model.zero_grad(set_to_none=True)

    def listen(event):
        if dies and isinstance(event, Stepped) and event.step == 5:
            os.kill(other, signal.SIGKILL)

    if world.size > 1:
        pids = torch.zeros(world.size, dtype=torch.int64)
        pids[world.rank] = os.getpid()
        torch.distributed.all_reduce(pids)
        other = int(pids[-1])
    done = train(problem, options, out / "run", world=world, on_event=listen)
    if world.is_main:
        torch.save({{"loss": loss.detach(), "gradients": gradients,
                    "model": model.state_dict(), "losses": done.state.step}}, out / "end.pt")
"""


def start(tmp_path: Path, processes: int, *words: str) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM.format(here=str(Path(__file__).parent)))
    launch = [sys.executable]
    if processes > 1:
        launch += ["-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
        launch += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0"]
    return subprocess.run(
        [*launch, str(script), str(tmp_path), *words],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("alone")
    ended = start(folder, 1)
    assert ended.returncode == 0, ended.stderr
    return torch.load(folder / "end.pt", weights_only=True)


def test_two_processes_have_the_loss_and_gradients_of_one(tmp_path: Path, alone: dict) -> None:
    ended = start(tmp_path, 2)
    assert ended.returncode == 0, ended.stderr
    both = torch.load(tmp_path / "end.pt", weights_only=True)
    torch.testing.assert_close(both["loss"], alone["loss"], rtol=1e-6, atol=1e-7)
    for name, gradient in alone["gradients"].items():
        assert gradient.abs().max() > 1e-5
        torch.testing.assert_close(both["gradients"][name], gradient, rtol=1e-4, atol=1e-6)
    for name, tensor in alone["model"].items():
        torch.testing.assert_close(both["model"][name], tensor, rtol=1e-3, atol=1e-4)


def test_a_process_that_dies_ends_the_run_with_its_checkpoint(tmp_path: Path) -> None:
    from howto.train import checkpoint

    ended = start(tmp_path, 2, "dies")
    assert ended.returncode != 0
    kept = checkpoint.load(tmp_path / "run")
    assert kept is not None
    assert kept.state.step == 5
    assert not kept.state.finished


def test_each_process_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from howto.train.distributed import own_device

    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert [own_device(one) for one in ("cuda", "cuda:2", "cpu")] == ["cuda", "cuda:2", "cpu"]
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert [own_device(one) for one in ("cuda", "cuda:2", "cpu")] == ["cuda:1", "cuda:2", "cpu"]

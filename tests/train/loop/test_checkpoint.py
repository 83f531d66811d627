"""Checkpoints on the disk: whole or absent, and damaged ones named."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from howto.errors import LibraryError
from howto.train import checkpoint
from howto.train.checkpoint import LoopState
from howto.train.config import TrainOptions
from howto.train.loop import Problem, train
from howto.train.runs import MetricsFile, read_metrics

OPTIONS = TrainOptions(epochs=2, lr=0.01, lr_decay=1.0, videos_per_batch=4, pairs_per_video=6)


@pytest.fixture
def trained(made_problem: Callable[..., Problem], tmp_path: Path) -> tuple[Problem, Path]:
    problem = made_problem()
    train(problem, OPTIONS, tmp_path / "run")
    return problem, tmp_path / "run"


def adam(problem: Problem) -> torch.optim.Optimizer:
    return torch.optim.Adam(problem.model.parameters(), fused=True)


def test_what_was_saved_is_restored(
    trained: tuple[Problem, Path], made_problem: Callable[..., Problem]
) -> None:
    problem, run = trained
    found = checkpoint.load(run)
    other = made_problem(seed=3)
    torch.rand(100)
    optimiser = adam(other)
    assert checkpoint.restore(found, other.model, optimiser) == found.state
    for name, tensor in problem.model.state_dict().items():
        assert torch.equal(tensor, other.model.state_dict()[name])
    moments = optimiser.state_dict()["state"]
    assert moments[0]["step"] == found.state.step
    assert torch.equal(moments[1]["exp_avg"], found.optimiser["1.exp_avg"])
    assert torch.equal(torch.get_rng_state(), found.rng["cpu"])


def test_the_same_step_again_replaces_nothing(trained: tuple[Problem, Path]) -> None:
    problem, run = trained
    state = checkpoint.load(run).state
    optimiser = adam(problem)
    first = checkpoint.save(run, state, problem.model.state_dict(), optimiser, best=True)
    second = checkpoint.save(run, state, problem.model.state_dict(), optimiser)
    assert first != second
    assert checkpoint.pointed(run, checkpoint.BEST) == first
    assert checkpoint.pointed(run, checkpoint.LAST) == second


def test_what_a_kill_left_is_removed_later(trained: tuple[Problem, Path]) -> None:
    problem, run = trained
    part = run / "checkpoints" / ".step-00000009.part"
    part.mkdir()
    (part / "model.safetensors").write_bytes(b"half")
    lost = run / "checkpoints" / "step-00000008"
    lost.mkdir()
    before = checkpoint.load(run)
    assert before.state.finished
    checkpoint.save(run, before.state, problem.model.state_dict(), adam(problem))
    assert not part.exists()
    assert not lost.exists()


@pytest.fixture
def old(trained: tuple[Problem, Path]) -> Path:
    """A checkpoint that the next save removes."""
    folder = trained[1] / "checkpoints" / "step-00000001"
    folder.mkdir()
    return folder


def save_again(trained: tuple[Problem, Path]) -> None:
    problem, run = trained
    state = checkpoint.load(run).state
    checkpoint.save(run, state, problem.model.state_dict(), adam(problem))


@pytest.mark.parametrize("times", [1, 3])
def test_a_search_that_reads_what_is_removed_ends_no_training(
    trained: tuple[Problem, Path], old: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """It writes the checkpoint's hash beside it, which then is not empty when it is removed."""
    remove, hashes = os.rmdir, iter(range(times))

    def read_meanwhile(path: str, **settings: Any) -> None:
        if next(hashes, None) is not None:
            (old / "model.sha256").touch()
        remove(path, **settings)

    monkeypatch.setattr("os.rmdir", read_meanwhile)
    save_again(trained)
    assert old.exists() == (times == 3), "it was not tried again"
    save_again(trained)
    assert not old.exists()


def test_a_checkpoint_that_cannot_be_removed_is_told_and_ends_no_training(
    trained: tuple[Problem, Path],
    old: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (old.parent / ".DS_Store").touch()  # not a checkpoint, and not ours

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.rmdir", refuse)
    save_again(trained)
    assert any(str(old) in one.getMessage() for one in caplog.records)
    assert (old.parent / ".DS_Store").exists()


def test_a_file_that_goes_while_it_is_read_is_named(
    trained: tuple[Problem, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch's error is a plain RuntimeError where the header was read before it went."""

    def went_away(path: Path) -> None:
        raise RuntimeError(f"unable to open file <{path}> in read-only mode")

    monkeypatch.setattr(checkpoint, "load_file", went_away)
    with pytest.raises(LibraryError, match="step-00000004 cannot be read"):
        checkpoint.load(trained[1])


def test_a_run_without_a_checkpoint_has_none(tmp_path: Path) -> None:
    assert checkpoint.load(tmp_path) is None


@pytest.mark.parametrize("name", ["model.safetensors", "optimiser.safetensors", "state.json"])
@pytest.mark.parametrize("how", ["cut", "gone", "other"])
def test_a_damaged_checkpoint_is_named(trained: tuple[Problem, Path], name: str, how: str) -> None:
    _, run = trained
    path = checkpoint.pointed(run, checkpoint.LAST) / name
    if how == "cut":
        path.write_bytes(path.read_bytes()[:-9])
    elif how == "gone":
        path.unlink()
    else:
        path.write_bytes(b'{"step": 1, "colour": "red"}')
    with pytest.raises(LibraryError, match="step-00000004 cannot be read"):
        checkpoint.load(run)


def test_another_model_is_refused(
    trained: tuple[Problem, Path], made_problem: Callable[..., Problem]
) -> None:
    _, run = trained
    with pytest.raises(LibraryError, match="of another model"):
        checkpoint.restore(checkpoint.load(run), made_problem(dim=8).model)


def test_a_state_says_where_the_loop_stands(trained: tuple[Problem, Path]) -> None:
    state = checkpoint.load(trained[1]).state
    assert state == LoopState(4, 2, 0, state.seconds, state.best, finished=True)
    assert state.seconds > 0


def test_what_was_measured_after_a_checkpoint_is_measured_again(tmp_path: Path) -> None:
    first = MetricsFile(tmp_path)
    for step in (1, 2, 3):
        first.add("step", step, {"loss": 1.0})
    first.close()
    second = MetricsFile(tmp_path, after_step=1)
    second.add("step", 2, {"loss": 2.0})
    second.close()
    rows = [(row["step"], row["loss"]) for row in read_metrics(tmp_path)]
    assert rows == [(1, 1.0), (2, 2.0)]

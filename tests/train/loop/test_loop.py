"""The loop: it learns, it stops where it must, and what it does is what it says."""

import json
import math
import os
import signal
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from howto.errors import UsageError
from howto.train import checkpoint
from howto.train.batches import Batches, Waiting
from howto.train.config import TrainOptions
from howto.train.loop import (
    Evaluated,
    Event,
    Problem,
    Saved,
    Stepped,
    TrainingFailed,
    embed_rows,
    loss_of,
    train,
)
from howto.train.losses import InfoNceLoss, MaxMarginLoss, MilNceLoss
from howto.train.pack import Batch, Pack
from howto.train.runs import read_metrics
from howto.train.samplers import HardSampler, IntraVideoSampler, UniformSampler, weights_of
from howto.train.validate import evaluate

OPTIONS = TrainOptions(
    backbone=("made",), videos_per_batch=4, pairs_per_video=6, epochs=30, lr=0.01, lr_decay=1.0
)
Make = Callable[..., Problem]


def short(**changes: Any) -> TrainOptions:
    return replace(OPTIONS, **{"epochs": 3, **changes})


def weights_after(problem: Problem) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in problem.model.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


def test_it_learns_what_held_out_videos_show(made_problem: Make, tmp_path: Path) -> None:
    events: list[Event] = []
    done = train(made_problem(), OPTIONS, tmp_path, on_event=events.append)
    losses = [event.loss for event in events if isinstance(event, Stepped)]
    assert len(losses) == 30 * 2 == done.state.step
    assert losses[-1] < losses[0] / 2
    assert done.evaluation is not None
    found = done.evaluation.coarse
    assert found.recalls[1].value > 2 * found.chances[1]
    assert found.median_rank < found.chance_median_rank / 2
    assert done.state.finished
    assert not done.stopped
    assert 0 <= done.waiting <= 1


def test_the_file_of_metrics_says_what_events_say(made_problem: Make, tmp_path: Path) -> None:
    events: list[Event] = []
    train(made_problem(), short(), tmp_path, on_event=events.append)
    rows = list(read_metrics(tmp_path))
    stepped = [event for event in events if isinstance(event, Stepped)]
    assert [row["loss"] for row in rows if row["what"] == "step"] == [e.loss for e in stepped]
    judged = [event for event in events if isinstance(event, Evaluated)]
    assert len(judged) == 3
    last = [row for row in rows if row["what"] == "evaluation"][-1]
    assert last["step"] == judged[-1].step == 6
    assert last["coarse"] == json.loads(json.dumps(judged[-1].evaluation.coarse.as_json()))


def test_a_step_is_adam_on_the_loss_of_its_batch(made_problem: Make, tmp_path: Path) -> None:
    # The loop against a few lines of plain torch, from the same start and the same rows.
    options = short(epochs=2, lr_decay=0.5)
    problem, plain = made_problem(), made_problem()
    train(problem, options, tmp_path)
    optimiser = torch.optim.Adam(plain.model.parameters(), lr=options.lr)
    batches = Batches(plain.pack, plain.trains, plain.sampler, 4, 6, options.seed)
    for epoch in range(2):
        optimiser.param_groups[0]["lr"] = options.lr * 0.5**epoch
        for rows in batches.drawn(epoch):
            drawn = plain.pack.batch(rows)
            scores = plain.model.score(drawn.clips, drawn.words)
            weights = torch.from_numpy(weights_of(drawn.video.numpy(), 0.5, "code"))
            own = scores.diagonal()
            cells = (0.1 + scores - own[:, None]).relu() + (0.1 + scores - own[None]).relu()
            optimiser.zero_grad()
            (cells * weights).mean().backward()
            optimiser.step()
    for ours, theirs in zip(problem.model.parameters(), plain.model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_accumulated_batches_make_one_step(made_problem: Make, tmp_path: Path) -> None:
    problem = made_problem()
    done = train(problem, short(accumulate=3), tmp_path / "a")
    assert done.state.step == 3  # two batches an epoch: the group of an epoch's end is smaller
    one = train(made_problem(), short(accumulate=2), tmp_path / "b")
    assert one.state.step == 3
    assert same(weights_after(problem), checkpoint.load(tmp_path / "b").model)


def test_accumulated_batches_count_as_their_mean(made_problem: Make, tmp_path: Path) -> None:
    plain = made_problem()
    made = Batches(plain.pack, plain.trains, plain.sampler, 4, 6, OPTIONS.seed)
    losses = [loss_of(plain.model, made.ready(rows), plain) for rows in made.drawn(0)]
    mean = sum(losses) / 2
    mean.backward()
    length = torch.nn.utils.get_total_norm([p.grad for p in plain.model.parameters()])
    events: list[Event] = []
    train(made_problem(), short(epochs=1, accumulate=2), tmp_path, on_event=events.append)
    (step,) = (event for event in events if isinstance(event, Stepped))
    assert step.loss == pytest.approx(mean.item(), rel=1e-6)
    assert step.gradient == pytest.approx(length.item(), rel=1e-5)


def test_clipped_gradients_are_shorter(made_problem: Make, tmp_path: Path) -> None:
    free, held = made_problem(), made_problem()
    events: list[Event] = []
    train(free, short(epochs=1), tmp_path / "free", on_event=events.append)
    longest = max(event.gradient for event in events if isinstance(event, Stepped))
    train(held, short(epochs=1, clip_gradient=longest * 2), tmp_path / "wide")
    assert same(weights_after(free), weights_after(held))
    cut = made_problem()
    train(cut, short(epochs=1, clip_gradient=longest / 100), tmp_path / "cut")
    assert not same(weights_after(free), weights_after(cut))


def test_the_rate_of_each_step_is_the_schedules(made_problem: Make, tmp_path: Path) -> None:
    events: list[Event] = []
    options = short(schedule="cosine", warmup_steps=2)
    train(made_problem(), options, tmp_path, on_event=events.append)
    rates = [event.lr for event in events if isinstance(event, Stepped)]
    assert rates[:2] == pytest.approx([0.005, 0.01])
    assert rates[2:] == sorted(rates[2:], reverse=True)


@pytest.mark.parametrize(
    "loss", [MaxMarginLoss(), MilNceLoss(), InfoNceLoss()], ids=lambda one: one.name
)
@pytest.mark.parametrize("sampler", [HardSampler(), UniformSampler()], ids=lambda one: one.name)
def test_every_loss_and_sampler_trains(
    made_problem: Make, made_pack: Any, tmp_path: Path, loss: Any, sampler: Any
) -> None:
    problem = made_problem(pack=made_pack(candidates=3), loss=loss, sampler=sampler)
    options = short(keep_positives=0.7, mask_overlaps=True)
    events: list[Event] = []
    train(problem, options, tmp_path, on_event=events.append)
    assert all(math.isfinite(event.loss) for event in events if isinstance(event, Stepped))


def test_a_sampler_that_looks_at_scores_is_asked(made_problem: Make) -> None:
    every = made_problem(sampler=HardSampler(hardest=1.0))
    few = made_problem(sampler=HardSampler(hardest=0.1))
    batch = Batches(every.pack, every.trains, every.sampler, 4, 6, 1).ready(np.arange(12))
    plain = loss_of(every.model, batch, replace(every, sampler=IntraVideoSampler()))
    assert loss_of(every.model, batch, every) == plain
    assert loss_of(few.model, batch, few) < plain


def test_masked_overlaps_weigh_nothing(made_problem: Make) -> None:
    problem = made_problem()
    rows = np.array([0, 0, 1, 9])  # one pair twice
    made = Batches(problem.pack, problem.trains, problem.sampler, 4, 6, 1, mask_overlaps=True)
    weights = made.ready(rows).weights
    assert weights[0, 1] == weights[1, 0] == 0
    assert weights[0, 2] > 0
    free = Batches(problem.pack, problem.trains, problem.sampler, 4, 6, 1).ready(rows).weights
    assert free[0, 1] > 0


def test_the_weights_of_a_batch_are_the_samplers(made_problem: Make) -> None:
    problem = made_problem()
    made = Batches(problem.pack, problem.trains, problem.sampler, 4, 6, 1)
    for rows in ([0, 1, 9, 17], [1, 0, 9, 8], [0, 9, 1, 17]):  # the last: videos lie apart
        drawn = made.ready(np.array(rows))
        expected = weights_of(drawn.video.numpy(), 0.5, "code")
        assert np.array_equal(drawn.weights.numpy(), expected)


def test_every_candidate_of_a_clip_weighs_what_its_clip_does(
    made_problem: Make, made_pack: Any
) -> None:
    problem = made_problem(pack=made_pack(candidates=3))
    made = Batches(problem.pack, problem.trains, problem.sampler, 4, 6, 1)
    drawn = made.ready(np.array([0, 1, 9, 17]))
    expected = weights_of(drawn.video.numpy(), 0.5, "code")
    assert drawn.weights.shape == (4, 12)
    for candidate in range(3):
        assert np.array_equal(drawn.weights.numpy()[:, candidate::3], expected)


def test_only_chosen_videos_are_drawn(made_problem: Make) -> None:
    problem = made_problem()
    made = Batches(problem.pack, problem.trains, problem.sampler, 4, 6, 1)
    drawn = np.concatenate([rows for epoch in range(5) for rows in made.drawn(epoch)])
    videos = np.searchsorted(problem.pack.offsets, drawn, side="right") - 1
    assert problem.held_out.any()
    assert problem.trains[videos].all()


def test_an_epoch_can_be_taken_up_anywhere(made_problem: Make) -> None:
    problem = made_problem()
    made = Batches(problem.pack, problem.trains, problem.sampler, 2, 6, 1)
    whole = [batch.rows.tolist() for batch in made.epoch(3, 0, Waiting())]
    rest = [batch.rows.tolist() for batch in made.epoch(3, 2, Waiting())]
    assert len(whole) > 2
    assert whole[2:] == rest
    assert whole != [batch.rows.tolist() for batch in made.epoch(4, 0, Waiting())]


def test_an_error_while_reading_reaches_the_loop(
    made_problem: Make, made_pack: Any, tmp_path: Path
) -> None:
    class Torn(Pack):
        def batch(self, rows: np.ndarray, device: str = "cpu") -> Batch:
            raise OSError("the disk is gone")

    whole = made_pack()
    problem = made_problem(pack=Torn(*(getattr(whole, one.name) for one in fields(whole))))
    with pytest.raises(OSError, match="the disk is gone"):
        train(problem, OPTIONS, tmp_path)


def test_a_loss_that_is_no_number_names_the_batch(made_problem: Make, tmp_path: Path) -> None:
    problem = made_problem()
    problem.pack.clips[8 * 3 + 1] = np.nan
    before = weights_after(problem)
    trains = np.zeros(12, bool)
    trains[[2, 3]] = True
    problem = replace(problem, trains=trains, held_out=~trains & False)
    with pytest.raises(TrainingFailed, match=r"epoch 1, step 1.*video-2, video-3") as failed:
        train(problem, short(pairs_per_video=40), tmp_path)
    assert "nan" in str(failed.value)
    assert same(before, weights_after(problem))


def test_no_pair_to_train_on(made_problem: Make, tmp_path: Path) -> None:
    problem = made_problem()
    with pytest.raises(UsageError, match="0 are chosen"):
        train(replace(problem, trains=problem.trains & False), OPTIONS, tmp_path)


def test_three_videos_train(made_problem: Make, made_pack: Any, tmp_path: Path) -> None:
    problem = made_problem(pack=made_pack(videos=3, clips=10))
    assert not problem.held_out.any()
    done = train(problem, replace(short(), videos_per_batch=32), tmp_path)
    assert done.state.step == 3
    assert done.evaluation is None


def test_bf16_comes_near_fp32(made_problem: Make, made_pack: Any, tmp_path: Path) -> None:
    ends = []
    for is_bf16 in (False, True):
        problem = replace(made_problem(pack=made_pack(videos=40)), is_bf16=is_bf16)
        done = train(problem, OPTIONS, tmp_path / str(is_bf16))
        assert done.evaluation is not None
        ends.append(done.evaluation.coarse.recalls[5])
    assert ends[0].low <= ends[1].value <= ends[0].high


def test_asked_to_stop_it_ends_after_the_step(made_problem: Make, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)

    def ask(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    done = train(made_problem(), OPTIONS, tmp_path, on_event=ask)
    assert done.stopped
    assert done.state.step == 3
    assert checkpoint.load(tmp_path).state == done.state
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
def test_resumed_after_any_step_the_bits_are_the_same(
    made_problem: Make, tmp_path: Path, steps: int
) -> None:
    whole = made_problem()
    train(whole, short(), tmp_path / "whole")

    def ask(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == steps:
            os.kill(os.getpid(), signal.SIGINT)

    folder = tmp_path / "parts"
    stopped = train(made_problem(), short(), folder, on_event=ask)
    assert stopped.state.step == steps
    resumed = made_problem(seed=5)  # other weights: those of the checkpoint count
    resumed = replace(resumed, pack=whole.pack)
    done = train(resumed, short(), folder, resume=checkpoint.load(folder))
    assert done.state.finished
    assert same(weights_after(whole), weights_after(resumed))
    ends = [checkpoint.load(tmp_path / name) for name in ("whole", "parts")]
    assert same(ends[0].optimiser, ends[1].optimiser)
    assert ends[0].state.best == ends[1].state.best

    def measured(name: str) -> list[tuple[int, float | None, object]]:
        rows = read_metrics(tmp_path / name)
        return [(row["step"], row.get("loss"), row.get("coarse")) for row in rows]

    assert measured("whole") == measured("parts")


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_resumed_between_accumulated_batches_the_bits_are_the_same(
    made_problem: Make, tmp_path: Path, steps: int
) -> None:
    options = short(videos_per_batch=2, accumulate=3)  # of an epoch the second step has fewer
    whole = made_problem()
    assert train(whole, options, tmp_path / "whole").state.step == 6

    def ask(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == steps:
            os.kill(os.getpid(), signal.SIGINT)

    folder = tmp_path / "parts"
    assert train(made_problem(), options, folder, on_event=ask).state.step == steps
    resumed = made_problem()
    train(resumed, options, folder, resume=checkpoint.load(folder))
    assert same(weights_after(whole), weights_after(resumed))


def test_chance_in_a_model_is_for_training_alone(made_problem: Make) -> None:
    problem = made_problem()
    problem.model.text = torch.nn.Sequential(problem.model.text, torch.nn.Dropout(0.5))
    rows = np.arange(6)
    first, again = (embed_rows(problem.model, problem.pack, rows)[1] for _ in range(2))
    assert np.array_equal(first, again)
    assert problem.model.text[1].training


def test_best_and_last_are_kept_and_nothing_else(made_problem: Make, tmp_path: Path) -> None:
    events: list[Event] = []
    train(made_problem(), short(epochs=8, checkpoint_every=0.0), tmp_path, on_event=events.append)
    assert sum(isinstance(event, Saved) for event in events) == 16
    best = max(
        (event for event in events if isinstance(event, Evaluated)),
        key=lambda event: (event.evaluation.coarse.recalls[10].value, -event.step),
    )
    found = checkpoint.load(tmp_path, checkpoint.BEST)
    assert found.state.step == best.step
    assert checkpoint.load(tmp_path).state.step == 16
    names = {path.name for path in (tmp_path / "checkpoints").iterdir()}
    assert names == {(tmp_path / which).read_text().strip() for which in ("best", "last")}


def test_the_best_checkpoint_gives_the_best_evaluation(made_problem: Make, tmp_path: Path) -> None:
    problem = made_problem()
    train(problem, short(epochs=8), tmp_path)
    found = checkpoint.load(tmp_path, checkpoint.BEST)
    checkpoint.restore(found, problem.model)
    rows = np.flatnonzero(np.repeat(problem.held_out, 8))
    shown, said = embed_rows(problem.model, problem.pack, rows)
    again = evaluate(shown, said, problem.pack.videos_of(rows))
    assert again.coarse.recalls[10].value == found.state.best

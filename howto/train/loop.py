"""The training loop: set-up, state, loop, end, in the order in which they happen.

It knows nothing of libraries and plugins: it is given pairs, a model, a sampler and a loss, and a
folder. What it does is told by events, to a live display or to nobody; and always to
`metrics.jsonl` in the folder, one JSON object a line, `step` in each.
"""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from howto.contracts import Loss, Sampler, ScoreFocus
from howto.errors import HowtoError
from howto.train.batches import Batches, Ready, Waiting, texts_of
from howto.train.checkpoint import Checkpoint, LoopState, restore, save
from howto.train.config import TrainOptions
from howto.train.distributed import ALONE, World
from howto.train.model import TextVideoModel
from howto.train.pack import Pack
from howto.train.positives import best_positives, sub_batch
from howto.train.runs import MetricsFile
from howto.train.schedule import Schedule, learning_rate
from howto.train.small import sized
from howto.train.validate import Evaluation, evaluate

__all__ = [
    "Evaluated",
    "Event",
    "Problem",
    "Saved",
    "Stepped",
    "Trained",
    "TrainingFailed",
    "embed_rows",
    "evaluated_rows",
    "loss_of",
    "train",
]

SELECTED_BY = 10
"""The best checkpoint is that of the highest R@10, coarse, on held-out videos."""

_EMBEDDED_TOGETHER = 2048
_MOST_EVALUATED = 20_000  # pairs; an evaluation compares each with each


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What is trained, on what, by what.

    Attributes:
        pack: all that can be read.
        trains: bool (V,), the videos that are trained on.
        held_out: bool (V,), those that are evaluated on; all False: nothing is evaluated.
        model: its parameters as they are at the start.
        device: where it computes.
        is_bf16: by autocast; otherwise in float32.
    """

    pack: Pack
    trains: NDArray[np.bool_]
    held_out: NDArray[np.bool_]
    model: TextVideoModel
    sampler: Sampler
    loss: Loss
    device: str = "cpu"
    is_bf16: bool = False


@dataclass(frozen=True, slots=True)
class Stepped:
    """A step was done.

    Attributes:
        step: steps done in all, of `total`.
        epoch: that it belongs to, from 1, of `epochs`.
        gradient: its length before clipping.
        pairs_per_second: since the run began or went on.
        waiting: share of that time spent waiting for data.
        seconds_left: at that rate.
    """

    step: int
    total: int
    epoch: int
    epochs: int
    loss: float
    lr: float
    gradient: float
    pairs_per_second: float
    waiting: float
    seconds_left: float


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The model was evaluated on held-out videos.

    Attributes:
        is_best: no evaluation of the run was better.
    """

    step: int
    evaluation: Evaluation
    is_best: bool


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint was written."""

    step: int
    folder: Path


Event = Stepped | Evaluated | Saved


@dataclass(frozen=True, slots=True)
class Trained:
    """How a run ended.

    Attributes:
        state: where it stands.
        evaluation: the last one; None: there was none.
        waiting: share of the time spent waiting for data.
        stopped: it was asked to stop before its end.
    """

    state: LoopState
    evaluation: Evaluation | None
    pairs_per_second: float
    waiting: float
    stopped: bool


class TrainingFailed(HowtoError):
    """The loss is no number any more, or there is nothing to train on."""


def train(
    problem: Problem,
    options: TrainOptions,
    folder: Path,
    *,
    resume: Checkpoint | None = None,
    on_event: Callable[[Event], None] = lambda _event: None,
    world: World = ALONE,
) -> Trained:
    """Train a model from its first step, or from a checkpoint, to the end.

    Ctrl-C and SIGTERM end it after the step in hand, with a checkpoint. The same options and pairs
    give the same bits, on one machine with the same number of threads, whether the run was stopped
    and resumed at any step or not.

    Args:
        folder: of the run; it is made where it is missing.
        resume: go on from here.
        on_event: called in the main process alone.
        world: the processes that train together.

    Raises:
        TrainingFailed: a loss or gradient that is not finite, with the batch named; or no batch.
        UsageError: no video is chosen to train on.
        LibraryError: the checkpoint is of another model.
    """
    # Set-up: everything that does not change while the run goes on.
    device = torch.device(problem.device)
    model = problem.model.to(device)
    optimiser = _adam(model, device)
    batches = Batches(
        problem.pack,
        problem.trains,
        problem.sampler,
        options.videos_per_batch,
        options.pairs_per_video,
        options.seed,
        mask_overlaps=options.mask_overlaps,
        device=problem.device,
        world=world,
    )
    steps_per_epoch = math.ceil(len(batches) / options.accumulate)
    if not steps_per_epoch:
        raise TrainingFailed("there is no pair to train on: the chosen videos have none")
    options = sized(options, steps_per_epoch, problem.model.dim).options
    schedule = _schedule(options, steps_per_epoch)
    epochs = schedule.total_steps // steps_per_epoch
    judge = _Judge(problem, options, world)
    folder.mkdir(parents=True, exist_ok=True)

    # State: all that does change. A checkpoint holds it, and so does nothing else.
    state = restore(resume, model, optimiser) if resume else LoopState()
    wrapped = world.wrap(model)
    forward: Any = torch.compile(wrapped) if options.compile else wrapped
    metrics = MetricsFile(folder, after_step=state.step) if world.is_main else None
    tell = _Teller(metrics, on_event)
    clock = _Clock(state.seconds)
    waiting = Waiting()
    evaluation: Evaluation | None = None
    saved_at, pairs_done, first_step = time.monotonic(), 0, state.step

    def keep(*, best: bool = False) -> None:
        nonlocal saved_at
        if world.is_main:
            where = save(folder, state, model.state_dict(), optimiser, best=best)
            tell(Saved(state.step, where))
        saved_at = time.monotonic()

    # Loop: each epoch visits each video once; each step is one move of the optimiser.
    with _stop_signals() as wanted:
        stop = False
        try:
            while state.epoch < epochs and not stop:
                epoch = batches.epoch(
                    state.epoch, state.step_of_epoch * options.accumulate, waiting
                )
                for group in _in_groups(epoch, options.accumulate):
                    lr = learning_rate(schedule, state.step)
                    loss, length = _step(forward, group, problem, options, optimiser, lr, world)
                    state = replace(
                        state,
                        step=state.step + 1,
                        step_of_epoch=state.step_of_epoch + 1,
                        seconds=clock.seconds,
                    )
                    _check_finite(loss, length, state, group, problem.pack)
                    pairs_done += sum(len(batch.rows) for batch in group)
                    rate = pairs_done / clock.since
                    left = max(0, schedule.total_steps - state.step)
                    tell(
                        Stepped(
                            state.step,
                            schedule.total_steps,
                            state.epoch + 1,
                            epochs,
                            loss,
                            lr,
                            length,
                            rate,
                            waiting.share,
                            left * clock.since / (state.step - first_step),
                        )
                    )
                    stop = world.agree(wanted.stop)
                    due = time.monotonic() - saved_at >= options.checkpoint_every
                    is_epochs_last = state.step_of_epoch == steps_per_epoch
                    if not is_epochs_last and (stop or due):
                        keep()
                    if stop and not is_epochs_last:
                        break
                else:
                    state = replace(state, epoch=state.epoch + 1, step_of_epoch=0)
                    is_last = state.epoch == epochs
                    best = False
                    if judge.is_due(state.epoch, is_last=is_last):
                        evaluation = judge(model)
                        if evaluation is not None:
                            reached = evaluation.coarse.recalls[SELECTED_BY].value
                            best = state.best is None or reached > state.best
                            state = replace(state, best=reached if best else state.best)
                            tell(Evaluated(state.step, evaluation, best))
                    state = replace(state, seconds=clock.seconds, finished=is_last)
                    if best or is_last or stop or _is_old(saved_at, options):
                        keep(best=best)
        except RuntimeError:
            # Another process is gone, and with it the gather or the sum of gradients that this
            # one was in. The optimiser was not reached, so what is here is the last whole step.
            if world.size > 1:
                keep()
            raise
        finally:
            if metrics is not None:
                metrics.close()
    world.wait()
    rate = pairs_done / clock.since
    return Trained(state, evaluation, rate, waiting.share, stopped=not state.finished)


# --- one step ---


def _step(
    forward: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    group: list[Ready],
    problem: Problem,
    options: TrainOptions,
    optimiser: torch.optim.Optimizer,
    lr: float,
    world: World,
) -> tuple[float, float]:
    """Move the parameters once; return the loss and the gradient's length, before clipping.

    They stay where they are if either is not finite.
    """
    for values in optimiser.param_groups:
        values["lr"] = lr
    optimiser.zero_grad(set_to_none=True)
    total = 0.0
    for batch in group:
        loss = loss_of(forward, batch, problem, options.keep_positives, world) / len(group)
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.item()
    parameters = [p for values in optimiser.param_groups for p in values["params"]]
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = nn.utils.get_total_norm(gradients)
    if options.clip_gradient:
        nn.utils.clip_grads_with_norm_(parameters, options.clip_gradient, norm)
    length = float(norm)
    if math.isfinite(total) and math.isfinite(length):
        optimiser.step()
    return total, length


def loss_of(
    forward: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    batch: Ready,
    problem: Problem,
    keep_positives: float = 1.0,
    world: World = ALONE,
) -> Tensor:
    """The loss of a batch, with a gradient to the parameters; the same in every process.

    Args:
        forward: the model, wrapped or not: clips and texts to their embeddings.
        keep_positives: as `howto.train.positives`.
    """
    clips, texts, weights, positives, video = (
        tensor.to(problem.device, non_blocking=True)
        for tensor in (batch.clips, batch.texts, batch.weights, batch.positives, batch.video)
    )
    with torch.autocast(clips.device.type, torch.bfloat16, enabled=problem.is_bf16):
        shown, said = forward(clips, texts)
    shown = world.gather(shown, len(video))
    candidates = len(positives[0]) // len(positives)
    said = said.reshape(-1, candidates * said.shape[1])
    said = world.gather(said, len(video)).reshape(len(video) * candidates, -1)
    # In bf16 a score is off by 0.002 at most, where the margin is 0.1; sums are in float32.
    with torch.autocast(clips.device.type, torch.bfloat16, enabled=problem.is_bf16):
        scores = (shown @ said.T).float()
    if isinstance(problem.sampler, ScoreFocus):
        chosen = problem.sampler.focus(scores.detach(), positives, video)
        weights = weights * chosen
    if keep_positives < 1:
        own = scores.detach().masked_fill(~positives, -math.inf).amax(dim=1)
        kept = best_positives(own, video, keep_positives)
        scores, weights, positives = sub_batch(scores, weights, positives, kept)
    return problem.loss(scores, weights, positives)


def _check_finite(
    loss: float, gradient: float, state: LoopState, group: list[Ready], pack: Pack
) -> None:
    if math.isfinite(loss) and math.isfinite(gradient):
        return
    places = np.unique(np.concatenate([batch.video.numpy() for batch in group]))
    names = [pack.video_ids[place] for place in places]
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    what = f"the loss is {loss}" if not math.isfinite(loss) else f"the gradient is {gradient}"
    raise TrainingFailed(
        f"{what} at epoch {state.epoch + 1}, step {state.step}; the batch is of the videos {shown}."
        " Look for broken features (howto extract --check), or take a lower --lr or"
        " --clip-gradient 1."
    )


def _in_groups(batches: Iterator[Ready], size: int) -> Iterator[list[Ready]]:
    """So many batches at a time; the last group of an epoch may have fewer."""
    group: list[Ready] = []
    for batch in batches:
        group.append(batch)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def _schedule(options: TrainOptions, steps_per_epoch: int) -> Schedule:
    """The learning rates of a run whose options leave nothing open."""
    rate, decay, epochs = options.lr or 0.0, options.lr_decay or 0.0, options.epochs or 0
    total = epochs * steps_per_epoch
    return Schedule(rate, steps_per_epoch, total, options.schedule, decay, options.warmup_steps)


def _adam(model: nn.Module, device: torch.device) -> torch.optim.Optimizer:
    """Adam in one pass over the parameters, where the device has that; each step sets its rate."""
    wanting = [p for p in model.parameters() if p.requires_grad]
    return torch.optim.Adam(wanting, fused=device.type in ("cpu", "cuda"))


# --- evaluation ---


class _Judge:
    """Evaluates on the held-out videos, of very many as many as can be compared."""

    def __init__(self, problem: Problem, options: TrainOptions, world: World) -> None:
        self._problem, self._every, self._world = problem, options.validate_every or 0, world
        self._rows = evaluated_rows(problem)

    def is_due(self, epochs_done: int, *, is_last: bool) -> bool:
        """Whether to evaluate after so many epochs."""
        return is_last or (self._every > 0 and epochs_done % self._every == 0)

    def __call__(self, model: TextVideoModel) -> Evaluation | None:
        """Evaluate, in the main process; None in others, or where nothing is held out."""
        if not len(self._rows) or not self._world.is_main:
            return None
        shown, said = embed_rows(model, self._problem.pack, self._rows)
        return evaluate(shown, said, self._problem.pack.videos_of(self._rows))


def evaluated_rows(problem: Problem) -> NDArray[np.int64]:
    """The held-out pairs that are evaluated: of very many as many as can be compared.

    Those of one video lie together, and videos are in order of their ids.
    """
    if not problem.held_out.any():
        return np.empty(0, np.int64)
    view = problem.pack.view(problem.held_out)
    return view.rows(np.arange(min(view.num_pairs, _MOST_EVALUATED)))


def embed_rows(
    model: TextVideoModel, pack: Pack, rows: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Embed the clips and the captions of some pairs, without a gradient, in float32.

    Returns:
        Clips and captions, float32 (N, D) each; of several candidates the pair's own caption.
    """
    device = str(next(model.parameters()).device)
    shown, said = [], []
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        for first in range(0, len(rows), _EMBEDDED_TOGETHER):
            batch = pack.batch(rows[first : first + _EMBEDDED_TOGETHER], device)
            shown.append(model.embed_clips(batch.clips).cpu())
            said.append(model.embed_text(texts_of(batch)[:: pack.candidates]).cpu())
    model.train(was_training)
    return torch.cat(shown).numpy(), torch.cat(said).numpy()


# --- clocks, signals, telling ---


def _is_old(saved_at: float, options: TrainOptions) -> bool:
    return time.monotonic() - saved_at >= options.checkpoint_every


class _Clock:
    """Seconds of the run, those before it was resumed included."""

    def __init__(self, before: float) -> None:
        self._before, self._began = before, time.perf_counter()

    @property
    def since(self) -> float:
        """Since it began, or went on."""
        return max(time.perf_counter() - self._began, 1e-9)

    @property
    def seconds(self) -> float:
        """In all."""
        return self._before + self.since


@dataclass(slots=True)
class _Wanted:
    stop: bool = False


@contextmanager
def _stop_signals() -> Iterator[_Wanted]:
    """Ctrl-C and SIGTERM ask for a stop; a second one does what it always does."""
    wanted = _Wanted()
    if threading.current_thread() is not threading.main_thread():
        yield wanted  # signals come to the main thread alone
        return
    kept = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, _frame: object) -> None:
        wanted.stop = True
        signal.signal(number, kept[signal.Signals(number)])

    for one in kept:
        signal.signal(one, ask)
    try:
        yield wanted
    finally:
        for one, handler in kept.items():
            signal.signal(one, handler)


class _Teller:
    """Tells an event to the file of metrics and to whoever listens, in the main process."""

    def __init__(self, metrics: MetricsFile | None, listener: Callable[[Event], None]) -> None:
        self._metrics, self._listener = metrics, listener

    def __call__(self, event: Event) -> None:
        if self._metrics is None:
            return
        if isinstance(event, Stepped):
            figures = ("epoch", "loss", "lr", "gradient", "pairs_per_second", "waiting")
            self._metrics.add("step", event.step, {n: getattr(event, n) for n in figures})
        elif isinstance(event, Evaluated):
            self._metrics.add("evaluation", event.step, event.evaluation.as_json())
        self._listener(event)

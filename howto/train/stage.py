"""The stage `train`: a library's pairs and features to a run.

from howto.library import Library
from howto.train.config import TrainOptions
from howto.train.stage import prepare, train_prepared

with Library.open(Path("my_videos")) as library:
    ready = prepare(library, TrainOptions(backbone=("colour-motion",)), "first")
    done = train_prepared(ready)
    print(done.trained.evaluation)
"""

import hashlib
import inspect
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from howto import __version__, plugins
from howto.clip.pairs_store import pair_sets
from howto.collect.ledger import Ledger
from howto.errors import LibraryError, UsageError
from howto.evaluate.ranks import Interval, interval_over_videos
from howto.extract.device import chosen_device
from howto.library import Library
from howto.recipe import Recipe
from howto.run.engine import LOCAL, Engine
from howto.train import checkpoint
from howto.train.batches import Batches
from howto.train.config import TrainOptions
from howto.train.distributed import ALONE, World, own_device
from howto.train.loop import (
    SELECTED_BY,
    Event,
    Problem,
    Trained,
    embed_rows,
    evaluated_rows,
    train,
)
from howto.train.model import TextVideoModel
from howto.train.pack import Pack, fraction, rank_at_most
from howto.train.pack_build import Built, Progress, build_pack, pack_library, packs_folder
from howto.train.pack_source import PackSource
from howto.train.pack_text import TextChoice, encoder_for, keep_encoder
from howto.train.runs import CURVES, Run, open_run, read_metrics, run_folder, write_config
from howto.train.small import dim_for, encoder_name, sized
from howto.train.starting import Start, chosen_start, put_start
from howto.train.validate import Evaluation, evaluate, held_out, ranks_among

__all__ = ["Cost", "Done", "Prepared", "complete", "prepare", "train_prepared"]

QUERY_SIDE = "query"
"""Folder of a run that answers queries without torch."""

_SMALL_STEP = 1 << 17  # numbers in the embeddings of a batch
_PROBE_SIZE = 1024
_PROBE_ROUNDS = 5
_FLOPS_PER_WEIGHT = 6  # a product forwards, two backwards
_ARRAYS_OF_STEP = 18  # (B, D) each, in all; measured at 32 x 64 pairs in 4096 dimensions
_SLOWER_THAN_PRODUCTS = 1.5  # what a step does beside its products, about


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run will take.

    Attributes:
        parameters: by part of the model, trained ones.
        frozen: parameters that stay as they are.
        steps: of the optimiser, in all.
        memory: bytes: weights, gradients, Adam's moments and one batch.
        seconds: from the speed of matrix products here, measured just now.
    """

    parameters: Mapping[str, int]
    frozen: int
    steps: int
    memory: int
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A run that could begin.

    Attributes:
        problem: with the model as it starts.
        folder: of the run.
        unfinished: the checkpoint to go on from; None: from the beginning.
        finished: the run is there and done.
        config: what is kept with the run.
        notes: what was chosen, for people.
    """

    options: TrainOptions
    problem: Problem
    folder: Path
    built: Built
    text: TextChoice
    encoder: Any
    unfinished: checkpoint.Checkpoint | None
    finished: Run | None
    start: Start | None
    config: Mapping[str, Any]
    notes: tuple[str, ...]

    def cost(self) -> Cost:
        """Estimate; takes a second, for the speed of this machine is measured."""
        return _cost(self)


@dataclass(frozen=True, slots=True, eq=False)
class Done:
    """A run as it ended.

    Attributes:
        before: the model as it started, where it started from another; None: from nothing.
        gain: of R@10 over the start, with an interval over held-out videos; None as `before`.
        has_query_side: queries need no torch.
    """

    trained: Trained
    folder: Path
    before: Evaluation | None
    gain: Interval | None
    has_query_side: bool


def prepare(
    library: Library,
    options: TrainOptions,
    name: str,
    *,
    resume: bool = False,
    source: PackSource | None = None,
    ranks: Mapping[str, int] | None = None,
    told: Mapping[str, Any] | None = None,
    engine: Engine = LOCAL,
    on_progress: Progress | None = None,
) -> Prepared:
    """Build the pack, choose what was left open, and make the model.

    Args:
        name: of the run.
        resume: go on where a run of that name stopped.
        source: other pairs and features than the library's.
        ranks: each video's best search rank, for `rank_at_most` with a source; a library's own are
            known to it.
        told: what else the run's config is to hold.
        engine: where the features of a library are pooled for the pack; a source has its own way.

    Raises:
        UsageError: the run is there and is not to be resumed; options that do not go together.
        LibraryError: pairs or features are missing, or the library changed since the run began.
        PluginError: a backend cannot be had.
    """
    folder = run_folder(library.state, name)
    _check_benchmark(options)
    there = _there(folder)
    _refuse(there, name, options, resume=resume)
    open_options = options
    if there is not None:
        options = _as_begun(options, there)
    device = own_device(chosen_device(options.device))
    start = chosen_start(options.init, folder.parent) if options.init else None
    if start is not None and start.kind == "model":
        options = _adapting(options, start)
    text = _text_choice(options, None)
    built = _pack(library, options, text, source, device, engine, on_progress)
    pack = built.pack
    dim = options.dim or (start.dim if start else None) or _own_dim(start, pack)
    text = _text_choice(options, dim)
    torch.manual_seed(options.seed)
    encoder, model = _model(options, pack, text, dim)
    said = put_start(start, model, pack, folder.parent) if start else ""
    ranked = _ranked(library, pack, options.rank_at_most, ranks)
    trains, held = _split(pack, options, ranked)
    problem = Problem(
        pack=pack,
        trains=trains,
        held_out=held,
        model=model,
        sampler=_made("samplers", options.sampler, options, ("intra", "weighting")),
        loss=_loss(options),
        device=device,
        is_bf16=_is_bf16(options.precision, device),
    )
    counted = _batches(problem, options)
    chosen: tuple[str, ...] = ()
    if counted:
        full = sized(options, -(-counted // options.accumulate), dim)
        options, chosen = full.options, full.chosen
    config = {
        "howto": __version__,
        "options": open_options.as_json(),
        "epochs": options.epochs,
        "lr": options.lr,
        "lr_decay": options.lr_decay,
        "dim": dim,
        "text_encoder": text.name,
        "streams": {stream.name: stream.dim for stream in pack.streams},
        "clips": _pairs_of(pack),
        "pack": pack.recipe.short,
        "recipe": pack.recipe.parts,
        "rows": _rows_hash(pack),
        "videos": int(trains.sum()),
        "held_out": int(held.sum()),
        "pairs": int(np.diff(pack.offsets)[trains].sum()),
        "precision": "bf16" if problem.is_bf16 else "fp32",
        "device": device,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **(told or {}),
    }
    if there is not None:
        _require_same_rows(there, config)
    return Prepared(
        options=options,
        problem=problem,
        folder=folder,
        built=built,
        text=text,
        encoder=encoder,
        unfinished=checkpoint.load(folder) if resume and there else None,
        finished=there if there is not None and there.is_finished else None,
        start=start,
        config=config,
        notes=tuple(
            filter(
                None,
                (
                    _said_pairs(library, options, config["clips"]),
                    *_notes(open_options, config, held),
                    *chosen,
                    said,
                    *built.notes,
                ),
            )
        ),
    )


def train_prepared(
    ready: Prepared,
    *,
    on_event: Callable[[Event], None] = lambda _event: None,
    world: World = ALONE,
) -> Done:
    """Train, and write what later stages read: the encoder, the query side, the curves.

    Raises:
        TrainingFailed: as `howto.train.loop.train`.
        UsageError: the run is finished.
    """
    if ready.finished is not None:
        raise UsageError(f"the run {ready.finished.name!r} is finished; nothing is left to train")
    before = _as_started(ready)
    if world.is_main:
        ready.folder.mkdir(parents=True, exist_ok=True)
        if ready.unfinished is None:
            keep_encoder(ready.encoder, ready.text, ready.folder)
            write_config(ready.folder, ready.config)
    with _threads_for(ready):
        trained = train(
            ready.problem,
            ready.options,
            ready.folder,
            resume=ready.unfinished,
            on_event=on_event,
            world=world,
        )
    if trained.stopped or not world.is_main:
        return Done(trained, ready.folder, None, None, has_query_side=False)
    _draw(ready.folder)
    gain = _gain(ready, before) if before else None
    return Done(
        trained,
        ready.folder,
        before[0] if before else None,
        gain,
        has_query_side=_export(ready),
    )


def complete(ready: Prepared) -> bool:
    """Write what a run that was killed after its last step has not written.

    Returns:
        Whether there was anything.
    """
    from howto.train.query_side import exported_of

    wants_curves = not (ready.folder / CURVES).is_file()
    if wants_curves:
        _draw(ready.folder)
    # One from before the run was trained on is of another checkpoint.
    is_exported = not _is_over_words(ready) or (
        exported_of(ready.folder / QUERY_SIDE) == _hash(ready)
    )
    return (not is_exported and _export(ready)) or wants_curves


@contextmanager
def _threads_for(ready: Prepared) -> Iterator[None]:
    """One thread where a step is small: threads that wait for each other take longer, by far so on
    a busy machine."""
    rows = min(ready.options.videos_per_batch, int(ready.problem.trains.sum()))
    size = rows * ready.options.pairs_per_video * ready.problem.model.dim
    threads = torch.get_num_threads()
    if size < _SMALL_STEP:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


# --- before training ---


def _there(folder: Path) -> Run | None:
    return open_run(folder) if (folder / "config.json").is_file() else None


def _check_benchmark(options: TrainOptions) -> None:
    if options.benchmark is None:
        return
    plugins.find("benchmarks", options.benchmark)
    if options.validate_every:
        raise UsageError(
            "--validate-every goes with --validate own; a benchmark is scored at the end"
        )


def _refuse(there: Run | None, name: str, options: TrainOptions, *, resume: bool) -> None:
    if there is None:
        if resume:
            raise UsageError(f"--resume: there is no run named {name!r} to go on with")
        return
    different = [
        f"{key.replace('_', '-')} {there.options.get(key)} there, {value} here"
        for key, value in options.as_json().items()
        if there.options.get(key) != value and key != "checkpoint_every"
    ]
    if there.is_finished:
        if different:
            raise UsageError(
                f"the run {name!r} is finished and was made with other options "
                f"({'; '.join(different)}). Give this one another --name"
            )
        return
    if not resume:
        raise UsageError(
            f"the run {name!r} is not finished. Go on with it: howto train --name {name} --resume. "
            "Or give this one another --name"
        )
    if different:
        raise UsageError(
            f"--resume: the run {name!r} was begun with other options ({'; '.join(different)}); "
            "leave them out, or give another --name"
        )


def _require_same_rows(there: Run, config: Mapping[str, Any]) -> None:
    if there.config["rows"] != config["rows"] or there.config["pack"] != config["pack"]:
        raise LibraryError(
            f"the pairs or features of the library changed since the run {there.name!r} began, so "
            "it cannot go on as if nothing were. Begin another: howto train --name OTHER "
            f"--init {there.name}"
        )


def _as_begun(options: TrainOptions, there: Run) -> TrainOptions:
    """What was chosen when the run began is not chosen again: newer sets may have come since."""
    features = there.config["recipe"]["source"].get("features", ())
    sets = tuple(
        f"{name}-{Recipe.of(**parts).short}"
        for name, parts in zip(there.config["streams"], features, strict=False)
    )
    adapts = there.config["text_encoder"] == options.init  # a ready model, which names its own
    backbone = options.backbone if adapts or not sets else sets
    return replace(options, backbone=backbone, clips=options.clips or there.config.get("clips"))


def _rows_hash(pack: Pack) -> str:
    """Of what each video's rows were made from, in whatever order they lie."""
    sources, sizes = pack.sources(), np.diff(pack.offsets).tolist()
    rows = sorted(
        (one, size, sources[one]) for one, size in zip(pack.video_ids, sizes, strict=True)
    )
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


def _pairs_of(pack: Pack) -> str | None:
    """The short hash of the pair set that a pack was made from; None: from no library's."""
    parts = pack.recipe.parts["source"].get("pairs")
    return None if parts is None else Recipe.of(**parts).short


def _said_pairs(library: Library, options: TrainOptions, taken: str | None) -> str:
    """Which set of pairs is trained on, where there are several."""
    if taken is None:
        return ""
    sets = pair_sets(library).values()
    recipe = next(one for one in sets if one.short == taken)
    realigned = recipe.parts.get("realign")
    what = f", re-aligned by the run {realigned['run']}" if realigned else ""
    if len(sets) < 2 and not realigned:
        return ""
    if options.clips is None:
        return f"pairs of set {taken}, the newest of {len(sets)}{what} (--clips)"
    return f"pairs of set {taken}{what}"


def _adapting(options: TrainOptions, start: Start) -> TrainOptions:
    """An adapter reads the joint model's own vectors of pictures and of text."""
    for name, value in (("backbone", options.backbone), ("text_encoder", options.text_encoder)):
        if value not in (None, start.name, (start.name,)):
            raise UsageError(
                f"--init {start.name} adapts that model's vectors; leave --{name.replace('_', '-')}"
                " out"
            )
    return replace(options, backbone=(start.name,), text_encoder=start.name)


def _text_choice(options: TrainOptions, dim: int | None) -> TextChoice:
    name = encoder_name(options.text_encoder, options.text_weights)
    taken = inspect.signature(plugins.load("text_encoders", name)).parameters
    wanted = {"max_words": options.max_words, "dim": dim}
    given = {key: value for key, value in wanted.items() if key in taken and value is not None}
    return TextChoice(name, given, options.text_weights)


def _pack(
    library: Library,
    options: TrainOptions,
    text: TextChoice,
    source: PackSource | None,
    device: str,
    engine: Engine,
    on_progress: Progress | None,
) -> Built:
    if source is not None:
        packs = packs_folder(library)
        return build_pack(source, text, packs, device=device, on_progress=on_progress)
    return pack_library(
        library,
        text,
        backbones=options.backbone,
        pairs=options.clips,
        device=device,
        engine=engine,
        on_progress=on_progress,
    )


def _own_dim(start: Start | None, pack: Pack) -> int:
    if start is not None and start.kind == "model":
        return sum(stream.dim for stream in pack.streams)
    return dim_for(pack.num_pairs)


def _model(
    options: TrainOptions, pack: Pack, text: TextChoice, dim: int
) -> tuple[Any, TextVideoModel]:
    encoder = encoder_for(pack, text)
    module = encoder.module() if pack.words is not None else torch.nn.Identity()
    text_dim = encoder.dim if pack.texts is None else pack.texts.shape[1]
    loss = _loss(options)
    streams = {stream.name: stream.dim for stream in pack.streams}
    return encoder, TextVideoModel(streams, dim, module, text_dim, normalised=loss.normalised)


def _split(
    pack: Pack, options: TrainOptions, ranked: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which videos train, and which are evaluated on; the same ones in every run of any options."""
    held = np.zeros(pack.num_videos, bool)
    if options.validate == "own":
        held = held_out(pack.video_ids, options.held_out)
    trains = ~held & ranked
    places = np.flatnonzero(trains)
    if options.fraction < 1 and len(places):
        chosen = fraction([pack.video_ids[place] for place in places], options.fraction)
        trains[places[~chosen]] = False
    return trains, held


def _ranked(
    library: Library, pack: Pack, most: int | None, ranks: Mapping[str, int] | None
) -> NDArray[np.bool_]:
    """Which videos were among so many first hits of a task, by a list or by what collect found.

    Raises:
        UsageError: none was; or the list lacks a video.
    """
    if most is None:
        return np.ones(pack.num_videos, bool)
    if ranks is not None:
        return rank_at_most(pack.video_ids, ranks, most)
    first = Ledger(library).videos_with_rank_at_most(most)
    if first.isdisjoint(pack.video_ids):
        raise UsageError(
            f"--rank-at-most {most}: no video with pairs and features was among the first {most} "
            "hits of a task; search ranks are known of what howto collect found"
        )
    return np.array([one in first for one in pack.video_ids], bool)


def _loss(options: TrainOptions) -> Any:
    form = options.form
    if form == "auto" and options.loss == "max-margin":
        form = options.weighting
    extra = {} if form == "auto" else {"form": form}
    return _made("losses", options.loss, options, ("margin", "temperature"), extra)


def _made(
    kind: str,
    name: str,
    options: TrainOptions,
    passed: tuple[str, ...],
    extra: Mapping[str, Any] | None = None,
) -> Any:
    """Construct a sampler or a loss with those options that it takes.

    One that it does not take, and that is not at its default, was asked for in vain: an error.
    """
    taken = inspect.signature(plugins.load(kind, name)).parameters
    plain = TrainOptions()
    given = dict(extra or {})
    for option in passed:
        if option in taken:
            given[option] = getattr(options, option)
        elif getattr(options, option) != getattr(plain, option) and not (
            option == "weighting" and kind == "samplers"
        ):
            raise UsageError(f"{plugins.noun(kind)} {name!r} takes no --{option}")
    return plugins.create(kind, name, **given)


def _is_bf16(precision: str, device: str) -> bool:
    if precision == "auto":
        return device.startswith("cuda") and torch.cuda.get_device_capability(device) >= (8, 0)
    return precision == "bf16"


def _notes(
    options: TrainOptions, config: Mapping[str, Any], held: NDArray[np.bool_]
) -> tuple[str, ...]:
    notes = []
    if options.dim is None and options.init is None:
        notes.append(f"{config['dim']} dimensions, by the number of pairs (--dim)")
    if options.text_encoder is None:
        why = "word vectors are given" if options.text_weights else "no --text-weights are given"
        notes.append(f"text encoder {config['text_encoder']}, because {why}")
    if options.validate == "own" and not held.any():
        notes.append("too few videos to hold any out: nothing is evaluated")
    return tuple(notes)


# --- cost ---


def _cost(ready: Prepared) -> Cost:
    problem, options = ready.problem, ready.options
    model = problem.model
    parts = {"video": model.video_gate, "text": model.text_gate, "encoder": model.text}
    trained = {
        name: sum(p.numel() for p in part.parameters() if p.requires_grad)
        for name, part in parts.items()
    }
    total = sum(p.numel() for p in model.parameters())
    batches = _batches(problem, options)
    steps = -(-batches // options.accumulate) * (options.epochs or 0)
    videos = min(options.videos_per_batch, int(problem.trains.sum()))
    rows = videos * options.pairs_per_video
    columns = sum(stream.dim for stream in problem.pack.streams)
    gates = trained["video"] + trained["text"]
    products = rows * gates + rows * rows * problem.pack.candidates * model.dim
    flops = _FLOPS_PER_WEIGHT * products * batches * (options.epochs or 0)
    seconds = flops / _flops_per_second(problem.device, is_bf16=problem.is_bf16)
    arrays = (
        rows * (columns + _ARRAYS_OF_STEP * model.dim) + 4 * rows * rows * problem.pack.candidates
    )
    memory = 4 * (4 * sum(trained.values()) + total - sum(trained.values()) + arrays)
    frozen = total - sum(trained.values())
    return Cost(trained, frozen, steps, memory, seconds * _SLOWER_THAN_PRODUCTS)


def _batches(problem: Problem, options: TrainOptions) -> int:
    """Batches in an epoch."""
    if not problem.trains.any():
        raise UsageError("there is no video left to train on")
    return len(
        Batches(
            problem.pack,
            problem.trains,
            problem.sampler,
            options.videos_per_batch,
            options.pairs_per_video,
            options.seed,
        )
    )


def _flops_per_second(device: str, *, is_bf16: bool) -> float:
    """The speed of matrix products here, the best of a few."""
    dtype = torch.bfloat16 if is_bf16 else torch.float32
    matrix = torch.randn(_PROBE_SIZE, _PROBE_SIZE, device=device).to(dtype)
    best = float("inf")
    for _ in range(_PROBE_ROUNDS):
        began = time.perf_counter()
        (matrix @ matrix)[0, 0].item()
        best = min(best, time.perf_counter() - began)
    return 2 * _PROBE_SIZE**3 / best


# --- after training ---


def _as_started(ready: Prepared) -> tuple[Evaluation, NDArray[np.float64]] | None:
    """What the start can do, and how likely it finds each held-out clip among the first ten."""
    if ready.start is None or not ready.problem.held_out.any():
        return None
    rows = evaluated_rows(ready.problem)
    shown, said = embed_rows(ready.problem.model.to(ready.problem.device), ready.problem.pack, rows)
    found = evaluate(shown, said, ready.problem.pack.videos_of(rows))
    return found, ranks_among(shown, said).hits_at(SELECTED_BY)


def _gain(ready: Prepared, before: tuple[Evaluation, NDArray[np.float64]]) -> Interval:
    rows = evaluated_rows(ready.problem)
    shown, said = embed_rows(ready.problem.model, ready.problem.pack, rows)
    hits = ranks_among(shown, said).hits_at(SELECTED_BY)
    return interval_over_videos(hits - before[1], ready.problem.pack.videos_of(rows))


def _draw(folder: Path) -> None:
    from howto.train.curves import curves_of_run, draw_curves

    draw_curves(curves_of_run(list(read_metrics(folder))), folder / CURVES)


def _best(ready: Prepared) -> str:
    """Which checkpoint counts: the best, else the last."""
    best = checkpoint.pointed(ready.folder, checkpoint.BEST)
    return checkpoint.BEST if best else checkpoint.LAST


def _hash(ready: Prepared) -> str:
    from howto.extract.weights import file_hash

    folder = checkpoint.pointed(ready.folder, _best(ready))
    return "" if folder is None else file_hash(folder / checkpoint.MODEL)


def _is_over_words(ready: Prepared) -> bool:
    from howto.train.text_pooling import TextPooling

    return isinstance(ready.problem.model.text, TextPooling) and (
        ready.encoder.vocabulary is not None
    )


def _export(ready: Prepared) -> bool:
    """Write the query side of the best checkpoint, else the last, if the encoder is over words."""
    from howto.train.query_side import export_query_side

    if not _is_over_words(ready):
        return False
    model = ready.problem.model
    found = checkpoint.load(ready.folder, _best(ready), model_only=True)
    if found is not None:
        checkpoint.restore(found, model)
    export_query_side(
        model,
        ready.folder / QUERY_SIDE,
        ("", *ready.encoder.vocabulary.words),
        ready.encoder.max_words,
        checkpoint=_hash(ready),
    )
    return True

"""`howto train`: the joint embedding of a library's clips and captions."""

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from howto.cli.console import chosen_folder, errors, output, plain_table, print_json, progress
from howto.cli.engines import OnOption, ResourcesOption, stdout_to_ourselves
from howto.errors import UsageError
from howto.library import Library
from howto.run.engine import Engine, engine_of
from howto.search.phrases import about, counted

if TYPE_CHECKING:
    from howto.cli.eval_show import Report
    from howto.train.config import TrainOptions
    from howto.train.loop import Event
    from howto.train.runs import Run
    from howto.train.stage import Done, Prepared
    from howto.train.validate import Evaluation

__all__ = ["show_evaluation", "train", "training_display"]

EXIT_STOPPED = 130
MIB = 1 << 20


def train(
    folder: Annotated[
        Path | None, typer.Argument(help="The folder of videos, by default this one.")
    ] = None,
    library: Annotated[
        Path | None, typer.Option("--library", "-L", help="The same as FOLDER.")
    ] = None,
    name: Annotated[str, typer.Option(help="Of the run.")] = "main",
    config: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="Options; flags go over them.")
    ] = None,
    backbone: Annotated[
        str | None, typer.Option(help="Whose features, with commas; by default the paper's two.")
    ] = None,
    text_encoder: Annotated[
        str | None,
        typer.Option(help="word2vec, learned or a plugin's; by default as --text-weights allow."),
    ] = None,
    text_weights: Annotated[
        str | None, typer.Option(metavar="FILE", help="Word vectors, or what the encoder loads.")
    ] = None,
    max_words: Annotated[
        int | None,
        typer.Option(help="The most words of a caption that count; by default the encoder's, 20."),
    ] = None,
    clips: Annotated[
        str | None, typer.Option(metavar="SET", help="The set of pairs; by default the newest.")
    ] = None,
    sampler: Annotated[
        str | None, typer.Option(help="intra-video (default), inter-video, uniform, hard, ...")
    ] = None,
    intra: Annotated[
        float | None, typer.Option(help="Share of intra-video negatives' mass, by default 0.5.")
    ] = None,
    loss: Annotated[
        str | None, typer.Option(help="max-margin (default), mil-nce, info-nce, ...")
    ] = None,
    form: Annotated[
        str | None, typer.Option(help="Of the loss: code, paper or exact, where it has several.")
    ] = None,
    weighting: Annotated[
        str | None, typer.Option(help="code (default), as published, or exact, as the paper.")
    ] = None,
    keep_positives: Annotated[
        float | None, typer.Option(metavar="R", help="Best share of right pairs that train.")
    ] = None,
    mask_overlaps: Annotated[
        bool, typer.Option("--mask-overlaps", help="Leave out negatives that are right.")
    ] = False,
    margin: Annotated[float | None, typer.Option(help="Of max-margin, by default 0.1.")] = None,
    temperature: Annotated[float | None, typer.Option(help="Of InfoNCE, by default 0.07.")] = None,
    videos_per_batch: Annotated[
        int | None, typer.Option(help="By default 32, or all there are.")
    ] = None,
    pairs_per_video: Annotated[
        int | None, typer.Option(help="Pairs drawn of each, by default 64.")
    ] = None,
    dim: Annotated[
        int | None, typer.Option(help="Of the embedding; by default by the number of pairs.")
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option(
            help="Learning rate, by default the paper's 1e-4, or 1e-3 for fewer dimensions."
        ),
    ] = None,
    lr_decay: Annotated[
        float | None,
        typer.Option(
            help="Its factor after each epoch; by default 0.9 to the power of 15 over the run."
        ),
    ] = None,
    schedule: Annotated[
        str | None, typer.Option(help="exponential (default), cosine or constant.")
    ] = None,
    warmup_steps: Annotated[
        int | None, typer.Option(help="Steps over which the rate rises, by default 0.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Each visits every video once; by default 15, or 600 steps.")
    ] = None,
    clip_gradient: Annotated[
        float | None, typer.Option(metavar="LENGTH", help="Shorten longer gradients to this.")
    ] = None,
    accumulate: Annotated[
        int | None, typer.Option(metavar="N", help="Batches to one step of the optimiser.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="auto, fp32 or bf16; auto is bf16 on a newer GPU.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = None,
    compile_: Annotated[
        bool, typer.Option("--compile", help="By torch.compile: slower to begin, then quicker.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Of all chance, by default 1.")] = None,
    init: Annotated[
        str | None,
        typer.Option(
            metavar="RUN|FILE|MODEL",
            help="Start from a run, the authors' checkpoint, or a ready joint model.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where the run stopped, with its options.")
    ] = False,
    validate: Annotated[
        str | None,
        typer.Option(
            metavar="own|none|BENCHMARK",
            help="On held-out videos (default), not at all, or on a benchmark at the end.",
        ),
    ] = None,
    validate_data: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="The folder or file of the benchmark's annotations."),
    ] = None,
    validate_every: Annotated[
        int | None,
        typer.Option(metavar="EPOCHS", help="0: at the end alone; by default 15 in all."),
    ] = None,
    held_out: Annotated[
        float | None, typer.Option(help="Share of videos held out, by default 0.1.")
    ] = None,
    rank_at_most: Annotated[
        int | None, typer.Option(metavar="K", help="Only videos of this search rank or better.")
    ] = None,
    fraction: Annotated[
        float | None, typer.Option(metavar="F", help="Train on this share of the videos.")
    ] = None,
    checkpoint_every: Annotated[
        float | None, typer.Option(metavar="S", help="Seconds between checkpoints, by default 300.")
    ] = None,
    from_authors: Annotated[
        tuple[Path, Path, Path, Path] | None,
        typer.Option(
            metavar="CSV CAPTIONS FEATURES_2D FEATURES_3D",
            help="Train on files of the HowTo100M authors, in place of a library's.",
        ),
    ] = None,
    on: OnOption = "local",
    resources: ResourcesOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do not train.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    state_dir: Annotated[
        Path | None, typer.Option(help="Keep what howto knows here instead of FOLDER/.howto.")
    ] = None,
) -> None:
    """Train the joint embedding of clips and captions.

    Needs pairs (howto clip) and features (howto extract). Ctrl-C keeps what was learned; --resume
    goes on as if it had never stopped. Under torchrun several processes train one model:
    torchrun --nproc-per-node 2 -m howto train. --on says where features are pooled before that.

    Example:  howto train my_videos/ --sampler intra-video --name first
    """
    given = _given(dict(locals()))
    engine = engine_of(on, resources)
    if engine.kind != "local" and from_authors is not None:
        raise UsageError(
            "--on says where a library's features are pooled; leave --from-authors out"
        )
    with Library.open(chosen_folder(folder, library), state_dir) as opened:
        if opened.is_outside:
            errors.print(f"{opened.folder} is kept in {opened.state}", style="dim")
        options = _options(opened, name, given, config, resume=resume)
        is_main = int(os.environ.get("RANK", "0")) == 0
        ready = _prepare(opened, options, name, from_authors, engine, resume=resume)
        if is_main:
            for note in (*ready.notes, *_seen_before(ready, opened)):
                errors.print(f"Note: {note}", style="dim")
        if dry_run:
            if is_main:
                _show_plan(ready, json=json)
            return
        if ready.finished is not None:
            if is_main:
                _show_finished(ready, ready.finished, json=json)
            return
        _check_benchmark(options)
        done = _train(ready, is_main=is_main)
        report = _scored(opened, ready, done) if is_main else None
    if not is_main:
        return
    if done.trained.stopped:
        where = ["--state-dir", str(state_dir)] if state_dir else []
        command = ["howto", "train", str(opened.folder), "--name", name, "--resume", *where]
        said = f"Stopped at step {done.trained.state.step}. To go on: {shlex.join(command)}"
        errors.print(said)
        raise typer.Exit(EXIT_STOPPED)
    if json:
        print_json({**_as_json(ready, done), "benchmark": report and report.json})
    else:
        _show(ready, done)
        if report is not None:
            report.show()


_NO_OPTIONS = {
    "folder", "library", "name", "config", "resume", "from_authors", "on", "resources", "dry_run",
    "json", "state_dir",
}  # fmt: skip


def _given(values: dict[str, Any]) -> dict[str, Any]:
    """The options of training among the flags; a switch that is off was not given."""
    named = {key.rstrip("_"): value for key, value in values.items() if key not in _NO_OPTIONS}
    return {key: None if value is False else value for key, value in named.items()}


def _options(
    library: Library, name: str, given: dict[str, Any], config: Path | None, *, resume: bool
) -> "TrainOptions":
    from howto.train.config import merged, read_config
    from howto.train.runs import open_run, run_folder

    over = None
    if resume:
        folder = run_folder(library.state, name)
        over = merged({}, open_run(folder).options)
    return merged(given, read_config(config) if config else {}, over)


def _prepare(
    library: Library,
    options: "TrainOptions",
    name: str,
    from_authors: tuple[Path, Path, Path, Path] | None,
    engine: Engine,
    *,
    resume: bool,
) -> "Prepared":
    from howto.train.stage import prepare

    if from_authors is None and resume:
        from_authors = _authors_of(library, name)
    source, ranks, told = None, None, {}
    if from_authors is not None:
        from howto.train.authors_sets import AuthorsFolders, read_ranks

        source = AuthorsFolders(*from_authors)
        ranks = read_ranks(from_authors[0]) if options.rank_at_most is not None else None
        told = {"from_authors": [str(path.absolute()) for path in from_authors]}
    with stdout_to_ourselves(engine), progress("Packing") as show:
        return prepare(
            library,
            options,
            name,
            resume=resume,
            source=source,
            ranks=ranks,
            told=told,
            engine=engine,
            on_progress=show,
        )


def _authors_of(library: Library, name: str) -> tuple[Path, Path, Path, Path] | None:
    """The files of the authors that a run was begun with; None: it was a library's."""
    from howto.train.runs import open_run, run_folder

    told = open_run(run_folder(library.state, name)).config.get("from_authors")
    if told is None:
        return None
    videos, captions, features_2d, features_3d = map(Path, told)
    return videos, captions, features_2d, features_3d


def _seen_before(ready: "Prepared", library: Library) -> list[str]:
    """What to know where the run that this one starts from has seen what is held out here."""
    from howto.joint.trained import trained_on

    start, problem = ready.start, ready.problem
    if start is None or start.kind != "run" or start.path is None:
        return []
    from howto.train.runs import open_run

    seen = trained_on(start.path, open_run(start.path).config, library).video_ids
    ids = zip(problem.pack.video_ids, problem.held_out, strict=True)
    held = [one for one, is_held in ids if is_held]
    if both := sum(one in seen for one in held):
        return [
            f"{both} of {counted(len(held), 'held-out video')} trained the run {start.name}, so "
            "what is measured on them is too good; give both runs the same --held-out"
        ]
    return []


def _train(ready: "Prepared", *, is_main: bool) -> "Done":
    from howto.train.distributed import connected
    from howto.train.stage import train_prepared

    with connected(ready.problem.device) as world, training_display(is_main=is_main) as show:
        listeners = [show]
        if is_main:
            listeners += _board(ready)

        def tell(event: "Event") -> None:
            for listener in listeners:
                listener(event)

        return train_prepared(ready, on_event=tell, world=world)


def _check_benchmark(options: "TrainOptions") -> None:
    """Read the benchmark's files before hours of training, not after them."""
    if options.benchmark is not None and options.validate_data is not None:
        from howto.evaluate.benchmark import read_benchmark

        read_benchmark(options.benchmark, Path(options.validate_data))


def _scored(library: Library, ready: "Prepared", done: "Done") -> "Report | None":
    """How the run does on the benchmark that it is validated by; None where there is none."""
    options = ready.options
    if options.benchmark is None or options.validate_data is None or done.trained.stopped:
        return None
    from howto.cli.eval_show import benchmark_report
    from howto.evaluate.benchmark import evaluate_benchmark
    from howto.joint.opened import open_model

    model = open_model(library, done.folder.name, device=ready.problem.device)
    data = Path(options.validate_data)
    result = evaluate_benchmark(options.benchmark, model, data=data, library=library)
    return benchmark_report(result, model)


def _board(ready: "Prepared") -> list[Callable[["Event"], None]]:
    from howto.train.board import board

    after = ready.unfinished.state.step if ready.unfinished else 0
    writer = board(ready.folder, after_step=after)
    if writer is None:
        what = "Note: no TensorBoard events are written; for them: pip install 'howto[tensorboard]'"
        errors.print(what, style="dim")
        return []
    return [writer]


@contextmanager
def training_display(*, is_main: bool = True) -> Iterator[Callable[["Event"], None]]:
    """Show a run while it goes on: loss, pairs a second, waiting, R@10, time left.

    Nothing where stderr is no terminal.
    """
    if not (is_main and errors.is_terminal):
        yield lambda _event: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from howto.train.loop import Evaluated, Stepped

    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]}"),
        TextColumn("{task.fields[rate]} pairs/s"),
        TextColumn("waiting {task.fields[waiting]}"),
        TextColumn("R@10 {task.fields[recall]}"),
        TextColumn("{task.fields[left]} left"),
    )
    with Progress(*columns, console=errors, transient=True) as bar:
        names = ("epoch", "loss", "rate", "waiting", "recall", "left")
        blank: dict[str, Any] = dict.fromkeys(names, "-")
        task = bar.add_task("", total=None, **blank)

        def show(event: "Event") -> None:
            if isinstance(event, Stepped):
                bar.update(
                    task,
                    completed=event.step,
                    total=event.total,
                    epoch=f"{event.epoch}/{event.epochs}",
                    loss=f"{event.loss:.4f}",
                    rate=f"{event.pairs_per_second:,.0f}",
                    waiting=f"{event.waiting:.0%}",
                    left=about(event.seconds_left),
                )
            elif isinstance(event, Evaluated):
                recall = event.evaluation.coarse.recalls[10].value
                bar.update(task, recall=f"{recall:.1%}")

        yield show


def _show_plan(ready: "Prepared", *, json: bool) -> None:
    cost = ready.cost()
    config = ready.config
    if json:
        print_json(
            {
                **config,
                "parameters": cost.parameters,
                "frozen_parameters": cost.frozen,
                "steps": cost.steps,
                "memory": cost.memory,
                "seconds": round(cost.seconds, 1),
            }
        )
        return
    for key, value in config["options"].items():
        output.print(f"{key.replace('_', '-')} = {value}")
    parts = ", ".join(f"{name} {count:,}" for name, count in cost.parameters.items())
    frozen = f"; {cost.frozen:,} stay as they are" if cost.frozen else ""
    output.print()
    for line in (
        f"Would train {sum(cost.parameters.values()):,} parameters ({parts}){frozen}",
        f"on {config['pairs']:,} pairs of {counted(config['videos'], 'video')}, "
        f"{config['held_out']} held out, in {cost.steps} steps, {config['precision']} on "
        f"{config['device']}:",
        f"{about(cost.seconds)}, by the speed of matrix products here, and "
        f"{cost.memory / MIB:,.0f} MiB of memory.",
    ):
        output.print(line)


def _show_finished(ready: "Prepared", run: "Run", *, json: bool) -> None:
    from howto.train.stage import complete

    completed = complete(ready)
    if json:
        print_json({"name": run.name, "finished": True, "evaluation": run.evaluation})
        return
    said = f"The run {run.name} is finished with these options already: {run.folder}"
    if completed:
        said += ". What it had not written when it was killed is there now"
    output.print(said)


def _as_json(ready: "Prepared", done: "Done") -> dict[str, Any]:
    trained = done.trained
    gain = done.gain
    return {
        "name": done.folder.name,
        "folder": str(done.folder),
        "steps": trained.state.step,
        "seconds": round(trained.state.seconds, 3),
        "pairs_per_second": round(trained.pairs_per_second, 1),
        "waiting": round(trained.waiting, 4),
        "dim": ready.config["dim"],
        "text_encoder": ready.config["text_encoder"],
        "evaluation": trained.evaluation and trained.evaluation.as_json(),
        "start": done.before and done.before.as_json(),
        "gain": gain and {"value": gain.value, "low": gain.low, "high": gain.high},
        "query_side": done.has_query_side,
    }


def _show(ready: "Prepared", done: "Done") -> None:
    trained, config = done.trained, ready.config
    output.print(
        f"Trained {done.folder.name}: {counted(trained.state.step, 'step')} in "
        f"{about(trained.state.seconds)}, {trained.pairs_per_second:,.0f} pairs/s, "
        f"{trained.waiting:.1%} of it waiting for data; {config['pairs']} pairs of "
        f"{counted(config['videos'], 'video')}, {config['dim']} dimensions.",
    )
    if trained.evaluation is not None:
        show_evaluation(trained.evaluation)
    if done.gain is not None and ready.start is not None:
        output.print(_verdict(ready.start.name, done))
    output.print(f"Kept in {done.folder}", style="dim")


def _verdict(start: str, done: "Done") -> str:
    gain = done.gain
    if gain is None:
        return ""
    better = "beats" if gain.low > 0 else "is worse than" if gain.high < 0 else "is level with"
    return (
        f"The run {better} {start} on held-out videos: R@10 {gain.value:+.1%} "
        f"({gain.low:+.1%} to {gain.high:+.1%})."
    )


def show_evaluation(found: "Evaluation") -> None:
    """Print recalls with intervals, and chance beside them."""

    numbers = ("queries", "R@1", "R@5", "R@10", "MedR")
    table = plain_table(counted(found.videos, "held-out video"), *numbers, right=numbers)
    for title, one in (("among all their clips", found.coarse), ("within a video", found.fine)):
        if one is None:
            continue
        recalls = [f"{r.value:.1%} ({r.low:.0%} to {r.high:.0%})" for r in one.recalls.values()]
        table.add_row(title, str(one.queries), *recalls, f"{one.median_rank:g}")
        chances = [f"{chance:.1%}" for chance in one.chances.values()]
        table.add_row("  chance", "", *chances, f"{one.chance_median_rank:g}", style="dim")
    output.print(table)

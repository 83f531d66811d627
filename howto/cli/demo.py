"""`howto demo`: a set of drawn how-to videos, and every stage run on it."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from howto.cli.console import errors, output, print_json, progress
from howto.cli.search import as_json, show_answer
from howto.clip.pairs import PairOptions
from howto.clip.stage import clip_videos
from howto.library import Library
from howto.search.phrases import about, clock
from howto.search.query import Query
from howto.search.refresh import refresh
from howto.search.results import write_sheet
from howto.search.search import Answer, ask

if TYPE_CHECKING:
    from howto.cli.eval_show import Report
    from howto.demo import DemoVideo
    from howto.evaluate.best_signals import Choice
    from howto.evaluate.own_result import OwnResult
    from howto.extract.stage import Extracted
    from howto.joint.opened import OpenedModel
    from howto.train.stage import Done

__all__ = ["demo"]

BACKBONE = "colour-motion"
"""It needs no weights, and a CPU does a minute of video in a second or two."""

QUERIES = ("fold a shirt", "crack an egg", "change the tyre")
TOP = 3
SHEET = "moments.png"
TOP_ON_SHEET = 6

RUN = "demo"
EPOCHS = 400
PAIRS_PER_VIDEO = 16  # a video has about ten
HELD_OUT = 0.3  # so few videos that a tenth would be two

TRUTH = "queries.csv"
PLOT = "eval.png"

EXIT_STOPPED = 130


def demo(
    folder: Annotated[
        Path, typer.Argument(help="Where to make it; an unfinished set goes on.")
    ] = Path("howto-demo"),
    videos_per_task: Annotated[int, typer.Option(help="Videos of each of the six tasks.")] = 3,
    seed: Annotated[int, typer.Option(help="Another number draws other videos.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Draw a set of narrated how-to videos, and run every stage on them.

    The videos are drawn on the spot, captioned, and spoken where espeak-ng is installed. What is
    shown when
    is known (demo.json in the folder), so the end says how good search is on it.

    Example:  howto demo my-demo
    """
    try:
        _demo(folder, videos_per_task, seed, json=json)
    except KeyboardInterrupt:
        errors.print("Stopped. What is done is kept; run the same command to go on.")
        raise typer.Exit(EXIT_STOPPED) from None


def _demo(folder: Path, videos_per_task: int, seed: int, *, json: bool) -> None:
    from howto.cli.eval_show import own_report
    from howto.demo import DemoSpec, write_demo

    spec = DemoSpec(videos_per_task=videos_per_task, seed=seed)
    total = len(spec.tasks) * videos_per_task
    with progress("Drawing") as show:
        drawn: list[str] = []

        def report(name: str) -> None:
            drawn.append(name)
            show(len(drawn), total, name)

        made = write_demo(folder, spec, on_video=report)
    with Library.open(folder) as library:
        with progress("Looking at new files") as show:
            refresh(library, on_progress=show)
        with progress("Making pairs") as show:
            clipped = clip_videos(library, PairOptions(), on_progress=show)
        extracted = _extract(library)
        trained = _train(library)
        counts = library.counts()
        answers = [ask(library, Query.parse(query), folder, top=TOP) for query in QUERIES]
        pictured = ask(library, Query.parse(QUERIES[0]), folder, top=TOP_ON_SHEET)
        _write_truth(folder / TRUTH, made)
        models = _judged(library)
        evaluated = _evaluate(library, models, folder)
        choice = _choice(library, models, folder, evaluated)
    judgement = own_report(evaluated, choice)
    write_sheet(pictured, folder / SHEET)
    if json:
        print_json(
            {
                "folder": str(folder),
                "made": [video.path.name for video in made],
                "sound": made[0].sound if made else None,
                **counts,
                "pairs": clipped.pairs,
                "features": {"backbone": BACKBONE, "tally": dict(extracted.tally)},
                "trained": _as_json(trained),
                "sheet": str(folder / SHEET),
                "searches": [as_json(answer) for answer in answers],
                "evaluation": judgement.json,
                "plot": str(folder / PLOT),
            }
        )
        return
    spoken = "spoken by espeak-ng" if made[0].sound == "speech" else "silent but for room noise"
    output.print(
        f"{len(made)} videos in {folder}, {clock(counts['seconds'])} long, {spoken}; "
        f"{counts['narrations']} narrated in {counts['lines']} lines, "
        f"{counts['clips']} clips to search, {clipped.pairs} pairs to train with; "
        f"{BACKBONE} features of {extracted.tally.get('ok', 0)}.",
    )
    _show_trained(trained)
    _show(folder, answers)
    by = f" --model {RUN}" if choice else ""
    _show_evaluated(folder, by, judgement)
    errors.print("Now with your own videos: howto search QUERY FOLDER", style="dim")


def _extract(library: Library) -> "Extracted":
    from howto.extract.choice import Choice, choose
    from howto.extract.stage import extract_videos

    with progress("Extracting") as show:
        return extract_videos(library, choose(Choice((BACKBONE,), "cpu")), on_progress=show)


def _train(library: Library) -> "Done | None":
    """Train on the drawn videos; None where it was done before, or there are too few videos."""
    from howto.cli.train import training_display
    from howto.train.config import TrainOptions
    from howto.train.runs import run_folder
    from howto.train.stage import prepare, train_prepared

    options = TrainOptions(
        backbone=(BACKBONE,),
        text_encoder="learned",
        device="cpu",
        epochs=EPOCHS,
        pairs_per_video=PAIRS_PER_VIDEO,
        held_out=HELD_OUT,
    )
    begun = (run_folder(library.state, RUN) / "config.json").exists()
    ready = prepare(library, options, RUN, resume=begun)
    if ready.finished is not None:
        return None
    with training_display() as show:
        done = train_prepared(ready, on_event=show)
    if done.trained.stopped:  # Ctrl-C, which training holds back until the step in hand is done
        raise KeyboardInterrupt
    return done


def _as_json(trained: "Done | None") -> dict[str, object] | None:
    if trained is None:
        return None
    found = trained.trained.evaluation
    return {
        "run": RUN,
        "steps": trained.trained.state.step,
        "evaluation": found and found.as_json(),
    }


def _show_trained(trained: "Done | None") -> None:
    from howto.cli.train import show_evaluation

    if trained is None:
        output.print(f"The run {RUN} is there already: howto runs")
        return
    state = trained.trained.state
    output.print()
    output.print(f"Trained on them in {about(state.seconds)}; what it can do on videos held out:")
    if trained.trained.evaluation is not None:
        show_evaluation(trained.trained.evaluation)


def _show(folder: Path, answers: list[Answer]) -> None:
    for answer in answers:
        output.print()
        command = f'$ howto search "{answer.query.text}" {folder} --top {TOP}'
        output.print(command, style="bold")
        show_answer(answer, notes=False)
    output.print()
    output.print(f"Contact sheet of the first search: {folder / SHEET}")


def _write_truth(path: Path, videos: "Sequence[DemoVideo]") -> None:
    """Write what is shown when as queries, for `howto eval --benchmark own --queries`."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("query", "video", "start", "end"))
        for video in videos:
            for step in video.steps:
                times = (f"{step.start:.3f}", f"{step.end:.3f}")
                writer.writerow((step.name, video.path.name, *times))


def _judged(library: Library) -> "list[OpenedModel]":
    """The run, where there are videos that it was not trained on."""
    from howto.evaluate.truth import known_videos
    from howto.joint.opened import open_model

    model = open_model(library, RUN)
    return [model] if known_videos(library).keys() - model.trained_on else []


def _evaluate(library: Library, models: "Sequence[OpenedModel]", folder: Path) -> "OwnResult":
    from howto.evaluate.own import evaluate_own
    from howto.evaluate.plot import draw_own

    with progress("Evaluating") as show:
        found = evaluate_own(library, models, queries=folder / TRUTH, on_progress=show)
    draw_own(found, folder / PLOT)
    return found


def _choice(
    library: Library, models: "Sequence[OpenedModel]", folder: Path, found: "OwnResult"
) -> "Choice | None":
    """What plain searches of the library now take, as after `howto eval --benchmark own`."""
    from howto.evaluate.best_signals import keep_chosen

    return keep_chosen(library, found, models, queries=folder / TRUTH) if models else None


def _show_evaluated(folder: Path, by: str, report: "Report") -> None:
    place = f"-L {folder} --queries {folder / TRUTH} --plot {folder / PLOT}"
    output.print()
    output.print(f"$ howto eval --benchmark own{by} {place}", style="bold")
    report.show()
    output.print()
    output.print(f"Plot of it: {folder / PLOT}")

"""`howto locate`: where a video shows each step of a list."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from howto.cli.console import check_outputs, errors, output, plain_table, print_json, progress
from howto.errors import ItemError, NoLibrary, UsageError
from howto.library import Library
from howto.records import Stage, State
from howto.search.phrases import clock, counted

if TYPE_CHECKING:
    from howto.joint.locate import Located
    from howto.joint.opened import OpenedModel

__all__ = ["locate"]

EXIT_FAILED = 1
EXIT_STOPPED = 130


def locate(
    steps: Annotated[Path, typer.Argument(help="A file with the steps in order, one a line.")],
    video: Annotated[Path, typer.Argument(help="The video, in a library or not yet in one.")],
    model: Annotated[
        str | None,
        typer.Option(help="A run, or a ready joint model; by default the one that there is."),
    ] = None,
    assign: Annotated[
        Literal["ordered", "free"],
        typer.Option(help="ordered: one second a step, in their order; free: each step's best."),
    ] = "ordered",
    library: Annotated[
        Path | None,
        typer.Option("--library", "-L", help="Whose runs are meant, by default the video's."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Also draw the timeline into a file.")
    ] = None,
    device: Annotated[
        str, typer.Option(help="Where to compute: auto, cpu, cuda, cuda:N or mps.")
    ] = "auto",
    weights: Annotated[
        str | None, typer.Option(help="Weights of a ready model: a path, or a name it knows.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    state_dir: Annotated[
        Path | None, typer.Option(help="Where the library keeps what howto knows.")
    ] = None,
) -> None:
    """Find the second of a video that shows each step of a list.

    Every second is scored against every step. What the model needs of the video is made first,
    and kept in the library of the video's folder.

    Example:  howto locate steps.txt my_videos/pancakes.mp4 --plot timeline.png
    """
    from howto.joint.locate import locate_steps, read_steps

    listed = read_steps(steps)
    if not video.is_file():
        raise UsageError(f"there is no video {video}")
    check_outputs({"--plot": plot})
    home = video.parent.resolve()
    with ExitStack() as stack:
        of_runs = _existing(stack, library, home, state_dir)
        opened = _opened(of_runs, model, device, weights)
        if of_runs is not None and home.is_relative_to(of_runs.folder):
            of_video = of_runs
        else:
            of_video = _of_folder(stack, home, None if library else state_dir)
        video_id, shown = _known_video(of_video, video)
        try:
            _make_features(of_video, opened, video_id, shown)
            found = locate_steps(of_video, opened, video_id, listed, ordered=assign == "ordered")
        except ItemError as error:
            errors.print(f"Failed: {shown}: {error.reason}: {error}")
            raise typer.Exit(EXIT_FAILED) from error
    if plot is not None:
        from howto.joint.timeline import draw_timeline

        draw_timeline(found, f"{shown}, by {found.model}, {assign}", plot)
    if json:
        print_json(_as_json(found, video, plot))
    else:
        _show(found, shown, plot)


def _existing(
    stack: ExitStack, library: Path | None, home: Path, state_dir: Path | None
) -> Library | None:
    """The library whose runs are meant; None where none is named and the video is in none."""
    try:
        return stack.enter_context(Library.open(library or home, state_dir, create=False))
    except NoLibrary:
        if library is not None:
            raise
        return None


def _of_folder(stack: ExitStack, folder: Path, state_dir: Path | None) -> Library:
    """The library of a folder, made where there is none."""
    try:
        return stack.enter_context(Library.open(folder, state_dir, create=False))
    except NoLibrary:
        made = stack.enter_context(Library.open(folder, state_dir))
        errors.print(f"{folder} is a library now, kept in {made.state}", style="dim")
        return made


def _known_video(library: Library, video: Path) -> tuple[str, str]:
    """The video's id, and its path in the library, which is brought up to date."""
    from howto.search.refresh import refresh

    with _stoppable(), progress("Looking at new files") as show:
        refresh(library, on_progress=show, on_wait=_waiting)
    # The video itself may be a link: it is known by where it lies.
    path = str(video.parent.resolve().relative_to(library.folder) / video.name)
    number = library.number_of_file(path)
    if number is None:
        raise UsageError(f"{video} is no video that howto takes in (howto status {library.folder})")
    return library.video_id(number), path


def _opened(
    library: Library | None, name: str | None, device: str, weights: str | None
) -> "OpenedModel":
    from howto.joint.chosen import chosen_model
    from howto.joint.opened import open_model

    if name is None:
        chosen = chosen_model(library)
        name = chosen.name
        errors.print(f"By the model {name}, {chosen.why}.", style="dim")
    return open_model(library, name, device=device, weights=weights)


def _make_features(library: Library, model: "OpenedModel", video_id: str, path: str) -> None:
    """Make what the model sees the video by, where it is missing.

    Raises:
        ItemError: the video could not be looked at, or they cannot be made.
    """
    from glob import escape

    from howto.joint.opened import make_features, missing_features

    looked_at = library.outcome(video_id, Stage.PROBE)
    if looked_at is not None and looked_at.state == State.FAILED and looked_at.reason is not None:
        raise ItemError(looked_at.reason, looked_at.detail)
    if video_id not in missing_features(library, model):
        return
    what = ", ".join(model.streams)
    told = f"Making the features {what} of {path}, kept in {library.state}"
    errors.print(told, style="dim")
    with _stoppable(), progress("Extracting") as show:
        done = make_features(library, model, only=escape(path), on_progress=show, on_wait=_waiting)
    for outcome in done.outcomes:
        if outcome.state != State.OK and outcome.reason is not None:
            raise ItemError(outcome.reason, outcome.detail)


def _waiting() -> None:
    errors.print("Another howto is at work on this library; waiting for it.", style="dim")


@contextmanager
def _stoppable() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        errors.print("Stopped. What is done is kept; run the same command to go on.")
        raise typer.Exit(EXIT_STOPPED) from None


# What is shown.


def _show(found: "Located", path: str, plot: Path | None) -> None:
    from rich.text import Text

    names = ("", "time", "step", "score", "above", "note")
    table = plain_table(*names, right=("", "score", "above"))
    for step in found.steps:
        table.add_row(
            str(step.number),
            clock(step.second),
            step.text,
            f"{step.score:.3f}",
            f"{step.share_below:.0%}",
            Text(step.note, style="dim"),
        )
    output.print(table)
    order = "in their order" if found.ordered else "each at its best second"
    seconds = found.scores.shape[1]
    output.print(
        f"{counted(len(found.steps), 'step')} in {counted(seconds, 'second')} of {path}, {order}, "
        f"by {found.model}. above: the share of the seconds that score lower for the step.",
    )
    if found.was_trained_on:
        errors.print(f"Note: {found.model} was trained on this video.")
    if plot is not None:
        output.print(f"Timeline: {plot}")


def _as_json(found: "Located", video: Path, plot: Path | None) -> dict[str, Any]:
    return {
        "video": str(video),
        "video_id": found.video_id,
        "model": found.model,
        "trained_on_this_video": found.was_trained_on,
        "assign": "ordered" if found.ordered else "free",
        "seconds": found.scores.shape[1],
        "steps": [
            {
                "step": step.number,
                "text": step.text,
                "start": step.second,
                "end": step.second + 1,
                "score": round(step.score, 6),
                "share_below": round(step.share_below, 4),
                "best_second": step.best_second,
                "rival": step.rival,
                "known": step.is_known,
                "note": step.note,
            }
            for step in found.steps
        ],
        "scores": [[round(float(score), 5) for score in row] for row in found.scores],
        "plot": plot and str(plot),
    }

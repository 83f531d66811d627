"""`howto transcribe`: narration for the videos of a library, or what one caption file says."""

import json as json_module
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated

import typer

from howto.cli.console import (
    chosen_folder,
    errors,
    output,
    print_json,
    progress,
    show_outcomes,
)
from howto.errors import CaptionError, UsageError
from howto.library import Library
from howto.records import Narration, Outcome, State
from howto.search.phrases import about, counted
from howto.transcribe.ask import QUICK_SOURCES, Wish
from howto.transcribe.authors import read_caption_file
from howto.transcribe.ends import Ends
from howto.transcribe.formats import read_captions
from howto.transcribe.stage import Plan, plan
from howto.transcribe.stage import transcribe as transcribe_videos
from howto.transcribe.write import WRITERS, as_json

__all__ = ["transcribe"]

EXIT_FAILED = 1
EXIT_STOPPED = 130
MOST_PROBLEMS = 20
OF_MANY_VIDEOS = (".json", ".pickle", ".pkl")


def transcribe(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="SOURCE",
            help="Caption files to print, or one folder of videos, by default this one.",
        ),
    ] = None,
    library: Annotated[
        Path | None, typer.Option("--library", "-L", help="The folder of videos.")
    ] = None,
    asr: Annotated[
        str | None,
        typer.Option(
            help="Narration sources, with commas, the first asked first; "
            "a speech recogniser works only when it is named here."
        ),
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="The preferred language, such as en or pt-BR.")
    ] = None,
    ends: Annotated[
        Ends | None,
        typer.Option(
            help="Where lines end: when their speech does, or where HowTo100M ends them. "
            "By default speech for recognisers' tracks of YouTube, and as written for all others."
        ),
    ] = None,
    min_narration_words: Annotated[
        int, typer.Option(help="Fewer words than these are the outcome too_few_words.")
    ] = 0,
    only: Annotated[
        str | None,
        typer.Option(help="Only videos with a path like this pattern, such as 'shirts/*'."),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Ask for at most so many videos.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done and how long it takes.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    srt: Annotated[bool, typer.Option("--srt", help="Print the captions as SubRip.")] = False,
    vtt: Annotated[bool, typer.Option("--vtt", help="Print the captions as WebVTT.")] = False,
    csv: Annotated[
        bool, typer.Option("--csv", help="Print the captions as a table start,end,text.")
    ] = False,
    state_dir: Annotated[
        Path | None, typer.Option(help="Keep what howto knows here instead of FOLDER/.howto.")
    ] = None,
) -> None:
    """Find out what is said in videos, or print what a caption file says.

    For a folder each video takes the first source that has something: caption files beside it, then
    subtitles inside it. Starting again goes on where it stopped. A caption file needs no folder.

    Example:  howto transcribe my_videos/ --asr sidecar,embedded,whisper
    """
    forms = [name for name, wanted in (("srt", srt), ("vtt", vtt), ("csv", csv)) if wanted]
    if len(forms) + json > 1:
        raise UsageError("--json, --srt, --vtt and --csv are one or the other")
    for path in sources or ():
        if not path.exists():
            raise UsageError(f"there is no {path}")
    files = [path for path in sources or () if not path.is_dir()]
    if files:
        if asr or library or dry_run or limit is not None or len(files) < len(sources or ()):
            raise UsageError("caption files are printed alone, without a folder and its options")
        form = "json" if json else (forms or ["table"])[0]
        _print_files(files, form, language or "en", ends, only)
        return
    if forms:
        raise UsageError(f"--{forms[0]} prints a caption file; name one")
    if len(sources or ()) > 1:
        raise UsageError("name one folder; its subfolders are part of it")
    place = chosen_folder(sources[0] if sources else None, library)
    names = tuple(name.strip() for name in (asr or "").split(",") if name.strip())
    wish = Wish(names or QUICK_SOURCES, language, ends)
    with Library.open(place, state_dir, create=not dry_run) as opened:
        _transcribe_folder(
            opened, wish, only, limit, min_narration_words, dry_run=dry_run, json=json
        )


# Caption files.


def _print_files(
    files: list[Path], form: str, language: str, ends: Ends | None, only: str | None
) -> None:
    failed = False
    for path in files:
        try:
            if path.suffix.lower() in OF_MANY_VIDEOS:
                _print_many(path, form, only)
            else:
                _print_one(path, read_captions(path, language, ends=ends), form)
        except CaptionError as error:
            failed = True
            errors.print(f"Error: {path}: {error}", markup=False, soft_wrap=True)
    if failed:
        raise typer.Exit(EXIT_FAILED)


def _print_one(path: Path, narration: Narration, form: str) -> None:
    if form == "json":
        print_json(as_json(narration))
        return
    if form == "table":
        _show(narration)
    else:
        sys.stdout.write(WRITERS[form](narration))
    for problem in narration.problems[:MOST_PROBLEMS]:
        where = f", line {problem.line}" if problem.line is not None else ""
        errors.print(f"Note: {path}{where}: {problem.what}", markup=False, soft_wrap=True)


def _print_many(path: Path, form: str, only: str | None) -> None:
    """A file of many videos: as JSON one object a line, else the one video that is chosen."""
    chosen = (
        (video_id, narration)
        for video_id, narration in read_caption_file(path)
        if only is None or fnmatch(video_id, only)
    )
    if form == "json":
        for video_id, narration in chosen:
            print(json_module.dumps({"video_id": video_id, **as_json(narration)}))
        return
    found = list(zip(chosen, range(2), strict=False))
    if len(found) != 1:
        number = "more than one video" if found else "no such video"
        raise UsageError(f"{path} holds {number}; choose one with --only ID, or print --json")
    _print_one(path, found[0][0][1], form)


def _show(narration: Narration) -> None:
    from rich.table import Table
    from rich.text import Text

    words = sum(len(line.words) for line in narration.lines)
    language = narration.language or "language not stated"
    timed = f", {counted(words, 'word')} with times" if words else ""
    output.print(
        f"{counted(len(narration.lines), 'line')}, {language}, {narration.kind}{timed}",
        style="dim",
        markup=False,
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("start", justify="right")
    table.add_column("end", justify="right")
    table.add_column("text", overflow="fold")
    for line in narration.lines:
        table.add_row(f"{line.start:.3f}", f"{line.end:.3f}", Text(line.text))
    output.print(table)


# A library.


def _transcribe_folder(
    library: Library,
    wish: Wish,
    only: str | None,
    limit: int | None,
    min_words: int,
    *,
    dry_run: bool,
    json: bool,
) -> None:
    if dry_run:
        _show_plan(plan(library, wish, only=only, limit=limit), json=json)
        return
    outcomes: list[Outcome] = []
    stopped = False
    try:
        _refresh(library)
        planned = plan(library, wish, only=only, limit=limit)
        total = len(planned.jobs) + len(planned.done)
        with progress("Transcribing") as show:
            for outcome in transcribe_videos(library, planned, min_words=min_words):
                outcomes.append(outcome)
                show(len(outcomes), total, outcome.paths[0])
    except KeyboardInterrupt:
        stopped = True
        errors.print("Stopped. What is done is kept; run the same command to go on.")
    if json:
        print_json(_outcomes_as_json(library, outcomes))
    else:
        show_outcomes(outcomes, "No videos to transcribe.")
    if stopped:
        raise typer.Exit(EXIT_STOPPED)
    if any(one.state == State.FAILED for one in outcomes):
        raise typer.Exit(EXIT_FAILED)


def _refresh(library: Library) -> None:
    from howto.search.refresh import refresh

    with progress("Looking at new files") as show:
        refresh(library, on_progress=show)


def _show_plan(planned: Plan, *, json: bool) -> None:
    if json:
        print_json(
            {
                "sources": list(planned.wish.sources),
                "videos": [job.path for job in planned.jobs],
                "done": len(planned.done),
                "left": planned.left,
                "seconds": round(planned.seconds, 1),
            }
        )
        return
    for job in planned.jobs:
        print(job.path)
    more = f"; {planned.left} more past the limit" if planned.left else ""
    output.print(
        f"{counted(len(planned.jobs), 'video')} to ask {', '.join(planned.wish.sources)} for, "
        f"{about(planned.seconds)}; {len(planned.done)} done already{more}.",
        markup=False,
        soft_wrap=True,
    )


def _outcomes_as_json(library: Library, outcomes: list[Outcome]) -> dict[str, object]:
    return {
        "library": str(library.folder),
        "outcomes": [
            {
                "video": one.paths[0],
                "video_id": one.video_id,
                "state": one.state,
                "reason": one.reason,
                "detail": one.detail,
            }
            for one in outcomes
        ],
    }

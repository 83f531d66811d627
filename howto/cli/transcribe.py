"""`howto transcribe`: narration for the videos of a library, or what one caption file says."""

import json as json_module
import sys
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated

import typer

from howto.cli.console import (
    chosen_folder,
    errors,
    opened_library,
    output,
    plain_table,
    print_json,
    print_paths,
    progress,
    show_outcomes,
)
from howto.cli.engines import OnOption, ResourcesOption, stdout_to_ourselves
from howto.collect.scan import MEDIA_SUFFIXES
from howto.errors import CaptionError, ItemError, UsageError
from howto.library import Library
from howto.plugin_options import Option, of_plugin, parse_options
from howto.recipe import Recipe
from howto.records import Narration, Outcome, State
from howto.run.engine import Engine, engine_of
from howto.search.phrases import about, counted
from howto.transcribe import json3
from howto.transcribe.ask import QUICK_SOURCES, Wish, make_sources
from howto.transcribe.authors import read_caption_file
from howto.transcribe.choice import Choice, quick, remember, remembered
from howto.transcribe.ends import Ends, with_ends
from howto.transcribe.formats import read_captions
from howto.transcribe.sidecar import group_captions
from howto.transcribe.stage import Plan, plan
from howto.transcribe.stage import transcribe as transcribe_videos
from howto.transcribe.text import decode
from howto.transcribe.write import WRITERS, as_json

__all__ = ["transcribe"]

EXIT_FAILED = 1
EXIT_STOPPED = 130
MOST_PROBLEMS = 20
HEAD_BYTES = 4096
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
    option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME.KEY=VALUE",
            help="An option of a recogniser, another source or an aligner that is named, such as "
            "whisper.model=small; may be given several times.",
        ),
    ] = None,
    align: Annotated[
        str | None,
        typer.Option(
            metavar="ALIGNER",
            help="Then give word times to the lines that have none, from the sound: "
            "pocketsphinx, ctc:MODEL or a plugin's. No aligner works unless it is named here.",
        ),
    ] = None,
    sound: Annotated[
        Path | None,
        typer.Option(metavar="VIDEO", help="With --align and a caption file: its video or sound."),
    ] = None,
    min_narration_words: Annotated[
        int | None,
        typer.Option(
            help="Fewer words than these are the outcome too_few_words; 0 takes that back."
        ),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(help="Only videos with a path like this pattern, such as 'shirts/*'."),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Ask for at most so many videos.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done and how long it takes.")
    ] = False,
    on: OnOption = "local",
    resources: ResourcesOption = None,
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
    engine = engine_of(on, resources)
    forms = [name for name, wanted in (("srt", srt), ("vtt", vtt), ("csv", csv)) if wanted]
    if len(forms) + json > 1:
        raise UsageError("--json, --srt, --vtt and --csv are one or the other")
    for path in sources or ():
        if not path.exists():
            raise UsageError(f"there is no {path}")
    files = [path for path in sources or () if not path.is_dir()]
    if sound is not None and not (align and len(files) == 1):
        raise UsageError("--sound goes with --align and one caption file")
    if min_narration_words is not None and min_narration_words < 0:
        raise UsageError(f"--min-narration-words {min_narration_words}: expected 0 or more")
    names = _names(asr)
    if files:
        elsewhere = on if engine.kind == "ray" else None
        of_stage = (asr, library, limit, min_narration_words, state_dir, dry_run or None)
        of_folders = (*of_stage, elsewhere)
        if any(one is not None for one in of_folders) or len(files) < len(sources or ()):
            raise UsageError("caption files are printed alone, without a folder and its options")
        _check_files(files, forms, only, align)
        form = "json" if json else (forms or ["table"])[0]
        options = _options(option, (), align)
        if align is None:
            _print_files(files, form, language or "en", ends, only)
        elif sound is None:
            raise UsageError("--align needs the sound of a caption file: --sound VIDEO")
        else:
            _print_aligned(files[0], form, language or "en", ends, (align, options), sound)
        return
    if forms:
        raise UsageError(f"--{forms[0]} prints a caption file; name one")
    if len(sources or ()) > 1:
        raise UsageError("name one folder; its subfolders are part of it")
    place = chosen_folder(sources[0] if sources else None, library)
    options = _options(option, names or QUICK_SOURCES, align)
    of_sources = tuple(one for one in options if one[0] in (names or QUICK_SOURCES))
    chosen = Wish(names or QUICK_SOURCES, language, ends, of_sources)
    with opened_library(place, state_dir, dry_run=dry_run) as opened:
        asked = _asked(
            opened,
            chosen if chosen != Wish() or names else None,
            min_narration_words,
            (align, options) if align is not None else None,
            only,
            limit,
        )
        if dry_run:
            _show_plan(opened, asked, json=json)
        else:
            _transcribe_folder(opened, asked, engine, json=json)


def _names(asr: str | None) -> tuple[str, ...]:
    """Names of narration sources as they are typed; none where none is typed.

    Raises:
        UsageError: something is typed, and no name.
    """
    names = tuple(name.strip() for name in (asr or "").split(",") if name.strip())
    if asr is not None and not names:
        raise UsageError(f"--asr {asr!r} names no source, such as {','.join(QUICK_SOURCES)}")
    return names


def _options(
    texts: list[str] | None, sources: tuple[str, ...], aligner: str | None
) -> tuple[Option, ...]:
    named = [("asr", name) for name in sources]
    named += [("aligners", aligner)] if aligner is not None else []
    return parse_options(texts or (), named)


# Caption files.


def _check_files(files: list[Path], forms: list[str], only: str | None, align: str | None) -> None:
    """Refuse what would be ignored, or printed so that nobody can read it."""
    if only is not None and not any(map(_holds_many, files)):
        raise UsageError("--only chooses in a file of many videos, caption.json or caption.pickle")
    if len(files) > 1 and (forms or align):
        what = f"--{forms[0]}" if forms else "--align"
        raise UsageError(f"{what} takes one caption file, found {len(files)}")


def _holds_many(path: Path) -> bool:
    """Whether it is a file of many videos, by its name, unless it is surely one of YouTube's."""
    if path.suffix.lower() != ".json":
        return path.suffix.lower() in OF_MANY_VIDEOS
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return not json3.FORMAT.recognises(decode(head).text)


def _print_files(
    files: list[Path], form: str, language: str, ends: Ends | None, only: str | None
) -> None:
    failed = False
    for path in files:
        try:
            if _holds_many(path):
                _print_many(path, form, ends, only)
            else:
                read = read_captions(path, language, _stem(path), ends)
                _print_one(path, read, "json-line" if form == "json" and files[1:] else form)
        except CaptionError as error:
            failed = True
            errors.print(f"Error: {path}: {error}")
    if failed:
        raise typer.Exit(EXIT_FAILED)


def _stem(path: Path) -> str | None:
    """The name of the video that a caption file lies beside, without its suffix; None: there is
    none, and its own name has to say where that ends."""
    try:
        names = [one.name for one in path.parent.iterdir() if one.is_file()]
    except OSError:
        return None
    owners = group_captions(
        [path.name], [one for one in names if Path(one).suffix.lower() in MEDIA_SUFFIXES]
    )
    stems = [Path(owner).stem for owner, captions in owners.items() if captions]
    return max(stems, key=len, default=None)


def _print_aligned(
    path: Path,
    form: str,
    language: str,
    ends: Ends | None,
    aligner: "_Aligner",
    sound: Path,
) -> None:
    from howto.plugins import create
    from howto.transcribe.align import align_narration, aligner_recipe
    from howto.transcribe.aligning import all_sound

    made = create("aligners", aligner[0], **of_plugin(aligner[1], aligner[0]))
    aligner_recipe(made)  # missing weights are told before any work
    reading = path
    try:
        narration = read_captions(path, language, _stem(path), ends)
        reading = sound
        samples = all_sound(sound)
    except ItemError as error:
        errors.print(f"Error: {reading}: {error}")
        raise typer.Exit(EXIT_FAILED) from None
    _print_one(path, align_narration(narration, samples, made), form)


def _print_one(path: Path, narration: Narration, form: str) -> None:
    if form == "json":
        print_json(as_json(narration))
        return
    if form == "json-line":
        print(json_module.dumps({"file": str(path), **as_json(narration)}))
        return
    if form == "table":
        _show(narration)
    else:
        sys.stdout.write(WRITERS[form](narration))
    for problem in narration.problems[:MOST_PROBLEMS]:
        where = f", line {problem.line}" if problem.line is not None else ""
        errors.print(f"Note: {path}{where}: {problem.what}")
    if more := len(narration.problems[MOST_PROBLEMS:]):
        errors.print(f"Note: {path}: and {more} more; --json has all")


def _print_many(path: Path, form: str, ends: Ends | None, only: str | None) -> None:
    """A file of many videos: as JSON one object a line, else the one video that is chosen."""
    chosen = (
        (video_id, _ended(narration, ends))
        for video_id, narration in read_caption_file(path)
        if only is None or fnmatch(video_id, only)
    )
    if form == "json":
        printed = 0
        for video_id, narration in chosen:
            print(json_module.dumps({"video_id": video_id, **as_json(narration)}))
            printed += 1
        if only is not None and not printed:
            raise UsageError(f"{path} holds no video like --only {only}")
        return
    found = list(zip(chosen, range(2), strict=False))
    if len(found) != 1:
        number = "more than one video" if found else "no such video"
        raise UsageError(f"{path} holds {number}; choose one with --only ID, or print --json")
    _print_one(path, found[0][0][1], form)


def _ended(narration: Narration, ends: Ends | None) -> Narration:
    if ends is None:
        return narration
    return replace(narration, lines=with_ends(narration.lines, ends))


def _show(narration: Narration) -> None:

    words = sum(len(line.words) for line in narration.lines)
    language = narration.language or "language not stated"
    timed = f", {counted(words, 'word')} with times" if words else ""
    output.print(
        f"{counted(len(narration.lines), 'line')}, {language}, {narration.kind}{timed}",
        style="dim",
    )
    table = plain_table("start", "end", "text", right=("start", "end"))
    for line in narration.lines:
        table.add_row(f"{line.start:.3f}", f"{line.end:.3f}", line.text)
    output.print(table)


# A library.

_Aligner = tuple[str, tuple[Option, ...]]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked for in a library.

    Attributes:
        choice: to be remembered where it is of the whole library; `wish` is what is asked now,
            which leaves out sources that listen where they were named by an earlier command.
        aligner: with all options that were given.
        recipe: of the aligner, where one is named.
    """

    choice: Choice
    wish: Wish
    aligner: _Aligner | None
    recipe: Recipe | None
    only: str | None
    limit: int | None

    def plan(self, library: Library) -> Plan:
        return plan(
            library,
            self.wish,
            only=self.only,
            limit=self.limit,
            aligner=self.recipe,
            settled=[one for one in self.choice.wish.sources if one not in self.wish.sources],
        )


def _asked(
    library: Library,
    chosen: Wish | None,
    min_words: int | None,
    aligner: _Aligner | None,
    only: str | None,
    limit: int | None,
) -> _Asked:
    """Add what was chosen before to what is chosen now. Nothing is written.

    Raises:
        UsageError: nothing is chosen now, and what was chosen before only listens.
        PluginError: a source or the aligner cannot be had, or its weights are missing.
    """
    before = remembered(library)
    choice = Choice(chosen or before.wish, before.min_words if min_words is None else min_words)
    wish = chosen or quick(before.wish)
    if not wish.sources:
        listens = ",".join(before.wish.sources)
        raise UsageError(
            f"the narrations here are from {listens}, which works only when it is named: "
            f"--asr {listens}; for captions: --asr {','.join(QUICK_SOURCES)}"
        )
    make_sources(wish)  # a source that cannot be had is told before any work
    recipe = None
    if aligner is not None:
        from howto.transcribe.aligning import recipe_of_aligner

        recipe = recipe_of_aligner(*aligner)
    return _Asked(choice, wish, aligner, recipe, only, limit)


def _transcribe_folder(library: Library, asked: _Asked, engine: Engine, *, json: bool) -> None:
    outcomes: list[Outcome] = []
    stopped = False
    try:
        if asked.only is None:
            remember(library, asked.choice)
        _refresh(library)
        planned = asked.plan(library)
        total = len(planned.unprobed) + len(planned.done) + len(planned.jobs)
        with stdout_to_ourselves(engine), progress("Transcribing") as show:
            for outcome in transcribe_videos(
                library, planned, min_words=asked.choice.min_words, engine=engine
            ):
                outcomes.append(outcome)
                show(len(outcomes), total, outcome.paths[0])
        if asked.aligner is not None:
            _align(library, asked.aligner, asked.only, asked.limit, engine, outcomes)
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


def _align(
    library: Library,
    aligner: _Aligner,
    only: str | None,
    limit: int | None,
    engine: Engine,
    outcomes: list[Outcome],
) -> None:
    """Align what there is to align; how each video ended is appended."""
    from howto.transcribe.align import NO_TIMES
    from howto.transcribe.aligning import align_videos, plan_alignment

    planned = plan_alignment(library, *aligner, only=only, limit=limit)
    total = len(planned.videos) + len(planned.silent) + len(planned.done)
    with stdout_to_ourselves(engine), progress("Aligning") as show:
        for done, outcome in enumerate(align_videos(library, planned, engine=engine), start=1):
            outcomes.append(outcome)
            show(done, total, outcome.paths[0])
    for path, _, problem in library.problems():
        if path in planned.videos.values() and problem.what.startswith(NO_TIMES):
            errors.print(f"Note: {path}: {problem.what}")


def _refresh(library: Library) -> None:
    from howto.search.refresh import refresh

    with progress("Looking at new files") as show:
        refresh(library, on_progress=show)


def _show_plan(library: Library, asked: _Asked, *, json: bool) -> None:
    from howto.transcribe.aligning import plan_alignment

    planned = asked.plan(library)
    aligning = None
    if asked.aligner is not None:
        aligning = plan_alignment(library, *asked.aligner, only=asked.only, limit=asked.limit)
    if json:
        found: dict[str, object] = {
            "sources": list(planned.wish.sources),
            "videos": [job.path for job in planned.jobs],
            "done": len(planned.done),
            "unprobed": len(planned.unprobed),
            "left": planned.left,
            "seconds": round(planned.seconds, 1),
        }
        if aligning is not None:
            found["align"] = {
                "aligner": aligning.aligner,
                "videos": list(aligning.videos.values()),
                "done": len(aligning.done),
                "left": aligning.left,
                "seconds": round(aligning.seconds, 1),
            }
        print_json(found)
        return
    print_paths(job.path for job in planned.jobs)
    _say_plan(
        f"ask {', '.join(planned.wish.sources)} for",
        len(planned.jobs),
        planned.seconds,
        len(planned.done),
        planned.left,
    )
    if aligning is not None:
        print_paths(aligning.videos.values())
        _say_plan(
            f"align with {aligning.aligner}",
            len(aligning.videos),
            aligning.seconds,
            len(aligning.done),
            aligning.left,
        )


def _say_plan(what: str, videos: int, seconds: float, done: int, left: int) -> None:
    more = f"; {left} more past the limit" if left else ""
    output.print(
        f"{counted(videos, 'video')} to {what}, {about(seconds)}; {done} done already{more}.",
    )


def _outcomes_as_json(library: Library, outcomes: list[Outcome]) -> dict[str, object]:
    return {
        "library": str(library.folder),
        "outcomes": [
            {
                "video": one.paths[0],
                "video_id": one.video_id,
                "stage": one.stage,
                "state": one.state,
                "reason": one.reason,
                "detail": one.detail,
            }
            for one in outcomes
        ],
    }

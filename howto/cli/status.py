"""`howto status`: what a library holds, stage by stage, with failures."""

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from howto.cli.console import chosen_folder, output, plain_table, print_json_lists, tally_table
from howto.extract.store import feature_sets
from howto.library import Library
from howto.records import Outcome, Problem, State
from howto.search.phrases import clock, counted, named

__all__ = ["status"]

MOST_PROBLEMS = 20


def status(
    folder: Annotated[
        Path | None, typer.Argument(help="The folder of videos, by default this one.")
    ] = None,
    library: Annotated[
        Path | None, typer.Option("--library", "-L", help="The same as FOLDER.")
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="List every video, not only those with a reason.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    state_dir: Annotated[
        Path | None, typer.Option(help="Where what howto knows is kept, if not in FOLDER/.howto.")
    ] = None,
) -> None:
    """Show what a library holds, stage by stage, with failures.

    Looks at nothing new: search does that.

    Example:  howto status my_videos/
    """
    with Library.open(chosen_folder(folder, library), state_dir, create=False) as opened:
        counts = opened.counts()
        if json:
            print_json_lists(_as_json(opened, counts), _lists_as_json(opened))
            return
        output.print(f"{opened.folder}", style="bold")
        if opened.is_outside:
            output.print(f"kept in {opened.state}", style="dim")
        output.print(
            f"{counted(counts['videos'], 'video')} in {counted(counts['files'], 'file')}, "
            f"{clock(counts['seconds'])} long; "
            f"{counts['narrations']} narrated in {counted(counts['lines'], 'line')}; "
            f"{counted(counts['chapters'], 'chapter')}; "
            f"{counted(counts['clips'], 'clip')} to search.",
        )
        _show_quality(opened)
        _show_features(opened)
        _show_collecting(opened)
        _show_stages(opened)
        _show_videos(opened.each_outcome(None if all_ else State.FAILED))
        _show_problems(opened.problems())


def _as_json(library: Library, counts: Mapping[str, float]) -> dict[str, object]:
    return {
        "library": str(library.folder),
        "state": str(library.state),
        **counts,
        "features": [
            {"backbone": one.backbone, "set": one.recipe.short, "tally": dict(tally)}
            for one, tally in feature_sets(library)
        ],
        "collecting": library.collecting(),
    }


def _lists_as_json(library: Library) -> dict[str, Iterator[dict[str, object]]]:
    """What there is one of for every video, made as it is written."""
    return {
        "outcomes": (
            {
                "video": one.paths[0],
                "video_id": one.video_id,
                "stage": one.stage,
                "state": one.state,
                "reason": one.reason,
                "detail": one.detail,
            }
            for one in library.each_outcome()
        ),
        "narration_quality": (
            {"video": library.paths_of(number)[0], **asdict(quality)}
            for number, quality in library.each_quality()
        ),
        "problems": (
            {"video": path, "source": source, "line": problem.line, "what": problem.what}
            for path, source, problem in library.problems()
        ),
    }


def _show_quality(library: Library) -> None:
    """One line on all narrations: medians, so that one odd video does not change them."""
    words = outside = 0
    rates, silences, languages = array("d"), array("d"), array("d")  # of a million narrations
    for _, one in library.each_quality():
        words += one.num_words
        outside += one.lines_outside
        rates.append(one.words_per_second)
        if one.non_speech_share is not None:
            silences.append(one.non_speech_share)
        if one.language_share is not None:
            languages.append(one.language_share)
    if not rates:
        return
    parts = [f"{words:,} words", f"{median(rates):.1f} a second"]
    if silences:
        parts.append(f"nothing said in {median(silences):.0%}")
    if languages:
        parts.append(f"{median(languages):.0%} common words of the language")
    if outside:
        parts.append(f"{counted(outside, 'line')} after the end of the video")
    output.print(f"Narration: {', '.join(parts)} (medians).")


def _show_features(library: Library) -> None:
    for one, tally in feature_sets(library):
        lacking = "".join(f", {count} {name}" for name, count in tally.items() if name != State.OK)
        output.print(
            f"Features by {one.backbone} ({one.recipe.short}): "
            f"{counted(tally.get(State.OK, 0), 'video')}{lacking}.",
        )


def _show_collecting(library: Library) -> None:
    """One line on what was asked for and is, or is not, here."""
    states = library.collecting()
    if not states:
        return
    waiting = sum(states.get(state, 0) for state in ("found", "described", "captioned", "later"))
    output.print(
        f"Collecting: {states.get('done', 0)} kept, {states.get('rejected', 0)} left out, "
        f"{states.get('failed', 0)} given up, {waiting} waiting (howto collect --report).",
    )


def _show_stages(library: Library) -> None:

    table = tally_table()
    tally = library.tally()
    for (stage, state, reason), count in tally.items():
        table.add_row(
            stage,
            state,
            reason or "",
            str(count),
            reason.meaning if reason else "",
            style=_style(state),
        )
    if tally:
        output.print()
        output.print(table)


def _show_videos(outcomes: Iterator[Outcome]) -> None:

    table = plain_table("video", "stage", "reason", "found")
    for one in outcomes:
        table.add_row(
            named(one.paths[0]),
            one.stage,
            one.reason or "ok",
            one.detail,
            style=_style(one.state),
        )
    if table.row_count:
        output.print()
        output.print(table)


def _show_problems(problems: list[tuple[str, str, Problem]]) -> None:

    if not problems:
        return
    table = plain_table("captions", "line", "could not be read", right=("line",))
    for _, source, problem in problems[:MOST_PROBLEMS]:
        line = "" if problem.line is None else str(problem.line)
        table.add_row(named(source), line, problem.what)
    output.print()
    output.print(table)
    if len(problems) > MOST_PROBLEMS:
        output.print(f"and {len(problems) - MOST_PROBLEMS} more: --json lists them all")


def _style(state: State) -> str:
    return {State.OK: "", State.SKIPPED: "dim", State.FAILED: "red"}[state]

"""`howto clip`: pairs of clips and captions, made, exported and audited."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from howto.cli.console import (
    chosen_folder,
    errors,
    opened_library,
    output,
    print_json,
    progress,
)
from howto.cli.engines import OnOption, ResourcesOption, stdout_to_ourselves
from howto.clip.pairs import PairOptions
from howto.clip.stage import Clipped, Plan, clip_videos, plan
from howto.errors import Reason, UsageError
from howto.library import Library
from howto.records import State
from howto.run.engine import Engine, engine_of
from howto.search.phrases import about, counted

if TYPE_CHECKING:
    from howto.clip.audit import Audited
    from howto.clip.export import Exported

__all__ = ["clip"]

EXIT_FAILED = 1
EXIT_STOPPED = 130


def clip(
    folder: Annotated[
        Path | None, typer.Argument(help="The folder of videos, by default this one.")
    ] = None,
    library: Annotated[
        Path | None, typer.Option("--library", "-L", help="The same as FOLDER.")
    ] = None,
    clipper: Annotated[
        str | None,
        typer.Option(
            help="lines, grow, sentences, relines, windows, shots or a plugin's; by default grow, "
            "with --candidates lines."
        ),
    ] = None,
    min_seconds: Annotated[
        float | None, typer.Option(help="The shortest clip, by default 5 where clips grow.")
    ] = None,
    min_words: Annotated[
        int | None, typer.Option(help="The fewest words of a clip that grows.")
    ] = None,
    candidates: Annotated[
        int | None, typer.Option(metavar="K", help="K nearby captions for each clip (MIL-NCE).")
    ] = None,
    words: Annotated[
        str, typer.Option(help="all, or paper: without stop words, as the published captions.")
    ] = "all",
    drop_below: Annotated[
        float, typer.Option(metavar="Q", help="Leave out pairs of lower quality, 0 to 1.")
    ] = 0.0,
    realign: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Shift lines by up to 10 s to where a run sees them."),
    ] = None,
    only: Annotated[
        str | None, typer.Option(metavar="GLOB", help="Only videos whose path matches.")
    ] = None,
    rank_at_most: Annotated[
        int | None,
        typer.Option(metavar="K", help="Only collected videos among the first K hits of a task."),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="The most videos to do now.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    export: Annotated[
        str | None, typer.Option(help="Also write webdataset, parquet, csv or caption-json.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="The file to export to; a new folder for webdataset.")
    ] = None,
    media: Annotated[
        bool, typer.Option("--media", help="With --export webdataset: cut the clips out too.")
    ] = False,
    audit: Annotated[
        int | None, typer.Option(metavar="N", help="Write N random pairs with their frames.")
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="The page that --audit writes, by default audit.html.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="With --audit: another number, other pairs.")
    ] = None,
    on: OnOption = "local",
    resources: ResourcesOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    state_dir: Annotated[
        Path | None, typer.Option(help="Keep what howto knows here instead of FOLDER/.howto.")
    ] = None,
) -> None:
    """Make the pairs of clips and captions that a model is trained with.

    Looks at new and changed files first. What was made with the same options stays as it is, so
    that a second run does no work; other options make another set beside it.

    Example:  howto clip my_videos/ --audit 40 --sheet audit.html
    """
    engine = engine_of(on, resources)
    options = PairOptions(clipper, min_seconds, min_words, candidates, words, drop_below)
    if audit is None and (sheet is not None or seed is not None):
        raise UsageError("--sheet and --seed go with --audit N")
    page, chance = sheet or Path("audit.html"), seed or 0
    _check(export, to, media=media, limit=limit, audit=audit, sheet=page)
    if rank_at_most is not None and rank_at_most < 1:
        raise UsageError(f"--rank-at-most {rank_at_most}: expected at least 1")
    if realign is not None and (
        export or dry_run or any(one is not None for one in (audit, limit, rank_at_most))
    ):
        raise UsageError("--realign makes a set of pairs and goes with none of the other actions")
    chosen = _Chosen(only, rank_at_most)
    with opened_library(chosen_folder(folder, library), state_dir, dry_run=dry_run) as opened:
        if opened.is_outside and not dry_run:
            errors.print(f"{opened.folder} is kept in {opened.state}", style="dim")
        if dry_run:
            _show_plan(opened, plan(opened, options, limit=limit, **chosen.as_options), json=json)
            return
        options.recipe()  # a clipper that cannot be had is told before any work
        if realign is not None:
            _realign(opened, realign, options, only, json=json)
            return
        clipped = _clip(opened, options, chosen, limit, engine)
        exported = _export(opened, clipped, export, to, media=media)
        audited = _audit(opened, clipped, audit, page, chance)
    if json:
        print_json(_as_json(opened, clipped, exported, audited))
    else:
        _show(clipped, exported, audited)
    whole = all(one.state != State.FAILED for one in clipped.outcomes)
    if not whole or (exported and exported.lost):
        raise typer.Exit(EXIT_FAILED)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Which videos are meant, of those of the library."""

    only: str | None
    rank_at_most: int | None

    @property
    def as_options(self) -> dict[str, Any]:
        return {"only": self.only, "rank_at_most": self.rank_at_most}


def _realign(
    library: Library, run: str, options: PairOptions, only: str | None, *, json: bool
) -> None:
    """Make pairs of narration that a run has shifted to where it sees the words."""
    from howto.train.realign import realign_library

    with progress("Re-aligning") as show:
        done = realign_library(library, run, options, only=only, on_progress=show)
    if json:
        print_json(
            {
                "library": str(library.folder),
                "recipe": done.recipe.parts,
                "set": done.recipe.short,
                "made": done.videos,
                "unchanged": done.unchanged,
                "unseen": done.unseen,
                "lines": done.lines,
                "moved": done.moved,
                "pairs": done.pairs,
            }
        )
        return
    output.print(
        f"{done.pairs} pairs (set {done.recipe.short}); {done.moved} of {done.lines} lines "
        f"moved in {counted(done.videos, 'video')}, {done.unchanged} unchanged, {done.unseen} "
        "without features left as they are.",
    )


def _check(
    export: str | None,
    to: Path | None,
    *,
    media: bool,
    limit: int | None,
    audit: int | None,
    sheet: Path,
) -> None:
    """Refuse what cannot be done before any work is."""
    if (export is None) != (to is None):
        raise UsageError("--export says what to write and --to where: give both, or neither")
    if media and export is None:
        raise UsageError("--media goes with --export webdataset")
    if limit is not None and limit < 0:
        raise UsageError(f"--limit {limit}: expected 0 or more")
    if export is not None and to is not None:
        from howto.clip.export import check_export

        check_export(export, to, media=media)
    if audit is not None:
        from howto.clip.audit import check_audit

        check_audit(audit, sheet)


def _clip(
    library: Library, options: PairOptions, chosen: _Chosen, limit: int | None, engine: Engine
) -> Clipped:
    from howto.search.refresh import refresh

    try:
        with progress("Looking at new files") as show:
            refresh(library, on_progress=show)
        with stdout_to_ourselves(engine), progress("Making pairs") as show:
            return clip_videos(
                library, options, engine=engine, limit=limit, on_progress=show, **chosen.as_options
            )
    except KeyboardInterrupt:
        errors.print("Stopped. What was made is kept; run the same command to go on.")
        raise typer.Exit(EXIT_STOPPED) from None


def _export(
    library: Library,
    clipped: Clipped,
    form: str | None,
    to: Path | None,
    *,
    media: bool,
) -> "Exported | None":
    if form is None or to is None:
        return None
    from howto.clip.export import export_pairs
    from howto.clip.pairs_store import read_pairs

    pairs = read_pairs(library, clipped.recipe, clipped.current)
    return export_pairs(pairs, form, to, media_folder=library.folder if media else None)


def _audit(
    library: Library, clipped: Clipped, count: int | None, sheet: Path, seed: int
) -> "Audited | None":
    if count is None:
        return None
    from howto.clip.audit import audit

    return audit(library, clipped.recipe, count, sheet, seed=seed, numbers=clipped.current)


def _show_plan(library: Library, planned: Plan, *, json: bool) -> None:
    skipped = Counter(str(one.reason) for one in planned.skipped.values())
    if json:
        print_json(
            {
                "library": str(library.folder),
                "recipe": planned.recipe.parts,
                "set": planned.recipe.short,
                "videos": len(planned.videos),
                "to_do": len(planned.to_do),
                "left": planned.left,
                "skipped": dict(skipped),
                "lines": planned.lines,
                "seconds": round(planned.seconds, 1),
            }
        )
        return
    more = f"; {planned.left} more past the limit" if planned.left else ""
    output.print(
        f"Would make the pairs of {counted(len(planned.to_do), 'video')} "
        f"with {planned.lines} lines, in {about(planned.seconds)}{more}.",
    )
    _show_reasons(skipped)


def _show_reasons(tally: Mapping[str, int]) -> None:
    for name, count in tally.items():
        if name != State.OK:
            reason = f"{counted(count, 'video')}: {name}, {Reason(name).meaning}"
            output.print(reason, style="dim")


def _as_json(
    library: Library, clipped: Clipped, exported: "Exported | None", audited: "Audited | None"
) -> dict[str, object]:
    return {
        "library": str(library.folder),
        "recipe": clipped.recipe.parts,
        "set": clipped.recipe.short,
        "made": clipped.made,
        "unchanged": clipped.unchanged,
        "left": clipped.left,
        "pairs": clipped.pairs,
        "outcomes": dict(clipped.tally),
        "failed": [
            {"video_id": one.video_id, "reason": one.reason, "detail": one.detail}
            for one in clipped.outcomes
            if one.state == State.FAILED
        ],
        "exported": exported
        and {"path": str(exported.path), "pairs": exported.pairs, "lost": list(exported.lost)},
        "audit": audited
        and {
            "path": str(audited.path),
            "pairs": audited.pairs,
            "problems": list(audited.problems),
        },
    }


def _show(clipped: Clipped, exported: "Exported | None", audited: "Audited | None") -> None:
    clipper = clipped.recipe.parts["clipper"]["name"]
    more = f", {clipped.left} left past the limit" if clipped.left else ""
    output.print(
        f"{clipped.pairs} pairs by {clipper} (set {clipped.recipe.short}); "
        f"made for {counted(clipped.made, 'video')} now, {clipped.unchanged} unchanged{more}.",
    )
    _show_reasons(clipped.tally)
    for one in clipped.outcomes:
        if one.state == State.FAILED:
            what = f"Failed: {one.video_id}: {one.detail or one.reason}"
            errors.print(what)
    if exported is not None:
        written = f"Exported {exported.pairs} pairs: {exported.path}"
        output.print(written)
        for problem in exported.lost:
            errors.print(f"Failed: {problem}")
    if audited is not None:
        written = f"Audit sheet of {counted(audited.pairs, 'pair')}: {audited.path}"
        output.print(written)
        for problem in audited.problems:
            errors.print(f"Note: no pictures of {problem}")

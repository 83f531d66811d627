"""`howto clip`: pairs of clips and captions, made, exported and audited."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from howto.cli.console import chosen_folder, errors, output, print_json, progress
from howto.clip.pairs import PairOptions
from howto.clip.stage import Clipped, Plan, clip_videos, plan
from howto.errors import Reason, UsageError
from howto.library import Library
from howto.records import State
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
    sheet: Annotated[Path, typer.Option(help="The page that --audit writes.")] = Path("audit.html"),
    seed: Annotated[int, typer.Option(help="With --audit: another number, other pairs.")] = 0,
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
    options = PairOptions(clipper, min_seconds, min_words, candidates, words, drop_below)
    _check(export, to, media=media, limit=limit, audit=audit, sheet=sheet)
    if realign is not None and (export or audit is not None or limit is not None or dry_run):
        raise UsageError("--realign makes a set of pairs and goes with none of the other actions")
    with Library.open(chosen_folder(folder, library), state_dir, create=not dry_run) as opened:
        if opened.is_outside:
            errors.print(f"{opened.folder} is kept in {opened.state}", style="dim", markup=False)
        if dry_run:
            _show_plan(opened, plan(opened, options, only=only, limit=limit), json=json)
            return
        options.recipe()  # a clipper that cannot be had is told before any work
        if realign is not None:
            _realign(opened, realign, options, only, json=json)
            return
        clipped = _clip(opened, options, only, limit)
        exported = _export(opened, clipped, only, export, to, media=media)
        audited = _audit(opened, clipped, only, audit, sheet, seed)
    if json:
        print_json(_as_json(opened, clipped, exported, audited))
    else:
        _show(clipped, exported, audited)
    whole = all(one.state != State.FAILED for one in clipped.outcomes)
    if not whole or (exported and exported.lost):
        raise typer.Exit(EXIT_FAILED)


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
        markup=False,
        soft_wrap=True,
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


def _clip(library: Library, options: PairOptions, only: str | None, limit: int | None) -> Clipped:
    from howto.search.refresh import refresh

    try:
        with progress("Looking at new files") as show:
            refresh(library, on_progress=show)
        with progress("Making pairs") as show:
            return clip_videos(library, options, only=only, limit=limit, on_progress=show)
    except KeyboardInterrupt:
        errors.print("Stopped. What was made is kept; run the same command to go on.")
        raise typer.Exit(EXIT_STOPPED) from None


def _export(
    library: Library,
    clipped: Clipped,
    only: str | None,
    form: str | None,
    to: Path | None,
    *,
    media: bool,
) -> "Exported | None":
    if form is None or to is None:
        return None
    from howto.clip.export import export_pairs
    from howto.clip.pairs_store import read_pairs
    from howto.clip.stage import videos_of

    pairs = read_pairs(library, clipped.recipe, videos_of(library, only).keys())
    return export_pairs(pairs, form, to, media_folder=library.folder if media else None)


def _audit(
    library: Library, clipped: Clipped, only: str | None, count: int | None, sheet: Path, seed: int
) -> "Audited | None":
    if count is None:
        return None
    from howto.clip.audit import audit
    from howto.clip.stage import videos_of

    numbers = frozenset(videos_of(library, only))
    return audit(library, clipped.recipe, count, sheet, seed=seed, numbers=numbers)


def _show_plan(library: Library, planned: Plan, *, json: bool) -> None:
    skipped = len(planned.unnarrated)
    if json:
        print_json(
            {
                "library": str(library.folder),
                "recipe": planned.recipe.parts,
                "set": planned.recipe.short,
                "videos": len(planned.videos),
                "to_do": len(planned.to_do),
                "unnarrated": skipped,
                "lines": planned.lines,
                "seconds": round(planned.seconds, 1),
            }
        )
        return
    output.print(
        f"Would make the pairs of {counted(len(planned.to_do), 'video')} "
        f"with {planned.lines} lines, in {about(planned.seconds)}; "
        f"{skipped} without narration.",
        markup=False,
        soft_wrap=True,
    )


def _as_json(
    library: Library, clipped: Clipped, exported: "Exported | None", audited: "Audited | None"
) -> dict[str, object]:
    return {
        "library": str(library.folder),
        "recipe": clipped.recipe.parts,
        "set": clipped.recipe.short,
        "made": clipped.made,
        "unchanged": clipped.unchanged,
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
    output.print(
        f"{clipped.pairs} pairs by {clipper} (set {clipped.recipe.short}); "
        f"made for {counted(clipped.made, 'video')} now, {clipped.unchanged} unchanged.",
        markup=False,
        soft_wrap=True,
    )
    for name, count in clipped.tally.items():
        if name != State.OK:
            reason = f"{counted(count, 'video')}: {name}, {Reason(name).meaning}"
            output.print(reason, style="dim", markup=False, soft_wrap=True)
    for one in clipped.outcomes:
        if one.state == State.FAILED:
            what = f"Failed: {one.video_id}: {one.detail or one.reason}"
            errors.print(what, markup=False, soft_wrap=True)
    if exported is not None:
        written = f"Exported {exported.pairs} pairs: {exported.path}"
        output.print(written, markup=False, soft_wrap=True)
        for problem in exported.lost:
            errors.print(f"Failed: {problem}", markup=False, soft_wrap=True)
    if audited is not None:
        written = f"Audit sheet of {counted(audited.pairs, 'pair')}: {audited.path}"
        output.print(written, markup=False, soft_wrap=True)
        for problem in audited.problems:
            errors.print(f"Note: no pictures of {problem}", markup=False, soft_wrap=True)

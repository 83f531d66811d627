"""`howto extract`: features of every video, by several backbones in one decode."""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from howto.cli.console import (
    chosen_folder,
    errors,
    opened_library,
    output,
    print_json,
    print_json_lists,
    progress,
    show_outcomes,
)
from howto.cli.engines import OnOption, ResourcesOption, stdout_to_ourselves
from howto.errors import UsageError
from howto.library import Library
from howto.records import State
from howto.run.engine import Engine, engine_of
from howto.search.phrases import about, clock, counted

if TYPE_CHECKING:
    from howto.extract.check import BadFile, Checked
    from howto.extract.choice import Choice, Wanted
    from howto.extract.stage import Extracted, Plan

__all__ = ["extract"]

EXIT_FAILED = 1
EXIT_STOPPED = 130
MIB = 1 << 20


def extract(
    folder: Annotated[
        Path | None, typer.Argument(help="The folder of videos, by default this one.")
    ] = None,
    library: Annotated[
        Path | None, typer.Option("--library", "-L", help="The same as FOLDER.")
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            help="Backbones, with commas, each video decoded once for all of them; by default "
            "resnet152,resnext101-3d, and with --check alone all that are there."
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(help="Where to compute: auto, cpu, cuda, cuda:N or mps.")
    ] = "auto",
    precision: Annotated[
        str,
        typer.Option(help="auto, fp32, bf16 or fp16; auto is fp32 on a CPU, bf16 on a newer GPU."),
    ] = "auto",
    weights: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=PATH", help="Weights of a backbone; may be repeated."),
    ] = None,
    protocol: Annotated[
        Literal["displayed", "authors"],
        typer.Option(help="Sizes as shown, or as HowTo100M computed them, before the rotation."),
    ] = "displayed",
    batch: Annotated[
        int | None, typer.Option(help="Frames in one call of a network, by default 32.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Decoder processes, by default all cores but one; on Ray actors."),
    ] = None,
    features_at: Annotated[
        str | None,
        typer.Option(
            metavar="PLACE",
            help="Keep feature files in this folder, or at s3://, gs://, ..., from now on; by "
            "default, and with library again, in the library.",
        ),
    ] = None,
    on: OnOption = "local",
    resources: ResourcesOption = None,
    time_limit: Annotated[
        float, typer.Option(metavar="S", help="Seconds a decoder may go without a frame.")
    ] = 120.0,
    only: Annotated[
        str | None, typer.Option(metavar="GLOB", help="Only videos whose path matches.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="The most videos to do now.")] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Do the videos that failed again, too.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Read the features again and say what is wrong.")
    ] = False,
    redo: Annotated[
        bool,
        typer.Option("--redo", help="With --check: make again what is wrong, of these backbones."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    state_dir: Annotated[
        Path | None, typer.Option(help="Keep what howto knows here instead of FOLDER/.howto.")
    ] = None,
) -> None:
    """Make features of every video, by one backbone or several.

    Looks at new and changed files first. What is there stays as it is, so that starting again does
    only what is missing. `howto plugins` lists the backbones.

    Example:  howto extract my_videos/ --backbone colour-motion
    """
    engine = engine_of(on, resources)
    _refuse(batch, workers, time_limit, check=check, redo=redo, dry_run=dry_run)
    if dry_run and features_at is not None:
        raise UsageError(
            "--dry-run plans for where the features are kept now; leave --features-at out"
        )
    choice = _choice(backbone, _device(device, engine), precision, weights or [], protocol)
    place = chosen_folder(folder, library)
    if check and not redo:
        _refuse_beside_check(limit, features_at, retry=retry)
        with Library.open(place, state_dir, create=False) as opened:
            names = choice.backbones if backbone is not None else None
            _finish_check(_check(opened, names, only), json=json)
        return
    with opened_library(place, state_dir, dry_run=dry_run) as opened:
        if opened.is_outside and not dry_run:
            errors.print(f"{opened.folder} is kept in {opened.state}", style="dim")
        from howto.extract.choice import choose

        wanted = choose(choice, download=not dry_run, elsewhere=engine.kind == "ray")
        if dry_run:
            from howto.extract.stage import plan

            planned = plan(opened, wanted, only=only, limit=limit, retry=retry, engine=engine)
            _show_plan(opened, planned, state_dir, json=json)
            return
        if features_at is not None:
            _keep_at(opened, features_at)
        _refresh(opened, retry=retry)
        redone = _check_and_forget(opened, wanted, only, limit, retry) if redo else None
        done = _extract(opened, wanted, engine, only, limit, retry, batch, workers, time_limit)
        if json:
            head = _as_json(opened, wanted, done, redone)
            print_json_lists(head, {"outcomes": _outcomes_as_json(done)})
        else:
            _show(wanted, done, redone)
    failed = any(one.state == State.FAILED for one in done.outcomes)
    if failed or (redone is not None and (redone.left or redone.checked.unreadable)):
        raise typer.Exit(EXIT_FAILED)


@dataclass(frozen=True, slots=True)
class _Redone:
    """What a check with --redo found.

    Attributes:
        left: bad files that cannot be made again here, and so were left as they are.
    """

    checked: "Checked"
    left: "tuple[BadFile, ...]"


def _refuse(
    batch: int | None,
    workers: int | None,
    time_limit: float,
    *,
    check: bool,
    redo: bool,
    dry_run: bool,
) -> None:
    """Refuse what cannot be done before any work is."""
    for name, value in (("--batch", batch), ("--workers", workers)):
        if value is not None and value < 1:
            raise UsageError(f"{name} {value}: expected 1 or more")
    if not (time_limit > 0 and math.isfinite(time_limit)):
        raise UsageError(f"--time-limit {time_limit:g}: expected seconds above 0")
    if redo and not check:
        raise UsageError("--redo goes with --check")
    if check and dry_run:
        raise UsageError("--check alone changes nothing; leave --dry-run out")


def _device(device: str, engine: Engine) -> str:
    """On Ray `auto` is a GPU where an actor takes one: those of its machine are not to be seen."""
    if engine.kind == "local" or device != "auto":
        return device
    return "cuda" if engine.resources["gpu"] > 0 else "cpu"


def _refuse_beside_check(limit: int | None, features_at: str | None, *, retry: bool) -> None:
    """A check reads all that --backbone and --only name, where it is kept."""
    given = {
        "--limit": limit is not None,
        "--features-at": features_at is not None,
        "--retry": retry,
    }
    for name, is_given in given.items():
        if is_given:
            raise UsageError(f"{name} says what is made, and --check makes nothing; add --redo")


def _choice(
    backbone: str | None,
    device: str,
    precision: str,
    weights: list[str],
    protocol: Literal["displayed", "authors"],
) -> "Choice":
    from howto.extract.choice import DEFAULT_BACKBONES, Choice

    names: tuple[str, ...] = DEFAULT_BACKBONES
    if backbone is not None:
        names = tuple(name.strip() for name in backbone.split(",") if name.strip())
    named: dict[str, str] = {}
    for one in weights:
        # A family's member has a colon, and a path may hold anything but comes last.
        name, sign, path = one.partition("=")
        if not (sign and name and path):
            raise UsageError(f"--weights {one}: expected NAME=PATH, such as resnet152=net.pth")
        if name in named:
            raise UsageError(f"--weights: {name} is named twice, {named[name]} and {path}")
        named[name] = path
    return Choice(names, device, precision, named, protocol)


def _check(library: Library, backbones: tuple[str, ...] | None, only: str | None) -> "Checked":
    """Read the features of some backbones, or of all.

    Raises:
        UsageError: the library has no features of one that is named.
    """
    from howto.extract.check import check_features
    from howto.extract.store import feature_sets

    there = dict.fromkeys(stored.backbone for stored, _ in feature_sets(library))
    for name in backbones or ():
        if name not in there:
            known = f"There are features of {', '.join(there)}" if there else "There are none"
            raise UsageError(f"no features of {name!r} here to check. {known}")
    with progress("Reading features") as show:
        return check_features(library, backbones, show, only=only)


def _check_and_forget(
    library: Library,
    wanted: "tuple[Wanted, ...]",
    only: str | None,
    limit: int | None,
    retry: bool,
) -> _Redone:
    """Take away those bad files, and those alone, that are made again right after."""
    from howto.extract.check import check_features, forget_bad, to_make_again

    with progress("Reading features") as show:
        checked = check_features(library, [one.name for one in wanted], show, only=only)
    again = to_make_again(library, wanted, checked.bad, only=only, limit=limit, retry=retry)
    forget_bad(library, again)
    return _Redone(checked, tuple(one for one in checked.bad if one not in again))


def _keep_at(library: Library, features_at: str) -> None:
    from howto.extract.store import FEATURES_AT, put_features_at

    # As it was told: its client may not be here, which is a reason to take it back.
    before = library.setting(FEATURES_AT) or str(library.state / "features")
    place = put_features_at(library, features_at)
    if str(place) != before:
        note = (
            f"Features are kept at {place} from now on; those at {before} stay, and are not used."
        )
        errors.print(note)


def _refresh(library: Library, *, retry: bool) -> None:
    from howto.search.refresh import refresh

    try:
        with progress("Looking at new files") as show:
            refresh(library, retry=retry, on_progress=show, on_wait=_waiting)
    except KeyboardInterrupt:
        _stopped()


def _waiting() -> None:
    errors.print("Another howto is at work on this library; waiting for it.", style="dim")


def _stopped() -> NoReturn:
    errors.print("Stopped. What is done is kept; run the same command to go on.")
    raise typer.Exit(EXIT_STOPPED) from None


def _extract(
    library: Library,
    wanted: "tuple[Wanted, ...]",
    engine: Engine,
    only: str | None,
    limit: int | None,
    retry: bool,
    batch: int | None,
    workers: int | None,
    time_limit: float,
) -> "Extracted":
    from howto.extract.stage import BATCH, extract_videos

    try:
        with stdout_to_ourselves(engine), progress("Extracting") as show:
            return extract_videos(
                library,
                wanted,
                only=only,
                limit=limit,
                retry=retry,
                batch=batch or BATCH,
                workers=workers,
                time_limit=time_limit,
                engine=engine,
                on_progress=show,
                on_wait=_waiting,
            )
    except KeyboardInterrupt:
        _stopped()


# What is shown.


def _finish_check(checked: "Checked", *, json: bool) -> None:
    if json:
        print_json(_checked_as_json(checked))
    else:
        _show_checked(checked)
        if checked.bad:
            output.print("Make them again: howto extract --check --redo --backbone NAME")
    if checked.bad or checked.unreadable:
        raise typer.Exit(EXIT_FAILED)


def _show_checked(checked: "Checked") -> None:
    for one in checked.bad:
        output.print(_told(one))
    for one in checked.unreadable:
        output.print(f"{_told(one)}; left as it is")
    found = [f"{len(checked.bad)} to do again"] if checked.bad else []
    if checked.unreadable:
        found.append(f"{len(checked.unreadable)} that cannot be read")
    wrong = ", ".join(found) or "all as they should be"
    read = checked.files - len(checked.unreadable)
    output.print(f"{counted(read, 'feature file')} read, {wrong}.")


def _show_left(left: "tuple[BadFile, ...]", wanted: "tuple[Wanted, ...]") -> None:
    """Say what was left as it is, and why."""
    ours = {one.recipe for one in wanted}
    for one in left:
        why = (
            "not among the videos of this run; run it again without --limit, its video in place"
            if one.stored.recipe in ours
            else "not made by these options; import it again, or give those it was made with"
        )
        errors.print(f"Left as it is: {_told(one)}: {why}")


def _told(one: "BadFile") -> str:
    return f"{one.stored.backbone} ({one.stored.recipe.short}), video {one.video_id}: {one.what}"


def _checked_as_json(checked: "Checked") -> dict[str, object]:
    return {
        "files": checked.files,
        "bad": _bad_as_json(checked.bad),
        "unreadable": _bad_as_json(checked.unreadable),
    }


def _bad_as_json(bad: "tuple[BadFile, ...]") -> list[dict[str, str]]:
    return [
        {
            "backbone": one.stored.backbone,
            "set": one.stored.recipe.short,
            "video_id": one.video_id,
            "path": str(one.stored.path(one.video_id)),
            "what": one.what,
        }
        for one in bad
    ]


def _sets_as_json(wanted: "tuple[Wanted, ...]") -> list[dict[str, object]]:
    return [
        {
            "backbone": one.name,
            "set": one.recipe.short,
            "recipe": one.recipe.parts,
            "device": one.device,
            "precision": one.precision,
            "weights_not_here": one.not_here or None,
        }
        for one in wanted
    ]


def _show_plan(library: Library, planned: "Plan", state_dir: Path | None, *, json: bool) -> None:
    import shutil

    length = sum(job.duration for job in planned.jobs)
    kept = state_dir or library.folder
    free = shutil.disk_usage(kept if kept.exists() else library.folder).free
    names = (os.fspath(job.path.relative_to(library.folder)) for job in planned.jobs)
    if json:
        print_json_lists(
            {
                "library": str(library.folder),
                "sets": _sets_as_json(planned.wanted),
                "left": planned.left,
                "video_seconds": round(length, 1),
                "seconds": None if planned.seconds is None else round(planned.seconds, 1),
                "bytes": planned.size,
                "bytes_free": free,
            },
            {"videos": names},
        )
        return
    for one in planned.wanted:
        if one.not_here:
            errors.print(
                f"Weights of {one.name} are not here yet: {one.not_here}. A dry run fetches "
                "nothing, so it cannot tell which of its features are there; all are counted.",
            )
    for name in names:
        output.out(name)
    time = (
        "in a time that is known once some were done (try --limit 1)"
        if planned.seconds is None
        else f"in {about(planned.seconds)}"
    )
    left = f"; {planned.left} more past the limit" if planned.left else ""
    output.print(
        f"Would extract {_names(planned.wanted)} of {counted(len(planned.jobs), 'video')}, "
        f"{clock(length)} long, {time}; "
        f"{planned.size / MIB:.1f} MiB, of {free / MIB:,.0f} free{left}.",
    )


def _names(wanted: "tuple[Wanted, ...]") -> str:
    return ", ".join(
        f"{one.name} ({'weights not here yet' if one.not_here else one.recipe.short})"
        for one in wanted
    )


def _as_json(
    library: Library,
    wanted: "tuple[Wanted, ...]",
    done: "Extracted",
    redone: _Redone | None,
) -> dict[str, object]:
    return {
        "library": str(library.folder),
        "sets": _sets_as_json(wanted),
        "made": done.made,
        "unchanged": done.unchanged,
        "seconds": round(done.seconds, 2),
        "video_seconds": round(done.video_seconds, 2),
        "tally": dict(done.tally),
        "checked": redone
        and {**_checked_as_json(redone.checked), "left": _bad_as_json(redone.left)},
    }


def _outcomes_as_json(done: "Extracted") -> Iterator[dict[str, object]]:
    for one in done.outcomes:
        yield {
            "video": one.paths[0],
            "video_id": one.video_id,
            "state": one.state,
            "reason": one.reason,
            "detail": one.detail,
        }


def _show(wanted: "tuple[Wanted, ...]", done: "Extracted", redone: _Redone | None) -> None:
    if redone is not None:
        _show_checked(redone.checked)
        _show_left(redone.left, wanted)
    sets = [f"{one.name} ({one.recipe.short}) on {one.device} in {one.precision}" for one in wanted]
    speed = done.video_seconds / done.seconds if done.seconds else 0.0
    rate = f" in {about(done.seconds)}, {speed:.1f} times real time" if done.made else ""
    output.print(
        f"{', '.join(sets)}: "
        f"{counted(done.made, 'feature file')} made{rate}; "
        f"{counted(done.unchanged, 'video')} unchanged.",
    )
    show_outcomes(done.outcomes, "No videos to extract features of.")

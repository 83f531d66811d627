"""`howto forget`: videos taken out of a library, everywhere."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from howto.cli.console import errors, output, print_json
from howto.collect.forget import Forgotten, named_videos
from howto.collect.forget import forget as forget_videos
from howto.errors import UsageError
from howto.library import Library
from howto.search.phrases import counted, named

__all__ = ["forget"]


def forget(
    videos: Annotated[
        list[str], typer.Argument(help="Ids, YouTube ids, or paths relative to the library.")
    ],
    library: Annotated[
        Path | None, typer.Option("--library", "-L", help="The folder of the library.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Kept with the tombstone.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    state_dir: Annotated[
        Path | None, typer.Option(help="Where what howto knows is kept, if not in the library.")
    ] = None,
) -> None:
    """Take videos out of a library, everywhere, and keep them out.

    Media, captions, lines, clips, pairs and features are deleted, and the packs and indexes that
    hold it, which come back without it. A tombstone with the reason stays, so that collect never
    fetches such a video again. Files of your own are not touched: the library passes them over.

    Example:  howto forget dQw4w9WgXcQ --reason "asked for by its maker"
    """
    with Library.open(library or Path(), state_dir, create=False) as opened:
        ids = named_videos(opened, videos)
        if not yes:
            _confirm(ids)
        forgotten = forget_videos(opened, ids, reason)
        if json:
            print_json({"library": str(opened.folder), **asdict(forgotten)})
        else:
            _show(forgotten)


def _confirm(ids: list[str]) -> None:
    what = f"{counted(len(ids), 'video')} ({', '.join(ids[:5])}{' ...' if len(ids) > 5 else ''})"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"forgetting {what} cannot be undone; say that you mean it with --yes")
    typer.confirm(f"Forget {what} for good?", abort=True, err=True)


def _show(forgotten: Forgotten) -> None:
    output.print(
        f"Forgot {counted(len(forgotten.known), 'video')}; "
        f"{counted(len(forgotten.deleted), 'file')} deleted.",
    )
    if forgotten.unknown:
        output.print(
            f"Not in the library, and kept out of it from now on: {', '.join(forgotten.unknown)}",
        )
    for path in forgotten.own_files:
        note = f"Note: {named(path)} is your own file and stays; the library passes it over"
        errors.print(note)
    for name in forgotten.derived:
        note = (
            f"Note: {name} held what was made of it, and is deleted; the command that made it "
            "makes it again"
        )
        errors.print(note)

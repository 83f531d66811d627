"""`howto serve`: a web page to search a folder of videos with, and to look at what is found."""

import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from howto.cli.console import chosen_folder, errors, output, print_json
from howto.errors import HowtoError
from howto.library import Library

__all__ = ["serve"]

PORT = 8737


def serve(
    folder: Annotated[
        Path | None, typer.Argument(help="The folder of videos, by default this one.")
    ] = None,
    library: Annotated[
        Path | None, typer.Option("--library", "-L", help="The same as FOLDER.")
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port to listen on; 0 takes a free one.")
    ] = PORT,
    host: Annotated[
        str, typer.Option(help="The address to listen on; any but this machine's wants --token.")
    ] = "127.0.0.1",
    token: Annotated[
        str, typer.Option(envvar="HOWTO_TOKEN", help="What a visitor must know.", show_default="")
    ] = "",
    name: Annotated[
        list[str] | None,
        typer.Option(help="A host name to answer to besides, such as that of a proxy."),
    ] = None,
    follow_links: Annotated[
        bool,
        typer.Option("--follow-links", help="Show files that are links out of the folder too."),
    ] = False,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON for scripts, once it answers.")
    ] = False,
    state_dir: Annotated[
        Path | None, typer.Option(help="Keep what howto knows here instead of FOLDER/.howto.")
    ] = None,
) -> None:
    """Search your videos on a web page, and play what is found at the right second.

    Answers this machine alone, unless another address is named. Looks at new and changed files
    while it runs.

    Example:  howto serve my_videos/
    """
    from howto.serve.settings import Settings, check_address

    names = check_address(host, token) | {one.lower() for one in name or ()}
    place = chosen_folder(folder, library)
    with Library.open(place, state_dir) as opened:  # what is wrong with it is said here
        if opened.is_outside:
            errors.print(f"{opened.folder} is kept in {opened.state}", style="dim")
    _needs_extra()
    from howto.serve import server
    from howto.serve.app import create_app

    settings = Settings(place.resolve(), state_dir, names, token, follow_links)
    listening = server.listen(host, port)
    address = server.address_of(listening)

    def tell() -> None:
        if json:
            print_json({"address": address, "folder": str(settings.folder)})
            sys.stdout.flush()
        else:
            output.print(f"{settings.folder} at {address}")
            errors.print("Ctrl-C ends it.", style="dim")
        if open_:
            webbrowser.open(address)

    server.serve(create_app(settings), listening, tell)


def _needs_extra() -> None:
    """Say what to install where the web framework is missing.

    Raises:
        HowtoError: it is.
    """
    from importlib.util import find_spec

    if missing := [one for one in ("starlette", "uvicorn") if find_spec(one) is None]:
        raise HowtoError(
            f"howto serve needs {' and '.join(missing)}. "
            "Install what it needs with: pip install 'howto[serve]'"
        )

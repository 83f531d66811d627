"""The `howto` program: the table of commands, and the one place where errors become text and exit
codes."""

import gc
import os
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from howto import __version__
from howto.errors import HowtoError, UnknownPlugin, UsageError

__all__ = ["COMMANDS", "LazyGroup", "app", "load_command", "main"]

COMMANDS = {
    "search": "Find the moments of your videos where something is said or shown.",
    "serve": "Search your videos on a web page, and play what is found at the right second.",
    "collect": "Fill a library: from tasks, published lists, addresses or a folder.",
    "transcribe": "Find out what is said in videos, or print what a caption file says.",
    "clip": "Make the pairs of clips and captions that a model is trained with.",
    "extract": "Make features of every video, by one backbone or several.",
    "train": "Train the joint embedding of clips and captions.",
    "eval": "Say how good a model is: on a benchmark, on your own videos, or by its scores.",
    "runs": "List the runs of a library, or compare some of them.",
    "locate": "Find the second of a video that shows each step of a list.",
    "models": "List the joint models that search, eval and locate can use; get more of them.",
    "features": "List the features of a library, export them, or import those of others.",
    "forget": "Take videos out of a library, everywhere, and keep them out.",
    "status": "Show what a library holds, stage by stage, with failures.",
    "plugins": "List the backends that are installed, and whether they load.",
    "demo": "Draw a set of narrated how-to videos, and run every stage on them.",
    "bench": "Measure how fast this machine is at each stage.",
}
"""Command to the first line of its help. Its code is in `howto.cli.<command>` and imported when it
is run."""

_COLLECTED_AFTER = 50_000  # objects more than were freed; Python's own is 700
_SPINS = "4"  # as a power of two of processor cycles, the least there is; OpenBLAS's own is 26

EXIT_FAILED = 1
EXIT_USAGE = 2


class LazyGroup(TyperGroup):
    """Commands whose modules are imported when they are run: help and start-up stay quick."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, help_line in COMMANDS.items():
            self.add_command(TyperCommand(name, help=help_line))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Put the real command in the place of the entry that stands for it in the help."""
        name, command, rest = super().resolve_command(ctx, args)
        # Imports make many objects and next to no garbage; looking for it took a tenth of a search.
        gc.set_threshold(_COLLECTED_AFTER)
        # With numpy's import, each thread of its BLAS spins for a thirtieth of a second in wait of
        # work: another tenth of a search, and on each core. Asleep they are woken in microseconds.
        os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", _SPINS)
        return name, load_command(name) if name else command, rest


def load_command(name: str) -> Any:
    """Import a command and build it from its function's signature."""
    command = typer.Typer(add_completion=False)
    command.command(name)(getattr(import_module(f"howto.cli.{name}"), name))
    return typer.main.get_command(command)


app = typer.Typer(
    cls=LazyGroup,
    name="howto",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"howto {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """Find the moment where a thing is shown, in videos that talk about what they do.

    Start with a folder of videos:  howto search "fold a shirt" my_videos/

    Or see the whole of it on drawn videos:  howto demo
    """


def main() -> None:
    """Run the program; a HowtoError becomes one line on stderr and an exit code."""
    # A file name need not be valid text in the terminal's encoding; printing it must not end the
    # program.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except (UsageError, UnknownPlugin) as error:
        sys.exit(_tell(error, EXIT_USAGE))
    except HowtoError as error:
        sys.exit(_tell(error, EXIT_FAILED))
    except OSError as error:
        # A full disk, a permission, a path that is gone: the file and the reason say it all.
        where = f"{error.filename}: " if error.filename else ""
        sys.exit(_tell(f"{where}{error.strerror or error}", EXIT_FAILED))


def _tell(problem: object, code: int) -> int:
    from howto.search.phrases import in_one_line

    print(f"Error: {in_one_line(str(problem))}", file=sys.stderr)
    return code

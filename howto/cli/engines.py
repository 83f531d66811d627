"""The options that say which engine works, the same for every command that has them."""

import contextlib
import sys
from typing import Annotated

import typer

from howto.run.engine import Engine

__all__ = ["OnOption", "ResourcesOption", "stdout_to_ourselves"]

OnOption = Annotated[
    str,
    typer.Option(
        "--on",
        metavar="ENGINE",
        help="local: processes of this machine; ray: a Ray cluster started on it; ray=ADDRESS: a "
        "running one, such as ray=auto. Its machines see the same files under the same paths.",
    ),
]
ResourcesOption = Annotated[
    str | None,
    typer.Option(metavar="SHARES", help="With --on ray: what each actor takes, by default cpu=1."),
]


def stdout_to_ourselves(engine: Engine) -> contextlib.AbstractContextManager[object]:
    """Ray prints what it has to say of lost processes on stdout, into the JSON: send it to stderr.

    Inside this only progress is shown, which goes there anyway.
    """
    if engine.kind == "local":
        return contextlib.nullcontext()
    return contextlib.redirect_stdout(sys.stderr)

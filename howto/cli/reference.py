"""docs/commands.md, written from the command tree: `python -m howto.cli.reference >
docs/commands.md`.

A test compares the page with what this prints, so the page cannot lie for long.
"""

import inspect
from typing import Any

from howto.cli.main import COMMANDS, load_command

__all__ = ["reference"]

HEADER = """# Commands

Every command has `--help`. `--json` prints the same for scripts on stdout; progress and notes go
to stderr. Exit codes: 0 all went well, 1 a part of it failed, 2 wrong usage, 3 parked: go on later,
130 stopped by Ctrl-C.

(This page is written from the program by `make docs`.)
"""


def reference() -> str:
    """The page as Markdown."""
    return "\n".join([HEADER, *(_section(name) for name in COMMANDS)])


def _section(name: str) -> str:
    command = load_command(name)
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    usage = " ".join(_usage(one) for one in arguments)
    rows = [_row(f"`{one.name.upper()}`", one) for one in arguments]
    rows += [_row(_flags(one), one) for one in options if one.name != "help"]
    return "\n".join(
        [
            f"## howto {name}",
            "",
            f"    howto {' '.join(filter(None, (name, usage, '[OPTIONS]')))}",
            "",
            inspect.cleandoc(command.help or ""),
            "",
            "| | | default |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def _usage(argument: Any) -> str:
    name = argument.name.upper()
    return name if argument.required else f"[{name}]"


def _flags(option: Any) -> str:
    return ", ".join(f"`{flag}`" for flag in option.opts)


def _row(name: str, parameter: Any) -> str:
    default = parameter.default
    shown = "" if default in (None, False, "") or parameter.required else f"`{default}`"
    return f"| {name} | {parameter.help or ''} | {shown} |"


if __name__ == "__main__":
    print(reference())

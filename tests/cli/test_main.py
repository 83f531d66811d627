"""The program as a whole: its table of commands, its version, its pages."""

import importlib
import inspect
import os
import re
from pathlib import Path

import pytest

import howto as package
from howto.cli.main import COMMANDS
from howto.cli.reference import reference

ROOT = Path(__file__).resolve().parents[2]
SPINS = "OPENBLAS_THREAD_TIMEOUT"


def test_version_agrees_everywhere(cli) -> None:
    assert cli("--version").out == f"howto {package.__version__}\n"
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest[1] == package.__version__


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(cli, name: str) -> None:
    function = getattr(importlib.import_module(f"howto.cli.{name}"), name)
    said = inspect.getdoc(function)
    assert said.splitlines()[0] == COMMANDS[name]
    assert f"Example:  howto {name}" in said
    ran = cli(name, "--help")
    assert ran.code == 0
    assert "Example:" in ran.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_json_and_a_changelog_line(cli, name: str) -> None:
    assert "--json" in cli(name, "--help").out
    assert f"howto {name}" in (ROOT / "CHANGELOG.md").read_text()


def test_an_unknown_command_is_wrong_usage_with_a_guess(cli) -> None:
    ran = cli("serach", "x")
    assert ran.code == 2
    assert "search" in ran.err


@pytest.mark.parametrize("wish", [None, "20"])
def test_idle_threads_of_blas_go_to_sleep_unless_the_person_says_otherwise(
    cli, monkeypatch, wish: str | None
) -> None:
    monkeypatch.setenv(SPINS, wish or "")  # so that it is put back afterwards
    if wish is None:
        monkeypatch.delenv(SPINS)
    assert cli("plugins").code == 0
    assert os.environ[SPINS] == (wish or "4")


def test_the_page_of_commands_is_what_the_program_says() -> None:
    assert (ROOT / "docs" / "commands.md").read_text() == reference() + "\n", "run: make docs"


def test_every_page_is_reached_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert f"docs/{page.name}" in readme

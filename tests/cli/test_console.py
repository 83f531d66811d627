"""What howto prints: sentences whole, names as they are."""

import pytest
from rich.table import Table

from howto.cli.console import errors, output

NAME = "[red]a[/red] :key: [/] [link=x]"


def test_a_sentence_is_one_line_however_long(capsys: pytest.CaptureFixture[str]) -> None:
    folder = "/home/somebody/" + "my videos/" * 20
    for console in (output, errors):
        console.print(f"{folder} is kept in {folder}.howto", style="dim")
    printed = capsys.readouterr()
    assert printed.out == printed.err == f"{folder} is kept in {folder}.howto\n"


def test_a_table_keeps_to_the_width(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(box=None, show_header=False)
    table.add_row("many words " * 40)
    output.print(table)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 1
    assert max(map(len, lines)) <= output.width


def test_brackets_and_colons_in_a_name_mean_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(box=None, show_header=False)
    table.add_row(NAME)
    output.print(NAME)
    output.print(table)
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == [NAME, NAME]

"""What howto prints: sentences whole, names as they are."""

import pytest
from rich.padding import Padding
from rich.table import Table

from howto.cli.console import errors, output

NAME = "[red]a[/red] :key: [/] [link=x]"


def test_a_sentence_is_one_line_however_long(capsys: pytest.CaptureFixture[str]) -> None:
    folder = "/home/somebody/" + "my videos/" * 20
    for console in (output, errors):
        console.print(f"{folder} is kept in {folder}.howto", style="dim")
    printed = capsys.readouterr()
    assert printed.out == printed.err == f"{folder} is kept in {folder}.howto\n"


def test_what_is_laid_out_keeps_to_the_width(capsys: pytest.CaptureFixture[str]) -> None:
    words = " ".join(map(str, range(100)))
    table = Table(box=None, show_header=False)
    table.add_row(words)
    for laid_out in (table, Padding(words, (0, 0, 0, 2))):
        output.print(laid_out)
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= output.width
        assert " ".join(" ".join(lines).split()) == words


def test_brackets_and_colons_in_a_name_mean_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(box=None, show_header=False)
    table.add_row(NAME)
    output.print(NAME)
    output.print(table)
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == [NAME, NAME]

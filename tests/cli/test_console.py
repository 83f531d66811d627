"""What howto prints: sentences whole, names as they are."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.padding import Padding
from rich.table import Table

from howto.cli.console import errors, output, plain_table, progress

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


def test_what_moves_the_cursor_is_shown_as_an_escape(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(box=None, show_header=False)
    table.add_row("two lines\nof ours, \x1b[31mnot red")
    output.print(table)
    errors.print("a\nname\x1b[2J\tof a file\x9b")
    printed = capsys.readouterr()
    assert [line.strip() for line in printed.out.splitlines()] == [
        "two lines",
        "of ours, \\x1b[31mnot red",
    ]
    assert printed.err == "a\\nname\\x1b[2J\\tof a file\\x9b\n"


def test_an_error_is_one_line(cli: Callable, tmp_path: Path) -> None:
    ran = cli("status", tmp_path / "no\nsuch\x1b[31m folder")
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert "no\\nsuch\\x1b[31m folder" in ran.err


def test_a_progress_bar_shows_names_as_they_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(errors), "is_terminal", property(lambda _: True))
    monkeypatch.setattr(errors, "is_interactive", True)
    monkeypatch.setattr(errors, "_width", 200)
    monkeypatch.setenv("TERM", "xterm")
    with progress("Evaluating runs/{x}/[/][bold]") as show:
        show(1, 2, "a\nfilm [red].mp4")
    printed = capsys.readouterr().err
    assert "Evaluating runs/{x}/[/][bold]" in printed
    assert "a\\nfilm [red].mp4" in printed


def test_a_table_without_room_folds_and_loses_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "_width", 40)
    table = plain_table("a", "b", "c", right=("b",))
    table.add_row("x" * 31, "12345", "unreadable_captions")
    output.print(table)
    printed = capsys.readouterr().out
    assert max(len(line.rstrip()) for line in printed.splitlines()) <= 40
    letters = "".join(printed.split())
    assert sorted(letters) == sorted("abc" + "x" * 31 + "12345" + "unreadable_captions")


@pytest.mark.parametrize("whole", [(), ("name",), ("name", "note")])
def test_a_table_of_any_width_has_every_letter_and_whole_numbers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, whole: tuple[str, ...]
) -> None:
    """Many columns, and letters of two columns each: rich alone shrinks some of them to nothing."""
    names = ("name", "count", "note", "share", "category", "of", "interval")
    cells = ("n" * 66, "1,234,567", "字幕がありません" * 3, "", "two words", "12.5%", "(70.0-92.5)")
    for width in range(30, 201):
        monkeypatch.setattr(output, "_width", width)
        table = plain_table(*names, right=("count", "share", "of", "interval"), whole=whole)
        table.add_row(*cells)
        table.add_row("second", *cells[1:])
        output.print(table)
        printed = capsys.readouterr().out
        assert max(cell_len(line.rstrip()) for line in printed.splitlines()) <= width
        assert printed.count("n" * 8) >= 1
        assert Counter("".join(cells[:1] + 2 * cells[1:]).replace(" ", "")) <= Counter(printed)
        for number in ("1,234,567", "12.5%", "(70.0-92.5)"):
            assert printed.split().count(number) == 2, width


def test_a_table_of_nothing_is_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    output.print(plain_table("a", "b", header=False))
    assert capsys.readouterr().out.strip() == ""


def test_a_table_without_room_for_its_columns_is_shown_row_by_row(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "_width", 30)
    table = plain_table("run", "steps", "loss", "sampler", "note", right=("steps", "loss"))
    table.add_row("first", "1,200", "0.0232", "", "ended where it was to end")
    table.add_row("second", "60", "", "intra-video", "")
    output.print(table)
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "first",
        "  steps  1,200",
        "  loss   0.0232",
        "  note   ended where it was to",
        "         end",
        "second",
        "  steps    60",
        "  sampler  intra-video",
    ]


def test_what_a_plugin_says_of_its_fault_moves_no_cursor(
    cli: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = "no such\nfile \x1b[2J\x1b[31m"
    monkeypatch.setattr("howto.cli.plugins.check", lambda _: told)
    ran = cli("plugins", "backbones")
    assert ran.code == 1
    assert "\x1b" not in ran.out
    assert "\\x1b[2J" in ran.out.replace(" ", "").replace("\n", "")

"""What the pages show is what the program prints, on the demo set drawn small."""

import re
from pathlib import Path

import pytest

from howto.demo import DemoSpec, write_demo
from howto.errors import Reason

ROOT = Path(__file__).resolve().parents[1]
BEGIN = "<!-- {name} -->\n"
END = "<!-- end of {name} -->"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default demo's scripts, drawn small and without sound: the searches find the same."""
    folder = tmp_path_factory.mktemp("pages") / "demo"
    write_demo(folder, DemoSpec(size=(64, 64), speech=False, sample_rate=8000, crf=51))
    return folder


def block(page: str, name: str) -> str:
    """What stands between the marks of a page, without the fences."""
    text = (ROOT / page).read_text()
    inside = text.split(BEGIN.format(name=name))[1].split(END.format(name=name))[0]
    return re.sub(r"^```.*\n", "", inside, flags=re.MULTILINE)


@pytest.mark.parametrize(("page", "name"), [("README.md", "demo"), ("docs/search.md", "search")])
def test_every_command_shown_prints_what_is_shown(howto, demo: Path, page: str, name: str) -> None:
    shown = block(page, name)
    commands = re.findall(r"^\$ howto (search .*)$", shown, flags=re.MULTILINE)
    assert commands
    for command in commands:
        words = [one.strip('"') for one in re.findall(r'"[^"]*"|\S+', command)]
        printed = howto(*words, cwd=demo.parent, COLUMNS="100").out
        assert lines(printed)
        assert lines(f"$ howto {command}\n{printed}") == lines_after(shown, command, printed)


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]


def lines_after(shown: str, command: str, printed: str) -> list[str]:
    """As many lines of a page, from a command on, as the command and its output have."""
    rest = lines(shown[shown.index(f"$ howto {command}") :])
    return rest[: 1 + len(lines(printed))]


def test_every_reason_is_on_the_page_of_outcomes() -> None:
    page = (ROOT / "docs" / "library.md").read_text()
    for reason in Reason:
        assert f"| `{reason}` | {reason.meaning} |" in page

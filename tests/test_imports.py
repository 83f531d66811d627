"""What starts quickly must not import what is heavy."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    *("torch", "numpy", "cv2", "av", "pysubs2", "lxml", "charset_normalizer", "yt_dlp", "pebble"),
    "pydantic",  # a quarter of a search, where typer takes it
)


def imported(code: str) -> set[str]:
    """The heavy modules that a fresh interpreter holds after running some code."""
    report = (
        f"{code}\nimport sys\nprint(*[name for name in {HEAVY!r} if name in sys.modules], sep=',')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", report], capture_output=True, text=True, check=True, timeout=60
    )
    return set(filter(None, ended.stdout.splitlines()[-1].split(",")))


def test_import_howto_is_light() -> None:
    assert imported("import howto") == set()


def test_terms_and_contracts_are_light() -> None:
    modules = "errors records recipe contracts plugins library"
    assert imported("\n".join(f"import howto.{name}" for name in modules.split())) == set()


def test_help_is_light() -> None:
    code = "import sys; sys.argv = ['howto', '--help']\nfrom howto.cli.main import main\n"
    assert imported(code + "try: main()\nexcept SystemExit: pass") == set()


def test_a_repeated_search_is_light(videos: Path, howto) -> None:
    assert howto("search", "shirt", videos).code == 0
    code = (
        f"import sys; sys.argv = ['howto', 'search', 'shirt', {str(videos)!r}]\n"
        "from howto.cli.main import main\n"
    )
    assert imported(code + "try: main()\nexcept SystemExit: pass") == set()


def test_the_measure_sees_a_heavy_import() -> None:
    assert imported("import numpy") == {"numpy"}


@pytest.mark.parametrize("module", "typer rich torch torchaudio whisper cv2 entrypoints".split())
def test_every_package_of_the_design_card_imports(module: str) -> None:
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"import {module}"],
        check=True,
        capture_output=True,
        timeout=120,
    )

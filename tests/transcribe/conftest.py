"""The real caption files that lie beside a checkout."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def captions(shared_data: Path) -> Path:
    """The folder of real caption files; tests read them there, none is copied into the project."""
    folder = shared_data / "captions"
    if not folder.is_dir():
        pytest.skip(f"no caption files at {folder}")
    return folder

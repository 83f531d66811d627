"""The real caption files that lie beside a checkout."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

PATIENCE_SECONDS = 120


@pytest.fixture(scope="session")
def captions(shared_data: Path) -> Path:
    """The folder of real caption files; tests read them there, none is copied into the project."""
    folder = shared_data / "captions"
    if not folder.is_dir():
        pytest.skip(f"no caption files at {folder}")
    return folder


@pytest.fixture
def ends_at_all() -> Iterator[None]:
    """End a test that hangs.

    What takes linear time takes a second here, and what does not takes hours. How long exactly is
    for the benchmarks to say.
    """

    def give_up(*_: object) -> None:
        pytest.fail(f"no end within {PATIENCE_SECONDS} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(PATIENCE_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)

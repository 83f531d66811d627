"""Which recogniser is offered to somebody who did not name one."""

import sys
from pathlib import Path

import pytest

from howto import plugins
from howto.search import listen

SOURCE = """
class Source:
    name = {name!r}
    listens = {listens}
    sound_per_second = 1.0

    def narrate(self, video):
        return None
"""
READY = """
    def ready(self):
        return {missing!r}
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Install narration sources that do nothing; only these are found."""
    site = tmp_path / "site"
    monkeypatch.setattr(plugins, "_search_path", lambda: (str(site),))
    monkeypatch.syspath_prepend(site)

    def do(name: str, *, ready: str | bool | None = None, listens: bool = True) -> None:
        module = f"choice_{name.replace('-', '_')}"
        info = site / f"{module}-1.0.dist-info"
        info.mkdir(parents=True)
        text = SOURCE.format(name=name, listens=listens)
        if ready is not None:
            text += READY.format(missing=None if ready is True else ready)
        (site / f"{module}.py").write_text(text)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[howto.asr]\n{name} = {module}:Source\n")
        sys.modules.pop(module, None)
        plugins._scan.cache_clear()

    return do


def chosen() -> str | None:
    found = listen._recogniser()
    return found.name if found else None


def test_the_order_is_whisper_faster_whisper_others_pocketsphinx(install) -> None:
    assert chosen() is None
    for name in ("pocketsphinx", "zebra", "aardvark", "faster-whisper", "whisper"):
        install(name)
        assert chosen() == name


def test_one_that_lacks_its_weights_is_passed_over(install) -> None:
    install("whisper", ready="no file base.pt")
    assert chosen() is None
    install("pocketsphinx")
    assert chosen() == "pocketsphinx"
    install("faster-whisper", ready=True)
    assert chosen() == "faster-whisper"


def test_without_any_the_note_says_how_to_get_one(tmp_path: Path) -> None:
    nothing = listen.Offer(numbers=(1,), seconds=9.0, recogniser=None, work_seconds=None)
    assert "pip install howto-whisper" in nothing.note(tmp_path)


def test_only_what_listens_counts(install) -> None:
    install("whisper", listens=False)
    assert chosen() is None

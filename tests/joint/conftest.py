"""A drawn library with a small run, made once, and ready models of the tests' own."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from howto.clip.pairs import PairOptions
from howto.clip.stage import clip_videos
from howto.demo import DemoSpec, write_demo
from howto.extract.choice import Choice, choose
from howto.extract.stage import extract_videos
from howto.library import Library
from howto.search.refresh import refresh
from howto.train.config import TrainOptions
from howto.train.stage import prepare, train_prepared

RUN = "small"


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of six drawn videos with pairs, features, and the run `small` of a few steps."""
    folder = tmp_path_factory.mktemp("joint") / "drawn"
    spec = DemoSpec(size=(64, 64), videos_per_task=1, speech=False, sample_rate=8000, crf=51)
    write_demo(folder, spec)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # matrices this small are quicker without
    with Library.open(folder) as library:
        refresh(library)
        clip_videos(library, PairOptions())
        extract_videos(library, choose(Choice(("colour-motion",), "cpu")))
        options = TrainOptions(
            backbone=("colour-motion",), epochs=4, pairs_per_video=4, lr=0.01, dim=24, device="cpu"
        )
        train_prepared(prepare(library, options, RUN))
    torch.set_num_threads(threads)
    return folder


@pytest.fixture
def library(drawn: Path) -> Iterator[Library]:
    """The drawn library, opened; tests leave it as it is."""
    with Library.open(drawn) as opened:
        yield opened


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of weights."""
    folder = tmp_path / "weights"
    monkeypatch.setenv("HOWTO_WEIGHTS", str(folder))
    return folder


@pytest.fixture
def colour_words(tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Install the models of `colour_words.py`, with their weights.

    Yields:
        The file of weights.
    """
    site = tmp_path / "site"
    info = site / "howto_colour_words-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: howto-colour-words\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text(
        "[howto.models]\n"
        "colour-words = fake_colour_words:ColourWords\n"
        "colour-pairs = fake_colour_words:ColourPairs\n"
    )
    source = Path(__file__).with_name("colour_words.py").read_text()
    (site / "fake_colour_words.py").write_text(source)
    monkeypatch.syspath_prepend(str(site))
    weights.mkdir()
    (weights / "colours.txt").write_text("red 1 0 0\ngreen 0 1 0\nblue 0 0 1\ngrey 1 1 1\n")
    yield weights / "colours.txt"
    sys.modules.pop("fake_colour_words", None)

"""Real videos that nobody narrated, found by what they show, with a real network."""

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from howto.library import Library
from howto.media.encode import H264Writer
from howto.search.like import parse_like
from howto.search.query import Query
from howto.search.refresh import refresh
from howto.search.search import Answer, ask
from howto.search.signals import Opened

VIDEOS = ("cockatoo.mp4", "v_GGSY1Qvo990.mp4", "making_cake.mp4", "carving_ice.mp4", "yoga.mp4")
READER = Path(__file__).parents[1] / "extract" / "backbones" / "test_squeezenet.py"


@pytest.fixture(scope="module")
def library(
    shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Library, Opened]]:
    """Five real videos and a clip of a picture of a bee, with names that say nothing."""
    place = tmp_path_factory.mktemp("seen")
    with pytest.MonkeyPatch.context() as patch:
        _install(shared_data, place / "site", patch)
        folder = place / "videos"
        folder.mkdir()
        for number, name in enumerate(VIDEOS):
            shutil.copy(shared_data / "videos" / name, folder / f"{number}.mp4")
        _show(shared_data / "images" / "bee.jpg", folder / "5.mp4")
        from howto.joint.opened import make_features, open_model

        with Library.open(folder) as opened:
            refresh(opened)
            make_features(opened, open_model(opened, "labels"))
            yield opened, Opened()
    sys.modules.pop("fake_labels", None)


def _install(shared_data: Path, site: Path, patch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location("squeezenet_reader", READER)
    assert spec is not None
    assert spec.loader is not None
    reader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reader)
    info = site / "howto_labels-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: howto-labels\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[howto.models]\nlabels = fake_labels:Labels\n")
    shutil.copy(Path(__file__).with_name("labels.py"), site / "fake_labels.py")
    weights = site / "squeezenet.pth"
    torch.save(reader.read_ncnn(shared_data / "weights" / "squeezenet_v1.1.bin"), weights)
    patch.setenv("LABELS_WEIGHTS", str(weights))
    patch.syspath_prepend(str(site))


def _show(picture: Path, video: Path) -> None:
    """Write a clip of 4 s that shows a picture."""
    pixels = cv2.resize(cv2.cvtColor(cv2.imread(str(picture)), cv2.COLOR_BGR2RGB), (320, 240))
    with H264Writer(video, width=320, height=240, frame_rate=Fraction(2)) as writer:
        for _ in range(8):
            writer.write_frame(np.ascontiguousarray(pixels))


def first(library: tuple[Library, Opened], text: str | None, **options) -> Answer:
    opened, kept = library
    query = Query.parse(text) if text else None
    return ask(
        *(opened, query, opened.folder), by=("pictures",), model="labels", opened=kept, **options
    )


@pytest.mark.parametrize(
    ("query", "video"),
    [("a cockatoo", "0.mp4"), ("lift the barbell", "1.mp4"), ("a bee", "5.mp4")],
)
def test_what_is_seen_comes_first(library, query: str, video: str) -> None:
    answer = first(library, query)
    assert answer.hits[0].video == video
    assert answer.hits[0].matched == ("pictures",)


def test_a_picture_finds_what_looks_like_it(library, shared_data: Path) -> None:
    answer = first(library, None, like=parse_like(str(shared_data / "images" / "bee.jpg")))
    assert answer.hits[0].video == "5.mp4"


def test_a_thing_that_no_label_names_is_not_guessed(library) -> None:
    answer = first(library, "zzz")
    assert answer.hits == ()
    assert any("knows no word of 'zzz'" in note for note in answer.notes)

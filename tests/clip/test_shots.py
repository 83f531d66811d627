"""Cuts are found where they are, on drawn videos and on a real one."""

import sys
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from howto.clip.shots import ShotsClipper, shot_boundaries
from howto.errors import MediaError, PluginError, Reason, UsageError
from howto.media.encode import H264Writer
from howto.media.probe import probe
from howto.records import Kind, Line, Narration, Video
from howto.testing import ClipperContract
from howto.testing.media import media_info

RATE = 10


def draw(path: Path, shots: Iterable[tuple[float, int]]) -> Path:
    """A video of shots, each so many seconds long and of another pattern that moves a little."""
    chance = np.random.default_rng(0)
    with H264Writer(path, width=96, height=64, frame_rate=Fraction(RATE)) as writer:
        for seconds, shade in shots:
            blocks = chance.integers(0, 60, (8, 12, 3)) + shade
            picture = np.kron(blocks, np.ones((8, 8, 1), np.int64)).clip(0, 255).astype(np.uint8)
            for number in range(round(seconds * RATE)):
                writer.write_frame(np.roll(picture, number // 4, axis=1))
    return path


@pytest.fixture(scope="module")
def three_shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shots") / "three.mp4"
    return draw(path, [(4, 20), (5, 180), (3, 90)])


class TestShots(ClipperContract):
    plugin = "shots"

    @pytest.fixture(autouse=True)
    def _path(self, three_shots: Path) -> None:
        self.path = three_shots

    def video(self, duration: float | None = 60.0) -> Video:
        info = None if duration is None else probe(self.path)
        return Video("contract", self.path, info=info)


def test_boundaries_are_the_first_frames_of_shots(three_shots: Path) -> None:
    assert shot_boundaries(three_shots, Fraction(RATE)) == [4.0, 9.0]
    assert shot_boundaries(three_shots) == [4.0, 9.0]


def test_lines_belong_to_the_shot_that_shows_most_of_them(three_shots: Path) -> None:
    lines = (Line(1, 2, "fold"), Line(3.5, 5, "press"), Line(6, 7, "turn"))
    video = Video("v", three_shots, info=probe(three_shots))
    clips = ShotsClipper().pairs(Narration(lines, "en", Kind.MANUAL, "x"), video)
    assert [(clip.start, clip.end, clip.caption) for clip in clips] == [
        (0, 4, "fold"),
        (4, 9, "press turn"),
        (9, 12, ""),
    ]


def test_the_shortest_shot(tmp_path: Path) -> None:
    path = draw(tmp_path / "flash.mp4", [(5, 20), (0.4, 200), (5, 90)])
    assert len(shot_boundaries(path, Fraction(RATE), min_seconds=0.2)) == 2
    assert len(shot_boundaries(path, Fraction(RATE), min_seconds=2.0)) == 1


def test_a_real_video(shared_data: Path) -> None:
    """Its two hard cuts to a frame; of its fades and dissolves only some, which is not asked."""
    found = shot_boundaries(shared_data / "videos" / "testvideo.mp4")
    assert found[:2] == pytest.approx([1.0, 6.0], abs=0.05)
    assert all(second > 10 for second in found[2:])


def test_a_video_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "no.mp4").write_text("nothing")
    with pytest.raises(MediaError) as raised:
        shot_boundaries(tmp_path / "no.mp4")
    assert raised.value.reason == Reason.NOT_MEDIA


def test_without_pyscenedetect(three_shots: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scenedetect", None)
    with pytest.raises(PluginError, match=r"pip install 'howto\[shots\]'"):
        shot_boundaries(three_shots)


def test_options_that_mean_nothing() -> None:
    with pytest.raises(UsageError):
        ShotsClipper(threshold=0)


def test_a_boundary_at_an_end_parts_nothing_off(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [0.0, 0.0005, 4.0, 9.9995, 10.0]
    monkeypatch.setattr("howto.clip.shots.shot_boundaries", lambda *_: found)
    video = Video("v", Path("v.mp4"), info=media_info(10.0))
    clips = ShotsClipper().pairs(Narration((), None, Kind.MANUAL, "x"), video)
    assert [(clip.start, clip.end) for clip in clips] == [(0, 4), (4, 10)]

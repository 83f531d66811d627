"""The picture at a second, against all frames decoded in order."""

import random
from bisect import bisect_right
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from howto.errors import MediaError, Reason, UsageError
from howto.media.container import Clock, decoded, main_video, open_media, packets_of
from howto.media.frames import frame_at, frames_at
from howto.media.scale import Scaler
from howto.records import FrameSpec

SHORT_SIDE = 48


def all_frames(path: Path) -> tuple[list[float], list[NDArray[np.uint8]]]:
    """The time and picture of every frame."""
    scaler, times, pictures = Scaler(FrameSpec(Fraction(1), SHORT_SIDE)), [], []
    with open_media(path) as container:
        stream = main_video(container)
        clock = Clock(container, stream)
        for frame in decoded(stream, packets_of(container, stream, []), []):
            times.append(float(clock.seconds(clock.tick(frame))))
            pictures.append(scaler.scale(frame).copy())
    return times, pictures


@pytest.mark.parametrize(
    "name",
    [
        "nasa_13013.mp4",
        "var_fps_video.mp4",
        "rabbit320.webm",
        "v_Basketball_g01_c01.avi",
        "delayed_start.mp4",
        "flipping_a_pancake.mkv",
        "yoga.mp4",
        "unordered.mov",
        "video_90.mov",
        "-video-with-dash-.mp4",
    ],
)
def test_the_picture_is_the_one_shown_then(real: Path, name: str) -> None:
    times, pictures = all_frames(real / name)
    chance = random.Random(1)
    moments = [chance.uniform(-1, times[-1] + 3) for _ in range(8)]
    moments += [times[0], times[-1], times[len(times) // 2], 1e9]
    shown = [pictures[max(0, bisect_right(times, m + 1e-6) - 1)] for m in moments]

    together = frames_at(real / name, moments, SHORT_SIDE)

    assert all(map(np.array_equal, together, shown))
    for moment, picture in list(zip(moments, shown, strict=True))[:3]:
        assert np.array_equal(frame_at(real / name, moment, SHORT_SIDE), picture)


def test_a_far_moment_is_reached_by_seeking(
    make_clip: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_clip("long.mp4", count=750, options={"g": "25"})
    decodes = []
    tick = Clock.tick
    monkeypatch.setattr(Clock, "tick", lambda *args: decodes.append(1) or tick(*args))

    frame_at(path, 29)

    assert len(decodes) < 120


def test_a_key_frame_missing_from_the_index(
    make_clip: Callable[..., Path], tmp_path: Path, run_ffmpeg: Callable[..., bytes]
) -> None:
    clip = make_clip(count=200)
    raw = tmp_path / "raw.h264"
    run_ffmpeg("-i", clip, "-c", "copy", "-bsf:v", "h264_mp4toannexb", raw)
    times, pictures = all_frames(raw)

    got = frame_at(raw, times[-20] + 0.001, SHORT_SIDE)

    assert np.array_equal(got, pictures[-20])


def test_size_and_rotation(real: Path) -> None:
    assert frame_at(real / "video_90.mov", 0).shape == (568, 320, 3)
    assert frame_at(real / "video_90.mov", 0, 32).shape == (56, 32, 3)
    assert frame_at(real / "h264_10bits.mp4", 0.5).dtype == np.uint8
    assert frame_at(real / "-video-with-dash-.mp4", 0).shape == (1, 1, 3)


def test_colours_are_right(make_clip: Callable[..., Path], tmp_path: Path) -> None:
    path = tmp_path / "red.mp4"
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        red = np.full((64, 64, 3), (200, 30, 20), np.uint8)
        for _ in range(5):
            target.mux(stream.encode(av.VideoFrame.from_ndarray(red, format="rgb24")))
        target.mux(stream.encode(None))

    assert np.abs(frame_at(path, 0.5).astype(int) - red).max() < 6


def test_nothing_asked_for(make_clip: Callable[..., Path]) -> None:
    assert frames_at(make_clip(), []) == []


def test_what_cannot_be(real: Path, make_clip: Callable[..., Path]) -> None:
    path = make_clip()
    for seconds in (float("nan"), float("inf")):
        with pytest.raises(UsageError):
            frame_at(path, seconds)
    with pytest.raises(UsageError):
        frame_at(path, 0, 0)
    with pytest.raises(MediaError) as caught:
        frame_at(real / "jfk.flac", 0)
    assert caught.value.reason is Reason.NO_VIDEO_STREAM

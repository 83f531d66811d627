"""What the media tests share: real videos, clips made on the spot, and the ffmpeg program."""

import shutil
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest
from numpy.typing import NDArray


@pytest.fixture
def real(shared_data: Path) -> Path:
    """The folder of real videos."""
    return shared_data / "videos"


@pytest.fixture(scope="session")
def ffmpeg() -> str:
    """The ffmpeg program that the development tools bring along."""
    return imageio_ffmpeg.get_ffmpeg_exe()


@pytest.fixture(scope="session", params=["bundled", "on the path"])
def any_ffmpeg(request: pytest.FixtureRequest, ffmpeg: str) -> str:
    """Each ffmpeg program there is, for what must hold with all versions."""
    if request.param == "bundled":
        return ffmpeg
    return shutil.which("ffmpeg") or pytest.skip("no ffmpeg program on the path")


@pytest.fixture(scope="session")
def run_ffmpeg(ffmpeg: str) -> Callable[..., bytes]:
    """Run a program with arguments; returns its standard output."""

    def run(*arguments: object, program: str = ffmpeg) -> bytes:
        command = [program, "-v", "error", "-nostdin", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, check=True).stdout

    return run


@pytest.fixture
def make_clip(tmp_path: Path) -> Callable[..., Path]:
    """Write a small clip whose frames all differ.

    `stamps` gives each frame's time in ticks of `time_base`; by default they follow `rate`.
    """

    def write(
        name: str = "clip.mp4",
        *,
        size: tuple[int, int] = (96, 64),
        rate: Fraction = Fraction(25),
        count: int = 50,
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        stamps: list[int] | None = None,
        time_base: Fraction | None = None,
        sound: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None,
        sound_from: float = 0.0,
        rotate: int = 0,
        options: dict[str, str] | None = None,
    ) -> Path:
        path = tmp_path / name
        with av.open(f"file:{path}", "w") as target:
            video = target.add_stream(codec, rate=rate, options=options or {})
            video.width, video.height = size
            video.pix_fmt = pix_fmt
            if time_base is not None:
                video.codec_context.time_base = time_base
            if rotate:
                video.set_display_rotation(-rotate)
            audio = target.add_stream("aac", rate=16_000, layout="mono") if sound else None
            for i in range(count):
                frame = av.VideoFrame.from_ndarray(picture(size, i), format="rgb24")
                frame.pts = stamps[i] if stamps else i
                frame.time_base = time_base or 1 / rate
                target.mux(video.encode(frame))
            if audio is not None and sound is not None:
                seconds = float(count / rate)
                wave = sound(np.arange(round(seconds * 16_000)) / 16_000).astype(np.float32)
                block = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
                block.sample_rate, block.pts = 16_000, round(sound_from * 16_000)
                block.time_base = Fraction(1, 16_000)
                target.mux(audio.encode(block))
                target.mux(audio.encode(None))
            target.mux(video.encode(None))
        return path

    return write


def picture(size: tuple[int, int], i: int) -> NDArray[np.uint8]:
    """A moving pattern with some noise: no two are alike."""
    width, height = size
    rng = np.random.default_rng(i)
    y, x = np.mgrid[:height, :width]
    red = (x * 5 + i * 11) % 256
    green = (y * 3 + i * 7) % 256
    blue = (128 + 100 * np.sin((x + y + 9 * i) / 15)).astype(int)
    drawn = np.stack([red, green, blue], axis=-1) + rng.integers(-8, 8, (height, width, 1))
    return np.clip(drawn, 0, 255).astype(np.uint8)

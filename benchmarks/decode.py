"""Decoding for both backbones of the paper: one pass of ours against the authors' two of ffmpeg.

Clips are drawn on the spot: textured ground that pans, shapes that move, a little noise, encoded by
libx264 at its defaults and at the bit rates of a video site, with AAC sound. Both sides put all
frames into memory; that they are the same frames, byte for byte, is checked first.
"""

import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
from measure import PAIRS, Figure, emit, parse
from numpy.typing import NDArray

from howto.media.decode import decode
from howto.media.schedule import scaled_size
from howto.records import FrameSpec

FRAME_RATE = 30
SOUND_RATE = 44_100
PIECE = 5  # seconds, repeated for the clips whose memory is measured
SIZES = {
    "360p": (640, 360, 700_000),
    "720p": (1280, 720, 2_000_000),
}  # width, height, bits a second
SPECS = (FrameSpec(Fraction(1), 224), FrameSpec(Fraction(24), 112, 112))

Cost = tuple[float, float]  # wall and CPU seconds


def main() -> None:
    options = parse(__doc__ or "")
    ffmpeg = shutil.which("ffmpeg") or imageio_ffmpeg.get_ffmpeg_exe()
    print(version(ffmpeg))
    seconds, short, long = (4, 20, 120) if options.quick else (30, 60, 600)
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (width, height, bits) in SIZES.items():
            clip = Path(folder) / f"{name}.mp4"
            draw(clip, width, height, bits, seconds)
            same_frames(ffmpeg, clip, width, height)
            wall, cpu = compare(ffmpeg, clip, width, height, 3 if options.quick else PAIRS)
            figures.append(Figure.at_least(f"decode.both_wall.{name}", wall, 1.7))
            figures.append(Figure.at_least(f"decode.both_cpu.{name}", cpu, 1.6))
        grown = memory_growth(Path(folder), short, long)
        figures.append(Figure.at_most(memory_name(short, long), grown, 1.2))
    emit(figures)


def version(ffmpeg: str) -> str:
    told = subprocess.run([ffmpeg, "-version"], capture_output=True, text=True, check=True)
    return told.stdout.splitlines()[0]


# Clips.


def draw(path: Path, width: int, height: int, bits: int, seconds: int) -> None:
    """Write a clip with pictures and sound."""
    with av.open(str(path), "w") as target:
        video = target.add_stream("libx264", rate=FRAME_RATE)
        video.width, video.height, video.pix_fmt, video.bit_rate = width, height, "yuv420p", bits
        sound = target.add_stream("aac", rate=SOUND_RATE, layout="mono")
        for i, picture in enumerate(pictures(width, height, seconds * FRAME_RATE)):
            if i % FRAME_RATE == 0:
                target.mux(sound.encode(tone(i // FRAME_RATE)))
            target.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        target.mux(sound.encode(None))
        target.mux(video.encode(None))


def tone(second: int) -> av.AudioFrame:
    """One second of a sine."""
    phase = np.arange(SOUND_RATE, dtype=np.float32) * (2 * np.pi * 440 / SOUND_RATE)
    frame = av.AudioFrame.from_ndarray(np.sin(phase)[None] / 4, format="fltp", layout="mono")
    frame.sample_rate, frame.pts = SOUND_RATE, second * SOUND_RATE
    frame.time_base = Fraction(1, SOUND_RATE)
    return frame


def pictures(width: int, height: int, count: int) -> Iterator[NDArray[np.uint8]]:
    """A camera that pans over a textured ground, shapes that cross it, and sensor noise."""
    rng = np.random.default_rng(0)
    ground = texture(rng, 2 * width, 2 * height)
    # Moved about a little each time, so that no two frames carry the same noise.
    noise = rng.normal(0, 3, (height + 16, width + 16, 1)).astype(np.int16)
    discs = rng.uniform(0, 1, (6, 5))
    for i in range(count):
        left = round((1 - np.cos(i / 90)) * width / 2)
        top = round((1 - np.cos(i / 130)) * height / 2)
        picture = ground[top : top + height, left : left + width].copy()
        for disc in discs:
            draw_disc(picture, disc, i)
        x, y = rng.integers(0, 16, 2)
        yield np.clip(picture + noise[y : y + height, x : x + width], 0, 255).astype(np.uint8)


def draw_disc(picture: NDArray[np.int16], disc: NDArray[np.float64], i: int) -> None:
    """One disc on its way round."""
    height, width = picture.shape[:2]
    start, level, red, green, speed = disc
    radius = height // 9
    angle = 2 * np.pi * (start + i * (speed - 0.5) / 60)
    x = round(width * (0.5 + 0.4 * np.cos(angle))) - radius
    y = round(height * (0.2 + 0.6 * level + 0.05 * np.sin(3 * angle))) - radius
    down, across = np.mgrid[-radius:radius, -radius:radius]
    inside = down**2 + across**2 < radius**2
    box = picture[max(0, y) : y + 2 * radius, max(0, x) : x + 2 * radius]
    cut = inside[max(0, -y) :, max(0, -x) :][: box.shape[0], : box.shape[1]]
    box[cut] = (255 * red, 255 * green, 128)


def texture(rng: np.random.Generator, width: int, height: int) -> NDArray[np.int16]:
    """Noise of every scale, coarse ones strongest, as in natural pictures."""
    total = np.full((height, width, 3), 120, np.int16)
    for cell in (4, 16, 64, 128):
        coarse = rng.normal(0, 6 * cell**0.3, (height // cell + 2, width // cell + 2, 3))
        fine = coarse.astype(np.int16).repeat(cell, 0).repeat(cell, 1)
        total += fine[:height, :width]
    return total


# Both sides.


def filters(spec: FrameSpec, width: int, height: int) -> str:
    """The authors' filter chain."""
    w, h = scaled_size(width, height, spec.short_side)
    chain = f"fps={spec.rate},scale={w}:{h}"
    if spec.crop is None:
        return chain
    return f"{chain},crop={spec.crop}:{spec.crop}:{(w - spec.crop) // 2}:{(h - spec.crop) // 2}"


def theirs(ffmpeg: str, clip: Path, width: int, height: int) -> list[bytes]:
    """Two passes of the ffmpeg program, each read from a pipe."""
    return [
        subprocess.run(
            [
                *(ffmpeg, "-v", "error", "-nostdin", "-i", str(clip)),
                *("-filter:v", filters(spec, width, height)),
                *("-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:"),
            ],
            capture_output=True,
            check=True,
        ).stdout
        for spec in SPECS
    ]


def ours(clip: Path) -> list[list[NDArray[np.uint8]]]:
    """One pass, all chunks kept."""
    kept: list[list[NDArray[np.uint8]]] = [[] for _ in SPECS]
    for chunk in decode(clip, SPECS):
        kept[chunk.spec].append(chunk.frames)
    return kept


def same_frames(ffmpeg: str, clip: Path, width: int, height: int) -> None:
    mine = [b"".join(chunk.tobytes() for chunk in chunks) for chunks in ours(clip)]
    if mine != theirs(ffmpeg, clip, width, height):
        sys.exit(f"{clip.name}: other frames than those of {version(ffmpeg)}")
    print(f"{clip.name}: {clip.stat().st_size:,} bytes; both sides give the same frames")


def compare(ffmpeg: str, clip: Path, width: int, height: int, pairs: int) -> Cost:
    """How many times our wall and CPU time theirs take: medians over runs in turns."""
    ratios = []
    for _ in range(pairs):
        their_wall, their_cpu = cost(
            lambda: theirs(ffmpeg, clip, width, height), resource.RUSAGE_CHILDREN
        )
        our_wall, our_cpu = cost(lambda: ours(clip), resource.RUSAGE_SELF)
        ratios.append((their_wall / our_wall, their_cpu / our_cpu))
        print(f"{clip.name}: wall {their_wall:.2f} / {our_wall:.2f} s", end="")
        print(f", CPU {their_cpu:.2f} / {our_cpu:.2f} s")
    return statistics.median(r[0] for r in ratios), statistics.median(r[1] for r in ratios)


def cost(run: Callable[[], object], who: int) -> Cost:
    """Seconds on the wall, and of CPU in this process or in its children."""
    before, began = resource.getrusage(who), time.perf_counter()
    run()
    wall, after = time.perf_counter() - began, resource.getrusage(who)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


# Memory.

DECODE_ALL = r"""
import re, sys
from fractions import Fraction
from pathlib import Path
from howto.media.decode import decode
from howto.records import FrameSpec
specs = FrameSpec(Fraction(1), 224), FrameSpec(Fraction(24), 112, 112)
for chunk in decode(Path(sys.argv[1]), specs):
    pass
# Not getrusage: its peak includes that of the process which started this one.
print(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def memory_name(short: int, long: int) -> str:
    def told(seconds: int) -> str:
        return f"{seconds // 60}min" if seconds % 60 == 0 else f"{seconds}s"

    return f"decode.memory_{told(long)}_over_{told(short)}"


def memory_growth(folder: Path, short: int, long: int) -> float:
    """Peak memory of a process that decodes a long clip, over that for a short one."""
    width, height, bits = SIZES["360p"]
    piece, clips = folder / "piece.mp4", (folder / "short.mp4", folder / "long.mp4")
    draw(piece, width, height, bits, PIECE)
    for clip, seconds in zip(clips, (short, long), strict=True):
        repeat(piece, clip, seconds // PIECE)
    peaks = [peak(clip) for clip in clips]
    print(f"peak memory: {peaks[0] / 1024:.0f} MiB short, {peaks[1] / 1024:.0f} MiB long")
    return peaks[1] / peaks[0]


def repeat(piece: Path, clip: Path, times: int) -> None:
    """Write the pictures of a clip several times over, without encoding anew."""
    with av.open(str(clip), "w") as target:
        copy = None
        for i in range(times):
            with av.open(str(piece)) as source:
                video = source.streams.video[0]
                copy = copy or target.add_stream_from_template(video)
                for packet in source.demux(video):
                    if packet.dts is None:
                        continue
                    packet.pts += i * video.duration
                    packet.dts += i * video.duration
                    packet.stream = copy
                    target.mux(packet)


def peak(clip: Path) -> float:
    """Peak resident memory, in KiB, of a fresh process that decodes both streams of a clip."""
    ran = subprocess.run(
        [sys.executable, "-c", DECODE_ALL, str(clip)], capture_output=True, check=True
    )
    return float(ran.stdout)


if __name__ == "__main__":
    main()

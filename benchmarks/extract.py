"""Extraction: does decoding overlap computing, is memory flat, how quick are pooling and bf16?

Networks have random weights: that changes what features say, not how long they take.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from decode import SIZES, draw, repeat
from measure import Figure, emit, median_ratio, parse

from howto.extract.choice import Choice, Wanted, choose
from howto.extract.decoding import Frames, ToDecode
from howto.extract.encoding import Encoding
from howto.extract.pooling import pool
from howto.extract.stage import Extractor, Job
from howto.media.decode import FrameChunk, decode

PIECE = 5  # seconds, repeated for the videos whose memory is measured
CLIPS, NUM_FEATURES, DIM = 110, 600, 2048


def main() -> None:
    quick = parse(__doc__ or "").quick
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = random_weights(folder / "resnet152.pth")
        figures = [
            pooling(50 if quick else 300),
            *overlaps(folder, weights, quick),
            memory(folder, *((10, 60) if quick else (60, 3600))),
            *precision(weights, 2 if quick else 8),
        ]
    emit(figures)


def random_weights(path: Path) -> Path:
    """The state dict of a ResNet-152 as it is made, batch norms included."""
    from torchvision.models import resnet152

    torch.manual_seed(0)
    torch.save(resnet152(weights=None).state_dict(), path)
    return path


# Pooling.


def pooling(repeats: int) -> Figure:
    """110 overlapping clips of one video, against a maximum a clip; the same values."""
    rng = np.random.default_rng(0)
    features = np.abs(rng.normal(0, 0.03, (NUM_FEATURES, DIM))).astype(np.float16)
    starts = np.sort(rng.uniform(0, NUM_FEATURES - 6, CLIPS))
    ends = starts + rng.uniform(4, 9, CLIPS)

    def loop() -> np.ndarray:
        pooled = np.zeros((CLIPS, DIM), np.float16)
        for i in range(CLIPS):
            rows = features[int(starts[i]) : int(ends[i]) + 1]
            if len(rows):
                pooled[i] = rows.max(axis=0)
        return pooled

    if not np.array_equal(loop(), pool(features, 1, starts, ends)):
        sys.exit("pooling gives other values than a loop")
    theirs = seconds(loop, repeats // 10)
    ours = seconds(lambda: pool(features, 1, starts, ends), repeats)
    ratio = median_ratio(theirs, ours)
    print(f"pooling: {1000 * theirs():.2f} ms by a loop, {1000 * ours():.2f} ms")
    return Figure.at_least("extract.pool_over_loop", ratio, 10)


def seconds(run: Callable[[], object], repeats: int) -> Callable[[], float]:
    """How long one call takes, as the mean of several."""

    def measure() -> float:
        began = time.perf_counter()
        for _ in range(repeats):
            run()
        return (time.perf_counter() - began) / repeats

    return measure


# Overlap.


def overlaps(folder: Path, weights: Path, quick: bool) -> list[Figure]:
    """A network that computes for long, and a backbone that is about as quick as the decoder."""
    width, height, bits = SIZES["360p"]
    short, long = (4, 10) if quick else (5, 30)
    piece = folder / "overlap.mp4"
    draw(piece, width, height, bits, short)
    lengthened = folder / "overlap-long.mp4"
    repeat(piece, lengthened, long // short)
    figures = []
    for name, video, count in (("resnet152", piece, 3), ("colour-motion", lengthened, 4)):
        given = {"resnet152": str(weights)} if name == "resnet152" else {}
        wanted = choose(Choice((name,), device="cpu", weights=given))
        value = overlap(name, wanted, [video] * count, folder / name, 1 if quick else 3)
        suffix = "" if name == "resnet152" else f".{name}"
        figures.append(Figure.at_least(f"extract.overlap{suffix}", value, 0.85))
    return figures


def overlap(
    name: str, wanted: Sequence[Wanted], videos: list[Path], state: Path, pairs: int
) -> float:
    """The slower of decoding alone and computing alone, over both together: median of the runs."""
    ratios = []
    spec = wanted[0].frames
    chunks = list(decode(videos[0], [spec]))
    with Extractor(wanted, state) as extractor:
        extractor.extract(jobs(videos)[0])  # loads everything
        for _ in range(pairs):
            decoding = timed(lambda: decode_alone(extractor, videos))
            computing = timed(lambda: compute_alone(extractor, chunks, len(videos)))
            together = timed(lambda: list(extractor.extract_all(jobs(videos))))
            ratios.append(max(decoding, computing) / together)
            print(
                f"{name}: {decoding:.2f} s to decode, {computing:.2f} s to compute,"
                f" {together:.2f} s together"
            )
    return statistics.median(ratios)


def jobs(videos: list[Path]) -> list[Job]:
    return [Job(k, f"video-{k}", path, 0.0, (0,)) for k, path in enumerate(videos)]


def timed(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def decode_alone(extractor: Extractor, videos: list[Path]) -> None:
    spec = extractor.wanted[0].frames
    tasks = (ToDecode(k, path, (spec,)) for k, path in enumerate(videos))
    for _, event in extractor.decoders.run(tasks):
        if isinstance(event, Frames) and not len(event.chunk.frames):
            sys.exit("an empty chunk")


def compute_alone(extractor: Extractor, chunks: list[FrameChunk], times: int) -> None:
    for _ in range(times):
        encoding = Encoding(extractor.encoders[0])
        for chunk in chunks:
            encoding.add(chunk)
        encoding.finish()


# Memory.

EXTRACT = r"""
import re, sys
from pathlib import Path
from howto.extract.choice import Choice, choose
from howto.extract.stage import Extractor, Job

def peak(process):
    return int(re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{process}/status").read_text())[1])

if __name__ == "__main__":
    video, state = map(Path, sys.argv[1:])
    with Extractor(choose(Choice(("colour-motion",), device="cpu")), state) as extractor:
        made = extractor.extract(Job(0, "video", video, 0.0, (0,)))
        assert made.ends[0].num_features, made
        print(made.ends[0].num_features, sum(map(peak, ["self", *extractor.decoders.process_ids])))
"""


def memory(folder: Path, short: int, long: int) -> Figure:
    """Peak memory of all processes that extract from a long video, over that for a short one."""
    piece = folder / "piece.mp4"
    draw(piece, 320, 180, 200_000, PIECE)
    peaks = []
    script = folder / "extract_one.py"
    script.write_text(EXTRACT)
    for length in (short, long):
        video = folder / f"{length}.mp4"
        repeat(piece, video, length // PIECE)
        ran = subprocess.run(
            [sys.executable, str(script), str(video), str(folder / f"state-{length}")],
            capture_output=True,
            text=True,
            check=True,
        )
        count, kib = map(int, ran.stdout.split())
        print(f"memory: {length} s, {count} features, {kib / 1024:.0f} MiB at most")
        peaks.append(kib)
    name = "60min_over_1min" if long == 3600 else f"{long}s_over_{short}s"
    return Figure.at_most(f"extract.memory_{name}", peaks[1] / peaks[0], 1.3)


# Precision.


def precision(weights: Path, frames: int) -> list[Figure]:
    """ResNet-152 in bf16 over fp32 on this CPU: how much quicker, and how alike the features."""
    width, height = 398, 224
    rng = np.random.default_rng(0)
    pictures = torch.from_numpy(rng.integers(0, 256, (frames, height, width, 3), dtype=np.uint8))
    runs, features = {}, {}
    for kind in ("fp32", "bf16"):
        choice = Choice(("resnet152",), "cpu", kind, {"resnet152": str(weights)})
        (wanted,) = choose(choice)
        wanted.backbone.load("cpu", wanted.dtype, wanted.weights)
        features[kind] = wanted.backbone.encode(pictures)
        runs[kind] = seconds(lambda encode=wanted.backbone.encode: encode(pictures), 1)
    ratio = median_ratio(runs["fp32"], runs["bf16"], 3)
    cosine = torch.nn.functional.cosine_similarity(features["fp32"], features["bf16"]).min()
    print(f"bf16: {runs['fp32']():.2f} s in fp32, {runs['bf16']():.2f} s in bf16, {frames} frames")
    return [
        Figure.at_least("extract.resnet152_bf16_over_fp32", ratio, 1.8),
        Figure.at_least("extract.resnet152_bf16_cosine", float(cosine), 0.9999),
    ]


if __name__ == "__main__":
    main()

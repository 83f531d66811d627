"""Batches of the pack against a plain re-statement of the published loader.

The plain side, in one thread as ours: both .npy files of each video are read, its lines grown in
Python, each clip's slice pooled and normalised, and each word's vector looked up and copied. Both
sides read files that are in the page cache, made of the same videos.

Figures (`train_step.py` runs them):
    train_step.loader.<size>   plain time over ours, for one batch
    train_step.bytes.<size>    bytes of features and words that ours reads over the plain side's
"""

import json
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch user knows
from measure import Figure, median_ratio

from howto.train.authors_sets import AuthorsFolders
from howto.train.pack import Pack
from howto.train.pack_build import build_pack
from howto.train.pack_text import TextChoice
from howto.train.samplers import IntraVideoSampler

__all__ = ["figures"]

SECONDS, LINES = 390, 110  # the paper's mean video
WORDS, WORD_DIM, MAX_WORDS, MIN_SECONDS = 5000, 300, 20, 5.0
_WORD = re.compile(r"[\w']+")


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """Videos as the authors keep them, and the pack of them."""

    folder: Path
    captions: dict[str, dict[str, list]]
    vectors: dict[str, np.ndarray]
    pack: Pack


@contextmanager
def made_videos(count: int, dim: int) -> Iterator[Made]:
    """Write random videos: lines of about 4 words and 3.5 s, features at 1 and 1.5 a second."""
    rng = np.random.default_rng(0)
    words = np.array([f"word{k}" for k in range(WORDS)])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        captions = {}
        for stream, rate in (("2d", 1.0), ("3d", 1.5)):
            (folder / stream).mkdir()
            for k in range(count):
                array = rng.normal(0, 0.03, (int(SECONDS * rate), dim)).astype(np.float16)
                np.save(folder / stream / f"v{k}.npy", array)
        for k in range(count):
            starts = np.sort(rng.uniform(0, SECONDS - 4, LINES))
            texts = [" ".join(rng.choice(words, rng.poisson(4) + 1)) for _ in range(LINES)]
            ends = (starts + 3.5).tolist()
            captions[f"v{k}"] = {"start": starts.tolist(), "end": ends, "text": texts}
        (folder / "caption.json").write_text(json.dumps(captions))
        (folder / "videos.csv").write_text("video_id\n" + "".join(f"{one}\n" for one in captions))
        table = rng.normal(0, 0.1, (WORDS, WORD_DIM)).astype(np.float32)
        np.save(folder / "vectors.npy", table)
        (folder / "vocabulary.txt").write_text("".join(f"{word}\n" for word in words))
        source = AuthorsFolders(
            folder / "videos.csv", folder / "caption.json", folder / "2d", folder / "3d"
        )
        choice = TextChoice("word2vec", {"max_words": MAX_WORDS}, str(folder / "vectors.npy"))
        pack = build_pack(source, choice, folder / "packs").pack
        yield Made(folder, captions, dict(zip(words.tolist(), table, strict=True)), pack)


# --- the plain side ---


def grown(lines: dict[str, list], index: int) -> tuple[str, float, float]:
    """Grow one line, as it is drawn."""
    starts, ends, texts = lines["start"], lines["end"], lines["text"]
    first = last = index
    text = texts[index]
    while ends[last] - starts[first] < MIN_SECONDS:
        if first > 0 and last < len(starts) - 1:
            takes_previous = ends[last] - starts[first - 1] <= ends[last + 1] - starts[first]
        elif first > 0 or last < len(starts) - 1:
            takes_previous = first > 0
        else:
            break
        if takes_previous:
            first -= 1
            text += f" {texts[first]}"
        else:
            last += 1
            text += f" {texts[last]}"
    return text, starts[first], ends[last]


def plain_words(text: str, vectors: dict[str, np.ndarray]) -> torch.Tensor:
    """The vectors of a caption's words, (20, 300), zeros after the last."""
    known = [vectors[word] for word in _WORD.findall(text) if word in vectors][:MAX_WORDS]
    padded = torch.zeros(MAX_WORDS, WORD_DIM)
    if known:
        padded[: len(known)] = torch.from_numpy(np.stack(known))
    return padded


def plain_video(made: Made, name: str, pairs: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pairs of one video."""
    lines = made.captions[name]
    drawn = [grown(lines, random.randrange(len(lines["text"]))) for _ in range(pairs)]
    parts = []
    for stream, rate in (("2d", 1.0), ("3d", 24 / 16)):
        features = torch.from_numpy(np.load(made.folder / stream / f"{name}.npy")).float()
        rows = torch.zeros(pairs, features.shape[1])
        for row, (_, start, end) in enumerate(drawn):
            clip = features[int(start * rate) : int(end * rate) + 1]
            if len(clip):
                rows[row] = F.normalize(torch.max(clip, dim=0)[0], dim=0)
        parts.append(rows)
    return torch.cat(parts, dim=1), torch.stack(
        [plain_words(one[0], made.vectors) for one in drawn]
    )


def plain_batch(made: Made, videos: int, pairs: int) -> Callable[[], float]:
    """A batch of the plain loader; it returns seconds."""

    def run() -> float:
        began = time.perf_counter()
        names = random.sample(sorted(made.captions), videos)
        found = [plain_video(made, name, pairs) for name in names]
        torch.cat([one[0] for one in found])
        torch.cat([one[1] for one in found])
        return time.perf_counter() - began

    return run


# --- ours ---


def batches(made: Made, videos: int, pairs: int) -> Iterator[np.ndarray]:
    """Rows of batches, epoch after epoch."""
    rng, sampler = np.random.default_rng(0), IntraVideoSampler()
    while True:
        yield from sampler.batches(made.pack.offsets, videos, pairs, rng)


def our_batch(made: Made, videos: int, pairs: int) -> Callable[[], float]:
    """A batch of the pack; it returns seconds."""
    rows = batches(made, videos, pairs)

    def run() -> float:
        began = time.perf_counter()
        made.pack.batch(next(rows))
        return time.perf_counter() - began

    return run


def bytes_ratio(made: Made, videos: int, pairs: int) -> float:
    """Bytes of one batch, ours over theirs; a row that is drawn twice is read once."""
    rows = np.unique(next(batches(made, videos, pairs)))
    own = made.pack.clips[rows].nbytes + made.pack.words[rows].nbytes
    one = sum((made.folder / stream / "v0.npy").stat().st_size for stream in ("2d", "3d"))
    return own / (videos * one)


def figures(
    size: str, videos: int, pairs: int, columns: int, repeats: int, goal: float
) -> list[Figure]:
    """Measure one size.

    Args:
        columns: length of a clip's vector, half of it of each stream.
        goal: the least ratio of times.
    """
    random.seed(0)
    # As in a worker of torch's own loader; threads that wait for each other would slow the plain
    # side's many small steps.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with made_videos(2 * videos, columns // 2) as made:
        ratio = median_ratio(
            plain_batch(made, videos, pairs), our_batch(made, videos, pairs), repeats
        )
        figures = [Figure.at_least(f"train_step.loader.{size}", ratio, goal)]
        if size == "full":
            share = bytes_ratio(made, videos, pairs)
            figures.append(Figure.at_most(f"train_step.bytes.{size}", share, 0.125))
    torch.set_num_threads(threads)
    return figures

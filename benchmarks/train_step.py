"""One step of training, ours against a plain re-statement of the published recipe.

Both sides get the same rows, word vectors and starting weights. The plain side projects every word
of every caption, has its loss in plain operations and steps Adam in float32, as published.

Figures, at 8 videos of 16 pairs in 1024 dimensions, and at full size (32 of 64 in 4096):
    train_step.loader.<size>   plain time over ours, to put a batch together (train_loader.py)
    train_step.bytes.full      bytes that ours reads for it, over the plain side's
    train_step.fp32.<size>     plain time over ours, float32: forward, loss, backward, Adam
    train_step.bf16.<size>     plain time (float32) over ours in bf16
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch user knows
from measure import Figure, emit, median_ratio, parse
from torch import Tensor, nn
from train_loader import figures as loader_figures

from howto.train.losses import MaxMarginLoss, positives_of
from howto.train.model import TextVideoModel
from howto.train.samplers import weights_of
from howto.train.text_pooling import TextPooling

__all__ = ["FULL", "QUICK", "Size", "figures"]

WORD_DIM, MAX_WORDS, VOCABULARY = 300, 20, 66_000
WORDS_A_CAPTION = 4.0  # the paper's mean, after stop words; clips that grow have about 8
PAIRS_QUICK, PAIRS_FULL = 5, 3
RATE = 1e-4


@dataclass(frozen=True, slots=True)
class Size:
    """Of a batch, and of the model.

    Attributes:
        columns: length of a clip's vector.
    """

    name: str
    videos: int
    pairs: int
    dim: int
    columns: int

    @property
    def rows(self) -> int:
        """B, pairs of a batch."""
        return self.videos * self.pairs


QUICK = Size("8x16x1024", 8, 16, 1024, 1024)
FULL = Size("full", 32, 64, 4096, 4096)


class PlainModel(nn.Module):
    """The published network: every word through the linear layer, padding included."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        dim = size.dim
        self.word = nn.Linear(WORD_DIM, dim)
        self.text, self.text_gate = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.video, self.video_gate = nn.Linear(size.columns, dim), nn.Linear(dim, dim)

    def forward(self, clips: Tensor, words: Tensor) -> Tensor:
        """Clips (B, columns) and word vectors (B, W, 300) to scores (B, B)."""
        said = F.relu(self.word(words)).max(dim=1)[0]
        said = self.text(said)
        said = F.normalize(said * torch.sigmoid(self.text_gate(said)))
        shown = self.video(clips)
        shown = F.normalize(shown * torch.sigmoid(self.video_gate(shown)))
        return shown @ said.T


def plain_loss(scores: Tensor, weights: Tensor) -> Tensor:
    """The published loss: both directions, weighed, the mean over all cells."""
    own = scores.diagonal()
    by_clip = F.relu(0.1 + scores - own.view(-1, 1))
    by_caption = F.relu(0.1 + scores - own.view(1, -1))
    return (weights * by_clip + weights * by_caption).mean()


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """What both sides train on."""

    clips: Tensor
    words: Tensor
    table: Tensor
    weights: Tensor


def made_data(size: Size) -> Data:
    """Random features, and captions whose words are as frequent as in language (Zipf)."""
    rng = np.random.default_rng(0)
    frequency = 1 / np.arange(1, VOCABULARY)
    counts = np.clip(rng.poisson(2 * WORDS_A_CAPTION, size.rows), 1, MAX_WORDS)
    words = rng.choice(VOCABULARY - 1, (size.rows, MAX_WORDS), p=frequency / frequency.sum()) + 1
    words[np.arange(MAX_WORDS) >= counts[:, None]] = 0
    table = torch.from_numpy(rng.normal(0, 0.1, (VOCABULARY, WORD_DIM)).astype(np.float32))
    table[0] = 0
    clips = torch.from_numpy(rng.normal(size=(size.rows, size.columns)).astype(np.float32))
    video_ids = np.repeat(np.arange(size.videos), size.pairs)
    weights = torch.from_numpy(weights_of(video_ids, 0.5, "code"))
    return Data(F.normalize(clips), torch.from_numpy(words), table, weights)


def plain_step(size: Size, data: Data) -> Callable[[], float]:
    """A step of the plain recipe; it returns seconds. Looking words up is the loader's work."""
    torch.manual_seed(0)
    model = PlainModel(size)
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
    vectors = data.table[data.words]

    def step() -> float:
        began = time.perf_counter()
        optimiser.zero_grad()
        plain_loss(model(data.clips, vectors), data.weights).backward()
        optimiser.step()
        return time.perf_counter() - began

    return step


def our_step(size: Size, data: Data, *, is_bf16: bool) -> Callable[[], float]:
    """A step as the loop makes it; it returns seconds."""
    torch.manual_seed(0)
    pooling = TextPooling(data.table, size.dim)
    model = TextVideoModel({"made": size.columns}, size.dim, pooling, size.dim)
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE, fused=True)
    loss, positives = MaxMarginLoss(), positives_of(size.rows)

    def step() -> float:
        began = time.perf_counter()
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=is_bf16):
            shown, said = model(data.clips, data.words)
            scores = (shown @ said.T).float()
        loss(scores, data.weights, positives).backward()
        nn.utils.get_total_norm([p.grad for p in model.parameters()])
        optimiser.step()
        return time.perf_counter() - began

    return step


def figures(size: Size, pairs: int, goals: tuple[float, float]) -> list[Figure]:
    """Measure both precisions at one size.

    Args:
        goals: the least ratio in float32 and in bf16.
    """
    data = made_data(size)
    made = []
    for is_bf16, goal in zip((False, True), goals, strict=True):
        ratio = median_ratio(plain_step(size, data), our_step(size, data, is_bf16=is_bf16), pairs)
        name = f"train_step.{'bf16' if is_bf16 else 'fp32'}.{size.name}"
        made.append(Figure.at_least(name, ratio, goal))
    return made


def loading(size: Size, pairs: int, goal: float) -> list[Figure]:
    """Measure the loader at one size."""
    return loader_figures(size.name, size.videos, size.pairs, size.columns, pairs, goal)


if __name__ == "__main__":
    quick = parse(__doc__).quick
    measured = [*loading(QUICK, PAIRS_QUICK, 20), *figures(QUICK, PAIRS_QUICK, (1.2, 1.8))]
    if not quick:
        measured += [*loading(FULL, PAIRS_FULL, 12), *figures(FULL, PAIRS_FULL, (1.5, 3.0))]
    emit(measured)

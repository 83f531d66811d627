"""Batches of training, made ready in a thread of their own while the model computes."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from howto.contracts import Sampler
from howto.train.distributed import ALONE, World
from howto.train.losses import positives_of
from howto.train.overlaps import caption_ids, false_negatives, masked

__all__ = ["Batches", "Pairs", "Ready", "Waiting", "subset"]

_AHEAD = 2  # batches that lie ready


class Drawn(Protocol):
    """What a pack gives of some pairs."""

    clips: NDArray[np.float32]
    words: NDArray[np.int32]
    video: NDArray[np.int64]


class Pairs(Protocol):
    """What training reads: a pack, or anything that does the same.

    Attributes:
        offsets: int64 (V + 1,); the pairs of video v are offsets[v] .. offsets[v + 1] - 1.
        video_ids: of the V videos.
        spans: float64 (N, 2), start and end of each clip in seconds.
    """

    offsets: NDArray[np.int64]
    video_ids: list[str]
    spans: NDArray[np.float64]

    def batch(self, rows: NDArray[np.int64]) -> Drawn:
        """The pairs of some rows."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """One batch, of which this process has a part.

    Attributes:
        clips: float32 (b, D), the process's own rows.
        texts: int64 (b K, L), their captions as tokens; or float32 (b K, D), as vectors.
        weights: float32 (B, B K), of the whole batch.
        positives: bool (B, B K).
        video: int64 (B,), the video of each pair.
        rows: int64 (B,), which pairs these are.
    """

    clips: Tensor
    texts: Tensor
    weights: Tensor
    positives: Tensor
    video: Tensor
    rows: NDArray[np.int64]


def subset(
    offsets: NDArray[np.int64], chosen: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pairs of some videos, numbered anew.

    Args:
        offsets: int64 (V + 1,).
        chosen: bool (V,).

    Returns:
        The offsets of the chosen videos alone, and the row of each of their pairs.
    """
    counts = np.diff(offsets)[chosen]
    own = np.concatenate([[0], np.cumsum(counts)])
    starts = offsets[:-1][chosen]
    rows = np.arange(own[-1]) + np.repeat(starts - own[:-1], counts)
    return own.astype(np.int64), rows.astype(np.int64)


class Waiting:
    """How long the model waited for batches, and since when; for the share of it.

    Attributes:
        seconds: waited in all.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = time.perf_counter()

    @property
    def share(self) -> float:
        """Of the time since it was made, 0..1."""
        return self.seconds / max(time.perf_counter() - self._began, 1e-9)


class Batches:
    """The batches of a run, epoch by epoch, the same ones whoever asks, from any point on.

    Args:
        pairs: what to read.
        chosen: bool (V,), the videos to draw from.
        sampler: draws and weighs.
        videos_per_batch, pairs_per_video: v and k.
        seed: of the draws; each epoch has a generator of its own, of the seed and its number.
        mask_overlaps: negatives that are right all the same weigh 0.
        world: of which this process takes its part.
    """

    def __init__(
        self,
        pairs: Pairs,
        chosen: NDArray[np.bool_],
        sampler: Sampler,
        videos_per_batch: int,
        pairs_per_video: int,
        seed: int,
        *,
        mask_overlaps: bool = False,
        world: World = ALONE,
    ) -> None:
        self._pairs, self._sampler, self._world = pairs, sampler, world
        self._offsets, self._rows = subset(pairs.offsets, chosen)
        self._size = (videos_per_batch, pairs_per_video)
        self._seed = seed
        self._mask_overlaps = mask_overlaps
        self._last_weights: tuple[bytes, NDArray[np.float32]] | None = None

    def __len__(self) -> int:
        """Batches in the first epoch; a sampler may make more or fewer in others."""
        return sum(1 for _ in self.drawn(0))

    def drawn(self, epoch: int) -> Iterator[NDArray[np.int64]]:
        """The rows of each batch of an epoch."""
        rng = np.random.default_rng([self._seed, epoch])
        for pairs in self._sampler.batches(self._offsets, *self._size, rng):
            yield self._rows[pairs]

    def epoch(self, number: int, skip: int, waiting: Waiting) -> Iterator[Ready]:
        """The batches of an epoch, made ready ahead of their use.

        Args:
            skip: how many of them to leave out at the beginning: they were trained on before.
            waiting: gets the time added that passes until a batch is ready.
        """
        drawn = (rows for place, rows in enumerate(self.drawn(number)) if place >= skip)
        return _ahead(drawn, self.ready, waiting)

    def ready(self, rows: NDArray[np.int64]) -> Ready:
        """Read some pairs and weigh them."""
        own = self._world.rows(len(rows))
        video = np.searchsorted(self._pairs.offsets, rows, side="right") - 1
        mine = self._pairs.batch(rows[own])
        texts = torch.as_tensor(mine.words)
        candidates = texts.shape[1] if texts.ndim == 3 else 1
        texts = texts.reshape(-1, texts.shape[-1])
        weights = np.repeat(self._weights(video), candidates, axis=1)
        if self._mask_overlaps:
            # The words of the whole batch decide, not only of this process's part.
            words = mine.words if self._world.size == 1 else self._pairs.batch(rows).words
            same = caption_ids(np.asarray(words))
            weights = masked(weights, false_negatives(video, self._pairs.spans[rows], same))
        return Ready(
            torch.as_tensor(mine.clips),
            texts if texts.is_floating_point() else texts.long(),
            torch.from_numpy(weights),
            positives_of(len(rows), candidates),
            torch.from_numpy(video),
            rows,
        )

    def _weights(self, video: NDArray[np.int64]) -> NDArray[np.float32]:
        """Weights depend on which pairs are of one video alone, and that is mostly the same."""
        order = np.unique(video, return_inverse=True)[1]
        first = np.concatenate([[True], video[1:] != video[:-1]])
        pattern = np.cumsum(first) if len(np.unique(video)) == first.sum() else order
        key = pattern.tobytes()
        if self._last_weights is None or self._last_weights[0] != key:
            self._last_weights = (key, self._sampler.weights(pattern.astype(np.int64)))
        return self._last_weights[1]


def _ahead(
    drawn: Iterator[NDArray[np.int64]],
    make: Callable[[NDArray[np.int64]], Ready],
    waiting: Waiting,
) -> Iterator[Ready]:
    """Make batches in a thread, at most a few ahead; an error in there is raised here."""
    ready: queue.Queue[Ready | BaseException | None] = queue.Queue(_AHEAD)
    stop = threading.Event()

    def put(item: Ready | BaseException | None) -> None:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def work() -> None:
        try:
            for rows in drawn:
                put(make(rows))
                if stop.is_set():
                    return
            put(None)
        # Whatever it is, it belongs to whoever waits for the batch.
        except BaseException as error:  # noqa: BLE001
            put(error)

    thread = threading.Thread(target=work, name="batches", daemon=True)
    thread.start()
    try:
        while True:
            began = time.perf_counter()
            item = ready.get()
            waiting.seconds += time.perf_counter() - began
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()

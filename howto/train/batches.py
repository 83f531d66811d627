"""Batches of training, made ready in a thread of their own while the model computes."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from howto.contracts import Sampler
from howto.train.distributed import ALONE, World
from howto.train.losses import positives_of
from howto.train.overlaps import caption_ids, false_negatives, masked
from howto.train.pack import Batch, Pack

__all__ = ["Batches", "Ready", "Waiting", "texts_of"]

_AHEAD = 2  # batches that lie ready


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
        pack: what to read.
        chosen: bool (V,), the videos to draw from.
        sampler: draws and weighs.
        videos_per_batch, pairs_per_video: v and k.
        seed: of the draws; each epoch has a generator of its own, of the seed and its number.
        mask_overlaps: negatives that are right all the same weigh 0.
        device: where clips and captions go.
        world: of which this process takes its part.

    Raises:
        UsageError: no video is chosen.
    """

    def __init__(
        self,
        pack: Pack,
        chosen: NDArray[np.bool_],
        sampler: Sampler,
        videos_per_batch: int,
        pairs_per_video: int,
        seed: int,
        *,
        mask_overlaps: bool = False,
        device: str = "cpu",
        world: World = ALONE,
    ) -> None:
        self._pack, self._sampler, self._world = pack, sampler, world
        self._view = pack.view(chosen)
        self._device = device
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
        for pairs in self._sampler.batches(self._view.offsets, *self._size, rng):
            yield self._view.rows(pairs)

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
        mine = self._pack.batch(rows[self._world.rows(len(rows))], self._device)
        video = self._pack.videos_of(rows)
        weights = self._weights(video)
        if (candidates := self._pack.candidates) > 1:
            weights = np.repeat(weights, candidates, axis=1)
        if self._mask_overlaps:
            # The captions of the whole batch decide, not only of this process's part.
            whole = mine if self._world.size == 1 else self._pack.batch(rows)
            same = caption_ids(_as_integers(texts_of(whole)).reshape(len(rows), candidates, -1))
            weights = masked(weights, false_negatives(video, self._pack.spans[rows], same))
        return Ready(
            mine.clips,
            texts_of(mine),
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


def texts_of(batch: Batch) -> Tensor:
    """Captions as the model takes them: tokens, int64 (C, L), or vectors, float32 (C, Dt)."""
    texts = batch.words if batch.texts is None else batch.texts
    if texts is None:
        raise ValueError("a batch holds either words or vectors")
    return texts


def _as_integers(texts: Tensor) -> NDArray[np.integer]:
    """Numbers that are equal where captions are; those of vectors are their bits."""
    values = texts.cpu().numpy()
    found: NDArray[np.integer] = values if values.dtype == np.int64 else values.view(np.int32)
    return found


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

"""Several processes train one model: what of that the loop has to know.

Under `torchrun` each process embeds its rows of one global batch; the embeddings of all are then
gathered, so that every process has the scores of the whole batch and computes the same loss. That
gives the gradients of one process with the whole batch, but for the order of sums.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["ALONE", "World", "connected", "own_device"]

TIMEOUT = timedelta(minutes=5)
"""How long a process waits for the others; an evaluation happens in one of them meanwhile."""

_LET_GO_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class World:
    """Which of how many processes this is."""

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """The one that evaluates, writes and speaks."""
        return self.rank == 0

    def rows(self, count: int) -> slice:
        """Its part of a batch: all parts together are the batch, in order."""
        return slice(*(count * r // self.size for r in (self.rank, self.rank + 1)))

    def gather(self, mine: Tensor, count: int) -> Tensor:
        """Put the rows of all processes together, with a gradient to one's own.

        Every process must compute the same loss of them. The gradient is `size` times its part,
        because DistributedDataParallel divides the sum over processes by their number.

        Args:
            mine: (count of `rows`, D).
            count: rows of the whole batch.
        """
        if self.size == 1:
            return mine
        gathered: Tensor = _Gather.apply(mine, count, self)  # type: ignore[no-untyped-call]
        return gathered

    def wrap(self, model: torch.nn.Module) -> torch.nn.Module:
        """The model as the loop calls it: its gradients become those of all processes."""
        if self.size == 1:
            return model
        # The one buffer, a table of word vectors, is the same everywhere and never changes.
        return torch.nn.parallel.DistributedDataParallel(model, broadcast_buffers=False)

    def agree(self, wish: bool) -> bool:
        """Whether any process wishes for it: all get the same answer."""
        if self.size == 1:
            return wish
        told = torch.tensor(int(wish))
        if dist.get_backend() == "nccl":
            told = told.cuda()
        dist.all_reduce(told, dist.ReduceOp.MAX)
        return bool(told.item())

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            dist.barrier()


ALONE = World()
"""One process."""


class _Gather(torch.autograd.Function):
    """All processes' rows; backwards, one's own part of the gradient."""

    @staticmethod
    def forward(ctx: Any, mine: Tensor, count: int, world: World) -> Tensor:
        ctx.world, ctx.own = world, world.rows(count)
        parts = [World(rank, world.size).rows(count) for rank in range(world.size)]
        longest = max(part.stop - part.start for part in parts)
        padded = mine.new_zeros(longest, *mine.shape[1:])
        padded[: len(mine)] = mine
        received = [torch.empty_like(padded) for _ in parts]
        dist.all_gather(received, padded)
        pieces = zip(received, parts, strict=True)
        return torch.cat([piece[: part.stop - part.start] for piece, part in pieces])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient[ctx.own] * ctx.world.size, None, None


def own_device(device: str) -> str:
    """The device of this process: of several GPUs its own, by number.

    Without the number it would be the current one of whichever thread asks, and in the thread that
    makes batches ready that is the first.
    """
    if device == "cuda" and "LOCAL_RANK" in os.environ:
        return f"cuda:{os.environ['LOCAL_RANK']}"
    return device


@contextmanager
def connected(device: str) -> Iterator[World]:
    """Meet the other processes that torchrun started; alone where it did not.

    Args:
        device: cpu meets by gloo, a CUDA device by NCCL.
    """
    if "LOCAL_RANK" not in os.environ or int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    backend = "nccl" if device.startswith("cuda") else "gloo"
    if backend == "nccl":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group(backend, timeout=TIMEOUT)
    try:
        yield World(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
        # A thread of gloo lets go of the last tensors a moment after their collective has ended. If
        # Python ends just then, that aborts the process: "terminate called without an active
        # exception" (PyTorch's issue 190489). DistributedDataParallel keeps these threads alive.
        time.sleep(_LET_GO_SECONDS)

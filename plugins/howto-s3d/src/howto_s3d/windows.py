"""From frames to the windows of S3D-G."""

from collections.abc import Callable
from fractions import Fraction

import torch

from howto.errors import UsageError
from howto.extract.backbones.protocol import in_batches, padded
from howto.records import FrameSpec

__all__ = ["encode_windows", "frame_spec"]

_LEAST_FRAMES, _LEAST_PIXELS = 8, 32  # halved three and five times, one is left


def frame_spec(name: str, num_frames: int, rate: Fraction, size: int) -> FrameSpec:
    """The frames of a window: the middle square of the picture, scaled to `size` pixels.

    Raises:
        UsageError: the network cannot halve such a window as often as it does.
    """
    if num_frames % 2 or size % 2 or num_frames < _LEAST_FRAMES or size < _LEAST_PIXELS:
        raise UsageError(
            f"{name}: windows of {num_frames} frames of {size} pixels: expected even numbers, at "
            f"least {_LEAST_FRAMES} frames of {_LEAST_PIXELS} pixels"
        )
    return FrameSpec(rate=rate, short_side=size, crop=size)


def encode_windows(
    frames: torch.Tensor,
    num_frames: int,
    device: str,
    dtype: torch.dtype,
    network: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Cut frames into windows and encode some at a time.

    Args:
        frames: uint8 (T, H, W, 3). A last window that is not full gets black frames, as in the
            authors' loaders.
        network: maps (N, 3, num_frames, H, W) in 0..1 to (N, D).

    Returns:
        float32 (ceil(T / num_frames), D), on the CPU.
    """

    def encode(part: torch.Tensor) -> torch.Tensor:
        windows = part.reshape(-1, num_frames, *part.shape[1:]).permute(0, 4, 1, 2, 3)
        return network((windows.float() / 255).to(dtype))

    return in_batches(padded(frames, num_frames), num_frames, device, encode)

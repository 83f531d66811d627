"""From frames to what a network takes, and from what it gives to features. Needs torch."""

from collections.abc import Callable, Sequence

import torch

__all__ = ["in_batches", "l2_normalised", "normalised_pixels", "padded"]

_CPU_PIXELS = 16 * 224 * 398
_GPU_PIXELS = 256 * 224 * 398


def normalised_pixels(
    frames: torch.Tensor, mean: Sequence[float], std: Sequence[float], scale: float = 1.0
) -> torch.Tensor:
    """Compute (frames / scale - mean) / std for each colour, in float32, in this order.

    Args:
        frames: uint8 (..., 3), colours last; left as it is.
        mean, std: one for each colour, in the units of frames / scale.
        scale: 255 where the network takes 0..1.

    Returns:
        float32 of the same shape, on the same device.
    """
    pixels = frames.to(torch.float32)
    if scale != 1.0:
        pixels /= scale
    pixels -= torch.tensor(mean, device=pixels.device)
    if any(value != 1.0 for value in std):
        pixels /= torch.tensor(std, device=pixels.device)
    return pixels


def padded(frames: torch.Tensor, multiple: int, *, repeat_last: bool = False) -> torch.Tensor:
    """Lengthen frames (T, ...) to a multiple, with zeros or with copies of the last frame.

    Zeros are black before a mean is subtracted, which is where the HowTo100M authors pad.
    """
    lacking = -len(frames) % multiple
    if not lacking:
        return frames
    rest = frames[-1:].expand(lacking, *frames.shape[1:])
    return torch.cat([frames, rest if repeat_last else torch.zeros_like(rest)])


def l2_normalised(features: torch.Tensor) -> torch.Tensor:
    """Divide each row of (T, D) by its length; a row of zeros stays one."""
    return torch.nn.functional.normalize(features.float(), dim=1)


def in_batches(
    frames: torch.Tensor,
    frames_per_feature: int,
    device: str,
    features_of: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Encode frames some at a time, so that a long video needs no more memory than a short one.

    Args:
        frames: uint8 (T, H, W, 3), on any device; T a multiple of `frames_per_feature`, above 0.
        frames_per_feature: batches hold a multiple of it.
        device: where to compute.
        features_of: maps uint8 (n, H, W, 3) on the device to features (m, D).

    Returns:
        float32 (T / frames_per_feature, D), on the CPU.
    """
    pixels = frames.shape[1] * frames.shape[2] * frames_per_feature
    most = _CPU_PIXELS if device == "cpu" else _GPU_PIXELS
    batch = max(1, most // pixels) * frames_per_feature
    return torch.cat(
        [features_of(part.to(device)).float().cpu() for part in torch.split(frames, batch)]
    )

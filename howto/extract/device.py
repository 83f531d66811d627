"""The device that a network runs on, by its name."""

import re

from howto.errors import UsageError

__all__ = ["check_device", "chosen_device"]

_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?|mps")


def chosen_device(device: str) -> str:
    """The device meant; `auto` is the first CUDA device, else mps, else the CPU.

    Raises:
        UsageError: no such device here.
    """
    import torch

    check_device(device)
    has_mps = torch.backends.mps.is_available()
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu"
    number = int(device.partition(":")[2] or 0)
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.startswith("cuda") and number >= there:
        raise UsageError(f"device {device} is not here: torch sees {there} CUDA devices")
    if device == "mps" and not has_mps:
        raise UsageError("device mps is not here: torch sees none")
    return device


def check_device(device: str) -> None:
    """Refuse what is the name of no device, without looking at those that are here.

    Raises:
        UsageError: with the names that there are.
    """
    if not _DEVICE.fullmatch(device):
        raise UsageError(f"no device {device!r}: expected auto, cpu, cuda, cuda:N or mps")

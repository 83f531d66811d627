"""Which features are wanted: backbones by name, with weights, device and precision.

A choice becomes feature sets with a recipe each before any video is opened. Torch is imported here:
backbones are torch's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from howto import plugins
from howto.errors import UsageError
from howto.extract.device import chosen_device
from howto.extract.weights import WeightsNotHere, file_hash, may_fetch, without_downloads
from howto.recipe import Recipe
from howto.records import FrameSpec

if TYPE_CHECKING:
    import torch

    from howto.contracts import Backbone

__all__ = [
    "DEFAULT_BACKBONES",
    "PRECISIONS",
    "Choice",
    "Wanted",
    "choose",
    "wanted_for",
]

DEFAULT_BACKBONES = ("resnet152", "resnext101-3d")
"""The paper's 2D and 3D networks."""

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
_TYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}

FRAMES_VERSION = "1"
"""Changes whenever the same video would give other frames (`howto.media.decode`)."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a user asks for.

    Attributes:
        backbones: their names, in order.
        device: auto, cpu, cuda, cuda:N or mps.
        precision: one of `PRECISIONS`. auto: bf16 on a CUDA device that computes in it, else fp32.
        weights: path or known name, by backbone.
        protocol: `displayed` sizes pictures as they are shown; `authors` by width and height before
            the rotation, as HowTo100M did.
    """

    backbones: tuple[str, ...] = DEFAULT_BACKBONES
    device: str = "auto"
    precision: str = "auto"
    weights: Mapping[str, str] = field(default_factory=dict)
    protocol: Literal["displayed", "authors"] = "displayed"


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """A feature set to make.

    Attributes:
        backbone: not loaded yet.
        weights: what it is to load.
        device: where it computes.
        precision: fp32, bf16 or fp16.
        sizing: as `howto.media.decode.decode` takes it.
        not_here: the file of weights that is not there yet, so that the recipe lacks its hash; ''
            where the set can be made.
    """

    name: str
    backbone: "Backbone"
    recipe: Recipe
    weights: str | None
    device: str
    precision: str
    sizing: Literal["displayed", "coded"]
    not_here: str = ""

    @property
    def frames(self) -> FrameSpec:
        """The frames it is made from."""
        return self.backbone.frames

    @property
    def rate(self) -> Fraction:
        """Features a second."""
        return self.backbone.frames.rate / self.backbone.frames_per_feature

    @property
    def dtype(self) -> "torch.dtype":
        """What it computes in."""
        import torch

        dtype: torch.dtype = getattr(torch, _TYPES[self.precision])
        return dtype


def choose(choice: Choice, *, download: bool = True, elsewhere: bool = False) -> tuple[Wanted, ...]:
    """Find the backbones and say what each will make; no network is loaded.

    Args:
        download: fetch weights that are not there. False: such a set says so in `not_here`, and can
            be planned but not made.
        elsewhere: other machines compute, whose devices are not looked at.

    Raises:
        UsageError: no or a repeated backbone, weights for one that is not chosen, a device that is
            not there, an unknown precision.
        PluginError: a backbone or its weights cannot be had.
    """
    _check(choice)
    device = _device_elsewhere(choice) if elsewhere else chosen_device(choice.device)
    if download:
        return tuple(_wanted(name, choice, device) for name in choice.backbones)
    with without_downloads():
        return tuple(_wanted(name, choice, device) for name in choice.backbones)


def _check(choice: Choice) -> None:
    names = choice.backbones
    if not names:
        raise UsageError("no backbone is named")
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"named twice: {', '.join(repeated)}")
    if choice.precision not in PRECISIONS:
        raise UsageError(f"no precision {choice.precision!r}. There are: {', '.join(PRECISIONS)}")
    for name in choice.weights:
        if name not in names:
            raise UsageError(
                f"weights for {name!r}, which is not extracted; chosen: {', '.join(names)}"
            )


def _device_elsewhere(choice: Choice) -> str:
    """The device meant on machines that cannot be asked: Ray gives an actor its GPU as the first.

    Raises:
        UsageError: what only the machine itself could say.
    """
    if choice.device not in ("cpu", "cuda"):
        raise UsageError(f"--device {choice.device}: on other machines it is cpu or cuda")
    if choice.device == "cuda" and choice.precision == "auto":
        raise UsageError(
            "--precision auto looks at the GPU, and those of other machines are not looked at: "
            "say bf16 (Ampere or newer), fp16 or fp32"
        )
    return choice.device


def _precision(precision: str, device: str, backbone: Any) -> str:
    """What a backbone computes in; one may have an attribute `precisions` of those it can."""
    offered: tuple[str, ...] = getattr(backbone, "precisions", tuple(_TYPES))
    if precision == "auto":
        usual = "bf16" if _is_quick_at_bf16(device) else "fp32"
        return usual if usual in offered else offered[0]
    if precision not in offered:
        raise UsageError(
            f"{backbone.name} computes in {' or '.join(offered)} alone, not in {precision}; "
            "extract it by itself, or leave --precision out"
        )
    return precision


def _is_quick_at_bf16(device: str) -> bool:
    """A CUDA device since Ampere. Few CPUs have instructions for it, so there it is asked for."""
    import torch

    return device.startswith("cuda") and torch.cuda.get_device_capability(device) >= (8, 0)


def _wanted(name: str, choice: Choice, device: str) -> Wanted:
    return wanted_for(plugins.create("backbones", name), name, choice, device)


def wanted_for(backbone: "Backbone", name: str, choice: Choice, device: str) -> Wanted:
    """Say what a backbone that is constructed, and not loaded, will make.

    Args:
        name: under which its features are kept.
        choice: its precision, protocol and weights; which backbones it names does not matter.
        device: as `chosen_device` gives it.

    Raises:
        UsageError: it does not compute in that precision.
        PluginError: its weights are not there, where they may be fetched and cannot be.
    """
    precision = _precision(choice.precision, device, backbone)
    weights = choice.weights.get(name)
    sizing: Literal["displayed", "coded"] = "coded" if choice.protocol == "authors" else "displayed"
    spec = backbone.frames
    found, not_here = _weights_hash(backbone, weights)
    recipe = Recipe.of(
        backbone=name,
        version=backbone.version,
        dim=backbone.dim,
        weights=found,
        precision=precision,
        frames={
            "rate": str(spec.rate),
            "short_side": spec.short_side,
            "crop": spec.crop,
            "per_feature": backbone.frames_per_feature,
            "sizing": sizing,
            "version": FRAMES_VERSION,
        },
    )
    return Wanted(name, backbone, recipe, weights, device, precision, sizing, not_here)


def _weights_hash(backbone: Any, weights: str | None) -> tuple[str | None, str]:
    """What tells these weights from others, and which file is not there to tell.

    It is a hash from the backbone, of the file, or a name.

    Raises:
        WeightsNotHere: they are not there, and downloads are allowed.
    """
    if hasattr(backbone, "weights_hash"):
        try:
            return backbone.weights_hash(weights), ""
        except WeightsNotHere as error:
            if may_fetch():
                raise
            return None, error.told
    if weights is not None and (path := Path(weights).expanduser()).is_file():
        return file_hash(path), ""
    return weights, ""

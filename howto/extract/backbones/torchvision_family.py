"""Any image or video classification network of torchvision, its classifier taken off.

`torchvision:resnet50` is the network with the weights torchvision recommends (`DEFAULT`) and the
frames these were trained on; `torchvision:resnet50.IMAGENET1K_V1` another set of its weights.

Networks, weights and what is known of them: torchvision (BSD-3-Clause), https://pytorch.org/vision.
Papers are named there, model by model.
"""

import difflib
import re
from fractions import Fraction
from typing import Any

import torch
import torchvision.models
from torch import nn
from torchvision.transforms._presets import VideoClassification

from howto.errors import PluginError, UnknownPlugin
from howto.extract.backbones.network import load_into, ready
from howto.extract.backbones.protocol import in_batches, normalised_pixels, padded
from howto.extract.weights import ResolvedWeights, resolve
from howto.records import FrameSpec

__all__ = ["TorchvisionBackbone", "models"]

_IMAGE_RATE = Fraction(1)  # torchvision says nothing of a rate for images: the authors' for 2D
_VIDEO_RATE = Fraction(15)  # where the weights' page does not say, what most of them have
_VIDEO_FRAMES = 16
_RATE = re.compile(r"frame_rate=(\d+(?:\.\d+)?)")
_CLIP = re.compile(r"clip_len=(\d+)")
# What torchvision's builders set by themselves only when they fetch the weights.
_AS_TRAINED: dict[str, dict[str, Any]] = {
    "googlenet": {"transform_input": True, "init_weights": False},
    "inception_v3": {"transform_input": True, "init_weights": False},
}
_TRAINING_ONLY = ("aux1.", "aux2.", "AuxLogits.")  # classifiers on the way, in googlenet, inception


def models() -> list[str]:
    """The members of the family: torchvision's networks that classify images or videos."""
    images = torchvision.models.list_models(module=torchvision.models)
    videos = torchvision.models.list_models(module=torchvision.models.video)
    return [*images, *videos]


class TorchvisionBackbone:
    """Features of one torchvision network, as they come: not normalised.

    Frames have the size and colours that the weights were trained with; howto scales by FFmpeg's
    bicubic filter and keeps the aspect, torchvision by its own bilinear one and, for some videos,
    to a fixed width and height. A last chunk of a video that is too short repeats its last frame.

    Args:
        variant: `model` or `model.WEIGHTS`.

    Raises:
        UnknownPlugin: torchvision has no such model, or no such weights of it.
    """

    def __init__(self, variant: str) -> None:
        self._model, _, tag = variant.partition(".")
        self._entry = _entry(self._model, tag)
        self._presets = self._entry.transforms()
        self._head, self.dim = _head(self._build("meta"), self._num_classes)
        is_video = isinstance(self._presets, VideoClassification)
        self.name = f"torchvision:{variant}"
        self.version = f"1 torchvision {torchvision.__version__.partition('+')[0]}"
        self.frames_per_feature = _stated(_CLIP, self._entry, _VIDEO_FRAMES) if is_video else 1
        rate = _stated(_RATE, self._entry, _VIDEO_RATE) if is_video else _IMAGE_RATE
        resize = min(self._presets.resize_size)
        self.frames = FrameSpec(Fraction(rate), resize, self._crop)

    @classmethod
    def variant(cls, argument: str) -> "TorchvisionBackbone":
        """The member of the family with this name."""
        return cls(argument)

    def load(self, device: str, dtype: torch.dtype, weights: str | None = None) -> None:
        """Build the network; weights as `howto.extract.weights.resolve` takes them.

        Raises:
            PluginError: as there; also where these weights were trained on other frames than this
                variant's, and so are a variant of their own.
        """
        resolved = self._resolve(weights)
        network = self._build("cpu")
        unused = (f"{self._head}.", *_TRAINING_ONLY)
        _take_off(network, self._head)
        for name in _TRAINING_ONLY:
            if hasattr(network, name[:-1]):
                setattr(network, name[:-1], None)
        load_into(network, str(resolved.path), self.name, unused=unused)
        self._network = ready(network, device, dtype)
        self._device, self._dtype = device, dtype

    def weights_hash(self, weights: str | None = None) -> str:
        """The SHA-256 of the file that `load` would take."""
        return self._resolve(weights).sha256

    @torch.inference_mode()
    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        """Map uint8 (T, S, S, 3), S the crop, to float32 (ceil(T / frames_per_feature), D)."""
        frames = padded(frames, self.frames_per_feature, repeat_last=True)
        return in_batches(frames, self.frames_per_feature, self._device, self._features)

    def _features(self, frames: torch.Tensor) -> torch.Tensor:
        pixels = normalised_pixels(frames, self._presets.mean, self._presets.std, scale=255.0)
        if isinstance(self._presets, VideoClassification):
            pixels = pixels.reshape(-1, self.frames_per_feature, *pixels.shape[1:])
        features: torch.Tensor = self._network(pixels.movedim(-1, 1).to(self._dtype))
        return features.flatten(1)

    @property
    def _crop(self) -> int:
        return int(self._presets.crop_size[0])

    @property
    def _num_classes(self) -> int:
        return len(self._entry.meta["categories"])

    def _resolve(self, weights: str | None) -> ResolvedWeights:
        table = type(self._entry)
        named = (weights or self._entry.name).rpartition(".")[2]
        if named in table.__members__ and table[named].name != self._entry.name:
            own = f"torchvision:{self._model}.{table[named].name}"
            raise PluginError(
                f"backbone {self.name!r} asks for the frames of the weights {self._entry.name}; "
                f"{table[named].name} are a backbone of their own, {own!r}"
            )
        return resolve(weights or self._entry.name, f"torchvision:{self._model}")

    def _build(self, device: str) -> nn.Module:
        options = dict(_AS_TRAINED.get(self._model, {}), num_classes=self._num_classes)
        if self._model.startswith("vit_"):
            options["image_size"] = self._crop
        # RegNet's shape is computed with tensors, which must hold numbers.
        real = "cpu" if self._model.startswith("regnet_") else device
        with torch.device(real):
            network: nn.Module = torchvision.models.get_model(self._model, weights=None, **options)
        return network


def _entry(model: str, tag: str) -> Any:
    """Torchvision's row of a model's weights; an empty tag stands for those it recommends."""
    known = models()
    if model not in known:
        near = difflib.get_close_matches(model.replace("-", "_"), known, n=1)
        hint = f" Did you mean 'torchvision:{near[0]}'?" if near else ""
        raise UnknownPlugin(f"torchvision has no model {model!r} that classifies.{hint}")
    table = torchvision.models.get_model_weights(model)
    names = [name for name, row in table.__members__.items() if row.meta["categories"]]
    if (tag or "DEFAULT") not in names:
        raise UnknownPlugin(
            f"torchvision's {model} has no weights {tag!r} to take features with: "
            f"{', '.join(names)}"
        )
    return table[tag or "DEFAULT"]


def _stated(pattern: re.Pattern[str], entry: Any, otherwise: Any) -> Any:
    """A number that torchvision states in the text about the weights' accuracy."""
    found = pattern.search(entry.meta["_docs"])
    return type(otherwise)(found[1]) if found else otherwise


def _head(network: nn.Module, num_classes: int) -> tuple[str, int]:
    """Name and width of the classifier: the last layer with one output for each class."""
    layers = (nn.Linear, nn.Conv2d, nn.Conv3d)
    name, layer = [
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, layers) and module.weight.shape[0] == num_classes
    ][-1]
    return name, int(layer.weight.shape[1])


def _take_off(network: nn.Module, name: str) -> None:
    parent, _, leaf = name.rpartition(".")
    setattr(network.get_submodule(parent), leaf, nn.Identity())

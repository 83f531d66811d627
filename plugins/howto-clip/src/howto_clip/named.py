"""What a name such as `ViT-B-32.openai` stands for in open_clip's tables.

Imports open_clip (and with it torch and timm) when a name is looked up, not before.
"""

import difflib
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from howto.errors import PluginError, UnknownPlugin
from howto.records import FrameSpec

__all__ = ["Named", "lookup"]

# open_clip's own defaults, for an architecture without a tag.
_PLAIN = {"interpolation": "bicubic", "resize_mode": "shortest"}


@dataclass(frozen=True, slots=True)
class Named:
    """One architecture of open_clip, with or without the tag of published weights.

    Attributes:
        architecture: as open_clip names it.
        tag: which of its published weights; '' for none, weights then come from a path.
        dim: length of an embedding.
        image_size: side of the square that it sees, in pixels.
        squash: the whole picture is pressed into that square; False: its middle is cut out.
        interpolation: what open_clip scales with, `bicubic` or `bilinear`.
        mean, std: of red, green and blue, for values in 0..1.
        context: the most tokens of a caption, with the marks of start and end.
        quick_gelu: the activation that the tag's weights were trained with.
        foreign_tokenizer: of `transformers`, where it is not open_clip's own; '' where it is.
        address: where its weights are published; '' without a tag.
    """

    architecture: str
    tag: str
    dim: int
    image_size: int
    squash: bool
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    context: int
    quick_gelu: bool
    foreign_tokenizer: str
    address: str

    def __str__(self) -> str:
        """The argument it was looked up by: `ViT-B-32.openai`."""
        return f"{self.architecture}.{self.tag}" if self.tag else self.architecture

    def frames(self, rate: Any) -> FrameSpec:
        """The frames that are nearest to what open_clip's own transform makes of a picture."""
        return FrameSpec(rate, self.image_size, None if self.squash else self.image_size)


@functools.lru_cache(maxsize=64)
def lookup(argument: str) -> Named:
    """Look up `ARCHITECTURE.TAG`, or `ARCHITECTURE` alone.

    Raises:
        UnknownPlugin: open_clip has no such architecture, or no such tag of it.
        PluginError: open_clip has it, and this plugin cannot run it.
    """
    import open_clip

    architecture, dot, tag = argument.partition(".")
    # Asked of its list first: open_clip takes `hf-hub:` and `local-dir:` for places to read from.
    known = open_clip.list_models()
    config = open_clip.get_model_config(architecture) if architecture in known else None
    if config is None:
        raise UnknownPlugin(
            f"open_clip has no architecture {architecture!r}."
            f"{_nearest(architecture, known)} Expected ARCHITECTURE.TAG, such as "
            "clip:ViT-B-32.openai"
        )
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    published: dict[str, Any] = {}
    if dot:
        published = open_clip.get_pretrained_cfg(architecture, tag)
        if not published:
            raise UnknownPlugin(
                f"open_clip has no weights {tag!r} of {architecture}. It has: "
                f"{', '.join(tags) or 'none'}.{_nearest(tag, tags)}"
            )
    return _named(architecture, _as_published(tag), config, published)


def _named(architecture: str, tag: str, config: dict[str, Any], published: dict[str, Any]) -> Named:
    import open_clip

    vision, text = config["vision_cfg"], config["text_cfg"]
    seen = {**_PLAIN, **published}
    size, mode = vision.get("image_size", 224), seen["resize_mode"]
    if "hf_model_name" in text:
        _refuse(architecture, f"its text network {text['hf_model_name']} is one of `transformers`")
    if not isinstance(size, int) or mode not in ("shortest", "squash"):
        _refuse(architecture, f"its pictures are {size} pixels, resized by {mode!r}")
    tokenizer = text.get("hf_tokenizer_name", "")
    if not tokenizer and "siglip" in architecture.lower():
        tokenizer = "of SigLIP"
    return Named(
        architecture=architecture,
        tag=tag,
        dim=config["embed_dim"],
        image_size=size,
        squash=mode == "squash",
        interpolation=seen["interpolation"],
        mean=tuple(published.get("mean", open_clip.OPENAI_DATASET_MEAN)),
        std=tuple(published.get("std", open_clip.OPENAI_DATASET_STD)),
        context=text.get("context_length", open_clip.tokenizer.DEFAULT_CONTEXT_LENGTH),
        quick_gelu=bool(published.get("quick_gelu") or config.get("quick_gelu")),
        foreign_tokenizer=tokenizer,
        address=_address(published),
    )


def _refuse(architecture: str, why: str) -> None:
    raise PluginError(f"clip:{architecture} cannot be run by this plugin: {why}")


def _address(published: dict[str, Any]) -> str:
    """Where a person finds the file: a hub's repository, or an address of its own."""
    if hub := published.get("hf_hub"):
        return f"https://huggingface.co/{hub.rstrip('/')}"
    return str(published.get("url", ""))


def _as_published(tag: str) -> str:
    """Write a tag as open_clip's table does, which reads others too."""
    return tag.lower().replace("-", "_")


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""

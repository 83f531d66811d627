"""From a name to a network with its weights in it; nothing is fetched unless that was asked for."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from howto.errors import PluginError
from howto.extract.weights import (
    FOLDER_VARIABLE,
    OFFLINE_VARIABLE,
    ResolvedWeights,
    file_hash,
    fit,
    load_state_dict,
    may_fetch,
    resolve,
    weights_folder,
)
from howto_clip.named import Named

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["DOWNLOAD", "HUB_FILES", "SUFFIXES", "find_weights", "load_network"]

DOWNLOAD = "download"
SUFFIXES = (".safetensors", ".bin", ".pt", ".pth")
# What open_clip calls a repository's file where its table names none.
HUB_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
# An old buffer that `transformers` stored and open_clip leaves out, too.
_LEFT_OUT = ("text.transformer.embeddings.position_ids",)


def find_weights(named: Named, weights: str | None) -> ResolvedWeights:
    """Find the file of weights: the path that is given, or that of the name's tag.

    A tag's file is looked for in howto's folder of weights (as `ViT-B-32.openai.safetensors`, .bin,
    .pt or .pth), then in the caches of open_clip's own downloads.

    Args:
        weights: a path; None: the tag's file; `download`: the tag's file, which open_clip may fetch
            where it is not there.

    Raises:
        PluginError: there is no such file; the message names it and says where it is wanted.
    """
    if weights not in (None, DOWNLOAD):
        return resolve(str(Path(weights).expanduser().absolute()), f"clip:{named}")
    if not named.tag:
        raise PluginError(
            f"clip:{named} names no weights: add the tag of published ones "
            f"(clip:{named}.TAG), or give the path of a file"
        )
    path = _in_folder(named) or _in_caches(named)
    if path is None:
        if os.environ.get(OFFLINE_VARIABLE, "") not in ("", "0"):
            raise PluginError(_how_to_get(named, f" ({OFFLINE_VARIABLE} is set)"))
        if weights != DOWNLOAD:
            raise PluginError(_how_to_get(named))
        path = _fetched(named)
    return ResolvedWeights(path, file_hash(path), named.address)


def _in_folder(named: Named) -> Path | None:
    paths = (weights_folder() / f"{named}{suffix}" for suffix in SUFFIXES)
    return next((path for path in paths if path.is_file()), None)


def _in_caches(named: Named) -> Path | None:
    """What open_clip fetched at another time: of the hub, or of an address of its own."""
    import open_clip
    from huggingface_hub import try_to_load_from_cache

    published = open_clip.get_pretrained_cfg(named.architecture, named.tag)
    repository, _, file = published.get("hf_hub", "").rpartition("/")
    if repository:
        for name in _hub_files(file):
            found = try_to_load_from_cache(repository, name)
            if isinstance(found, str):
                return Path(found)
    return None


def _hub_files(file: str) -> tuple[str, ...]:
    """The names that open_clip tries for a file, the safer form first."""
    return (str(Path(file).with_suffix(".safetensors")), file) if file else HUB_FILES


def _how_to_get(named: Named, why: str = "") -> str:
    wanted = weights_folder() / f"{named}.safetensors"
    return (
        f"the weights of clip:{named} are not here: no file {wanted}{why}. Put the file of "
        f"{named.address} there (or into the folder that {FOLDER_VARIABLE} names), give the path "
        f"of a file, or fetch it: howto models fetch clip:{named}, or howto extract --weights "
        f"clip:{named}={DOWNLOAD}"
    )


def _fetched(named: Named) -> Path:
    """Let open_clip fetch the file into its own cache: the only call that reaches the network."""
    import open_clip

    if not may_fetch():
        raise PluginError(f"{_how_to_get(named)}. A dry run fetches nothing")
    published = open_clip.get_pretrained_cfg(named.architecture, named.tag)
    try:
        return Path(open_clip.download_pretrained(published))
    except (OSError, RuntimeError) as error:
        raise PluginError(f"{_how_to_get(named)}. Fetching it failed: {error}") from error


def load_network(
    named: Named, resolved: ResolvedWeights, device: str, dtype: "torch.dtype"
) -> "nn.Module":
    """Build the architecture, put the weights into it, and freeze it, in eval mode.

    Raises:
        PluginError: the file holds no state dict, or one of another architecture.
    """
    network = _built(named)
    state = _as_open_clip_has_it(network, load_state_dict(resolved))
    fit(network, state, f"clip:{named}, {resolved.path.name}", unused=_LEFT_OUT)
    frozen: nn.Module = network.to(device, dtype).eval().requires_grad_(False)
    return frozen


def _built(named: Named) -> Any:
    """The architecture with values by chance.

    `open_clip.create_model` would do it too, and warn that no weights were loaded.
    """
    import open_clip

    config = open_clip.get_model_config(named.architecture)
    config["quick_gelu"] = named.quick_gelu
    if "timm_model_name" in config["vision_cfg"]:
        config["vision_cfg"]["timm_model_pretrained"] = False
    if not config.pop("custom_text", False):
        return open_clip.CLIP(**config)
    return (open_clip.CoCa if "multimodal_cfg" in config else open_clip.CustomTextCLIP)(**config)


def _as_open_clip_has_it(
    network: Any, state: "dict[str, torch.Tensor]"
) -> "dict[str, torch.Tensor]":
    """Rename what other publishers and older versions call otherwise; no value is changed."""
    from open_clip.convert import convert_state_dict
    from open_clip.model import convert_to_custom_text_state_dict

    state = convert_state_dict(network, state)
    if "positional_embedding" in state and not hasattr(network, "positional_embedding"):
        state = convert_to_custom_text_state_dict(state)
    for name in ("logit_scale", "logit_bias"):  # a number, or a list of one
        own = getattr(network, name, None)
        if own is not None and name in state and state[name].numel() == 1:
            state[name] = state[name].reshape(own.shape)
    return state

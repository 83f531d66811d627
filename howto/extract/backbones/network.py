"""Get a network ready to encode: weights in, batch norms folded away, in the type wanted.

Needs torch. In evaluation a batch norm is one multiplication and one addition for each channel,
which the convolution before it can do in passing. Folding is exact but for rounding (differences
of 1e-6 of the largest feature), and on a CPU it is worth more than anything else (docs/backbones.md
says how much).
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import (
    convert_conv2d_weight_memory_format,
    convert_conv3d_weight_memory_format,
)
from torch.nn.utils.fusion import fuse_conv_bn_eval

from howto.extract.weights import fit, load_state_dict, resolve

__all__ = ["load_into", "ready", "unfilled"]


def unfilled(build: Callable[[], nn.Module]) -> nn.Module:
    """Build a network on the CPU without the random numbers that its weights replace anyway.

    For networks whose parameters and buffers all come with the weights.
    """
    with torch.device("meta"):
        network = build()
    return network.to_empty(device="cpu")


def load_into(
    network: nn.Module,
    weights: str | None,
    backbone: str,
    *,
    unused: tuple[str, ...] = (),
) -> None:
    """Find weights and put them into a network.

    Args:
        weights: as `howto.extract.weights.resolve` takes it.
        backbone: its name, to look weights up by and for messages.
        unused: as `howto.extract.weights.fit` takes it.

    Raises:
        PluginError: there are none, or they do not fit.
    """
    resolved = resolve(weights, backbone)
    what = f"backbone {backbone!r}, {resolved.path}"
    fit(network, load_state_dict(resolved), what, unused=unused)


def ready(network: nn.Module, device: str, dtype: torch.dtype) -> nn.Module:
    """Return the network in evaluation, on its device, laid out as it runs fastest there.

    The network given is not to be used any more.
    """
    network.eval().requires_grad_(False)
    if any(isinstance(module, _BatchNorm) for module in network.modules()):
        network = _folded(network)
    convert_conv2d_weight_memory_format(network, torch.channels_last)
    convert_conv3d_weight_memory_format(network, torch.channels_last_3d)
    return network.to(device, dtype)


def _folded(network: nn.Module) -> fx.GraphModule:
    """Fold each batch norm into the convolution before it, where nothing else uses that."""
    traced = fx.symbolic_trace(network)
    modules: dict[Any, Any] = dict(traced.named_modules())
    for before, node in list(_pairs(traced, modules)):
        folded = fuse_conv_bn_eval(modules[before.target], modules[node.target])
        traced.set_submodule(str(before.target), folded)
        node.replace_all_uses_with(before)
        traced.graph.erase_node(node)
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced


def _pairs(traced: fx.GraphModule, modules: dict[Any, Any]) -> Iterator[tuple[fx.Node, fx.Node]]:
    """Calls of a convolution and of the batch norm that alone takes what it gives."""
    calls = Counter(node.target for node in traced.graph.nodes if node.op == "call_module")
    for node in traced.graph.nodes:
        if node.op != "call_module" or not isinstance(modules[node.target], _BatchNorm):
            continue
        before = node.args[0]
        if (
            before.op == "call_module"
            and isinstance(modules[before.target], nn.Conv2d | nn.Conv3d)
            and len(before.users) == calls[before.target] == calls[node.target] == 1
        ):
            yield before, node

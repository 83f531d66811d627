"""Get a network ready to encode: weights in, batch norms folded away, in the type wanted.

Needs torch. In evaluation a batch norm is one multiplication and one addition for each channel,
which the convolution before it can do in passing. Folding is exact but for rounding (differences
of 1e-6 of the largest feature), and on a CPU it is worth more than anything else: ResNet-152 in
float32 runs 2.4 to 5 times as fast (docs/backbones.md).
"""

import torch
from torch import nn
from torch.fx.experimental.optimization import fuse
from torch.nn.utils import (
    convert_conv2d_weight_memory_format,
    convert_conv3d_weight_memory_format,
)

from howto.extract.weights import fit, load_state_dict, resolve

__all__ = ["load_into", "ready"]


def load_into(
    network: nn.Module,
    weights: str | None,
    backbone: str,
    *,
    weights_of: str | None = None,
    unused: tuple[str, ...] = (),
) -> None:
    """Find weights and put them into a network.

    Args:
        weights: as `howto.extract.weights.resolve` takes it.
        backbone: its name, for messages.
        weights_of: the name that weights are looked up by, where it is another one.
        unused: as `howto.extract.weights.fit` takes it.

    Raises:
        PluginError: there are none, or they do not fit.
    """
    resolved = resolve(weights, weights_of or backbone)
    what = f"backbone {backbone!r}, {resolved.path}"
    fit(network, load_state_dict(resolved), what, unused=unused)


def ready(network: nn.Module, device: str, dtype: torch.dtype) -> nn.Module:
    """Return the network in evaluation, on its device, laid out as it runs fastest there.

    The network given is not to be used any more.
    """
    network.eval().requires_grad_(False)
    if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules()):
        network = fuse(network)
    convert_conv2d_weight_memory_format(network, torch.channels_last)
    convert_conv3d_weight_memory_format(network, torch.channels_last_3d)
    return network.to(device, dtype)

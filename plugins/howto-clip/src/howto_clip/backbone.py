"""A backbone: the picture half of any CLIP model of open_clip."""

from fractions import Fraction
from typing import TYPE_CHECKING

from howto_clip import loading
from howto_clip.named import lookup

if TYPE_CHECKING:
    import torch

__all__ = ["ClipBackbone"]


class ClipBackbone:
    """Frames to CLIP's picture embeddings, as the network gives them: not normalised.

    Radford et al.: Learning Transferable Visual Models From Natural Language Supervision, 2021
    (arXiv:2103.00020); architectures and weights as open_clip (MIT) has them, each under its own
    licence.

    Args:
        argument: `ARCHITECTURE.TAG`, both as open_clip names them; the tag may be left out where
            weights come from a path.
        rate: frames per second.
    """

    version = "1"
    frames_per_feature = 1

    def __init__(self, argument: str, *, rate: Fraction = Fraction(1)) -> None:
        self._named = lookup(argument)
        self.name = f"clip:{argument}"
        self.dim = self._named.dim
        self.frames = self._named.frames(rate)

    @classmethod
    def variant(cls, argument: str, *, rate: Fraction = Fraction(1)) -> "ClipBackbone":
        """Make the family member of an architecture and tag."""
        return cls(argument, rate=rate)

    def weights_hash(self, weights: str | None = None) -> str:
        """The SHA-256 of the file of weights, without loading it."""
        return loading.find_weights(self._named, weights).sha256

    def load(self, device: str, dtype: "torch.dtype", weights: str | None = None) -> None:
        """Load the picture half; `weights` is a path, None the tag's own file, or `download`."""
        from howto_clip.towers import PictureTower

        resolved = loading.find_weights(self._named, weights)
        network = loading.load_network(self._named, resolved, device, dtype)
        self._tower = PictureTower(network, self._named)
        self._device = device

    def encode(self, frames: "torch.Tensor") -> "torch.Tensor":
        """Map uint8 (T, H, W, 3) RGB frames to float32 (T, D) features on the CPU."""
        import torch

        from howto.extract.backbones.protocol import in_batches

        with torch.inference_mode():
            return in_batches(frames, 1, self._device, self._tower)

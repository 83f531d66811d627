"""A ready joint model: both halves of a CLIP model of open_clip."""

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from howto.joint.published import PublishedModel
from howto_clip import loading
from howto_clip.named import lookup
from howto_clip.text_encoder import tokenizer_of

if TYPE_CHECKING:
    import torch

__all__ = ["ClipModel"]


class ClipModel:
    """Frames and captions in CLIP's space, all of length 1.

    Args:
        argument: `ARCHITECTURE.TAG`, as for the backbone.
        rate: frames per second.

    Raises:
        PluginError: its tokenizer is not open_clip's own, so that its files would be fetched.
    """

    version = "1"
    frames_per_window = 1
    normalised = True
    fetch_as = loading.DOWNLOAD

    def __init__(self, argument: str, *, rate: Fraction = Fraction(1)) -> None:
        self._named = lookup(argument)
        self.name = f"clip:{argument}"
        self.dim = self._named.dim
        self.frames = self._named.frames(rate)

    @classmethod
    def variant(cls, argument: str, *, rate: Fraction = Fraction(1)) -> "ClipModel":
        """Make the family member of an architecture and tag."""
        return cls(argument, rate=rate)

    @classmethod
    def published(cls) -> list[PublishedModel]:
        """A few members that are good to begin with; open_clip has many more."""
        from howto_clip.catalogue import published

        return published()

    def weights_hash(self, weights: str | None = None) -> str:
        """The SHA-256 of the file of weights, without loading it."""
        return loading.find_weights(self._named, weights).sha256

    def load(self, device: str, dtype: "torch.dtype", weights: str | None = None) -> None:
        """Load both halves; `weights` is a path, None the tag's own file, or `download`."""
        from howto_clip.towers import PictureTower, TextTower

        self._tokenizer = tokenizer_of(self._named, self._named.context)
        resolved = loading.find_weights(self._named, weights)
        network = loading.load_network(self._named, resolved, device, dtype)
        self._pictures = PictureTower(network, self._named)
        self._text = TextTower(network, self._named)
        self._device = device

    def embed_frames(self, frames: "torch.Tensor") -> "torch.Tensor":
        """Map uint8 (T, H, W, 3) RGB frames to float32 (T, D) of length 1, on the CPU."""
        import torch

        from howto.extract.backbones.protocol import in_batches, l2_normalised

        with torch.inference_mode():
            return l2_normalised(in_batches(frames, 1, self._device, self._pictures))

    def embed_text(self, captions: Sequence[str]) -> "torch.Tensor":
        """Map captions to float32 (B, D) of length 1, on the CPU."""
        import torch

        from howto.extract.backbones.protocol import l2_normalised

        if not captions:
            return torch.zeros(0, self.dim)
        tokens = self._tokenizer(list(captions)).to(self._device)
        with torch.inference_mode():
            return l2_normalised(self._text(tokens)).cpu()

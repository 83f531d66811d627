"""A ready joint model: the MIL-NCE S3D-G with its text tower. Torch is imported on first use."""

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from howto.extract.known_weights import KNOWN_WEIGHTS
from howto.extract.weights import weights_folder
from howto.joint.published import PublishedModel

if TYPE_CHECKING:
    import torch

__all__ = ["S3DModel"]

_FILES = ("s3d.howto100m", "s3d.howto100m-words")


class S3DModel:
    """Windows of video and captions in the MIL-NCE joint space: not normalised, length counts.

    A clip's embedding is the mean of its windows'; the authors take 10 windows a clip.

    Args:
        num_frames, rate, size: of a window, as for the backbone.
        max_words: known words of a caption that count; 16 is the model's own.
        vocabulary: the path of `s3d_dict.npy`; None: beside the weights, else in howto's folder.

    Raises:
        UsageError: a window that the network cannot take.
    """

    name = "s3d-milnce"
    version = "1"
    dim = 512
    normalised = False

    def __init__(
        self,
        *,
        num_frames: int = 32,
        rate: Fraction = Fraction(10),
        size: int = 224,
        max_words: int = 16,
        vocabulary: str | None = None,
    ) -> None:
        from howto_s3d.windows import frame_spec

        self.frames = frame_spec(self.name, num_frames, rate, size)
        self.frames_per_window = num_frames
        self._max_words = max_words
        self._vocabulary_path = vocabulary

    @classmethod
    def published(cls) -> list[PublishedModel]:
        """The one set of weights that the authors published, and its words."""
        weights, words = (KNOWN_WEIGHTS[name] for name in _FILES)
        files = tuple(weights_folder() / one.file_name for one in (weights, words))
        return [PublishedModel(cls.name, cls.dim, weights.licence, weights.page, files)]

    def weights_hash(self, weights: str | None = None) -> str:
        """One SHA-256 of the files of weights and words, without loading them."""
        from howto_s3d.loading import find_weights, find_words, hash_of_both

        resolved = find_weights(weights)
        return hash_of_both(resolved, find_words(self._vocabulary_path, resolved))

    def load(self, device: str, dtype: "torch.dtype", weights: str | None = None) -> None:
        """Load both networks and the words; weights as for the backbone."""
        from howto_s3d.loading import find_weights, find_words, load_text, load_video

        resolved = find_weights(weights)
        words = find_words(self._vocabulary_path, resolved)
        self._text, self._vocabulary = load_text(resolved, words, device, dtype)
        self._video = load_video(resolved, device, dtype)
        self._device, self._dtype = device, dtype

    def embed_frames(self, frames: "torch.Tensor") -> "torch.Tensor":
        """Map uint8 (T, H, W, 3) to float32 (ceil(T / num_frames), 512), on the CPU."""
        import torch

        from howto_s3d.windows import encode_windows

        def embed(video: torch.Tensor) -> torch.Tensor:
            embeddings: torch.Tensor = self._video.fc(self._video(video))
            return embeddings

        with torch.inference_mode():
            return encode_windows(frames, self.frames_per_window, self._device, self._dtype, embed)

    def embed_text(self, captions: Sequence[str]) -> "torch.Tensor":
        """Map captions to float32 (B, 512), on the CPU."""
        import torch

        with torch.inference_mode():
            embeddings: torch.Tensor = self._text(self._ids(captions).to(self._device))
            return embeddings.cpu()

    def known_words(self, captions: Sequence[str]) -> list[bool]:
        """Say of each caption whether a word of it is in the vocabulary."""
        return [bool(known) for known in self._ids(captions).any(dim=1)]

    def _ids(self, captions: Sequence[str]) -> "torch.Tensor":
        from howto_s3d.words import word_ids

        return word_ids(captions, self._vocabulary, self._max_words)

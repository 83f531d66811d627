"""A ready joint model: the MIL-NCE S3D-G with its text tower."""

from collections.abc import Sequence
from fractions import Fraction

import torch

from howto_s3d.loading import find_weights, find_words, hash_of_both, load_text, load_video
from howto_s3d.network import EMBEDDING_DIM
from howto_s3d.windows import encode_windows, frame_spec
from howto_s3d.words import word_ids

__all__ = ["S3DModel"]


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
    dim = EMBEDDING_DIM
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
        self.frames = frame_spec(self.name, num_frames, rate, size)
        self.frames_per_window = num_frames
        self._max_words = max_words
        self._vocabulary_path = vocabulary

    def weights_hash(self, weights: str | None = None) -> str:
        """One SHA-256 of the files of weights and words, without loading them."""
        resolved = find_weights(weights)
        return hash_of_both(resolved, find_words(self._vocabulary_path, resolved))

    def load(self, device: str, dtype: torch.dtype, weights: str | None = None) -> None:
        """Load both networks and the words; weights as for the backbone."""
        resolved = find_weights(weights)
        words = find_words(self._vocabulary_path, resolved)
        self._text, self._vocabulary = load_text(resolved, words, device, dtype)
        self._video = load_video(resolved, device, dtype)
        self._device, self._dtype = device, dtype

    @torch.inference_mode()
    def embed_frames(self, frames: torch.Tensor) -> torch.Tensor:
        """Map uint8 (T, H, W, 3) to float32 (ceil(T / num_frames), 512), on the CPU."""

        def embed(video: torch.Tensor) -> torch.Tensor:
            embeddings: torch.Tensor = self._video.fc(self._video(video))
            return embeddings

        return encode_windows(frames, self.frames_per_window, self._device, self._dtype, embed)

    @torch.inference_mode()
    def embed_text(self, captions: Sequence[str]) -> torch.Tensor:
        """Map captions to float32 (B, 512), on the CPU."""
        ids = word_ids(captions, self._vocabulary, self._max_words).to(self._device)
        embeddings: torch.Tensor = self._text(ids)
        return embeddings.cpu()

"""A backbone: S3D-G as MIL-NCE trained it on HowTo100M."""

from fractions import Fraction

import torch

from howto_s3d.loading import find_weights, load_video
from howto_s3d.network import FEATURE_DIM
from howto_s3d.windows import encode_windows, frame_spec

__all__ = ["S3DBackbone"]


class S3DBackbone:
    """Windows of video to the 1024 features before the joint space, not normalised.

    Network and weights: `howto_s3d.network`; the features that the authors recommend for other
    tasks.

    Args:
        num_frames: of a window, even. The published weights were trained with 32.
        rate: frames per second; 32 frames at 10 are 3.2 s, as are 16 at 5.
        size: pixels of the square, even. The authors used 200 to 256.

    Raises:
        UsageError: a window that the network cannot take.
    """

    name = "s3d"
    version = "1"
    dim = FEATURE_DIM

    def __init__(
        self, *, num_frames: int = 32, rate: Fraction = Fraction(10), size: int = 224
    ) -> None:
        self.frames = frame_spec(self.name, num_frames, rate, size)
        self.frames_per_feature = num_frames

    def weights_hash(self, weights: str | None = None) -> str:
        """The SHA-256 of the file of weights, without loading it."""
        return find_weights(weights).sha256

    def load(self, device: str, dtype: torch.dtype, weights: str | None = None) -> None:
        """Load the video network; weights as `howto.extract.weights.resolve` takes them."""
        self._network = load_video(find_weights(weights), device, dtype)
        self._device, self._dtype = device, dtype

    @torch.inference_mode()
    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        """Map uint8 (T, H, W, 3) to float32 (ceil(T / num_frames), 1024), on the CPU."""
        return encode_windows(
            frames, self.frames_per_feature, self._device, self._dtype, self._network
        )

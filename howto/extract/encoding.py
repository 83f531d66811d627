"""Features of one video from the frames that come in: loaded backbones, and batches.

A batch is filled across the borders of chunks, up to the number of frames asked for, and always a
multiple of what makes one feature, so the features do not depend on how the frames were handed
over.
"""

import contextlib
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from howto.errors import HowtoError, ItemError, Reason
from howto.extract.choice import Wanted

if TYPE_CHECKING:
    from howto.media.decode import FrameChunk

__all__ = ["Encoder", "Encoding"]


class Encoder:
    """A backbone, loaded, and what its work has cost so far.

    Args:
        wanted: the feature set it makes.
        batch: most frames in one call of the backbone; where one feature needs more, that many. A
            backbone with an attribute `independent = False`, whose features depend on the frames
            around, gets each video at once instead.

    Attributes:
        seconds: spent inside the backbone.

    Raises:
        PluginError: the weights are missing or do not fit.
    """

    def __init__(self, wanted: Wanted, batch: int) -> None:
        self.wanted = wanted
        self.seconds = 0.0
        per_feature = wanted.backbone.frames_per_feature
        whole = not getattr(wanted.backbone, "independent", True)
        self.batch = None if whole else max(1, batch // per_feature) * per_feature
        wanted.backbone.load(wanted.device, wanted.dtype, wanted.weights)

    def encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float16]:
        """Features of consecutive frames.

        Args:
            frames: uint8 (n, H, W, 3).

        Returns:
            float16 (ceil(n / frames_per_feature), D), finite.

        Raises:
            ItemError: INTERNAL_ERROR, the backbone failed or broke its contract.
            HowtoError: the device has too little memory for a batch, or is of no use any more.
        """
        import torch

        began = time.perf_counter()
        try:
            with self._exact_fp32():
                found = self.wanted.backbone.encode(torch.from_numpy(frames))
        except torch.OutOfMemoryError as error:
            raise HowtoError(
                f"{self.wanted.name}: {self.wanted.device} has too little memory for a batch of "
                f"{len(frames)} frames. Go on with a smaller one, such as --batch "
                f"{max(1, len(frames) // 2)}"
            ) from error
        except torch.AcceleratorError as error:
            # After one of these every call in this process fails: no video is to blame.
            raise HowtoError(
                f"{self.wanted.name}: {self.wanted.device} failed, and computes nothing more in "
                f"this process: {next(iter(str(error).splitlines()), '')}. What is done is kept; "
                "run the same command to go on"
            ) from error
        except HowtoError:
            raise
        except Exception as error:  # whatever it is costs this video only
            raise ItemError(Reason.INTERNAL_ERROR, self._told(error)) from error
        finally:
            self.seconds += time.perf_counter() - began
        with np.errstate(over="ignore"):  # what is too large is found out just below
            return self._checked(found.numpy().astype(np.float16), len(frames))

    @contextlib.contextmanager
    def _exact_fp32(self) -> Iterator[None]:
        """By itself cuDNN computes convolutions of float32 in TF32, with 10 bits of mantissa."""
        import torch

        before = torch.backends.cudnn.allow_tf32
        torch.backends.cudnn.allow_tf32 = before and self.wanted.precision != "fp32"
        try:
            yield
        finally:
            torch.backends.cudnn.allow_tf32 = before

    def _checked(self, features: NDArray[np.float16], num_frames: int) -> NDArray[np.float16]:
        backbone = self.wanted.backbone
        shape = (-(-num_frames // backbone.frames_per_feature), backbone.dim)
        if features.shape != shape:
            detail = f"{self.wanted.name} gave features {features.shape}, expected {shape}"
            raise ItemError(Reason.INTERNAL_ERROR, detail)
        if not np.isfinite(features).all():
            detail = f"{self.wanted.name} gave features that are not finite in float16"
            raise ItemError(Reason.INTERNAL_ERROR, detail)
        return features

    def _told(self, error: Exception) -> str:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        return f"{self.wanted.name}: {type(error).__name__}: {error} at {where}"


class Encoding:
    """The features of one video by one backbone, while its frames come in.

    Attributes:
        problem: why there will be none, once that is known; frames are then passed over.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.problem: ItemError | None = None
        self._held: list[NDArray[np.uint8]] = []
        self._num_held = 0
        self._times: list[NDArray[np.float64]] = []
        self._features: list[NDArray[np.float16]] = []

    def add(self, chunk: "FrameChunk") -> None:
        """Take the next frames, and encode as soon as there is a batch of them."""
        if self.problem is not None:
            return
        self._times.append(chunk.times)
        self._held.append(chunk.frames)
        self._num_held += len(chunk.frames)
        batch = self.encoder.batch
        while batch is not None and self._num_held >= batch:
            self._encode(batch)

    def finish(self) -> tuple[NDArray[np.float16], NDArray[np.float64]]:
        """Encode the rest.

        Returns:
            Features float16 (T, D), and float64 (T,): the time of each one's first frame.

        Raises:
            ItemError: TOO_SHORT for a video without a single frame at this rate, or what `Encoder`
                raises.
        """
        if self._num_held:
            self._encode(self._num_held)
        if self.problem is not None:
            raise self.problem
        if not self._features:
            rate = self.encoder.wanted.frames.rate
            raise ItemError(Reason.TOO_SHORT, f"no frame at {rate} a second")
        per_feature = self.encoder.wanted.backbone.frames_per_feature
        return np.concatenate(self._features), np.concatenate(self._times)[::per_feature]

    def _encode(self, count: int) -> None:
        frames = self._take(count)
        if self.problem is not None:
            return
        try:
            self._features.append(self.encoder.encode(frames))
        except ItemError as error:
            self.problem = error

    def _take(self, count: int) -> NDArray[np.uint8]:
        """The first frames that are held, as one array."""
        joined = np.concatenate(self._held) if len(self._held) > 1 else self._held[0]
        rest = joined[count:]
        self._held = [rest] if len(rest) else []
        self._num_held = len(rest)
        return joined[:count]

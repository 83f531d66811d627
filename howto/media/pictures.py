"""Picture files as frames of the size that a network wants. Needs OpenCV, PyAV and numpy."""

from pathlib import Path

import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from howto.errors import UsageError
from howto.media.scale import Scaler
from howto.records import FrameSpec

__all__ = ["read_picture"]


def read_picture(path: Path, spec: FrameSpec) -> NDArray[np.uint8]:
    """Read a picture, upright, scaled and cropped as frames of a video are.

    Returns:
        uint8 (H, W, 3), RGB.

    Raises:
        UsageError: it cannot be read, or is no picture.
    """
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    try:
        read = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    except cv2.error as error:
        raise UsageError(
            f"{path} cannot be read as a picture: it has too many pixels, or is damaged"
        ) from error
    if read is None:
        raise UsageError(f"{path} is no picture that can be read (JPEG, PNG, WebP, ...)")
    colours = np.asarray(cv2.cvtColor(read, cv2.COLOR_BGR2RGB), np.uint8)
    frame = VideoFrame.from_ndarray(colours, format="rgb24")
    return Scaler(spec).scale(frame)

"""What the long tests share: many small films."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from howto.media.encode import H264Writer


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """A folder of 20 films of noise of 10 to 20 s, and nine of each that differ in their last
    bytes: 000.mp4 to 199.mp4, of which each tenth is drawn and those after it are copies."""
    folder = tmp_path / "many"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for film in range(20):
        path = folder / f"{10 * film:03}.mp4"
        with H264Writer(path, width=160, height=120, frame_rate=Fraction(10)) as writer:
            for _ in range(100 + 5 * film):
                picture = rng.integers(0, 255, (15, 20, 3), np.uint8)
                writer.write_frame(picture.repeat(8, 0).repeat(8, 1))
        data = path.read_bytes()
        for copy in range(1, 10):
            free = (16).to_bytes(4, "big") + b"free" + copy.to_bytes(8, "big")
            (folder / f"{10 * film + copy:03}.mp4").write_bytes(data + free)
    return folder

"""A small ready joint model: the mean colour of some frames, and the names of colours.

Its vocabulary is a file of weights, `red 1 0 0` a line. The fixture `colour_words` installs it as
the joint models `colour-words` (of length 1, a frame a window) and `colour-pairs` (not normalised,
two frames a window).
"""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import torch

from howto.errors import PluginError
from howto.extract.weights import file_hash, may_fetch, weights_folder
from howto.joint.published import PublishedModel
from howto.records import FrameSpec

FILE = "colours.txt"
TABLE = "red 1 0 0\ngreen 0 1 0\nblue 0 0 1\ngrey 1 1 1\n"


class ColourWords:
    name = "colour-words"
    version = "1"
    dim = 3
    frames = FrameSpec(Fraction(2), 16)
    frames_per_window = 1
    normalised = True

    @classmethod
    def published(cls) -> list[PublishedModel]:
        wanted = weights_folder() / FILE
        return [
            PublishedModel(
                cls.name, cls.dim, "CC0-1.0", "https://example.org/colours", (wanted,), size=46
            )
        ]

    def weights_hash(self, weights: str | None = None) -> str:
        return file_hash(self._file(weights))

    def load(self, device: str, dtype: torch.dtype, weights: str | None = None) -> None:
        rows = [line.split() for line in self._file(weights).read_text().splitlines()]
        self.table = {word: torch.tensor([float(x) for x in row]) for word, *row in rows}

    def _file(self, weights: str | None) -> Path:
        path = Path(weights) if weights else weights_folder() / FILE
        if not path.is_file() and weights is None and may_fetch():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(TABLE)
        if not path.is_file():
            raise PluginError(f"the weights of {self.name} are not here: no file {path}")
        return path

    def embed_frames(self, frames: torch.Tensor) -> torch.Tensor:
        windows = torch.split(frames.float() / 255, self.frames_per_window)
        return self._ended(torch.stack([one.mean(dim=(0, 1, 2)) for one in windows]))

    def embed_text(self, captions: Sequence[str]) -> torch.Tensor:
        rows = [self._vectors(caption) for caption in captions]
        sums = [torch.stack(row).sum(dim=0) if row else torch.zeros(3) for row in rows]
        return self._ended(torch.stack(sums) if sums else torch.zeros(0, 3))

    def known_words(self, captions: Sequence[str]) -> list[bool]:
        return [bool(self._vectors(caption)) for caption in captions]

    def _vectors(self, caption: str) -> list[torch.Tensor]:
        return [self.table[word] for word in caption.lower().split() if word in self.table]

    def _ended(self, vectors: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(vectors, dim=1) if self.normalised else vectors


class ColourPairs(ColourWords):
    name = "colour-pairs"
    frames_per_window = 2
    normalised = False

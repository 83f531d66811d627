"""The suite for backbones."""

import math
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from howto.testing.contract import expect
from howto.testing.tensors import (
    NetworkContract,
    expect_close,
    expect_equal,
    expect_frame_spec,
    expect_positive_int,
    expect_vectors,
    random_frames,
)

if TYPE_CHECKING:
    import torch

__all__ = ["BackboneContract"]


class BackboneContract(NetworkContract):
    """A backbone gives float32 (ceil(T / frames_per_feature), D), finite, always the same bits.

    Override `weights` where the default ones would be downloaded, and `frames` where random
    pictures will not do. A loaded backbone is kept for all tests of the class.

    Attributes:
        independent: features depend on their own frames only, so that a video can be encoded in
            chunks. False for a network that looks at the frames around.
        device, dtypes, tolerance: as in `NetworkContract`.
    """

    kind: ClassVar[str] = "backbones"
    independent: ClassVar[bool] = True

    def frames(self, num_frames: int, portrait: bool = False) -> "torch.Tensor":
        """Return uint8 (num_frames, H, W, 3) of the size that the backbone asks for.

        The same call gives the same frames; the first of them do not depend on how many there are.
        """
        return random_frames(self.backbone().frames, num_frames, portrait)

    def backbone(self) -> Any:
        """Return the loaded backbone, one for all tests of the class."""
        return self.loaded()

    def test_says_what_it_is(self) -> None:
        """version, dim, frames and frames_per_feature are set before the weights are loaded."""
        backbone = self.create()
        version = backbone.version
        expect(isinstance(version, str) and version, f"version: expected text, got {version!r}")
        expect_positive_int(backbone.dim, "dim")
        expect_positive_int(backbone.frames_per_feature, "frames_per_feature")
        expect_frame_spec(backbone.frames)

    def test_shape_type_and_values(self) -> None:
        """float32 (ceil(T / frames_per_feature), D) on the CPU, finite, without a gradient."""
        backbone = self.backbone()
        count = backbone.frames_per_feature
        for num_frames in sorted({1, count, count + 1, 2 * count, 3 * count - 1}):
            self._expect_features(backbone.encode(self.frames(num_frames)), num_frames)

    def test_portrait_video(self) -> None:
        """A video that is higher than wide gives features of the same length."""
        if self.backbone().frames.crop:
            pytest.skip("it asks for square crops")
        count = self.backbone().frames_per_feature
        self._expect_features(self.backbone().encode(self.frames(count, portrait=True)), count)

    def test_black_frames(self) -> None:
        """A black picture gives numbers, too: nothing is divided by its own zero length."""
        count = self.backbone().frames_per_feature
        self._expect_features(self.backbone().encode(self.frames(count) * 0), count)

    def test_computes_in_other_types(self) -> None:
        """In whatever type it computes, features come back as float32."""
        count = self.backbone().frames_per_feature
        for dtype in self.dtypes[1:]:
            features = self.load_anew(dtype).encode(self.frames(count))
            self._expect_features(features, count, f" in {dtype}")

    def test_the_same_bits_again(self) -> None:
        """The same frames give the same bits: from this object or a new one, whatever the seed."""
        import torch

        frames = self.frames(2 * self.backbone().frames_per_feature)
        torch.manual_seed(1)
        first = self.backbone().encode(frames).clone()
        torch.seed()
        again = self.backbone().encode(frames)
        expect_equal(first, again, "a second call gave other features; is it in eval mode?")
        fresh = self.load_anew().encode(frames)
        expect_equal(first, fresh, "a second object with the same weights gave other features")

    def test_leaves_the_frames_alone(self) -> None:
        """Frames are shared with other backbones, so encoding does not write to them."""
        import torch

        frames = self.frames(self.backbone().frames_per_feature)
        before = frames.clone()
        self.backbone().encode(frames)
        expect(torch.equal(frames, before), "expected the frames unchanged after encode()")

    def test_frames_that_are_a_view(self) -> None:
        """How the frames lie in memory makes no difference."""
        frames = self.frames(self.backbone().frames_per_feature)
        view = frames.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)
        first, second = self.backbone().encode(frames), self.backbone().encode(view)
        expect_equal(first, second, "the same frames as a permuted view gave other features")

    def test_features_show_the_frames(self) -> None:
        """Other pictures give other features."""
        import torch

        frames = self.frames(self.backbone().frames_per_feature)
        bright, dark = self.backbone().encode(frames), self.backbone().encode(frames // 4)
        expect(not torch.equal(bright, dark), "expected other features for darker frames")

    def test_in_chunks_as_at_once(self) -> None:
        """A long video is encoded in chunks of a multiple of frames_per_feature, and a rest."""
        import torch

        if not self.independent:
            pytest.skip("independent = False")
        backbone = self.backbone()
        count = backbone.frames_per_feature
        frames = self.frames(4 * count - count // 2)  # the last feature has half its frames
        at_once = backbone.encode(frames)
        for size in (count, 2 * count):
            pieces = [frames[start : start + size] for start in range(0, len(frames), size)]
            chunks = torch.cat([backbone.encode(piece) for piece in pieces])
            self._expect_features(chunks, len(frames))
            expect_close(chunks, at_once, self.tolerance, f"in chunks of {size}")

    def _expect_features(
        self, features: "torch.Tensor", num_frames: int, computed: str = ""
    ) -> None:
        backbone = self.backbone()
        shape = (math.ceil(num_frames / backbone.frames_per_feature), backbone.dim)
        expect_vectors(features, shape, f"features of {num_frames} frames{computed}")

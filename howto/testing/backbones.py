"""The suite for backbones."""

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from howto.errors import PluginError
from howto.records import FrameSpec
from howto.testing.contract import PluginContract, expect

if TYPE_CHECKING:
    import torch

__all__ = ["BackboneContract"]


class BackboneContract(PluginContract):
    """A backbone gives float32 (ceil(T / frames_per_feature), D), finite, the same bits every time.

    Override `weights` where the default ones would be downloaded, and `frames` where random
    pictures will not do. A loaded backbone is kept for all tests of the class.

    Attributes:
        device: where to encode.
        dtypes: names of the torch types to compute in; the first is used for most tests.
        independent: features depend on their own frames only, so that a video can be encoded in
            chunks. False for a network that looks at the frames around.
        tolerance: greatest difference allowed between a video encoded in chunks and at once, as a
            fraction of the largest feature value; sums in another order are not bit-equal.
    """

    kind: ClassVar[str] = "backbones"
    device: ClassVar[str] = "cpu"
    dtypes: ClassVar[tuple[str, ...]] = ("float32", "bfloat16")
    independent: ClassVar[bool] = True
    tolerance: ClassVar[float] = 1e-4
    _loaded: ClassVar[dict[type, Any]] = {}

    def weights(self) -> str | None:
        """Return the weights to load: a path, or a name the backbone knows; None for its
        default.""" return None

    def frames(self, num_frames: int, portrait: bool = False) -> "torch.Tensor":
        """Return uint8 (num_frames, H, W, 3) of the size that the backbone asks for.

        The same call gives the same frames, and the first of them do not depend on how many there
        are.
        """
        import torch

        spec: FrameSpec = self.backbone().frames
        short, long = (spec.crop, spec.crop) if spec.crop else (spec.short_side,
        _long(spec.short_side)) height, width = (long, short) if portrait else (short, long)
        generator = torch.Generator().manual_seed(0) pictures = [
            torch.randint(0, 256, (height, width, 3), generator=generator, dtype=torch.uint8)
            for _ in range(num_frames)
        ]
        return torch.stack(pictures)

    def backbone(self) -> Any:
        """Return the loaded backbone, one for all tests of the class."""
        if type(self) not in self._loaded:
            self._loaded[type(self)] = self._load(self.dtypes[0])
        return self._loaded[type(self)]

    def test_says_what_it_is(self) -> None:
        """version, dim, frames and frames_per_feature are set before the weights are loaded."""
        backbone = self.create()
        version, dim, spec = backbone.version, backbone.dim, backbone.frames
        expect(isinstance(version, str) and version, f"version: expected text, got {version!r}")
        expect(_positive_int(dim), f"dim: expected a positive int, got {dim!r}")
        count = backbone.frames_per_feature
        expect(_positive_int(count), f"frames_per_feature: expected an int >= 1, got {count!r}")
        expect(isinstance(spec, FrameSpec), f"frames: expected a howto.records.FrameSpec, got
        {spec!r}") expect(
            isinstance(spec.rate, Fraction) and spec.rate > 0,
            f"frames.rate: expected a positive Fraction (it is exact), got {spec.rate!r}",
        )
        expect(
            _positive_int(spec.short_side),
            f"frames.short_side: expected pixels, got {spec.short_side!r}",
        )
        expect(
            spec.crop is None or (_positive_int(spec.crop) and spec.crop <= spec.short_side),
            f"frames.crop: expected None, or 1 .. short_side {spec.short_side}, got {spec.crop!r}",
        )

    def test_shape_type_and_values(self) -> None:
        """float32 (ceil(T / frames_per_feature), D) on the CPU, finite, without a gradient."""
        backbone = self.backbone()
        count = backbone.frames_per_feature
        for num_frames in sorted({1, count, count + 1, 2 * count, 3 * count - 1}):
            self._expect_features(backbone.encode(self.frames(num_frames)), num_frames)

    def test_portrait_video(self) -> None:
        """A video that is higher than wide keeps its aspect, and gives features of the same
        length.""" if self.backbone().frames.crop:
            pytest.skip("it asks for square crops")
        num_frames = self.backbone().frames_per_feature
        self._expect_features(self.backbone().encode(self.frames(num_frames, portrait=True)),
        num_frames)

    def test_black_frames(self) -> None:
        """A black picture gives numbers, too: nothing is divided by its own zero length."""
        num_frames = self.backbone().frames_per_feature
        black = self.frames(num_frames) * 0
        self._expect_features(self.backbone().encode(black), num_frames)

    def test_computes_in_other_types(self) -> None:
        """In whatever type it computes, features come back as float32."""
        num_frames = self.backbone().frames_per_feature
        for dtype in self.dtypes[1:]:
            self._expect_features(self._load(dtype).encode(self.frames(num_frames)), num_frames,
            dtype)

    def test_the_same_bits_again(self) -> None:
        """The same frames give the same bits: from this object, from a new one, whatever the
        seed.""" import torch

        frames = self.frames(2 * self.backbone().frames_per_feature)
        torch.manual_seed(1)
        first = self.backbone().encode(frames).clone()
        torch.manual_seed(2)
        expect(
            torch.equal(first, self.backbone().encode(frames)),
            f"a second call gave other features (is it in eval mode?): {_difference(first,
            self.backbone().encode(frames))}",
        )
        fresh = self._load(self.dtypes[0]).encode(frames)
        expect(
            torch.equal(first, fresh),
            f"a second object with the same weights gave other features: {_difference(first,
            fresh)}",
        )

    def test_leaves_the_frames_alone(self) -> None:
        """Frames are shared with other backbones, so encoding does not write to them."""
        import torch

        frames = self.frames(self.backbone().frames_per_feature)
        before = frames.clone()
        self.backbone().encode(frames)
        expect(torch.equal(frames, before), "expected the frames unchanged after encode()")

    def test_frames_that_are_a_view(self) -> None:
        """How the frames lie in memory makes no difference."""
        import torch

        frames = self.frames(self.backbone().frames_per_feature)
        view = frames.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)
        first, second = self.backbone().encode(frames), self.backbone().encode(view)
        expect(torch.equal(first, second), f"a permuted view gave others: {_difference(first,
        second)}")

    def test_features_show_the_frames(self) -> None:
        """Other pictures give other features."""
        import torch

        frames = self.frames(self.backbone().frames_per_feature)
        expect(
            not torch.equal(self.backbone().encode(frames), self.backbone().encode(frames // 4)),
            "expected other features for darker frames, got the same",
        )

    def test_in_chunks_as_at_once(self) -> None:
        """A long video is encoded in chunks of a multiple of frames_per_feature; so is its rest."""
        import torch

        if not self.independent:
            pytest.skip("independent = False")
        backbone = self.backbone()
        count = backbone.frames_per_feature
        frames = self.frames(4 * count - count // 2)  # the last feature has half its frames
        at_once = backbone.encode(frames)
        for size in (count, 2 * count):
            chunks = torch.cat([backbone.encode(chunk) for chunk in frames.split(size)])
            self._expect_features(chunks, len(frames))
            allowed = self.tolerance * float(at_once.abs().max())
            worst = float((chunks - at_once).abs().max())
            expect(
                worst <= allowed,
                f"in chunks of {size} frames: expected differences up to {allowed:.3g}, got
                {worst:.3g}",
            )

    def test_refuses_unknown_weights(self) -> None:
        """Weights that are not there are an error that says so, not features of other weights."""
        import torch

        with pytest.raises(PluginError):
            self.create().load(self.device, getattr(torch, self.dtypes[0]),
            "no-such-weights.safetensors")

    def _load(self, dtype: str) -> Any:
        import torch

        backbone = self.create()
        backbone.load(self.device, getattr(torch, dtype), self.weights())
        return backbone

    def _expect_features(self, features: "torch.Tensor", num_frames: int, computed: str = "") ->
    None:
        import torch

        backbone = self.backbone()
        what = f"features of {num_frames} frames{f' in {computed}' if computed else ''}"
        shape = (math.ceil(num_frames / backbone.frames_per_feature), backbone.dim)
        expect(isinstance(features, torch.Tensor), f"{what}: expected a tensor, got
        {type(features)}") expect(tuple(features.shape) == shape, f"{what}: expected {shape}, got
        {tuple(features.shape)}") expect(features.dtype == torch.float32, f"{what}: expected
        float32, got {features.dtype}") expect(features.device.type == "cpu", f"{what}: expected
        the CPU, got {features.device}") expect(not features.requires_grad, f"{what}: expected no
        gradient (use torch.inference_mode)") expect(bool(features.isfinite().all()), f"{what}:
        expected finite values, got inf or NaN")


def _long(short_side: int) -> int:
    """Return the longer side for an aspect of about 4 to 3: odd, as real ones can be."""
    return short_side * 4 // 3 | 1


def _positive_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _difference(first: "torch.Tensor", second: "torch.Tensor") -> str:
    if first.shape != second.shape:
        return f"shapes {tuple(first.shape)} and {tuple(second.shape)}"
    return f"greatest difference {float((first - second).abs().max()):.3g}"

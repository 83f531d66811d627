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
    """A backbone gives float32 (ceil(T / frames_per_feature), D), finite, always the same bits.

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
        """Return the weights to load, a path or a name that is known; None for the default."""
        return None

    def frames(self, num_frames: int, portrait: bool = False) -> "torch.Tensor":
        """Return uint8 (num_frames, H, W, 3) of the size that the backbone asks for.

        The same call gives the same frames; the first of them do not depend on how many there are.
        """
        import torch

        spec: FrameSpec = self.backbone().frames
        short = spec.crop or spec.short_side
        long = spec.crop or _long(spec.short_side)
        height, width = (long, short) if portrait else (short, long)
        generator = torch.Generator().manual_seed(0)
        pictures = [
            torch.randint(0, 256, (height, width, 3), generator=generator, dtype=torch.uint8)
            for _ in range(num_frames)
        ]
        return torch.stack(pictures)

    def backbone(self) -> Any:
        """Return the loaded backbone, one for all tests of the class."""
        if type(self) not in self._loaded:
            self._loaded[type(self)] = self._load(self.dtypes[0])
        return self._loaded[type(self)]

    @classmethod
    def teardown_class(cls) -> None:
        """Let go of the weights: the next class may bring as many gigabytes."""
        cls._loaded.pop(cls, None)

    def test_says_what_it_is(self) -> None:
        """version, dim, frames and frames_per_feature are set before the weights are loaded."""
        backbone = self.create()
        version, dim, count = backbone.version, backbone.dim, backbone.frames_per_feature
        expect(isinstance(version, str) and version, f"version: expected text, got {version!r}")
        expect(_positive_int(dim), f"dim: expected a positive int, got {dim!r}")
        expect(_positive_int(count), f"frames_per_feature: expected an int >= 1, got {count!r}")
        spec = backbone.frames
        expect(isinstance(spec, FrameSpec), f"frames: expected a FrameSpec, got {spec!r}")
        rate, side, crop = spec.rate, spec.short_side, spec.crop
        expect(
            isinstance(rate, Fraction) and rate > 0,
            f"frames.rate: expected a positive Fraction, which is exact, got {rate!r}",
        )
        expect(_positive_int(side), f"frames.short_side: expected pixels, got {side!r}")
        expect(
            crop is None or (_positive_int(crop) and crop <= side),
            f"frames.crop: expected None or 1 .. {side}, the short side, got {crop!r}",
        )

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
            features = self._load(dtype).encode(self.frames(count))
            self._expect_features(features, count, f" in {dtype}")

    def test_the_same_bits_again(self) -> None:
        """The same frames give the same bits: from this object or a new one, whatever the seed."""
        import torch

        frames = self.frames(2 * self.backbone().frames_per_feature)
        torch.manual_seed(1)
        first = self.backbone().encode(frames).clone()
        torch.manual_seed(2)
        again = self.backbone().encode(frames)
        _expect_equal(first, again, "a second call gave other features; is it in eval mode?")
        fresh = self._load(self.dtypes[0]).encode(frames)
        _expect_equal(first, fresh, "a second object with the same weights gave other features")

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
        _expect_equal(first, second, "the same frames as a permuted view gave other features")

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
            allowed = self.tolerance * float(at_once.abs().max())
            worst = float((chunks - at_once).abs().max())
            expect(
                worst <= allowed,
                f"in chunks of {size}: expected differences up to {allowed:.3g}, got {worst:.3g}",
            )

    def test_refuses_unknown_weights(self) -> None:
        """Weights that are not there are an error that says so, not features of other weights."""
        import torch

        dtype = getattr(torch, self.dtypes[0])
        with pytest.raises(PluginError):
            self.create().load(self.device, dtype, "no-such-weights.safetensors")

    def _load(self, dtype: str) -> Any:
        import torch

        backbone = self.create()
        backbone.load(self.device, getattr(torch, dtype), self.weights())
        return backbone

    def _expect_features(
        self, features: "torch.Tensor", num_frames: int, computed: str = ""
    ) -> None:
        import torch

        backbone = self.backbone()
        what = f"features of {num_frames} frames{computed}: expected"
        shape = (math.ceil(num_frames / backbone.frames_per_feature), backbone.dim)
        expect(isinstance(features, torch.Tensor), f"{what} a tensor, got {type(features)}")
        expect(tuple(features.shape) == shape, f"{what} {shape}, got {tuple(features.shape)}")
        expect(features.dtype == torch.float32, f"{what} float32, got {features.dtype}")
        expect(features.device.type == "cpu", f"{what} them on the CPU, got {features.device}")
        expect(not features.requires_grad, f"{what} no gradient; use torch.inference_mode()")
        expect(bool(features.isfinite().all()), f"{what} finite values, got inf or NaN")


def _long(short_side: int) -> int:
    """Return the longer side for an aspect of about 4 to 3: odd, as real ones can be."""
    return short_side * 4 // 3 | 1


def _positive_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _expect_equal(first: "torch.Tensor", second: "torch.Tensor", message: str) -> None:
    """Compare bit for bit."""
    shapes = f"{tuple(first.shape)} and {tuple(second.shape)}"
    expect(first.shape == second.shape, f"{message} Shapes: {shapes}")
    worst = float((first - second).abs().max())
    expect(bool((first == second).all()), f"{message} Greatest difference: {worst:.3g}")

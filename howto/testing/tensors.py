"""What the suites of networks share: weights loaded once, frames to show them, tensors compared."""

from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from howto.errors import PluginError
from howto.records import FrameSpec
from howto.testing.contract import PluginContract, expect

if TYPE_CHECKING:
    import torch

__all__ = [
    "NetworkContract",
    "expect_close",
    "expect_equal",
    "expect_frame_spec",
    "expect_positive_int",
    "expect_vectors",
    "random_frames",
]


class NetworkContract(PluginContract):
    """Base of the suites for what has weights; a loaded backend serves all tests of its class.

    Attributes:
        device: where to compute.
        dtypes: names of the torch types to compute in; the first is used for most tests.
        tolerance: greatest difference allowed where sums are taken in another order, as a fraction
            of the largest value.
    """

    device: ClassVar[str] = "cpu"
    dtypes: ClassVar[tuple[str, ...]] = ("float32", "bfloat16")
    tolerance: ClassVar[float] = 1e-4
    _loaded: ClassVar[dict[type, Any]] = {}

    def weights(self) -> str | None:
        """Return the weights to load, a path or a name that is known; None for the default."""
        return None

    def loaded(self) -> Any:
        """Return the loaded backend, one for all tests of the class."""
        if type(self) not in self._loaded:
            self._loaded[type(self)] = self.load_anew()
        return self._loaded[type(self)]

    def load_anew(self, dtype: str | None = None) -> Any:
        """Return another object with the same weights."""
        import torch

        backend = self.create()
        backend.load(self.device, getattr(torch, dtype or self.dtypes[0]), self.weights())
        return backend

    @classmethod
    def teardown_class(cls) -> None:
        """Let go of the weights: the next class may bring as many gigabytes."""
        cls._loaded.pop(cls, None)

    def test_refuses_unknown_weights(self) -> None:
        """Weights that are not there are an error that says so, not other weights in silence."""
        import torch

        dtype = getattr(torch, self.dtypes[0])
        with pytest.raises(PluginError):
            self.create().load(self.device, dtype, "no-such-weights.safetensors")


def random_frames(spec: FrameSpec, num_frames: int, portrait: bool = False) -> "torch.Tensor":
    """Make noise, uint8 (num_frames, H, W, 3), of the size that a spec asks for, about 4 to 3.

    The same call gives the same frames; the first of them do not depend on how many there are.
    """
    import torch

    short = spec.crop or spec.short_side
    long = spec.crop or spec.short_side * 4 // 3 | 1  # odd, as real ones can be
    height, width = (long, short) if portrait else (short, long)
    generator = torch.Generator().manual_seed(0)
    pictures = [
        torch.randint(0, 256, (height, width, 3), generator=generator, dtype=torch.uint8)
        for _ in range(num_frames)
    ]
    return torch.stack(pictures)


def expect_positive_int(value: object, what: str) -> None:
    """Expect a whole number above 0, which True is not."""
    positive = isinstance(value, int) and not isinstance(value, bool) and value > 0
    expect(positive, f"{what}: expected an int >= 1, got {value!r}")


def expect_frame_spec(spec: Any) -> None:
    """Expect the rate and size of frames to be ones that a decoder can give."""
    expect(isinstance(spec, FrameSpec), f"frames: expected a FrameSpec, got {spec!r}")
    expect(
        isinstance(spec.rate, Fraction) and spec.rate > 0,
        f"frames.rate: expected a positive Fraction, which is exact, got {spec.rate!r}",
    )
    expect_positive_int(spec.short_side, "frames.short_side")
    if spec.crop is not None:
        expect_positive_int(spec.crop, "frames.crop")
        expect(
            spec.crop <= spec.short_side,
            f"frames.crop: expected at most {spec.short_side}, the short side, got {spec.crop}",
        )


def expect_vectors(vectors: object, shape: tuple[int, int], what: str) -> None:
    """Expect finite float32 of a shape, on the CPU, without a gradient."""
    import torch

    if not isinstance(vectors, torch.Tensor):
        pytest.fail(f"{what}: expected a tensor, got {type(vectors)}")
    expect(tuple(vectors.shape) == shape, f"{what}: expected {shape}, got {tuple(vectors.shape)}")
    expect(vectors.dtype == torch.float32, f"{what}: expected float32, got {vectors.dtype}")
    expect(vectors.device.type == "cpu", f"{what}: expected on the CPU, got {vectors.device}")
    expect(not vectors.requires_grad, f"{what}: expected no gradient; use torch.inference_mode()")
    expect(bool(vectors.isfinite().all()), f"{what}: expected finite values, got inf or NaN")


def expect_equal(first: "torch.Tensor", second: "torch.Tensor", message: str) -> None:
    """Compare bit for bit."""
    shapes = f"{tuple(first.shape)} and {tuple(second.shape)}"
    expect(first.shape == second.shape, f"{message} Shapes: {shapes}")
    worst = float((first - second).abs().max()) if first.numel() else 0.0
    expect(bool((first == second).all()), f"{message} Greatest difference: {worst:.3g}")


def expect_close(
    first: "torch.Tensor", second: "torch.Tensor", tolerance: float, what: str
) -> None:
    """Compare to a fraction of the largest value of the second."""
    allowed = tolerance * float(second.abs().max())
    worst = float((first - second).abs().max())
    expect(worst <= allowed, f"{what}: expected differences up to {allowed:.3g}, got {worst:.3g}")

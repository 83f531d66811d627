"""The suite for ready joint models."""

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
from howto.testing.text_encoders import STRANGE_CAPTIONS

if TYPE_CHECKING:
    import torch

__all__ = ["JointModelContract"]


class JointModelContract(NetworkContract):
    """A joint model embeds windows of frames, and captions, in one space.

    Override `weights` where the default ones would be downloaded, `frames` where random pictures
    will not do, and `captions` where it does not know English words. A loaded model is kept for all
    tests of the class.
    """

    kind: ClassVar[str] = "models"

    def frames(self, num_frames: int, portrait: bool = False) -> "torch.Tensor":
        """Return uint8 (num_frames, H, W, 3) of the size that the model asks for."""
        return random_frames(self.model().frames, num_frames, portrait)

    def captions(self) -> list[str]:
        """Return captions that mean different things to the model."""
        return ["cut the onion", "fold a shirt", "pour the water into the pan and stir it"]

    def model(self) -> Any:
        """Return the loaded model, one for all tests of the class."""
        return self.loaded()

    def test_says_what_it_is(self) -> None:
        """All attributes are set before the weights are loaded."""
        model = self.create()
        version, normalised = model.version, model.normalised
        expect(isinstance(version, str) and version, f"version: expected text, got {version!r}")
        expect_positive_int(model.dim, "dim")
        expect_positive_int(model.frames_per_window, "frames_per_window")
        expect(isinstance(normalised, bool), f"normalised: expected a bool, got {normalised!r}")
        expect_frame_spec(model.frames)

    def test_frames_to_embeddings(self) -> None:
        """float32 (ceil(T / frames_per_window), D), finite, also for a last window not full."""
        count = self.model().frames_per_window
        for num_frames in sorted({1, count, count + 1, 2 * count}):
            embeddings = self.model().embed_frames(self.frames(num_frames))
            self._expect_embeddings(
                embeddings, math.ceil(num_frames / count), f"{num_frames} frames"
            )

    def test_portrait_video(self) -> None:
        """A video that is higher than wide gives embeddings of the same length."""
        if self.model().frames.crop:
            pytest.skip("it asks for square crops")
        frames = self.frames(self.model().frames_per_window, portrait=True)
        self._expect_embeddings(self.model().embed_frames(frames), 1, "portrait video")

    def test_black_frames(self) -> None:
        """A black picture gives numbers, too: nothing is divided by its own zero length."""
        frames = self.frames(self.model().frames_per_window) * 0
        self._expect_embeddings(self.model().embed_frames(frames), 1, "black frames")

    def test_captions_to_embeddings(self) -> None:
        """float32 (B, D), finite, for no caption, and for one of no known word."""
        for captions in ([], self.captions()[:1], self.captions(), [*STRANGE_CAPTIONS]):
            embeddings = self.model().embed_text(captions)
            self._expect_embeddings(embeddings, len(captions), f"captions {captions!r}")

    def test_computes_in_other_types(self) -> None:
        """In whatever type it computes, embeddings come back as float32."""
        for dtype in self.dtypes[1:]:
            model = self.load_anew(dtype)
            frames = self.frames(model.frames_per_window)
            self._expect_embeddings(model.embed_frames(frames), 1, f"frames in {dtype}", 1e-2)
            text = model.embed_text(self.captions())
            self._expect_embeddings(text, len(self.captions()), f"captions in {dtype}", 1e-2)

    def test_the_same_bits_again(self) -> None:
        """The same frames and captions give the same bits, from this object or a new one."""
        import torch

        frames, captions = self.frames(self.model().frames_per_window), self.captions()
        torch.manual_seed(1)
        shown, said = self.model().embed_frames(frames), self.model().embed_text(captions)
        torch.seed()
        for model, which in [(self.model(), "a second call"), (self.load_anew(), "a new object")]:
            expect_equal(shown, model.embed_frames(frames), f"{which}: other embeddings of frames.")
            expect_equal(said, model.embed_text(captions), f"{which}: other embeddings of text.")

    def test_leaves_the_frames_alone(self) -> None:
        """Frames are shared with others, so embedding does not write to them."""
        import torch

        frames = self.frames(self.model().frames_per_window)
        before = frames.clone()
        self.model().embed_frames(frames)
        expect(torch.equal(frames, before), "expected the frames unchanged after embed_frames()")

    def test_embeddings_show_what_they_are_of(self) -> None:
        """Other pictures and other words give other embeddings."""
        import torch

        frames = self.frames(self.model().frames_per_window)
        bright, dark = self.model().embed_frames(frames), self.model().embed_frames(frames // 4)
        expect(not torch.equal(bright, dark), "expected other embeddings for darker frames")
        said = self.model().embed_text(self.captions())
        for other, caption in zip(said[1:], self.captions()[1:], strict=True):
            same = torch.equal(said[0], other)
            expect(not same, f"expected other embeddings for {self.captions()[0]!r}, {caption!r}")

    def test_windows_and_captions_stand_alone(self) -> None:
        """An embedding depends neither on the windows nor on the captions around it."""
        import torch

        count = self.model().frames_per_window
        frames = self.frames(3 * count - count // 2)  # the last window has half its frames
        windows = [frames[start : start + count] for start in range(0, len(frames), count)]
        pieces = [self.model().embed_frames(window) for window in windows]
        at_once = self.model().embed_frames(frames)
        expect_close(torch.cat(pieces), at_once, self.tolerance, "window by window")
        together = self.model().embed_text(self.captions())
        alone = torch.cat([self.model().embed_text([caption]) for caption in self.captions()])
        expect_close(alone, together, self.tolerance, "caption by caption")

    def _expect_embeddings(
        self, embeddings: "torch.Tensor", number: int, what: str, rounding: float = 1e-4
    ) -> None:
        model = self.model()
        expect_vectors(embeddings, (number, model.dim), what)
        if model.normalised:
            off = max([abs(length - 1) for length in embeddings.norm(dim=1).tolist()], default=0.0)
            expect(off <= rounding, f"{what}: expected length 1, got one that is off by {off:.3g}")

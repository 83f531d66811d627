"""The suite for text encoders."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from howto import plugins
from howto.testing.contract import expect
from howto.testing.tensors import (
    NetworkContract,
    expect_close,
    expect_equal,
    expect_positive_int,
    expect_vectors,
)

if TYPE_CHECKING:
    import torch

__all__ = ["STRANGE_CAPTIONS", "TextEncoderContract"]

STRANGE_CAPTIONS = ("", " \n", "...?!", "qqxzv wwxkq", "\U0001f9c5 \u5207\u308b", "\x00")
"""Captions with nothing that an encoder of English words knows."""

_STEP = 0.5


class TextEncoderContract(NetworkContract):
    """A text encoder turns captions into rows of tokens, and tokens into finite vectors.

    Override `weights` where the default ones would be downloaded, and `captions` where the encoder
    does not know English words. A loaded encoder is kept for all tests of the class.
    """

    kind: ClassVar[str] = "text_encoders"

    def captions(self) -> list[str]:
        """Return captions that mean different things to the encoder, short and long ones."""
        return [
            "cut the onion",
            "fold a shirt",
            "Now you want to pour the water into the pan and stir it until it's warm",
            "pour",
            "turn the screw to the left",
        ]

    def create_with(self, **options: Any) -> Any:
        """Construct the encoder with some options beside `options`. Override with `create`."""
        return plugins.create(self.kind, self._name(), **{**self.options, **options})

    def encoder(self) -> Any:
        """Return the loaded encoder, one for all tests of the class."""
        return self.loaded()

    def load_anew(self, dtype: str | None = None) -> Any:
        """Return another object with the same weights, or the same chance for its first values."""
        import torch

        if self.create().trainable:
            torch.manual_seed(0)
        return super().load_anew(dtype)

    def encode(self, captions: Sequence[str], encoder: Any = None) -> "torch.Tensor":
        """Tokenise and encode, without a gradient; float32 (B, D) on the CPU."""
        import torch

        encoder = encoder or self.encoder()
        with torch.no_grad():
            vectors: torch.Tensor = encoder.module()(encoder.tokenise(captions).to(self.device))
        return vectors.cpu()

    def test_says_what_it_is(self) -> None:
        """version, dim, trainable and max_words are set before the weights are loaded."""
        encoder = self.create()
        version = encoder.version
        expect(isinstance(version, str) and version, f"version: expected text, got {version!r}")
        expect_positive_int(encoder.dim, "dim")
        expect_positive_int(encoder.max_words, "max_words")
        trains = encoder.trainable
        expect(isinstance(trains, bool), f"trainable: expected True or False, got {trains!r}")

    @pytest.mark.parametrize("number", [0, 1, 3])
    def test_tokens_are_rows_of_one_length(self, number: int) -> None:
        """int64 (B, max_words) on the CPU, for no caption too."""
        import torch

        tokens = self.encoder().tokenise(self.captions()[:number])
        shape = (number, self.encoder().max_words)
        expect(isinstance(tokens, torch.Tensor), f"tokens: expected a tensor, got {type(tokens)}")
        expect(tuple(tokens.shape) == shape, f"tokens: expected {shape}, got {tuple(tokens.shape)}")
        expect(tokens.dtype == torch.int64, f"tokens: expected int64, got {tokens.dtype}")
        expect(tokens.device.type == "cpu", f"tokens: expected on the CPU, got {tokens.device}")

    def test_tokens_are_a_captions_own(self) -> None:
        """Rows can be stored and put together in any order: none depends on its neighbours."""
        encoder, captions = self.encoder(), [*self.captions(), *STRANGE_CAPTIONS]
        together = encoder.tokenise(captions)
        for row, caption in zip(together, captions, strict=True):
            alone = encoder.tokenise([caption])[0]
            expect_equal(row, alone, f"{caption!r}: expected the same tokens as alone.")

    def test_drops_what_is_too_long(self) -> None:
        """Of a caption without end the first max_words count."""
        caption = " ".join(self.captions() * 200)
        more = " ".join(reversed(caption.split()))
        tokens = self.encoder().tokenise([caption, f"{caption} {more}"])
        expect_equal(tokens[0], tokens[1], "expected words past max_words to be dropped.")
        vectors = self.encode([caption])
        expect_vectors(vectors, (1, self.encoder().dim), "a long caption")

    def test_max_words_is_an_option(self) -> None:
        """`max_words=3` gives rows of 3; the option has a default."""
        import torch

        encoder = self.create_with(max_words=3)
        expect(encoder.max_words == 3, f"max_words=3: expected it kept, got {encoder.max_words}")
        encoder.load(self.device, getattr(torch, self.dtypes[0]), self.weights())
        shape = tuple(encoder.tokenise(self.captions()).shape)
        wanted = (len(self.captions()), 3)
        expect(shape == wanted, f"tokens with max_words=3: expected {wanted}, got {shape}")
        expect_vectors(self.encode(self.captions(), encoder), (wanted[0], encoder.dim), "vectors")

    def test_shape_type_and_values(self) -> None:
        """float32 (B, D), finite, on the device of the tokens."""
        captions = self.captions()
        for number in (1, len(captions)):
            shape = (number, self.encoder().dim)
            expect_vectors(self.encode(captions[:number]), shape, f"{number} captions")

    @pytest.mark.parametrize("caption", STRANGE_CAPTIONS)
    def test_captions_of_no_known_word(self, caption: str) -> None:
        """A caption without a known word has a defined vector: finite, always the same."""
        alone = self.encode([caption])
        expect_vectors(alone, (1, self.encoder().dim), repr(caption))
        among = self.encode([*self.captions(), caption])[-1:]
        expect_close(among, alone, self.tolerance, f"{caption!r} among other captions")

    def test_captions_differ(self) -> None:
        """Other words give other vectors."""
        vectors, captions = self.encode(self.captions()), self.captions()
        for i in range(1, len(captions)):
            different = bool((vectors[i] != vectors[0]).any())
            expect(different, f"expected other vectors for {captions[0]!r} and {captions[i]!r}")

    def test_the_same_bits_again(self) -> None:
        """The same captions give the same bits: from this object or a new one, whatever the seed.

        What a network starts from without weights may depend on torch's global seed alone.
        """
        import torch

        torch.manual_seed(1)
        first = self.encode(self.captions())
        torch.seed()
        expect_equal(first, self.encode(self.captions()), "a second call gave other vectors.")
        fresh = self.encode(self.captions(), self.load_anew())
        expect_equal(first, fresh, "a second object with the same weights gave other vectors.")

    def test_the_order_of_the_batch(self) -> None:
        """Neither the order nor the company of a caption matters to its vector."""
        captions = self.captions()
        together = self.encode(captions)
        backwards = self.encode(captions[::-1]).flip(0)
        expect_close(backwards, together, self.tolerance, "in the opposite order")
        for i, caption in enumerate(captions):
            alone = self.encode([caption])
            expect_close(alone, together[i : i + 1], self.tolerance, f"{caption!r} alone")

    def test_leaves_the_tokens_alone(self) -> None:
        """Tokens are stored and used again, so encoding does not write to them."""
        import torch

        tokens = self.encoder().tokenise(self.captions()).to(self.device)
        before = tokens.clone()
        self.encoder().module()(tokens)
        expect(torch.equal(tokens, before), "expected the tokens unchanged")

    def test_computes_in_other_types(self) -> None:
        """In whatever type it computes, vectors come back as float32."""
        for dtype in self.dtypes[1:]:
            vectors = self.encode(self.captions(), self.load_anew(dtype))
            shape = (len(self.captions()), self.encoder().dim)
            expect_vectors(vectors, shape, f"in {dtype}")

    def test_is_one_module(self) -> None:
        """module() is a torch module, and the same one every time."""
        import torch

        module = self.encoder().module()
        expect(isinstance(module, torch.nn.Module), f"expected a torch module, got {type(module)}")
        expect(module is self.encoder().module(), "expected the same module from a second call")

    def test_what_is_trainable_learns(self) -> None:
        """Gradients reach parameters, are finite, and a step along them changes the vectors."""
        if not self.encoder().trainable:
            pytest.skip("it is frozen")
        encoder = self.load_anew()
        before = self.encode(self.captions(), encoder)
        _take_a_step(encoder, self.captions(), self.device)
        after = self.encode(self.captions(), encoder)
        expect(bool((after != before).any()), "expected other vectors after a step of training")

    def test_what_is_frozen_stays(self) -> None:
        """No parameter wants a gradient, training mode changes nothing, and a loss can use it."""
        if self.encoder().trainable:
            pytest.skip("it is trainable")
        encoder = self.load_anew()
        wanting = [name for name, p in encoder.module().named_parameters() if p.requires_grad]
        expect(not wanting, f"expected no parameter that wants a gradient, got {wanting[:3]}")
        before = self.encode(self.captions(), encoder)
        encoder.module().train()
        vectors = encoder.module()(encoder.tokenise(self.captions()).to(self.device))
        expect(not vectors.is_inference(), "expected vectors a loss can use: no inference_mode()")
        expect(not vectors.requires_grad, "expected vectors without a gradient")
        expect_equal(before, vectors.cpu(), "train() gave other vectors.")

    def test_its_state_can_be_stored(self) -> None:
        """What a checkpoint keeps of it, its state dict, gives the same bits in a new object."""
        import torch

        encoder = self.load_anew()
        torch.seed()
        fresh = super().load_anew()
        if encoder.trainable:
            _take_a_step(encoder, self.captions(), self.device)
        fresh.module().load_state_dict(encoder.module().state_dict())
        first, second = (self.encode(self.captions(), one) for one in (encoder, fresh))
        expect_equal(first, second, "the state dict in a new object gave other vectors.")


def _take_a_step(encoder: Any, captions: list[str], device: str) -> None:
    """Descend along the gradient of the squared vectors."""
    import torch

    module = encoder.module().train()
    wanting = [p for p in module.parameters() if p.requires_grad]
    expect(wanting, "expected parameters that want a gradient, there is none")
    vectors = module(encoder.tokenise(captions).to(device))
    expect(vectors.requires_grad, "expected vectors with a gradient in training mode")
    vectors.square().sum().backward()
    gradients = [p.grad for p in wanting if p.grad is not None]
    finite = all(bool(gradient.isfinite().all()) for gradient in gradients)
    expect(gradients and finite, "expected finite gradients")
    torch.optim.SGD(wanting, _STEP).step()
    module.eval()

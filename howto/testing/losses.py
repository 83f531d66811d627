"""The suite for losses."""

from typing import TYPE_CHECKING, ClassVar

import pytest

from howto.testing.contract import PluginContract, expect
from howto.testing.tensors import expect_close, expect_equal

if TYPE_CHECKING:
    import torch

__all__ = ["LossContract"]

# Clips of a batch, and candidates of each.
_SIZES = [(1, 1), (2, 1), (6, 1), (1, 3), (6, 3)]
_STEP = 1e-2


class LossContract(PluginContract):
    """A loss maps scores to one number that falls as right pairs rise above wrong ones.

    Attributes:
        candidates: most captions of a clip that it takes; 1 where it knows no candidates.
    """

    kind: ClassVar[str] = "losses"
    candidates: ClassVar[int] = 3

    @pytest.mark.parametrize("size", _SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
    def test_is_one_number(self, size: tuple[int, int]) -> None:
        """float32 (), finite, with finite gradients: for one clip without a negative too."""
        scores, weights, positives = self.batch(*size)
        self._expect_finite(scores, weights, positives, f"{size[0]} clips of {size[1]}")

    @pytest.mark.parametrize("size", _SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
    def test_nothing_weighs_anything(self, size: tuple[int, int]) -> None:
        """Weights of 0 everywhere leave a finite loss, with finite gradients."""
        scores, weights, positives = self.batch(*size)
        self._expect_finite(scores, weights * 0, positives, "weights of 0")

    def test_a_row_and_a_column_without_a_negative(self) -> None:
        """All wrong pairs of one clip, or of one caption, may be masked."""
        scores, weights, positives = self.batch(6, 1)
        for masked in (weights[2], weights[:, 4]):
            masked.zero_()
        self._expect_finite(scores, weights, positives, "a masked row and column")

    def test_does_not_write(self) -> None:
        """Scores, weights and positives are the caller's."""
        batch = self.batch(6, 1)
        before = [tensor.clone() for tensor in batch]
        self.create()(*batch)
        names = ("scores", "weights", "positives")
        for tensor, copy, what in zip(batch, before, names, strict=True):
            expect(bool((tensor == copy).all()), f"expected the {what} unchanged")

    def test_the_same_bits_again(self) -> None:
        """The same batch gives the same bits, from this object or a new one."""
        loss, batch = self.create(), self.batch(6, 1)
        first = loss(*batch)
        expect_equal(first, loss(*batch), "a second call gave another loss.")
        expect_equal(first, self.create()(*batch), "a new object gave another loss.")

    @pytest.mark.parametrize("candidates", [1, 3])
    def test_a_step_down_the_gradient(self, candidates: int) -> None:
        """The gradient is the loss's own: a step against it lowers the loss by what it says."""
        scores, weights, positives = self.batch(6, self._at_most(candidates))
        value, slope = self._slope(scores, weights, positives)
        expect(bool((slope != 0).any()), "expected a gradient that is not 0 everywhere")
        step = _STEP * slope / slope.norm()
        after = self.create()(scores - step, weights, positives)
        fall, wanted = float(value) - float(after), float((slope * step).sum())
        expect(
            abs(fall - wanted) <= 0.2 * wanted,
            f"expected a step of {_STEP} to lower the loss by about {wanted:.3g}, got {fall:.3g}",
        )

    @pytest.mark.parametrize("candidates", [1, 3])
    def test_right_pairs_rise_and_wrong_ones_fall(self, candidates: int) -> None:
        """No gradient lowers a right pair's score, and none raises a wrong one's."""
        scores, weights, positives = self.batch(6, self._at_most(candidates))
        slope = self._slope(scores, weights, positives)[1]
        least = -1e-6 * float(slope.abs().max())
        expect(bool((slope[~positives] >= least).all()), "expected no wrong pair's score to rise")
        expect(bool((slope[positives] <= -least).all()), "expected no right pair's score to fall")

    @pytest.mark.parametrize("candidates", [1, 3])
    def test_what_weighs_nothing_does_not_matter(self, candidates: int) -> None:
        """A wrong pair of weight 0 may score what it likes, and gets no gradient."""
        scores, weights, positives = self.batch(6, self._at_most(candidates))
        weights[1, -1] = 0
        other = scores.clone()
        other[1, -1] += 5
        first, slope = self._slope(scores, weights, positives)
        expect(float(slope[1, -1]) == 0, "expected no gradient where the weight is 0")
        second = self._slope(other, weights, positives)[0]
        expect_close(second, first, 1e-6, "another score where the weight is 0")

    def test_weights_count(self) -> None:
        """A wrong pair that weighs more counts for more."""
        scores, weights, positives = self.batch(6, 1)
        heavier = weights.clone()
        heavier[0, 1] *= 10
        first, second = (self._slope(scores, each, positives)[1] for each in (weights, heavier))
        expect(
            bool(second[0, 1] > first[0, 1]),
            f"expected a greater gradient for weight 10, got {second[0, 1]:.3g} instead of "
            f"{first[0, 1]:.3g} for weight 1",
        )

    def test_the_order_of_the_pairs(self) -> None:
        """Pairs in another order give the same loss."""
        import torch

        scores, weights, positives = self.batch(6, 1)
        weights[0, 1:3] = 4
        order = torch.tensor([3, 0, 5, 1, 4, 2])
        cells = order[:, None], order[None, :]
        there = self.create()(scores[cells], weights[cells], positives)
        expect_close(there, self.create()(scores, weights, positives), 1e-5, "in another order")

    @pytest.mark.parametrize("cell", [(0, 0), (1, 4), (5, 0)], ids=str)
    @pytest.mark.parametrize("weight", [0.0, 1.0])
    def test_a_nan_is_not_hidden(self, cell: tuple[int, int], weight: float) -> None:
        """A score that is no number gives a loss that is none, whatever it weighs."""
        scores, weights, positives = self.batch(6, 1)
        scores[cell], weights[cell] = float("nan"), weight
        loss = self.create()(scores, weights, positives)
        expect(bool(loss.isnan()), f"expected NaN for a NaN in cell {cell}, got {loss}")

    def test_a_nan_of_one_pair_is_not_hidden(self) -> None:
        """Where there is no negative, too."""
        scores, weights, positives = self.batch(1, 1)
        loss = self.create()(scores * float("nan"), weights, positives)
        expect(bool(loss.isnan()), f"expected NaN for one pair of score NaN, got {loss}")

    def batch(
        self, num_clips: int, candidates: int
    ) -> tuple["torch.Tensor", "torch.Tensor", "torch.Tensor"]:
        """Make random scores in -0.5 .. 0.5, weights of 1, and positives, as the contract has them.

        The same call gives the same batch.
        """
        import torch

        candidates = self._at_most(candidates)
        shape = (num_clips, num_clips * candidates)
        scores = torch.rand(shape, generator=torch.Generator().manual_seed(num_clips)) - 0.5
        own = torch.eye(num_clips, dtype=torch.bool)
        return scores, torch.ones(shape), own.repeat_interleave(candidates, dim=1)

    def _at_most(self, candidates: int) -> int:
        return min(candidates, self.candidates)

    def _slope(
        self, scores: "torch.Tensor", weights: "torch.Tensor", positives: "torch.Tensor"
    ) -> tuple["torch.Tensor", "torch.Tensor"]:
        """The loss and its gradient."""
        leaf = scores.clone().requires_grad_()
        value: torch.Tensor = self.create()(leaf, weights, positives)
        value.backward()  # type: ignore[no-untyped-call]
        expect(leaf.grad is not None, "expected a gradient to the scores, there is none")
        return value.detach(), leaf.grad if leaf.grad is not None else leaf

    def _expect_finite(
        self, scores: "torch.Tensor", weights: "torch.Tensor", positives: "torch.Tensor", what: str
    ) -> None:
        import torch

        value, slope = self._slope(scores, weights, positives)
        expect(value.shape == (), f"{what}: expected one number, got {tuple(value.shape)}")
        expect(value.dtype == torch.float32, f"{what}: expected float32, got {value.dtype}")
        expect(bool(value.isfinite()), f"{what}: expected a finite loss, got {value}")
        expect(bool(slope.isfinite().all()), f"{what}: expected finite gradients, got\n{slope}")

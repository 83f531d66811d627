"""Losses over the scores of a batch: max-margin, MIL-NCE, InfoNCE.

Shapes: B clips; C = B K captions, K candidates of each clip side by side; scores[i, j] is clip i
against caption j. What a wrong pair weighs comes from the sampler; see `howto.contracts.Loss`.
Scores may be float64 too, which tests use; nothing here writes to them, and a NaN among them gives
NaN, whatever it weighs.
"""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from howto.errors import UsageError

__all__ = ["InfoNceLoss", "MaxMarginLoss", "MilNceLoss", "positives_of"]

_CACHED_ROWS = 128  # of 2,048 columns: one step of the fused loss then stays within a last cache

_NOTHING = -1e30  # as a logit: nothing of any sum, and far from float32's least


def positives_of(num_clips: int, candidates: int = 1, device: str | None = None) -> Tensor:
    """Say which captions belong to which clip: bool (B, B K), caption j to clip j // K."""
    own = torch.eye(num_clips, dtype=torch.bool, device=device)
    return own.repeat_interleave(candidates, dim=1)


def _own_scores(scores: Tensor) -> Tensor:
    """The scores of right pairs, (B, K)."""
    num_clips = len(scores)
    return scores.view(num_clips, num_clips, -1).diagonal(dim1=0, dim2=1).T


def _parts_of(scores: Tensor) -> Iterator[slice]:
    """Rows that are worked on together: on a CPU as many as its cache takes, else all."""
    step = _CACHED_ROWS if scores.device.type == "cpu" else max(1, len(scores))
    for first in range(0, len(scores), step):
        yield slice(first, first + step)


# --- max-margin ---


class MaxMarginLoss:
    """A right pair is to score above each wrong pair of its clip and of its caption by a margin.

    The sum over i != j of a_ij [max(0, m + s_ij - s_ii) + max(0, m + s_ij - s_jj)]: wrong captions
    of clip i, and wrong clips of caption j, where a are the weights.

    - `code`, as published: the mean over all B^2 cells, those of right pairs included, which add a
      constant (2 m p / k with the weights of the same name).
    - `exact`: right pairs do not count, and the sum is divided by that of the weights, so that the
      loss of batches of any size and weighting compares. Where nothing weighs anything it is 0.

    Where a clip has several candidates, the best of them is its right pair in the first term, and
    no candidate of a clip is a wrong pair of it, in either form.

    Args:
        margin: m.
        form: `code` or `exact`.

    Source: Miech et al., HowTo100M, ICCV 2019 (arXiv:1906.03327), section 4.2 and appendix B, and
    the behaviour of the published code, whose loss the form `code` equals bit for bit.
    """

    name: ClassVar[str] = "max-margin"
    normalised: ClassVar[bool] = True

    def __init__(self, *, margin: float = 0.1, form: str = "code") -> None:
        _check_form(self.name, form, ("code", "exact"))
        if not margin >= 0:
            raise UsageError(f"the margin of a loss is 0 or more, got {margin}")
        self.margin, self.form = margin, form

    def __call__(self, scores: Tensor, weights: Tensor, positives: Tensor) -> Tensor:
        """Return the loss, a scalar of the scores' type; shapes as the module says."""
        if scores.shape[0] != scores.shape[1]:
            return self._of_candidates(scores, weights, positives)
        apply: Callable[..., Tensor] = _MaxMargin.apply
        return apply(scores, weights, self.margin, self._is_exact)

    def _of_candidates(self, scores: Tensor, weights: Tensor, positives: Tensor) -> Tensor:
        own = _own_scores(scores)
        raised = scores + self.margin
        cells = (raised - own.amax(dim=1, keepdim=True)).relu()
        cells = cells + (raised - own.reshape(1, -1)).relu()
        weights = weights.masked_fill(positives, 0)
        cells = cells * weights
        return cells.sum() / _tiny_at_least(weights.sum()) if self._is_exact else cells.mean()

    @property
    def _is_exact(self) -> bool:
        return self.form == "exact"


class _MaxMargin(torch.autograd.Function):
    """The loss of one caption a clip, with its gradient taken on the way.

    Plain operations would keep six arrays of B^2 for the gradient and walk through memory a dozen
    times. Here a few rows at a time are finished while they are in the cache; two arrays of B^2 are
    made in all: the cells, which are summed at once to give the bits of the plain formula, and the
    gradient, where one is wanted.
    """

    @staticmethod
    def forward(ctx: Any, scores: Tensor, weights: Tensor, margin: float, exact: bool) -> Tensor:
        right = scores.diagonal()
        cells = torch.empty_like(scores, memory_format=torch.contiguous_format)
        slope = torch.empty_like(cells) if ctx.needs_input_grad[0] else None
        of_rows, of_columns = torch.zeros_like(right), torch.zeros_like(right)
        for part in _parts_of(scores):
            raised = scores[part] + margin
            by_clip = (raised - right[part, None]).relu_()
            by_caption = raised.sub_(right[None, :]).relu_()
            torch.add(by_clip, by_caption, out=cells[part]).mul_(weights[part])
            if slope is not None:
                by_clip.sign_().mul_(weights[part])
                by_caption.sign_().mul_(weights[part])
                of_rows[part] = by_clip.sum(dim=1)
                of_columns += by_caption.sum(dim=0)
                torch.add(by_clip, by_caption, out=slope[part])
        if exact:
            cells.diagonal().mul_(0)  # not filled: a NaN stays one
            mass = _tiny_at_least(weights.sum() - weights.diagonal().sum())
            loss, share = cells.sum() / mass, 1 / mass
        else:
            loss, share = cells.mean(), torch.full_like(right[:1], 1 / max(1, cells.numel()))[0]
        if slope is not None:
            slope.diagonal().sub_(of_rows + of_columns)
            ctx.save_for_backward(slope, share)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None, None, None]:
        slope, share = ctx.saved_tensors
        return slope * (outer * share), None, None, None


def _tiny_at_least(mass: Tensor) -> Tensor:
    """What a sum of weights divides by: where it is 0, so is what it divides."""
    return mass.clamp(min=torch.finfo(mass.dtype).tiny)


def _check_form(name: str, form: str, known: tuple[str, ...]) -> None:
    if form not in known:
        raise UsageError(f"loss {name!r} has no form {form!r}; there are {' and '.join(known)}")


# --- contrastive ---


class _Sums(torch.autograd.Function):
    """What both losses below are made of, a few rows at a time, with a gradient.

    Plain operations would make five or six arrays of B^2, and keep them. Here the gradient is the
    only one; the logits of wrong pairs are computed twice, while they are in the cache.
    """

    @staticmethod
    def forward(
        ctx: Any, scores: Tensor, weights: Tensor, positives: Tensor, scale: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of right pairs, (B, K); and for each clip (B,) and each caption (C,) the logarithm
        of the sum over its wrong pairs of weight times exp(logit). A logit is score times scale."""
        of_clips = scores.new_empty(len(scores))
        most = scores.new_full(scores.shape[1:], -torch.inf)
        summed = scores.new_zeros(scores.shape[1:])
        for part in _parts_of(scores):
            wrong = _wrong_logits(scores, weights, positives, scale, part)
            of_clips[part] = wrong.logsumexp(dim=1)
            # Of captions the sums so far, less the highest logit so far.
            more = torch.maximum(most, wrong.amax(dim=0))
            summed = summed * (most - more).exp_() + wrong.sub_(more).exp_().sum(dim=0)
            most = more
        of_captions = summed.log_().add_(most)
        ctx.save_for_backward(scores, weights, positives, of_clips, of_captions)
        ctx.scale = scale
        return _own_scores(scores) * scale, of_clips, of_captions

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, right: Tensor, clips: Tensor, captions: Tensor
    ) -> tuple[Tensor, None, None, None]:
        scores, weights, positives, of_clips, of_captions = ctx.saved_tensors
        slope = torch.empty_like(scores, memory_format=torch.contiguous_format)
        for part in _parts_of(scores):
            wrong = _wrong_logits(scores, weights, positives, ctx.scale, part)
            by_clip = (wrong - of_clips[part, None]).exp_().mul_(clips[part, None])
            by_caption = wrong.sub_(of_captions).exp_().mul_(captions)
            torch.add(by_clip, by_caption, out=slope[part])
        _own_scores(slope).add_(right)
        return slope.mul_(ctx.scale), None, None, None


def _wrong_logits(
    scores: Tensor, weights: Tensor, positives: Tensor, scale: float, part: slice
) -> Tensor:
    """Logits of wrong pairs, some rows, with the logarithm of their weight added; right pairs: very
    low ones.

    Added, not put in their place: what weighs 0 does not hide a NaN. Not -infinity: where nothing
    else is in a sum, the gradient would be NaN.
    """
    counted = weights[part].masked_fill(positives[part], 0).to(scores.dtype)
    return counted.log_().clamp_(min=_NOTHING).add_(scores[part], alpha=scale)


class MilNceLoss:
    """All K candidates of a clip together are to outweigh all wrong pairs of the clip and of them.

    With P the sum of exp(score) over a clip's candidates, and N over wrong captions of the clip and
    wrong clips of its candidates, each times its weight; the mean over clips of

    - `code`, as published: -log(P / (2 P + N)): the candidates are counted in both directions. It
      is never below log 2.
    - `paper`: -log(P / (P + N)).

    Scores are dot products of embeddings that are not normalised.

    Args:
        form: `code` or `paper`.

    Source: Miech et al., End-to-End Learning of Visual Representations from Uncurated Instructional
    Videos, CVPR 2020 (arXiv:1912.06430), equation 1, and the behaviour of the published code.
    """

    name: ClassVar[str] = "mil-nce"
    normalised: ClassVar[bool] = False

    def __init__(self, *, form: str = "code") -> None:
        _check_form(self.name, form, ("code", "paper"))
        self.form = form

    def __call__(self, scores: Tensor, weights: Tensor, positives: Tensor) -> Tensor:
        """Return the loss, a scalar of the scores' type; shapes as the module says."""
        apply: Callable[..., tuple[Tensor, Tensor, Tensor]] = _Sums.apply
        own, captions, clips = apply(scores, weights, positives, 1.0)
        right = own.logsumexp(dim=1)
        clips = clips.view(len(scores), -1).logsumexp(dim=1)
        counted = [right, right] if self.form == "code" else [right]
        everything = torch.stack([*counted, captions, clips]).logsumexp(dim=0)
        return (everything - right).mean()


class InfoNceLoss:
    """Each clip is to pick its caption out of the batch, and each caption its clip.

    The mean over clips of -log(P / (P + N)) and that over captions, halved: P is exp(score / t) of
    the right pair (of all candidates together, where a clip has several) and N the sum over wrong
    ones, each times its weight.

    Args:
        temperature: t, over 0; scores are cosines.

    Source: van den Oord et al., Representation Learning with Contrastive Predictive Coding, 2018
    (arXiv:1807.03748); in both directions and with this temperature: Radford et al., Learning
    Transferable Visual Models From Natural Language Supervision, 2021 (arXiv:2103.00020).
    """

    name: ClassVar[str] = "info-nce"
    normalised: ClassVar[bool] = True

    def __init__(self, *, temperature: float = 0.07) -> None:
        if not temperature > 0:
            raise UsageError(f"the temperature of a loss is over 0, got {temperature}")
        self.temperature = temperature

    def __call__(self, scores: Tensor, weights: Tensor, positives: Tensor) -> Tensor:
        """Return the loss, a scalar of the scores' type; shapes as the module says."""
        apply: Callable[..., tuple[Tensor, Tensor, Tensor]] = _Sums.apply
        right, captions, clips = apply(scores, weights, positives, 1 / self.temperature)
        of_clips = right.logsumexp(dim=1)
        among_captions = torch.logaddexp(of_clips, captions) - of_clips
        of_captions = right.reshape(-1)
        among_clips = torch.logaddexp(of_captions, clips) - of_captions
        return (among_captions.mean() + among_clips.mean()) / 2

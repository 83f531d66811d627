"""Sizes that fit the number of pairs: a library of a folder is no HowTo100M.

The paper's 4096 dimensions have 67 million parameters in the gates alone; on a few hundred pairs
that is slow, and learns them by heart. And where an epoch, which visits each video once, is one
batch, the paper's 15 epochs are 15 steps, after which nothing is learned. So what nobody says grows
with the library, up to the paper's values: dimensions, epochs, the learning rate and its decay,
which over the whole run is the paper's, 0.9 to the power of 15.
"""

from dataclasses import dataclass, replace

from howto.train.config import TrainOptions

__all__ = ["Sized", "dim_for", "encoder_name", "sized"]

_DIMS = ((2_000, 128), (20_000, 256), (200_000, 1024), (2_000_000, 2048))
_PAPER_DIM = 4096
_PAPER_EPOCHS, _PAPER_RATE, _PAPER_DECAY = 15, 1e-4, 0.9
_LEAST_STEPS = 600
_QUICK_RATE = 1e-3  # for embeddings of fewer dimensions
_QUICK_BELOW = 2048


@dataclass(frozen=True, slots=True)
class Sized:
    """Options with nothing left open.

    Attributes:
        options: epochs, lr, lr_decay and validate_every are numbers.
        chosen: what was left open and is not the paper's, for people.
    """

    options: TrainOptions
    chosen: tuple[str, ...]


def dim_for(num_pairs: int) -> int:
    """D of the embedding where nobody says: 128 below 2,000 pairs, up to the paper's 4096."""
    return next((dim for most, dim in _DIMS if num_pairs < most), _PAPER_DIM)


def encoder_name(given: str | None, weights: str | None) -> str:
    """The text encoder where nobody says: the paper's needs a file of word vectors."""
    return given or ("word2vec" if weights else "learned")


def sized(options: TrainOptions, steps_per_epoch: int, dim: int) -> Sized:
    """Fill in what the options leave open.

    Args:
        steps_per_epoch: of the optimiser.
        dim: D of the embedding.
    """
    needed = -(-_LEAST_STEPS // max(1, steps_per_epoch))
    epochs = options.epochs or max(_PAPER_EPOCHS, needed)
    rate = options.lr or (_QUICK_RATE if dim < _QUICK_BELOW else _PAPER_RATE)
    decay = options.lr_decay or _PAPER_DECAY ** (_PAPER_EPOCHS / max(_PAPER_EPOCHS, epochs))
    every = options.validate_every
    if every is None:
        every = max(1, epochs // _PAPER_EPOCHS)
    chosen = []
    if options.epochs is None and epochs != _PAPER_EPOCHS:
        chosen.append(f"{epochs} epochs, for {epochs * steps_per_epoch} steps (--epochs)")
    if options.lr is None and rate != _PAPER_RATE:
        chosen.append(f"learning rate {rate:g}, for {dim} dimensions (--lr)")
    return Sized(
        replace(options, epochs=epochs, lr=rate, lr_decay=decay, validate_every=every),
        tuple(chosen),
    )

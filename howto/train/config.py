"""The options of a training run: one record, made once, checked, and kept with the run.

A flag goes over the file, the file over the default. An option nobody knows is an error that names
the nearest one.
"""

import difflib
import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from howto.errors import UsageError
from howto.train.schedule import SCHEDULES

__all__ = ["PRECISIONS", "TrainOptions", "merged", "read_config"]

PRECISIONS = ("auto", "fp32", "bf16")
FORMS = ("auto", "code", "paper", "exact")


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """Everything that says how a run trains. Names are those of the flags.

    Attributes:
        backbone: whose features clips are made of, in the order in which they stand side by side;
            None: the paper's two where both are there, else all that are.
        text_encoder: name of a text encoder; None: `word2vec` where `text_weights` are given, else
            `learned`.
        text_weights: what the text encoder loads, such as a file of word vectors.
        max_words: the most words of a caption that count; None: as many as the text encoder has by
            default, 20 for those over words, all that it reads for a ready network.
        sampler: name of a negative sampler.
        intra: share of the negatives' mass that comes from the same video, for samplers that take
            it.
        loss: name of a loss.
        form: of the loss, where it has several: `code` as published, `paper` or `exact`; auto: that
            of the weighting for max-margin, else the loss's default.
        weighting: `code` or `exact`, see `howto.train.samplers`.
        keep_positives: fraction of the best-scoring right pairs of each video that train.
        mask_overlaps: leave out negatives of the same words, or whose clips overlap.
        clips: short hash of the pair set; None: the newest there is.
        margin: of max-margin.
        temperature: of InfoNCE.
        videos_per_batch, pairs_per_video: v and k.
        dim: D of the embedding; None: by the number of pairs.
        lr, lr_decay: learning rate, and its factor after each epoch (`schedule` exponential); None:
            the paper's, or what suits a small library (`howto.train.small`).
        schedule: exponential, cosine or constant.
        warmup_steps: over which the rate rises.
        epochs: each visits every video once; None: as `lr`.
        clip_gradient: the longest gradient; longer ones are shortened to it. 0: none are.
        accumulate: batches whose gradients make one step of the optimiser.
        precision: fp32, bf16 (autocast) or auto: bf16 on a CUDA device that computes in it.
        device: auto, cpu, cuda, cuda:N or mps.
        compile: by torch.compile.
        seed: of all chance.
        init: start from another run, by name, or from a file of the authors' checkpoint; or from a
            ready joint model, whose embeddings the run then adapts.
        validate: `own`: retrieval among held-out videos; `none`; or the name of a benchmark, on
            which the run is scored at its end: then no video is held out.
        validate_data: the folder or file of that benchmark's annotations.
        validate_every: epochs between two evaluations; 0: at the end alone; None: 15 in all.
        held_out: share of the videos that never train and are evaluated on.
        rank_at_most: only videos whose best search rank is this or better.
        fraction: of the training videos that is trained on.
        checkpoint_every: seconds between checkpoints; 0: after each step.
    """

    backbone: tuple[str, ...] | None = None
    text_encoder: str | None = None
    text_weights: str | None = None
    max_words: int | None = None
    sampler: str = "intra-video"
    intra: float = 0.5
    loss: str = "max-margin"
    form: str = "auto"
    weighting: str = "code"
    keep_positives: float = 1.0
    mask_overlaps: bool = False
    clips: str | None = None
    margin: float = 0.1
    temperature: float = 0.07
    videos_per_batch: int = 32
    pairs_per_video: int = 64
    dim: int | None = None
    lr: float | None = None
    lr_decay: float | None = None
    schedule: str = "exponential"
    warmup_steps: int = 0
    epochs: int | None = None
    clip_gradient: float = 0.0
    accumulate: int = 1
    precision: str = "auto"
    device: str = "auto"
    compile: bool = False
    seed: int = 1
    init: str | None = None
    validate: str = "own"
    validate_data: str | None = None
    validate_every: int | None = None
    held_out: float = 0.1
    rank_at_most: int | None = None
    fraction: float = 1.0
    checkpoint_every: float = 300.0

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(TrainOptions).items():
            _check_type(name, getattr(self, name), kind)
        for name, (is_right, expected) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not is_right(value):
                raise UsageError(f"--{_flag(name)} {value}: expected {expected}")
        names = self.backbone
        if names is not None and (not names or len(set(names)) < len(names)):
            raise UsageError("--backbone: expected one name or several, each once")
        self._check_benchmark()

    def _check_benchmark(self) -> None:
        if self.benchmark is None and self.validate_data is not None:
            raise UsageError("--validate-data goes with --validate BENCHMARK")
        if self.benchmark is not None and self.validate_data is None:
            raise UsageError(
                f"--validate {self.benchmark} needs its annotations; name their folder or file with"
                " --validate-data"
            )

    @property
    def benchmark(self) -> str | None:
        """The benchmark that the run is scored on at its end; None: none is."""
        return None if self.validate in ("own", "none") else self.validate

    def as_json(self) -> dict[str, Any]:
        """All options as JSON values."""
        names = None if self.backbone is None else list(self.backbone)
        return {**asdict(self), "backbone": names}


def _is_share(value: float) -> bool:
    return 0 <= value <= 1


def _is_part(value: float) -> bool:
    return 0 < value <= 1


def _is_positive(value: float) -> bool:
    return math.isfinite(value) and value > 0


def _is_not_negative(value: float) -> bool:
    return math.isfinite(value) and value >= 0


def _one_of(*names: str) -> tuple[Callable[[Any], bool], str]:
    return names.__contains__, f"one of {', '.join(names)}"


def _least(lowest: int) -> tuple[Callable[[Any], bool], str]:
    return lambda value: value >= lowest, f"{lowest} or more"


_Range = tuple[Callable[[Any], bool], str]
_SHARE: _Range = (_is_share, "0 to 1")
_PART: _Range = (_is_part, "above 0, at most 1")
_POSITIVE: _Range = (_is_positive, "a number above 0")
_NOT_NEGATIVE: _Range = (_is_not_negative, "0 or more")
_RANGES: Mapping[str, _Range] = {
    "max_words": _least(1),
    "intra": _SHARE,
    "form": _one_of(*FORMS),
    "weighting": _one_of("code", "exact"),
    "keep_positives": _PART,
    "margin": _NOT_NEGATIVE,
    "temperature": _POSITIVE,
    "videos_per_batch": _least(1),
    "pairs_per_video": _least(1),
    "dim": _least(1),
    "lr": _POSITIVE,
    "lr_decay": _POSITIVE,
    "schedule": _one_of(*SCHEDULES),
    "warmup_steps": _least(0),
    "epochs": _least(1),
    "clip_gradient": _NOT_NEGATIVE,
    "accumulate": _least(1),
    "precision": _one_of(*PRECISIONS),
    "seed": _least(0),
    "validate": (bool, "own, none, or the name of a benchmark"),
    "validate_every": _least(0),
    "held_out": (lambda value: 0 < value < 1, "above 0 and below 1"),
    "rank_at_most": _least(1),
    "fraction": _PART,
    "checkpoint_every": _NOT_NEGATIVE,
}


def _flag(name: str) -> str:
    return name.replace("_", "-")


def _check_type(name: str, value: Any, kind: Any) -> None:
    kinds = get_args(kind) if get_origin(kind) in (UnionType, Union) else (kind,)
    if any(_is_of(value, one) for one in kinds):
        return
    expected = " or ".join(_SPOKEN.get(one, "a list of names") for one in kinds)
    raise UsageError(f"option {name}: expected {expected}, got {value!r}")


_SPOKEN: Mapping[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    type(None): "nothing",
}


def _is_of(value: Any, kind: Any) -> bool:
    if get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(isinstance(one, str) for one in value)
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is kind


def merged(
    flags: Mapping[str, Any], config: Mapping[str, Any], over: TrainOptions | None = None
) -> TrainOptions:
    """Put the options together: a flag goes over the file, the file over the default.

    Args:
        flags: by name of the option; None: not given.
        config: what a file says, by name with hyphens or underscores.
        over: what stands where neither says anything, in place of the defaults.

    Raises:
        UsageError: an unknown option, with the nearest known one; a value that cannot be.
    """
    known = [field.name for field in fields(TrainOptions)]
    given: dict[str, Any] = {name: getattr(over or TrainOptions(), name) for name in known}
    for name, value in config.items():
        given[_known(name, known)] = value
    given |= {_known(name, known): value for name, value in flags.items() if value is not None}
    if isinstance(names := given["backbone"], str | list):
        # As the flag has it, with commas; or a list, as TOML and JSON do.
        parts = names.split(",") if isinstance(names, str) else names
        given["backbone"] = tuple(str(part).strip() for part in parts)
    return TrainOptions(**given)


def _known(name: str, known: list[str]) -> str:
    plain = name.replace("-", "_")
    if plain in known:
        return plain
    near = difflib.get_close_matches(plain, known, n=1)
    hint = f"Did you mean {_flag(near[0])}?" if near else f"There are: {', '.join(known)}."
    raise UsageError(f"no option of training is named {name!r}. {hint}")


def read_config(path: Path) -> dict[str, Any]:
    """Read a TOML file of options, either at the top or in a table `[train]`.

    Raises:
        UsageError: the file cannot be read, or is no TOML.
    """
    try:
        with path.open("rb") as file:
            found = tomllib.load(file)
    except OSError as error:
        raise UsageError(f"--config {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"--config {path} is no TOML: {error}") from error
    table = found.get("train", found)
    if not isinstance(table, dict):
        raise UsageError(f"--config {path}: 'train' is no table")
    if table is not found and len(found) > 1:
        others = ", ".join(sorted(set(found) - {"train"}))
        raise UsageError(f"--config {path}: beside [train] there is {others}")
    return dict(table)

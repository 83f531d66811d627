"""CTC forced alignment: the aligner `ctc:MODEL`, with torchaudio's acoustic models.

An acoustic model says for every instant of the sound how probable each character is; the alignment
is the most probable way to lay the words' characters, in order, over their sound. The path through
the model's output comes from torchaudio.

Source: Graves et al., Connectionist Temporal Classification, 2006; Kürzinger et al.,
CTC-Segmentation of Large Corpora for German End-to-end Speech Recognition, 2020 (arXiv:2007.09127);
torchaudio.functional.forced_align.
"""

import functools
import hashlib
import os
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from howto.errors import AlignmentError, PluginError, UnknownPlugin
from howto.transcribe.align import share_gaps

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

__all__ = [
    "FOLDER_VARIABLE",
    "AcousticModel",
    "CtcAligner",
    "LineTokens",
    "TorchaudioModel",
    "align_tokens",
    "align_words",
    "line_tokens",
]

FOLDER_VARIABLE = "HOWTO_CTC_WEIGHTS"
RATE = 16_000  # samples a second
RECEPTIVE_FIELD = 400  # samples that wav2vec 2.0's convolutions need for a first row


@runtime_checkable
class AcousticModel(Protocol):
    """What says which character is heard when.

    Attributes:
        labels: character to its column of the emissions, in one case; without the blank.
        blank: the column of CTC's blank.
        separator: the label between words, or None where the model has none.
        seconds_per_frame: the time that one row of the emissions stands for.
    """

    labels: Mapping[str, int]
    blank: int
    separator: str | None
    seconds_per_frame: float

    def emissions(self, samples: "NDArray[np.float32]") -> "torch.Tensor":
        """Return float32 (T, C) log probabilities for float32 (n,) samples at 16 kHz."""
        ...


@dataclass(frozen=True, slots=True)
class LineTokens:
    """The characters of a line as a model knows them.

    Attributes:
        tokens: columns of the emissions, in order.
        owners: of each token the position of its word; None for a separator.
    """

    tokens: tuple[int, ...]
    owners: tuple[int | None, ...]


# --- pure: characters, and the path through emissions ---


def line_tokens(words: Sequence[str], model: AcousticModel) -> LineTokens:
    """Write words in a model's characters; what it does not know is left out.

    An accented letter that is unknown stands as its plain letter. A word of which nothing is known
    (a number in digits) has no tokens, and gets what time its neighbours leave.
    """
    tokens: list[int] = []
    owners: list[int | None] = []
    for position, word in enumerate(words):
        spelt = _spelt(word, model.labels)
        if not spelt:
            continue
        if tokens and model.separator is not None:
            tokens.append(model.labels[model.separator])
            owners.append(None)
        tokens += spelt
        owners += [position] * len(spelt)
    return LineTokens(tuple(tokens), tuple(owners))


def _spelt(word: str, labels: Mapping[str, int]) -> list[int]:
    found = []
    for letter in word:
        plain = unicodedata.normalize("NFD", letter)[0]
        for form in (letter, letter.lower(), letter.upper(), plain.lower(), plain.upper()):
            if form in labels:
                found.append(labels[form])
                break
    return found


def align_tokens(
    emissions: "torch.Tensor", tokens: Sequence[int], blank: int
) -> list[tuple[int, int, float]] | None:
    """Lay tokens over frames.

    Args:
        emissions: float (T, C), log probabilities.
        tokens: in order; none is `blank`.

    Returns:
        For each token its first frame, the frame after its last, and its mean probability; None
        where the frames are too few: one for each token, and one more between two that are alike.

    Raises:
        ValueError: a token is the blank, or outside 0 .. C - 1.
    """
    import torch
    from torchaudio.functional import (  # type: ignore[import-untyped]
        forced_align,
        merge_tokens,
    )

    if any(token == blank or not 0 <= token < emissions.shape[1] for token in tokens):
        raise ValueError(f"tokens {list(tokens)}: expected 0..{emissions.shape[1] - 1}, no {blank}")
    alike = sum(a == b for a, b in pairwise(tokens))
    if not tokens:
        return []
    if len(tokens) + alike > len(emissions):
        return None
    targets = torch.tensor([list(tokens)], dtype=torch.int32)
    path, scores = forced_align(emissions[None].float().contiguous(), targets, blank=blank)
    spans = merge_tokens(path[0], scores[0].exp(), blank=blank)
    return [(span.start, span.end, span.score) for span in spans]


# --- words ---


def align_words(
    words: Sequence[str], samples: "NDArray[np.float32]", model: AcousticModel
) -> list[tuple[float, float]]:
    """Say when each word is said.

    Args:
        words: in order.
        samples: float32 (n,) at 16 kHz, in which they are said.

    Returns:
        For each word its start and end in seconds.

    Raises:
        AlignmentError: no character of the words is known to the model, there is no sound, or it is
            too short for them.
    """
    written = line_tokens(words, model)
    if not written.tokens:
        raise AlignmentError("no character of it is known to the acoustic model")
    if not len(samples):
        raise AlignmentError("there is no sound at its time")
    laid = align_tokens(model.emissions(samples), written.tokens, model.blank)
    if laid is None:
        raise AlignmentError("it has more characters than its sound has room for")
    seconds = len(samples) / RATE
    spans = _word_spans(written, laid, model.seconds_per_frame)
    within = {at: (min(start, seconds), min(end, seconds)) for at, (start, end) in spans.items()}
    return share_gaps(len(words), within, seconds)


def _word_spans(
    written: LineTokens, laid: Sequence[tuple[int, int, float]], seconds_per_frame: float
) -> dict[int, tuple[float, float]]:
    spans: dict[int, tuple[float, float]] = {}
    for owner, (first, last, _) in zip(written.owners, laid, strict=True):
        if owner is not None:
            start, _ = spans.get(owner, (first * seconds_per_frame, 0.0))
            spans[owner] = (start, last * seconds_per_frame)
    return spans


# --- an acoustic model of torchaudio's ---


class TorchaudioModel:
    """One of torchaudio's CTC models by name, from a file that is already here.

    Args:
        bundle: a name in `torchaudio.pipelines`, such as `WAV2VEC2_ASR_BASE_960H` (English) or
            `MMS_FA` (many languages, romanised).
        weights: the folder of the files; None: what HOWTO_CTC_WEIGHTS names, else torch.hub's own.
        device: as torch names it.

    Raises:
        UnknownPlugin: torchaudio has no CTC model of that name.
    """

    def __init__(
        self,
        bundle: str = "WAV2VEC2_ASR_BASE_960H",
        weights: str | None = None,
        device: str = "cpu",
    ) -> None:
        import torchaudio  # type: ignore[import-untyped]

        found: Any = getattr(torchaudio.pipelines, bundle, None)
        if not isinstance(found, torchaudio.pipelines.Wav2Vec2ASRBundle):
            known = ", ".join(_bundles())
            raise UnknownPlugin(f"torchaudio has no CTC model named {bundle!r}. There are: {known}")
        self._name, self._bundle, self._device = bundle, found, device
        self._weights = weights or os.environ.get(FOLDER_VARIABLE)
        self._network: Any = None
        labels = found.get_labels()
        self.blank = 0
        self.separator = "|" if "|" in labels else None
        self.labels: Mapping[str, int] = {
            label: at for at, label in enumerate(labels) if at and label != "*"
        }
        self.seconds_per_frame = 320 / RATE  # the stride of wav2vec 2.0's convolutions

    def ready(self) -> str | None:
        """Say which file is missing; None: it is there."""
        file = self.file
        if file.is_file():
            return None
        address = self._bundle._path
        if not address.startswith("https:"):
            address = f"https://download.pytorch.org/torchaudio/models/{address}"
        return (
            f"the weights of {self._name} are not here: no file {file}. Put {address} there (or "
            f"into another folder: --option ctc:{self._name}.weights=FOLDER, or {FOLDER_VARIABLE})"
        )

    def emissions(self, samples: "NDArray[np.float32]") -> "torch.Tensor":
        """Return float32 (T, C) log probabilities, a row for each 20 ms.

        Raises:
            PluginError: the weights are missing.
        """
        import numpy as np
        import torch

        network = self._loaded()
        if len(samples) < RECEPTIVE_FIELD:
            samples = np.pad(samples, (0, RECEPTIVE_FIELD - len(samples)))
        with torch.inference_mode():
            logits, _ = network(torch.from_numpy(samples)[None].to(self._device))
            # Where they are log probabilities already, this leaves them as they are.
            result: torch.Tensor = logits[0].float().log_softmax(dim=-1).cpu()
        return result

    def _loaded(self) -> Any:
        import torchaudio

        if self._network is None:
            if lacking := self.ready():
                raise PluginError(lacking)
            # The file is there, so torch.hub only reads it; weights_only refuses any code in it.
            options: dict[str, Any] = {
                "dl_kwargs": {"model_dir": str(self.file.parent), "weights_only": True}
            }
            if isinstance(self._bundle, torchaudio.pipelines.Wav2Vec2FABundle):
                options["with_star"] = False  # a column for any character would be no probability
            self._network = self._bundle.get_model(**options).to(self._device)
        return self._network

    @property
    def file(self) -> Path:
        """Where the weights are wanted, whether or not they are there."""
        import torch

        folder = Path(self._weights) if self._weights else Path(torch.hub.get_dir()) / "checkpoints"
        return folder.expanduser() / Path(self._bundle._path).name


def _bundles() -> list[str]:
    import torchaudio

    kind = torchaudio.pipelines.Wav2Vec2ASRBundle
    return sorted(
        name
        for name in dir(torchaudio.pipelines)
        if isinstance(getattr(torchaudio.pipelines, name), kind)
    )


# --- the aligner ---


class CtcAligner:
    """Lays captions over their sound with one of torchaudio's CTC models: a family by their name.

    Args:
        model: torchaudio's name of it, such as `WAV2VEC2_ASR_BASE_960H` (English).
        weights: the folder of the files; None: what HOWTO_CTC_WEIGHTS names, else torch.hub's own.
            Nothing is fetched.
        device: as torch names it.

    Raises:
        UnknownPlugin: torchaudio has no CTC model of that name.
    """

    sound_per_second = 10.0  # measured with wav2vec 2.0 base: docs/speech.md

    def __init__(self, model: str, *, weights: str | None = None, device: str = "cpu") -> None:
        import torchaudio

        self.name = f"ctc:{model}"
        self.version = f"1 (torchaudio {torchaudio.__version__})"
        self._model = TorchaudioModel(model, weights, device)

    @classmethod
    def variant(cls, argument: str, **options: Any) -> "CtcAligner":
        """Return the aligner with the model of that name."""
        return cls(argument, **options)

    def weights_hash(self) -> str:
        """Return the SHA-256 of the file of weights.

        Raises:
            PluginError: it is missing; the message names it, and where to get it.
        """
        if lacking := self._model.ready():
            raise PluginError(lacking)
        return _sha256(self._model.file, self._model.file.stat().st_mtime_ns)

    def align(
        self, words: Sequence[str], samples: "NDArray[np.float32]"
    ) -> list[tuple[float, float]]:
        """Say when each word is said, as `align_words` does.

        Raises:
            AlignmentError: these words cannot be laid over this sound.
            PluginError: the weights are missing.
        """
        return align_words(words, samples, self._model)


@functools.lru_cache(maxsize=2)
def _sha256(file: Path, changed: int) -> str:  # noqa: ARG001 a changed file is hashed again
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()

"""Word times for narration that has none: CTC forced alignment.

An acoustic model says for every instant of the sound how probable each character is; the alignment
is the most probable way to lay the line's characters, in order, over its sound. The model is
pluggable; the path through its output comes from torchaudio.

Source: Graves et al., Connectionist Temporal Classification, 2006; Kürzinger et al.,
CTC-Segmentation of Large Corpora for German End-to-end Speech Recognition, 2020 (arXiv:2007.09127);
torchaudio.functional.forced_align.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from howto.errors import PluginError, UsageError
from howto.records import Line, Narration, Problem, Word

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from howto.transcribe.gate import Passage

__all__ = [
    "AcousticModel",
    "Aligned",
    "Alignment",
    "LineTokens",
    "TorchaudioModel",
    "align_line",
    "align_narration",
    "align_tokens",
    "line_tokens",
]

RATE = 16_000  # samples a second
MARGIN = 0.5  # seconds of sound before and after a line that its words may lie in


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


class Aligned(StrEnum):
    """How it went for one line."""

    OK = "ok"
    NO_CHARACTERS = "no character of it is known to the acoustic model"
    TOO_LONG = "it has more characters than its sound has room for"
    NO_SOUND = "there is no sound at its time"


@dataclass(frozen=True, slots=True)
class Alignment:
    """The words of one line in time; none unless the outcome is OK.

    Attributes:
        score: mean probability of the characters where they were laid, 0..1.
    """

    outcome: Aligned
    words: tuple[Word, ...] = ()
    score: float = 0.0


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


# --- lines ---


def align_line(line: Line, sound: "Passage", model: AcousticModel) -> Alignment:
    """Give the words of one line their times.

    Args:
        line: its text is split at spaces; its own time is not looked at.
        sound: where the line is said, with the second at which it begins.
    """
    words = line.text.split()
    written = line_tokens(words, model)
    if not written.tokens:
        return Alignment(Aligned.NO_CHARACTERS)
    if not len(sound.samples):
        return Alignment(Aligned.NO_SOUND)
    laid = align_tokens(model.emissions(sound.samples), written.tokens, model.blank)
    if laid is None:
        return Alignment(Aligned.TOO_LONG)
    spans = _word_spans(written, laid, model.seconds_per_frame)
    timed = _all_timed(words, spans, (line.end - sound.start))
    scores = [score for _, _, score in laid]
    placed = tuple(
        Word(round(sound.start + start, 3), round(sound.start + end, 3), word)
        for word, (start, end) in zip(words, timed, strict=True)
    )
    return Alignment(Aligned.OK, placed, sum(scores) / len(scores))


def _word_spans(
    written: LineTokens, laid: Sequence[tuple[int, int, float]], seconds_per_frame: float
) -> dict[int, tuple[float, float]]:
    spans: dict[int, tuple[float, float]] = {}
    for owner, (first, last, _) in zip(written.owners, laid, strict=True):
        if owner is not None:
            start, _ = spans.get(owner, (first * seconds_per_frame, 0.0))
            spans[owner] = (start, last * seconds_per_frame)
    return spans


def _all_timed(
    words: Sequence[str], spans: Mapping[int, tuple[float, float]], length: float
) -> list[tuple[float, float]]:
    """Words without characters share the gap between their neighbours."""
    timed: list[tuple[float, float]] = []
    for position in range(len(words)):
        if position in spans:
            timed.append(spans[position])
            continue
        before = timed[-1][1] if timed else 0.0
        after = next(
            (spans[later][0] for later in range(position, len(words)) if later in spans),
            max(before, length),
        )
        waiting = next(
            (later - position for later in range(position, len(words)) if later in spans),
            len(words) - position,
        )
        timed.append((before, before + max(0.0, after - before) / waiting))
    return timed


def align_narration(
    narration: Narration, samples: "NDArray[np.float32]", model: AcousticModel
) -> Narration:
    """Give word times to the lines that have none; lines that have some pass unchanged.

    Args:
        samples: float32 (n,) at 16 kHz: all of the video's sound, from its start.

    Returns:
        The narration with words. A line that cannot be aligned passes unchanged, and one problem
        for each outcome says how many did. Start and end of a line stay as they were.
    """
    from howto.transcribe.gate import Passage

    lines: list[Line] = []
    outcomes: Counter[Aligned] = Counter()
    for line in narration.lines:
        if line.words or not line.text.strip():
            lines.append(line)
            continue
        start = max(0.0, line.start - MARGIN)
        heard = samples[round(start * RATE) : round((line.end + MARGIN) * RATE)]
        found = align_line(line, Passage(start, heard), model)
        outcomes[found.outcome] += 1
        lines.append(replace(line, words=found.words) if found.words else line)
    return replace(
        narration, lines=tuple(lines), problems=(*narration.problems, *_problems(outcomes))
    )


def _problems(outcomes: Mapping[Aligned, int]) -> Iterable[Problem]:
    for outcome in Aligned:
        if outcome is not Aligned.OK and outcomes.get(outcome):
            yield Problem(None, f"no word times for {outcomes[outcome]} lines: {outcome}")


# --- an acoustic model of torchaudio's ---


class TorchaudioModel:
    """One of torchaudio's CTC models by name, from a file that is already here.

    Args:
        bundle: a name in `torchaudio.pipelines`, such as `WAV2VEC2_ASR_BASE_960H` (English) or
            `MMS_FA` (many languages, romanised).
        weights: the folder of the files; None: torch.hub's own.
        device: as torch names it.

    Raises:
        UsageError: torchaudio has no CTC model of that name.
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
            raise UsageError(f"torchaudio has no CTC model named {bundle!r}")
        self._name, self._bundle, self._device = bundle, found, device
        self._weights = weights
        self._network: Any = None
        labels = found.get_labels()
        self.blank = 0
        self.separator = "|" if "|" in labels else None
        self.labels = {label: at for at, label in enumerate(labels) if at and label != "*"}
        self.seconds_per_frame = 320 / RATE  # the stride of wav2vec 2.0's convolutions

    def ready(self) -> str | None:
        """Say which file is missing; None: it is there."""
        file = self._file()
        if file.is_file():
            return None
        address = self._bundle._path
        if not address.startswith("https:"):
            address = f"https://download.pytorch.org/torchaudio/models/{address}"
        return f"the weights of {self._name} are not here: no file {file}. Put {address} there"

    def emissions(self, samples: "NDArray[np.float32]") -> "torch.Tensor":
        """Return float32 (T, C) log probabilities, a row for each 20 ms.

        Raises:
            PluginError: the weights are missing.
        """
        import torch

        network = self._loaded()
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
                "dl_kwargs": {"model_dir": str(self._file().parent), "weights_only": True}
            }
            if isinstance(self._bundle, torchaudio.pipelines.Wav2Vec2FABundle):
                options["with_star"] = False  # a column for any character would be no probability
            self._network = self._bundle.get_model(**options).to(self._device)
        return self._network

    def _file(self) -> Path:
        import torch

        folder = Path(self._weights) if self._weights else Path(torch.hub.get_dir()) / "checkpoints"
        return folder.expanduser() / Path(self._bundle._path).name

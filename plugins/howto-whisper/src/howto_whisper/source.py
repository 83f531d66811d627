"""A narration source: OpenAI's Whisper on what the speech-activity gate lets through."""

import importlib.metadata
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from howto.errors import UsageError
from howto.records import Kind, Narration, Video
from howto_whisper import decoding, weights
from howto_whisper.decoding import DecodingSettings

if TYPE_CHECKING:
    from howto.transcribe.gate import GateSettings, Window

__all__ = ["WhisperSource"]

WINDOW = 30.0  # seconds that the model hears at once


class WhisperSource:
    """Hears speech in about a hundred languages, with word times.

    Args:
        model: one of OpenAI's names (`tiny` to `large-v3-turbo`), or the path of a checkpoint.
        device: as torch names it; None: a GPU where there is one.
        weights: the folder of the models' files; None: what HOWTO_WHISPER_WEIGHTS names, else
            openai-whisper's own cache.
        download: fetch the model's file where it is missing. Nothing is fetched otherwise.
        language: the preferred one, as a tag such as `en`: taken where the model holds it at least
            `language_threshold` probable in the first windows, else the most probable one is. None:
            the most probable one.
        language_threshold: 0 to 1; with 0 the language is taken unheard. The default has not been
            measured.
        temperature: one, or several to try in order until the text looks sound.
        gate: when the gate opens and closes; None: its defaults.
        beam_size, patience, best_of, compression_ratio_threshold, logprob_threshold,
            no_speech_threshold, condition_on_previous_text, word_timestamps, batch_size: as in
            `DecodingSettings`.

    Raises:
        UsageError: no temperature, a negative one, a batch below 1, or a threshold outside 0..1.
    """

    name = "whisper"
    listens = True
    sound_per_second = 5.0  # base on two cores, reckoned: docs/speech.md

    def __init__(
        self,
        *,
        model: str = "base",
        device: str | None = None,
        weights: str | None = None,
        download: bool = False,
        language: str | None = None,
        language_threshold: float = 0.1,
        temperature: float | Iterable[float] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
        beam_size: int | None = None,
        patience: float | None = None,
        best_of: int | None = None,
        compression_ratio_threshold: float | None = 2.4,
        logprob_threshold: float | None = -1.0,
        no_speech_threshold: float | None = 0.6,
        condition_on_previous_text: bool = False,
        word_timestamps: bool = True,
        batch_size: int = 8,
        gate: "GateSettings | None" = None,
    ) -> None:
        given = (temperature,) if isinstance(temperature, int | float) else tuple(temperature)
        if not given or min(given) < 0 or batch_size < 1 or not 0 <= language_threshold <= 1:
            raise UsageError(
                f"whisper: temperature={temperature!r}, batch_size={batch_size},"
                f" language_threshold={language_threshold}: expected temperatures of at least 0, a"
                " batch of at least 1, and 0 to 1"
            )
        self._model, self._device, self._download = model, device, download
        self._folder = weights
        self._gate = gate
        self._settings = DecodingSettings(
            language=language.partition("-")[0].lower() if language else None,
            language_threshold=language_threshold,
            temperatures=given,
            beam_size=beam_size,
            patience=patience,
            best_of=best_of,
            compression_ratio_threshold=compression_ratio_threshold,
            logprob_threshold=logprob_threshold,
            no_speech_threshold=no_speech_threshold,
            condition_on_previous_text=condition_on_previous_text,
            word_timestamps=word_timestamps,
            batch_size=batch_size,
        )

    def ready(self) -> str | None:
        """Say which file of weights is missing; None: it is there, or may be downloaded."""
        if self._download:
            return None
        return weights.missing(self._model, weights.weights_folder(self._folder))

    def narrate(self, video: Video) -> Narration | None:
        """Recognise what is said; None where the gate hears nobody, or nothing is left.

        Lines that look made up are left out, and counted among the narration's problems.

        Raises:
            MediaError: the sound cannot be read.
            PluginError: the weights are missing or damaged.
            UsageError: whisper does not know the language.
        """
        from howto.transcribe.hallucination import without_hallucinations

        if video.info is not None and not video.info.has_audio:
            return None
        spans: list[tuple[float, float]] = []
        windows = _remembering(self._windows(video), spans)
        first = next(windows, None)
        if first is None:  # before the model is loaded: silence costs nothing
            return None
        network = weights.load(
            self._model,
            weights.weights_folder(self._folder),
            self._device or _best_device(),
            self._download,
        )
        found, language = decoding.transcribed(network, _with(first, windows), self._settings)
        lines, problems = without_hallucinations(
            [line for _, line in found], [number for number, _ in found], spans
        )
        if not lines:
            return None
        return Narration(lines, language, Kind.AUTOMATIC, self._described(), problems)

    def _windows(self, video: Video) -> Iterator["Window"]:
        from howto.media.audio import sound
        from howto.transcribe.gate import RATE, packed, passages

        return packed(passages(sound(video.path, RATE), self._gate, WINDOW), WINDOW)

    def _described(self) -> str:
        version = importlib.metadata.version("openai-whisper")
        return f"whisper {self._model} (openai-whisper {version})"


def _remembering(
    windows: Iterable["Window"], spans: list[tuple[float, float]]
) -> Iterator["Window"]:
    for window in windows:
        spans += window.spans
        yield window


def _with(first: "Window", others: Iterable["Window"]) -> Iterator["Window"]:
    yield first
    yield from others


def _best_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"

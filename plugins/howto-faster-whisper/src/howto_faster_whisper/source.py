"""A narration source: faster-whisper on what the speech-activity gate lets through.

faster-whisper: SYSTRAN, https://github.com/SYSTRAN/faster-whisper, MIT licence.
"""

import importlib.metadata
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from howto.errors import UsageError
from howto.records import Kind, Line, Narration, Video, Word
from howto_faster_whisper import weights

if TYPE_CHECKING:
    import faster_whisper

    from howto.transcribe.gate import GateSettings, Window

__all__ = ["FasterWhisperSource"]

WINDOW = 30.0  # seconds that the model hears at once
# Between two windows that are given at once; no text is asked for there.
APART = 1.0  # seconds


class FasterWhisperSource:
    """Hears speech in about a hundred languages, with word times, in less time than `whisper`.

    Args:
        model: a name that faster-whisper knows (`tiny` to `large-v3-turbo`, `distil-large-v3`), or
            the path of a converted model's folder.
        device: `cpu`, `cuda`, or `auto`: a GPU where there is one.
        compute_type: as CTranslate2 names it; `default` is what the model was saved in.
        weights: the folder of the models' folders; None: what HOWTO_FASTER_WHISPER_WEIGHTS names,
            else the Hugging Face hub's cache.
        download: fetch the model where it is missing. Nothing is fetched otherwise.
        language: the preferred one, as a tag such as `en`: taken where the model holds it at least
            `language_threshold` probable in the first windows, else the most probable one is. None:
            the most probable one.
        language_threshold: 0 to 1; with 0 the language is taken unheard. The default has not been
            measured.
        temperature: one, or several to try in order until the text looks sound; only the first
            counts while windows are decoded side by side.
        condition_on_previous_text: show a window the text of the one before; windows are then
            decoded one after the other.
        gate: when the gate opens and closes; None: its defaults.
        beam_size, patience, best_of, compression_ratio_threshold, logprob_threshold,
            no_speech_threshold, word_timestamps: as in faster-whisper.
        batch_size: windows of 30 s decoded at once; with 1 they are decoded one after the other,
            with all temperatures and thresholds.

    Raises:
        UsageError: no temperature, a negative one, a batch below 1, or a threshold outside 0..1.
    """

    name = "faster-whisper"
    listens = True
    sound_per_second = 10.0  # base on two cores, reckoned: docs/speech.md

    def __init__(
        self,
        *,
        model: str = "base",
        device: str = "auto",
        compute_type: str = "default",
        weights: str | None = None,
        download: bool = False,
        language: str | None = None,
        language_threshold: float = 0.1,
        temperature: float | Iterable[float] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
        beam_size: int = 5,
        patience: float = 1.0,
        best_of: int = 5,
        compression_ratio_threshold: float | None = 2.4,
        logprob_threshold: float | None = -1.0,
        no_speech_threshold: float | None = 0.6,
        condition_on_previous_text: bool = False,
        word_timestamps: bool = True,
        batch_size: int = 8,
        gate: "GateSettings | None" = None,
    ) -> None:
        given = [temperature] if isinstance(temperature, int | float) else list(temperature)
        if not given or min(given) < 0 or batch_size < 1 or not 0 <= language_threshold <= 1:
            raise UsageError(
                f"faster-whisper: temperature={temperature!r}, batch_size={batch_size},"
                f" language_threshold={language_threshold}: expected temperatures of at least 0, a"
                " batch of at least 1, and 0 to 1"
            )
        self._model, self._device, self._compute_type = model, device, compute_type
        self._folder, self._download = weights, download
        self._gate = gate
        self._language = language.partition("-")[0].lower() if language else None
        self._language_threshold = language_threshold
        self._batch_size = 1 if condition_on_previous_text else batch_size
        self._options: dict[str, Any] = {
            "temperature": given,
            "beam_size": beam_size,
            "patience": patience,
            "best_of": best_of,
            "compression_ratio_threshold": compression_ratio_threshold,
            "log_prob_threshold": logprob_threshold,
            "no_speech_threshold": no_speech_threshold,
            "condition_on_previous_text": condition_on_previous_text,
            "word_timestamps": word_timestamps,
            "without_timestamps": False,
        }

    def ready(self) -> str | None:
        """Say which weights are missing; None: they are there, or may be downloaded."""
        return None if self._download else weights.missing(self._model, self._folder)

    def narrate(self, video: Video) -> Narration | None:
        """Recognise what is said; None where the gate hears nobody, or nothing is left.

        Lines that look made up are left out, and counted among the narration's problems.

        Raises:
            MediaError: the sound cannot be read.
            PluginError: the weights are missing or damaged.
            UsageError: the model does not know the language.
        """
        from howto.transcribe.hallucination import without_hallucinations

        if video.info is not None and not video.info.has_audio:
            return None
        heard = _Heard()
        for batch in _batches(self._windows(video), self._batch_size):
            self._listen(batch, heard)
        found = sorted(heard.lines, key=lambda one: one[1].start)
        lines, problems = without_hallucinations(
            [line for _, line in found], [number for number, _ in found], heard.spans
        )
        if not lines:
            return None
        version = importlib.metadata.version("faster-whisper")
        source = f"faster-whisper {self._model} (faster-whisper {version})"
        return Narration(lines, heard.language, Kind.AUTOMATIC, source, problems)

    def _windows(self, video: Video) -> Iterator["Window"]:
        from howto.media.audio import sound
        from howto.transcribe.gate import RATE, packed, passages

        return packed(passages(sound(video.path, RATE), self._gate, WINDOW), WINDOW)

    def _listen(self, windows: Sequence["Window"], heard: "_Heard") -> None:
        import numpy as np

        starts, samples = _side_by_side(windows)
        clips = [
            {"start": start, "end": start + window.seconds}
            for start, window in zip(starts, windows, strict=True)
        ]
        if heard.language is None:
            heard.language = self._preferred(windows)
        segments, language = self._transcribe(samples, clips, heard)
        heard.language = language
        edges = np.array(starts)
        for segment in segments:
            middle = (segment.start + segment.end) / 2
            at = max(0, int(np.searchsorted(edges, middle, side="right")) - 1)
            heard.add(_lines(segment, windows[at], starts[at]), heard.windows + at)
        heard.windows += len(windows)
        heard.spans += [span for window in windows for span in window.spans]

    def _preferred(self, windows: Sequence["Window"]) -> str | None:
        """The preferred language, if it is probable enough over these windows."""
        wanted = self._language
        if wanted is None:
            return None
        model = self._model_loaded()
        if wanted not in model.supported_languages:
            raise UsageError(f"faster-whisper model {self._model!r} knows no language {wanted!r}")
        if self._language_threshold <= 0 or not model.model.is_multilingual:
            return wanted
        mean = 0.0
        for window in windows:
            _, _, heard = model.detect_language(window.samples)
            mean += dict(heard)[wanted] / len(windows)
        return wanted if mean >= self._language_threshold else None

    def _model_loaded(self) -> "faster_whisper.WhisperModel":
        return weights.load(
            self._model, self._folder, self._device, self._compute_type, self._download
        )

    def _transcribe(
        self, samples: Any, clips: list[dict[str, float]], heard: "_Heard"
    ) -> tuple[Iterable["faster_whisper.transcribe.Segment"], str]:
        import faster_whisper

        model = self._model_loaded()
        if self._batch_size > 1:
            pipeline = faster_whisper.BatchedInferencePipeline(model)
            segments, info = pipeline.transcribe(
                samples,
                language=heard.language,
                clip_timestamps=clips,
                batch_size=self._batch_size,
                **self._options,
            )
        else:
            segments, info = model.transcribe(
                samples,
                language=heard.language,
                initial_prompt=heard.last_text(self._options["condition_on_previous_text"]),
                **self._options,
            )
        return segments, info.language


class _Heard:
    """What was heard so far of one video."""

    def __init__(self) -> None:
        self.language: str | None = None
        self.lines: list[tuple[int, Line]] = []
        self.spans: list[tuple[float, float]] = []
        self.windows = 0

    def add(self, lines: Iterable[Line], window: int) -> None:
        self.lines += [(window, line) for line in lines]

    def last_text(self, wanted: bool) -> str | None:
        """The text of the window before, where the next one is to see it."""
        before = [line.text for window, line in self.lines if window == self.windows - 1]
        return " ".join(before) if wanted and before else None


def _batches(windows: Iterable["Window"], size: int) -> Iterator[list["Window"]]:
    waiting = iter(windows)
    while batch := list(islice(waiting, size)):
        yield batch


def _side_by_side(windows: Sequence["Window"]) -> tuple[list[float], Any]:
    """One sound of all windows, and the second at which each begins."""
    import numpy as np

    from howto.transcribe.gate import RATE

    apart = np.zeros(round(APART * RATE), np.float32)
    parts, starts, at = [], [], 0
    for window in windows:
        starts.append(at / RATE)
        parts += [window.samples, apart]
        at += len(window.samples) + len(apart)
    return starts, np.concatenate(parts[:-1])


def _lines(segment: Any, window: "Window", start: float) -> Iterator[Line]:
    """The lines of one segment on the video's clock: one for each piece that it was heard in."""
    if not segment.words:
        begins, ends = window.on_clock(float(segment.start) - start, float(segment.end) - start)
        if text := segment.text.strip():
            yield Line(round(begins, 3), round(ends, 3), text)
        return
    # Some of its times are numpy's.
    placed = [(word, float(word.start) - start, float(word.end) - start) for word in segment.words]
    for _, group in groupby(placed, key=lambda one: window.piece_at(one[1], one[2])):
        part = list(group)
        text = "".join(word.word for word, _, _ in part).strip()
        if text:
            words = tuple(_timed(part, window))
            yield Line(words[0].start, max(word.end for word in words), text, words)


def _timed(placed: Iterable[tuple[Any, float, float]], window: "Window") -> Iterator[Word]:
    earliest = 0.0
    for word, begins, ends in placed:
        if text := word.word.strip():
            start, end = window.on_clock(begins, ends)
            earliest = max(earliest, round(start, 3))
            yield Word(earliest, max(earliest, round(end, 3)), text)

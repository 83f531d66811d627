"""From windows of sound to lines with word times, many windows at once.

openai-whisper's own `transcribe` walks through a file window by window, each begun where the one
before ended. The gate has cut ours already, so they can be decoded side by side; when to try again
at a higher temperature, and when to believe that nobody speaks, is as there.

Whisper: Radford et al., Robust Speech Recognition via Large-Scale Weak Supervision, 2022
(arXiv:2212.04356); https://github.com/openai/whisper, MIT licence.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from howto.errors import UsageError
from howto.records import Line, Word

if TYPE_CHECKING:
    import torch
    import whisper
    from whisper.decoding import DecodingResult
    from whisper.tokenizer import Tokenizer

    from howto.transcribe.gate import Window

__all__ = ["DecodingSettings", "Segment", "lines_of_window", "segments_of", "transcribed"]

SECONDS_PER_TIMESTAMP = 0.02
HOTTEST_PROMPT = 0.5  # text sampled at a higher temperature is not shown to the next window
SEED = 0


@dataclass(frozen=True, slots=True)
class DecodingSettings:
    """How windows are decoded; the names and defaults are openai-whisper's, but for two.

    Attributes:
        language: the preferred one, as whisper names it (`en`); None: none.
        language_threshold: the preferred one is taken where it is at least so probable in the first
            windows; else the most probable one is.
        temperatures: tried in this order, until a window's text looks sound.
        beam_size, patience: of the beam search at temperature 0; None: greedy.
        best_of: samples drawn at a temperature above 0.
        compression_ratio_threshold: text that compresses better is tried again; None: never.
        logprob_threshold: text with a lower mean log probability is tried again; None: never.
        no_speech_threshold: with a higher probability of silence and text below
            `logprob_threshold`, the window is silent; None: never.
        condition_on_previous_text: show a window the text of the one before. Off, unlike there: it
            carries mistakes on, and keeps windows from being decoded side by side.
        word_timestamps: on, unlike there.
        batch_size: windows decoded at once.
    """

    language: str | None = None
    language_threshold: float = 0.1
    temperatures: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    beam_size: int | None = None
    patience: float | None = None
    best_of: int | None = None
    compression_ratio_threshold: float | None = 2.4
    logprob_threshold: float | None = -1.0
    no_speech_threshold: float | None = 0.6
    condition_on_previous_text: bool = False
    word_timestamps: bool = True
    batch_size: int = 8


@dataclass(frozen=True, slots=True)
class Segment:
    """Text between two of whisper's time marks, in seconds from the window's start."""

    begins: float
    ends: float
    tokens: tuple[int, ...]


def transcribed(
    network: "whisper.Whisper", windows: Iterable["Window"], settings: DecodingSettings
) -> tuple[list[tuple[int, Line]], str | None]:
    """Transcribe windows.

    Args:
        windows: each at most 30 s.

    Returns:
        Lines in order of start, each with the number of its window; and the language, None where
        there were no windows.

    Raises:
        UsageError: whisper does not know the language.
    """
    size = 1 if settings.condition_on_previous_text else settings.batch_size
    if settings.language is not None:
        _require_known(network, settings.language)
    language: str | None = None
    prompt: list[int] = []
    lines: list[tuple[int, Line]] = []
    number = 0
    for batch in _batches(windows, size):
        mels = _mels(network, batch)
        language = language or _language(network, mels, settings)
        tokenizer = _tokenizer(network, language)
        results = _decoded(network, mels, language, prompt, settings)
        for window, mel, result in zip(batch, mels, results, strict=True):
            if not _is_silence(result, settings):
                found = _lines(network, tokenizer, window, mel, result, settings)
                lines += [(number, line) for line in found]
            number += 1
        if settings.condition_on_previous_text:
            prompt = _next_prompt(tokenizer, results[-1])
    return sorted(lines, key=lambda one: one[1].start), language


def _batches(windows: Iterable["Window"], size: int) -> Iterator[list["Window"]]:
    waiting = iter(windows)
    while batch := list(islice(waiting, size)):
        yield batch


def _mels(network: "whisper.Whisper", windows: Sequence["Window"]) -> "torch.Tensor":
    """float (B, mels, 3000), half precision on a GPU."""
    import torch
    import whisper

    mels = [
        whisper.log_mel_spectrogram(whisper.pad_or_trim(window.samples), network.dims.n_mels)
        for window in windows
    ]
    dtype = torch.float32 if network.device.type == "cpu" else torch.float16
    return torch.stack(mels).to(network.device, dtype)


def _language(network: "whisper.Whisper", mels: "torch.Tensor", settings: DecodingSettings) -> str:
    """The preferred language, if it is probable enough over all windows given; else the most
    probable one."""
    wanted = settings.language
    if not network.is_multilingual:
        return "en"
    if wanted is not None and settings.language_threshold <= 0:
        return wanted
    _, heard = network.detect_language(mels)
    mean = {tag: sum(one[tag] for one in heard) / len(heard) for tag in heard[0]}
    if wanted is not None and mean[wanted] >= settings.language_threshold:
        return wanted
    return max(mean, key=lambda tag: mean[tag])


def _require_known(network: "whisper.Whisper", language: str) -> None:
    tokenizer = _tokenizer(network, language)
    known = tokenizer.all_language_codes if network.is_multilingual else ("en",)
    if language not in known:
        raise UsageError(f"this whisper model knows no language {language!r}")


def _tokenizer(network: "whisper.Whisper", language: str) -> "Tokenizer":
    from whisper.tokenizer import get_tokenizer

    try:
        return get_tokenizer(
            network.is_multilingual,
            num_languages=network.num_languages,
            language=language,
            task="transcribe",
        )
    except ValueError as error:
        raise UsageError(f"whisper knows no language {language!r}") from error


def _decoded(
    network: "whisper.Whisper",
    mels: "torch.Tensor",
    language: str,
    prompt: list[int],
    settings: DecodingSettings,
) -> list["DecodingResult"]:
    """Decode all windows at the first temperature, and what looks wrong at the next."""
    import torch
    import whisper

    results: dict[int, DecodingResult] = {}
    waiting = list(range(len(mels)))
    # Sampling draws from torch's global state: seeded, so that a video is heard the same again,
    # and put back, because it is the caller's.
    with torch.random.fork_rng(devices=_cuda_devices(network)):
        torch.manual_seed(SEED)
        for temperature in settings.temperatures:
            options = whisper.DecodingOptions(
                language=language,
                temperature=temperature,
                beam_size=None if temperature else settings.beam_size,
                patience=None if temperature else settings.patience,
                best_of=settings.best_of if temperature else None,
                prompt=prompt or None,
                fp16=mels.dtype == torch.float16,
            )
            results |= zip(waiting, whisper.decode(network, mels[waiting], options), strict=True)
            waiting = [at for at in waiting if _looks_wrong(results[at], settings)]
            if not waiting:
                break
    return [results[at] for at in range(len(mels))]


def _cuda_devices(network: "whisper.Whisper") -> list[int]:
    device = network.device
    return [device.index or 0] if device.type == "cuda" else []


def _looks_wrong(result: "DecodingResult", settings: DecodingSettings) -> bool:
    if _is_silence(result, settings):
        return False
    most, least = settings.compression_ratio_threshold, settings.logprob_threshold
    loops = most is not None and result.compression_ratio > most
    return loops or (least is not None and result.avg_logprob < least)


def _is_silence(result: "DecodingResult", settings: DecodingSettings) -> bool:
    most, least = settings.no_speech_threshold, settings.logprob_threshold
    if most is None or not result.no_speech_prob > most:
        return False
    return least is None or result.avg_logprob < least


def _next_prompt(tokenizer: "Tokenizer", result: "DecodingResult") -> list[int]:
    if result.temperature > HOTTEST_PROMPT:
        return []
    return [token for token in result.tokens if token < tokenizer.eot]


# --- from tokens to lines ---


def segments_of(
    tokens: Sequence[int], first_mark: int, end_of_text: int, seconds: float
) -> list[Segment]:
    """Cut a window's tokens at its time marks.

    Args:
        tokens: text below `end_of_text`, marks from `first_mark` on; others are left out.
        first_mark: the token that stands for second 0.
        seconds: the window's length; no segment reaches over it.
    """
    segments: list[Segment] = []
    text: list[int] = []
    begins = 0.0
    for token in tokens:
        if token < end_of_text:
            text.append(token)
        elif token >= first_mark:
            at = min((token - first_mark) * SECONDS_PER_TIMESTAMP, seconds)
            if text:
                segments.append(Segment(begins, max(begins, at), tuple(text)))
                text = []
            begins = at
    if text:  # cut off before its end was marked
        segments.append(Segment(begins, max(begins, seconds), tuple(text)))
    return segments


def _lines(
    network: "whisper.Whisper",
    tokenizer: "Tokenizer",
    window: "Window",
    mel: "torch.Tensor",
    result: "DecodingResult",
    settings: DecodingSettings,
) -> list[Line]:
    segments = segments_of(result.tokens, tokenizer.timestamp_begin, tokenizer.eot, window.seconds)
    if not settings.word_timestamps:
        return [
            Line(*_rounded(window.on_clock(one.begins, one.ends)), text)
            for one in segments
            if (text := tokenizer.decode(list(one.tokens)).strip())
        ]
    lines: list[Line] = []
    for words in _timed_words(network, tokenizer, window, mel, segments):
        lines += lines_of_window(words, window)
    return lines


def _timed_words(
    network: "whisper.Whisper",
    tokenizer: "Tokenizer",
    window: "Window",
    mel: "torch.Tensor",
    segments: Sequence[Segment],
) -> list[list[Word]]:
    """The words of each segment, in seconds from the window's start."""
    from whisper.audio import FRAMES_PER_SECOND
    from whisper.timing import add_word_timestamps

    asked: list[dict[str, Any]] = [
        {"seek": 0, "start": one.begins, "end": one.ends, "tokens": list(one.tokens)}
        for one in segments
    ]
    add_word_timestamps(
        segments=asked,
        model=network,
        tokenizer=tokenizer,
        mel=mel,
        num_frames=round(window.seconds * FRAMES_PER_SECOND),
        last_speech_timestamp=0.0,
    )
    return [
        [Word(float(one["start"]), float(one["end"]), one["word"]) for one in segment["words"]]
        for segment in asked
    ]


def lines_of_window(words: Sequence[Word], window: "Window") -> list[Line]:
    """Put the words of one segment on the video's clock: a line for each piece of the window.

    A segment that goes on over a joint was heard at two places of the video.

    Args:
        words: in seconds from the window's start, with the spaces that whisper wrote.
    """
    lines = []
    for _, group in groupby(words, key=lambda word: window.piece_at(word.start, word.end)):
        part = list(group)
        text = "".join(word.text for word in part).strip()
        if text:
            timed = tuple(_timed(part, window))
            lines.append(Line(timed[0].start, max(word.end for word in timed), text, timed))
    return lines


def _timed(words: Sequence[Word], window: "Window") -> Iterator[Word]:
    earliest = 0.0
    for word in words:
        text = word.text.strip()
        if text:
            start, end = _rounded(window.on_clock(word.start, word.end))
            earliest = max(earliest, start)  # whisper's own corrections can cross
            yield Word(earliest, max(earliest, end), text)


def _rounded(span: tuple[float, float]) -> tuple[float, float]:
    return round(span[0], 3), round(span[1], 3)

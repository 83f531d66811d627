"""The speech-activity gate: where in a sound somebody may be speaking, before anybody transcribes.

Recognisers make up text for silence and music. The probability of speech comes from the Silero
network for 16 kHz, whose weights (v5, as safetensors) the silero-vad package brings along. It is
small, so it runs in numpy here: importing torch takes longer than the work. What is made of the
probabilities is ours.

Network and weights: Silero Team, https://github.com/snakers4/silero-vad, MIT licence. A test holds
our numpy against the package's own torch.
"""

import functools
import importlib.metadata
import importlib.util
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from howto.errors import PluginError, UsageError
from howto.recipe import Recipe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

__all__ = [
    "RATE",
    "GateSettings",
    "Passage",
    "Piece",
    "Span",
    "Window",
    "gate_recipe",
    "packed",
    "passages",
    "speech_probabilities",
    "speech_spans",
]

RATE = 16_000
"""Samples a second that the gate listens to."""

FRAME = 512  # samples; the network gives one probability for each: 32 ms
SECONDS_PER_FRAME = FRAME / RATE
CONTEXT = 64  # samples of the frame before, which the network sees too
FFT, HOP = 256, 128  # samples
STATE = 128  # numbers that the LSTM carries from frame to frame

Span = tuple[float, float]
"""Start and end in seconds."""


@dataclass(frozen=True, slots=True)
class GateSettings:
    """When the gate opens and closes.

    Attributes:
        opens: probability of speech from which a span begins.
        closes: probability below which it may end; between the two it stays as it is.
        shortest_pause: seconds below `closes` before a span ends.
        shortest_speech: seconds; what is shorter is a click or a knock.
        padding: seconds kept before and after, because consonants are quiet.

    Raises:
        UsageError: a probability outside 0..1, closes above opens, or a negative time.
    """

    opens: float = 0.5
    closes: float = 0.35
    shortest_pause: float = 0.4
    shortest_speech: float = 0.25
    padding: float = 0.2

    def __post_init__(self) -> None:
        if not 0 <= self.closes <= self.opens <= 1:
            raise UsageError(
                f"the gate closes at {self.closes} and opens at {self.opens}: expected"
                " 0 <= closes <= opens <= 1"
            )
        for name in ("shortest_pause", "shortest_speech", "padding"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name} of the gate is {getattr(self, name)} s, below 0")


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """Sound in which somebody may be speaking.

    Attributes:
        start: seconds on the video's clock.
        samples: float32 (n,), at 16 kHz.
    """

    start: float
    samples: "Samples"

    @property
    def end(self) -> float:
        """Seconds on the video's clock."""
        return self.start + len(self.samples) / RATE


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a window: seconds `begins` .. `ends` of the window are heard from `start` on."""

    begins: float
    ends: float
    start: float


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Passages joined to one sound, for recognisers that work on windows of fixed length.

    Attributes:
        samples: float32 (n,), at 16 kHz.
        pieces: where each part comes from, in order; there is at least one.
    """

    samples: "Samples"
    pieces: tuple[Piece, ...]

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / RATE

    def on_clock(self, begins: float, ends: float) -> Span:
        """Map a span of the window to the video's clock.

        A word that reaches over a joint belongs to the piece that holds most of it; what lies in
        the silence of a joint, or outside, goes to the nearest edge.

        Args:
            begins, ends: seconds from the window's start.
        """
        piece = self.piece_at(begins, ends)
        first, last = (min(max(at, piece.begins), piece.ends) for at in (begins, ends))
        return piece.start + first - piece.begins, piece.start + max(first, last) - piece.begins

    def piece_at(self, begins: float, ends: float) -> Piece:
        """The piece that holds most of a span of the window, else the nearest."""
        return max(self.pieces, key=lambda one: _overlap(one, begins, ends))

    @property
    def spans(self) -> tuple[Span, ...]:
        """The spans of the video that it holds."""
        return tuple((one.start, one.start + one.ends - one.begins) for one in self.pieces)


def _overlap(piece: Piece, begins: float, ends: float) -> float:
    """Seconds in common; where there are none, minus the distance."""
    return min(piece.ends, ends) - max(piece.begins, begins)


def gate_recipe(settings: GateSettings) -> Recipe:
    """What determines the spans: the network's version and the settings."""
    return Recipe.of(
        gate="silero-vad",
        version=importlib.metadata.version("silero-vad"),
        settings=asdict(settings),
    )


# --- from probabilities to spans ---


def speech_spans(
    chunks: Iterable["Samples"], settings: GateSettings | None = None
) -> Iterator[Span]:
    """Find where somebody may be speaking.

    Args:
        chunks: float32 (n,), 16 kHz, in [-1, 1], one after the other: what
            `howto.media.audio.sound` yields.

    Yields:
        (start, end) in seconds from the first sample, in order, apart from each other, within the
        sound; each as soon as the sound heard so far settles it.

    Raises:
        PluginError: the silero-vad package, or its weights, are missing.
    """
    for spans, _ in _settled(chunks, settings or GateSettings()):
        yield from spans


def _settled(
    chunks: Iterable["Samples"], settings: GateSettings
) -> Iterator[tuple[list[Span], float]]:
    """Spans as they are settled, each time with the second before which no other will begin."""
    length = _Length()
    gate = _Hysteresis(settings)
    for probabilities in speech_probabilities(length.counting(chunks)):
        spans = [span for one in probabilities.tolist() if (span := gate.hear(one))]
        yield [(start, min(end, length.seconds)) for start, end in spans], gate.needed_from
    if last := gate.stop():
        yield [(last[0], min(last[1], length.seconds))], length.seconds


class _Length:
    """Counts what flows by."""

    def __init__(self) -> None:
        self._samples = 0

    def counting(self, chunks: Iterable["Samples"]) -> Iterator["Samples"]:
        for chunk in chunks:
            self._samples += len(chunk)
            yield chunk

    @property
    def seconds(self) -> float:
        return self._samples / RATE


class _Hysteresis:
    """Opens and closes frame by frame; pauses are bridged, clicks left out, ends padded."""

    def __init__(self, settings: GateSettings) -> None:
        self._settings = settings
        # Two spans whose paddings would meet are one.
        self._pause = max(settings.shortest_pause, 2 * settings.padding)
        self._heard = 0  # frames so far
        self._opened: int | None = None  # the frame that opened it
        self._quiet: int | None = None  # the first frame since which it would close

    @property
    def needed_from(self) -> float:
        """No span still to come begins before this second."""
        first = self._heard if self._opened is None else self._opened
        return max(0.0, first * SECONDS_PER_FRAME - self._settings.padding)

    def hear(self, probability: float) -> Span | None:
        """Take in one frame; a span is returned when its end is certain."""
        index, self._heard = self._heard, self._heard + 1
        if self._opened is None:
            if probability >= self._settings.opens:
                self._opened = index
            return None
        if probability >= self._settings.closes:
            self._quiet = None
            return None
        if self._quiet is None:
            self._quiet = index
        if (self._heard - self._quiet) * SECONDS_PER_FRAME <= self._pause:
            return None
        return self.stop()

    def stop(self) -> Span | None:
        """End what is open; None where that is nothing, or too short."""
        if self._opened is None:
            return None
        start = self._opened * SECONDS_PER_FRAME
        end = (self._heard if self._quiet is None else self._quiet) * SECONDS_PER_FRAME
        self._opened = self._quiet = None
        if end - start < self._settings.shortest_speech:
            return None
        return max(0.0, start - self._settings.padding), end + self._settings.padding


# --- from spans to sound ---


def passages(
    chunks: Iterable["Samples"],
    settings: GateSettings | None = None,
    longest: float = 30.0,
) -> Iterator[Passage]:
    """Cut the sound down to where somebody may be speaking.

    Args:
        chunks: as for `speech_spans`.
        longest: seconds; a longer span is cut into about equal parts, each at a quiet moment.

    Yields:
        Passages in order, apart from each other. Memory: one span of speech, and a chunk.

    Raises:
        UsageError: longest is below 1 s.
        PluginError: as `speech_spans`.
    """
    if longest < 1:
        raise UsageError(f"passages of at most {longest} s: expected at least 1 s")
    kept = _Tail()
    for spans, needed_from in _settled(kept.keeping(chunks), settings or GateSettings()):
        for start, end in spans:
            first = round(start * RATE)
            samples = kept.between(first, round(end * RATE))
            yield from _no_longer(Passage(first / RATE, samples), longest)
        kept.forget(int(needed_from * RATE))


class _Tail:
    """The sound that went by and may still be asked for."""

    def __init__(self) -> None:
        self._parts: deque[tuple[int, Samples]] = deque()
        self._end = 0

    def keeping(self, chunks: Iterable["Samples"]) -> Iterator["Samples"]:
        for chunk in chunks:
            self._parts.append((self._end, chunk))
            self._end += len(chunk)
            yield chunk

    def between(self, first: int, last: int) -> "Samples":
        """Copy samples first .. last - 1."""
        import numpy as np

        return np.concatenate(
            [part[max(0, first - at) : max(0, last - at)] for at, part in self._parts]
        )

    def forget(self, before: int) -> None:
        while self._parts and self._parts[0][0] + len(self._parts[0][1]) <= before:
            self._parts.popleft()


def _no_longer(passage: Passage, longest: float) -> Iterator[Passage]:
    most = int(longest * RATE)
    start, samples = passage.start, passage.samples
    while len(samples) > most:
        parts = -(-len(samples) // most)
        cut = _quietest(samples, len(samples) // parts)
        yield Passage(start, samples[:cut])
        start, samples = start + cut / RATE, samples[cut:]
    yield Passage(start, samples)


def _quietest(samples: "Samples", wanted: int) -> int:
    """The middle of the quietest tenth of a second within two seconds before `wanted`."""
    import numpy as np

    width = RATE // 10
    first = max(wanted // 2, wanted - 2 * RATE)
    near = samples[first:wanted]
    energy = np.convolve(near.astype(np.float64) ** 2, np.ones(width), mode="valid")
    return first + int(energy.argmin()) + width // 2


def packed(
    spoken: Iterable[Passage], seconds: float = 30.0, joint: float = 0.3
) -> Iterator[Window]:
    """Join passages to windows of at most `seconds`, so that no window is spent on little sound.

    Args:
        spoken: each at most `seconds` long.
        joint: seconds of silence between two passages of one window.
    """
    waiting: list[Passage] = []
    used = 0.0
    for passage in spoken:
        length = passage.end - passage.start
        if waiting and used + joint + length > seconds:
            yield _joined(waiting, joint)
            waiting, used = [], 0.0
        used += length + (joint if waiting else 0.0)
        waiting.append(passage)
    if waiting:
        yield _joined(waiting, joint)


def _joined(spoken: Sequence[Passage], joint: float) -> Window:
    import numpy as np

    silence = np.zeros(round(joint * RATE), np.float32)
    parts: list[Samples] = []
    pieces = []
    at = 0
    for passage in spoken:
        if parts:
            parts.append(silence)
            at += len(silence)
        parts.append(passage.samples)
        ends = at + len(passage.samples)
        pieces.append(Piece(at / RATE, ends / RATE, passage.start))
        at = ends
    return Window(np.concatenate(parts), tuple(pieces))


# --- the network ---


def speech_probabilities(chunks: Iterable["Samples"]) -> Iterator["Samples"]:
    """How probable speech is in each frame of 32 ms.

    Args:
        chunks: as for `speech_spans`; how the sound is cut into chunks changes nothing.

    Yields:
        float32 (k,), in 0..1, one for each frame; the last frame is filled up with silence.

    Raises:
        PluginError: the silero-vad package, or its weights, are missing.
    """
    import numpy as np

    weights = _weights()
    context = np.zeros(CONTEXT, np.float32)
    state = (np.zeros(STATE, np.float32), np.zeros(STATE, np.float32))
    for frames in _frames(chunks):
        before = np.vstack([context, frames[:-1, -CONTEXT:]])
        context = frames[-1, -CONTEXT:]
        seen = _encoded(np.hstack([before, frames]), weights)
        probabilities, state = _remembered(seen, state, weights)
        yield probabilities


def _frames(chunks: Iterable["Samples"]) -> Iterator["Samples"]:
    """Whole frames, float32 (k, 512), k >= 1."""
    import numpy as np

    rest = np.zeros(0, np.float32)
    for chunk in chunks:
        joined = np.concatenate([rest, chunk.astype(np.float32, copy=False)])
        whole = len(joined) // FRAME * FRAME
        rest = joined[whole:]
        if whole:
            yield joined[:whole].reshape(-1, FRAME)
    if len(rest):
        yield np.pad(rest, (0, FRAME - len(rest)))[None]


def _encoded(frames: "Samples", weights: dict[str, Any]) -> "Samples":
    """Spectrum and four convolutions: (k, 576) samples to (k, 128)."""
    import numpy as np

    padded = np.pad(frames, ((0, 0), (0, CONTEXT)), mode="reflect")
    slices = np.lib.stride_tricks.sliding_window_view(padded, FFT, axis=1)[:, ::HOP]
    spectrum = slices @ weights["stft_conv.weight"][:, 0].T
    real, imaginary = np.split(spectrum, 2, axis=2)
    seen = np.sqrt(real**2 + imaginary**2)  # (k, 4, 129)
    for name, stride in (("conv1", 1), ("conv2", 2), ("conv3", 2), ("conv4", 1)):
        seen = _convolved(seen, weights[f"{name}.weight"], weights[f"{name}.bias"], stride)
    encoded: Samples = seen[:, 0]
    return encoded


def _convolved(seen: "Samples", kernel: "Samples", bias: "Samples", stride: int) -> "Samples":
    """A convolution over time of width 3, then ReLU: (k, T, C) to (k, ceil(T / stride), D)."""
    import numpy as np

    padded = np.pad(seen, ((0, 0), (1, 1), (0, 0)))
    steps = np.lib.stride_tricks.sliding_window_view(padded, 3, axis=1)[:, ::stride]
    flat = steps.reshape(*steps.shape[:2], -1)  # (k, T, C * 3), as the kernel lies
    convolved: Samples = np.maximum(flat @ kernel.reshape(len(kernel), -1).T + bias, 0)
    return convolved


def _remembered(
    seen: "Samples", state: tuple["Samples", "Samples"], weights: dict[str, Any]
) -> tuple["Samples", tuple["Samples", "Samples"]]:
    """An LSTM over the frames, and a probability of each state."""
    import numpy as np

    hidden, cell = state
    # What comes from the input does not depend on the step before: one product for all frames.
    inputs = (
        seen @ weights["lstm_cell.weight_ih"].T
        + weights["lstm_cell.bias_ih"]
        + weights["lstm_cell.bias_hh"]
    )
    recurrent = np.ascontiguousarray(weights["lstm_cell.weight_hh"].T)
    states = np.empty((len(seen), STATE), np.float32)
    for step, given in enumerate(inputs):
        gates = given + hidden @ recurrent
        opened = _sigmoid(gates)
        entered, kept, shown = opened[:STATE], opened[STATE : 2 * STATE], opened[3 * STATE :]
        cell = kept * cell + entered * np.tanh(gates[2 * STATE : 3 * STATE])
        hidden = shown * np.tanh(cell)
        states[step] = hidden
    logits = np.maximum(states, 0) @ weights["final_conv.weight"][0, :, 0]
    return _sigmoid(logits + weights["final_conv.bias"]), (hidden, cell)


def _sigmoid(values: "Samples") -> "Samples":
    import numpy as np

    squashed: Samples = 0.5 * (1 + np.tanh(0.5 * values))  # 1 / (1 + exp(-x)) without overflow
    return squashed


@functools.cache
def _weights() -> dict[str, Any]:
    from safetensors.numpy import load_file

    # find_spec does not run the package, which would import torch.
    package = importlib.util.find_spec("silero_vad")
    folders = list(package.submodule_search_locations or []) if package else []
    files = [Path(folder) / "data" / "silero_vad_16k.safetensors" for folder in folders]
    for file in files:
        if file.is_file():
            return load_file(file)
    where = f"there is no {files[0]}" if files else "the package silero-vad is not installed"
    raise PluginError(
        f"the speech-activity gate has no weights: {where}. Install it with: pip install silero-vad"
    )

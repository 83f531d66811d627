"""The sound of a file as speech recognisers want it: mono, one rate, and on the container's clock.

Needs PyAV and numpy.
"""

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.codec.context import ThreadType
from av.container import InputContainer
from numpy.typing import NDArray

from howto.errors import MediaError, Reason, UsageError
from howto.media.container import only, open_media, packets_of

__all__ = ["sound"]

Samples = NDArray[np.float32]

_CHUNK = 30  # seconds; the window of Whisper's models
_FULL_SCALE = 32_768  # of 16-bit samples
_JITTER = Fraction(1, 100)  # seconds; time stamps stray by the millisecond, a lost packet takes 20
_LONGEST_GAP = 30 * 24 * 3600  # seconds; a piece said to be later is not believed


def sound(path: Path, rate: int = 16_000) -> Iterator[Samples]:
    """Decode the sound of a file, mixed down to one channel.

    Sample n is heard n / rate seconds after the container's start: a late start, a gap and a piece
    that cannot be decoded are silence; what lies before the start, or at a time already filled, is
    dropped.

    Args:
        path: a local file; any name.
        rate: samples a second.

    Yields:
        float32 (n,), in [-1, 1], at most 30 s each.

    Raises:
        UsageError: the rate is below 1.
        MediaError: the file cannot be opened, as by `howto.media.probe.probe`; NO_AUDIO_STREAM: it
            has no sound, or none of it can be decoded.
    """
    if rate < 1:
        raise UsageError(f"a rate of {rate} samples a second")
    return _chunks(_samples(path, rate), _CHUNK * rate)


def _chunks(pieces: Iterator[Samples], size: int) -> Iterator[Samples]:
    waiting: list[Samples] = []
    count = 0
    for piece in pieces:
        while count + len(piece) >= size:
            yield np.concatenate([*waiting, piece[: size - count]])
            piece = piece[size - count :]
            waiting, count = [], 0
        waiting.append(piece)
        count += len(piece)
    if count:
        yield np.concatenate(waiting)


def _samples(path: Path, rate: int) -> Iterator[Samples]:
    """The samples in pieces of any length, none of them longer than a chunk."""
    with open_media(path) as container:
        stream = _stream(container)
        only(container, stream)
        stream.codec_context.thread_type = ThreadType.AUTO
        start = Fraction(container.start_time or 0, av.time_base)
        line = _TimeLine(rate)
        # Frames that come out of the final flush carry no time base of their own.
        tick = stream.time_base or Fraction(1, av.time_base)
        for frame in _frames(container, stream):
            yield from line.add(frame, None if frame.pts is None else frame.pts * tick - start)
        yield from line.flush()
        if not line.heard:
            raise MediaError(Reason.NO_AUDIO_STREAM, "none of its sound can be decoded")


def _stream(container: InputContainer) -> AudioStream:
    stream = container.streams.best("audio")
    if not isinstance(stream, AudioStream):
        raise MediaError(Reason.NO_AUDIO_STREAM)
    # The stubs do not know that the context is None where there is no decoder.
    if stream.codec_context is None:
        raise MediaError(Reason.NO_AUDIO_STREAM, "no decoder for its sound")
    return stream


def _frames(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    """What can be decoded. Pieces that cannot be leave a gap in the frames' times."""
    for packet in chain(packets_of(container, stream, []), [None]):
        try:
            yield from stream.codec_context.decode(packet)
        except av.error.FFmpegError:
            continue


class _TimeLine:
    """Lays frames of sound at their times: runs without a gap go through one resampler.

    Attributes:
        heard: at least one sample was decoded.
    """

    def __init__(self, rate: int) -> None:
        self.heard = False
        self._rate = rate
        self._written = 0  # samples given out
        self._surplus = 0  # samples of this run to drop, because their time has passed
        self._end = Fraction(0)  # when the last frame of this run ends, in the source's own samples
        self._form: tuple[object, ...] | None = None
        self._resampler: AudioResampler | None = None

    def add(self, frame: AudioFrame, begins: Fraction | None) -> Iterator[Samples]:
        """Resample one frame that begins at this time; None: right after the last."""
        if begins is not None and abs(begins) > _LONGEST_GAP:
            return
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        late = Fraction(0) if begins is None else begins - self._end
        if self._resampler is None or form != self._form or abs(late) > _JITTER:
            yield from self.flush()
            yield from self._begin_run(self._end if begins is None else begins)
            self._form = form
            # To 16 bits first, as Whisper does: a mix down to float is 3 dB too loud and may pass 1.
            self._resampler = AudioResampler(format="s16", layout="mono", rate=self._rate)
        frame.pts = None  # the run is without a gap: the resampler need not look at times
        self._end += Fraction(frame.samples, frame.sample_rate)
        self.heard = True
        yield from self._resample(frame)

    def _begin_run(self, begins: Fraction) -> Iterator[Samples]:
        first = round(begins * self._rate)
        self._surplus = max(0, self._written - first)
        while self._written < first:
            silence = min(first - self._written, _CHUNK * self._rate)
            self._written += silence
            yield np.zeros(silence, np.float32)
        self._end = begins

    def flush(self) -> Iterator[Samples]:
        """What the resampler still holds; ends the run."""
        if self._resampler is not None:
            yield from self._resample(None)
            self._resampler = None

    def _resample(self, frame: AudioFrame | None) -> Iterator[Samples]:
        assert self._resampler is not None
        for out in self._resampler.resample(frame):
            samples = out.to_ndarray().reshape(-1).astype(np.float32) / _FULL_SCALE
            dropped = min(self._surplus, len(samples))
            self._surplus -= dropped
            self._written += len(samples) - dropped
            yield samples[dropped:]

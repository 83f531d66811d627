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
from av.audio.layout import AudioLayout
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.codec.context import ThreadType
from av.container import InputContainer
from numpy.typing import NDArray

from howto.errors import MediaError, Reason, UsageError
from howto.media.container import only, open_media, packets_of

__all__ = ["main_audio", "samples_from", "sound"]

Samples = NDArray[np.int16]

_CHUNK = 30  # seconds; the window of Whisper's models
_FULL_SCALE = 32_768  # of 16-bit samples
_JITTER = Fraction(1, 100)  # seconds; time stamps stray by the millisecond, a lost packet takes 20
_LONGEST_GAP = 30 * 24 * 3600  # seconds; a piece said to be later is not believed
_WARM_UP = 1  # seconds decoded before a piece in the middle: decoders need a packet or two


def sound(path: Path, rate: int = 16_000) -> Iterator[NDArray[np.float32]]:
    """Decode the sound of a file, mixed down to one channel.

    Sample n is heard n / rate seconds after the container's start: a late start, a gap and a piece
    that cannot be decoded are silence; what lies before the start, or at a time already filled, is
    dropped. A file without gaps gives the samples of `ffmpeg -ac 1 -ar RATE -f s16le`, over 32,768.

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
    pieces = (piece[:, 0] for piece in samples_from(path, rate))
    return (chunk.astype(np.float32) / np.float32(_FULL_SCALE) for chunk in _chunks(pieces, rate))


def _chunks(pieces: Iterator[Samples], rate: int) -> Iterator[Samples]:
    size = _CHUNK * rate
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


def samples_from(
    path: Path, rate: int, layout: str = "mono", begin: Fraction = Fraction(0)
) -> Iterator[Samples]:
    """Decode the sound of a file from some second on, as `sound` does but in 16 bits.

    Args:
        layout: FFmpeg's name of the channels wanted: `mono`, `stereo`.
        begin: seconds from the container's start; the first sample is heard then.

    Yields:
        int16 (n, channels), in pieces of any length up to 30 s.

    Raises:
        MediaError: as `sound` does; NO_AUDIO_STREAM also where nothing follows `begin`.
    """
    with open_media(path) as container:
        stream = main_audio(container)
        only(container, stream)
        # Frames that come out of the final flush carry no time base of their own.
        tick = stream.time_base or Fraction(1, av.time_base)
        start = Fraction(container.start_time or 0, av.time_base)
        if begin > _WARM_UP:
            _seek(container, stream, int((begin - _WARM_UP + start) / tick))
        line = _TimeLine(rate, layout, begin)
        for frame in _frames(container, stream):
            yield from line.add(frame, None if frame.pts is None else frame.pts * tick - start)
        yield from line.flush()
        if not line.heard:
            raise MediaError(Reason.NO_AUDIO_STREAM, "none of its sound can be decoded")


def main_audio(container: InputContainer) -> AudioStream:
    """The sound stream that FFmpeg thinks best.

    Raises:
        MediaError: NO_AUDIO_STREAM: there is none, or no decoder for it.
    """
    stream = container.streams.best("audio")
    if not isinstance(stream, AudioStream):
        raise MediaError(Reason.NO_AUDIO_STREAM)
    return stream


def _seek(container: InputContainer, stream: AudioStream, ticks: int) -> None:
    try:
        container.seek(ticks, stream=stream)
    except av.error.FFmpegError:
        return  # then it is read from its start: slower, and the same samples


def _frames(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    """What can be decoded. Pieces that cannot be leave a gap in the frames' times."""
    stream.codec_context.thread_type = ThreadType.AUTO
    for packet in chain(packets_of(container, stream, []), [None]):
        try:
            yield from stream.codec_context.decode(packet)
        except av.error.FFmpegError:
            continue


class _TimeLine:
    """Lays frames of sound at their times: runs without a gap go through one resampler.

    Args:
        rate, layout: what comes out.
        begin: when the first sample that comes out is heard, in seconds.

    Attributes:
        heard: at least one sample was decoded.
    """

    def __init__(self, rate: int, layout: str, begin: Fraction) -> None:
        self.heard = False
        self._rate = rate
        self._layout = layout
        self._written = round(begin * rate)  # the next sample to give out
        self._surplus = 0  # samples of this run to drop, because their time has passed
        self._end = Fraction(0)  # when the last frame of this run ends, by the source's own count
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
            # Straight to 16 bits, as Whisper does: mixed down to float it is 3 dB louder, past 1.
            self._resampler = AudioResampler(format="s16", layout=self._layout, rate=self._rate)
        frame.pts = None  # the run is without a gap: the resampler need not look at times
        self._end += Fraction(frame.samples, frame.sample_rate)
        self.heard = True
        yield from self._resample(self._resampler, frame)

    def _begin_run(self, begins: Fraction) -> Iterator[Samples]:
        first = round(begins * self._rate)
        self._surplus = max(0, self._written - first)
        self._end = begins
        channels = AudioLayout(self._layout).nb_channels
        while self._written < first:
            silence = min(first - self._written, _CHUNK * self._rate)
            self._written += silence
            yield np.zeros((silence, channels), np.int16)

    def flush(self) -> Iterator[Samples]:
        """What the resampler still holds; ends the run."""
        if self._resampler is not None:
            yield from self._resample(self._resampler, None)
            self._resampler = None

    def _resample(self, resampler: AudioResampler, frame: AudioFrame | None) -> Iterator[Samples]:
        for out in resampler.resample(frame):
            samples = np.asarray(out.to_ndarray(), np.int16).reshape(out.samples, -1)
            dropped = min(self._surplus, len(samples))
            self._surplus -= dropped
            self._written += len(samples) - dropped
            if dropped < len(samples):
                yield samples[dropped:]

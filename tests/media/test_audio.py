"""Sound: the samples of the ffmpeg program, each at its own time."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from howto.errors import MediaError, Reason, UsageError
from howto.media.audio import sound

RATE = 16_000


def samples(path: Path, rate: int = RATE) -> NDArray[np.float32]:
    chunks = list(sound(path, rate))
    assert all(0 < len(chunk) <= 30 * rate for chunk in chunks)
    whole = np.concatenate(chunks)
    assert whole.dtype == np.float32
    assert np.abs(whole).max() <= 1
    return whole


def sine(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.4 * np.sin(2 * np.pi * 440 * t)


def loud(x: NDArray[np.float32], start: float, end: float) -> float:
    return float(np.abs(x[round(start * RATE) : round(end * RATE)]).max())


@pytest.mark.parametrize(
    "name",
    ["jfk.flac", "nasa_13013.mp4.audio.mp3", "video_with_failing_audio.mp4", "sine_mono_s16.wav"],
)
def test_the_samples_are_those_of_the_ffmpeg_program(
    real: Path, name: str, run_ffmpeg: Callable[..., bytes]
) -> None:
    raw = run_ffmpeg("-i", real / name, "-ac", 1, "-ar", RATE, "-f", "s16le", "-")
    wanted = np.frombuffer(raw, np.int16).astype(np.float32) / 32_768

    got = samples(real / name)

    # Versions of the program differ in the last few samples that the resampler holds.
    n = min(len(got), len(wanted))
    assert max(len(got), len(wanted)) - n < 16
    assert np.abs(got[:n] - wanted[:n]).max() < 0.001


def test_a_speech_of_eleven_seconds(real: Path) -> None:
    assert len(samples(real / "jfk.flac")) == 11 * RATE
    assert len(samples(real / "jfk.flac", 8_000)) == 11 * 8_000


def test_a_long_file_comes_in_pieces(real: Path) -> None:
    chunks = [len(chunk) for chunk in sound(real / "test_video.mp4", 4_000)]

    assert chunks[:4] == [120_000] * 4
    assert sum(chunks) == pytest.approx(122.67 * 4_000, abs=100)


def test_what_starts_late_begins_with_silence(make_clip: Callable[..., Path]) -> None:
    got = samples(make_clip("late.mkv", count=50, sound=sine, sound_from=1.5))

    assert loud(got, 0, 1.4) == 0
    assert loud(got, 1.6, 2.0) > 0.3
    assert len(got) / RATE == pytest.approx(3.5, abs=0.1)


def rewritten(path: Path, out: Path, change: Callable[[int, av.Packet], bool]) -> Path:
    """Copy the sound, with a say on each packet: by its number, in place; False drops it."""
    with av.open(str(path)) as source, av.open(str(out), "w") as target:
        audio = source.streams.audio[0]
        copy = target.add_stream_from_template(audio)
        for i, packet in enumerate(source.demux(audio)):
            if packet.dts is not None and change(i, packet):
                packet.stream = copy
                target.mux(packet)
    return out


def test_a_gap_becomes_silence_and_shifts_nothing(
    make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    clip = make_clip("a.mkv", count=100, sound=sine)
    # 16 packets of 1,024 samples are one second.
    holed = rewritten(clip, tmp_path / "b.mkv", lambda i, packet: not 16 <= i < 32)

    got = samples(holed)

    assert len(got) == pytest.approx(len(samples(clip)), abs=200)
    assert loud(got, 1.2, 1.9) == 0
    # The phase of the sine after the gap is that of the unbroken sound.
    whole = samples(clip)
    part = slice(round(2.5 * RATE), round(3.5 * RATE))
    assert np.corrcoef(got[part], whole[part])[0, 1] > 0.97


def test_garbage_becomes_silence_and_shifts_nothing(
    make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    clip = make_clip("a.mkv", count=100, sound=sine)

    def spoil(i: int, packet: av.Packet) -> bool:
        if 16 <= i < 32:
            memoryview(packet)[:] = b"\x55" * packet.size
        return True

    got, whole = samples(rewritten(clip, tmp_path / "b.mkv", spoil)), samples(clip)

    assert len(got) == pytest.approx(len(whole), abs=200)
    part = slice(round(2.5 * RATE), round(3.5 * RATE))
    assert np.corrcoef(got[part], whole[part])[0, 1] > 0.97


def test_a_rate_that_changes_midway(tmp_path: Path) -> None:
    both = tmp_path / "both.ts"
    with both.open("wb") as out:
        for offset, rate, layout in ((0, 16_000, "mono"), (2, 32_000, "stereo")):
            part = tmp_path / f"{rate}.ts"
            write_tone(part, offset, rate, layout)
            out.write(part.read_bytes())

    assert len(samples(both)) / RATE == pytest.approx(4, abs=0.3)


def write_tone(path: Path, offset: int, rate: int, layout: str) -> None:
    """Two seconds of sound that begin at `offset` seconds."""
    wave = sine(np.arange(2 * rate) / rate).astype(np.float32)
    channels = 1 if layout == "mono" else 2
    with av.open(str(path), "w") as target:
        stream = target.add_stream("aac", rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.stack([wave] * channels), "fltp", layout)
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = offset * rate
        target.mux(stream.encode(frame))
        target.mux(stream.encode(None))


def test_no_sound(make_clip: Callable[..., Path]) -> None:
    with pytest.raises(MediaError) as caught:
        list(sound(make_clip()))
    assert caught.value.reason is Reason.NO_AUDIO_STREAM


def test_sound_that_is_all_garbage(make_clip: Callable[..., Path], tmp_path: Path) -> None:
    def spoil(i: int, packet: av.Packet) -> bool:
        memoryview(packet)[:] = b"\x55" * packet.size
        return True

    path = rewritten(make_clip("a.mkv", count=50, sound=sine), tmp_path / "b.mkv", spoil)

    with pytest.raises(MediaError) as caught:
        list(sound(path))
    assert caught.value.reason is Reason.NO_AUDIO_STREAM


def test_a_rate_that_cannot_be(real: Path) -> None:
    with pytest.raises(UsageError):
        sound(real / "jfk.flac", 0)

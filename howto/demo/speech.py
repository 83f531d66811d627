"""The sound of a demo video: the lines spoken by espeak-ng over a quiet room, or the room alone."""

import io
import shutil
import subprocess
import wave
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from howto.demo.script import DemoLine, DemoScript, chances
from howto.demo.spec import DemoSpec
from howto.errors import HowtoError

__all__ = ["room_noise", "sound_track", "speak"]

PROGRAM = "espeak-ng"
VOICES = ("en-us", "en-gb", "en-us+f2", "en-gb+f4", "en-us+m3", "en-gb+m7", "en-us+f3")
SLOWEST, FASTEST = 110, 400  # words a minute that espeak-ng still says clearly
SECONDS_ALLOWED = 30  # for one line; it takes hundredths
ROOM_LEVEL = 0.004
SPEECH_LEVEL = 0.6


def sound_track(spec: DemoSpec, script: DemoScript, spoken: bool) -> NDArray[np.float32]:
    """The whole sound of a video.

    Args:
        spoken: the lines are spoken, each within its own time.

    Returns:
        float32 (N,), N = duration * spec.sample_rate rounded, in [-1, 1].

    Raises:
        HowtoError: espeak-ng is missing or fails.
    """
    chance = chances(spec, script.name, "sound")
    voice, hum = chance.choice(VOICES), chance.uniform(90, 180)
    num_samples = round(script.num_frames * spec.sample_rate / spec.frame_rate)
    track = room_noise(num_samples, spec.sample_rate, hum, chance.getrandbits(32))
    if spoken:
        _say_all(track, script.lines, voice, spec.sample_rate)
    return track


def room_noise(num_samples: int, sample_rate: int, hum: float, seed: int) -> NDArray[np.float32]:
    """A soft tone of `hum` Hz under quiet noise: float32 (num_samples,), all below 0.05."""
    noise = np.random.default_rng(seed).standard_normal(num_samples + 16)
    soft = np.convolve(noise, np.full(16, 1 / 16), mode="valid")[:num_samples]
    tone = np.sin(2 * np.pi * hum * np.arange(num_samples) / sample_rate)
    quiet = ROOM_LEVEL * (soft + tone)
    return np.clip(quiet, -0.05, 0.05).astype(np.float32)


def speak(text: str, voice: str, words_per_minute: int) -> tuple[NDArray[np.float32], int]:
    """Speak one line with espeak-ng.

    Returns:
        float32 (N,) in [-1, 1] without the silence around it, and its sample rate in Hz.

    Raises:
        HowtoError: espeak-ng is missing or fails.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise HowtoError(
            "espeak-ng is not installed, and the demo was asked to speak."
            " Install it (apt install espeak-ng), or use speech='auto'."
        )
    command = [program, "-v", voice, "-s", str(words_per_minute), "--stdin", "--stdout"]
    try:
        done = subprocess.run(
            command, input=text.encode(), capture_output=True, timeout=SECONDS_ALLOWED, check=True
        )
    except (subprocess.SubprocessError, OSError) as error:
        raise HowtoError(f"espeak-ng could not say '{text}': {error}") from error
    return _read_wave(done.stdout)


def _read_wave(data: bytes) -> tuple[NDArray[np.float32], int]:
    # The header that espeak-ng writes to a pipe states no true length: read to the end.
    with wave.open(io.BytesIO(data)) as file:
        rate = file.getframerate()
        pcm = file.readframes(len(data) // 2)
    whole = np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2")
    samples: NDArray[np.float32] = whole.astype(np.float32) / np.float32(32768)
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    return (samples[loud[0] : loud[-1] + 1] if len(loud) else samples[:0]), rate


def _say_all(
    track: NDArray[np.float32], lines: Sequence[DemoLine], voice: str, sample_rate: int
) -> None:
    for line in lines:
        start, stop = round(line.start * sample_rate), round(line.end * sample_rate)
        stop = min(stop, len(track))
        words = _fitting(line, voice, (stop - start) / sample_rate)
        spoken = _resample(*words, sample_rate)[: stop - start]
        track[start : start + len(spoken)] += SPEECH_LEVEL * spoken


def _fitting(line: DemoLine, voice: str, seconds: float) -> tuple[NDArray[np.float32], int]:
    """Speak at the pace that fills the line's time: a first try, then by its length."""
    pace = 60 * len(line.text.split()) / seconds
    for _ in range(4):
        pace = min(max(pace, SLOWEST), FASTEST)
        samples, rate = speak(line.text, voice, round(pace))
        needed = len(samples) / rate / seconds
        if needed <= 1 or pace >= FASTEST:
            break
        pace *= 1.05 * needed
    return samples, rate


def _resample(samples: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    if rate == wanted or not len(samples):
        return samples
    times = np.arange(int(len(samples) * wanted / rate)) * (rate / wanted)
    spoken: NDArray[np.float32] = np.interp(times, np.arange(len(samples)), samples).astype(
        np.float32
    )
    return spoken

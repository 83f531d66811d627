"""The speech-activity gate: on made sounds, on real ones, and against the package's own torch."""

import importlib.util
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from howto.demo.speech import speak
from howto.errors import PluginError, UsageError
from howto.media.audio import sound
from howto.transcribe import gate
from howto.transcribe.gate import (
    RATE,
    GateSettings,
    Passage,
    gate_recipe,
    packed,
    passages,
    speech_probabilities,
    speech_spans,
)


def whole(path: Path) -> np.ndarray:
    return np.concatenate(list(sound(path, RATE)))


@pytest.fixture(scope="module")
def jfk(shared_data: Path) -> np.ndarray:
    return whole(shared_data / "videos" / "jfk.flac")


def made_sounds() -> dict[str, np.ndarray]:
    rng, t = np.random.default_rng(0), np.arange(10 * RATE) / RATE
    notes = np.repeat(rng.choice([262, 294, 330, 349, 392, 440], 40), RATE // 4)
    plucked = np.tile(np.exp(-np.arange(RATE // 4) / 1500), 40)
    return {
        "silence": np.zeros(10 * RATE),
        "white noise": 0.1 * rng.standard_normal(10 * RATE),
        "rumble": np.clip(np.cumsum(rng.standard_normal(10 * RATE)) * 0.003, -1, 1),
        "sine": 0.5 * np.sin(2 * np.pi * 440 * t),
        "buzz": 0.3 * np.sign(np.sin(2 * np.pi * 120 * t)),
        "chord": 0.2 * sum(np.sin(2 * np.pi * f * t) for f in (261.6, 329.6, 392)),
        "melody": 0.4 * np.sin(2 * np.pi * np.cumsum(notes) / RATE) * plucked,
    }


@pytest.mark.parametrize("name", made_sounds())
def test_what_is_no_speech_stays_out(name: str) -> None:
    assert list(speech_spans([made_sounds()[name].astype(np.float32)])) == []


@pytest.mark.parametrize(
    "name",
    ["sine_mono_s16.wav", "big_buck_bunny_0_30.webm", "chaplin.mp4", "dog_barking.mp4"],
)
def test_real_music_and_noise_stay_out(shared_data: Path, name: str) -> None:
    assert list(speech_spans(sound(shared_data / "videos" / name, RATE))) == []


def test_real_speech_is_kept(jfk: np.ndarray) -> None:
    """Where jfk.flac is loud, somebody speaks; the pauses between the phrases are left out."""
    spans = list(speech_spans([jfk]))
    level = np.sqrt((jfk.reshape(-1, RATE // 100) ** 2).mean(axis=1))
    loud = np.flatnonzero(level > 0.1) / 100
    inside = [any(start <= at < end for start, end in spans) for at in loud]
    assert np.mean(inside) > 0.99
    assert 0.7 < sum(end - start for start, end in spans) / 11 < 0.95
    assert len(spans) >= 3


def test_espeak_is_found_between_silences() -> None:
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    spoken, rate = speak("lay the shirt flat on the table and fold the left sleeve", "en-us", 150)
    at = np.arange(int(len(spoken) * RATE / rate)) * rate / RATE
    words = np.interp(at, np.arange(len(spoken)), spoken).astype(np.float32)
    silence = np.zeros(3 * RATE, np.float32)
    spans = list(speech_spans([silence, words, silence]))
    assert spans[0][0] == pytest.approx(3, abs=0.35)
    assert spans[-1][1] == pytest.approx(3 + len(words) / RATE, abs=0.35)


def test_the_arithmetic_is_the_packages_own(
    jfk: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the weights of the package's TorchScript network, our numpy gives its probabilities."""
    import torch

    folder = importlib.util.find_spec("silero_vad").submodule_search_locations[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated; we do not use it
        network = torch.jit.load(Path(folder) / "data" / "silero_vad.jit")
    theirs = {name: value.numpy() for name, value in network.state_dict().items()}
    ours = {"stft_conv.weight": theirs["_model.stft.forward_basis_buffer"]}
    for part in ("weight", "bias"):
        for layer in range(4):
            name = f"_model.encoder.{layer}.reparam_conv.{part}"
            ours[f"conv{layer + 1}.{part}"] = theirs[name]
        for side in ("ih", "hh"):
            ours[f"lstm_cell.{part}_{side}"] = theirs[f"_model.decoder.rnn.{part}_{side}"]
        ours[f"final_conv.{part}"] = theirs[f"_model.decoder.decoder.2.{part}"]
    monkeypatch.setattr(gate, "_weights", lambda: ours)
    frames = jfk[: 200 * 512].reshape(-1, 1, 512)
    with torch.no_grad():
        wanted = [network(torch.from_numpy(frame), RATE).item() for frame in frames]
    found = np.concatenate(list(speech_probabilities([frames.ravel()])))
    np.testing.assert_allclose(found, wanted, atol=1e-4)


@given(cuts=st.lists(st.integers(0, 11 * RATE), max_size=6))
@settings(max_examples=6, deadline=None)
def test_how_the_sound_is_cut_changes_nothing(jfk: np.ndarray, cuts: list[int]) -> None:
    spans = list(speech_spans(np.split(jfk, sorted(cuts))))
    assert np.allclose(spans, list(speech_spans([jfk])))
    cut = list(passages(np.split(jfk, sorted(cuts))))
    assert np.allclose([(one.start, one.end) for one in cut], spans, atol=1 / RATE)


def heard(monkeypatch: pytest.MonkeyPatch, probabilities: list[float], **wanted: float):
    """The spans for given probabilities, one for each 32 ms."""
    values = np.array(probabilities, np.float32)

    def told(chunks):
        for _ in chunks:
            pass
        yield values

    monkeypatch.setattr(gate, "speech_probabilities", told)
    settings = GateSettings(
        **{"shortest_pause": 0.1, "shortest_speech": 0.0, "padding": 0.0} | wanted
    )
    spans = speech_spans([np.zeros(512 * len(values), np.float32)], settings)
    return [(round(start / 0.032, 3), round(end / 0.032, 3)) for start, end in spans]


def test_hysteresis(monkeypatch: pytest.MonkeyPatch) -> None:
    low, mid, high = 0.1, 0.4, 0.9
    quiet = [low] * 10
    assert heard(monkeypatch, [*quiet, mid, mid, *quiet]) == []
    assert heard(monkeypatch, [*quiet, high, mid, mid, *quiet]) == [(10, 13)]
    # 3 frames of 32 ms are no pause of 0.1 s, 4 are.
    assert heard(monkeypatch, [high, low, low, low, high, *quiet]) == [(0, 5)]
    assert heard(monkeypatch, [high, low, low, low, low, high, *quiet]) == [(0, 1), (5, 6)]
    assert heard(monkeypatch, [*quiet, high, high], shortest_speech=0.07) == []
    assert heard(monkeypatch, [*quiet, high, high, high], shortest_speech=0.07) == [(10, 13)]


def test_padding_stays_inside_and_joins(monkeypatch: pytest.MonkeyPatch) -> None:
    low, high = 0.1, 0.9
    gap = [low] * 6
    assert heard(monkeypatch, [high, *gap, high], padding=0.032) == [(0, 2), (6, 8)]
    assert heard(monkeypatch, [high, *gap, high], padding=0.128) == [(0, 8)]


def noise_passage(seconds: float, start: float = 0.0) -> Passage:
    rng = np.random.default_rng(int(seconds * 1000))
    return Passage(start, rng.normal(0, 0.1, round(seconds * RATE)).astype(np.float32))


@given(seconds=st.floats(0.1, 200), longest=st.floats(1, 40))
@settings(max_examples=15, deadline=None)
def test_long_passages_are_cut_without_loss(seconds: float, longest: float) -> None:
    passage = noise_passage(seconds, 3.0)
    parts = list(gate._no_longer(passage, longest))
    assert all(0 < len(part.samples) <= longest * RATE for part in parts)
    assert np.array_equal(np.concatenate([part.samples for part in parts]), passage.samples)
    assert [part.start for part in parts[1:]] == pytest.approx([part.end for part in parts[:-1]])


def test_cuts_lie_in_silence() -> None:
    samples = np.random.default_rng(0).normal(0, 0.3, 40 * RATE).astype(np.float32)
    samples[18 * RATE : round(18.4 * RATE)] = 0
    first, _ = gate._no_longer(Passage(0.0, samples), 30.0)
    assert 18.0 <= first.end <= 18.4


@given(lengths=st.lists(st.floats(0.2, 30), min_size=1, max_size=12), seconds=st.just(30.0))
@settings(max_examples=40, deadline=None)
def test_windows_hold_all_and_map_back(lengths: list[float], seconds: float) -> None:
    spoken, at = [], 0.0
    for length in lengths:
        spoken.append(noise_passage(length, at))
        at = spoken[-1].end + 1.0
    windows = list(packed(spoken, seconds))
    pieces = [(window, piece) for window in windows for piece in window.pieces]
    assert [piece.start for _, piece in pieces] == [one.start for one in spoken]
    assert all(window.seconds <= seconds + 1 / RATE for window in windows)
    for (window, piece), one in zip(pieces, spoken, strict=True):
        cut = window.samples[round(piece.begins * RATE) : round(piece.ends * RATE)]
        assert np.array_equal(cut, one.samples)
        middle = (piece.begins + piece.ends) / 2
        start, end = window.on_clock(middle, middle + 0.05)
        assert start == pytest.approx(one.start + middle - piece.begins)
        assert end == pytest.approx(min(start + 0.05, one.end))


def test_a_joint_belongs_to_the_nearer_piece() -> None:
    (window,) = packed([noise_passage(1, 10), noise_passage(1, 50)], joint=0.4)
    assert window.on_clock(0.9, 1.1) == pytest.approx((10.9, 11.0))
    assert window.on_clock(1.3, 1.9) == pytest.approx((50.0, 50.5))
    assert window.on_clock(1.1, 1.15) == pytest.approx((11.0, 11.0))
    assert window.on_clock(2.6, 2.9) == pytest.approx((51.0, 51.0))
    assert np.allclose(window.spans, [(10, 11), (50, 51)])


def test_sound_that_went_by_is_forgotten() -> None:
    """An hour of silence does not stay in memory."""
    kept = gate._Tail()
    for _ in kept.keeping(np.zeros((10, RATE), np.float32)):
        pass
    kept.forget(9 * RATE + 5)
    assert len(kept._parts) == 1
    assert len(kept.between(9 * RATE + 5, 9 * RATE + 15)) == 10


def test_nothing_in_gives_nothing() -> None:
    assert list(speech_spans([])) == []
    assert list(passages([np.zeros(0, np.float32)])) == []
    assert list(packed([])) == []


@pytest.mark.parametrize(
    "wrong", [{"opens": 1.1}, {"closes": 0.6}, {"padding": -1}, {"shortest_pause": -0.1}]
)
def test_settings_that_cannot_mean_anything(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        GateSettings(**wrong)
    with pytest.raises(UsageError):
        list(passages([], longest=0.5))


def test_the_recipe_knows_the_settings() -> None:
    one, other = gate_recipe(GateSettings()), gate_recipe(GateSettings(padding=0.1))
    assert one.differences(other) == ["settings.padding: 0.2 | 0.1"]


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    gate._weights.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PluginError, match="pip install silero-vad"):
        list(speech_spans([np.zeros(RATE, np.float32)]))

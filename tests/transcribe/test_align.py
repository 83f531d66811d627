"""Forced alignment: constructed emissions with a known answer, and real loading code."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from howto import plugins
from howto.contracts import Aligner
from howto.errors import AlignmentError, PluginError, UnknownPlugin
from howto.records import Kind, Line, Narration, Word
from howto.testing import AlignerContract
from howto.transcribe.align import align_narration, aligner_recipe
from howto.transcribe.ctc import (
    AcousticModel,
    TorchaudioModel,
    align_tokens,
    align_words,
    line_tokens,
)

LETTERS = {"|": 1} | {letter: at for at, letter in enumerate("abcdefghijklmnopqrstuvwxyz'", 2)}
PER_FRAME = 0.02


def emitted(heard: str) -> torch.Tensor:
    """Emissions that are sure of one label in each frame: '-' is the blank."""
    rows = torch.full((len(heard), len(LETTERS) + 1), math.log(0.001))
    for frame, letter in enumerate(heard):
        rows[frame, LETTERS.get(letter, 0)] = 0.0
    return rows.log_softmax(dim=-1)


class Constructed:
    """Hears what it was told, whatever the sound."""

    labels, blank, separator, seconds_per_frame = LETTERS, 0, "|", PER_FRAME

    def __init__(self, heard: str) -> None:
        self.heard = heard

    def emissions(self, samples: np.ndarray) -> torch.Tensor:
        return emitted(self.heard)


def aligned(text: str, heard: str) -> list[tuple[float, float]]:
    sound = np.zeros(round(len(heard) * PER_FRAME * 16_000), np.float32)
    return align_words(text.split(), sound, Constructed(heard))


def frames(text: str, times: list[tuple[float, float]]) -> list[tuple[str, int, int]]:
    """Words with the frames that they were laid on."""
    return [
        (word, round(start / PER_FRAME), round(end / PER_FRAME))
        for word, (start, end) in zip(text.split(), times, strict=True)
    ]


@pytest.mark.parametrize(
    ("text", "heard", "expected"),
    [
        ("cut it", "-ccuutt|iit-", [("cut", 1, 7), ("it", 8, 11)]),
        # Repeated letters need the blank between them, and are one word all the same.
        ("add egg", "aad-d-|eeg-ggg--", [("add", 0, 5), ("egg", 7, 14)]),
        # A long silence between words belongs to neither.
        ("fold it", "--ffoolldd------------||---iitt-", [("fold", 2, 10), ("it", 27, 31)]),
        # What the model does not know is left out: an accent, a dash, capitals, a stop.
        ("Crème brûlée!", "creme|brule-e", [("Crème", 0, 5), ("brûlée!", 6, 13)]),
        # A word without any known character gets the time between its neighbours.
        ("add 12 eggs", "ad-d|---------eg-gs", [("add", 0, 4), ("12", 4, 14), ("eggs", 14, 19)]),
    ],
)
def test_words_lie_where_their_letters_are_heard(text: str, heard: str, expected) -> None:
    assert frames(text, aligned(text, heard)) == expected


@pytest.mark.parametrize(
    ("text", "heard", "cause"),
    [
        ("far too long for this", "far", "it has more characters than its sound has room for"),
        ("aa", "aa", "it has more characters"),  # two alike need a frame between them
        ("1 2 3", "abc", "no character of it is known to the acoustic model"),
        ("cut it", "", "there is no sound at its time"),
    ],
)
def test_what_cannot_be_aligned_is_named(text: str, heard: str, cause: str) -> None:
    with pytest.raises(AlignmentError, match=cause):
        aligned(text, heard)


def test_exactly_enough_frames_are_enough() -> None:
    assert frames("aa", aligned("aa", "a-a")) == [("aa", 0, 3)]


@pytest.mark.parametrize("seed", range(20))
def test_a_known_path_is_found_again(seed: int) -> None:
    """Random tokens with random lengths and blanks, rendered to emissions with noise."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(1, 29, rng.integers(1, 30)).tolist()
    path, spans = [], []
    for at, token in enumerate(tokens):
        gap = int(rng.integers(0, 4)) + (at > 0 and tokens[at - 1] == token)
        length = int(rng.integers(1, 4))
        path += [0] * gap
        spans.append((len(path), len(path) + length))
        path += [token] * length
    rows = torch.from_numpy(rng.uniform(0, 1, (len(path), 29))).float()
    rows[torch.arange(len(path)), torch.tensor(path)] += 8
    laid = align_tokens(rows.log_softmax(dim=-1), tokens, 0)
    assert laid is not None
    assert [(first, last) for first, last, _ in laid] == spans


def test_the_blank_is_no_token() -> None:
    with pytest.raises(ValueError, match="no 0"):
        align_tokens(emitted("abc"), [2, 0], 0)
    with pytest.raises(ValueError, match=r"expected 0\.\.28"):
        align_tokens(emitted("abc"), [29], 0)
    assert align_tokens(emitted("abc"), [], 0) == []


def test_separators_only_between_words_with_letters() -> None:
    written = line_tokens(["1", "a", "2", "b"], Constructed(""))
    assert (written.tokens, written.owners) == ((2, 1, 3), (1, None, 3))


# --- narrations ---


class Spread:
    """Spreads words evenly; `refused` are words it knows nothing of. Remembers what it heard."""

    name, version, sound_per_second = "spread", "1", 1.0

    def __init__(self, *refused: str) -> None:
        self.refused = refused
        self.heard: list[tuple[float, ...]] = []

    def weights_hash(self) -> str | None:
        return None

    def align(self, words, samples):
        # The samples are their own times, so that what it is given can be told.
        self.heard.append((round(float(samples[0]), 2), round(float(samples[-1]), 2)))
        for word in words:
            if word in self.refused:
                raise AlignmentError(f"it says {word}")
        each = len(samples) / 16_000 / len(words)
        return [(at * each, (at + 1) * each) for at in range(len(words))]


def clock(seconds: float) -> np.ndarray:
    return (np.arange(round(seconds * 16_000)) / 16_000).astype(np.float32)


def test_a_narration_gets_words_where_it_has_none() -> None:
    word = Word(4.0, 4.5, "done")
    lines = (
        Line(0.2, 1.7, "cut it"),
        Line(3.0, 3.0, "  "),
        Line(4.0, 4.5, "done", (word,)),
        Line(6.0, 7.0, "this cannot be"),
        Line(7.0, 8.0, "nor this"),
        Line(9.0, 10.0, "what"),
        Line(30.0, 31.0, "after the end"),
    )
    narration = Narration(lines, "en", Kind.MANUAL, "by hand")
    found = align_narration(narration, clock(12.0), Spread("this", "what"))
    assert found.lines[0] == Line(0.2, 1.7, "cut it", (Word(0.0, 1.1, "cut"), Word(1.1, 2.2, "it")))
    assert found.lines[1:] == lines[1:]
    assert [problem.what for problem in found.problems] == [
        "no word times for 2 lines: it says this",
        "no word times for 1 line: it says what",
        "no word times for 1 line: there is no sound at its time",
    ]


def test_a_line_is_looked_for_beside_its_neighbours_and_then_among_them() -> None:
    lines = (Line(1.0, 2.0, "one"), Line(2.1, 3.0, "two"), Line(3.0, 4.0, "three"))
    narration = Narration(lines, "en", Kind.MANUAL, "by hand")
    aligner = Spread("two")
    align_narration(narration, clock(9.0), aligner)
    assert aligner.heard == [(0.5, 2.1), (2.0, 3.0), (1.6, 3.5), (3.0, 4.5)]


class TestSpread(AlignerContract):
    """The suite itself, on an aligner that is right by construction."""

    plugin = "spread"
    impossible = ("this",)

    def create(self) -> Aligner:
        return Spread("this")

    def speech(self) -> tuple[tuple[str, ...], np.ndarray]:
        return ("cut", "it"), clock(2.0)

    def test_is_found_by_its_name(self) -> None:
        """It is not installed."""


# --- torchaudio's models ---


@pytest.fixture
def small_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A random wav2vec 2.0 of the right shape, as a file in a folder; its name is SMALL."""
    import torchaudio
    from torchaudio.pipelines import WAV2VEC2_ASR_BASE_960H, Wav2Vec2ASRBundle

    params = WAV2VEC2_ASR_BASE_960H._params | {
        "encoder_embed_dim": 16,
        "encoder_num_layers": 1,
        "encoder_num_heads": 2,
        "encoder_ff_interm_features": 16,
        "encoder_pos_conv_kernel": 8,
        "encoder_pos_conv_groups": 2,
        "extractor_conv_layer_config": [(8, 10, 5), *[(8, 3, 2)] * 4, *[(8, 2, 2)] * 2],
    }
    torch.manual_seed(0)
    network = torchaudio.models.wav2vec2_model(**params)
    torch.save(network.state_dict(), tmp_path / "small.pth")
    bundle = Wav2Vec2ASRBundle(
        "small.pth", params, 16_000, False, "Wav2Vec2", WAV2VEC2_ASR_BASE_960H._labels, ()
    )
    monkeypatch.setattr(torchaudio.pipelines, "SMALL", bundle, raising=False)
    return tmp_path


# torch's own deprecation, met where torchaudio builds the network
@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_a_model_of_torchaudio_aligns_from_a_file(small_bundle: Path) -> None:
    model = TorchaudioModel("SMALL", weights=str(small_bundle))
    assert isinstance(model, AcousticModel)
    assert model.ready() is None
    samples = np.random.default_rng(0).normal(0, 0.1, 48_000).astype(np.float32)
    rows = model.emissions(samples)
    assert rows.shape == (149, 29)
    torch.testing.assert_close(rows.exp().sum(dim=-1), torch.ones(149))
    found = align_words(["fold", "the", "shirt"], samples, model)
    times = [at for word in found for at in word]
    assert times == sorted(times)
    assert 0 <= times[0] < times[-1] <= 3.0


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
class TestCtc(AlignerContract):
    plugin = "ctc:SMALL"
    impossible = ("12", "—")

    @pytest.fixture(autouse=True)
    def weights(self, small_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOWTO_CTC_WEIGHTS", str(small_bundle))

    def speech(self) -> tuple[tuple[str, ...], np.ndarray]:
        samples = np.random.default_rng(0).normal(0, 0.1, 32_000).astype(np.float32)
        return ("fold", "the", "shirt"), samples


def test_other_weights_are_another_recipe(small_bundle: Path) -> None:
    made = plugins.create("aligners", "ctc:SMALL", weights=str(small_bundle))
    before = aligner_recipe(made).parts
    assert before["name"] == "ctc:SMALL"
    with (small_bundle / "small.pth").open("ab") as file:
        file.write(b"x")
    assert aligner_recipe(made).parts["weights"] != before["weights"]


def test_missing_weights_are_named_and_nothing_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("urllib.request.urlopen", pytest.fail)
    model = TorchaudioModel(weights=str(tmp_path))
    with pytest.raises(PluginError, match=r"no file .*ls960\.pth\. Put https://download\.pytorch"):
        model.emissions(np.zeros(16_000, np.float32))
    made = plugins.create("aligners", "ctc:WAV2VEC2_ASR_BASE_960H", weights=str(tmp_path))
    with pytest.raises(PluginError, match="or HOWTO_CTC_WEIGHTS"):
        made.weights_hash()


def test_models_that_are_not_there() -> None:
    with pytest.raises(UnknownPlugin, match=r"no CTC model named 'HUBERT_BASE'\. There are: HUB"):
        plugins.create("aligners", "ctc:HUBERT_BASE")
    with pytest.raises(UnknownPlugin, match="is a family"):
        plugins.create("aligners", "ctc")

"""Forced alignment: constructed emissions with a known answer, and real loading code."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from howto.errors import PluginError, UsageError
from howto.records import Kind, Line, Narration, Word
from howto.transcribe.align import (
    AcousticModel,
    Aligned,
    TorchaudioModel,
    align_line,
    align_narration,
    align_tokens,
    line_tokens,
)
from howto.transcribe.gate import Passage

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


def aligned(text: str, heard: str, start: float = 10.0):
    sound = Passage(start, np.zeros(round(len(heard) * PER_FRAME * 16_000), np.float32))
    return align_line(Line(start, sound.end, text), sound, Constructed(heard))


def frames(found, start: float = 10.0) -> list[tuple[str, int, int]]:
    """Words with the frames that they were laid on."""
    return [
        (word.text, round((word.start - start) / PER_FRAME), round((word.end - start) / PER_FRAME))
        for word in found.words
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
    found = aligned(text, heard)
    assert found.outcome is Aligned.OK
    assert frames(found) == expected
    assert found.score > 0.9


def test_what_is_not_said_scores_low() -> None:
    assert aligned("cut it", "fffoooolllldddd").score < 0.1


@pytest.mark.parametrize(
    ("text", "heard", "outcome"),
    [
        ("far too long for this", "far", Aligned.TOO_LONG),
        ("aa", "aa", Aligned.TOO_LONG),  # two alike need a frame between them
        ("1 2 3", "abc", Aligned.NO_CHARACTERS),
        ("cut it", "", Aligned.NO_SOUND),
    ],
)
def test_what_cannot_be_aligned_is_named(text: str, heard: str, outcome: Aligned) -> None:
    found = aligned(text, heard)
    assert (found.outcome, found.words) == (outcome, ())


def test_exactly_enough_frames_are_enough() -> None:
    assert frames(aligned("aa", "a-a")) == [("aa", 0, 3)]


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


def test_a_narration_gets_words_where_it_has_none() -> None:
    word = Word(4.0, 4.5, "done")
    lines = (
        Line(0.0, 0.24, "cut it"),
        Line(1.0, 1.1, "far too long for the sound that there is, by any reading of it"),
        Line(2.0, 2.1, "123"),
        Line(3.0, 3.0, "  "),
        Line(4.0, 4.5, "done", (word,)),
    )
    narration = Narration(lines, "en", Kind.MANUAL, "by hand")
    found = align_narration(narration, np.zeros(80_000, np.float32), Constructed("-ccuutt|iit-"))
    assert [one.text for one in found.lines[0].words] == ["cut", "it"]
    assert (found.lines[0].start, found.lines[0].end) == (0.0, 0.24)
    assert found.lines[1:] == lines[1:]
    assert [problem.what for problem in found.problems] == [
        f"no word times for 1 lines: {Aligned.NO_CHARACTERS}",
        f"no word times for 1 lines: {Aligned.TOO_LONG}",
    ]


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
    found = align_line(Line(5.0, 8.0, "fold the shirt"), Passage(5.0, samples), model)
    assert found.outcome is Aligned.OK
    times = [at for word in found.words for at in (word.start, word.end)]
    assert times == sorted(times)
    assert times[0] >= 5.0
    assert times[-1] <= 8.0


def test_missing_weights_are_named_and_nothing_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("urllib.request.urlopen", pytest.fail)
    model = TorchaudioModel(weights=str(tmp_path))
    with pytest.raises(PluginError, match=r"no file .*ls960\.pth\. Put https://download\.pytorch"):
        model.emissions(np.zeros(16_000, np.float32))


def test_an_unknown_bundle_is_a_wrong_request() -> None:
    with pytest.raises(UsageError, match="no CTC model named 'HUBERT_BASE'"):
        TorchaudioModel("HUBERT_BASE")

"""The real loading and decoding code on real sound, with a small random checkpoint of the right
shape: what it writes is noise, but structure, times and repeatability are what they would be."""

import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
import whisper
from howto_whisper import weights
from howto_whisper.decoding import Segment, lines_of_window, segments_of
from howto_whisper.source import WhisperSource

from howto import plugins
from howto.demo.speech import speak
from howto.errors import PluginError, UsageError
from howto.media.audio import sound
from howto.media.encode import H264Writer
from howto.records import Kind, Video, Word
from howto.testing import NarrationSourceContract
from howto.transcribe.gate import Passage, packed, speech_spans

# Faults of openai-whisper's, met on the way: it leaves its vocabulary file open, and its beam
# search hands torch tensors to numpy in a way that numpy 2 is giving up.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*unclosed file.*:pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning"),
]

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "videos"
RATE = 16_000
DIMENSIONS = {
    "n_mels": 80,
    "n_audio_ctx": 1500,
    "n_audio_state": 16,
    "n_audio_head": 2,
    "n_audio_layer": 1,
    "n_vocab": 51_865,
    "n_text_ctx": 32,
    "n_text_state": 16,
    "n_text_head": 2,
    "n_text_layer": 1,
}
# Noise has no silence and no confidence: without these it would be sampled again and again.
PLAIN = {
    "temperature": 0.0,
    "no_speech_threshold": None,
    "language": "en",
    "language_threshold": 0,  # the weights are random
}


def real(name: str) -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"the shared data is not at {SHARED}")
    return SHARED / name


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("weights") / "small.pt"
    generator = torch.Generator().manual_seed(0)
    network = whisper.Whisper(whisper.ModelDimensions(**DIMENSIONS))
    with torch.no_grad():
        for values in network.parameters():
            values.normal_(0, 0.3, generator=generator)
    torch.save({"dims": DIMENSIONS, "model_state_dict": network.state_dict()}, path)
    return str(path)


def spoken_video(path: Path, samples: np.ndarray) -> Path:
    with H264Writer(path, width=16, height=16, frame_rate=Fraction(2), sample_rate=RATE) as writer:
        for _ in range(2 * len(samples) // RATE):
            writer.write_frame(np.zeros((16, 16, 3), np.uint8))
        writer.write_sound(samples)
    return path


class TestWhisper(NarrationSourceContract):
    plugin = "whisper"

    @pytest.fixture(autouse=True)
    def small(self, checkpoint: str) -> None:
        type(self).options = {"model": checkpoint, **PLAIN}

    def narrated_videos(self, folder: Path) -> list[Video]:
        path = folder / "jfk.mp4"
        return [Video("jfk", spoken_video(path, next(sound(real("jfk.flac")))[: 5 * RATE]))]

    def silent_videos(self, folder: Path) -> list[Video]:
        quiet = np.zeros(3 * RATE, np.float32)
        return [Video("quiet", spoken_video(folder / "quiet.mp4", quiet))]

    def unreadable_videos(self, folder: Path) -> list[Video]:
        broken = folder / "broken.mp4"
        broken.write_bytes(b"not a video")
        return [Video("broken", broken)]


def test_words_lie_where_the_gate_heard_speech(checkpoint: str) -> None:
    path = real("jfk.flac")
    narration = WhisperSource(model=checkpoint, **PLAIN).narrate(Video("jfk", path))
    assert narration is not None
    spans = list(speech_spans(sound(path)))
    for line in narration.lines:
        assert line.words
        for word in line.words:
            assert any(start - 0.01 <= word.start <= word.end <= end + 0.01 for start, end in spans)
    assert (narration.language, narration.kind) == ("en", Kind.AUTOMATIC)
    assert narration.source.endswith("(openai-whisper 20250625)")


def test_side_by_side_is_as_one_by_one(checkpoint: str, tmp_path: Path) -> None:
    """Two windows at once give the lines of two windows one after the other."""
    four = np.tile(next(sound(real("jfk.flac"))), 4)
    long = Video("long", spoken_video(tmp_path / "long.mp4", four))
    options = {**PLAIN, "word_timestamps": False}
    at_once = WhisperSource(model=checkpoint, **options, batch_size=8).narrate(long)
    single = WhisperSource(model=checkpoint, **options, batch_size=1).narrate(long)
    assert at_once is not None
    assert single is not None
    assert [line.text for line in at_once.lines] == [line.text for line in single.lines]
    assert max(line.end for line in at_once.lines) > 33  # of 44 s


def test_sampling_is_repeatable_and_leaves_torch_alone(checkpoint: str) -> None:
    """At a temperature text is drawn by chance: the same again, and not from the caller's dice."""
    video = Video("jfk", real("jfk.flac"))
    options = {**PLAIN, "temperature": (0.0, 0.7), "word_timestamps": False}
    torch.manual_seed(1)
    first = WhisperSource(model=checkpoint, **options).narrate(video)
    drawn = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(drawn, torch.rand(1))
    torch.manual_seed(2)
    assert WhisperSource(model=checkpoint, **options).narrate(video) == first
    assert first is not None
    assert first != WhisperSource(model=checkpoint, **PLAIN, word_timestamps=False).narrate(video)


def test_beams_and_conditioning_run(checkpoint: str) -> None:
    source = WhisperSource(model=checkpoint, **PLAIN, beam_size=2, condition_on_previous_text=True)
    assert source.narrate(Video("jfk", real("jfk.flac"))) is not None


def test_the_language_is_heard(checkpoint: str) -> None:
    options = {**PLAIN, "language": None, "word_timestamps": False}
    narration = WhisperSource(model=checkpoint, **options).narrate(Video("j", real("jfk.flac")))
    assert narration is not None
    assert narration.language in whisper.tokenizer.LANGUAGES


def test_the_preferred_language_is_taken_only_where_it_may_be(checkpoint: str) -> None:
    """A model of random weights holds no language to be more than half probable."""
    options = {**PLAIN, "language": None, "word_timestamps": False}
    video = Video("j", real("jfk.flac"))
    heard = WhisperSource(model=checkpoint, **options).narrate(video).language
    other = "de" if heard != "de" else "fr"
    for threshold, language in ((1.0, heard), (0.0, other)):
        wanted = {**options, "language": other, "language_threshold": threshold}
        assert WhisperSource(model=checkpoint, **wanted).narrate(video).language == language


def test_a_language_that_whisper_does_not_know(checkpoint: str) -> None:
    source = WhisperSource(model=checkpoint, **{**PLAIN, "language": "tlh"})
    with pytest.raises(UsageError, match="no language 'tlh'"):
        source.narrate(Video("jfk", real("jfk.flac")))


def test_a_window_without_speech_is_silence(checkpoint: str) -> None:
    """Any probability of silence counts, and no text is sure enough to stand against it."""
    options = {**PLAIN, "no_speech_threshold": 0.0, "logprob_threshold": 0.0}
    assert WhisperSource(model=checkpoint, **options).narrate(Video("j", real("jfk.flac"))) is None


def test_speech_of_espeak_goes_through_everything(checkpoint: str, tmp_path: Path) -> None:
    """Spoken, put into a video, decoded, gated, packed, recognised."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    spoken, rate = speak("lay the shirt flat on the table and fold the left sleeve", "en-us", 150)
    at = np.arange(int(len(spoken) * RATE / rate)) * rate / RATE
    words = np.interp(at, np.arange(len(spoken)), spoken).astype(np.float32)
    silence = np.zeros(4 * RATE, np.float32)
    path = spoken_video(tmp_path / "shirt.mp4", np.concatenate([silence, words, silence]))
    narration = WhisperSource(model=checkpoint, **PLAIN).narrate(Video("shirt", path))
    assert narration is not None
    assert narration.lines[0].start > 3.5
    assert narration.lines[-1].end < 4 + len(words) / RATE + 0.5


@pytest.mark.parametrize("name", ["sine_mono_s16.wav", "big_buck_bunny_0_30.webm"])
def test_music_never_reaches_the_model(name: str, tmp_path: Path) -> None:
    """No weights are there, and none are asked for."""
    source = WhisperSource(weights=str(tmp_path))
    assert source.narrate(Video("music", real(name))) is None


def test_the_real_model() -> None:
    """Runs where the file of `tiny` is in the weights folder."""
    source = WhisperSource(model="tiny")
    if missing := source.ready():
        pytest.skip(missing)
    narration = source.narrate(Video("jfk", real("jfk.flac")))
    assert narration is not None
    assert narration.language == "en"
    words = [word for line in narration.lines for word in line.words]
    assert "ask not what your country can do for you" in " ".join(
        "".join(letter for letter in word.text.lower() if letter.isalpha()) for word in words
    )
    country = [word.start for word in words if word.text.lower().startswith("country")]
    assert country == pytest.approx([5.87, 9.96], abs=0.3)


# --- weights ---


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: pytest.fail("it downloads"))


@pytest.mark.usefixtures("no_network")
def test_missing_weights_are_named_with_their_address(tmp_path: Path) -> None:
    source = WhisperSource(model="turbo", weights=str(tmp_path))
    assert (
        source.ready()
        == f"the weights of whisper model 'turbo': no file {tmp_path}/large-v3-turbo.pt"
    )
    with pytest.raises(PluginError) as caught:
        source.narrate(Video("jfk", real("jfk.flac")))
    said = str(caught.value)
    assert f"no file {tmp_path}/large-v3-turbo.pt" in said
    assert whisper._MODELS["turbo"] in said
    assert "download=true" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("no_network")
def test_a_file_that_is_not_the_published_one_is_refused(tmp_path: Path, checkpoint: str) -> None:
    shutil.copy(checkpoint, tmp_path / "tiny.pt")
    assert WhisperSource(model="tiny", weights=str(tmp_path)).ready() is None
    with pytest.raises(PluginError, match="not the file that OpenAI published"):
        weights.load("tiny", tmp_path, "cpu", True)


def test_a_published_file_is_loaded_with_its_alignment_heads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoint: str
) -> None:
    import base64
    import gzip
    import hashlib

    file = tmp_path / "small-one.pt"
    shutil.copy(checkpoint, file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    heads = base64.b85encode(gzip.compress(np.array([False, True]).tobytes()))
    monkeypatch.setitem(whisper._MODELS, "small-one", f"https://host/{digest}/small-one.pt")
    monkeypatch.setitem(whisper._ALIGNMENT_HEADS, "small-one", heads)
    network = weights.load("small-one", tmp_path, "cpu", False)
    assert network.alignment_heads.to_dense().tolist() == [[False, True]]
    assert weights.load("small-one", tmp_path, "cpu", False) is network


def test_a_download_that_was_allowed_is_whispers_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(
        whisper, "load_model", lambda *given: asked.append(given) or torch.nn.Identity()
    )
    source = WhisperSource(model="tiny", weights=str(tmp_path), download=True)
    assert source.ready() is None
    weights.load("tiny", tmp_path, "cpu", True)
    assert asked == [("tiny", "cpu", str(tmp_path))]


class Bomb:
    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("exploded"),))


@pytest.mark.parametrize("content", ["bomb", "noise", "other"])
def test_what_is_no_checkpoint_is_refused_without_running_it(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "bad.pt"
    if content == "bomb":
        torch.save({"dims": DIMENSIONS, "model_state_dict": Bomb()}, file)
    elif content == "noise":
        file.write_bytes(b"\x00" * 100)
    else:
        torch.save({"weights": torch.zeros(3)}, file)
    with pytest.raises(PluginError, match="is no Whisper checkpoint"):
        weights.load(str(file), tmp_path, "cpu", False)
    assert not (tmp_path / "exploded").exists()


def test_names_and_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PluginError, match="no whisper model named 'huge'"):
        weights.load("huge", tmp_path, "cpu", False)
    with pytest.raises(PluginError, match="no whisper checkpoint at"):
        weights.load(str(tmp_path / "mine.pt"), tmp_path, "cpu", True)
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(tmp_path))
    assert weights.weights_folder() == tmp_path
    assert weights.weights_folder("other") == Path("other")
    monkeypatch.delenv(weights.FOLDER_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert weights.weights_folder() == Path("/cache/whisper")


@pytest.mark.parametrize("wrong", [{"temperature": ()}, {"temperature": -1.0}, {"batch_size": 0}])
def test_options_that_cannot_mean_anything(wrong: dict) -> None:
    with pytest.raises(UsageError):
        plugins.create("asr", "whisper", **wrong)


# --- tokens and pieces ---


def test_tokens_are_cut_at_their_marks() -> None:
    mark, end = 100, 50
    tokens = [100, 1, 2, 150, 150, 3, 200, 55, 210, 4]
    assert segments_of(tokens, mark, end, 30.0) == [
        Segment(0.0, 1.0, (1, 2)),
        Segment(1.0, 2.0, (3,)),
        Segment(2.2, 30.0, (4,)),
    ]
    assert segments_of([100, 1, 400], mark, end, 2.0) == [Segment(0.0, 2.0, (1,))]
    assert segments_of([100, 400], mark, end, 2.0) == []


def test_a_segment_over_a_joint_is_two_lines() -> None:
    second = np.zeros(RATE, np.float32)
    (window,) = packed([Passage(10.0, second), Passage(60.0, second)], joint=0.5)
    words = [Word(0.2, 0.8, " fold"), Word(0.8, 1.1, " the"), Word(1.6, 2.0, " shirt.")]
    lines = lines_of_window(words, window)
    assert [(line.start, line.end, line.text) for line in lines] == [
        (10.2, 11.0, "fold the"),
        (60.1, 60.5, "shirt."),
    ]
    assert lines[0].words[1] == Word(10.8, 11.0, "the")

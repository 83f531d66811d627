"""The real loading and decoding code on real sound, with a small random model that CTranslate2's
own classes write: its text is noise, but structure, times and repeatability are what they would
be."""

import importlib.util
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from howto_faster_whisper import weights
from howto_faster_whisper.source import FasterWhisperSource

from howto import plugins
from howto.errors import PluginError, UsageError
from howto.media.audio import sound
from howto.media.encode import H264Writer
from howto.records import Video
from howto.testing import NarrationSourceContract
from howto.transcribe.gate import speech_spans

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "videos"
RATE = 16_000
PLAIN = {
    "no_speech_threshold": None,
    "language": "en",
    "language_threshold": 0,  # the weights are random
    "beam_size": 1,
    "device": "cpu",
}


def real(name: str) -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"the shared data is not at {SHARED}")
    return SHARED / name


@pytest.fixture(scope="session")
def folder_of_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    # Under importlib mode a test cannot import its neighbour by name.
    place = Path(__file__).with_name("small_model.py")
    spec = importlib.util.spec_from_file_location("small_model", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.write_small_model(tmp_path_factory.mktemp("weights") / "faster-whisper-tiny"))


def spoken_video(path: Path, samples: np.ndarray) -> Path:
    with H264Writer(path, width=16, height=16, frame_rate=Fraction(2), sample_rate=RATE) as writer:
        for _ in range(2 * len(samples) // RATE):
            writer.write_frame(np.zeros((16, 16, 3), np.uint8))
        writer.write_sound(samples)
    return path


class TestFasterWhisper(NarrationSourceContract):
    plugin = "faster-whisper"

    @pytest.fixture(autouse=True)
    def small(self, folder_of_model: str) -> None:
        type(self).options = {"model": folder_of_model, **PLAIN}

    def narrated_videos(self, folder: Path) -> list[Video]:
        return [Video("jfk", spoken_video(folder / "jfk.mp4", next(sound(real("jfk.flac")))))]

    def silent_videos(self, folder: Path) -> list[Video]:
        quiet = np.zeros(3 * RATE, np.float32)
        return [Video("quiet", spoken_video(folder / "quiet.mp4", quiet))]

    def unreadable_videos(self, folder: Path) -> list[Video]:
        broken = folder / "broken.mp4"
        broken.write_bytes(b"not a video")
        return [Video("broken", broken)]


@pytest.mark.parametrize(
    "options",
    [{}, {"batch_size": 1, "temperature": 0.0}, {"condition_on_previous_text": True}],
    ids=["side by side", "one by one", "conditioned"],
)
def test_lines_lie_where_the_gate_heard_speech(folder_of_model: str, options: dict) -> None:
    path = real("jfk.flac")
    source = FasterWhisperSource(model=folder_of_model, **{**PLAIN, "temperature": 0.0, **options})
    narration = source.narrate(Video("jfk", path))
    assert narration is not None
    spans = list(speech_spans(sound(path)))
    for line in narration.lines:
        assert type(line.start) is type(line.end) is float
        for word in line.words:
            assert any(start - 0.01 <= word.start <= word.end <= end + 0.01 for start, end in spans)
    assert narration.language == "en"


def test_windows_side_by_side_keep_their_places(folder_of_model: str, tmp_path: Path) -> None:
    """The same 11 s three times over, in two windows: the lines come again where the sound does."""
    three = np.tile(next(sound(real("jfk.flac"))), 3)
    path = spoken_video(tmp_path / "long.mp4", three)
    source = FasterWhisperSource(model=folder_of_model, **PLAIN, word_timestamps=False)
    narration = source.narrate(Video("long", path))
    assert narration is not None
    assert narration.lines[0].start < 11
    assert narration.lines[-1].end > 22


def test_without_word_times(folder_of_model: str) -> None:
    source = FasterWhisperSource(model=folder_of_model, **PLAIN, word_timestamps=False)
    narration = source.narrate(Video("jfk", real("jfk.flac")))
    assert narration is not None
    assert not any(line.words for line in narration.lines)


def test_the_language_is_heard(folder_of_model: str) -> None:
    source = FasterWhisperSource(model=folder_of_model, **{**PLAIN, "language": None})
    narration = source.narrate(Video("jfk", real("jfk.flac")))
    assert narration is not None
    assert (
        narration.language
        in weights.load(folder_of_model, None, "cpu", "default", False).supported_languages
    )


def test_the_preferred_language_is_taken_only_where_it_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The small model here knows one language, so what is heard is given."""

    class Multilingual:
        supported_languages = ("en", "de", "fr")
        model = SimpleNamespace(is_multilingual=True)

        def detect_language(self, samples: object) -> tuple[str, float, list[tuple[str, float]]]:
            return "en", 0.7, [("en", 0.7), ("de", 0.25), ("fr", 0.05)]

    monkeypatch.setattr(weights, "load", lambda *_: Multilingual())
    window = SimpleNamespace(samples=np.zeros(16_000, np.float32))

    def preferred(language: str | None, **options: float) -> str | None:
        return FasterWhisperSource(language=language, **options)._preferred([window, window])

    assert preferred(None) is None
    assert preferred("de") == "de"
    assert preferred("fr") is None
    assert preferred("fr", language_threshold=0) == "fr"


def test_a_language_that_it_does_not_know(folder_of_model: str) -> None:
    source = FasterWhisperSource(model=folder_of_model, **{**PLAIN, "language": "tlh"})
    with pytest.raises(UsageError, match="no language 'tlh'"):
        source.narrate(Video("jfk", real("jfk.flac")))


def test_music_never_reaches_the_model(tmp_path: Path) -> None:
    source = FasterWhisperSource(weights=str(tmp_path))
    assert source.narrate(Video("music", real("big_buck_bunny_0_30.webm"))) is None


# --- weights ---


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("faster_whisper.download_model", "faster_whisper.utils.download_model"):
        monkeypatch.setattr(name, lambda *_, **__: pytest.fail("it downloads"))
    monkeypatch.setattr(
        "tokenizers.Tokenizer.from_pretrained", lambda *_: pytest.fail("it downloads"), raising=True
    )


@pytest.mark.usefixtures("no_network")
def test_missing_weights_are_named_with_their_address(tmp_path: Path) -> None:
    source = FasterWhisperSource(model="turbo", weights=str(tmp_path))
    wanted = tmp_path / "faster-whisper-large-v3-turbo"
    assert str(wanted) in source.ready()
    with pytest.raises(PluginError) as caught:
        source.narrate(Video("jfk", real("jfk.flac")))
    said = str(caught.value)
    assert f"no folder {wanted} with model.bin, config.json, tokenizer.json" in said
    assert "https://huggingface.co/mobiuslabsgmbh/faster-whisper-large-v3-turbo" in said
    assert "download=true" in said


@pytest.mark.usefixtures("no_network")
def test_a_folder_without_its_tokenizer_is_not_completed(
    tmp_path: Path, folder_of_model: str
) -> None:
    """faster-whisper would fetch one."""
    part = tmp_path / "part"
    part.mkdir()
    for name in ("model.bin", "config.json"):
        (part / name).write_bytes((Path(folder_of_model) / name).read_bytes())
    source = FasterWhisperSource(model=str(part))
    assert "tokenizer.json" in source.ready()
    with pytest.raises(PluginError, match=r"tokenizer\.json"):
        source.narrate(Video("jfk", real("jfk.flac")))


@pytest.mark.usefixtures("no_network")
def test_named_models_are_found_in_either_layout(
    tmp_path: Path, folder_of_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(Path(folder_of_model).parent))
    assert FasterWhisperSource(model="tiny").ready() is None
    assert "faster-whisper-base" in FasterWhisperSource().ready()
    hub = tmp_path / "models--Systran--faster-whisper-tiny"
    (hub / "refs").mkdir(parents=True)
    (hub / "refs" / "main").write_text("0123abcd")
    (hub / "snapshots").mkdir()
    (hub / "snapshots" / "0123abcd").symlink_to(folder_of_model)
    assert FasterWhisperSource(model="tiny", weights=str(tmp_path)).ready() is None
    weights.load("tiny", str(tmp_path), "cpu", "default", False)


def test_a_download_that_was_allowed(
    tmp_path: Path, folder_of_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fetch(model: str, *, cache_dir: str) -> str:
        asked.append((model, cache_dir))
        return folder_of_model

    monkeypatch.setattr("faster_whisper.download_model", fetch)
    assert FasterWhisperSource(weights=str(tmp_path), download=True).ready() is None
    weights.load("base", str(tmp_path), "cpu", "default", True)
    assert asked == [("base", str(tmp_path))]


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    for name in weights.NEEDED:
        (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(PluginError, match="cannot be loaded as a faster-whisper model"):
        weights.load(str(tmp_path), None, "cpu", "default", False)
    with pytest.raises(PluginError, match="no faster-whisper model named 'huge'"):
        weights.load("huge", str(tmp_path), "cpu", "default", False)


@pytest.mark.parametrize("wrong", [{"temperature": ()}, {"temperature": -1.0}, {"batch_size": 0}])
def test_options_that_cannot_mean_anything(wrong: dict) -> None:
    with pytest.raises(UsageError):
        plugins.create("asr", "faster-whisper", **wrong)

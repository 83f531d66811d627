"""Caption files beside a video, and streams inside it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from howto.contracts import NarrationSource
from howto.errors import CaptionError, MediaError, Reason
from howto.media import subtitles
from howto.records import Kind, Line, MediaInfo, Narration, SubtitleTrack, Video, Word
from howto.testing.media import media_info
from howto.transcribe.embedded import EmbeddedSource
from howto.transcribe.formats import read_captions
from howto.transcribe.sidecar import SidecarSource, captions_of, group_captions
from howto.transcribe.within_video import within_video


def vtt(*texts: str) -> str:
    cues = (f"00:{i:02d}.000 --> 00:{i + 1:02d}.500\n{text}\n\n" for i, text in enumerate(texts))
    return "WEBVTT\n\n" + "".join(cues)


def info(duration: float = 60.0, tracks: tuple[SubtitleTrack, ...] = ()) -> MediaInfo:
    return replace(media_info(duration), subtitles=tracks)


def video(folder: Path, *captions: str, **more: object) -> Video:
    media = info(**more) if more else None  # type: ignore[arg-type]
    paths = tuple(folder / name for name in captions)
    return Video("v", folder / "video.mp4", paths, media)


ORDER = [
    *("video.en.vtt", "video.mp4.en.vtt", "video.en.srt", "video.en.sdh.vtt", "video.en-GB.vtt"),
    *("video.en-orig.vtt", "video.en.auto.srt", "video.vtt", "video.VTT", "video.srt"),
    *("video.auto.vtt", "video.de.vtt", "video.de.auto.vtt", "video.pt-BR.srt", "video.zh.ass"),
    *("video.en-de.vtt", "video.en.translated.srt", "video.de-en.vtt", "video.en.forced.vtt"),
]
OTHER_FILES = [
    *("video.mp4", "video-2.vtt", "video-2.en.vtt", "video2.vtt", "video.2.vtt", "other.en.vtt"),
    *("video.chapters.vtt", "video.chapters.en.vtt", "video.descriptions.en.vtt"),
    *("video.live_chat.vtt", "video.en.txt", "video.info.json", "video.xml", "vide.vtt", ".vtt"),
]


def test_which_files_and_in_which_order() -> None:
    found = captions_of("video", sorted(ORDER + OTHER_FILES))
    assert [name.lower() for name in found] == [name.lower() for name in ORDER]
    assert captions_of("video", sorted(ORDER + OTHER_FILES, reverse=True)) == found


def test_another_preferred_language() -> None:
    names = ["v.en.vtt", "v.vtt", "v.pt.vtt", "v.pt-BR.auto.vtt", "v.pt-PT.vtt", "v.pt-BR.srt"]
    assert captions_of("v", names, "pt-BR") == [
        *("v.pt-BR.srt", "v.pt.vtt", "v.pt-PT.vtt", "v.pt-BR.auto.vtt", "v.vtt", "v.en.vtt")
    ]


def test_what_was_said_before_what_a_machine_made_of_it(tmp_path: Path) -> None:
    """A Korean video of which only a translation is in the preferred language."""
    for name, text in (("video.en-ko.vtt", "fold it"), ("video.ko.vtt", "접어요")):
        (tmp_path / name).write_text(vtt(text))
    names = ["video.en-ko.vtt", "video.ko.vtt"]
    assert captions_of("video", names) == names[::-1]
    found = SidecarSource().narrate(video(tmp_path, *names))
    assert (found.language, found.kind, found.lines[0].text) == ("ko", Kind.MANUAL, "접어요")
    alone = SidecarSource().narrate(video(tmp_path, "video.en-ko.vtt"))
    assert (alone.language, alone.kind, alone.lines[0].text) == ("en", Kind.TRANSLATED, "fold it")


def test_forced_subtitles_come_last_whatever_their_language(tmp_path: Path) -> None:
    for name, text in (("video.en.forced.vtt", "a sign"), ("video.de.vtt", "falten")):
        (tmp_path / name).write_text(vtt(text))
    found = SidecarSource().narrate(video(tmp_path, "video.de.vtt", "video.en.forced.vtt"))
    assert found.lines[0].text == "falten"


@pytest.mark.parametrize(
    ("part", "language", "kind"),
    [
        # As yt-dlp writes them: to, from.
        ("en-de", "en", Kind.TRANSLATED),
        ("de-en", "de", Kind.TRANSLATED),
        ("zh-Hans-en", "zh-Hans", Kind.TRANSLATED),
        ("pt-BR-en", "pt-BR", Kind.TRANSLATED),
        ("en-pt-BR", "en", Kind.TRANSLATED),
        ("en-de-eEY6OEpapPo", "en", Kind.TRANSLATED),
        ("fr.translated", "fr", Kind.TRANSLATED),
        # Regions and scripts, as they should be written and as they are.
        ("pt-BR", "pt-BR", Kind.MANUAL),
        ("pt-br", "pt-BR", Kind.MANUAL),
        ("nl-be", "nl-BE", Kind.MANUAL),
        ("en-ca", "en-CA", Kind.MANUAL),
        ("es-ar", "es-AR", Kind.MANUAL),
        ("zh-tw", "zh-TW", Kind.MANUAL),
        ("sv-se", "sv-SE", Kind.MANUAL),
        ("de-de", "de-DE", Kind.MANUAL),
        ("es-419", "es-419", Kind.MANUAL),
        ("zh-Hans", "zh-Hans", Kind.MANUAL),
        ("sr-Latn", "sr-Latn", Kind.MANUAL),
        ("en-eEY6OEpapPo", "en", Kind.MANUAL),
        ("en-orig", "en", Kind.AUTOMATIC),
    ],
)
def test_a_translation_is_no_region(tmp_path: Path, part: str, language: str, kind: Kind) -> None:
    path = tmp_path / f"video.{part}.vtt"
    path.write_text(vtt("fold it"))
    found = read_captions(path, stem="video")
    assert (found.language, found.kind) == (language, kind)


def test_a_name_may_hold_dots_and_other_scripts() -> None:
    assert captions_of("a.b.c", ["a.b.c.vtt", "a.b.vtt", "a.b.c.d.vtt"]) == [
        "a.b.c.vtt",
        "a.b.c.d.vtt",
    ]
    # One character here, a letter and an accent there.
    assert captions_of("caf\u00e9", ["cafe\u0301.en.vtt"]) == ["cafe\u0301.en.vtt"]
    assert captions_of("video", ["video.en.xml", "video.xml"]) == ["video.en.xml"]


def test_groups() -> None:
    names = [
        *("a.en.vtt", "a.vtt", "a.b.vtt", "b.mp4.srt", "b.mkv.srt", "b.de.srt", "c.vtt"),
        *("a.chapters.vtt", "a.mp4", "readme.txt"),
    ]
    groups = group_captions(names, ["a.mp4", "a.b.mp4", "b.mp4", "b.mkv", "d.mp4"])
    assert groups == {
        "a.mp4": ["a.en.vtt", "a.vtt"],
        "a.b.mp4": ["a.b.vtt"],
        "b.mp4": ["b.mp4.srt", "b.de.srt"],
        "b.mkv": ["b.mkv.srt", "b.de.srt"],
        "d.mp4": [],
    }


def test_a_group_is_what_captions_of_finds() -> None:
    names = ORDER + OTHER_FILES
    assert group_captions(names, ["video.mp4"])["video.mp4"] == captions_of("video", names)


@pytest.mark.usefixtures("ends_at_all")
def test_a_large_folder_is_quick() -> None:
    videos = [f"how to fold {i}.mp4" for i in range(10_000)]
    names = videos + [f"how to fold {i}.{tag}.vtt" for i in range(10_000) for tag in ("en", "de")]
    groups = group_captions(names, videos)
    assert groups["how to fold 77.mp4"] == ["how to fold 77.en.vtt", "how to fold 77.de.vtt"]


def test_sources_fulfil_the_contract() -> None:
    for source, name in ((SidecarSource(), "sidecar"), (EmbeddedSource(), "embedded")):
        assert isinstance(source, NarrationSource)
        assert source.name == name
        assert not source.listens


def test_sidecar_reads_the_first_that_says_something(tmp_path: Path) -> None:
    (tmp_path / "video.en.vtt").write_text("WEBVTT\n\n00:0x --> 00:01\nlost\n")
    (tmp_path / "video.en.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\n[Music]\n")
    (tmp_path / "video.vtt").write_text(vtt("fold", "press"))
    narration = SidecarSource().narrate(
        video(tmp_path, "video.en.vtt", "gone.vtt", "video.en.srt", "video.vtt")
    )
    assert narration is not None
    assert narration.lines == (Line(0, 1.5, "fold"), Line(1, 2.5, "press"))
    assert (narration.source, narration.language) == ("video.vtt", None)
    assert [problem.what.split(" was")[0] for problem in narration.problems] == [
        "video.en.vtt",
        "gone.vtt",
    ]


def test_sidecar_prefers_its_language(tmp_path: Path) -> None:
    (tmp_path / "video.en.vtt").write_text(vtt("fold"))
    (tmp_path / "video.de.vtt").write_text(vtt("falten"))
    both = video(tmp_path, "video.en.vtt", "video.de.vtt")
    for language, text in (("en", "fold"), ("de", "falten"), ("fr", "fold")):
        narration = SidecarSource(language).narrate(both)
        assert narration is not None
        assert narration.lines[0].text == text


def test_sidecar_without_anything(tmp_path: Path) -> None:
    (tmp_path / "video.vtt").write_text("WEBVTT\n")
    (tmp_path / "video.chapters.vtt").write_text(vtt("Prologue"))
    assert SidecarSource().narrate(video(tmp_path)) is None
    assert SidecarSource().narrate(video(tmp_path, "video.vtt", "video.chapters.vtt")) is None


def test_sidecar_with_unreadable_files_only(tmp_path: Path) -> None:
    (tmp_path / "video.en.vtt").write_bytes(b"")
    (tmp_path / "video.vtt").write_text("WEBVTT\n")
    with pytest.raises(CaptionError) as caught:
        SidecarSource().narrate(video(tmp_path, "video.en.vtt", "video.vtt"))
    assert caught.value.reason is Reason.EMPTY_FILE
    assert "video.en.vtt" in caught.value.detail


def test_sidecar_keeps_within_the_video(tmp_path: Path) -> None:
    (tmp_path / "video.vtt").write_text(vtt("fold", "press", "late", "later"))
    narration = SidecarSource().narrate(video(tmp_path, "video.vtt", duration=2.0))
    assert narration is not None
    assert narration.lines == (Line(0, 1.5, "fold"), Line(1, 2, "press"))
    assert "2 lines start after the end of the video at 2.000 s" in narration.problems[0].what
    assert SidecarSource().narrate(video(tmp_path, "video.vtt", duration=1e-6)) is not None


def test_words_keep_within_the_video_too() -> None:
    line = Line(0, 4, "a b c", (Word(0, 1, "a"), Word(1, 3, "b"), Word(3, 4, "c")))
    narration = Narration((line,), "en", Kind.AUTOMATIC, "test")
    cut = within_video(narration, 2.0)
    assert cut.lines[0].end == 2
    assert cut.lines[0].words == (Word(0, 1, "a"), Word(1, 2, "b"))
    assert within_video(narration, 4.0) is narration
    assert within_video(narration, 0.0) is narration


Event = tuple[float, float, str]


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> dict[int, list[Event] | MediaError]:
    """Subtitle streams by index, in place of a container."""
    held: dict[int, list[Event] | MediaError] = {}

    def read(path: Path, index: int) -> Iterator[Event]:
        events = held[index]
        if isinstance(events, MediaError):
            raise events
        yield from events

    monkeypatch.setattr(subtitles, "read_subtitles", read)
    return held


def track(index: int, language: str | None = None, title: str = "") -> SubtitleTrack:
    return SubtitleTrack(index, "subrip", language, title)


def test_embedded_prefers_its_language(
    tmp_path: Path, streams: dict[int, list[Event] | MediaError]
) -> None:
    streams |= {
        2: [(1.0, 2.0, "falten")],
        3: [(1.0, 2.0, "sign")],
        4: [(1.0, 2.0, "auto fold")],
        5: [(-0.01, 2.0, "<i>fold</i>\n&amp; press"), (2.0, 3.0, "♪"), (61.0, 62.0, "late")],
    }
    tracks = (
        *(track(2, "ger"), track(3, "eng", "Forced"), track(4, "eng", "auto-generated")),
        track(5, "eng"),
    )
    narration = EmbeddedSource().narrate(video(tmp_path, tracks=tracks))
    assert narration is not None
    assert narration.lines == (Line(0, 2, "fold & press"),)
    assert (narration.language, narration.kind) == ("en", Kind.MANUAL)
    assert narration.source == "video.mp4, stream 5"
    assert len(narration.problems) == 1
    german = EmbeddedSource("de").narrate(video(tmp_path, tracks=tracks))
    assert german is not None
    assert german.lines[0].text == "falten"
    automatic = EmbeddedSource().narrate(video(tmp_path, tracks=tracks[:3]))
    assert automatic is not None
    assert automatic.kind is Kind.AUTOMATIC


def test_embedded_passes_over_what_it_cannot_read(
    tmp_path: Path, streams: dict[int, list[Event] | MediaError]
) -> None:
    streams |= {2: MediaError(Reason.TRUNCATED), 3: [(1.0, 2.0, "fold")]}
    tracks = (track(2, "en"), track(3))
    narration = EmbeddedSource().narrate(video(tmp_path, tracks=tracks))
    assert narration is not None
    assert "stream 2" in narration.problems[0].what
    with pytest.raises(MediaError):
        EmbeddedSource().narrate(video(tmp_path, tracks=tracks[:1]))


def test_embedded_without_anything(
    tmp_path: Path, streams: dict[int, list[Event] | MediaError]
) -> None:
    streams |= {2: [(1.0, 2.0, "[Music]")]}
    assert EmbeddedSource().narrate(video(tmp_path)) is None
    assert EmbeddedSource().narrate(video(tmp_path, duration=5.0)) is None
    assert EmbeddedSource().narrate(video(tmp_path, tracks=(track(2),))) is None

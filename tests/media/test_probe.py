"""What probing says of real, made and broken files."""

import os
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from howto.errors import MediaError, Reason
from howto.media.container import FORMATS
from howto.media.probe import probe

# Every file of the shared videos: width and height as shown, or why it is no video.
EXPECTED: dict[str, tuple[int, int] | Reason] = {
    "-video-with-dash-.mp4": (1, 1),
    "av1_video.mkv": (640, 360),
    "big_buck_bunny_0_30.webm": (1280, 720),
    "bigbuckbunny.mp4": (1280, 720),
    "carving_ice.mp4": (360, 360),
    "chaplin.mp4": (640, 360),
    "cockatoo.mp4": (1280, 720),
    "corrupted.mp4": (1280, 720),
    "delayed_start.mp4": (480, 320),
    "demo.mp4": (340, 256),
    "dog_barking.mp4": (854, 480),
    "fades.mp4": (480, 320),
    "flipping_a_pancake.mkv": (426, 240),
    "h264_10bits.mp4": (200, 200),
    "issue-134-rotate.mp4": (544, 1280),
    "jfk.flac": Reason.NO_VIDEO_STREAM,
    "making_cake.mp4": (320, 426),
    "msrvtt_12727_cooking.mp4": (1280, 720),
    "nasa_13013.mp4": (480, 270),
    "nasa_13013.mp4.audio.mp3": Reason.NO_VIDEO_STREAM,
    "no_duration.webm": (1280, 720),
    "rabbit320.mp4": (320, 240),
    "rabbit320.webm": (320, 240),
    "sample_demo_1.mp4": (640, 360),
    "sine_mono_s16.wav": Reason.NO_VIDEO_STREAM,
    "skateboarding_dog.mp4": (576, 1024),
    "smaller.mp4": (240, 128),
    "test_clip_10s.mp4": (854, 480),
    "test_video.mp4": (1920, 1080),
    "testsrc2.mp4": (1280, 720),
    "testvideo.mp4": (1280, 720),
    "transparent.webm": (200, 200),
    "unordered.mov": (50, 50),
    "v_Basketball_g01_c01.avi": (320, 240),
    "v_GGSY1Qvo990.mp4": (320, 240),
    "var_fps_video.mp4": (128, 128),
    "video_0.mov": (568, 320),
    "video_90.mov": (320, 568),
    "video_with_failing_audio.mp4": (640, 360),
    "yoga.mp4": (568, 320),
}


def reason_of(path: Path) -> Reason:
    with pytest.raises(MediaError) as caught:
        probe(path)
    return caught.value.reason


def test_the_table_names_every_shared_video(real: Path) -> None:
    assert {path.name for path in real.iterdir()} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_shared_video(real: Path, name: str) -> None:
    expected = EXPECTED[name]
    if isinstance(expected, Reason):
        assert reason_of(real / name) is expected
    else:
        info = probe(real / name)
        assert (info.width, info.height) == expected
        assert 0 < info.duration < 200


def test_rotated_phone_video(real: Path) -> None:
    info = probe(real / "video_90.mov")

    assert info.rotation == 90
    assert (info.coded_width, info.coded_height) == (568, 320)
    assert probe(real / "video_0.mov").rotation == 0


def test_times_of_the_container(real: Path) -> None:
    late = probe(real / "delayed_start.mp4")
    assert late.start_time == pytest.approx(1.075)
    assert late.duration == pytest.approx(0.96)


def test_a_duration_that_the_container_does_not_say_is_measured(real: Path) -> None:
    with av.open(str(real / "no_duration.webm")) as container:
        assert container.duration is None
    assert probe(real / "no_duration.webm").duration == pytest.approx(4.938, abs=0.001)


def test_frame_rates(real: Path) -> None:
    steady, varying = probe(real / "testvideo.mp4"), probe(real / "var_fps_video.mp4")

    assert steady.frame_rate == Fraction(30000, 1001)
    assert not steady.variable_frame_rate
    assert varying.variable_frame_rate
    assert not probe(real / "smaller.mp4").variable_frame_rate  # 29.969 against 29.970


def test_tracks_and_tags(real: Path) -> None:
    nasa = probe(real / "nasa_13013.mp4")
    assert [(track.index, track.codec, track.language) for track in nasa.subtitles] == [
        (2, "mov_text", "eng"),
        (5, "mov_text", "eng"),
    ]
    assert nasa.has_audio
    sintel = probe(real / "test_clip_10s.mp4")
    assert (sintel.title, sintel.description) == (
        "Sintel Trailer",
        "Trailer for the Sintel open movie project",
    )
    assert not sintel.has_audio
    assert probe(real / "demo.mp4").pixel_aspect == Fraction(64, 51)


def test_chapters_tags_and_language(tmp_path: Path, run_ffmpeg: Callable[..., bytes]) -> None:
    (tmp_path / "tags.txt").write_text(
        ";FFMETADATA1\ntitle=Knots\ncomment=Für alle\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1500\ntitle=The loop\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=1500\nEND=2000\ntitle=結ぶ\n"
    )
    (tmp_path / "lines.srt").write_text("1\n00:00:00,500 --> 00:00:01,000\nhello\n")
    path = tmp_path / "out.mkv"
    run_ffmpeg(
        *("-f", "lavfi", "-i", "testsrc=s=64x48:r=10:d=2", "-i", tmp_path / "tags.txt"),
        *("-i", tmp_path / "lines.srt", "-map_metadata", 1, "-map", 0, "-map", 2),
        *("-metadata:s:s:0", "language=und", "-metadata:s:s:0", "title=Signs", path),
    )

    info = probe(path)

    assert (info.title, info.description) == ("Knots", "Für alle")
    assert [(c.start, c.end, c.title) for c in info.chapters] == [
        (0.0, 1.5, "The loop"),
        (1.5, 2.0, "結ぶ"),
    ]
    assert [(t.codec, t.language, t.title) for t in info.subtitles] == [("ass", None, "Signs")]


def test_a_cover_picture_is_no_video(
    tmp_path: Path, real: Path, run_ffmpeg: Callable[..., bytes]
) -> None:
    path = tmp_path / "song.mp3"
    run_ffmpeg(
        *("-f", "lavfi", "-i", "sine=d=1", "-f", "lavfi", "-i", "testsrc=s=64x48:d=0.1"),
        *("-map", 0, "-map", 1, "-c:v", "png", "-frames:v", 1, "-disposition:v", "attached_pic"),
        path,
    )

    assert reason_of(path) is Reason.NO_VIDEO_STREAM
    assert probe(real / "carving_ice.mp4").video_codec == "h264"  # not its mjpeg cover


@pytest.mark.parametrize(
    "name",
    [
        "-i.mp4",
        "a b.mp4",
        "a\nb.mp4",
        "ümläut 動画.mp4",
        "pipe:0.mp4",
        "a%03d.mp4",
        "concat:x|y.mp4",
    ],
)
def test_no_name_confuses_the_reader(
    make_clip: Callable[..., Path], tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_clip().rename(tmp_path / name)

    assert probe(path).width == 96
    monkeypatch.chdir(tmp_path)
    assert probe(Path(name)).width == 96


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.mp4", b"", Reason.EMPTY_FILE),
        ("a.mp4", b"just words, no video at all\n" * 40, Reason.NOT_MEDIA),
        ("a.txt", b"just words, no video at all\n" * 40, Reason.NOT_MEDIA),
        ("a.mp4", b"WEBVTT\n\n00:01.000 --> 00:02.000\nhello\n", Reason.NOT_MEDIA),
        ("a.mp4", b"1\n00:00:01,000 --> 00:00:02,000\nhello\n", Reason.NOT_MEDIA),
        ("a.mp4", b"#EXTM3U\n#EXTINF:1,\nb.ts\n#EXT-X-ENDLIST\n", Reason.NOT_MEDIA),
        ("a.mp4", b"ffconcat version 1.0\nfile b.mp4\n", Reason.NOT_MEDIA),
        ("a.mp4", bytes(5000), Reason.NOT_MEDIA),
        ("a.mkv", b"\x1aE\xdf\xa3" + bytes(100), Reason.TRUNCATED),
    ],
)
def test_what_is_no_video(tmp_path: Path, name: str, content: bytes, reason: Reason) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    assert reason_of(path) is reason


def test_a_playlist_opens_nothing(make_clip: Callable[..., Path], tmp_path: Path) -> None:
    clip = make_clip()
    (tmp_path / "a.ffconcat").write_text(f"ffconcat version 1.0\nfile {clip.name}\n")
    (tmp_path / "a.m3u8").write_text(f"#EXTM3U\n#EXTINF:2,\n{clip.name}\n#EXT-X-ENDLIST\n")

    assert reason_of(tmp_path / "a.ffconcat") is Reason.NOT_MEDIA
    assert reason_of(tmp_path / "a.m3u8") is Reason.NOT_MEDIA


def test_a_name_with_a_number_pattern_is_no_series_of_pictures(tmp_path: Path) -> None:
    for i in (1, 2):
        av.VideoFrame.from_ndarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / f"a{i}.png")
    shutil.copy(tmp_path / "a1.png", tmp_path / "a%d.png")

    assert reason_of(tmp_path / "a%d.png") is Reason.NOT_MEDIA


def test_an_mp4_without_its_index(make_clip: Callable[..., Path]) -> None:
    path = make_clip()
    path.write_bytes(path.read_bytes()[:-1500])

    assert reason_of(path) is Reason.TRUNCATED


def test_a_video_of_one_frame_is_fine(make_clip: Callable[..., Path]) -> None:
    assert probe(make_clip(count=1)).duration == pytest.approx(0.04)


def test_a_video_whose_frames_are_garbage(make_clip: Callable[..., Path]) -> None:
    path = make_clip(options={"movflags": "+faststart"})
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = bytes(0xA5 for _ in data[start:])
    # The mp4 muxer writes its index last: keep it.
    whole = path.read_bytes()
    index = whole.index(b"moov")
    data[index - 4 :] = whole[index - 4 :]
    path.write_bytes(data)

    assert reason_of(path) is Reason.NO_FRAMES


def test_folders_devices_and_missing_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")

    assert reason_of(tmp_path) is Reason.UNREADABLE_FILE
    assert reason_of(tmp_path / "missing.mp4") is Reason.UNREADABLE_FILE
    assert reason_of(tmp_path / "pipe.mp4") is Reason.UNREADABLE_FILE
    assert reason_of(Path("/dev/null")) is Reason.UNREADABLE_FILE
    assert reason_of(tmp_path / "a\0b.mp4") is Reason.UNREADABLE_FILE


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(make_clip: Callable[..., Path]) -> None:
    path = make_clip()
    path.chmod(0)

    assert reason_of(path) is Reason.UNREADABLE_FILE


def test_raw_streams_have_a_duration(tmp_path: Path, run_ffmpeg: Callable[..., bytes]) -> None:
    path = tmp_path / "raw.h264"
    run_ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=2", "-c:v", "libx264", path)

    assert probe(path).duration == pytest.approx(2, abs=0.1)


def test_every_container_we_name_exists() -> None:
    known = {name for names in av.formats_available for name in names.split(",")}

    assert set(FORMATS.split(",")) <= known


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.floats(0, 1),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6),
)
def test_damage_gives_an_answer_or_our_error(
    make_clip: Callable[..., Path],
    tmp_path: Path,
    length: float,
    damage: list[tuple[float, int]],
) -> None:
    whole = tmp_path / "clip.mp4"
    if not whole.exists():
        make_clip(count=8)
    data = bytearray(whole.read_bytes())
    for place, byte in damage:
        data[int(place * (len(data) - 1))] = byte
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(data[: int(length * len(data))])

    try:
        info = probe(broken)
    except MediaError:
        return
    assert 0 <= info.duration < 30 * 24 * 3600
    assert info.width > 0
    assert 0 < info.pixel_aspect <= 16

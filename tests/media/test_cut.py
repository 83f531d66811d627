"""Cuts: where they start, what they hold, and that half a file is never left."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

from howto.errors import MediaError, Reason, UsageError
from howto.media.audio import sound
from howto.media.cut import _range_of, cut, cut_suffix
from howto.media.frames import frame_at
from howto.media.probe import probe

VIDEOS = [
    "-video-with-dash-.mp4",
    "bigbuckbunny.mp4",
    "delayed_start.mp4",
    "flipping_a_pancake.mkv",
    "h264_10bits.mp4",
    "issue-134-rotate.mp4",
    "nasa_13013.mp4",
    "no_duration.webm",
    "rabbit320.webm",
    "v_Basketball_g01_c01.avi",
    "var_fps_video.mp4",
    "video_90.mov",
    "video_with_failing_audio.mp4",
]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def difference(path: Path, seconds: float, other: Path, other_seconds: float) -> float:
    """Mean difference of two pictures, of 255, at a size where coding noise is small."""
    one, two = frame_at(path, seconds, 64), frame_at(other, other_seconds, 64)
    assert one.shape == two.shape
    return float(np.abs(one.astype(int) - two).mean())


@pytest.mark.parametrize("name", VIDEOS)
def test_an_exact_cut(real: Path, tmp_path: Path, name: str) -> None:
    info = probe(real / name)
    start, end = info.duration * 0.307, info.duration * 0.611
    out = tmp_path / f"out{cut_suffix(real / name, True)}"

    result = cut(real / name, start, end, out, exact=True)

    made = probe(out)
    assert (result.start, result.end) == pytest.approx((start, end), abs=1e-4)
    assert made.duration == pytest.approx(end - start, abs=0.15)
    assert (made.video_codec, made.pixel_format, made.rotation) == ("h264", "yuv420p", 0)
    assert (made.width, made.height) == (info.width + info.width % 2, info.height + info.height % 2)
    assert made.has_audio == info.has_audio
    for into in (0.0, 0.37 * (end - start), 0.79 * (end - start)):
        assert difference(real / name, start + into, out, into) < 6


@pytest.mark.parametrize("name", VIDEOS)
def test_a_cut_from_a_key_frame(real: Path, tmp_path: Path, name: str) -> None:
    info = probe(real / name)
    start, end = info.duration * 0.307, info.duration * 0.611
    out = tmp_path / f"out{cut_suffix(real / name, False)}"

    result = cut(real / name, start, end, out, exact=False)

    made = probe(out)
    assert 0 <= result.start <= start < end <= result.end + 0.05
    assert (made.video_codec, made.rotation) == (info.video_codec, info.rotation)
    assert made.has_audio == info.has_audio
    for into in (0.0, 0.5 * (result.end - result.start)):
        assert difference(real / name, result.start + into, out, into) < 0.5


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_sound_and_picture_stay_together(
    make_clip: Callable[..., Path], tmp_path: Path, name: str, exact: bool
) -> None:
    """Noise correlates with itself at one shift only: that must be the cut's own start."""
    chance = np.random.default_rng(0)
    clip = make_clip(
        name,
        count=200,
        sound=lambda t: 0.3 * chance.standard_normal(len(t)).clip(-1, 1),
        options={"g": "50"},
    )
    out = tmp_path / f"out{cut_suffix(clip, exact)}"

    result = cut(clip, 3.3, 5.9, out, exact=exact)

    whole, part = (np.concatenate(list(sound(p))) for p in (clip, out))
    at = round(result.start * 16_000)
    part = part[800:16_000]
    shifts = range(-480, 481, 8)
    scores = [float(part @ whole[at + 800 + s : at + 800 + s + len(part)]) for s in shifts]
    assert abs(shifts[int(np.argmax(scores))]) <= 32  # two milliseconds
    assert difference(clip, result.start + 1, out, 1) < 6


def test_sound_lasts_as_long_as_the_pictures(
    make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    clip = make_clip(
        count=6, rate=Fraction(1), sound=lambda t: 0.3 * np.sin(3_000 * t), options={"g": "1"}
    )

    cut(clip, 1.2, 3.9, tmp_path / "a.mp4", exact=True)

    samples = np.concatenate(list(sound(tmp_path / "a.mp4")))
    assert len(samples) / 16_000 == pytest.approx(2.7, abs=0.07)
    assert np.abs(samples[-3_000:-1_500]).max() > 0.2


def test_a_copy_begins_with_its_key_frame(make_clip: Callable[..., Path], tmp_path: Path) -> None:
    """The pictures before it in an open group would need another key frame."""
    x264 = "open-gop=1:keyint=24:min-keyint=24:bframes=3:b-adapt=0:scenecut=0"
    clip = make_clip(count=200, options={"x264-params": x264})

    result = cut(clip, 3.3, 5, tmp_path / "a.mp4", exact=False)

    with av.open(str(tmp_path / "a.mp4")) as container:
        stamps = sorted(p.pts for p in container.demux(video=0) if p.pts is not None)
    assert result.start == pytest.approx(72 / 25)
    assert stamps[0] == 0
    for into in (0, 0.08, 1):
        assert difference(clip, result.start + into, tmp_path / "a.mp4", into) < 0.5


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
@pytest.mark.parametrize(("name", "gop"), [("a.mkv", 75), ("a.mp4", 75), ("a.mkv", 1_000)])
def test_a_copy_with_pictures_that_are_stored_out_of_order(
    make_clip: Callable[..., Path], tmp_path: Path, name: str, gop: int, suffix: str
) -> None:
    """After a seek Matroska has no decoding time for the key frame, which is wanted still."""
    options = {"bf": "2", "g": str(gop), "sc_threshold": "0"}
    clip = make_clip(name, count=250, options=options)
    out = tmp_path / f"out{suffix}"

    result = cut(clip, 4, 8, out, exact=False)

    whole, part = pictures(clip), pictures(out)
    first = 75 if gop == 75 else 0
    assert result.start == pytest.approx(first / 25)
    assert len(part) >= 200 - first
    # The last few may lack one between them that is shown after the end.
    for i, (time, shown) in enumerate(part[: 200 - first]):
        assert time == pytest.approx(i / 25, abs=0.002)
        assert np.array_equal(shown, whole[first + i][1])


def pictures(path: Path) -> list[tuple[float, NDArray[np.uint8]]]:
    with av.open(str(path)) as container:
        start = (container.start_time or 0) / av.time_base
        frames = list(container.decode(video=0))
    return [(frame.time - start, frame.to_ndarray(format="rgb24")) for frame in frames]


def test_a_browser_can_begin_to_play_before_it_has_all(real: Path, tmp_path: Path) -> None:
    for exact in (True, False):
        cut(real / "nasa_13013.mp4", 1, 3, tmp_path / "a.mp4", exact=exact)
        data = (tmp_path / "a.mp4").read_bytes()
        assert data.index(b"moov") < data.index(b"mdat")


PALETTE = [(0, 0, 0), (255, 255, 255), (240, 18, 253), (20, 200, 40), (120, 20, 20)]


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("a.mp4", "libx264", "yuv420p"),
        ("a.mp4", "libx264", "yuv422p"),
        ("a.mp4", "libx264", "yuv444p"),
        ("a.mp4", "libx264", "yuv444p10le"),
        ("a.mp4", "libx264", "yuvj420p"),
        ("a.mkv", "mjpeg", "yuvj444p"),
        ("a.mp4", "libx264rgb", "rgb24"),
        ("a.mkv", "ffv1", "bgr0"),
        ("a.mov", "png", "rgb24"),
        ("a.mkv", "ffv1", "gray"),
    ],
)
def test_an_exact_cut_keeps_the_colours(
    tmp_path: Path, name: str, codec: str, pix_fmt: str
) -> None:
    drawn = np.repeat(np.array([PALETTE], np.uint8), 32, axis=1).repeat(64, axis=0)
    with av.open(str(tmp_path / name), "w") as target:
        stream = target.add_stream(codec, rate=25)
        stream.height, stream.width = drawn.shape[:2]
        stream.pix_fmt = pix_fmt
        for _ in range(20):
            target.mux(stream.encode(av.VideoFrame.from_ndarray(drawn).reformat(format=pix_fmt)))
        target.mux(stream.encode(None))

    cut(tmp_path / name, 0.2, 0.6, tmp_path / "out.mp4", exact=True)

    before, after = (frame_at(tmp_path / n, 0.3, 64) for n in (name, "out.mp4"))
    for x in range(16, 160, 32):  # the middle of each field, where its neighbours do not reach
        assert np.abs(before[32, x].astype(int) - after[32, x]).max() <= 4
        if pix_fmt != "gray":
            assert np.abs(drawn[32, x].astype(int) - after[32, x]).max() <= 6


def test_an_exact_cut_keeps_the_colours_of_a_real_video(real: Path, tmp_path: Path) -> None:
    """4:4:4 without a stated range; black stays black and white white."""
    source, out = real / "var_fps_video.mp4", tmp_path / "out.mp4"

    cut(source, 4.58, 9.12, out, exact=True)

    for into in (0.0, 2.0, 4.3):
        before, after = frame_at(source, 4.58 + into, 128), frame_at(out, into, 128)
        for colour in ((0, 0, 0), (255, 255, 255)):
            same = (np.abs(before.astype(int) - colour) <= 1).all(axis=-1)
            assert np.abs(after[same].mean(axis=0) - colour).max() < 6


def test_what_swscale_is_told_of_a_range_that_is_not_stated() -> None:
    """Left to itself, it takes some formats for what they are not."""
    full = ["yuvj420p", "yuvj444p", "rgb24", "gbrp", "bgra", "rgb48le", "gray", "pal8"]
    limited = ["yuv420p", "yuv422p", "yuv444p", "yuv444p10le", "yuva444p", "nv12"]
    for pix_fmt in full + limited:
        frame = av.VideoFrame(16, 16, pix_fmt)
        assert _range_of(frame) == ("pc" if pix_fmt in full else "tv")
        frame.color_range = ColorRange.JPEG
        assert _range_of(frame) == "pc"


def test_odd_sizes(tmp_path: Path, make_clip: Callable[..., Path]) -> None:
    clip = make_clip("odd.mkv", size=(33, 17), codec="ffv1", pix_fmt="bgr0")

    cut(clip, 0.5, 1.5, tmp_path / "a.mp4", exact=True)

    made = probe(tmp_path / "a.mp4")
    assert (made.width, made.height) == (34, 18)


def test_pixels_that_are_not_square_become_so(real: Path, tmp_path: Path) -> None:
    cut(real / "demo.mp4", 1, 2, tmp_path / "a.mp4", exact=True)

    made = probe(tmp_path / "a.mp4")
    assert (made.width, made.height, made.pixel_aspect) == (428, 256, Fraction(1))


def test_a_codec_that_the_container_cannot_hold(real: Path, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="cannot be put into webm"):
        cut(real / "nasa_13013.mp4", 1, 2, tmp_path / "a.webm", exact=False)
    assert names(tmp_path) == []


def test_beyond_the_end(real: Path, tmp_path: Path) -> None:
    for exact in (True, False):
        with pytest.raises(MediaError) as caught:
            cut(real / "yoga.mp4", 50, 51, tmp_path / "a.mp4", exact=exact)
        assert caught.value.reason is Reason.TOO_SHORT
        result = cut(real / "yoga.mp4", 9, 51, tmp_path / "b.mp4", exact=exact)
        assert result.end == pytest.approx(10, abs=0.1)
        (tmp_path / "b.mp4").unlink()
    assert names(tmp_path) == []


def test_what_cannot_be_asked_for(real: Path, tmp_path: Path) -> None:
    source = real / "yoga.mp4"
    for start, end in ((2.0, 1.0), (1.0, 1.0), (0.0, float("nan")), (0.0, float("inf"))):
        with pytest.raises(UsageError):
            cut(source, start, end, tmp_path / "a.mp4", exact=True)
    for out in (tmp_path / "a.avi", tmp_path / "a", tmp_path / "missing" / "a.mp4"):
        with pytest.raises(UsageError):
            cut(source, 0, 1, out, exact=False)


def test_names_that_look_like_something_else(real: Path, tmp_path: Path) -> None:
    for name in ("-y.mp4", "pipe:1.mp4", "a\nb.mp4", "a%d.mp4"):
        cut(real / "unordered.mov", 0, 0.1, tmp_path / name, exact=True)
        assert probe(tmp_path / name).width == 50


def test_nothing_is_left_of_a_cut_that_fails(
    real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "a.mp4"
    old.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise av.error.InvalidDataError(1, "broken")

    monkeypatch.setattr("howto.media.cut._pictures", fail)
    with pytest.raises(MediaError):
        cut(real / "yoga.mp4", 1, 2, old, exact=True)

    assert names(tmp_path) == ["a.mp4"]
    assert old.read_bytes() == b"old"


@pytest.mark.parametrize("exact", [True, False])
def test_a_name_that_is_too_long(real: Path, tmp_path: Path, exact: bool) -> None:
    with pytest.raises(UsageError, match=r"cannot write .*: File name too long"):
        cut(real / "yoga.mp4", 1, 2, tmp_path / f"{'a' * 252}.mp4", exact=exact)
    assert names(tmp_path) == []

    longest = f"{'a' * 251}.mp4"
    cut(real / "yoga.mp4", 1, 2, tmp_path / longest, exact=exact)
    assert names(tmp_path) == [longest]


def test_a_place_that_is_taken_by_a_folder(real: Path, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").mkdir()
    with pytest.raises(UsageError, match=r"cannot write .*: Is a directory"):
        cut(real / "yoga.mp4", 1, 2, tmp_path / "a.mp4", exact=False)
    assert names(tmp_path) == ["a.mp4"]


@pytest.mark.parametrize("method", ["replace", "unlink"])
def test_a_part_file_that_cannot_be_moved_or_removed(
    real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(Path, method, fail)
        with pytest.raises(UsageError, match=r"cannot write .*: Input/output error"):
            cut(real / "yoga.mp4", 1, 2, tmp_path / "a.mp4", exact=False)
    assert not [name for name in names(tmp_path) if name.endswith(".part")]


@pytest.mark.parametrize(
    ("name", "exact", "suffix"),
    [
        ("a.mp4", False, ".mp4"),
        ("a.WEBM", False, ".webm"),
        ("a.mov", False, ".mov"),
        ("a.avi", False, ".mkv"),
        ("a", False, ".mkv"),
        ("a.webm", True, ".mp4"),
    ],
)
def test_suffixes(name: str, exact: bool, suffix: str) -> None:
    assert cut_suffix(Path(name), exact) == suffix


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(("start", "stop"), [(0.0, 2.0), (4.0, 8.0), (10.0, 11.5), (13.0, 14.5)])
def test_a_transport_stream_without_an_index(
    tmp_path: Path, start: float, stop: float, exact: bool
) -> None:
    source = tmp_path / "camera.ts"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "75", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(375):
            # The brightness tells the second.
            picture = np.full((48, 64, 3), 10 + 15 * (number // 25), np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    out = tmp_path / f"out{cut_suffix(source, exact)}"
    result = cut(source, start, stop, out, exact=exact)
    begin = start if exact else 3.0 * int(start / 3)
    assert result.start == pytest.approx(begin, abs=0.05)
    with av.open(str(out)) as container:
        shades = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(video=0)]
    assert len(shades) == pytest.approx(25 * (stop - begin), abs=3)
    assert shades[0] == pytest.approx(10 + 15 * int(begin), abs=3)
    # A copy may end with a picture or two more, which others before the end needed.
    assert shades[-6] == pytest.approx(10 + 15 * int(stop - 0.25), abs=3)

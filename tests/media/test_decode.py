"""Decoding, against the ffmpeg program and against a plain restatement of the rule."""

import json
import math
from bisect import bisect_left
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from howto.errors import MediaError, Reason, UsageError
from howto.media import decode as decode_module
from howto.media import skip
from howto.media.decode import FrameChunk, decode
from howto.media.schedule import output_size, scaled_size
from howto.records import FrameSpec

PAPER_2D = FrameSpec(Fraction(1), 224)
PAPER_3D = FrameSpec(Fraction(24), 112, 112)
PAPER = (PAPER_2D, PAPER_3D)

RATES = [Fraction(24), Fraction(25), Fraction(30), Fraction(30000, 1001), Fraction(12)]

NO_VIDEO = {"jfk.flac", "nasa_13013.mp4.audio.mp3", "sine_mono_s16.wav"}
# Seconds each, and in nothing unlike the others.
LONG = ["big_buck_bunny_0_30.webm", "cockatoo.mp4", "test_video.mp4", "testvideo.mp4"]
VIDEOS = sorted(
    """-video-with-dash-.mp4 av1_video.mkv bigbuckbunny.mp4 carving_ice.mp4
    chaplin.mp4 corrupted.mp4 delayed_start.mp4 demo.mp4 dog_barking.mp4 fades.mp4
    flipping_a_pancake.mkv h264_10bits.mp4 issue-134-rotate.mp4 making_cake.mp4
    msrvtt_12727_cooking.mp4 nasa_13013.mp4 no_duration.webm rabbit320.mp4 rabbit320.webm
    sample_demo_1.mp4 skateboarding_dog.mp4 smaller.mp4 test_clip_10s.mp4 testsrc2.mp4
    transparent.webm unordered.mov v_Basketball_g01_c01.avi v_GGSY1Qvo990.mp4 var_fps_video.mp4
    video_0.mov video_90.mov video_with_failing_audio.mp4 yoga.mp4""".split()
)

# Where the bundled ffmpeg program departs from the rule: file and spec to the outputs that differ.
# docs/decode.md has the same table with the causes, and that of an older version.
DEPARTURES_VERSION = "n9.0"
DEPARTURES = {("msrvtt_12727_cooking.mp4", PAPER_2D): [0, 1, 2]}


def collect(chunks: Iterable[FrameChunk], num_specs: int) -> list[list[FrameChunk]]:
    found: list[list[FrameChunk]] = [[] for _ in range(num_specs)]
    for chunk in chunks:
        assert chunk.first == sum(len(c.frames) for c in found[chunk.spec])
        assert len(chunk.frames) == len(chunk.times) > 0
        found[chunk.spec].append(chunk)
    return found


def frames_of(path: Path, *specs: FrameSpec, **options: object) -> list[NDArray[np.uint8]]:
    """All frames of each spec: uint8 (n, H, W, 3)."""
    found = collect(decode(path, specs, **options), len(specs))  # type: ignore[arg-type]
    return [
        np.concatenate([c.frames for c in chunks]) if chunks else np.empty((0, 1, 1, 3), np.uint8)
        for chunks in found
    ]


def times_of(path: Path, *specs: FrameSpec) -> list[list[float]]:
    found = collect(decode(path, specs), len(specs))
    return [[time for chunk in chunks for time in chunk.times.tolist()] for chunks in found]


def authors_filters(spec: FrameSpec, width: int, height: int) -> str:
    w, h = scaled_size(width, height, spec.short_side)
    scale = f"fps={spec.rate},scale={w}:{h}"
    if spec.crop is None:
        return scale
    x, y = int((w - spec.crop) / 2.0), int((h - spec.crop) / 2.0)
    return f"{scale},crop={spec.crop}:{spec.crop}:{x}:{y}"


def theirs(
    run: Callable[..., bytes], path: Path, spec: FrameSpec, size: tuple[int, int], **options: str
) -> NDArray[np.uint8]:
    """What the ffmpeg program gives for one spec."""
    raw = run(
        *("-threads", 4),  # as ours: with another number it mends broken packets in another way
        *("-i", f"file:{path}", "-filter:v", authors_filters(spec, *size)),
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:"),
        **options,
    )
    width, height = output_size(*size, spec)
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)


def main_stream(container: av.container.InputContainer) -> av.VideoStream:
    return max(
        (
            s
            for s in container.streams.video
            if not s.disposition & av.stream.Disposition.attached_pic
        ),
        key=lambda s: s.width * s.height,
    )


def all_times(path: Path) -> tuple[list[Fraction], Fraction]:
    """The time of every frame from the container's start, and when the last one ends."""
    with av.open(f"file:{path}") as container:
        stream = main_stream(container)
        assert stream.time_base is not None
        start = round(Fraction(container.start_time, av.time_base) / stream.time_base)
        stamps, last = [], 0
        for packet in container.demux(stream):
            try:
                for frame in packet.decode():
                    assert frame.pts is not None
                    stamps.append(frame.pts - start)
                    last = frame.duration
            except av.error.InvalidDataError:
                continue
        assert last > 0
        return [s * stream.time_base for s in stamps], (stamps[-1] + last) * stream.time_base


def rule(times: list[Fraction], end: Fraction, rate: Fraction) -> list[float]:
    """Section 3 of the method: the last frame strictly below (k + 1/2) / rate."""
    assert times == sorted(times)
    chosen = []
    for k in range(math.floor(end * rate + Fraction(1, 2))):
        num_below = bisect_left(times, (k + Fraction(1, 2)) / rate)
        chosen.append(float(times[max(0, num_below - 1)]))
    return chosen


@pytest.mark.parametrize("rate", RATES, ids=str)
def test_the_frames_are_those_of_the_authors_two_passes(
    make_clip: Callable[..., Path],
    run_ffmpeg: Callable[..., bytes],
    any_ffmpeg: str,
    rate: Fraction,
) -> None:
    path = make_clip(size=(320, 180), rate=rate, count=round(3.2 * rate))

    for spec, mine in zip(PAPER, frames_of(path, *PAPER), strict=True):
        wanted = theirs(run_ffmpeg, path, spec, (320, 180), program=any_ffmpeg)
        assert mine.shape == wanted.shape
        assert np.array_equal(mine, wanted)


@pytest.mark.parametrize("size", [(64, 64), (90, 160), (162, 90), (66, 50), (640, 360)], ids=str)
def test_so_they_are_at_other_sizes(
    make_clip: Callable[..., Path], run_ffmpeg: Callable[..., bytes], size: tuple[int, int]
) -> None:
    path = make_clip(size=size, count=30)

    for spec, mine in zip(PAPER, frames_of(path, *PAPER), strict=True):
        assert np.array_equal(mine, theirs(run_ffmpeg, path, spec, size))


def test_ten_bits_and_full_range(
    make_clip: Callable[..., Path], run_ffmpeg: Callable[..., bytes]
) -> None:
    for pix_fmt in ("yuv420p10le", "yuvj420p", "yuv444p"):
        path = make_clip(f"{pix_fmt}.mp4", size=(160, 90), count=30, pix_fmt=pix_fmt)
        for spec, mine in zip(PAPER, frames_of(path, *PAPER), strict=True):
            assert np.array_equal(mine, theirs(run_ffmpeg, path, spec, (160, 90))), pix_fmt


@pytest.fixture(scope="session")
def known_version(run_ffmpeg: Callable[..., bytes]) -> bool:
    """The bundled ffmpeg program is that of the table."""
    return run_ffmpeg("-version").decode().split()[2].startswith(DEPARTURES_VERSION)


def stored_and_turned(path: Path) -> tuple[int, int]:
    """Width and height of the main video stream, as shown."""
    with av.open(f"file:{path}") as container:
        stream = main_stream(container)
        quarter = next(container.decode(stream)).rotation % 180 == 90
        return (stream.height, stream.width) if quarter else (stream.width, stream.height)


@pytest.mark.parametrize(
    "name", [*VIDEOS, *(pytest.param(n, marks=pytest.mark.long) for n in LONG)]
)
def test_real_videos_follow_the_rule(
    real: Path, name: str, run_ffmpeg: Callable[..., bytes], known_version: bool
) -> None:
    """Times by a restatement of the rule; bytes by the ffmpeg program, where it keeps to it."""
    path = real / name
    times, end = all_times(path)
    for i, chunks in enumerate(collect(decode(path, PAPER), len(PAPER))):
        got_times = [time for chunk in chunks for time in chunk.times.tolist()]
        assert got_times == rule(times, end, PAPER[i].rate)

        if not known_version:
            continue
        wanted = theirs(run_ffmpeg, path, PAPER[i], stored_and_turned(path))
        frames = [frame for chunk in chunks for frame in chunk.frames]
        assert len(frames) == len(wanted)
        differ = [k for k in range(len(frames)) if not np.array_equal(frames[k], wanted[k])]
        assert differ == DEPARTURES.get((name, PAPER[i]), [])


def test_the_list_of_videos_is_complete(real: Path) -> None:
    assert {path.name for path in real.iterdir()} == {*VIDEOS, *NO_VIDEO, *LONG}


@pytest.mark.parametrize(
    ("name", "stream", "rate"),
    [
        ("var_fps_video.mp4", 0, Fraction(10)),
        ("var_fps_video.mp4", 0, Fraction(30)),
        ("nasa_13013.mp4", 3, Fraction(30000, 1001)),
    ],
)
def test_times_are_those_of_a_reference_decoder(
    shared_data: Path, name: str, stream: int, rate: Fraction
) -> None:
    listed = json.loads(
        (shared_data / "reference" / f"{name}.stream{stream}.all_frames_info.json").read_text()
    )
    stamps = [float(frame["pts_time"]) for frame in listed]

    (got,) = times_of(shared_data / "videos" / name, FrameSpec(rate, 16))

    assert len(got) == math.floor(
        (stamps[-1] + float(listed[-1]["duration_time"])) * float(rate) + 0.5
    )
    for k, time in enumerate(got):
        below = [stamp for stamp in stamps if stamp < (k + 0.5) / float(rate)]
        assert time == pytest.approx(below[-1] if below else stamps[0], abs=2e-6)


@pytest.mark.parametrize("index", [0, 35, 389])
def test_pictures_are_those_of_a_reference_decoder(shared_data: Path, index: int) -> None:
    """The reference is unscaled; only the conversion to RGB may differ, by its rounding."""
    reference = torch.load(
        shared_data / "reference" / f"nasa_13013.mp4.stream3.frame{index:06}.pt", weights_only=True
    )
    picture = np.asarray(reference).astype(int)
    spec = FrameSpec(Fraction(30000, 1001), 270)

    (got,) = frames_of(shared_data / "videos" / "nasa_13013.mp4", spec)

    difference = np.abs(got[index].astype(int) - picture)
    assert difference.mean() < 1
    assert difference.max() <= 16


def test_two_codecs_of_one_film_agree(real: Path) -> None:
    spec = FrameSpec(Fraction(1), 120)
    (h264,), (vp8,) = (frames_of(real / f"rabbit320.{kind}", spec) for kind in ("mp4", "webm"))

    assert h264.shape == vp8.shape
    assert np.abs(h264.astype(int) - vp8).mean(axis=(1, 2, 3)).max() < 8


def test_a_late_video_begins_with_its_first_frame(real: Path) -> None:
    times, _ = times_of(real / "msrvtt_12727_cooking.mp4", *PAPER)

    assert times[:4] == [2.6, 2.6, 2.6, 3.48]


def test_under_half_a_second_there_is_no_frame_at_1_a_second(
    make_clip: Callable[..., Path], real: Path
) -> None:
    two_d, three_d = frames_of(real / "video_0.mov", *PAPER)

    assert len(two_d) == 0
    assert len(three_d) == 2
    assert len(frames_of(make_clip(rate=Fraction(30), count=15), PAPER_2D)[0]) == 1


def test_a_variable_rate(make_clip: Callable[..., Path]) -> None:
    stamps = [0, 90, 100, 800, 2500, 2510, 4000]
    path = make_clip("vfr.mkv", count=7, stamps=stamps, time_base=Fraction(1, 1000))

    (got,) = times_of(path, FrameSpec(Fraction(2), 32))

    assert got[:8] == [0.1, 0.1, 0.8, 0.8, 0.8, 2.51, 2.51, 2.51]


def test_rotated_video_is_turned(real: Path) -> None:
    spec = FrameSpec(Fraction(24), 112)
    (upright,), (turned,) = (frames_of(real / f"video_{a}.mov", spec) for a in (0, 90))

    assert upright.shape[1:] == (112, 198, 3)
    assert turned.shape[1:] == (198, 112, 3)


def test_the_authors_size_squashes_rotated_video(real: Path) -> None:
    (squashed,) = frames_of(real / "video_90.mov", FrameSpec(Fraction(24), 112), sizing="coded")

    assert squashed.shape[1:] == (112, 198, 3)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_every_quarter_turn_is_that_of_the_ffmpeg_program(
    make_clip: Callable[..., Path], run_ffmpeg: Callable[..., bytes], degrees: int
) -> None:
    path = make_clip(size=(160, 90), count=26, rotate=degrees)
    size = (160, 90) if degrees == 180 else (90, 160)

    (mine,) = frames_of(path, PAPER_2D)

    assert np.array_equal(mine, theirs(run_ffmpeg, path, PAPER_2D, size))


def test_flipped_video_is_that_of_the_ffmpeg_program(
    make_clip: Callable[..., Path], run_ffmpeg: Callable[..., bytes], tmp_path: Path
) -> None:
    plain = make_clip(size=(160, 90), count=26)
    for option in ("-display_hflip", "-display_vflip"):
        path = tmp_path / f"{option}.mp4"
        run_ffmpeg(option, "-i", plain, "-c", "copy", f"file:{path}")
        (mine,), (unturned,) = frames_of(path, PAPER_2D), frames_of(plain, PAPER_2D)
        assert not np.array_equal(mine, unturned)
        assert np.array_equal(mine, theirs(run_ffmpeg, path, PAPER_2D, (160, 90)))


def test_sparing_the_decoder_changes_nothing(
    real: Path, make_clip: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_clip(rate=Fraction(30), count=200, options={"bf": "5", "b_strategy": "2"})
    real_ones = ["nasa_13013.mp4", "corrupted.mp4", "yoga.mp4"]
    for path in (made, *(real / name for name in real_ones)):
        for specs in ((PAPER_2D,), PAPER):
            spared = frames_of(path, *specs), times_of(path, *specs)
            with monkeypatch.context() as patched:
                patched.setattr(skip, "CODECS", frozenset())
                whole = frames_of(path, *specs), times_of(path, *specs)
            assert spared[1] == whole[1]
            assert all(map(np.array_equal, spared[0], whole[0]))


def test_the_decoder_is_spared(make_clip: Callable[..., Path]) -> None:
    path = make_clip(rate=Fraction(30), count=300)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        told = [
            stream.codec_context.skip_frame
            for _ in skip.sparing(
                (p for p in container.demux(stream) if p.size),
                stream.codec_context,
                lambda shown, following: False,
                [],
            )
        ]
    assert told.count("NONREF") > 200


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_chunks_are_never_larger_than_asked(make_clip: Callable[..., Path], chunk: int) -> None:
    path = make_clip(count=40)
    whole = frames_of(path, PAPER_3D)[0]
    found = collect(decode(path, [PAPER_3D], chunk=chunk), 1)[0]

    assert all(len(c.frames) == chunk for c in found[:-1])
    assert len(found[-1].frames) <= chunk
    assert np.array_equal(np.concatenate([c.frames for c in found]), whole)


def test_chunks_stay_as_they_are_while_decoding_goes_on(make_clip: Callable[..., Path]) -> None:
    kept, copies = [], []
    for chunk in decode(make_clip(count=40), [PAPER_3D], chunk=4):
        kept.append(chunk.frames)
        copies.append(chunk.frames.copy())

    assert all(map(np.array_equal, kept, copies))


def test_broken_packets_are_left_out_and_told(real: Path) -> None:
    problems: list[str] = []
    chunks = list(decode(real / "corrupted.mp4", [PAPER_3D], problems=problems))

    assert sum(len(c.frames) for c in chunks) == 120
    assert len(problems) == 1
    assert "cannot be decoded" in problems[0]


def test_a_video_that_breaks_off_gives_what_came_before(
    make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    whole = make_clip("whole.mkv", count=100, size=(320, 180))
    half = tmp_path / "half.mkv"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    (all_frames,), (some,) = frames_of(whole, PAPER_3D), frames_of(half, PAPER_3D)

    assert 10 < len(some) < len(all_frames)
    assert np.array_equal(some[:-5], all_frames[: len(some) - 5])


def test_a_size_that_changes_midway_keeps_the_first_output_size(
    make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    small = make_clip("small.ts", size=(96, 64), count=25)
    large = make_clip("large.ts", size=(192, 128), count=25)
    both = tmp_path / "both.h264"
    with both.open("wb") as out:
        for part in (small, large):
            with av.open(str(part)) as container:
                for packet in container.demux(video=0):
                    out.write(bytes(packet))

    (frames,) = frames_of(both, FrameSpec(Fraction(5), 32))

    assert frames.shape[1:] == (32, 48, 3)
    assert len(frames) >= 9


def test_frames_that_are_never_believed(make_clip: Callable[..., Path]) -> None:
    year = 365 * 24 * 3600
    path = make_clip(
        "years.mkv", count=3, stamps=[0, 1, year], time_base=Fraction(1), rate=Fraction(1)
    )
    problems: list[str] = []

    found = list(decode(path, [PAPER_2D], problems=problems))

    assert sum(len(c.frames) for c in found) < 10
    assert len(problems) == 1


def test_what_cannot_be_asked_for(make_clip: Callable[..., Path]) -> None:
    path = make_clip()
    for spec in (
        FrameSpec(Fraction(0), 8),
        FrameSpec(Fraction(1), 0),
        FrameSpec(Fraction(1), 8, 9),
        FrameSpec(Fraction(1), 8, 0),
    ):
        with pytest.raises(UsageError):
            decode(path, [spec])
    with pytest.raises(UsageError):
        decode(path, [PAPER_2D], chunk=0)


def test_no_spec_gives_nothing(make_clip: Callable[..., Path]) -> None:
    assert list(decode(make_clip(), [])) == []


def test_what_cannot_be_decoded(tmp_path: Path, real: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"words " * 100)
    for path, reason in [
        (tmp_path / "a.mp4", Reason.NOT_MEDIA),
        (real / "jfk.flac", Reason.NO_VIDEO_STREAM),
    ]:
        with pytest.raises(MediaError) as caught:
            list(decode(path, PAPER))
        assert caught.value.reason is reason


def test_a_picture_too_narrow_to_scale(make_clip: Callable[..., Path]) -> None:
    path = make_clip(size=(2, 1000), count=26)

    with pytest.raises(MediaError, match="too narrow"):
        list(decode(path, [PAPER_2D]))


def test_bilinear_gives_other_bytes_and_nearly_the_same_picture(
    make_clip: Callable[..., Path],
) -> None:
    path = make_clip(size=(640, 360), count=26)
    (bicubic,), (bilinear,) = (
        frames_of(path, PAPER_2D, scaler=name) for name in ("bicubic", "bilinear")
    )

    assert not np.array_equal(bicubic, bilinear)
    assert np.abs(bicubic.astype(int) - bilinear).mean() < 4


def test_the_public_names_are_there() -> None:
    assert all(hasattr(decode_module, name) for name in decode_module.__all__)

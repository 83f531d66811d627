import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from howto.media.encode import H264Writer
from howto.records import Line

SIZE = {"width": 64, "height": 48, "frame_rate": Fraction(10)}


def frames(number=20):
    """A bright square that moves over a gradient."""
    ramp = np.linspace(0, 200, 64, dtype=np.uint8)
    for index in range(number):
        frame = np.broadcast_to(ramp[None, :, None], (48, 64, 3)).copy()
        frame[10:26, index : index + 16] = (250, 40, 40)
        yield frame


def tone(number):
    return np.sin(np.arange(number) / 20).astype(np.float32) * 0.3


def write(path: Path, **options):
    sound = tone(2 * 16_000)
    with H264Writer(path, **SIZE, sample_rate=16_000, **options) as video:
        for frame in frames():
            video.write_frame(frame)
        for part in np.array_split(sound, 7):
            video.write_sound(part)


def test_what_is_written_can_be_decoded(tmp_path):
    path = tmp_path / "a.mp4"
    write(path, title="Wäsche", description="words")
    with av.open(str(path)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert sound.codec_context.name == "aac"
        assert container.start_time == 0
        assert video.duration * video.time_base == 2
        assert abs(float(sound.duration * sound.time_base) - 2) < 0.01
        assert container.metadata["title"] == "Wäsche"
        assert container.metadata["description"] == "words"
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(decoded) == 20
    errors = [abs(a.astype(int) - b).mean() for a, b in zip(decoded, frames(), strict=True)]
    assert max(errors) < 6
    # A shift by one frame, or red and blue swapped, is far outside that.
    assert abs(decoded[0].astype(int) - next(frames())[..., ::-1]).mean() > 12


def test_the_index_comes_first_so_that_a_browser_starts_at_once(tmp_path):
    write(tmp_path / "a.mp4")
    data = (tmp_path / "a.mp4").read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat")


def test_same_input_gives_the_same_bytes_and_other_settings_do_not(tmp_path):
    for name, crf in (("a", 23), ("b", 23), ("c", 40)):
        write(tmp_path / f"{name}.mp4", crf=crf)
    a, b, c = ((tmp_path / f"{name}.mp4").read_bytes() for name in "abc")
    assert a == b
    assert len(c) < len(a)


def test_sound_and_frames_may_come_in_any_order(tmp_path):
    with H264Writer(tmp_path / "a.mp4", **SIZE, sample_rate=16_000) as video:
        video.write_sound(tone(8_000))
        for frame in frames():
            video.write_frame(frame)
        video.write_sound(np.zeros(24_000, np.float32))
    with av.open(str(tmp_path / "a.mp4")) as container:
        parts = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    sound = np.concatenate(parts)
    assert np.abs(sound[500:7_500] - tone(8_000)[500:7_500]).mean() < 0.05
    assert np.abs(sound[9_000:]).max() < 0.05


def test_gop_sets_the_distance_of_key_frames(tmp_path):
    write(tmp_path / "a.mp4", gop=5)
    with av.open(str(tmp_path / "a.mp4")) as container:
        keys = [packet.is_keyframe for packet in container.demux(video=0) if packet.size]
    assert sum(keys) >= 4


def test_captions_inside_the_file(tmp_path):
    lines = [Line(0.25, 1.0, "grüß dich"), Line(1.25, 1.75, "second")]
    with H264Writer(tmp_path / "a.mp4", **SIZE, caption_language="deu") as video:
        for line in lines:
            video.write_caption(line)
        for frame in frames():
            video.write_frame(frame)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.subtitles[0]
        assert stream.metadata["language"] == "deu"
        found = []
        for packet in container.demux(stream):
            data = bytes(packet)
            if len(data) > 2:
                start = float(packet.pts * packet.time_base)
                end = start + float(packet.duration * packet.time_base)
                found.append(Line(start, end, data[2:].decode()))
    assert found == lines


def stop_half_way(path):
    with H264Writer(path, **SIZE, sample_rate=16_000) as video:
        for frame in itertools.chain.from_iterable([frames(), frames(), frames(), frames()]):
            video.write_frame(frame)
            video.write_sound(tone(1_600))
        assert list(path.parent.glob(".*.part")), "nothing was written so far: the test is empty"
        raise RuntimeError("stop here")


def test_an_error_leaves_nothing(tmp_path):
    old = tmp_path / "old.mp4"
    old.write_bytes(b"the old one")
    for path in (tmp_path / "new.mp4", old):
        with pytest.raises(RuntimeError, match="stop here"):
            stop_half_way(path)
    assert [path.name for path in tmp_path.iterdir()] == ["old.mp4"]
    assert old.read_bytes() == b"the old one"


def test_nothing_is_at_the_place_before_the_end(tmp_path):
    with H264Writer(tmp_path / "a.mp4", **SIZE) as video:
        for frame in frames():
            video.write_frame(frame)
        assert not (tmp_path / "a.mp4").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize(("width", "height"), [(63, 48), (64, 47), (0, 48)])
def test_odd_sizes_are_refused(tmp_path, width, height):
    with pytest.raises(ValueError, match=f"{width}x{height}"):
        H264Writer(tmp_path / "a.mp4", width=width, height=height, frame_rate=Fraction(10))
    assert not list(tmp_path.iterdir())


def test_what_does_not_fit_the_file_is_refused(tmp_path):
    with H264Writer(tmp_path / "a.mp4", **SIZE) as video:
        video.write_frame(next(frames()))
        with pytest.raises(ValueError, match="shape"):
            video.write_frame(np.zeros((48, 48, 3), np.uint8))
        with pytest.raises(ValueError, match="sample_rate"):
            video.write_sound(np.zeros(10, np.float32))
        with pytest.raises(ValueError, match="caption_language"):
            video.write_caption(Line(0, 1, "no"))

"""Joining a picture and a sound: every frame and every sample at its time, for real files."""

from fractions import Fraction
from pathlib import Path

import av
import pytest

from howto.collect.merge import check_whole, join, joined_suffix
from howto.errors import MediaError, Reason
from howto.media.probe import probe

FILES = {
    "carving_ice.mp4": ".mp4",
    "smaller.mp4": ".mp4",
    "issue-134-rotate.mp4": ".mp4",
    "rabbit320.webm": ".webm",
    "flipping_a_pancake.mkv": ".mkv",
    "skateboarding_dog.mp4": ".mp4",
}


def alone(source: Path, kind: str, out: Path) -> Path:
    """A file with one stream of another, as a site that offers them apart has it."""
    with av.open(str(source)) as container, av.open(str(out), "w") as target:
        stream = getattr(container.streams, kind)[0]
        copy = target.add_stream_from_template(stream)
        for packet in container.demux(stream):
            if packet.dts is not None:
                packet.stream = copy
                target.mux(packet)
    return out


def times(path: Path, kind: str) -> list[Fraction]:
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        return [frame.pts * frame.time_base for frame in container.decode(stream)]


def same(first: list[Fraction], second: list[Fraction]) -> bool:
    return len(first) == len(second) and all(
        abs(a - b) < Fraction(1, 500) for a, b in zip(first, second, strict=True)
    )


@pytest.mark.parametrize("name", FILES)
def test_every_frame_and_sample_at_its_time(shared_data: Path, tmp_path: Path, name: str) -> None:
    source = shared_data / "videos" / name
    suffix = ".mkv" if source.suffix == ".webm" else source.suffix
    picture = alone(source, "video", tmp_path / f"picture{suffix}")
    sound = alone(source, "audio", tmp_path / f"sound{suffix}")
    joined = join([picture, sound], tmp_path, "joined")
    assert joined == tmp_path / f"joined{FILES[name]}"
    assert joined_suffix(joined) == FILES[name]
    assert same(times(picture, "video"), times(joined, "video"))
    assert same(times(sound, "audio"), times(joined, "audio"))
    assert probe(joined).rotation == probe(picture).rotation
    check_whole(joined)
    assert not list(tmp_path.glob("*.joining"))


def test_a_transport_stream_gets_a_container(shared_data: Path, tmp_path: Path) -> None:
    stream = tmp_path / "stream.ts"
    with (
        av.open(str(shared_data / "videos" / "carving_ice.mp4")) as container,
        av.open(str(stream), "w", format="mpegts") as target,
    ):
        copies = {each.index: target.add_stream_from_template(each) for each in container.streams}
        for packet in container.demux():
            if packet.dts is not None:
                later = round(10 / packet.time_base)  # as a stream recorded from its middle on
                packet.pts, packet.dts = packet.pts + later, packet.dts + later
                packet.stream = copies[packet.stream_index]
                target.mux(packet)
    late = times(stream, "video")
    assert late[0] > 9
    joined = join([stream], tmp_path, "joined")
    shown = times(joined, "video")
    assert joined.suffix == ".mp4"
    assert shown[0] < Fraction(1, 10)
    assert same([time - late[0] for time in late], [time - shown[0] for time in shown])


def test_a_picture_alone(shared_data: Path, tmp_path: Path) -> None:
    joined = join([shared_data / "videos" / "yoga.mp4"], tmp_path, "joined")
    assert not probe(joined).has_audio
    assert len(times(joined, "video")) == len(times(shared_data / "videos" / "yoga.mp4", "video"))


def test_what_is_no_film_is_not_joined(tmp_path: Path) -> None:
    (tmp_path / "page.bin").write_text("<html>")
    with pytest.raises(MediaError):
        join([tmp_path / "page.bin"], tmp_path, "joined")
    assert [path.name for path in tmp_path.iterdir()] == ["page.bin"]


@pytest.mark.parametrize("name", FILES)
def test_a_whole_file_is_whole(shared_data: Path, name: str) -> None:
    check_whole(shared_data / "videos" / name)


@pytest.mark.parametrize("share", [0.3, 0.6])
@pytest.mark.parametrize("name", ["smaller.mp4", "rabbit320.webm"])
def test_a_file_cut_off_is_not(shared_data: Path, tmp_path: Path, name: str, share: float) -> None:
    # join() puts the index first, so that nothing but the missing end gives it away.
    whole = join([shared_data / "videos" / name], tmp_path, "whole").read_bytes()
    (tmp_path / "cut").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(MediaError) as caught:
        check_whole(tmp_path / "cut")
    assert caught.value.reason is Reason.TRUNCATED


def test_what_the_site_said_counts_where_the_file_says_nothing(shared_data: Path) -> None:
    silent = shared_data / "videos" / "no_duration.webm"
    check_whole(silent, 5.0)
    with pytest.raises(MediaError, match=r"of 60\.0 s"):
        check_whole(silent, 60.0)

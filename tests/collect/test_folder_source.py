"""Files that are here already."""

import os
from pathlib import Path
from shutil import copyfile

import pytest

from howto.collect.fetched import Candidate
from howto.collect.sources.folder import FolderSource
from howto.collect.tracks import choose
from howto.errors import ItemError, Reason, UsageError
from howto.records import Kind

HEIGHT = 360


@pytest.fixture
def folder(shared_data: Path, tmp_path: Path) -> Path:
    made = tmp_path / "films"
    (made / "more").mkdir(parents=True)
    (made / ".hidden").mkdir()
    videos = shared_data / "videos"
    copyfile(videos / "rabbit320.webm", made / "rabbit.webm")
    copyfile(videos / "rabbit320.webm", made / "more" / "the same rabbit.webm")
    copyfile(videos / "yoga.mp4", made / "more" / "-i yoga\n%d\u202e.MP4")
    copyfile(videos / "yoga.mp4", made / ".hidden" / "other.mp4")
    captions = shared_data / "captions" / "webvttpy_sample.vtt"
    for name in ("rabbit.vtt", "rabbit.de.vtt", "rabbit.en.auto.vtt", "rabbit.live_chat.vtt"):
        copyfile(captions, made / name)
    return made


def offered(folder: Path) -> list[Candidate]:
    return list(FolderSource(folder=folder).find(None, 100))


def test_each_content_once_and_no_hidden_ones(folder: Path) -> None:
    found = offered(folder)
    assert [Path(each.address).name for each in found] == [
        "-i yoga\n%d\u202e.MP4",
        "the same rabbit.webm",
    ]
    assert all(each.rank == 0 and each.source == "folder" for each in found)


def test_a_file_that_is_renamed_is_the_same_video(folder: Path) -> None:
    before = {each.video_id for each in offered(folder)}
    (folder / "rabbit.webm").rename(folder / "hare.webm")
    assert {each.video_id for each in offered(folder)} == before


def test_what_probing_tells(folder: Path) -> None:
    source = FolderSource(folder=folder)
    yoga, _ = source.find(None, 9)
    found = source.describe(yoga)
    assert found.title == "-i yoga\n%d\u202e"
    assert found.duration == pytest.approx(10.0)
    assert (found.views, found.language, found.license, found.tracks) == (None, None, "", ())


def test_captions_beside_a_file_are_its_tracks(folder: Path, tmp_path: Path) -> None:
    (folder / "more" / "the same rabbit.webm").unlink()
    source = FolderSource(folder=folder)
    rabbit = next(each for each in source.find(None, 9) if each.address.endswith("rabbit.webm"))
    found = source.describe(rabbit)
    told = {(each.language, each.kind, each.form, each.key) for each in found.tracks}
    assert told == {
        ("und", Kind.MANUAL, "vtt", "rabbit.vtt"),
        ("de", Kind.MANUAL, "vtt", "rabbit.de.vtt"),
        ("en", Kind.AUTOMATIC, "vtt", "rabbit.en.auto.vtt"),
    }
    track = choose(found.tracks, "en", None)
    assert track is not None
    path = source.captions(found, track, tmp_path)
    assert path == tmp_path / f"{rabbit.video_id}.und.vtt"
    assert path.read_bytes() == (folder / "rabbit.vtt").read_bytes()
    assert not path.samefile(folder / "rabbit.vtt")


def test_media_is_linked_and_the_name_is_ours(folder: Path, tmp_path: Path) -> None:
    source = FolderSource(folder=folder)
    yoga, _ = source.find(None, 9)
    found = source.describe(yoga)
    for _ in range(2):
        path = source.media(found, HEIGHT, tmp_path)
        assert path == tmp_path / f"{yoga.video_id}.mp4"
        assert path.samefile(yoga.address)
    assert [left.name for left in tmp_path.iterdir() if left.is_file()] == [path.name]


def test_media_is_copied_where_there_are_no_links(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_link(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", no_link)
    source = FolderSource(folder=folder)
    yoga, _ = source.find(None, 9)
    (tmp_path / f"{yoga.video_id}.part").write_text("left by a run that was killed")
    path = source.media(source.describe(yoga), HEIGHT, tmp_path)
    assert not path.samefile(yoga.address)
    assert path.read_bytes() == Path(yoga.address).read_bytes()


def test_a_full_disk(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = FolderSource(folder=folder)
    yoga, rabbit = source.find(None, 9)
    described = source.describe(rabbit)
    del yoga
    (folder / "more" / "the same rabbit.en.vtt").write_text("WEBVTT\n")
    track = FolderSource(folder=folder).describe(rabbit).tracks[0]
    (tmp_path / f"{rabbit.video_id}.en.vtt.part").symlink_to("/dev/full")
    with pytest.raises(ItemError) as caught:
        source.captions(described, track, tmp_path)
    assert caught.value.reason is Reason.DISK_FULL


def test_a_file_that_has_gone(folder: Path, tmp_path: Path) -> None:
    source = FolderSource(folder=folder)
    yoga, _ = source.find(None, 9)
    described = source.describe(yoga)
    Path(yoga.address).unlink()
    for attempt in (
        lambda: source.describe(yoga),
        lambda: source.media(described, HEIGHT, tmp_path),
    ):
        with pytest.raises(ItemError) as caught:
            attempt()
        assert caught.value.reason is Reason.UNREADABLE_FILE


def test_what_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs a folder"):
        FolderSource().find(None, 1)
    with pytest.raises(UsageError, match="there is no such folder"):
        FolderSource(folder=tmp_path / "none").find(None, 1)

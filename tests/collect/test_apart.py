"""Files from elsewhere are looked into by another process, which may crash or hang."""

import os
import signal
import time
from pathlib import Path

import pytest

from howto.collect import apart as module
from howto.collect import ytdlp
from howto.collect.apart import apart, join_apart, probe_apart, suffix_of_whole
from howto.collect.rules import Rules
from howto.collect.sources.folder import FolderSource
from howto.collect.sources.urls import UrlsSource
from howto.collect.stage import KEPT, collect
from howto.errors import ItemError, MediaError, Reason
from tests.collect.conftest import Desk
from tests.collect.site import serving_videos
from tests.collect.test_kills import CAPTIONS
from tests.conftest import is_running, until


def which_process() -> int:
    return os.getpid()


def crash(*_arguments: object) -> str:
    os.abort()


def hang(*_arguments: object) -> None:
    time.sleep(600)


def full_disk() -> None:
    Path("/dev/full").write_bytes(b"x")


def bug() -> None:
    raise KeyError("x")


def reason_of(function, *arguments: object) -> Reason:
    with pytest.raises(ItemError) as caught:
        apart(function, *arguments, files=[])
    return caught.value.reason


def test_it_is_one_other_process() -> None:
    first = apart(which_process, files=[])
    assert first != os.getpid()
    assert apart(which_process, files=[]) == first


def test_a_worker_killed_between_two_files_costs_none() -> None:
    idle = apart(which_process, files=[])
    os.kill(idle, signal.SIGKILL)
    until(lambda: not is_running(idle))
    again = apart(which_process, files=[])
    assert again not in (idle, os.getpid())
    assert apart(which_process, files=[]) == again


def test_whatever_happens_there_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reason_of(crash) is Reason.DECODER_CRASHED
    assert reason_of(full_disk) is Reason.DISK_FULL
    assert reason_of(bug) is Reason.INTERNAL_ERROR
    monkeypatch.setattr(module, "_SECONDS", 0.5)
    assert reason_of(hang) is Reason.TIME_LIMIT
    monkeypatch.undo()
    assert apart(which_process, files=[]) != os.getpid()


def test_a_large_file_may_take_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    class Pool:
        def run(self, calls):
            given.extend(calls)
            raise InterruptedError

    monkeypatch.setattr(module, "_worker", Pool)
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.truncate(2_000_000_000)
    with pytest.raises(InterruptedError):
        probe_apart(large)
    assert given[0].seconds == pytest.approx(120 + 1000)


def test_answers_and_refusals_are_those_of_the_functions(tmp_path: Path, small_video) -> None:
    film = small_video(tmp_path / "film.mp4", seconds=4)
    assert probe_apart(film).duration == pytest.approx(4)
    assert suffix_of_whole(film, None, True) == ".mp4"
    assert join_apart([film], tmp_path, "joined") == tmp_path / "joined.mp4"
    (tmp_path / "page.mp4").write_bytes(b"<html>")
    for attempt in (
        lambda: probe_apart(tmp_path / "page.mp4"),
        lambda: suffix_of_whole(tmp_path / "page.mp4", None, False),
    ):
        with pytest.raises(MediaError) as caught:
            attempt()
        assert caught.value.reason is Reason.NOT_MEDIA


def test_a_download_that_crashes_the_decoder_costs_one_video(
    desk: Desk, tmp_path: Path, small_video, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []

    def sometimes(path: Path, duration: float | None, is_picture: bool) -> str:
        looked.append(path)
        if len(looked) == 1:
            return apart(crash, files=[path])
        return suffix_of_whole(path, duration, is_picture)

    monkeypatch.setattr(ytdlp, "suffix_of_whole", sometimes)
    media = small_video(tmp_path / "film.mp4", seconds=60).read_bytes()
    with serving_videos(tmp_path, 2, media, CAPTIONS.encode()) as (addresses, _):
        source = UrlsSource(urls=addresses, allow_private=True)
        collect(
            desk.library,
            {"urls": source},
            Rules(keep_free=0),
            lists=[("", source)],
            on_event=desk.events.append,
        )
    assert sorted(desk.outcomes.values()) == [Reason.DECODER_CRASHED, KEPT]
    assert len(list(desk.places.media.iterdir())) == 1
    assert list(desk.places.parts.iterdir()) == []


def test_a_check_that_takes_too_long_says_nothing_about_the_file(
    tmp_path: Path, small_video, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*_arguments: object) -> str:
        raise ItemError(Reason.TIME_LIMIT)

    media = small_video(tmp_path / "film.mp4", seconds=60).read_bytes()
    into = tmp_path / "into"
    into.mkdir()
    with serving_videos(tmp_path, 1, media, CAPTIONS.encode()) as (addresses, site):
        source = UrlsSource(urls=addresses, allow_private=True)
        (candidate,) = source.find(None, 1)
        described = source.describe(candidate)
        with monkeypatch.context() as patched:
            patched.setattr(ytdlp, "suffix_of_whole", slow)
            with pytest.raises(ItemError):
                source.media(described, 360, into)
        whole = source.media(described, 360, into).read_bytes()
        assert whole.startswith(media)
        assert sum(path.startswith("/media/") for path in site.paths()) == 1


def test_own_files_are_probed_there_too(
    tmp_path: Path, small_video, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_video(tmp_path / "film.mp4")
    source = FolderSource(folder=tmp_path)
    (candidate,) = source.find(None, 1)
    monkeypatch.setattr(module, "_probe", crash)
    with pytest.raises(ItemError) as caught:
        source.describe(candidate)
    assert caught.value.reason is Reason.DECODER_CRASHED

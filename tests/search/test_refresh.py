"""The library follows its folder: each change is seen, and nothing is done twice."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from howto.collect.examine import content_id
from howto.errors import Reason
from howto.library import Library
from howto.records import Outcome, Stage, State
from howto.run import local
from howto.search import refresh as refresh_module
from howto.search.query import Query
from howto.search.refresh import Refreshed, refresh
from howto.search.words import rank


def bring_up_to_date(folder: Path) -> Refreshed:
    with Library.open(folder) as library:
        return refresh(library, workers=1)


def said(folder: Path, query: str) -> list[str]:
    """The captions that a query finds, best first."""
    with Library.open(folder) as library:
        return [one.caption for one in rank(library.connection, Query.parse(query))]


def outcomes(folder: Path) -> dict[tuple[str, Stage], Outcome]:
    with Library.open(folder) as library:
        return {(one.paths[0], one.stage): one for one in library.outcomes()}


def narration_of(folder: Path) -> dict[str, list[str]]:
    with Library.open(folder) as library:
        narrations = {}
        for number, paths in library.paths().items():
            narration = library.narration(number)
            narrations[paths[0]] = [line.text for line in narration.lines] if narration else []
        return narrations


def test_the_second_run_does_nothing(videos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bring_up_to_date(videos) == Refreshed(new=3)
    database = videos / ".howto" / "library.db"
    before = database.read_bytes()
    monkeypatch.setattr(refresh_module, "content_id", pytest.fail)
    monkeypatch.setattr(refresh_module, "_commit", pytest.fail)
    assert bring_up_to_date(videos) == Refreshed()
    assert database.read_bytes() == before


def test_what_is_found(videos: Path) -> None:
    bring_up_to_date(videos)
    assert narration_of(videos) == {
        "pancakes.mp4": ["Pour the batter into the pan", "and flip the pancake"],
        "shirts/fold.mp4": [
            "hello and welcome back",
            "lay the shirt flat on the table",
            "now fold the left sleeve of the shirt",
            "press the iron down",
        ],
        "silent.mp4": [],
    }
    ended = outcomes(videos)
    assert ended["pancakes.mp4", Stage.TRANSCRIBE].state == State.OK
    assert ended["silent.mp4", Stage.TRANSCRIBE].reason == Reason.NO_NARRATION


def test_a_new_file_alone_is_looked_at(
    videos: Path, small_video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    bring_up_to_date(videos)
    small_video(videos / "new.mp4", shade=9)
    (videos / "new.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nglue the vase\n")
    looked_at = []
    content_id = refresh_module.content_id
    monkeypatch.setattr(
        refresh_module, "content_id", lambda path: looked_at.append(path) or content_id(path)
    )
    assert bring_up_to_date(videos) == Refreshed(new=1)
    assert looked_at == [videos / "new.mp4"]
    assert said(videos, "vase") == ["glue the vase"]


def test_renaming_probes_nothing_again(videos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bring_up_to_date(videos)
    (videos / "silent.mp4").rename(videos / "quiet.mp4")
    monkeypatch.setattr("howto.run.local.run_local", pytest.fail)
    assert bring_up_to_date(videos) == Refreshed(renamed=1)
    assert said(videos, "silent") == []
    assert len(said(videos, "quiet")) == 1


def test_renaming_with_its_captions_keeps_them(videos: Path) -> None:
    bring_up_to_date(videos)
    (videos / "shirts").rename(videos / "clothes")
    assert bring_up_to_date(videos) == Refreshed(renamed=1)
    assert len(said(videos, "sleeve")) == 1
    assert set(narration_of(videos)) == {"clothes/fold.mp4", "pancakes.mp4", "silent.mp4"}


def test_removing_takes_it_out_of_the_search_and_bringing_it_back_costs_no_probe(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring_up_to_date(videos)
    shutil.move(videos / "pancakes.mp4", tmp_path / "away.mp4")
    assert bring_up_to_date(videos) == Refreshed(removed=1)
    assert said(videos, "pancake batter") == []
    with Library.open(videos) as library:
        assert (library.counts()["videos"], library.counts()["absent"]) == (2, 1)
    shutil.move(tmp_path / "away.mp4", videos / "pancakes.mp4")
    monkeypatch.setattr("howto.run.local.run_local", pytest.fail)
    assert bring_up_to_date(videos) == Refreshed(new=1)
    assert len(said(videos, "pancake batter")) == 2


def test_changed_captions_are_read_again(videos: Path) -> None:
    bring_up_to_date(videos)
    (videos / "pancakes.srt").write_text("1\n00:00:02,000 --> 00:00:05,000\nbake a cake\n")
    assert bring_up_to_date(videos) == Refreshed(changed=1)
    assert said(videos, "batter") == []
    assert said(videos, "cake") == ["bake a cake"]
    (videos / "pancakes.srt").unlink()
    assert bring_up_to_date(videos) == Refreshed(changed=1)
    assert narration_of(videos)["pancakes.mp4"] == []


def test_other_content_in_the_same_file_is_another_video(
    videos: Path, small_video: Callable[..., Path]
) -> None:
    bring_up_to_date(videos)
    small_video(videos / "silent.mp4", shade=77)
    assert bring_up_to_date(videos) == Refreshed(changed=1)
    with Library.open(videos) as library:
        assert (library.counts()["videos"], library.counts()["absent"]) == (3, 1)
    assert len(said(videos, "silent")) == 1


def test_the_same_content_at_two_paths_is_one_video(videos: Path) -> None:
    shutil.copy(videos / "pancakes.mp4", videos / "another copy.mp4")
    assert bring_up_to_date(videos) == Refreshed(new=4)
    with Library.open(videos) as library:
        assert (library.counts()["videos"], library.counts()["files"]) == (3, 4)
    # The copy that has captions lends them to the one that has none, whichever is looked at first.
    assert len(said(videos, "batter")) == 1
    (videos / "pancakes.mp4").unlink()
    (videos / "pancakes.srt").unlink()
    bring_up_to_date(videos)
    assert said(videos, "batter") == []
    assert len(said(videos, "copy")) == 1


def test_a_bad_file_costs_only_itself(videos: Path) -> None:
    (videos / "empty.mp4").touch()
    (videos / "text.mp4").write_text("not a video at all\n" * 50)
    whole = (videos / "pancakes.mp4").read_bytes()
    (videos / "cut.mp4").write_bytes(whole[: len(whole) // 3])
    (videos / "fifo.mp4").mkdir()
    assert bring_up_to_date(videos).new == 6
    ended = outcomes(videos)
    assert ended["empty.mp4", Stage.PROBE].reason == Reason.EMPTY_FILE
    assert ended["text.mp4", Stage.PROBE].reason == Reason.NOT_MEDIA
    assert ended["cut.mp4", Stage.PROBE].reason in (Reason.TRUNCATED, Reason.NO_FRAMES, None)
    assert ended["pancakes.mp4", Stage.PROBE].state == State.OK
    assert len(said(videos, "batter")) == 1
    assert bring_up_to_date(videos) == Refreshed()


def test_damaged_captions_give_what_can_be_read_and_name_the_line(videos: Path) -> None:
    (videos / "silent.vtt").write_text(
        "WEBVTT\n\n00:01.000 --> 00:02.000\nwhisk the egg\n\n"
        "00:0x.000 --> 00:04.000\nlost\n\n00:05.000 --> 00:06.000\npour it\n"
    )
    bring_up_to_date(videos)
    assert narration_of(videos)["silent.mp4"] == ["whisk the egg", "pour it"]
    with Library.open(videos) as library:
        (number,) = [n for n, paths in library.paths().items() if paths == ["silent.mp4"]]
        assert [problem.line for problem in library.narration(number).problems] == [6]


def test_captions_without_a_readable_line_fail_that_video(videos: Path) -> None:
    (videos / "silent.vtt").write_text("WEBVTT\n\n00:0x.000 --> 00:04.000\nlost\n")
    bring_up_to_date(videos)
    ended = outcomes(videos)["silent.mp4", Stage.TRANSCRIBE]
    assert (ended.state, ended.reason) == (State.FAILED, Reason.UNREADABLE_CAPTIONS)


def test_a_decoder_that_crashes_costs_its_own_file(
    videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_local = local.run_local

    def crash_on_silent(function, items, **options):
        for ended in run_local(function, items, **options):
            if ended.item.video.path.name == "silent.mp4":
                yield local.Ended(ended.item, None, Reason.DECODER_CRASHED, "exit code -11")
            else:
                yield ended

    monkeypatch.setattr(local, "run_local", crash_on_silent)
    bring_up_to_date(videos)
    ended = outcomes(videos)["silent.mp4", Stage.PROBE]
    assert (ended.state, ended.reason) == (State.FAILED, Reason.DECODER_CRASHED)
    assert len(said(videos, "batter")) == 1
    assert bring_up_to_date(videos) == Refreshed()


def test_what_failed_is_tried_again_only_when_asked(
    videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_local = local.run_local
    monkeypatch.setattr(
        local,
        "run_local",
        lambda _, items, **__: (local.Ended(item, None, Reason.TIME_LIMIT) for item in items),
    )
    bring_up_to_date(videos)
    assert {one.reason for one in outcomes(videos).values()} == {Reason.TIME_LIMIT}
    monkeypatch.setattr(local, "run_local", run_local)
    assert bring_up_to_date(videos) == Refreshed()
    with Library.open(videos) as library:
        assert refresh(library, workers=1, retry=True) == Refreshed(changed=3)
        assert refresh(library, workers=1, retry=True) == Refreshed()
    assert len(said(videos, "batter")) == 1


def test_a_permission_given_back_to_captions_is_noticed(videos: Path) -> None:
    (videos / "pancakes.srt").chmod(0)
    bring_up_to_date(videos)
    (videos / "pancakes.srt").chmod(0o644)
    assert bring_up_to_date(videos) == Refreshed(changed=1)
    assert len(said(videos, "batter")) == 1


def test_a_folder_that_cannot_be_read_is_named(
    videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def deny(folder: str) -> object:
        if str(folder).endswith("shirts"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", deny)
    with Library.open(videos) as library:
        assert refresh(library) == Refreshed(new=2, unreadable=("shirts/",))


def test_info_json_and_container_tags_are_searched(
    videos: Path, small_video: Callable[..., Path]
) -> None:
    (videos / "silent.info.json").write_text(
        '{"title": "Origami crane", "description": "paper folding",'
        ' "chapters": [{"start_time": 0, "end_time": 8, "title": "Valley creases"},'
        ' {"start_time": "x"}, null, {"start_time": 1e300, "end_time": 1e301, "title": "Valley a"},'
        ' {"start_time": 500, "end_time": 600, "title": "Valley b"},'
        ' {"start_time": 3, "end_time": 3, "title": "Valley c"},'
        ' {"start_time": 1' + "0" * 400 + ', "end_time": 5, "title": "Valley d"},'
        ' {"start_time": 12, "end_time": 999, "title": "Mountain"}]}'
    )
    small_video(videos / "x1.mp4", shade=30, title="Sharpen a chisel")
    (videos / "x1.info.json").write_text("{ broken")
    bring_up_to_date(videos)
    with Library.open(videos) as library:
        crane, crease, mountain, chisel = (
            rank(library.connection, Query.parse(text))
            for text in ("origami", "valley", "mountain", "chisel")
        )
    assert [one.matched for one in crane] == [("title",)]
    assert [(one.start, one.end, one.caption) for one in crease] == [(0, 8, "Valley creases")]
    assert [(one.start, one.end) for one in mountain] == [(12, 20)]
    assert [one.caption for one in chisel] == ["Sharpen a chisel"]


def test_an_info_json_says_the_title_before_the_container(
    videos: Path, small_video: Callable[..., Path]
) -> None:
    small_video(videos / "x.mp4", shade=31, title="Sharpen a chisel")
    (videos / "x.info.json").write_text('{"title": "Hone a plane iron"}')
    (videos / "silent.info.json").write_text("[" * 100_000)
    bring_up_to_date(videos)
    assert said(videos, "chisel") == []
    assert said(videos, "plane") == ["Hone a plane iron"]
    assert outcomes(videos)["silent.mp4", Stage.PROBE].state == State.OK


def test_the_id_of_a_file_knows_its_size_its_beginning_and_its_end(tmp_path: Path) -> None:
    whole = bytes(3 << 20)
    contents = [whole, whole + b"\0", b"\1" + whole[1:], whole[:-1] + b"\1"]
    ids = []
    for number, content in enumerate(contents):
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(content)
        ids.append(content_id(path))
    assert len(set(ids)) == len(contents)
    (tmp_path / "copy.mp4").write_bytes(whole)
    assert content_id(tmp_path / "copy.mp4") == ids[0]


def test_what_is_mended_has_no_failure_any_more(videos: Path) -> None:
    (videos / "silent.vtt").write_text("WEBVTT\n\n00:0x.000 --> 00:04.000\nlost\n")
    whole = (videos / "pancakes.mp4").read_bytes()
    (videos / "pancakes.mp4").write_bytes(b"")
    bring_up_to_date(videos)
    assert {one.state for one in outcomes(videos).values()} == {State.OK, State.FAILED}
    (videos / "silent.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:04.000\nfound\n")
    (videos / "pancakes.mp4").write_bytes(whole)
    bring_up_to_date(videos)
    assert {one.state for one in outcomes(videos).values()} == {State.OK}
    assert len(outcomes(videos)) == 6


def test_every_shared_video_has_an_outcome(shared_data: Path, tmp_path: Path) -> None:
    with Library.open(shared_data / "videos", tmp_path / "state") as library:
        refresh(library)
        ended = {one.paths[0]: one for one in library.outcomes() if one.stage == Stage.PROBE}
    names = {path.name for path in (shared_data / "videos").iterdir() if path.is_file()}
    assert set(ended) == names
    sound_alone = {"jfk.flac", "nasa_13013.mp4.audio.mp3", "sine_mono_s16.wav"}
    assert {
        name for name, one in ended.items() if one.reason == Reason.NO_VIDEO_STREAM
    } == sound_alone
    assert {one.state for name, one in ended.items() if name in sound_alone} == {State.SKIPPED}
    others = {name: one.state for name, one in ended.items() if name not in sound_alone}
    assert set(others.values()) == {State.OK}, others


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read every file")
def test_a_file_that_may_not_be_read_is_named(videos: Path) -> None:
    (videos / "silent.mp4").chmod(0)
    bring_up_to_date(videos)
    assert outcomes(videos)["silent.mp4", Stage.PROBE].reason == Reason.UNREADABLE_FILE


def test_a_file_whose_bytes_cannot_be_had_is_named(
    videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content_id = refresh_module.content_id

    def fail(path: Path) -> str:
        if path.name == "silent.mp4":
            raise PermissionError(13, "Permission denied")
        return content_id(path)

    monkeypatch.setattr(refresh_module, "content_id", fail)
    bring_up_to_date(videos)
    ended = outcomes(videos)["silent.mp4", Stage.PROBE]
    assert (ended.reason, ended.detail) == (Reason.UNREADABLE_FILE, "Permission denied")
    # The permission is given back, which changes neither its size nor its time.
    monkeypatch.setattr(refresh_module, "content_id", content_id)
    bring_up_to_date(videos)
    assert outcomes(videos)["silent.mp4", Stage.PROBE].state == State.OK
    assert bring_up_to_date(videos) == Refreshed()

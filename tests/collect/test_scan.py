"""Scanning finds media and what lies beside it, and nothing else."""

import os
from pathlib import Path

from howto.collect.scan import scan


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_media_of_all_visible_folders_with_their_companions(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "b.MP4",
        "b.en.vtt",
        "b.srt",
        "b.info.json",
        "b-2.mkv",
        "a/c.webm",
        "a/c.chapters.vtt",
        "song.mp3",
        "notes.txt",
        ".hidden.mp4",
        ".howto/media/d.mp4",
        "a/.git/e.mp4",
    )
    found = {file.path: file for file in scan(tmp_path)}
    assert list(found) == ["a/c.webm", "b-2.mkv", "b.MP4", "song.mp3"]
    assert found["b.MP4"].captions == ("b.en.vtt", "b.srt")
    assert found["b.MP4"].info_json == "b.info.json"
    assert found["b-2.mkv"].captions == ()
    assert found["a/c.webm"].captions == ()


def test_companions_change_with_any_of_them(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "a.vtt")
    before = scan(tmp_path)
    assert scan(tmp_path) == before
    os.utime(tmp_path / "a.vtt", (1, 1))
    after = scan(tmp_path)
    assert after[0].companions != before[0].companions
    (tmp_path / "a.vtt").unlink()
    assert scan(tmp_path)[0].companions == ""


def test_links_that_lead_nowhere_or_round_are_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nothing")
    (tmp_path / "round").symlink_to(tmp_path, target_is_directory=True)
    assert [file.path for file in scan(tmp_path)] == ["a.mp4"]


def test_names_of_any_kind(tmp_path: Path) -> None:
    names = [
        "-dash.mp4",
        "two words.mp4",
        "line\nbreak.mp4",
        "折り紙.mp4",
        os.fsdecode(b"\xff\xfe.mp4"),
    ]
    touch(tmp_path, *names)
    assert {file.path for file in scan(tmp_path)} == set(names)


def test_only_keeps_what_the_pattern_matches(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "shirts/b.mp4", "shirts/c.mkv")
    assert [file.path for file in scan(tmp_path, only="shirts/*.mp4")] == ["shirts/b.mp4"]

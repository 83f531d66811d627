"""`howto status`: what there is, and what is wrong with the rest."""

from pathlib import Path

from howto.search.phrases import counted


def test_json(cli, videos: Path) -> None:
    (videos / "empty.mp4").touch()
    cli("search", "shirt", videos)
    status = cli("status", "-L", videos, "--json").json
    assert (status["videos"], status["files"], status["narrations"], status["lines"]) == (
        4,
        4,
        2,
        6,
    )
    # 6 lines, and windows where nothing is said.
    assert status["clips"] > 6
    ended = {
        (one["video"], one["stage"]): (one["state"], one["reason"]) for one in status["outcomes"]
    }
    assert ended == {
        ("empty.mp4", "probe"): ("failed", "empty_file"),
        ("pancakes.mp4", "probe"): ("ok", None),
        ("pancakes.mp4", "transcribe"): ("ok", None),
        ("shirts/fold.mp4", "probe"): ("ok", None),
        ("shirts/fold.mp4", "transcribe"): ("ok", None),
        ("silent.mp4", "probe"): ("ok", None),
        ("silent.mp4", "transcribe"): ("skipped", "no_narration"),
    }


def test_large_numbers_have_all_their_digits() -> None:
    assert counted(20_400_000.0, "line") == "20400000 lines"
    assert (counted(1, "file"), counted(1.5, "GB")) == ("1 file", "1.5 GBs")


def test_table(cli, videos: Path) -> None:
    (videos / "empty.mp4").touch()
    cli("search", "shirt", videos)
    ran = cli("status", videos)
    assert ran.code == 0
    assert "4 videos in 4 files" in ran.out
    assert "empty_file" in ran.out
    assert "silent.mp4" not in ran.out
    assert "silent.mp4" in cli("status", videos, "--all").out


def test_problems_of_captions_are_named_by_line(cli, videos: Path) -> None:
    (videos / "silent.vtt").write_text(
        "WEBVTT\n\n00:01.000 --> 00:02.000\nwhisk\n\n00:0x.000 --> 00:04.000\nlost\n"
    )
    note = "a part of 1 caption file could not be read; howto status"
    assert note in cli("search", "whisk", videos).err
    (problem,) = cli("status", videos, "--json").json["problems"]
    assert (problem["video"], problem["source"], problem["line"]) == ("silent.mp4", "silent.vtt", 6)
    ran = cli("status", videos)
    row = next(line for line in ran.out.splitlines() if line.startswith("silent.vtt"))
    assert " 6 " in row


def test_the_root_of_all_files_is_taken_when_it_is_named_alone(cli, monkeypatch) -> None:
    # Status makes nothing, so this looks through no machine when it fails.
    monkeypatch.chdir("/")
    silent, named = cli("status"), cli("status", "/")
    assert silent.code == 2
    assert "where every file of the machine is; name a folder" in silent.err
    assert "name a folder" not in named.err


def test_a_folder_that_is_no_library_yet(cli, videos: Path) -> None:
    ran = cli("status", videos)
    assert (ran.code, ran.out) == (1, "")
    assert "howto search QUERY" in ran.err
    assert not (videos / ".howto").exists()

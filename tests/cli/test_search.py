"""`howto search` as a person and as a script use it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from howto.cli.search import show_answer
from howto.library import Library
from howto.search import search as api

from ..conftest import until


def test_the_moment_is_found(cli, videos: Path) -> None:
    ran = cli("search", "fold a shirt", videos, "--json")
    assert ran.code == 0
    found = ran.json
    assert list(found) == [
        "query",
        "library",
        "signals",
        "hits",
        "model",
        "why",
        "confident",
        "notes",
        "refreshed",
    ]
    assert (found["query"], found["library"]) == ("fold a shirt", str(videos))
    assert found["signals"] == ["words"]
    best = found["hits"][0]
    # The line before says shirt alone, and would not be near without the names of file and folder.
    assert (best["video"], best["start"], best["end"]) == ("shirts/fold.mp4", 7, 10)
    assert best["caption"] == "now fold the left sleeve of the shirt"
    assert best["ranks"] == {"words": 1}
    assert 0.5 < best["score"] <= 1
    assert found["refreshed"] == {"new": 3, "changed": 0, "renamed": 0, "removed": 0}


def test_the_second_search_looks_at_nothing(cli, videos: Path) -> None:
    first = cli("search", "shirt", videos)
    assert "Brought up to date: 3 new." in first.err
    second = cli("search", "shirt", videos)
    assert "Brought up to date" not in second.err
    assert second.out == first.out


def test_the_table_names_file_time_and_words(cli, videos: Path) -> None:
    ran = cli("search", "pour the batter", videos)
    assert ran.code == 0
    row = next(line for line in ran.out.splitlines() if "pancakes.mp4" in line)
    assert "0:02 - 0:05" in row
    assert "Pour the batter into the pan" in row


def test_a_full_disk_and_a_closed_pipe_are_no_traceback(
    howto, videos: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    ran = howto("demo", tmp_path / "file")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    program = Path(sys.executable).with_name("howto")
    piped = subprocess.run(
        f"'{program}' search shirt '{videos}' --json | head -c 1",
        shell=True,
        capture_output=True,
        check=False,
    )
    assert b"Traceback" not in piped.stderr


def test_no_hit_is_no_failure_and_says_what_would_help(cli, videos: Path) -> None:
    ran = cli("search", "submarine", videos)
    assert (ran.code, ran.out) == (0, "")
    assert "no moment matches 'submarine'" in ran.err
    assert "1 video with sound has no narration" in ran.err
    # Listening is offered where a recogniser is installed, and how to get one where none is.
    assert "pip install howto-whisper" in ran.err or "To listen to it with" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["shirt", "no-such-folder"], 2, "there is no folder no-such-folder"),
        (["", "."], 2, "the query is empty"),
        (["  ", "."], 2, "the query is empty"),
        (["shirt", ".", "-L", ".."], 2, "two folders are named"),
        (
            ["fold", "shirt"],
            2,
            "no folder shirt. Words of a query stand in quotes: howto search 'fold",
        ),
        ([".."], 2, "stands where words do"),
        (["../empty"], 2, 'say what to look for: howto search "fold a shirt" ../empty'),
        (["shirt", ".", "--by", "smell"], 2, "cannot search by smell. Signals there are: words"),
        (["shirt", ".", "--top", "0"], 2, "--top is 0"),
        (["shirt", ".", "--min-score", "2"], 2, "between 0 and 1"),
        (["shirt", ".", "--exact"], 2, "--cut DIR"),
        (["shirt", ".", "--json", "--files"], 2, "take one"),
        (["shirt", ".", "--null"], 2, "--files"),
        (["shirt", ".", "--yes", "--no-slow"], 2, "contradict"),
        (["shirt", ".", "--sheet", "hits.doc"], 2, "use .png, .jpg, .jpeg, .webp"),
        (["shirt", ".", "--sheet", "gone/hits.png"], 2, "there is no folder gone"),
        (["shirt", "."], 1, "there are no videos in ."),
    ],
)
def test_wrong_usage_is_one_line(
    cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, said: str
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    ran = cli("search", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err
    assert ran.err.count("\n") == 1
    if code == 2:
        assert list(empty.iterdir()) == []


def test_a_word_among_many_that_nobody_says_is_no_confident_match(cli, videos: Path) -> None:
    told = cli("search", "repair the nuclear submarine reactor with an iron", videos, "--json").json
    assert told["hits"]
    assert max(hit["score"] for hit in told["hits"]) < 0.5
    assert not told["confident"]
    assert any("no confident match" in note for note in told["notes"])
    assert cli("search", "iron", videos, "--json").json["confident"]


def test_broken_files_beside_good_hits_are_a_note(cli, videos: Path) -> None:
    (videos / "broken.mp4").write_text("no video")
    ran = cli("search", "shirt", videos)
    assert ran.code == 0
    assert "1 file could not be read; howto status" in ran.err
    status = cli("status", videos)
    assert "not_media" in status.out


def test_files_lists_each_video_once(cli, videos: Path) -> None:
    ran = cli("search", "shirt batter pancake", videos, "--files")
    assert sorted(ran.out.splitlines()) == [
        str(videos / "pancakes.mp4"),
        str(videos / "shirts" / "fold.mp4"),
    ]


def test_files_alone_leaves_the_notes_on_stderr(cli, videos: Path) -> None:
    (videos / "broken.mp4").write_text("no video")
    ran = cli("search", "shirt", videos, "--files")
    assert ran.out.splitlines() == [str(videos / "shirts" / "fold.mp4")]
    assert "Note: 1 file could not be read" in ran.err


def test_without_a_moment_it_is_said_what_was_not_written(cli, videos: Path) -> None:
    sheet, pieces = videos.parent / "none.png", videos.parent / "pieces"
    ran = cli("search", "zebra", videos, "--sheet", sheet, "--cut", pieces, "--open")
    assert ran.code == 0
    assert f"No moments: {sheet} was not written." in ran.err
    assert f"No moments: nothing was cut into {pieces}." in ran.err
    assert "No moments: there is nothing to play." in ran.err
    assert not sheet.exists()
    assert not pieces.exists()


def test_a_query_longer_than_any_path_is_a_query(cli, videos: Path) -> None:
    ran = cli("search", "shirt " * 100, "-L", videos, "--json")
    assert ran.code == 0, ran.err
    assert ran.json["hits"][0]["video"] == "shirts/fold.mp4"
    refused = cli("search", "-L", videos, "--like", "x" * 520, "--model", "any")
    assert (refused.code, "there is no such picture" in refused.err) == (2, True)
    beside = cli("search", "x" * 520, "--like", "gone@3", "--model", "any")
    assert "File name too long" not in beside.err


def test_a_folder_inside_a_library_finds_only_what_lies_in_it(cli, videos: Path) -> None:
    cli("search", "shirt", videos)
    found = cli("search", "shirt pancake", videos / "shirts", "--json").json
    assert found["library"] == str(videos / "shirts")
    assert {hit["video"] for hit in found["hits"]} == {"fold.mp4"}
    assert not (videos / "shirts" / ".howto").exists()


def test_of_equal_hits_the_path_decides_whatever_was_indexed_first(
    cli, small_video: Callable[..., Path], tmp_path: Path
) -> None:
    folder = tmp_path / "equal"
    folder.mkdir()
    for number in (3, 1, 2):
        small_video(folder / f"{number}.mp4", shade=number)
        (folder / f"{number}.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nfold it\n")
        cli("search", "fold", folder)
    hits = cli("search", "fold", folder, "--json").json["hits"]
    assert [hit["video"] for hit in hits] == ["1.mp4", "2.mp4", "3.mp4"]


def test_top_and_min_score_cut_the_list(cli, videos: Path) -> None:
    every = cli("search", "shirt pan sleeve", videos, "--json").json["hits"]
    assert len(every) > 1
    assert (
        cli("search", "shirt pan sleeve", videos, "--json", "--top", "1").json["hits"] == every[:1]
    )
    bar = every[0]["score"]
    kept = cli("search", "shirt pan sleeve", videos, "--json", "--min-score", bar).json["hits"]
    assert all(hit["score"] >= bar for hit in kept)


@pytest.mark.parametrize(
    "name",
    ["-dash.mp4", "two  words.mp4", "line\nbreak.mp4", "折り紙 ✂.mp4", "[red]x.mp4", "a:b%d.mp4"],
)
def test_file_names_of_any_kind(
    cli, small_video: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "named"
    folder.mkdir()
    small_video(folder / "plain.mp4").rename(folder / name)
    (folder / name).with_suffix(".vtt").write_text("WEBVTT\n\n00:01.000 --> 00:03.000\ncrease it\n")
    ran = cli("search", "crease", folder)
    assert ran.code == 0, ran.err
    assert "crease it" in ran.out
    (hit,) = cli("search", "crease", folder, "--json").json["hits"]
    assert (hit["video"], hit["start"], hit["end"]) == (name, 1, 3)


def test_a_file_name_that_is_no_text(
    howto, small_video: Callable[..., Path], tmp_path: Path
) -> None:
    folder = tmp_path / "named"
    folder.mkdir()
    small_video(folder / "plain.mp4").rename(folder / os.fsdecode(b"caf\xe9.mp4"))
    (folder / os.fsdecode(b"caf\xe9.vtt")).write_text(
        "WEBVTT\n\n00:01.000 --> 00:03.000\ncrease it\n"
    )
    ran = howto("search", "crease", folder)
    assert ran.code == 0, ran.err
    assert "crease it" in ran.out
    (hit,) = howto("search", "crease", folder, "--json").json["hits"]
    assert hit["video"] == os.fsdecode(b"caf\xe9.mp4")


def test_nothing_reaches_the_terminal_that_could_command_it(
    cli, howto, small_video: Callable[..., Path], tmp_path: Path
) -> None:
    folder = tmp_path / "named"
    folder.mkdir()
    name = "\x1b[31mred \u202e.mp4"
    small_video(folder / "plain.mp4").rename(folder / name)
    (folder / name).with_suffix(".vtt").write_text(
        "WEBVTT\n\n00:01.000 --> 00:03.000\ncrease \x1b]0;owned\x07 it \u202e now\n"
    )
    ran = cli("search", "crease", folder)
    status = cli("status", folder, "--all")
    assert "crease" in ran.out
    for shown in (ran.out, ran.err, status.out):
        assert "\x1b" not in shown
        assert "\u202e" not in shown
    # A script gets the name as it is.
    assert cli("search", "crease", folder, "--json").json["hits"][0]["video"] == name
    assert howto("search", "crease", folder, "--files", "-0").out == f"{folder / name}\0"


def test_a_folder_that_may_not_be_written(cli, videos: Path) -> None:
    for folder in (videos / "shirts", videos):
        folder.chmod(0o555)
    try:
        first = cli("search", "shirt", videos)
        assert first.code == 0
        assert "is kept in" in first.err
        assert "Brought up to date" not in cli("search", "shirt", videos).err
        assert not (videos / ".howto").exists()
    finally:
        for folder in (videos, videos / "shirts"):
            folder.chmod(0o755)


def test_a_folder_is_a_word_where_it_is_not_written_as_a_path(
    cli, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(videos)
    assert cli("search", "shirts", "--json").json["hits"][0]["video"] == "shirts/fold.mp4"


def test_the_state_of_another_library_is_left_alone(cli, videos: Path, tmp_path: Path) -> None:
    before = cli("search", "shirt", videos, "--json").json["hits"]
    state = videos / ".howto"
    other = tmp_path / "other"
    other.mkdir()
    ran = cli("search", "shirt", other, "--state-dir", state)
    assert (ran.code, f"keeps what is known of {videos};" in ran.err) == (2, True)
    assert not (state / "folder.txt").exists()
    for folder in (videos, videos / "shirts"):
        same = cli("search", "shirt", folder, "--state-dir", state, "--json").json
        assert not any(same["refreshed"].values())
        assert [hit["start"] for hit in same["hits"]] == [hit["start"] for hit in before]


def test_what_is_not_wanted_without_a_word_is_said_to_change_nothing(cli, videos: Path) -> None:
    plain = cli("search", "shirt", videos, "--json").json
    same = cli("search", "shirt", videos, "--not", "!?", "--json").json
    assert same["hits"] == plain["hits"]
    assert "there is no word in --not '!?': nothing is left out" in same["notes"]


def test_a_terminal_without_room_for_columns(cli, videos: Path, monkeypatch) -> None:
    monkeypatch.setattr("howto.cli.search.output", Console(width=30, highlight=False))
    ran = cli("search", "left sleeve", videos, "--top", "1")
    assert [line.rstrip() for line in ran.out.splitlines()] == [
        "1 shirts/fold.mp4",
        "  0.84  0:07 - 0:10",
        "  now fold the left sleeve of",
        "  the shirt",
    ]


@pytest.mark.parametrize("letters", [1, 31, 80])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_no_letter_of_a_hit_is_lost(
    videos: Path, monkeypatch, capsys, letters: int, count: int
) -> None:
    """Columns fold, whatever the name's length, and the whole is no wider than the terminal."""
    answer = api.search("left sleeve", videos, top=1)
    ranks = dict(list({"words": 112, "meaning": 150, "pictures": 187}.items())[:count])
    hit = replace(answer.hits[0], video="z" * letters, path=Path("/z"), ranks=ranks)
    hit = replace(hit, score=0.5, start=3601, end=3710)
    answer = replace(answer, hits=(hit,), signals=tuple(ranks))
    whole = ["1", "0.50", "1:00:01", "1:01:50"]
    whole += [word for rank in ranks.items() for word in map(str, rank)] if count > 1 else []
    for width in range(40, 201):
        monkeypatch.setattr("howto.cli.search.output", Console(width=width, highlight=False))
        show_answer(answer, notes=False)
        printed = capsys.readouterr().out
        assert all(len(line.rstrip()) <= width for line in printed.splitlines())
        assert printed.count("z") == letters
        words = printed.replace(",", " ").split()
        assert {*"now fold the left sleeve of the shirt".split(), *whole} <= set(words), width


def test_ranks_have_a_column_only_beside_room_for_what_is_said(
    videos: Path, monkeypatch, capsys
) -> None:
    answer = api.search("left sleeve", videos, top=1)
    ranks = {"words": 112, "meaning": 150, "pictures": 187}
    hit = replace(answer.hits[0], video="z" * 31, path=Path("/z"), ranks=ranks)
    heads = {}
    for width in (100, 110, 120, 140):
        monkeypatch.setattr("howto.cli.search.output", Console(width=width, highlight=False))
        show_answer(replace(answer, hits=(hit,), signals=tuple(ranks)), notes=False)
        heads[width] = capsys.readouterr().out.splitlines()[0].split()
    assert {width for width, head in heads.items() if "ranks" in head} == {120, 140}


@pytest.mark.parametrize(
    ("caption", "begins", "most"),
    [
        ("把衬衫对折然后放进抽屉里" * 30, "把衬衫对折", 160),
        ("shirt " + "พับเสื้อ" * 40, "shirt พับเสื้อ", 160),
        ("shirt " * 40, "shirt shirt", 160),
    ],
)
def test_a_long_caption_is_cut_in_any_script(
    videos: Path, monkeypatch, capsys, caption: str, begins: str, most: int
) -> None:
    answer = api.search("left sleeve", videos, top=1)
    hit = replace(answer.hits[0], caption=caption)
    monkeypatch.setattr("howto.cli.search.output", Console(width=1000, highlight=False))
    show_answer(replace(answer, hits=(hit,)), notes=False)
    said = capsys.readouterr().out.splitlines()[1]
    said = said[said.index(begins) :].rstrip()
    assert most * 0.9 <= len(said) <= most
    assert said.endswith("…")


def test_state_dir_is_used(cli, videos: Path, tmp_path: Path) -> None:
    assert cli("search", "shirt", videos, "--state-dir", tmp_path / "s", "--json").json["hits"]
    assert (tmp_path / "s" / "library.db").exists()
    assert not (videos / ".howto").exists()


def test_contact_sheet(cli, videos: Path) -> None:
    import cv2

    sheet = videos.parent / "hits.png"
    ran = cli("search", "shirt", videos, "--sheet", sheet)
    assert (ran.code, f"Contact sheet: {sheet}" in ran.err) == (0, True)
    picture = cv2.imread(str(sheet))
    assert picture.shape[0] > 100
    assert picture.std() > 1
    none = cli(
        "search", "submarine", videos, "--sheet", videos.parent / "none.png", "--cut", "none"
    )
    assert none.code == 0
    assert not (videos.parent / "none.png").exists()


@pytest.mark.parametrize("exact", [False, True])
def test_pieces(cli, videos: Path, exact: bool) -> None:
    from howto.media.probe import probe

    folder = videos.parent / "pieces"
    ran = cli("search", "batter", videos, "--cut", folder, *(["--exact"] if exact else []))
    assert ran.code == 0, ran.err
    (piece,) = folder.iterdir()
    assert piece.name == "01-pancakes-2s.mp4"
    duration = probe(piece).duration
    # The line lasts 3 s. A piece that starts at the key frame before it is longer.
    assert duration == pytest.approx(3, abs=0.5) if exact else 3 <= duration <= 6


def test_a_moment_of_no_length_is_cut_all_the_same_and_a_failure_costs_one_piece(
    cli, videos: Path
) -> None:
    (videos / "silent.info.json").write_text(
        '{"chapters": [{"start_time": 3, "end_time": 9, "title": "batter bowl"}]}'
    )
    (videos / "pancakes.srt").write_text("1\n00:00:02,000 --> 00:00:01,000\nthe batter\n")
    cli("search", "batter", videos)
    # It was indexed, and is damaged since: size and time say that it is the same.
    silent = videos / "silent.mp4"
    status = silent.stat()
    silent.write_bytes(b"\0" * status.st_size)
    os.utime(silent, ns=(status.st_atime_ns, status.st_mtime_ns))
    folder = videos.parent / "pieces"
    ran = cli("search", "batter", videos, "--cut", folder)
    assert ran.code == 1
    assert "Failed: silent.mp4 at 0:03" in ran.err
    assert [piece.name for piece in folder.iterdir()] == ["01-pancakes-2s.mp4"]


def test_open_plays_the_best_hit_at_its_second(howto, videos: Path, tmp_path: Path) -> None:
    player = tmp_path / "bin" / "mpv"
    player.parent.mkdir()
    player.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/played.part"\n'
                      f'mv "{tmp_path}/played.part" "{tmp_path}/played"\n')  # fmt: skip
    player.chmod(0o755)
    ran = howto("search", "batter", videos, "--open", PATH=f"{player.parent}:{os.environ['PATH']}")
    assert ran.code == 0, ran.err
    until((tmp_path / "played").exists, 60)
    assert (tmp_path / "played").read_text().splitlines() == [
        "--start=2.00",
        str(videos / "pancakes.mp4"),
    ]


def test_open_without_a_player_says_so(howto, videos: Path, tmp_path: Path) -> None:
    ran = howto("search", "batter", videos, "--open", PATH=str(tmp_path))
    assert (ran.code, "there is no player" in ran.err) == (2, True)


def test_a_run_that_is_killed_goes_on(
    small_video: Callable[..., Path], tmp_path: Path, cli
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    count = 40
    for number in range(count):
        small_video(folder / f"{number:02}.mp4", shade=number, seconds=5)
        (folder / f"{number:02}.vtt").write_text(
            f"WEBVTT\n\n00:01.000 --> 00:03.000\nshirt number {number}\n"
        )
    for _ in range(30):
        shutil.rmtree(folder / ".howto", ignore_errors=True)
        search_and_kill(folder, 3)
        # On a busy machine it may all be done before this process comes to look.
        if 3 <= files_known(folder) < count:
            break
    with Library.open(folder) as library:
        kept = len(library.files())
        assert 3 <= kept < count, "no run was killed in its middle"
        # What is there is whole: every file with its narration, clips and place in the word index.
        assert library.counts()["narrations"] == kept
        assert library.connection.execute("SELECT count(*) FROM clip_words_docsize").fetchone() == (
            kept,
        )
    found = cli("search", "shirt", folder, "--json", "--top", "100").json
    assert found["refreshed"]["new"] == count - kept
    assert len({hit["video"] for hit in found["hits"]}) == count


def search_and_kill(folder: Path, done: int) -> None:
    """Kill a search when it has taken in so many files, unless it ended before."""
    program = Path(sys.executable).with_name("howto")
    process = subprocess.Popen(
        [program, "search", "shirt", folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: files_known(folder) >= done or process.poll() is not None)
    finally:
        process.kill()
        process.wait()


def files_known(folder: Path) -> int:
    """How many files a library has taken in; none where it is not there yet."""
    if not (folder / ".howto" / "library.db").exists():
        return 0
    with Library.open(folder) as library:
        return len(library.files())


def test_two_searches_at_once_double_nothing(howto, videos: Path) -> None:
    program = Path(sys.executable).with_name("howto")
    processes = [
        subprocess.Popen(
            [program, "search", "shirt", videos, "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    answers = []
    for process in processes:
        out, problem = process.communicate(timeout=120)
        assert process.returncode == 0, problem.decode()
        answers.append(json.loads(out))
    assert sum(answer["refreshed"]["new"] for answer in answers) == 3
    assert all(answer["hits"] == answers[0]["hits"] for answer in answers)
    with Library.open(videos) as library:
        assert library.counts()["lines"] == 6

"""The library on disk: found again, shared by processes, migrated, refused when it is newer or
damaged."""

import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from howto import schema
from howto.errors import (
    LibraryBusy,
    LibraryError,
    NewerLibrary,
    Reason,
    UsageError,
)
from howto.library import FileRow, Library
from howto.recipe import Recipe
from howto.records import (
    Chapter,
    Clip,
    Kind,
    Line,
    MediaInfo,
    Narration,
    Outcome,
    Problem,
    Stage,
    State,
    SubtitleTrack,
    Word,
)

INFO = MediaInfo(
    duration=12.5,
    start_time=0.1,
    width=1080,
    height=1920,
    coded_width=1920,
    coded_height=1080,
    pixel_aspect=Fraction(4, 3),
    rotation=90,
    frame_rate=Fraction(30000, 1001),
    variable_frame_rate=True,
    video_codec="h264",
    pixel_format="yuv420p",
    has_audio=True,
    subtitles=(SubtitleTrack(2, "mov_text", "en", "English"),),
    title="Fold",
    chapters=(Chapter(0.0, 5.0, "First"),),
)
NARRATION = Narration(
    lines=(
        Line(0.5, 1.5, "fold the shirt", (Word(0.5, 0.8, "fold"), Word(0.8, 1.5, "the shirt"))),
        Line(1.0, 3.0, "très bien, 折叠"),
    ),
    language="en",
    kind=Kind.AUTOMATIC,
    source="fold.en.vtt",
    problems=(Problem(3, "no time"), Problem(None, "odd encoding")),
)


def test_state_lies_in_the_folder_and_is_found_from_inside_it(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    with Library.open(tmp_path) as library:
        assert (library.folder, library.state) == (tmp_path, tmp_path / ".howto")
        assert not library.is_outside
    with Library.open(inner) as library:
        assert library.folder == tmp_path


def test_the_nearest_library_wins(tmp_path: Path) -> None:
    inner = tmp_path / "a"
    inner.mkdir()
    Library.open(inner).close()
    Library.open(tmp_path).close()
    with Library.open(inner) as library:
        assert library.folder == inner


def test_a_folder_nobody_may_write_keeps_its_state_in_the_users_data(tmp_path: Path) -> None:
    folder = tmp_path / "read-only"
    (folder / "inner").mkdir(parents=True)
    folder.chmod(0o555)
    try:
        with Library.open(folder) as library:
            assert library.is_outside
            assert library.state.is_relative_to(tmp_path / "user-data")
            state = library.state
        assert list(folder.iterdir()) == [folder / "inner"]
        with Library.open(folder / "inner", create=False) as library:
            assert (library.folder, library.state) == (folder, state)
    finally:
        folder.chmod(0o755)


def test_state_dir_is_used_as_it_is(tmp_path: Path) -> None:
    folder, state = tmp_path / "videos", tmp_path / "elsewhere"
    folder.mkdir()
    with Library.open(folder, state) as library:
        assert (library.folder, library.state, library.is_outside) == (folder, state, True)
    assert (state / "library.db").exists()
    assert not (folder / ".howto").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing", "there is no folder"),
        ("file", "is a file"),
        ("n" * 300, "cannot look into .*: File name too long"),
        ("nul\0", "cannot look into"),
    ],
)
def test_what_is_no_folder_is_wrong_usage(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=said):
        Library.open(tmp_path / name)


def test_no_library_is_made_where_none_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="is no library yet"):
        Library.open(tmp_path, create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_newer_library_is_refused_and_left_alone(tmp_path: Path) -> None:
    Library.open(tmp_path).close()
    database = tmp_path / ".howto" / "library.db"
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute(f"PRAGMA user_version = {schema.SCHEMA + 1}")
    connection.close()
    before = database.read_bytes()
    with pytest.raises(NewerLibrary, match=f"has schema {schema.SCHEMA + 1}.*Update howto"):
        Library.open(tmp_path)
    assert database.read_bytes() == before


def test_an_older_library_is_migrated_step_by_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Library.open(tmp_path).close()
    steps = (*schema._STEPS, "ALTER TABLE videos ADD COLUMN extra TEXT DEFAULT 'new';")
    monkeypatch.setattr(schema, "_STEPS", steps)
    monkeypatch.setattr(schema, "SCHEMA", len(steps))
    with Library.open(tmp_path) as library:
        with library.writing():
            number = library.number_of("a")
        row = library.connection.execute("SELECT extra FROM videos WHERE number = ?", (number,))
        assert row.fetchone() == ("new",)


def test_a_step_that_fails_leaves_the_library_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Library.open(tmp_path).close()
    steps = (*schema._STEPS, "CREATE TABLE half (a); CREATE TABLE files (b);")
    monkeypatch.setattr(schema, "_STEPS", steps)
    monkeypatch.setattr(schema, "SCHEMA", len(steps))
    with pytest.raises(LibraryError, match="already exists"):
        Library.open(tmp_path)
    with sqlite3.connect(tmp_path / ".howto" / "library.db") as connection:
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    assert "half" not in names


def test_a_damaged_database_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / ".howto").mkdir()
    (tmp_path / ".howto" / "library.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(LibraryError, match=r"cannot be read as a library.*rebuilt"):
        Library.open(tmp_path)


def test_what_is_put_in_comes_out_again(tmp_path: Path) -> None:
    with Library.open(tmp_path) as library:
        with library.writing():
            number = library.number_of("abc")
            library.put_file(FileRow("fold.mp4", number, 10, 20, ""))
            library.put_video(number, INFO, "Fold", "how to", "")
            library.put_narration(number, NARRATION, Recipe.of(source="sidecar"))
            library.put_clips(number, [Clip("abc", 0.5, 1.5, "fold the shirt")])
            library.put_chapters(number, INFO.chapters)
            outcome = Outcome("abc", Stage.PROBE, State.FAILED, Reason.TRUNCATED, "cut off")
            library.put_outcome(number, outcome)
        assert library.info("abc") == INFO
        assert library.narration(number) == NARRATION
        assert library.narration_source(number) == "sidecar"
        assert library.files() == {"fold.mp4": FileRow("fold.mp4", number, 10, 20, "")}
        assert library.outcomes() == [
            Outcome("abc", Stage.PROBE, State.FAILED, Reason.TRUNCATED, "cut off", ("fold.mp4",))
        ]
        assert library.counts() == {
            "videos": 1, "files": 1, "absent": 0, "seconds": 12.5,
            "narrations": 1, "lines": 2, "chapters": 1, "clips": 1,
        }  # fmt: skip


def test_outcomes_one_by_one_are_those_of_the_list(tmp_path: Path) -> None:
    ends = [
        ("b", "x/2.mp4", {Stage.CLIP: None, Stage.PROBE: None}),
        ("a", "x/3.mp4", {Stage.PROBE: Reason.TRUNCATED}),
        ("c", "1.mp4", {Stage.EXTRACT: Reason.TRUNCATED, Stage.PROBE: None}),
        ("gone", "", {Stage.PROBE: None}),
    ]
    with Library.open(tmp_path) as library:
        with library.writing():
            for video_id, path, stages in ends:
                number = library.number_of(video_id)
                for copy in ("", "0") if path else ():  # `0` comes first
                    library.put_file(FileRow(f"{copy}{path}", number, 1, 1, ""))
                for stage, reason in stages.items():
                    state = State.OK if reason is None else State.FAILED
                    library.put_outcome(number, Outcome(video_id, stage, state, reason, "d"))
        every = library.outcomes()
        assert [(one.video_id, one.stage) for one in every] == [
            ("c", Stage.PROBE), ("c", Stage.EXTRACT), ("b", Stage.PROBE), ("b", Stage.CLIP),
            ("a", Stage.PROBE),
        ]  # fmt: skip
        streamed = list(library.each_outcome())
        assert streamed == [replace(one, paths=one.paths[:1]) for one in every]
        failed = [one for one in streamed if one.state == State.FAILED]
        assert list(library.each_outcome(State.FAILED)) == failed
        assert library.outcomes(Stage.PROBE) == [one for one in every if one.stage == Stage.PROBE]
        assert list(library.tally().items()) == [
            ((Stage.PROBE, State.OK, None), 2),
            ((Stage.PROBE, State.FAILED, Reason.TRUNCATED), 1),
            ((Stage.CLIP, State.OK, None), 1),
            ((Stage.EXTRACT, State.FAILED, Reason.TRUNCATED), 1),
        ]


def test_a_file_name_of_any_bytes_is_kept(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9 \xff\n.mp4")
    with Library.open(tmp_path) as library:
        with library.writing():
            library.put_file(FileRow(name, library.number_of("x"), 1, 2, ""))
        assert list(library.files()) == [name]


def test_half_characters_are_stored_as_question_marks(tmp_path: Path) -> None:
    half = "fold \ud800 shirt"
    with Library.open(tmp_path) as library:
        with library.writing():
            number = library.number_of("x")
            library.put_video(number, None, half, half, "")
            library.put_narration(
                number, Narration((Line(0, 1, half),), None, Kind.MANUAL, half), Recipe.of(a=1)
            )
            library.put_outcome(
                number, Outcome("x", Stage.PROBE, State.FAILED, Reason.TRUNCATED, half)
            )
        assert library.narration(number).lines == (Line(0, 1, "fold ? shirt"),)


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with Library.open(tmp_path) as library:
        with pytest.raises(LibraryError), library.writing() as connection:  # noqa: PT012
            library.number_of("abc")
            connection.execute("SELECT nonsense")
        assert library.numbers(["abc"]) == {}


def test_exclusive_work_waits_and_then_says_so(tmp_path: Path) -> None:
    holder = (
        "import sys, time; from pathlib import Path; from howto.library import Library\n"
        f"library = Library.open(Path({str(tmp_path)!r}))\n"
        "with library.exclusive('refresh'):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout.readline() == b"held\n"
        with Library.open(tmp_path) as library:
            with (
                pytest.raises(LibraryBusy, match="another howto"),
                library.exclusive("refresh", seconds=0.2),
            ):
                pass
            process.kill()
            process.wait()
            # The lock died with its process: nobody has to clean up after a kill.
            with library.exclusive("refresh", seconds=10):
                pass
    finally:
        process.kill()
        process.communicate()


def test_many_processes_open_a_new_library_at_once(tmp_path: Path) -> None:
    opener = (
        "from pathlib import Path; from howto.library import Library\n"
        f"library = Library.open(Path({str(tmp_path)!r}))\n"
        "with library.writing(): library.number_of('shared')\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", opener], stderr=subprocess.PIPE) for _ in range(6)
    ]
    for process in processes:
        _, problem = process.communicate(timeout=60)
        assert process.returncode == 0, problem.decode()
    with Library.open(tmp_path) as library:
        assert library.connection.execute("SELECT count(*) FROM videos").fetchone() == (1,)

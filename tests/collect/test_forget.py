"""Forgetting: out of everything, for good, and nothing of the user's is deleted."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock

from howto.clip.pairs import PairOptions
from howto.clip.stage import clip_videos
from howto.collect import forget as forgetting
from howto.collect.forget import forget, named_videos
from howto.collect.rules import Rules
from howto.collect.sources.folder import FolderSource
from howto.collect.stage import KEPT, collect
from howto.errors import LibraryBusy, LibraryError, UsageError
from howto.library import Library
from howto.search.query import Query
from howto.search.refresh import refresh
from howto.search.search import ask


@pytest.fixture
def full(desk, small_video):
    """A library with all that one has of two videos."""
    desk.source.finds["fold"] = ["a", "b"]
    desk.source.media_file = lambda video_id, path: small_video(
        path, seconds=36, shade=ord(video_id)
    )
    desk.run("fold")
    refresh(desk.library, workers=1)
    clip_videos(desk.library, PairOptions("lines"))
    for one in ("a", "b"):
        features = desk.library.state / "features" / "resnet152-0123abcd" / one[:2]
        features.mkdir(parents=True)
        (features / f"{one}.safetensors").write_bytes(b"features")
    return desk


def rows_about(library, number: int, video_id: str) -> dict[str, int]:
    """How many rows of each table speak of a video."""
    ask = library.connection.execute
    tables = ("videos files narrations lines chapters clips outcomes pairs paired_videos").split()
    found = {
        table: ask(f"SELECT count(*) FROM {table} WHERE number = ?", (number,)).fetchone()[0]
        for table in (*tables, "indexed_videos")
    }
    found["candidates"] = ask(
        "SELECT count(*) FROM candidates WHERE video_id = ?", (video_id,)
    ).fetchone()[0]
    return {table: count for table, count in found.items() if count}


def everything(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_everywhere_and_for_good(full) -> None:
    library = full.library
    number = library.numbers(["a"])["a"]
    assert len(rows_about(library, number, "a")) >= 8
    done = forget(library, ["a"], "asked for")
    assert (done.known, done.unknown, done.own_files) == (("a",), (), ())
    assert set(done.deleted) == {
        "captions/a.en.vtt",
        "features/resnet152-0123abcd/a/a.safetensors",
        "media/a.mp4",
    }
    assert rows_about(library, number, "a") == {}
    for table in ("hits", "descriptions"):
        assert library.connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)
    library.connection.execute("INSERT INTO clip_words(clip_words) VALUES ('integrity-check')")
    left = [name for name in everything(library.state) if name.startswith("a.")]
    assert left == []
    assert "b.mp4" in everything(library.state)
    why = library.connection.execute("SELECT why FROM tombstones WHERE video_id = 'a'")
    assert why.fetchone() == ("asked for",)


def test_it_never_comes_back(full) -> None:
    forget(full.library, ["a"])
    full.source.asked.clear()
    full.source.finds["iron"] = ["a", "b", "c"]
    full.run("iron", retry=True)
    assert full.source.count("describe") == {"c": 1}
    refresh(full.library, workers=1)
    assert "a" not in full.library.numbers(["a", "b", "c"])


def test_a_copy_of_its_file_is_passed_over_and_stays(full, tmp_path: Path) -> None:
    copy = full.library.folder / "copy.mp4"
    copy.write_bytes((full.places.media / "a.mp4").read_bytes())
    refresh(full.library, workers=1)
    assert "copy.mp4" in full.library.files()
    done = forget(full.library, ["a"])
    assert done.own_files == ("copy.mp4",)
    assert copy.exists()
    refresh(full.library, workers=1)
    assert "copy.mp4" not in full.library.files()
    copy.rename(full.library.folder / "renamed.mp4")
    assert refresh(full.library, workers=1).new == 0
    assert sorted(full.library.files()) == [".howto/media/b.mp4"]
    assert not refresh(full.library, workers=1).work_done


def test_a_file_of_ones_own_is_forgotten_and_stays(full, small_video) -> None:
    mine = small_video(full.library.folder / "mine.mp4", shade=77)
    refresh(full.library, workers=1)
    (video_id,) = named_videos(full.library, ["mine.mp4"])
    done = forget(full.library, [video_id])
    assert (done.own_files, done.deleted) == (("mine.mp4",), ())
    assert mine.exists()
    assert not refresh(full.library, workers=1).work_done
    hits = ask(full.library, Query.parse("mine"), full.library.folder).hits
    assert hits == ()
    small_video(mine, shade=78)  # other content: another video
    refresh(full.library, workers=1)
    assert "mine.mp4" in full.library.files()


def test_what_was_never_here_is_kept_out(full) -> None:
    done = forget(full.library, ["youtube-abcdefghijk"])
    assert (done.known, done.unknown) == ((), ("youtube-abcdefghijk",))
    full.source.finds["iron"] = ["youtube-abcdefghijk"]
    full.run("iron")
    assert full.source.count("describe")["youtube-abcdefghijk"] == 0


def test_a_video_that_waits_is_forgotten_too(desk) -> None:
    desk.source.finds["fold"] = ["a", "b"]
    desk.run("fold", limit=1)
    forget(desk.library, ["b"])
    assert desk.run().is_finished
    assert desk.outcomes == {"a": KEPT}


def test_a_kill_between_the_rows_and_the_files(full, monkeypatch) -> None:
    class Killed(BaseException):
        pass

    def killed(_library) -> None:
        raise Killed

    monkeypatch.setattr(forgetting, "sweep", killed)
    with pytest.raises(Killed):
        forget(full.library, ["a"])
    monkeypatch.undo()
    assert (full.places.media / "a.mp4").exists()
    refresh(full.library, workers=1)
    assert "a" not in full.library.numbers(["a"])
    full.run()
    assert not (full.places.media / "a.mp4").exists()


def test_how_videos_are_named(full) -> None:
    names = ["a", ".howto/media/b.mp4", "abcdefghij_", "youtube-xxxxxxxxxxx", "a"]
    assert named_videos(full.library, names) == [
        "a",
        "b",
        "youtube-abcdefghij_",
        "youtube-xxxxxxxxxxx",
    ]
    with pytest.raises(UsageError, match="there is no video nosuch here"):
        named_videos(full.library, ["nosuch"])


def test_the_command(full, cli) -> None:
    folder = full.library.folder
    ran = cli("forget", "a", "-L", folder)
    assert ran.code == 2
    assert "--yes" in ran.err
    (full.library.state / "packs" / "x").mkdir(parents=True)
    ran = cli("forget", "a", "-L", folder, "--yes", "--reason", "asked for")
    assert (ran.code, "Forgot 1 video; 3 files deleted." in ran.out) == (0, True)
    assert "packs/x held what was made of it, and is deleted" in ran.err
    ran = cli("forget", "b", "-L", folder, "--yes", "--json")
    assert ran.json["known"] == ["b"]
    assert cli("forget", "nosuch", "-L", folder, "--yes").code == 2


@pytest.mark.parametrize(
    "name", ["youtube-*", "youtube-???????????", "youtube-/../../../mine", "youtube-[a-z]", "*"]
)
def test_a_name_that_is_a_pattern_or_a_path_deletes_nothing(desk, name: str) -> None:
    desk.source.finds["fold"] = ["youtube-abcdefghijk", "b"]
    desk.run("fold")
    own = desk.library.folder / "mine.mp4"
    own.write_bytes(b"mine")
    (desk.places.media / "youtube-").mkdir()
    with pytest.raises(UsageError, match="there is no video"):
        named_videos(desk.library, [name])
    with pytest.raises(UsageError, match="is no id of a video"):
        forget(desk.library, [name])
    assert own.exists()
    assert {path.name for path in desk.places.media.glob("*.mp4")} == {
        "youtube-abcdefghijk.mp4",
        "b.mp4",
    }


def test_an_id_never_takes_the_files_of_a_longer_one(desk) -> None:
    desk.source.finds["fold"] = ["a", "ab", "a-b"]
    desk.run("fold")
    assert forget(desk.library, ["a"]).deleted == ("captions/a.en.vtt", "media/a.mp4")


def test_a_copy_in_another_folder_is_not_collected_either(
    full, tmp_path: Path, small_video
) -> None:
    """`collect --folder` gives a file an id of its own, made of its content."""
    mine = small_video(full.library.folder / "mine.mp4", shade=77)
    refresh(full.library, workers=1)
    other = tmp_path / "other"
    other.mkdir()
    for path, name in ((mine, "copy.mp4"), (full.places.media / "a.mp4", "film.mp4")):
        (other / name).write_bytes(path.read_bytes())
    forget(full.library, [*named_videos(full.library, ["mine.mp4"]), "a"])
    small_video(other / "another.mp4", shade=78)
    folder = FolderSource(folder=other)
    collect(
        full.library,
        {"folder": folder},
        Rules(keep_free=0, min_words=0),
        lists=[("", folder)],
        retry=True,
    )
    (kept,) = [one for one in full.places.media.iterdir() if one.name.startswith("folder-")]
    assert kept.read_bytes() == (other / "another.mp4").read_bytes()


HELD = {
    "packs/11111111": ["a", "b"],
    "packs/22222222": ["b", "aa"],
    "packs/.33333333.part": ["a"],
    "index/small": ["b", "a"],
    "index/other": ["b"],
}


def make_derived(state: Path, held: dict[str, list[str]]) -> None:
    """Packs and indexes, by the videos that each holds."""
    for name, videos in held.items():
        folder = state / name
        folder.mkdir(parents=True)
        (folder / "clips.npy").write_bytes(b"a" * 100)
        if name.startswith("index"):
            with closing(sqlite3.connect(folder / "index.db")) as connection:
                connection.execute("CREATE TABLE groups (name TEXT)")
                connection.executemany("INSERT INTO groups VALUES (?)", [(v,) for v in videos])
                connection.commit()
        elif name.endswith(".part"):
            (folder / "journal.jsonl").write_text(json.dumps({"video_id": videos[0]}) + "\n")
        else:
            (folder / "video_ids.json").write_text(json.dumps(videos))


def test_packs_and_indexes_that_hold_it_are_deleted_and_no_others(full) -> None:
    state, library = full.library.state, full.library
    full.source.finds["iron"] = ["videoa"]
    full.run("iron")
    longer = {"a": "videoa", "aa": "videoaa"}
    make_derived(
        state, {name: [longer.get(one, one) for one in videos] for name, videos in HELD.items()}
    )
    done = forget(library, ["videoa"])
    assert done.derived == ("index/small", "packs/.33333333.part", "packs/11111111")
    left = [*state.glob("packs/*"), *state.glob("index/*")]
    assert {path.relative_to(state).as_posix() for path in left} == {
        "packs/22222222",
        "index/other",
    }


def test_a_pack_that_is_being_built_is_waited_for(full, monkeypatch) -> None:
    make_derived(full.library.state, HELD)
    monkeypatch.setattr(forgetting, "_PATIENCE", 0.05)
    lock = full.library.state / "packs" / "11111111.lock"
    with FileLock(lock), pytest.raises(LibraryBusy, match="is being written"):
        forget(full.library, ["a"])
    assert full.row("a")["state"] == "done", "nothing was begun"
    for work in ("extract", "listen", "clip"):
        with (
            Library.open(full.library.folder) as other,
            other.exclusive(work),
            pytest.raises(LibraryBusy),
        ):
            forget(full.library, ["a"])
    assert forget(full.library, ["a"]).known == ("a",)


def test_a_kill_before_the_packs_are_gone(full, monkeypatch) -> None:
    class Killed(BaseException):
        pass

    def killed(_library) -> None:
        raise Killed

    make_derived(full.library.state, HELD)
    monkeypatch.setattr(forgetting, "sweep", killed)
    with pytest.raises(Killed):
        forget(full.library, ["a"])
    monkeypatch.undo()
    assert (full.library.state / "packs" / "11111111").exists()
    full.run()
    assert not (full.library.state / "packs" / "11111111").exists()
    assert (full.library.state / "packs" / "22222222").exists()


def test_what_cannot_be_deleted_is_said(full, monkeypatch) -> None:
    def refused(self: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refused)
    with pytest.raises(LibraryError, match="cannot be deleted: Permission denied"):
        forget(full.library, ["a"])
    monkeypatch.undo()
    full.run()
    assert "a.mp4" not in everything(full.library.state)

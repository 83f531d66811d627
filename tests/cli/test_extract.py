"""`howto extract`: makes what is missing, tells what it would do, and checks what is there."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from howto.cli import extract
from howto.library import Library
from howto.records import Stage

from ..conftest import until

BACKBONE = ("--backbone", "template-mean-colour", "--device", "cpu")


@pytest.fixture
def films(tmp_path: Path, small_video) -> Path:
    folder = tmp_path / "films"
    folder.mkdir()
    for k, name in enumerate("ab"):
        small_video(folder / f"{name}.mp4", shade=40 * k + 1, seconds=5)
    (folder / "broken.mp4").write_text("no film")
    return folder


def test_features_are_made_once_and_listed(cli, films: Path) -> None:
    ran = cli("extract", films, *BACKBONE, "--workers", "1", "--json")
    assert ran.code == 1, "a broken file is a failure"
    made = ran.json
    assert (made["made"], made["unchanged"]) == (2, 0)
    assert made["tally"] == {"ok": 2, "not_media": 1}
    assert [(one["backbone"], one["device"]) for one in made["sets"]] == [
        ("template-mean-colour", "cpu")
    ]
    assert {one["video"]: one["reason"] for one in made["outcomes"]} == {
        "a.mp4": None,
        "b.mp4": None,
        "broken.mp4": "not_media",
    }
    again = cli("extract", films, *BACKBONE)
    assert again.code == 1
    assert "0 feature files made; 2 videos unchanged" in again.out
    assert "not a video or sound file" in again.out
    assert "Failed: broken.mp4" in again.err

    (listed,) = cli("features", "list", "-L", films, "--json").json["sets"]
    assert (listed["backbone"], listed["files"]) == ("template-mean-colour", 2)
    assert "template-mean-colour" in cli("features", "-L", films).out
    status = cli("status", films)
    assert "template-mean-colour" in status.out
    (counted,) = cli("status", films, "--json").json["features"]
    assert counted["tally"] == {"ok": 2}


def test_a_dry_run_tells_and_does_nothing(cli, films: Path) -> None:
    assert cli("search", "x", films).code == 0
    ran = cli("extract", films, *BACKBONE, "--dry-run", "--json")
    assert ran.code == 0
    assert ran.json["videos"] == ["a.mp4", "b.mp4"]
    assert (ran.json["seconds"], ran.json["video_seconds"]) == (None, 10)
    assert 0 < ran.json["bytes"] < ran.json["bytes_free"]
    assert not (films / ".howto" / "features").exists()
    told = cli("extract", films, *BACKBONE, "--dry-run", "--limit", "1").out
    assert "of 1 video" in told
    assert "1 more past the limit" in told


def test_check_lists_what_to_redo_and_redo_does_it(cli, films: Path) -> None:
    cli("extract", films, *BACKBONE, "--only", "[ab].mp4", "--workers", "1")
    fine = cli("extract", films, "--check")
    assert (fine.code, fine.out) == (0, "2 feature files read, all as they should be.\n")
    damaged, _ = sorted((films / ".howto" / "features").glob("*/*/*.safetensors"))
    damaged.write_bytes(b"half")
    found = cli("extract", films, "--check", "--json")
    assert found.code == 1
    assert [(one["path"], one["what"]) for one in found.json["bad"]] == [(str(damaged), "damaged")]
    redone = cli("extract", films, *BACKBONE, "--only", "[ab].mp4", "--check", "--redo", "--json")
    assert (redone.code, redone.json["made"]) == (0, 1)
    assert cli("extract", films, "--check").code == 0


def test_a_dry_run_makes_no_library_of_a_new_folder(cli, films: Path) -> None:
    ran = cli("extract", films, *BACKBONE, "--dry-run", "--json")
    assert (ran.code, ran.json["videos"]) == (0, ["a.mp4", "b.mp4"])
    assert not (films / ".howto").exists()


@pytest.mark.parametrize("name", ["resnet152", "resnext101-3d", "torchvision:resnet18"])
def test_a_dry_run_fetches_no_weights(
    cli, films: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = []
    monkeypatch.setattr(
        "howto.extract.download.fetch", lambda address, *_, **__: fetched.append(address)
    )
    monkeypatch.setenv("HOWTO_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.delenv("HOWTO_OFFLINE", raising=False)
    options = ("--backbone", f"{name},template-mean-colour", "--device", "cpu", "--dry-run")
    ran = cli("extract", films, *options)
    assert ran.code == 0
    assert f"Weights of {name} are not here yet: resne" in ran.err
    assert f"{name} (weights not here yet), template-mean-colour (" in ran.out
    missing, there = cli("extract", films, *options, "--json").json["sets"]
    assert ".pth" in missing["weights_not_here"]
    assert there["weights_not_here"] is None
    assert fetched == []
    assert not (tmp_path / "weights").exists()


def features_of(folder: Path, backbone: str) -> dict[Path, bytes]:
    paths = (folder / ".howto" / "features").glob(f"{backbone}-*/*/*.safetensors")
    return {path: path.read_bytes() for path in sorted(paths)}


def test_redo_leaves_what_it_cannot_make(cli, films: Path, tmp_path: Path) -> None:
    """Features of the same backbone by another recipe, such as imported ones, stay as they are."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for name in "ab":
        np.save(theirs / f"{name}.npy", np.ones((5, 6), np.float16))
    cli("search", "x", films)
    options = ("--backbone", "template-mean-colour", "--rate", "1")
    assert cli("features", "import", theirs, "-L", films, *options).code == 0
    imported = features_of(films, "template-mean-colour")
    assert len(imported) == 2
    cli("extract", films, *BACKBONE, "--only", "[ab].mp4", "--workers", "1")
    made = features_of(films, "template-mean-colour").keys() - imported.keys()
    assert len(made) == 2
    for path in (*imported, *made):
        path.write_bytes(b"half")
    redo = (*BACKBONE, "--check", "--redo", "--workers", "1")
    limited = cli("extract", films, *redo, "--only", "[ab].mp4", "--limit", "1", "--json")
    assert (limited.code, limited.json["made"]) == (1, 1)
    assert len(limited.json["checked"]["bad"]) == 4
    assert len(limited.json["checked"]["left"]) == 3
    assert sum(path.read_bytes() == b"half" for path in made) == 1
    other = cli("extract", films, *redo, "--only", "c*", "--json")
    assert (other.code, other.json["made"]) == (0, 0)
    ran = cli("extract", films, *redo, "--only", "[ab].mp4")
    assert ran.code == 1
    assert ran.err.count("Left as it is: template-mean-colour") == 2
    assert ran.err.count("import it again") == 2
    assert all(path.read_bytes() != b"half" for path in made)
    assert all(path.read_bytes() == b"half" for path in imported)


def test_redo_leaves_what_cannot_be_read_and_does_the_rest(cli, films: Path) -> None:
    cli("extract", films, *BACKBONE, "--only", "[ab].mp4", "--workers", "1")
    damaged, unreadable = sorted((films / ".howto" / "features").glob("*/*/*.safetensors"))
    damaged.write_bytes(b"half")
    unreadable.unlink()
    unreadable.symlink_to("/proc/self/mem")  # the first bytes of which are an I/O error
    asked = ("extract", films, *BACKBONE, "--only", "[ab].mp4", "--check", "--redo")
    redone = cli(*asked)
    assert (redone.code, unreadable.is_symlink()) == (1, True)
    assert "1 feature file read, 1 to do again, 1 that cannot be read." in redone.out
    assert "Input/output error; left as it is" in redone.out
    found = cli("extract", films, "--check", "--json")
    assert (found.code, found.json["bad"]) == (1, [])
    assert [one["path"] for one in found.json["unreadable"]] == [str(unreadable)]


def test_a_check_reads_what_is_named(cli, films: Path) -> None:
    cli("extract", films, *BACKBONE, "--workers", "1")
    cli("extract", films, "--backbone", "colour-motion", "--only", "a.mp4", "--workers", "1")
    (damaged,) = features_of(films, "colour-motion")
    damaged.write_bytes(b"half")
    assert cli("extract", films, "--check", "--json").json["files"] == 3
    named = cli("extract", films, "--check", "--backbone", "template-mean-colour", "--json")
    assert (named.code, named.json) == (0, {"files": 2, "bad": [], "unreadable": []})
    some = cli("extract", films, "--check", "--only", "b.mp4", "--json")
    assert (some.code, some.json["files"]) == (0, 1)
    refused = cli("extract", films, "--check", "--backbone", "resnet152")
    assert refused.code == 2
    assert "There are features of template-mean-colour, colour-motion" in refused.err
    refused = cli("extract", films, "--check", "--limit", "1")
    assert (refused.code, "--limit" in refused.err) == (2, True)


def test_waiting_for_another_process_is_told(
    cli, films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one ends when that is said."""
    assert cli("search", "x", films).code == 0
    tell = extract._waiting
    with Library.open(films) as library, contextlib.ExitStack() as other:
        other.enter_context(library.exclusive("extract"))

        def tell_and_end() -> None:
            tell()
            other.close()

        monkeypatch.setattr(extract, "_waiting", tell_and_end)
        ran = cli("extract", films, *BACKBONE, "--only", "a.mp4", "--workers", "1")
    assert ran.code == 0
    assert ran.err.count("Another howto is at work on this library; waiting for it.") == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--on", "spark"), "expected local, ray"),
        (("--batch", "0"), "--batch 0"),
        (("--workers", "0"), "--workers 0"),
        (("--time-limit", "0"), "--time-limit 0"),
        (("--time-limit", "inf"), "--time-limit inf"),
        (("--time-limit", "nan"), "--time-limit nan"),
        (("--redo",), "--check"),
        (("--check", "--dry-run"), "--dry-run"),
        (("--limit", "-1"), "-1"),
        (("--weights", "template-mean-colour"), "NAME=PATH"),
        (("--weights", "other=x.pth"), "weights for 'other'"),
        (("--weights", "other=x.pth", "--weights", "other=y.pth"), "named twice"),
        (("--device", "tpu"), "no device 'tpu'"),
        (("--precision", "int8"), "no precision 'int8'"),
        (("--protocol", "theirs"), "theirs"),
        (("--backbone", ","), "no backbone"),
    ],
)
def test_what_cannot_be_is_wrong_usage(cli, films: Path, options, said: str) -> None:
    ran = cli("extract", films, *BACKBONE, *options)
    assert ran.code == 2
    assert said in ran.err
    assert not (films / ".howto" / "features").exists()


def test_an_unknown_backbone_is_named_with_those_there_are(cli, films: Path) -> None:
    ran = cli("extract", films, "--backbone", "template-mean-color")
    assert ran.code == 2
    assert "Did you mean 'template-mean-colour'?" in ran.err


def test_weights_that_are_not_wanted_are_an_error_before_any_work(cli, films: Path) -> None:
    ran = cli("extract", films, *BACKBONE, "--weights", "template-mean-colour=x.pth")
    assert ran.code == 1
    assert "has no weights to load" in ran.err


def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(tmp_path: Path, small_video, howto) -> None:
    folder, count = tmp_path / "films", 12
    folder.mkdir()
    for k in range(count):
        small_video(folder / f"{k:02}.mp4", shade=k, seconds=60)
    program = Path(sys.executable).with_name("howto")
    command = [program, "extract", folder, "--backbone", "colour-motion", "--workers", "1"]
    for _ in range(10):
        shutil.rmtree(folder / ".howto", ignore_errors=True)
        code, told = interrupted(command, folder)
        # On a busy machine it may all be done before this process comes to look.
        if extracted(folder) < count:
            break
    assert code == 130
    assert told == "Stopped. What is done is kept; run the same command to go on.\n"
    assert not list((folder / ".howto" / "features").glob("*/*/.*"))
    assert 0 < extracted(folder) < count
    assert howto(*command[1:]).code == 0
    assert extracted(folder) == count


def interrupted(command: list[str | Path], folder: Path) -> tuple[int, str]:
    """How a command ends that gets Ctrl-C when its first video is done, and what it says."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    try:
        until(lambda: extracted(folder) or process.poll() is not None)
        # A terminal sends Ctrl-C to every process of the group, decoders too.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        told = process.communicate(timeout=120)[1].decode()
    finally:
        process.kill()
        process.wait()
    return process.returncode, told


def extracted(folder: Path) -> int:
    """How many videos have an outcome; none where the library is not there yet."""
    if not (folder / ".howto" / "library.db").is_file():
        return 0
    with Library.open(folder) as library:
        return sum(one.stage == Stage.EXTRACT for one in library.outcomes())


def test_a_place_whose_client_is_not_here_is_taken_back(cli, films: Path) -> None:
    with Library.open(films) as library, library.writing():
        library.put_setting("features_at", "teapot://films")
    command = ("extract", films, *BACKBONE, "--only", "a.mp4")
    refused = cli(*command)
    assert (refused.code, "teapot://films cannot be used" in refused.err) == (2, True)
    ran = cli(*command, "--features-at", "library")
    assert ran.code == 0, ran.err
    assert "those at teapot://films stay, and are not used" in ran.err
    assert len(list((films / ".howto" / "features").glob("*/*/*.safetensors"))) == 1


@pytest.mark.parametrize("option", ["--dry-run", "--check"])
def test_another_place_is_no_part_of_a_look(cli, tmp_path: Path, option: str) -> None:
    ran = cli("extract", tmp_path, "--features-at", tmp_path / "there", option)
    assert ran.code == 2
    assert "--features-at" in ran.err
    assert not (tmp_path / "there").exists()

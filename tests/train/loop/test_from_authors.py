"""`howto train --from-authors`: from the authors' files to a run, with no library made by hand."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from howto.train import checkpoint
from howto.train.loop import Event, Stepped
from howto.train.runs import open_run

WORDS = "cut the onion fold a shirt pour batter flip pancake oil".split()
FLAGS = ("--epochs", "4", "--pairs-per-video", "4", "--dim", "8")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path, Path]:
    """Ten videos as the authors list, caption and keep them; video-k has search rank k."""
    rng = np.random.default_rng(0)
    home = tmp_path / "authors"
    captions, rows = {}, ["video_id,category_1,category_2,rank,task_id"]
    for stream, dim, per_second in (("2d", 6, 1.0), ("3d", 5, 1.5)):
        (home / stream).mkdir(parents=True)
        for number in range(1, 11):
            array = rng.normal(0, 1, (int(40 * per_second), dim)).astype(np.float16)
            np.save(home / stream / f"video-{number}.npy", array)
    for number in range(1, 11):
        starts = np.arange(6) * 6.0
        texts = [" ".join(rng.choice(WORDS, 3)) for _ in starts]
        line = {"start": starts.tolist(), "end": (starts + 4).tolist(), "text": texts}
        captions[f"video-{number}"] = line
        rows.append(f"video-{number},Food,Cooking,{number},{number % 3}")
    (home / "HowTo100M_v1.csv").write_text("\n".join(rows) + "\n")
    (home / "caption.json").write_text(json.dumps(captions))
    return home / "HowTo100M_v1.csv", home / "caption.json", home / "2d", home / "3d"


@pytest.fixture
def folder(tmp_path: Path, one_thread: None) -> Path:
    """An empty folder, whose library holds nothing."""
    made = tmp_path / "empty"
    made.mkdir()
    return made


def test_trains_with_no_library_made(
    folder: Path, files: tuple[Path, ...], cli: Callable[..., Any]
) -> None:
    made = cli("train", folder, "--from-authors", *files, *FLAGS, "--json")
    assert made.code == 0, made.err
    assert made.json["evaluation"]["videos"] == 2
    run = open_run(folder / ".howto" / "runs" / "main")
    assert run.config["streams"] == {"resnet152": 6, "resnext101-3d": 5}
    assert (run.config["videos"], run.config["pairs"]) == (8, 48)
    assert (run.folder / "query" / "meta.json").is_file()
    again = cli("train", folder, "--from-authors", *files, *FLAGS)
    assert "finished with these options already" in again.out


def test_only_videos_of_a_search_rank(
    folder: Path, files: tuple[Path, ...], cli: Callable[..., Any]
) -> None:
    asked = ("train", folder, "--from-authors", *files, *FLAGS, "--dry-run", "--json")
    whole, first = cli(*asked).json, cli(*asked, "--rank-at-most", "5").json
    assert 3 <= first["videos"] <= 5 < whole["videos"]
    assert first["held_out"] == whole["held_out"]


def test_a_stopped_run_goes_on_by_its_name_alone(
    folder: Path,
    files: tuple[Path, ...],
    cli: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import os
    import signal

    def stop(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    asked = ("train", folder, "--from-authors", *files, *FLAGS)
    assert cli(*asked, "--name", "whole").code == 0
    monkeypatch.setattr("howto.train.board.board", lambda *_args, **_options: stop)
    assert cli(*asked, "--name", "parts").code == 130
    monkeypatch.undo()
    resumed = cli("train", folder, "--name", "parts", "--resume", "--json")
    assert resumed.code == 0, resumed.err
    runs = folder / ".howto" / "runs"
    ours, theirs = (checkpoint.load(runs / name).model for name in ("parts", "whole"))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_what_is_missing_is_said(
    folder: Path, files: tuple[Path, ...], cli: Callable[..., Any]
) -> None:
    videos, captions, features_2d, features_3d = files
    for path in (features_3d).iterdir():
        path.unlink()
    refused = cli("train", folder, "--from-authors", *files, *FLAGS)
    assert refused.code == 2
    assert "no features in" in refused.err
    gone = ("--from-authors", videos.with_name("none.csv"), captions, features_2d, features_3d)
    refused = cli("train", folder, *gone, *FLAGS)
    assert refused.code == 2
    assert "none.csv cannot be read" in refused.err


@pytest.fixture
def youcook(tmp_path: Path) -> Path:
    """Twelve clips of four other videos, as the authors' youcook_val.pkl holds them."""
    rng = np.random.default_rng(1)
    rows = [
        {
            "2d": rng.normal(0, 1, 6).astype(np.float32),
            "3d": rng.normal(0, 1, 5).astype(np.float32),
            "caption": " ".join(rng.choice(WORDS, 4)),
            "id": f"other-{number // 3}",
        }
        for number in range(12)
    ]
    folder = tmp_path / "youcook2"
    folder.mkdir()
    (folder / "youcook_val.pkl").write_bytes(pickle.dumps(rows, protocol=2))
    return folder


def test_a_run_is_scored_on_a_benchmark_at_its_end(
    folder: Path, files: tuple[Path, ...], youcook: Path, cli: Callable[..., Any]
) -> None:
    asked = ("train", folder, "--from-authors", *files, *FLAGS, "--validate", "youcook2")
    refused = cli(*asked)
    assert refused.code == 2
    assert "name their folder or file with --validate-data" in refused.err
    refused = cli(*asked, "--validate-data", folder)
    assert refused.code == 2
    assert not (folder / ".howto" / "runs").exists(), "said before it trains"
    refused = cli(*asked, "--validate-data", youcook, "--validate-every", "2")
    assert "a benchmark is scored at the end" in refused.err
    made = cli(*asked, "--validate-data", youcook, "--json")
    assert made.code == 0, made.err
    assert made.json["evaluation"] is None
    run = open_run(folder / ".howto" / "runs" / "main")
    assert (run.config["held_out"], run.config["videos"]) == (0, 10)
    told = made.json["benchmark"]
    assert (told["benchmark"], told["features"], told["videos"]) == ("youcook2", "ready", 4)
    again = cli(
        "eval",
        "--benchmark",
        "youcook2",
        "--data",
        youcook,
        "--model",
        "main",
        "-L",
        folder,
        "--json",
    )
    assert again.code == 0, again.err
    assert again.json == told


def test_an_unknown_benchmark_is_named(
    folder: Path, files: tuple[Path, ...], cli: Callable[..., Any]
) -> None:
    refused = cli(
        "train",
        folder,
        "--from-authors",
        *files,
        "--validate",
        "youcok2",
        "--validate-data",
        folder,
    )
    assert refused.code == 2
    assert "youcook2" in refused.err

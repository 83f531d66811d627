"""`howto demo`: drawn, indexed, searched and pictured, with one command."""

import json
from pathlib import Path

import pytest

from howto.demo import DemoSpec


@pytest.fixture
def small_spec(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same command on small pictures of two tasks."""
    tasks = ("fold-a-shirt", "make-pancakes")

    def spec(**parameters: int) -> DemoSpec:
        return DemoSpec(tasks=tasks, size=(64, 64), speech=False, sample_rate=8000, **parameters)

    monkeypatch.setattr("howto.demo.DemoSpec", spec)


def steps_of(truth: Path) -> list[tuple[str, float, float]]:
    videos = json.loads(truth.read_text())["videos"]
    return [(step["name"], step["start"], step["end"]) for one in videos for step in one["steps"]]


def test_it_makes_searches_and_pictures(cli, tmp_path: Path, small_spec: None) -> None:
    folder = tmp_path / "demo"
    ran = cli("demo", folder, "--videos-per-task", "1", "--json")
    assert ran.code == 0, ran.err
    made = ran.json
    assert made["made"] == ["fold-a-shirt-01.mp4", "make-pancakes-01.mp4"]
    assert (made["narrations"], made["sound"]) == (2, "room")
    assert made["pairs"] == made["lines"]
    assert made["features"] == {"backbone": "colour-motion", "tally": {"ok": 2}}
    files = sorted((folder / ".howto" / "features").glob("colour-motion-*/*/*.safetensors"))
    assert len(files) == 2
    assert made["searches"][0]["query"] == "fold a shirt"
    assert made["searches"][0]["hits"][0]["video"] == "fold-a-shirt-01.mp4"
    assert (folder / "moments.png").stat().st_size > 10_000

    truth = (folder / "queries.csv").read_text().splitlines()
    assert truth[0] == "query,video,start,end"
    steps = steps_of(folder / "demo.json")
    assert len(truth) == 1 + len(steps)
    # Two videos are both needed to train on, so words alone are evaluated.
    (part,) = made["evaluation"]["parts"]
    assert [one["signals"] for one in part["results"]] == [["words"]]
    assert part["kinds"] == {"query": len({name for name, _, _ in steps})}
    found = part["results"][0]["R@5"]["centre"]
    assert found["value"] > 2 * found["chance"] > 0
    assert (folder / "eval.png").stat().st_size > 1000

    before = {path: path.stat().st_mtime_ns for path in folder.glob("*.mp4")}
    again = cli("demo", folder, "--videos-per-task", "1")
    assert again.code == 0
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*.mp4")} == before
    assert "colour-motion features of 2." in again.out
    assert f'$ howto search "fold a shirt" {folder} --top 3' in again.out
    assert "Contact sheet of the first search" in again.out
    place = f"-L {folder} --queries {folder / 'queries.csv'} --plot {folder / 'eval.png'}"
    shown = f"$ howto eval --benchmark own {place}\n"
    assert shown in again.out
    evaluated = cli("eval", *place.split(), "--benchmark", "own")
    assert evaluated.code == 0
    assert again.out.split(shown)[1].split("\nPlot of it")[0] == evaluated.out

    other = cli("demo", folder, "--videos-per-task", "1", "--seed", "7")
    assert other.code == 2
    assert "seed" in other.err


def test_plain_searches_take_what_was_evaluated(
    cli, tmp_path: Path, small_spec: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So few videos ask for fewer queries than a choice needs.
    monkeypatch.setattr("howto.evaluate.best_signals.LEAST_QUERIES", 1)
    folder = tmp_path / "demo"
    made = cli("demo", folder, "--videos-per-task", "2", "--json").json
    assert made["evaluation"]["choice"]["measured"]
    assert "not measured yet" not in cli("search", "fold a shirt", folder).err

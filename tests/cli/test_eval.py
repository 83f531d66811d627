"""`howto eval`: scores, benchmarks and own videos through the command."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console

from howto.cli import eval_tables
from howto.cli.eval_tables import own_table, print_table, retrieval_table
from howto.evaluate.published import RETRIEVAL
from howto.evaluate.retrieval import result_of_scores
from howto.library import Library
from tests.evaluate.benchmarks import releases
from tests.evaluate.benchmarks.conftest import Oracle
from tests.evaluate.own_models import SeeingModel


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    """Forty captions, twenty of which find their clip first."""
    found = np.random.default_rng(0).random((40, 40))
    found[np.arange(20), np.arange(20)] = 2
    np.save(tmp_path / "scores.npy", found.astype(np.float32))
    return tmp_path / "scores.npy"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Oracle]:
    """Stand in for the model that a test names."""

    def put(model: Oracle) -> Oracle:
        monkeypatch.setattr("howto.joint.opened.open_model", lambda *_, **__: model)
        return model

    return put


# --- scores ---


def test_scores_as_json(cli, scores: Path, tmp_path: Path) -> None:
    ran = cli("eval", "--scores", scores, "--json", "--json-file", tmp_path / "found.json")
    assert ran.code == 0
    assert ran.json == json.loads((tmp_path / "found.json").read_text())
    assert (ran.json["queries"], ran.json["candidates"]) == (40, 40)
    there = ran.json["text_to_video"]
    assert 0.5 <= there["R@1"] <= there["R@5"] <= there["R@10"] <= 1
    low, high = there["intervals"]["R@1"]
    assert low < there["R@1"] < high
    assert {"R@1", "R@5", "R@10", "median_rank", "mean_rank"} <= set(ran.json["video_to_text"])


def test_scores_as_a_table(cli, scores: Path) -> None:
    ran = cli("eval", "--scores", scores)
    assert ran.code == 0
    assert ran.out.startswith("40 captions, 40 clips\n")
    for said in ("text to video", "video to text", "95% interval", "chance, here", "2.5%"):
        assert said in ran.out
    assert ran.err == ""


def test_a_row_for_each_query_and_a_picture(cli, scores: Path, tmp_path: Path) -> None:
    files = ("--per-query", tmp_path / "rows.csv", "--plot", tmp_path / "curve.png")
    assert cli("eval", "--scores", scores, *files).code == 0
    with (tmp_path / "rows.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 40
    assert rows[0] == {"query": "0", "rank": "1.0", "better": "0", "tied": "1"}
    assert cv2.imread(str(tmp_path / "curve.png")).shape[1] > 800


def test_rules_of_ties(cli, tmp_path: Path) -> None:
    tied = np.eye(4)
    tied[2, 0] = 1
    np.save(tmp_path / "scores.npy", tied)
    found = {
        ties: cli("eval", "--scores", tmp_path / "scores.npy", "--ties", ties, "--json").json
        for ties in ("average", "optimistic", "pessimistic", "authors")
    }
    recalls = {ties: one["text_to_video"]["R@1"] for ties, one in found.items()}
    assert recalls == {"average": 0.875, "optimistic": 1, "pessimistic": 0.75, "authors": 0.8}
    ran = cli("eval", "--scores", tmp_path / "scores.npy", "--ties", "authors")
    assert "counts 5 queries here, not 4" in ran.err


def test_captions_of_one_video(cli, tmp_path: Path) -> None:
    np.save(tmp_path / "scores.npy", np.array([[0.9, 0.0, 0.1], [0.2, 0.8, 0.1], [0.5, 0.7, 0.1]]))
    np.save(tmp_path / "answers.npy", np.array([0, 0, 1]))
    ran = cli(
        "eval", "--scores", tmp_path / "scores.npy", "--answers", tmp_path / "answers.npy", "--json"
    )
    assert ran.json["text_to_video"]["R@1"] == pytest.approx(2 / 3)
    assert ran.json["video_to_text"]["queries"] == 2
    ran = cli("eval", "--scores", tmp_path / "scores.npy", "--answers", tmp_path / "answers.npy")
    assert "1 clip without a caption" in ran.err


def test_a_nan_is_named(cli, tmp_path: Path) -> None:
    found = np.zeros((5, 5))
    found[3, 1] = np.nan
    np.save(tmp_path / "scores.npy", found)
    ran = cli("eval", "--scores", tmp_path / "scores.npy")
    assert ran.code == 2
    assert "row 3 " in ran.err
    assert ran.out == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say what to evaluate"),
        (("--scores", "x.npy"), "no file x.npy"),
        (("--scores", "x.npy", "--model", "main"), "--model does not go with --scores"),
        (("--scores", "x.npy", "--benchmark", "own"), "--benchmark does not go with --scores"),
        (("--benchmark", "own", "--answers", "x.npy"), "--answers goes with --scores"),
        (("--benchmark", "own", "--data", "x"), "--data does not go with --benchmark own"),
        (("--benchmark", "own", "--ties", "authors"), "--ties does not go with"),
        (("--benchmark", "lsmdc", "--queries", "x"), "--queries goes with --benchmark own"),
        (("--benchmark", "lsmdc", "--data", "x"), "evaluates one model"),
        (("--benchmark", "lsmdc", "--model", "main"), "--data PATH"),
        (("--scores", "x.npy", "--plot", "none/x.png"), "there is no folder none"),
        (("--scores", "x.npy", "--per-query", "."), "--per-query .: this is a folder"),
        (("--scores", "x.npy", "--device", "bogus"), "--device does not go with --scores"),
        (("--scores", "x.npy", "--state-dir", "x"), "--state-dir does not go with --scores"),
        (("--benchmark", "own", "--device", "cpu"), "--device is about models, and none is named"),
        (("--benchmark", "own", "--json", "--extract", "--model", "nobody"), "'nobody'"),
    ],
)
def test_wrong_usage(cli, tmp_path: Path, monkeypatch, arguments, said: str) -> None:
    monkeypatch.chdir(tmp_path)
    ran = cli("eval", *arguments)
    assert ran.code == 2
    assert said in ran.err


def test_the_page_shows_what_is_printed(cli, tmp_path: Path, monkeypatch) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "evaluation.md").read_text()
    block = page.split("<!-- scores -->")[1].split("<!-- end of scores -->")[0]
    code, shown = re.findall(r"^```\w*\n(.*?)^```", block, flags=re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    command, _, expected = shown.partition("\n")
    printed = cli(*command.removeprefix("$ howto ").split()).out
    assert [line.rstrip() for line in printed.splitlines()] == expected.splitlines()


def test_one_of_each(cli, tmp_path: Path) -> None:
    np.save(tmp_path / "scores.npy", np.zeros((1, 1)))
    assert cli("eval", "--scores", tmp_path / "scores.npy").out.startswith("1 caption, 1 clip\n")


def test_chance_of_both_ways(cli, tmp_path: Path) -> None:
    """With 4 captions of each of 5 clips, a guesser finds one of its 4 more often than 1 of 5."""
    np.save(tmp_path / "scores.npy", np.zeros((20, 5)))
    np.save(tmp_path / "answers.npy", np.arange(20) // 4)
    files = ("--scores", tmp_path / "scores.npy", "--answers", tmp_path / "answers.npy")
    lines = cli("eval", *files).out.splitlines()
    (there,) = (line for line in lines if line.startswith("chance, text to video"))
    (back,) = (line for line in lines if line.startswith("chance, video to text"))
    assert there.split()[4:] == ["20.0%", "100.0%", "100.0%", "3"]
    assert back.split()[4:7] == ["20.0%", "71.8%", "95.7%"]


def wide_own() -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """What own finds, in cells as long as they get."""
    header = ("", "", "video", "centre", "IoU 0.3", "IoU 0.5", "IoU 0.7")
    cells = ("67% (52-82)",) * 4 + ("100% (100-100)",)
    rows = [
        ("27 queries (names not searched)", *[""] * 6),
        ("words + pictures (clip:ViT-B-32.openai)", "R@1", *cells),
    ]
    return header, rows


@pytest.mark.parametrize("is_terminal", [False, True])
def test_tables_are_whole_at_80_columns(monkeypatch, is_terminal: bool) -> None:
    """What is no terminal has long lines; a terminal gets narrow tables."""
    written = io.StringIO()
    console = Console(file=written, width=80, force_terminal=is_terminal, color_system=None)
    monkeypatch.setattr(eval_tables, "output", console)
    print_table(own_table(*wide_own()), lambda: own_table(*wide_own(), narrow=True))
    published = RETRIEVAL["youcook2", "validation"]
    made = partial(retrieval_table, result_of_scores(np.eye(30)), "main", "37 videos", published)
    print_table(made(), partial(made, narrow=True))
    lines = [line.rstrip() for line in written.getvalue().splitlines()]
    words = " ".join(" ".join(lines).split())
    assert "\u2026" not in words
    assert words.count("67%") == words.count("(52-82)") == 4
    assert "(100-100)" in words
    assert sum("95% interval" in line for line in lines) == 2
    assert sum("100.0-100.0" in line for line in lines) == 2
    assert ("HowTo100M then" in words, "mean rank" in words) == (True, True)
    assert (max(map(len, lines)) <= 80) == is_terminal
    rows = [line for line in lines if "67%" in line or "100.0%" in line]
    assert len(rows) == 3


def test_figures_and_names_are_whole_at_any_width(monkeypatch) -> None:
    """In a terminal, of every table: none of a figure and its interval goes without a mark."""
    published = RETRIEVAL["youcook2", "validation"]
    result = result_of_scores(np.eye(30) + np.random.default_rng(0).normal(size=(30, 30)) / 3)
    made = partial(retrieval_table, result, "main", "37 videos", published)
    scores = partial(retrieval_table, result)
    figures = {str(cell) for column in scores().columns[1:] for cell in column.cells} - {""}
    for width in range(30, 131):
        written = io.StringIO()
        console = Console(file=written, width=width, force_terminal=True, color_system=None)
        monkeypatch.setattr(eval_tables, "output", console)
        print_table(scores())
        print_table(made(), partial(made, narrow=True))
        print_table(own_table(*wide_own()), lambda: own_table(*wide_own(), narrow=True))
        printed = written.getvalue()
        assert max(len(line.rstrip()) for line in printed.splitlines()) <= width
        words = printed.split()
        assert {*figures, "100%", "(52-82)", "(100-100)"} <= set(words), width
        assert {"text", "to", "video", "95%", "interval", "chance,"} <= set(words), width
        for name in ("words+pictures(clip:ViT-B-32.openai)", "HowTo100MthenYouCook2"):
            assert Counter(name) <= Counter(printed), width


# --- benchmarks ---


def test_what_was_published_is_of_its_own_split(cli, opened, tmp_path: Path) -> None:
    releases.youcook2(tmp_path, "training")
    opened(Oracle())
    asked = ("eval", "--benchmark", "youcook2", "--model", "main", "--data", tmp_path)
    ran = cli(*asked, "--split", "training")
    assert ran.code == 0, ran.err
    assert "oracle: text to video" in ran.out
    assert "Miech" not in ran.out
    assert cli(*asked, "--split", "training", "--json").json["published"] == []


def test_retrieval_stands_among_what_was_published(cli, opened, tmp_path: Path) -> None:
    releases.youcook2(tmp_path, "validation")
    opened(Oracle(trained_on=["other"]))
    asked = ("eval", "--benchmark", "youcook2", "--model", "main", "--data", tmp_path)
    ran = cli(*asked, "--per-query", tmp_path / "rows.csv", "--plot", tmp_path / "curve.png")
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert "3 videos, 5 captions, 5 clips" in lines[0]
    assert "the features in its files" in lines[0]
    (ours,) = (line for line in lines if "oracle: text to video" in line)
    assert "100.0%" in ours
    assert "1 video" in ours
    (theirs,) = (line for line in lines if "HowTo100M then YouCook2" in line)
    assert theirs.split()[:4] == ["Miech", "et", "al.", "2019"]
    assert theirs.split()[-4:] == ["8.2%", "24.5%", "35.3%", "24"]
    assert "MIL-NCE 2020" in ran.out
    with (tmp_path / "rows.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[1]["caption"] == "fry it in oil"
    assert (rows[1]["video"], rows[1]["rank"]) == ("AAAAAAAAAAA", "1.0")
    assert cv2.imread(str(tmp_path / "curve.png")) is not None

    ran = cli(*asked, "--json", "--ties", "authors")
    assert ran.json["text_to_video"]["R@1"] == 1
    assert (ran.json["benchmark"], ran.json["ties"], ran.json["videos"]) == (
        "youcook2",
        "authors",
        3,
    )
    assert {row["trained_on"] for row in ran.json["published"]} > {"HowTo100M", "YouCook2"}


def test_what_was_trained_on_is_counted_and_printed(cli, opened, tmp_path: Path) -> None:
    releases.youcook2(tmp_path, "validation")
    opened(Oracle(trained_on=["AAAAAAAAAAA"]))
    asked = ("eval", "--benchmark", "youcook2", "--model", "main", "--data", tmp_path)
    ran = cli(*asked)
    assert "1 video left out, because the model was trained on them, such as AAAAAAAAAAA" in ran.err
    assert cli(*asked, "--json").json["shared_with_training"]["videos"] == 1


@pytest.fixture
def steps(tmp_path: Path, opened) -> tuple[str | Path, ...]:
    """CrossTask with a library that knows all of its videos but one."""
    releases.crosstask(tmp_path, "test")
    folder = tmp_path / "films"
    folder.mkdir()
    shown = {
        video: [(a, b, releases.TASKS[task][1][step - 1]) for step, a, b in spans]
        for (task, video), spans in releases.STEPS.items()
    }
    with Library.open(folder) as library, library.writing():
        for video in shown.keys() - {"HHHHHHHHHHH"}:
            library.number_of(video)
    opened(Oracle(shown))
    named = ("--model", "main", "--data", tmp_path, "-L", folder)
    return ("eval", "--benchmark", "crosstask", *named)


def test_steps_and_what_could_not_be_scored(cli, steps, tmp_path: Path) -> None:
    files = ("--per-query", tmp_path / "rows.csv", "--plot", tmp_path / "bars.png")
    ran = cli(*steps, *files)
    assert ran.code == 1
    assert "1 not scored, not_in_library; such as HHHHHHHHHHH" in ran.err
    assert "23521 Make Jello Shots" in ran.out
    for said in ("oracle: ordered assignment", "oracle: free", "Zhukov et al. 2019", "33.6%"):
        assert said in ran.out
    with (tmp_path / "rows.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["task"] for row in rows] == ["16815 Change a Tire", "23521 Make Jello Shots"]
    assert set(rows[0]) >= {"present", "ordered matched", "free recall", "free chance"}
    assert cv2.imread(str(tmp_path / "bars.png")) is not None
    ran = cli(*steps, "--json")
    assert ran.json["lost_videos"][0]["video"] == "HHHHHHHHHHH"
    assert ran.json["ordered"]["recall"] == 1
    assert ran.json["published"][-1]["recall"] == 33.6


def test_moments(cli, opened, tmp_path: Path) -> None:
    releases.tacos(tmp_path, "test")
    folder = tmp_path / "films"
    folder.mkdir()
    shown: dict[str, list] = {}
    for video, said, times, _ in releases.MOMENTS:
        shown.setdefault(video, []).extend((a, b, said) for a, b in times)
    with Library.open(folder) as library, library.writing():
        for video in shown:
            library.number_of(video)
    opened(Oracle(shown))
    asked = ("eval", "--benchmark", "moments:tacos", "--split", "test", "--model", "main")
    files = ("--per-query", tmp_path / "rows.csv", "--plot", tmp_path / "bars.png")
    ran = cli(*asked, "--data", tmp_path, "-L", folder, *files)
    assert ran.code == 0, ran.err
    assert "IoU 0.5" in ran.out
    assert "chance" in ran.out
    with (tmp_path / "rows.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["query"] == "the person peels a carrot"
    assert {row["IoU 0.3 R@5"] for row in rows} == {"1"}
    assert cv2.imread(str(tmp_path / "bars.png")) is not None


# --- own videos ---


@pytest.fixture
def asked_for(videos: Path, tmp_path: Path) -> tuple[str | Path, ...]:
    """Three queries about the folder of videos, one of a video that is not there."""
    file = tmp_path / "queries.csv"
    file.write_text(
        "query,video,start,end\n"
        "fold the sleeve,shirts/fold.mp4,7,10\n"
        "flip the pancake,pancakes.mp4,5,8\n"
        "bake bread,bread.mp4,1,2\n"
    )
    return ("eval", "--benchmark", "own", "--queries", file, "-L", videos)


def test_own_videos_by_words(cli, asked_for, tmp_path: Path) -> None:
    files = ("--per-query", tmp_path / "rows.csv", "--plot", tmp_path / "bars.png")
    ran = cli(*asked_for, *files)
    assert ran.code == 1
    assert "Failed: line 4: " in ran.err
    assert "words" in ran.out
    assert "centre" in ran.out
    with (tmp_path / "rows.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["query"] for row in rows] == ["fold the sleeve", "flip the pancake"]
    assert {row["centre R@1"] for row in rows} == {"1"}
    assert cv2.imread(str(tmp_path / "bars.png")) is not None
    ran = cli(*asked_for, "--json")
    assert (ran.json["benchmark"], ran.json["parts"][0]["truth"]) == ("own", "queries")


def test_a_part_of_the_own_videos_does_not_choose_for_all(cli, asked_for, opened) -> None:
    opened(SeeingModel("sharp", ("fold", "flip"), lambda *_: ""))
    everything = cli(*asked_for, "--model", "sharp", "--split", "all", "--json").json
    assert everything["left_out"]["not_drawn"] == 0
    assert everything["choice"]["measured"] is False
    said = cli(*asked_for, "--model", "sharp").err
    assert "what a plain search of this library takes stays as it was: nothing to" in said
    part = cli(*asked_for, "--model", "sharp", "--split", "held-out", "--json").json
    assert part["left_out"]["not_drawn"] == everything["videos"] - 2
    assert "choice" not in part
    ran = cli(*asked_for, "--split", "test")
    assert ran.code == 2
    assert "own has no split 'test'; expected all or held-out" in ran.err


def test_a_folder_of_which_nothing_is_known(cli, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    ran = cli("eval", "--benchmark", "own", "-L", tmp_path / "none")
    assert ran.code == 2
    assert "no video" in ran.err

"""From a library to a run: what is chosen, refused, resumed and written; and the two commands."""

import json
import os
import shlex
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from howto.clip.pairs import Pair, PairOptions
from howto.clip.pairs_store import StoredSet
from howto.collect.fetched import Candidate, Task
from howto.collect.ledger import Ledger
from howto.errors import LibraryError, UsageError
from howto.library import Library
from howto.recipe import Recipe
from howto.train import checkpoint
from howto.train.config import TrainOptions
from howto.train.loop import Event, Stepped
from howto.train.query_side import QuerySide
from howto.train.runs import open_run, read_metrics
from howto.train.small import dim_for, sized
from howto.train.stage import Prepared, complete, prepare, train_prepared

OPTIONS = TrainOptions(epochs=6, pairs_per_video=4, lr=0.01, dim=8, checkpoint_every=0.0)


@pytest.fixture
def library(filled: Any, one_thread: None) -> Library:
    """Eight videos with pairs and features."""
    for name in "abcdefgh":
        filled.whole(name, 6)
    return filled.library


def finished(library: Library, name: str = "main", **changes: Any) -> Prepared:
    ready = prepare(library, replace(OPTIONS, **changes), name)
    train_prepared(ready)
    return ready


def stop_after(step: int) -> Callable[[Event], None]:
    def listen(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return listen


def test_a_run_leaves_all_that_later_stages_read(library: Library) -> None:
    ready = finished(library)
    run = open_run(ready.folder)
    assert run.is_finished
    assert run.config["videos"] == 6
    assert run.config["held_out"] == 2
    assert run.config["text_encoder"] == "learned"
    assert run.evaluation is not None
    assert cv2.imread(str(ready.folder / "curves.png")).shape[1] == 900
    # A query without torch gives the embedding that the best checkpoint does.
    query = QuerySide.open(ready.folder / "query")
    words = list(ready.encoder.vocabulary.words[:3])
    best = checkpoint.load(ready.folder, checkpoint.BEST)
    checkpoint.restore(best, ready.problem.model)
    with torch.no_grad():
        tokens = ready.encoder.tokenise([" ".join(words)])
        expected = ready.problem.model.embed_text(tokens)[0].numpy()
    np.testing.assert_allclose(query.embed(query.look_up(words)), expected, atol=1e-5)


def test_resumed_the_bits_are_the_same(library: Library) -> None:
    whole = finished(library, "whole").problem.model.state_dict()
    first = prepare(library, OPTIONS, "parts")
    stopped = train_prepared(first, on_event=stop_after(3))
    assert stopped.trained.stopped
    second = prepare(library, OPTIONS, "parts", resume=True)
    assert second.unfinished.state.step == 3
    train_prepared(second)
    ended = checkpoint.load(second.folder).model
    assert all(torch.equal(ended[name], whole[name]) for name in whole)


def test_an_unfinished_run_names_the_command(library: Library) -> None:
    train_prepared(prepare(library, OPTIONS, "main"), on_event=stop_after(2))
    with pytest.raises(UsageError, match="howto train --name main --resume"):
        prepare(library, OPTIONS, "main")
    with pytest.raises(UsageError, match=r"margin 0\.1 there, 0\.2 here"):
        prepare(library, replace(OPTIONS, margin=0.2), "main", resume=True)


def test_a_finished_run_is_not_done_again(library: Library) -> None:
    finished(library)
    assert prepare(library, OPTIONS, "main").finished is not None
    with pytest.raises(UsageError, match="another --name"):
        prepare(library, replace(OPTIONS, seed=2), "main")


def test_a_library_that_changed_cannot_go_on(library: Library, filled: Any) -> None:
    train_prepared(prepare(library, OPTIONS, "main"), on_event=stop_after(2))
    filled.whole("another", 6)
    with pytest.raises(LibraryError, match="--init main"):
        prepare(library, OPTIONS, "main", resume=True)


def test_other_captions_of_the_same_number_are_a_change(library: Library, filled: Any) -> None:
    train_prepared(prepare(library, OPTIONS, "main"), on_event=stop_after(2))
    for name in "abcdefgh":
        lines = [(5.0 * k, 5.0 * k + 4, filled.caption()) for k in range(6)]
        filled.say(name, lines, "n2")
    with pytest.raises(LibraryError, match="--init main"):
        prepare(library, OPTIONS, "main", resume=True)


def test_how_a_pack_came_about_makes_no_difference(library: Library, filled: Any) -> None:
    prepare(library, OPTIONS, "before")
    filled.whole("0", 6)  # by its path the first, in a pack that grows the last
    grown = prepare(library, OPTIONS, "grown")
    assert grown.problem.pack.video_ids[-1] == "0"
    train_prepared(grown, on_event=stop_after(3))
    shutil.rmtree(library.state / "packs")
    whole = finished(library, "whole")
    assert whole.problem.pack.video_ids[0] == "0"
    train_prepared(prepare(library, OPTIONS, "grown", resume=True))
    ours, theirs = (checkpoint.load(one.folder) for one in (grown, whole))
    assert all(torch.equal(ours.model[name], theirs.model[name]) for name in theirs.model)
    figures = [open_run(one.folder).evaluation for one in (grown, whole)]
    assert figures[0] == figures[1]


def another_set(filled: Any, **realign: Any) -> str:
    """A newer set of pairs, of the same videos; its short hash."""
    parts = {**PairOptions(min_words=3).recipe().parts, **realign}
    store = StoredSet(filled.library, Recipe.of(**parts))
    for name in "abcdefgh":
        number = filled.library.number_of(name)
        pairs = [Pair(5.0 * k, 5.0 * k + 4, filled.caption(), k, k, 0.5) for k in range(6)]
        with filled.library.writing():
            store.put(number, pairs, "n1")
    return Recipe.of(**parts).short


def test_of_several_sets_of_pairs_it_is_said_which_is_taken(library: Library, filled: Any) -> None:
    first = prepare(library, OPTIONS, "first")
    assert not any("pairs of set" in note for note in first.notes)
    train_prepared(first, on_event=stop_after(2))
    newer = another_set(filled, realign={"run": "first", "step": 3})
    ready = prepare(library, OPTIONS, "second")
    assert ready.notes[0] == (
        f"pairs of set {newer}, the newest of 2, re-aligned by the run first (--clips)"
    )
    assert ready.config["clips"] == newer
    older = first.config["clips"]
    assert prepare(library, replace(OPTIONS, clips=older), "third").notes[0].endswith(older)
    # A run goes on with the pairs that it was begun with.
    assert prepare(library, OPTIONS, "first", resume=True).config["clips"] == older


def test_a_run_goes_on_with_the_features_that_it_was_begun_with(
    library: Library, filled: Any
) -> None:
    train_prepared(prepare(library, OPTIONS, "main"), on_event=stop_after(2))
    for name in "abcdefgh":
        filled.show(name, filled.features(40, 8), "resnet152", "1", "other")
        filled.show(name, filled.features(40, 5), "resnet18", "1")
    resumed = prepare(library, OPTIONS, "main", resume=True)
    assert list(resumed.problem.model.streams) == ["resnet152", "resnext101-3d"]


def test_only_first_hits_of_collect(library: Library, cli: Callable[..., Any]) -> None:
    task = Task("fold a shirt")
    hits = [Candidate(name, "test", name, rank=rank) for rank, name in enumerate("abcdef", 1)]
    Ledger(library).put_list((task, hit) for hit in hits)
    whole = prepare(library, OPTIONS, "whole").problem
    first = prepare(library, replace(OPTIONS, rank_at_most=4), "first").problem
    ranked = np.array([one in "abcd" for one in whole.pack.video_ids])
    assert (first.trains == (whole.trains & ranked)).all()
    assert 0 < first.trains.sum() < whole.trains.sum()
    assert (first.held_out == whole.held_out).all()
    told = cli("train", library.folder, "--rank-at-most", "4", "--dry-run", "--json").json
    assert told["videos"] == first.trains.sum()


def test_what_a_kill_left_unwritten_at_the_end_is_written_later(
    library: Library, cli: Callable[..., Any]
) -> None:
    flags = ("train", library.folder, "--epochs", "4", "--pairs-per-video", "4", "--dim", "8")
    assert cli(*flags).code == 0
    folder = library.state / "runs" / "main"
    expected = {path.name: path.read_bytes() for path in (folder / "query").iterdir()}
    shutil.rmtree(folder / "query")
    (folder / "curves.png").unlink()
    again = cli(*flags)
    assert "had not written when it was killed" in again.out
    assert {path.name: path.read_bytes() for path in (folder / "query").iterdir()} == expected
    assert (folder / "curves.png").is_file()
    assert "had not written" not in cli(*flags).out


def test_a_query_side_of_another_checkpoint_is_written_anew(library: Library) -> None:
    """A kill between the end of a run that was trained on and its query side leaves the old one."""
    ready = finished(library)
    note = ready.folder / "query" / "meta.json"
    expected = note.read_bytes()
    note.write_text(json.dumps({**json.loads(expected), "checkpoint": "of the run before"}))
    assert complete(ready)
    assert note.read_bytes() == expected
    assert not complete(ready)


def test_a_finished_run_is_not_trained_over(library: Library) -> None:
    ready = finished(library)
    assert not complete(ready)
    with pytest.raises(UsageError, match="finished; nothing is left to train"):
        train_prepared(prepare(library, OPTIONS, "main"))


def test_no_more_pairs_are_compared_than_can_be(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished(library, "first")
    monkeypatch.setattr("howto.train.loop._MOST_EVALUATED", 7)
    done = train_prepared(prepare(library, replace(OPTIONS, init="first"), "second"))
    assert done.before.coarse.queries == done.trained.evaluation.coarse.queries == 7


def test_the_command_to_go_on_is_one_that_does(
    library: Library, cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "my films"
    library.folder.rename(folder)
    monkeypatch.setattr("howto.train.board.board", lambda *_args, **_options: stop_after(2))
    flags = ("--state-dir", folder / ".howto", "--epochs", "4", "--pairs-per-video", "4")
    stopped = cli("train", folder, "--name", "main", "--dim", "8", *flags)
    assert stopped.code == 130
    command = shlex.split(stopped.err.split("To go on: ")[1])
    monkeypatch.setattr("howto.train.board.board", lambda *_args, **_options: None)
    ended = cli(*command[1:], "--json")
    assert ended.code == 0, ended.err
    assert ended.json["steps"] == 4


def test_held_out_videos_that_the_start_has_seen_are_told(
    library: Library, cli: Callable[..., Any]
) -> None:
    flags = ("train", library.folder, "--epochs", "2", "--pairs-per-video", "4", "--dim", "8")
    assert cli(*flags, "--name", "first").code == 0
    fair = cli(*flags, "--name", "fair", "--init", "first")
    assert "too good" not in fair.err
    more = cli(*flags, "--name", "more", "--init", "first", "--held-out", "0.7")
    assert "held-out videos trained the run first" in more.err


def test_nothing_to_resume(library: Library) -> None:
    with pytest.raises(UsageError, match="no run named 'main'"):
        prepare(library, OPTIONS, "main", resume=True)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"sampler": "uniform", "intra": 0.3}, "'uniform' takes no --intra"),
        ({"loss": "info-nce", "margin": 0.3}, "'info-nce' takes no --margin"),
        ({"rank_at_most": 3}, "no video with pairs and features was among the first 3 hits"),
        ({"init": "nobody"}, "no run of that name"),
        ({"loss": "max-margin", "form": "paper"}, "no form 'paper'"),
    ],
)
def test_options_that_do_not_go_together(
    library: Library, changes: dict[str, Any], what: str
) -> None:
    with pytest.raises(UsageError, match=what):
        prepare(library, replace(OPTIONS, **changes), "main")


def test_a_fraction_of_the_videos_trains(library: Library) -> None:
    half = prepare(library, replace(OPTIONS, fraction=0.5), "half").problem
    whole = prepare(library, OPTIONS, "whole").problem
    assert half.trains.sum() == 3
    assert (half.trains <= whole.trains).all()
    assert (half.held_out == whole.held_out).all()


def test_a_start_from_a_run_begins_where_that_ended(library: Library) -> None:
    first = finished(library, "first")
    ready = prepare(library, replace(OPTIONS, init="first", dim=None, seed=9), "second")
    best = checkpoint.load(first.folder, checkpoint.BEST)
    own = ready.problem.model.state_dict()
    assert all(torch.equal(own[name], best.model[name]) for name in own)
    done = train_prepared(ready)
    assert done.before.coarse.recalls[10].value == best.state.best
    assert done.gain is not None
    with pytest.raises(UsageError, match="does not fit"):
        prepare(library, replace(OPTIONS, init="first", dim=16), "third")


def test_what_is_left_open_suits_the_library() -> None:
    assert [dim_for(count) for count in (100, 2_000, 150_000, 10**7)] == [128, 256, 1024, 4096]
    full = sized(TrainOptions(), 1, 128).options
    assert (full.epochs, full.lr, full.validate_every) == (600, 1e-3, 40)
    assert full.lr_decay**600 == pytest.approx(0.9**15)
    paper = sized(TrainOptions(), 38_000, 4096)
    assert (paper.options.epochs, paper.options.lr, paper.options.lr_decay) == (15, 1e-4, 0.9)
    assert paper.chosen == ()


def test_the_cost_counts_the_parameters(library: Library) -> None:
    ready = prepare(library, OPTIONS, "main")
    cost = ready.cost()
    model = ready.problem.model
    assert sum(cost.parameters.values()) + cost.frozen == sum(p.numel() for p in model.parameters())
    assert cost.parameters["video"] == 14 * 8 + 8 + 8 * 8 + 8
    assert cost.steps == 6


def test_the_commands_train_and_list(library: Library, cli: Callable[..., Any]) -> None:
    folder = library.folder
    flags = ("--epochs", "4", "--pairs-per-video", "4", "--dim", "8", "--json")
    made = cli("train", folder, "--name", "one", *flags)
    assert made.code == 0, made.err
    assert made.json["steps"] == 4
    assert made.json["evaluation"]["videos"] == 2
    assert cli("train", folder, "--name", "one", *flags).json["finished"] is True
    assert cli("train", folder, "--name", "two", "--sampler", "uniform", *flags).code == 0
    listed = cli("runs", "-L", folder, "--json").json
    assert [run["name"] for run in listed] == ["one", "two"]
    picture = folder / "both.png"
    compared = cli("runs", "one", "two", "-L", folder, "--plot", picture)
    assert compared.code == 0, compared.err
    assert "sampler" in compared.out
    assert "uniform" in compared.out
    assert cv2.imread(str(picture)) is not None
    assert cli("runs", "three", "-L", folder).code == 2


def test_a_dry_run_trains_nothing(library: Library, cli: Callable[..., Any]) -> None:
    shown = cli("train", library.folder, "--dry-run", "--json", "--margin", "0.3").json
    assert shown["options"]["margin"] == 0.3
    assert shown["seconds"] > 0
    assert cli("train", library.folder, "--dry-run").out.startswith("backbone = None\n")
    assert not (library.state / "runs").exists()


def test_flags_go_over_the_file(library: Library, cli: Callable[..., Any]) -> None:
    file = library.folder / "train.toml"
    file.write_text("margin = 0.2\nintra = 0.9\n")
    shown = cli(
        "train", library.folder, "--config", file, "--intra", "0.1", "--dry-run", "--json"
    ).json
    assert (shown["options"]["margin"], shown["options"]["intra"]) == (0.2, 0.1)
    file.write_text("magrin = 0.2\n")
    refused = cli("train", library.folder, "--config", file)
    assert refused.code == 2
    assert "Did you mean margin?" in refused.err


def test_metrics_that_were_cut_off_are_read_up_to_there(library: Library) -> None:
    ready = finished(library)
    path = ready.folder / "metrics.jsonl"
    rows = list(read_metrics(ready.folder))
    path.write_bytes(path.read_bytes()[:-7])
    assert list(read_metrics(ready.folder)) == rows[:-1]
    assert json.loads((ready.folder / "config.json").read_text())["dim"] == 8

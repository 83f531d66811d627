"""From a library to a run: what is chosen, refused, resumed and written; and the two commands."""

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from howto.errors import LibraryError, UsageError
from howto.library import Library
from howto.train import checkpoint
from howto.train.config import TrainOptions
from howto.train.loop import Event, Stepped
from howto.train.query_side import QuerySide
from howto.train.runs import open_run, read_metrics
from howto.train.small import dim_for, sized
from howto.train.stage import Prepared, prepare, train_prepared

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


def test_nothing_to_resume(library: Library) -> None:
    with pytest.raises(UsageError, match="no run named 'main'"):
        prepare(library, OPTIONS, "main", resume=True)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"sampler": "uniform", "intra": 0.3}, "'uniform' takes no --intra"),
        ({"loss": "info-nce", "margin": 0.3}, "'info-nce' takes no --margin"),
        ({"rank_at_most": 3}, "no search ranks"),
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

"""A run that is opened while it trains: its checkpoints go as new ones come."""

import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from howto.errors import LibraryError
from howto.joint import checkpoints
from howto.joint.checkpoints import model_file, read_model
from howto.joint.kept import KeptModels
from howto.joint.opened import open_model
from howto.library import Library
from howto.train.opened import OpenRun
from howto.train.query_side import QuerySide
from howto.train.runs import open_run

ROTATIONS = 500


@pytest.fixture
def training(drawn: Path, tmp_path: Path) -> Iterator[Library]:
    """A library whose run `small` has no query side yet, as while it trains."""
    folder = shutil.copytree(drawn, tmp_path / "drawn")
    shutil.rmtree(folder / ".howto" / "runs" / "small" / "query")
    with Library.open(folder) as library:
        yield library


def rotate(run: Path, number: int) -> None:
    """What a run that trains does with each checkpoint: write, point, remove; in that order."""
    old = model_file(run).parent
    new = old.with_name(f"rotated-{number}")
    part = run / "checkpoints" / ".part"
    part.mkdir()
    for name in ("model.safetensors", "optimiser.safetensors", "state.json"):
        os.link(old / name, part / name)
    part.rename(new)
    for pointer in ("last", "best"):
        (run / ".pointer").write_text(f"{new.name}\n")
        (run / ".pointer").replace(run / pointer)
    shutil.rmtree(old, ignore_errors=True)  # a hash may just be put into it


def test_a_run_can_be_opened_at_any_instant(training: Library) -> None:
    run = training.state / "runs" / "small"
    wanted = open_model(training, "small").recipe
    with ThreadPoolExecutor(1) as pool:
        rotating = pool.submit(lambda: [rotate(run, number) for number in range(ROTATIONS)])
        opened = 0
        while not rotating.done():
            assert KeptModels().opened(training, "small").recipe == wanted
            assert open_run(run).state["step"] > 0
            opened += 1
        rotating.result()
    assert opened > 20


def test_what_was_opened_is_read_when_its_checkpoint_is_gone(training: Library) -> None:
    clips = [np.ones((2, 512), np.float32)]
    wanted, model = open_model(training, "small"), open_model(training, "small")
    recipe, shown = wanted.recipe, wanted.embed_features(clips)
    said = wanted.embed_text(["fold the shirt"])
    rotate(training.state / "runs" / "small", 1)
    assert model.recipe == recipe
    np.testing.assert_array_equal(model.embed_features(clips), shown)
    np.testing.assert_array_equal(model.embed_text(["fold the shirt"]), said)


def learn_on(run: Path, number: int) -> Path:
    """Another checkpoint with other weights, as the next evaluation's best is; the old one goes."""
    old = model_file(run).parent
    rotate(run, number)
    new = model_file(run)
    learned = {name: tensor + 0.25 for name, tensor in load_file(new).items()}
    new.unlink()  # another name of the old one
    save_file(learned, new)
    assert not old.exists()
    return new


@pytest.mark.parametrize("is_network", [False, True])
def test_captions_are_those_of_the_checkpoint_of_the_clips(
    training: Library, monkeypatch: pytest.MonkeyPatch, is_network: bool
) -> None:
    """Also where the text side is read long after the model was opened."""
    monkeypatch.setattr("howto.joint.run.holds_words", lambda _: not is_network)
    wanted = open_model(training, "small").embed_text(["fold the shirt"])
    model = open_model(training, "small")
    learn_on(training.state / "runs" / "small", 1)
    np.testing.assert_array_equal(model.embed_text(["fold the shirt"]), wanted)
    other = open_model(training, "small").embed_text(["fold the shirt"])
    assert np.abs(other - wanted).max() > 1e-3


def test_words_written_out_of_another_checkpoint_are_not_used(drawn: Path, tmp_path: Path) -> None:
    """As where a finished run is trained on: its query side is renewed at the end only."""
    with Library.open(shutil.copytree(drawn, tmp_path / "drawn")) as library:
        run = library.state / "runs" / "small"
        exported = open_model(library, "small").embed_text(["fold the shirt"])
        learn_on(run, 1)
        said = open_model(library, "small").embed_text(["fold the shirt"])
        wanted = OpenRun.open(run).embed_text(["fold the shirt"]).numpy()
    np.testing.assert_allclose(said, wanted, rtol=0, atol=1e-5)
    assert np.abs(said - exported).max() > 1e-3


def test_words_that_are_replaced_while_they_are_read_are_not_used(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Library.open(shutil.copytree(drawn, tmp_path / "drawn")) as library:
        wanted = open_model(library, "small").embed_text(["fold the shirt"])
        query = library.state / "runs" / "small" / "query"
        really = QuerySide.open

        def replaced(folder: Path) -> QuerySide:
            np.save(query / "words.npy", np.load(query / "words.npy") + 1)
            note = query / "meta.json"
            note.write_text(json.dumps({**json.loads(note.read_bytes()), "checkpoint": "next"}))
            return really(folder)

        monkeypatch.setattr(QuerySide, "open", replaced)
        said = open_model(library, "small").embed_text(["fold the shirt"])
    np.testing.assert_allclose(said, wanted, rtol=0, atol=1e-5)


def test_a_model_needs_nothing_that_only_training_does(training: Library) -> None:
    run = training.state / "runs" / "small"
    (model_file(run).parent / "optimiser.safetensors").unlink()
    assert OpenRun.open(run).embed_text(["fold"]).shape == (1, 24)


def test_best_is_what_was_best_when_it_was_opened(training: Library) -> None:
    run = training.state / "runs" / "small"
    (run / "best").unlink()
    model = open_model(training, "small")
    (run / "best").write_text("step-00000001\n")
    assert model.selected is None


def test_a_checkpoint_that_goes_before_it_is_read_is_not_the_last_word(training: Library) -> None:
    run = training.state / "runs" / "small"
    asked = []

    def read(model: Path) -> bytes:
        asked.append(model)
        if len(asked) == 1:
            rotate(run, 1)
        return model.read_bytes()

    assert read_model(run, read) == asked[1].read_bytes()
    assert [model.parent.name for model in asked[1:]] == ["rotated-1"]


def test_nobody_tries_for_ever(training: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "_TRIES", 3)
    run = training.state / "runs" / "small"
    asked = []

    def read(model: Path) -> bytes:
        asked.append(model)
        rotate(run, len(asked))
        return model.read_bytes()

    with pytest.raises(LibraryError, match="replaced faster than one can be read"):
        read_model(run, read)
    assert len(asked) == 3


def test_a_checkpoint_that_is_named_and_gone_is_damage(training: Library) -> None:
    run = training.state / "runs" / "small"
    shutil.rmtree(run / "checkpoints")
    for read in (lambda: open_model(training, "small"), lambda: open_run(run)):
        with pytest.raises(LibraryError, match="is damaged: there is no"):
            read()

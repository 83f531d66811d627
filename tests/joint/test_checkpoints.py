"""A run that is opened while it trains: its checkpoints go as new ones come."""

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from howto.errors import LibraryError
from howto.joint import checkpoints
from howto.joint.checkpoints import model_file, read_model
from howto.joint.kept import KeptModels
from howto.joint.opened import open_model
from howto.library import Library

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
    os.link(old / "model.safetensors", part / "model.safetensors")
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
    shutil.rmtree(model_file(run).parent)
    with pytest.raises(LibraryError, match="is damaged: there is no"):
        open_model(training, "small")

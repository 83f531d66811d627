"""Options of a run: flag over file over default, and errors that name the nearest option."""

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest

from howto.errors import UsageError
from howto.train.config import TrainOptions, merged, read_config


def test_a_flag_goes_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    file = tmp_path / "train.toml"
    file.write_text('[train]\nlr = 0.01\nvideos-per-batch = 8\nbackbone = ["a", "b"]\n')
    options = merged({"lr": 0.5, "epochs": None}, read_config(file))
    assert options.lr == 0.5
    assert options.videos_per_batch == 8
    assert options.margin == TrainOptions().margin
    assert options.backbone == ("a", "b")


def test_options_may_stand_at_the_top_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "train.toml"
    file.write_text("margin = 0.2\n")
    assert merged({}, read_config(file)).margin == 0.2


def test_a_backbone_flag_has_commas() -> None:
    assert merged({"backbone": "resnet152, torchvision:resnet18"}, {}).backbone == (
        "resnet152",
        "torchvision:resnet18",
    )


def test_what_is_stored_is_what_was_merged() -> None:
    options = merged({"backbone": "x", "dim": 64, "lr": 1}, {})
    assert merged({}, json.loads(json.dumps(options.as_json()))) == options
    assert set(options.as_json()) == {field.name for field in fields(TrainOptions)}


def test_an_unknown_option_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="'momemtum'"):
        merged({}, {"momemtum": 0.5})
    with pytest.raises(UsageError, match="Did you mean pairs-per-video"):
        merged({}, {"pair-per-video": 3})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lr", 0.0),
        ("lr", float("nan")),
        ("margin", -0.1),
        ("intra", 1.5),
        ("keep_positives", 0.0),
        ("videos_per_batch", 0),
        ("epochs", -1),
        ("precision", "fp8"),
        ("schedule", "linear"),
        ("fraction", 2.0),
        ("held_out", 1.0),
        ("validate", "youcook"),
        ("backbone", ()),
        ("backbone", ("a", "a")),
    ],
)
def test_a_value_out_of_range_names_its_flag(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"--{name.replace('_', '-')}"):
        replace(TrainOptions(), **{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", 1.5), ("epochs", True), ("lr", "fast"), ("compile", 1), ("clips", 3)],
)
def test_a_value_of_another_type_names_its_option(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"option {name}: expected"):
        merged({}, {name: value})


@pytest.mark.parametrize(
    "text", ["lr = ", "train = 3", "[train]\nlr=1\n[other]\nx=1", "\udcff"], ids=str.__repr__
)
def test_a_file_that_says_nothing_of_use(tmp_path: Path, text: str) -> None:
    file = tmp_path / "train.toml"
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UsageError, match=r"train\.toml"):
        read_config(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_config(tmp_path / "none.toml")

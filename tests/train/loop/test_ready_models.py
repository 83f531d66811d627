"""`howto train --init clip:...`, from films to the comparison with the ready model, by the real
open_clip code on a tiny random architecture."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("howto_clip", reason="needs the plugin howto-clip")
import open_clip
from safetensors.torch import save_file

from howto import plugins
from howto.train.pack import Pack
from howto.train.runs import open_run

TINY = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49_408, "width": 32, "heads": 2, "layers": 1},
}
LONG = "take the first sleeve and then the second sleeve and lay both of them across the back so "
FLAGS = ("--epochs", "3", "--pairs-per-video", "4", "--held-out", "0.3")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Random weights of an architecture that open_clip then knows by name."""
    (tmp_path / "smallest.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(tmp_path / "smallest.json")
    torch.manual_seed(0)
    path = tmp_path / "smallest.safetensors"
    save_file(dict(open_clip.create_model("smallest").state_dict()), path)
    return path


@pytest.fixture
def films(
    tmp_path: Path, small_video: Callable[..., Path], cli: Callable[..., Any], weights: Path
) -> Path:
    """Six films with pairs and the features of the tiny CLIP."""
    folder = tmp_path / "films"
    folder.mkdir()
    for number in range(6):
        small_video(folder / f"{number}.mp4", shade=40 * number)
        lines = [f"{1 + k}\n00:00:{4 * k:02},000 --> 00:00:{4 * k + 4:02},000\n" for k in range(4)]
        texts = [f"{LONG}that {word} {number} lies on top" for word in ("one", "two", "six", "ten")]
        both = zip(lines, texts, strict=True)
        (folder / f"{number}.srt").write_text("\n".join(f"{line}{text}\n" for line, text in both))
    assert cli("clip", folder).code == 0
    made = cli(
        "extract", folder, "--backbone", "clip:smallest", "--weights", f"clip:smallest={weights}"
    )
    assert made.code == 0, made.err
    return folder


def test_an_adapter_begins_as_the_ready_model_and_is_compared_with_it(
    films: Path, weights: Path, cli: Callable[..., Any], one_thread: None
) -> None:
    asked = ("train", films, "--init", "clip:smallest", "--text-weights", weights, *FLAGS)
    made = cli(*asked)
    assert made.code == 0, made.err
    assert "starts as the ready model clip:smallest" in made.err
    assert "clip:smallest on held-out videos: R@10" in made.out
    told = cli(*asked, "--name", "second", "--json").json
    run = open_run(films / ".howto" / "runs" / "second")
    # The start is CLIP's own ranking of the held-out clips, by the maximum over a clip's frames.
    pack = Pack.open(films / ".howto" / "packs" / run.config["pack"])
    model = plugins.create("models", "clip:smallest")
    model.load("cpu", torch.float32, str(weights))
    clips = pack.batch(np.arange(pack.num_pairs)).clips
    captions = [caption for of_video in pack.captions() for caption in of_video]
    texts = torch.nn.functional.normalize(model.embed_text(captions), dim=1)
    stored = pack.batch(np.arange(pack.num_pairs)).texts
    torch.testing.assert_close(
        torch.nn.functional.normalize(stored, dim=1), texts, atol=2e-3, rtol=0
    )
    assert clips.shape[1] == run.config["dim"] == 24
    assert told["start"]["coarse"]["queries"] == told["evaluation"]["coarse"]["queries"]
    assert told["gain"]["low"] <= told["gain"]["value"] <= told["gain"]["high"]
    # The same command again knows the run, though it says neither backbone nor encoder.
    again = cli(*asked)
    assert "finished with these options already" in again.out, again.err


def test_other_parts_than_the_models_are_refused(
    films: Path, weights: Path, cli: Callable[..., Any]
) -> None:
    asked = ("train", films, "--init", "clip:smallest", "--text-weights", weights, *FLAGS)
    refused = cli(*asked, "--text-encoder", "learned")
    assert refused.code == 2
    assert "leave --text-encoder out" in refused.err

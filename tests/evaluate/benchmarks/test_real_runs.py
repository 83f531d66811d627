"""Runs that were trained, not made up: on the authors' form of features, and on drawn videos."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from howto.errors import UsageError
from howto.evaluate.benchmark import evaluate_benchmark
from howto.joint.opened import OpenedModel, open_model
from howto.library import Library
from howto.train.authors_sets import youcook_set
from howto.train.config import TrainOptions
from howto.train.stage import prepare, train_prepared
from tests.evaluate.benchmarks.releases import moment_lines, write_pkl

VERBS = "cut fry whisk fold pour bake".split()
THINGS = "onion egg batter shirt".split()
PHRASES = [f"{verb} the {thing}" for verb in VERBS for thing in THINGS]


def video(number: int) -> str:
    return f"video-{number:05}"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a small youcook_train.pkl, in which each phrase looks like itself."""
    folder = tmp_path_factory.mktemp("authors")
    rng = np.random.default_rng(0)
    rows = [(video(n), str(said)) for n in range(40) for said in rng.choice(PHRASES, 6)]
    source = youcook_set(write_pkl(folder / "youcook_train.pkl", rows))
    options = TrainOptions(
        epochs=60, videos_per_batch=8, pairs_per_video=6, lr=0.01, dim=32, device="cpu"
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with Library.open(folder) as library:
        train_prepared(prepare(library, options, "authors", source=source))
    torch.set_num_threads(threads)
    return folder


def test_a_run_on_ready_features(trained: Path, tmp_path: Path) -> None:
    """Videos that it never saw, of phrases that it did: found, far above chance."""
    rows = [(video(100 + number), said) for number, said in enumerate(PHRASES)]
    seen = [(video(number), said) for number, said in enumerate(PHRASES[:5])]
    path = write_pkl(tmp_path / "youcook_val.pkl", rows + seen)
    with Library.open(trained) as library:
        model = open_model(library, "authors")
        held_out = {name for name, _ in seen} - model.trained_on
        result = evaluate_benchmark("youcook2", model, data=path, library=library)
    assert result.from_features
    assert set(result.shared) == {name for name, _ in seen} - held_out
    assert result.shared
    assert result.scores.candidates == len(PHRASES) + len(held_out)
    way = result.scores.text_to_video
    assert way.recalls[1].value > 0.5
    assert way.recalls[1].value > 10 * way.chances[1]


def test_another_models_features_are_refused(drawn: Path, trained: Path) -> None:
    with Library.open(drawn) as library:
        model = open_model(library, "small")
        with pytest.raises(UsageError, match="of lengths 6 and 4, and 'small' takes 512"):
            evaluate_benchmark(
                "youcook2", model, data=trained / "youcook_train.pkl", split="training"
            )


# --- drawn videos ---


@pytest.fixture
def lines(drawn: Path) -> dict[str, list[tuple[float, float, str]]]:
    """What is said in each drawn video, by the name of its file."""
    found = {}
    with Library.open(drawn) as library:
        for number, (path, *_) in library.paths().items():
            narration = library.narration(number)
            assert narration is not None
            found[Path(path).stem] = [(one.start, one.end, one.text) for one in narration.lines]
    return found


class Unspoilt:
    """A run that forgets what it was trained on, so that its own videos can be asked for."""

    trained_on: frozenset[str] = frozenset()

    def __init__(self, model: OpenedModel) -> None:
        self.model = model

    def __getattr__(self, name: str) -> object:
        return getattr(self.model, name)


def test_clips_of_drawn_videos(drawn: Path, lines, tmp_path: Path) -> None:
    database = {
        name: {
            "subset": "validation",
            "annotations": [{"segment": [a, b], "sentence": said} for a, b, said in some],
        }
        for name, some in lines.items()
    }
    path = tmp_path / "youcookii_annotations_trainval.json"
    path.write_text(json.dumps({"database": database}))
    with Library.open(drawn) as library:
        model = open_model(library, "small")
        honest = evaluate_benchmark("youcook2", model, data=path, library=library)
        whole = evaluate_benchmark("youcook2", Unspoilt(model), data=path, library=library)
    # All but the two that were held out trained it.
    assert len(honest.shared) == len(lines) - 2
    assert honest.videos == 2
    assert whole.scores.candidates == sum(len(some) for some in lines.values())
    way = whole.scores.text_to_video
    assert way.median_rank.value < way.chance_median_rank


def test_steps_and_moments_of_drawn_videos(drawn: Path, lines, tmp_path: Path) -> None:
    names = sorted(lines)
    task = {"class": "Anything", "subset": "testing", "duration": 1.0}
    database = {
        name: {
            **task,
            "annotation": [
                {"id": number, "segment": [a, b], "label": said}
                for number, (a, b, said) in enumerate(lines[name][:3], start=3 * place)
            ],
        }
        for place, name in enumerate(names[:2])
    }
    (tmp_path / "COIN.json").write_text(json.dumps({"database": database}))
    rows = [(name, said, [[a, b]], 1.0) for name in names for a, b, said in lines[name][:2]]
    (tmp_path / "tacos_test_release.jsonl").write_text(moment_lines(rows))
    with Library.open(drawn) as library:
        model = Unspoilt(open_model(library, "small"))
        steps = evaluate_benchmark("coin", model, data=tmp_path, library=library)
        moments = evaluate_benchmark("moments", model, data=tmp_path, library=library)
    assert steps.scores.ordered.tasks[0].present == 6
    assert 0 <= steps.scores.ordered.recall.value <= 1
    assert moments.scores.queries == len(rows)
    assert all(one.recall.value >= 0 for one in moments.scores.found["centre"].values())
    # The release says that every video has one second.
    for result in (steps, moments):
        assert any("longer or shorter by over 2 s" in note for note in result.notes)

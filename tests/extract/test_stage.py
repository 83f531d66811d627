"""The stage against a plain decode and encode, and what it does when started again."""

import hashlib
import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from howto.errors import HowtoError, Reason, UsageError
from howto.extract.choice import Choice, choose
from howto.extract.encoding import Encoder, Encoding
from howto.extract.features import read
from howto.extract.stage import Extractor, Job, extract_videos, plan
from howto.extract.store import StoredFeatures
from howto.library import Library
from howto.media.decode import FrameChunk, decode
from howto.records import Stage, State
from howto.search.refresh import refresh

from .conftest import PlainBackbone, wanted_of


def plain_features(path: Path, backbone: PlainBackbone) -> tuple[np.ndarray, np.ndarray]:
    """Decode, encode at once, halve: without processes, chunks or batches."""
    chunks = list(decode(path, [backbone.frames]))
    frames = np.concatenate([chunk.frames for chunk in chunks])
    times = np.concatenate([chunk.times for chunk in chunks])
    features = backbone.encode(torch.from_numpy(frames)).numpy().astype(np.float16)
    return features, times[:: backbone.frames_per_feature]


def stored_files(library: Library, wanted) -> dict[str, int]:
    folder = StoredFeatures(library, wanted.recipe).folder
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*/*.safetensors")}


def test_several_backbones_in_one_decode_give_what_each_gives_alone(library: Library) -> None:
    wanted = [
        wanted_of(PlainBackbone("one", "2", 16)),
        wanted_of(PlainBackbone("same-frames", "2", 16, per=3)),
        wanted_of(PlainBackbone("other-frames", "5", 32, per=4)),
    ]
    done = extract_videos(library, wanted, batch=6, workers=1)
    assert (done.made, dict(done.tally)) == (9, {"ok": 3})
    paths = library.paths()
    for one in wanted:
        stored = StoredFeatures(library, one.recipe)
        for number, end in stored.ends().items():
            video = library.video(number, library.folder / paths[number][0])
            found = read(stored.path(video.video_id))
            features, times = plain_features(video.path, one.backbone)
            np.testing.assert_array_equal(found.features, features)
            np.testing.assert_array_equal(found.times, times)
            assert end.num_features == len(features)
            assert (found.recipe, found.rate) == (one.recipe, one.rate)
            assert found.duration == video.info.duration


def test_batches_are_filled_across_chunks_and_whole_features() -> None:
    backbone = PlainBackbone(per=3)
    encoding = Encoding(Encoder(wanted_of(backbone), batch=8))
    frames = np.arange(25 * 4 * 4 * 3, dtype=np.uint8).reshape(25, 4, 4, 3)
    for start in range(0, 25, 5):
        piece = frames[start : start + 5]
        encoding.add(FrameChunk(0, start, piece, np.arange(start, start + len(piece)) / 2))
    features, times = encoding.finish()
    assert backbone.batches == [6, 6, 6, 6, 1]
    np.testing.assert_array_equal(times, np.arange(0, 25, 3) / 2)
    alone = PlainBackbone(per=3).encode(torch.from_numpy(frames)).numpy().astype(np.float16)
    np.testing.assert_array_equal(features, alone)


def test_a_backbone_that_looks_around_gets_the_whole_video() -> None:
    backbone = PlainBackbone()
    backbone.independent = False
    encoding = Encoding(Encoder(wanted_of(backbone), batch=2))
    for start in range(0, 9, 3):
        encoding.add(FrameChunk(0, start, np.zeros((3, 4, 4, 3), np.uint8), np.zeros(3)))
    encoding.finish()
    assert backbone.batches == [9]


def test_starting_again_does_only_what_is_missing(library: Library) -> None:
    first, second = wanted_of(PlainBackbone("one")), wanted_of(PlainBackbone("two", "1"))
    assert extract_videos(library, [first], limit=2, workers=1).made == 2
    before = stored_files(library, first)
    done = extract_videos(library, [first, second], workers=1)
    assert (done.made, done.unchanged) == (4, 0)
    after = stored_files(library, first)
    assert before.items() <= after.items()
    again = extract_videos(library, [first, second], workers=1)
    assert (again.made, again.unchanged, dict(again.tally)) == (0, 3, {"ok": 3})
    # A file that is gone is made again, and no other.
    lost = sorted(after)[0]
    next(StoredFeatures(library, first.recipe).folder.glob(f"*/{lost}")).unlink()
    assert extract_videos(library, [first, second], workers=1).made == 1
    now = stored_files(library, first)
    assert {name for name in now if now[name] != after[name]} == {lost}


def test_a_file_whose_row_was_not_written_any_more_is_taken_as_done(library: Library) -> None:
    wanted = wanted_of(PlainBackbone())
    extract_videos(library, [wanted], workers=1)
    before = stored_files(library, wanted)
    with library.writing() as connection:
        connection.execute("DELETE FROM feature_files")
        connection.execute("DELETE FROM outcomes WHERE stage = 'extract'")
    damaged = next(StoredFeatures(library, wanted.recipe).folder.glob("*/*.safetensors"))
    damaged.write_bytes(b"half")
    assert extract_videos(library, [wanted], workers=1).made == 1
    after = stored_files(library, wanted)
    assert {name for name in after if after[name] != before[name]} == {damaged.name}
    assert len([one for one in library.outcomes() if one.stage == Stage.EXTRACT]) == 3


def test_the_plan_estimates_and_does_nothing(library: Library) -> None:
    wanted = wanted_of(PlainBackbone(rate="60"))
    planned = plan(library, [wanted], only="[ab].mp4")
    assert [job.path.name for job in planned.jobs] == ["a.mp4", "b.mp4"]
    assert planned.seconds is None  # never timed here
    assert not (library.state / "features").exists()
    extract_videos(library, [wanted], only="c.mp4", workers=1)
    planned = plan(library, [wanted], limit=1)
    assert (len(planned.jobs), planned.left) == (1, 1)
    assert planned.seconds is not None
    size = plan(library, [wanted]).size
    extract_videos(library, [wanted], workers=1)
    written = sum(
        path.stat().st_size
        for path in StoredFeatures(library, wanted.recipe).folder.glob("*/[!.]*")
    )
    assert size == pytest.approx(written * 10 / 18, rel=0.1)
    with pytest.raises(UsageError):
        plan(library, [wanted], limit=-1)


class FailingBackbone(PlainBackbone):
    """Fails on dark pictures in the way that it is told to."""

    def __init__(self, how: str) -> None:
        super().__init__("failing")
        self.how = how

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        features = super().encode(frames)
        if frames[0].float().mean() > 10:
            return features
        if self.how == "raise":
            raise ZeroDivisionError("of a stranger")
        if self.how == "nan":
            return features * float("nan")
        if self.how == "large":
            return features * 1e9 + 1e9
        if self.how == "memory":
            raise torch.OutOfMemoryError("too much")
        if self.how == "device":
            raise torch.AcceleratorError("CUDA error: misaligned address\nof a kernel")
        return features[:, :2]


def test_a_device_that_fails_ends_the_run_and_costs_no_video(library: Library) -> None:
    wanted = wanted_of(FailingBackbone("device"))
    with pytest.raises(HowtoError, match=r"failing: cpu failed.*CUDA error: misaligned.*go on$"):
        extract_videos(library, [wanted], workers=1)
    assert StoredFeatures(library, wanted.recipe).ends() == {}
    assert not [one for one in library.outcomes() if one.stage == Stage.EXTRACT]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_fp32_is_not_tf32(precision: str) -> None:
    """Of convolutions on a GPU; elsewhere the setting alone can be seen."""
    backbone = PlainBackbone()
    plain, seen = backbone.encode, []

    def encode(frames: torch.Tensor) -> torch.Tensor:
        seen.append(torch.backends.cudnn.allow_tf32)
        return plain(frames)

    backbone.encode = encode
    before = torch.backends.cudnn.allow_tf32
    wanted = replace(wanted_of(backbone), precision=precision)
    Encoder(wanted, 4).encode(np.zeros((4, 8, 8, 3), np.uint8))
    assert seen == [before and precision != "fp32"]
    assert torch.backends.cudnn.allow_tf32 == before is True


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("raise", "failing: ZeroDivisionError: of a stranger at test_stage.py:"),
        ("nan", "failing gave features that are not finite in float16"),
        ("large", "failing gave features that are not finite in float16"),
        ("shape", "failing gave features (8, 2), expected (8, 3)"),
    ],
)
def test_a_backbone_that_fails_on_one_video_costs_its_own_features_of_it(
    library: Library, how: str, said: str
) -> None:
    wanted = [wanted_of(FailingBackbone(how)), wanted_of(PlainBackbone("fine"))]
    done = extract_videos(library, wanted, workers=1)
    assert done.made == 5
    (failed,) = [one for one in done.outcomes if one.state == State.FAILED]
    assert (failed.reason, failed.paths) == (Reason.INTERNAL_ERROR, ("a.mp4",))
    assert failed.detail.startswith(f"failing: {said}")
    assert len(stored_files(library, wanted[0])) == 2
    # It failed for a reason: only --retry does it again.
    assert extract_videos(library, wanted, workers=1).outcomes[0].state == State.FAILED
    assert plan(library, wanted).jobs == ()
    assert [job.sets for job in plan(library, wanted, retry=True).jobs] == [(0,)]


def test_too_little_memory_ends_the_run_with_advice(library: Library) -> None:
    with pytest.raises(HowtoError, match="--batch 4"):
        extract_videos(library, [wanted_of(FailingBackbone("memory"))], workers=1)
    assert [one for one in multiprocessing.active_children() if one.name == "howto-decoder"] == []


def test_videos_without_frames_have_outcomes(library: Library, small_video) -> None:
    (library.folder / "empty.mp4").touch()
    (library.folder / "song.mp4").write_bytes(b"RIFF no film")
    small_video(library.folder / "short.mp4", seconds=1)
    refresh(library, workers=1)
    done = extract_videos(library, [wanted_of(PlainBackbone(rate="1/10"))], workers=1)
    ends = {one.paths[0]: (one.state, one.reason) for one in done.outcomes}
    assert ends == {
        # At one frame in ten seconds the first is due at 5 s.
        "a.mp4": (State.SKIPPED, Reason.TOO_SHORT),
        "b.mp4": (State.OK, None),
        "c.mp4": (State.OK, None),
        "empty.mp4": (State.FAILED, Reason.EMPTY_FILE),
        "short.mp4": (State.SKIPPED, Reason.TOO_SHORT),
        "song.mp4": (State.FAILED, Reason.NOT_MEDIA),
    }
    stored = [one for one in library.outcomes() if one.stage == Stage.EXTRACT]
    assert {one.paths[0]: (one.state, one.reason) for one in stored} == ends


def test_a_video_that_is_gone_costs_itself_and_is_tried_again(library: Library) -> None:
    wanted = wanted_of(PlainBackbone())
    moved = library.folder / "b.mp4"
    moved.rename(library.folder.parent / "b.mp4")
    done = extract_videos(library, [wanted], workers=1)
    assert dict(done.tally) == {"ok": 2, "unreadable_file": 1}
    (library.folder.parent / "b.mp4").rename(moved)
    assert extract_videos(library, [wanted], workers=1).made == 1


def test_one_video_at_a_time_without_a_library(library: Library, tmp_path: Path) -> None:
    """What an actor of another machine does: features of one video, after another."""
    backbone = PlainBackbone()
    with Extractor([wanted_of(backbone)], tmp_path / "elsewhere", workers=1) as extractor:
        for k, name in enumerate("ab"):
            made = extractor.extract(Job(k, name, library.folder / f"{name}.mp4", 4.0, (0,)))
            assert made.ends[0].state == State.OK
    (first, second) = sorted((tmp_path / "elsewhere").rglob("*.safetensors"))
    assert {read(first).video_id, read(second).video_id} == {"a", "b"}


# What is wanted.


def test_the_recipe_tells_what_determines_the_features(tmp_path: Path) -> None:
    (first,) = choose(Choice(("template-mean-colour",), device="cpu"))
    parts = first.recipe.parts
    assert (parts["backbone"], parts["dim"], parts["precision"]) == (
        "template-mean-colour",
        48,
        "fp32",
    )
    assert parts["frames"] == {
        "rate": "1",
        "short_side": 64,
        "crop": None,
        "per_feature": 1,
        "sizing": "displayed",
        "version": "1",
    }
    weights = tmp_path / "net.pth"
    weights.write_bytes(b"some weights")
    named = {"template-mean-colour": str(weights)}
    others = [
        Choice(("template-mean-colour",), device="cpu", precision="bf16"),
        Choice(("template-mean-colour",), device="cpu", protocol="authors"),
        Choice(("template-mean-colour",), device="cpu", weights=named),
    ]
    recipes = [choose(other)[0].recipe for other in others]
    assert len({first.recipe, *recipes}) == 4
    assert recipes[2].parts["weights"] == hashlib.sha256(b"some weights").hexdigest()


def test_a_backbone_that_does_not_compute_in_other_types_has_one_recipe() -> None:
    (auto,) = choose(Choice(("colour-motion",), device="cpu"))
    assert auto.precision == "fp32"
    with pytest.raises(UsageError, match="colour-motion computes in fp32 alone"):
        choose(Choice(("colour-motion",), device="cpu", precision="bf16"))


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (Choice(()), "no backbone"),
        (Choice(("a", "a")), "twice"),
        (Choice(("a",), precision="fp8"), "no precision"),
        (Choice(("a",), weights={"b": "x"}), "weights for 'b'"),
        (Choice(("a",), device="gpu"), "no device"),
        (Choice(("a",), device="cuda:99"), "not here"),
    ],
)
def test_a_choice_that_makes_no_sense_is_refused(choice: Choice, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        choose(choice)


# Faults.


def kill_decoders_at_random(stop: threading.Event, chance: random.Random) -> int:
    """Kill one decoder of this process now and then, three in all; returns how many."""
    killed = 0
    while killed < 3 and not stop.wait(chance.uniform(0.05, 0.25)):
        for child in multiprocessing.active_children():
            if child.name == "howto-decoder" and child.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGKILL)
                killed += 1
                break
    return killed


def test_twenty_videos_with_broken_ones_and_killed_decoders(
    tmp_path: Path, grey_video: Callable[..., Path]
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for k in range(20):
        grey_video(folder / f"{k:02}.mp4", 20, size=64, start=k)
    whole = (folder / "03.mp4").read_bytes()
    (folder / "03.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "13.mp4").write_bytes(b"no film at all")
    wanted = wanted_of(PlainBackbone(rate="24", side=96))
    with Library.open(folder) as library:
        refresh(library, workers=1)
        stop, counted = threading.Event(), []
        killer = threading.Thread(
            target=lambda: counted.append(kill_decoders_at_random(stop, random.Random(0)))
        )
        killer.start()
        began = time.monotonic()
        try:
            done = extract_videos(library, [wanted], workers=2)
        finally:
            stop.set()
            killer.join()
        assert counted[0], f"nothing was killed in {time.monotonic() - began:.1f} s"
        outcomes = [one for one in library.outcomes() if one.stage == Stage.EXTRACT]
        assert sorted(one.paths[0] for one in outcomes) == [f"{k:02}.mp4" for k in range(20)]
        assert {one.video_id for one in done.outcomes} == {one.video_id for one in outcomes}
        lost = {one.paths[0] for one in outcomes if one.reason == Reason.DECODER_CRASHED}
        broken = {one.paths[0] for one in outcomes if one.state == State.FAILED} - lost
        assert broken == {"03.mp4", "13.mp4"}
        before = stored_files(library, wanted)
        assert len(before) == 18 - len(lost)
        again = extract_videos(library, [wanted], retry=True, workers=2)
        assert again.made == len(lost)
        after = stored_files(library, wanted)
        assert len(after) == 18
        assert before.items() <= after.items()
        rate = Fraction(24)
        assert {
            end.num_features
            for end in StoredFeatures(library, wanted.recipe).ends().values()
            if end.state == State.OK
        } == {int(20 * rate)}

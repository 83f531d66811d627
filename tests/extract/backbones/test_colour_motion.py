"""Colour and motion without a network: what it sees, and that it sees the same again."""

import itertools

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from howto.demo.render import draw_frames
from howto.demo.script import make_scripts
from howto.demo.spec import DemoSpec
from howto.errors import PluginError
from howto.extract.backbones.colour_motion import BLOCKS, COLOURS, HUES, ColourMotionBackbone


@pytest.fixture(scope="module")
def backbone() -> ColourMotionBackbone:
    backbone = ColourMotionBackbone()
    backbone.load("cpu", torch.float32)
    return backbone


def part(feature: torch.Tensor, name: str) -> NDArray[np.float32]:
    start = 0
    for block, (length, _) in BLOCKS.items():
        if block == name:
            return feature[start : start + length].numpy()
        start += length
    raise KeyError(name)


def sliding(across: int, down: int, num_frames: int = 6) -> torch.Tensor:
    """A grey noise picture that slides by some pixels a frame behind a fixed window."""
    noise = np.random.default_rng(0).integers(0, 256, (400, 400), np.uint8)
    noise = cv2.GaussianBlur(noise, (9, 9), 0)
    noise = cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX)
    frames = []
    for k in range(num_frames):
        top, left = 150 - down * k, 150 - across * k
        frames.append(np.repeat(noise[top : top + 112, left : left + 200, None], 3, axis=2))
    return torch.from_numpy(np.stack(frames))


def test_parts_have_their_length_and_weight(backbone: ColourMotionBackbone) -> None:
    assert backbone.dim == 512
    feature = backbone.encode(sliding(3, 0))[0]
    for name, (length, weight) in BLOCKS.items():
        values = part(feature, name)
        assert len(values) == length
        assert np.linalg.norm(values) <= weight * (1 + 1e-5)
        if name != "light of each cell":
            assert values.min() >= 0


@pytest.mark.parametrize(
    ("across", "down", "direction"), [(3, 0, 0), (2, 2, 1), (0, 3, 2), (-3, 0, 4), (0, -3, 6)]
)
def test_directions_are_those_of_the_movement(
    across: int, down: int, direction: int, backbone: ColourMotionBackbone
) -> None:
    """Eighths of a turn from the right, clockwise as pictures are counted, in each of 16 cells."""
    cells = part(backbone.encode(sliding(across, down))[0], "directions of each cell")
    shares = cells.reshape(16, 8) ** 2
    around = shares[:, [(direction - 1) % 8, direction, (direction + 1) % 8]].sum()
    assert shares.sum(axis=0).argmax() == direction
    assert around > 0.9 * shares.sum()


def test_a_still_picture_has_no_movement(backbone: ColourMotionBackbone) -> None:
    feature = backbone.encode(sliding(0, 0))[0]
    for name in list(BLOCKS)[-4:]:
        assert not part(feature, name).any()
    assert not part(feature, "colours of what moves").any()


def test_faster_is_faster_and_a_single_frame_is_still(backbone: ColourMotionBackbone) -> None:
    def mean_bin(step: int) -> float:
        speeds = part(backbone.encode(sliding(step, 0))[0], "speeds") ** 2
        return float((speeds * np.arange(16)).sum() / speeds.sum())

    assert mean_bin(1) < mean_bin(3) < mean_bin(8)
    alone = backbone.encode(sliding(3, 0, num_frames=1))[0]
    assert not part(alone, "where it moves").any()


def test_colours(backbone: ColourMotionBackbone) -> None:
    """A red and a green half, and grey: hues where they are, and what is grey by its shade."""
    frames = torch.zeros(6, 112, 200, 3, dtype=torch.uint8)
    frames[:, :56, :, 0] = 255
    frames[:, 56:, :, 1] = 255
    quarters = part(backbone.encode(frames)[0], "colours of each quarter").reshape(4, COLOURS)
    assert quarters.argmax(axis=1).tolist() == [0, 0, HUES // 3, HUES // 3]
    grey = torch.full((6, 112, 200, 3), 255, dtype=torch.uint8)
    quarters = part(backbone.encode(grey)[0], "colours of each quarter").reshape(4, COLOURS)
    assert (quarters.argmax(axis=1) == COLOURS - 1).all()


@pytest.mark.parametrize("threads", [2, 5])
def test_the_number_of_threads_changes_nothing(
    threads: int, backbone: ColourMotionBackbone
) -> None:
    frames = sliding(2, 1, num_frames=12)
    before = cv2.getNumThreads()
    expected = backbone.encode(frames)
    try:
        cv2.setNumThreads(threads)
        again = backbone.encode(frames)
        assert cv2.getNumThreads() == threads  # as it was found
    finally:
        cv2.setNumThreads(before)
    assert torch.equal(again, expected)


def test_there_are_no_weights(backbone: ColourMotionBackbone) -> None:
    assert backbone.weights_hash() == ""
    with pytest.raises(PluginError, match="no weights"):
        ColourMotionBackbone().load("cpu", torch.float32, "IMAGENET1K_V1")


def test_demo_steps_are_told_apart(backbone: ColourMotionBackbone) -> None:
    """The same step of two videos is more alike than two steps: clip vectors, by their cosine.

    Videos differ in colours, light, surroundings and speed.
    """
    spec = DemoSpec(
        tasks=("fold-a-shirt", "change-a-bicycle-tyre"),
        videos_per_task=2,
        seconds_per_step=4,
        intro_seconds=1,
        outro_seconds=1,
        skip_share=0,
    )
    clips, steps, videos = [], [], []
    for script in make_scripts(spec):
        frames = [
            cv2.resize(frame, (199, 112), interpolation=cv2.INTER_AREA)
            for frame in itertools.islice(draw_frames(spec, script), 0, None, 2)
        ]
        features = backbone.encode(torch.from_numpy(np.stack(frames))).numpy()
        for step in script.steps:
            clip = features[int(np.ceil(step.start)) : int(step.end)].max(axis=0)
            clips.append(clip / np.linalg.norm(clip))
            steps.append(step.slug)
            videos.append(script.name)
    alike = np.array(clips) @ np.array(clips).T
    other_video = np.not_equal.outer(videos, videos)
    same = np.equal.outer(steps, steps) & other_video
    other = np.not_equal.outer(steps, steps)
    assert np.mean(alike[same][:, None] > alike[other][None]) > 0.9  # a coin would have 0.5
    nearest = np.where(other_video, alike, -1).argmax(axis=1)
    found = np.mean(np.array(steps)[nearest] == steps)
    assert found > 0.7  # of about a dozen steps

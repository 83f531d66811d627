"""Near-duplicates: the real pairs among the real videos, and copies made on the spot."""

import os
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto.evaluate.near_duplicates import (
    Hashed,
    linked,
    near_duplicates,
    picture_hash,
    same_pictures,
    video_hashes,
)
from howto.library import Library
from howto.media.encode import H264Writer
from howto.search.refresh import refresh


def pictures(seed: int, count: int = 8) -> list[np.ndarray]:
    """Pictures of a few large blocks each, as different as those of other scenes."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (count, 6, 8, 3), np.uint8)
    return [np.kron(one, np.ones((20, 20, 1), np.uint8)) for one in blocks]


def write(path: Path, frames: list[np.ndarray], *, seconds: int = 1, crf: int = 20) -> None:
    height, width = frames[0].shape[:2]
    with H264Writer(
        path, width=width, height=height, frame_rate=Fraction(1), sample_rate=None, crf=crf
    ) as writer:
        for frame in frames:
            for _ in range(seconds):
                writer.write_frame(frame)


def test_a_hash_stands_scaling_noise_and_brightness() -> None:
    for seed in range(10):
        (picture,) = pictures(seed, 1)
        own = picture_hash(picture)
        noise = np.random.default_rng(seed).normal(0, 6, picture.shape)
        changed = np.clip(0.8 * picture + 20 + noise, 0, 255).astype(np.uint8)[::2, ::2]
        (other,) = pictures(seed + 100, 1)
        assert (own ^ picture_hash(changed)).bit_count() <= 6
        assert (own ^ picture_hash(other)).bit_count() >= 18


def test_a_plain_picture_has_no_hash() -> None:
    assert picture_hash(np.full((40, 60, 3), 7, np.uint8)) is None


def test_too_few_told_frames_or_other_lengths_are_no_evidence() -> None:
    whole = Hashed(10.0, (1, 2, 3, 4, 5))
    assert same_pictures(whole, whole)
    assert same_pictures(whole, Hashed(10.4, whole.hashes))
    assert not same_pictures(whole, Hashed(11.0, whole.hashes))
    assert same_pictures(whole, Hashed(10.0, (1, 2, 3, None, None)))
    assert not same_pictures(whole, Hashed(10.0, (1, 2, None, None, None)))
    far = (1 << 62) - 1
    assert not same_pictures(whole, Hashed(10.0, (far,) * 5))


@pytest.mark.parametrize(("bits", "alike"), [(10, True), (11, False), (22, False)])
def test_copies_differ_by_few_bits(bits: int, alike: bool) -> None:
    whole = Hashed(10.0, (0,) * 5)
    assert same_pictures(whole, Hashed(10.0, ((1 << bits) - 1,) * 5)) is alike
    # On average: a frame that was blurred does not decide.
    uneven = tuple((1 << one) - 1 for one in (0, 0, 0, 0, 5 * bits))
    assert same_pictures(whole, Hashed(10.0, uneven)) is alike


def test_groups_grow_through_their_members() -> None:
    def shifted(bits: int) -> Hashed:
        return Hashed(60.0, ((1 << bits) - 1,) * 5)

    hashed = {"c": shifted(16), "a": shifted(0), "b": shifted(8), "far": shifted(40)}
    groups = near_duplicates(hashed)
    assert groups["a"] == groups["b"] == groups["c"]
    assert groups["far"] == "far"


def test_copies_in_a_library_are_found_and_hashes_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = pictures(1)
    write(tmp_path / "one.mp4", frames)
    write(tmp_path / "smaller.mp4", [frame[::2, ::2] for frame in frames], crf=35)
    write(tmp_path / "longer.mp4", frames, seconds=2)
    write(tmp_path / "other.mp4", pictures(2))
    black = np.zeros((64, 64, 3), np.uint8)
    write(tmp_path / "black.mp4", [black] * 8)
    with Library.open(tmp_path) as library:
        refresh(library)
        names = {library.video_id(n): paths[0] for n, paths in library.paths().items()}
        seen: list[str] = []
        found = video_hashes(library, names, on_progress=lambda done, of, name: seen.append(name))
        assert sorted(seen) == sorted(names.values())
        assert sorted(names[video] for video in found.told) == [
            "longer.mp4",
            "one.mp4",
            "other.mp4",
            "smaller.mp4",
        ]
        assert [names[video] for video in found.plain] == ["black.mp4"]
        assert found.failed == {}
        groups = near_duplicates(found.told)
        alike = [{names[v] for v in groups if groups[v] == one} for one in set(groups.values())]
        assert {"one.mp4", "smaller.mp4"} in alike
        assert len(alike) == 3

        def never(*_: object) -> None:
            raise AssertionError("decoded again")

        monkeypatch.setattr("howto.run.local.run_local", never)
        assert video_hashes(library, names) == found


def hangs_or_crashes(item: object) -> None:
    """A decoder that does not end, or ends its process."""
    if item.path.name == "hangs.mp4":
        time.sleep(60)
    if item.path.name == "crashes.mp4":
        os.abort()


def test_what_could_not_be_looked_at_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed, name in enumerate(("hangs", "crashes")):
        write(tmp_path / f"{name}.mp4", pictures(seed))
    with Library.open(tmp_path) as library:
        refresh(library)
        names = {library.video_id(n): paths[0] for n, paths in library.paths().items()}
        with monkeypatch.context() as patch:
            patch.setattr("howto.evaluate.near_duplicates._hashes", hangs_or_crashes)
            patch.setattr("howto.evaluate.near_duplicates._TIME_LIMIT", 8.0)
            first = video_hashes(library, names)
        assert first.told == {}
        assert first.plain == ()
        why = {names[video]: told for video, told in first.failed.items()}
        assert "no result within 8 s" in why["hangs.mp4"]
        assert "exit code" in why["crashes.mp4"]
        again = video_hashes(library, names)
        assert again.told.keys() == set(names)
        assert again.failed == {}


def test_a_file_on_a_disk_that_is_away_is_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    folder.mkdir()
    write(folder / "one.mp4", pictures(1))
    with Library.open(folder) as library:
        refresh(library)
        (video,) = (library.video_id(number) for number in library.paths())
        away = (folder / "one.mp4").rename(tmp_path / "one.mp4")
        assert video_hashes(library, [video]).failed.keys() == {video}
        away.rename(folder / "one.mp4")
        assert video_hashes(library, [video]).told.keys() == {video}


def test_the_real_videos(shared_data: Path, tmp_path: Path) -> None:
    with Library.open(shared_data / "videos", tmp_path / "state") as library:
        refresh(library)
        names = {library.video_id(n): paths[0] for n, paths in library.paths().items()}
        groups = near_duplicates(video_hashes(library, names).told)
    alike: dict[str, set[str]] = {}
    for video, group in groups.items():
        alike.setdefault(group, set()).add(names[video])
    together = sorted(sorted(group) for group in alike.values() if len(group) > 1)
    # The test card in two codecs (its second copy is damaged at its end), and one rabbit in two.
    assert together == [["av1_video.mkv", "corrupted.mp4"], ["rabbit320.mp4", "rabbit320.webm"]]


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=4), max_size=8))
def test_linked_sets_are_the_connected_parts(sets: list[list[int]]) -> None:
    found = linked(sets)
    parts: list[set[int]] = []
    for members in sets:
        near = [part for part in parts if part & set(members)]
        parts = [part for part in parts if part not in near] + [set(members).union(*near)]
    assert set(found) == set().union(*parts)
    for one in found:
        for other in found:
            assert (found[one] == found[other]) == any({one, other} <= part for part in parts)
        assert found[found[one]] == found[one]

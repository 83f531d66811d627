"""Which videos of a library are asked for and searched, why others are not, and which are copies of
one another.

Videos that a model was trained on are left out, and those that show the same pictures as one of
them. Of the rest a share can be drawn by a stable hash, copies together.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from howto.errors import UsageError
from howto.evaluate.benchmarks.found import video_keys
from howto.evaluate.moments import Span
from howto.evaluate.near_duplicates import HashedVideos, near_duplicates, video_hashes
from howto.evaluate.truth import KnownVideo, OwnQuery
from howto.library import Library
from howto.search.phrases import counted
from howto.train.validate import LEAST_HELD_OUT, stable_share

if TYPE_CHECKING:
    from howto.joint.opened import OpenedModel

__all__ = ["SPLITS", "Split", "askable", "share_of", "split_videos"]

SPLITS = {"all": 1.0, "held-out": 0.1}
"""Shares of the videos by name; `held-out` is what `howto train` holds out by default."""


def share_of(split: str | None) -> float:
    """The share of the videos that a split means; None: all. Raises UsageError for another name."""
    if split is None:
        return SPLITS["all"]
    if split not in SPLITS:
        raise UsageError(f"own has no split {split!r}; expected {' or '.join(SPLITS)}")
    return SPLITS[split]


@dataclass(frozen=True, slots=True)
class Split:
    """The videos that are used, and why others are not.

    Attributes:
        group_of: of the videos that could be compared, the one that stands for all alike.
        trained_on, alike, not_drawn: how many are not used, as for
            `howto.evaluate.own_result.OwnResult`.
        notes: what was not told, for a person.
    """

    used: Mapping[str, KnownVideo]
    group_of: Mapping[str, str]
    trained_on: int
    alike: int
    not_drawn: int
    notes: tuple[str, ...]

    def group(self, video: str) -> str:
        """The id that stands for a video and all that are much like it."""
        return self.group_of.get(video, video)


def split_videos(
    library: Library,
    known: Mapping[str, KnownVideo],
    models: "Sequence[OpenedModel]",
    share: float,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> Split:
    """Choose the videos to ask for and to search.

    Args:
        models: whose training videos are left out, by whatever names they have: a YouTube video is
            the same with and without a prefix.
        share: of the rest, above 0, at most 1; at least two, copies counted once, as in training.
        on_progress: told of each video whose frames are looked at.
    """
    trained_keys = video_keys(chain.from_iterable(model.trained_on for model in models))
    trained = {video for video in known if video_keys([video]) & trained_keys}
    hashed = video_hashes(library, list(known), on_progress=on_progress)
    group_of = near_duplicates(hashed.told)
    groups_trained = {group_of.get(video, video) for video in trained}
    alike = {video for video in known if group_of.get(video, video) in groups_trained} - trained
    left = known.keys() - trained - alike
    drawn = _drawn(left, group_of, share)
    used = {video: one for video, one in known.items() if video in drawn}
    notes = (*_elsewhere(models, known), *_not_compared(hashed, known))
    return Split(used, group_of, len(trained), len(alike), len(left) - len(used), notes)


def _drawn(left: Iterable[str], group_of: Mapping[str, str], share: float) -> set[str]:
    """The videos of the groups with the lowest hashes."""
    groups: dict[str, list[str]] = {}
    for video in sorted(left):
        groups.setdefault(group_of.get(video, video), []).append(video)
    # The hash of a group is that of its first member by id: the order of paths may change.
    shares = {group: stable_share(members[0]) for group, members in groups.items()}
    count = max(LEAST_HELD_OUT, sum(one < share for one in shares.values()))
    lowest = sorted(shares, key=shares.__getitem__)[:count]
    return {video for group in lowest for video in groups[group]}


def _elsewhere(models: "Sequence[OpenedModel]", known: Collection[str]) -> list[str]:
    """Say which training videos cannot be compared: their pictures are not here."""
    here = video_keys(known)
    counts = {model.name: len(video_keys(model.trained_on) - here) for model in models}
    return [
        f"{name}: {counted(count, 'video')} that it was trained on cannot be looked at in this "
        "library, so copies of them under other names are not told"
        for name, count in counts.items()
        if count
    ]


def _not_compared(hashed: HashedVideos, known: Mapping[str, KnownVideo]) -> list[str]:
    notes = []
    if hashed.failed:
        video, why = next(iter(hashed.failed.items()))
        notes.append(
            f"{counted(len(hashed.failed), 'video')} could not be compared with the others by "
            f"pictures, such as {known[video].paths[0]}: {why}. Copies of these are not told; the "
            "next evaluation tries again"
        )
    if hashed.plain:
        notes.append(
            f"{counted(len(hashed.plain), 'video')} without pictures to compare (plain, sound only,"
            f" or damaged), such as {known[hashed.plain[0]].paths[0]}: copies of these are not told"
        )
    return notes


def askable(asked: Sequence[OwnQuery], split: Split) -> tuple[list[OwnQuery], int]:
    """The queries that can be asked of the videos used.

    Returns:
        Each with those of its moments that lie in videos used, and the same moments of their
        copies: who finds a copy has found it. And how many queries have no such moment.
    """
    copies: dict[str, list[str]] = {}
    for video in split.used:
        copies.setdefault(split.group(video), []).append(video)
    found = []
    for one in asked:
        spans = dict.fromkeys(truth for truth in one.truths if truth.video in split.used)
        for truth in tuple(spans):
            for copy in copies[split.group(truth.video)]:
                spans.update(dict.fromkeys(_in_copy(truth, copy, split.used)))
        if spans:
            found.append(OwnQuery(one.text, one.kind, tuple(spans)))
    return found, len(asked) - len(found)


def _in_copy(truth: Span, copy: str, used: Mapping[str, KnownVideo]) -> list[Span]:
    """The same moment of a copy, whose length may be a little different; none past its end."""
    length = used[copy].duration
    is_to_the_end = truth.end >= used[truth.video].duration
    end = length if is_to_the_end else min(truth.end, length)
    return [Span(copy, truth.start, end)] if end > truth.start else []

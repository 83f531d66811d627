"""Where the rows of a pack come from: what a source offers, and a library as one.

A source says which videos it has, with a fingerprint each of all that their rows are made from, and
gives their rows when asked. `howto.train.pack_build` asks only for those it has not.
"""

import platform
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from howto.clip.pairs_store import StoredSet, pair_sets
from howto.clip.stage import videos_of
from howto.errors import LibraryError, UsageError
from howto.extract.choice import DEFAULT_BACKBONES
from howto.extract.features import Features, NoFeatureFile, file_name, path_in, read
from howto.extract.pooling import clip_rows, pool
from howto.extract.storage import Unreachable, is_folder_path, states_below, why_unreachable
from howto.extract.store import READY_SETS, StoredFeatures, feature_sets
from howto.library import Library
from howto.recipe import Recipe
from howto.records import State
from howto.run.engine import LOCAL, Engine, run
from howto.train.pack import Stream, stream_parts

__all__ = [
    "LibrarySource",
    "Lost",
    "PackSource",
    "SourceVideo",
    "VideoClips",
    "chosen_features",
    "chosen_pairs",
    "pooled_clips",
    "tally",
]

_AHEAD = 256
"""Videos that an engine may do before the oldest that is not done; what they give waits in
memory, at the paper's 110 clips of 4,096 columns 0.9 MB each."""
_BREAK = "\n"  # between the candidates of a stored pair


@dataclass(frozen=True, slots=True)
class SourceVideo:
    """A video that a source has rows of.

    Attributes:
        fingerprint: changes whenever its rows would be others.
    """

    video_id: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Lost:
    """A video that gives no rows.

    Attributes:
        reason: `no_pairs`, `no_features` or `damaged_features`; a `Reason` where it may pass.
        detail: what is missing or wrong.
        may_pass: it says nothing of the video's files, such as a read that the network broke off,
            so the next build asks for it again.
    """

    video_id: str
    reason: str
    detail: str
    may_pass: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class VideoClips:
    """The rows of one video.

    Attributes:
        spans: float64 (N, 2), seconds.
        clips: float16 (N, D), the un-normalised maxima of all streams side by side.
        captions: N * K of them, the K candidates of a clip after each other.
        empty: how many clips hold no feature, of each stream.
        empty_in_all: how many clips hold none at all: their vector is zeros.
    """

    spans: NDArray[np.float64]
    clips: NDArray[np.float16]
    captions: tuple[str, ...]
    empty: tuple[int, ...]
    empty_in_all: int


class PackSource(Protocol):
    """What a pack is made from.

    Attributes:
        recipe: all that determines its rows, but for the videos.
        streams: the parts of a clip's vector.
        candidates: K, captions of each clip.
        lost: videos that are known, and cannot give rows.
    """

    recipe: Recipe
    streams: tuple[Stream, ...]
    candidates: int
    lost: tuple[Lost, ...]

    def videos(self) -> Sequence[SourceVideo]:
        """The videos with rows, in the order in which `clips` is quickest."""
        ...

    def clips(
        self, videos: Sequence[SourceVideo]
    ) -> Iterator[tuple[SourceVideo, VideoClips | Lost]]:
        """Make the rows of some of them, one video in memory at a time.

        Args:
            videos: in the order of `videos`.
        """
        ...


def pooled_clips(
    features: Sequence[NDArray[np.float16]],
    rates: Sequence[Fraction | None],
    spans: NDArray[np.float64],
    captions: tuple[str, ...],
) -> VideoClips:
    """Take the maximum of every stream over every clip.

    Args:
        features: float16 (T, D) of each stream; without a stream a clip's vector has no columns.
        rates: features a second; None: one feature, which is every clip's.
        spans: float64 (N, 2), seconds.
        captions: N * K.

    Raises:
        ValueError: features that hold a NaN.
    """
    starts, ends = spans[:, 0], spans[:, 1]
    parts, empty = [np.empty((len(spans), 0), np.float16)], [np.full(len(spans), bool(features))]
    for array, rate in zip(features, rates, strict=True):
        if rate is None:
            parts.append(np.repeat(array[:1], len(spans), axis=0))
            empty.append(np.full(len(spans), not len(array)))
        else:
            first, after = clip_rows(len(array), rate, starts, ends)
            parts.append(pool(array, rate, starts, ends))
            empty.append(after <= first)
    counts = tuple(int(one.sum()) for one in empty[1:])
    return VideoClips(
        spans,
        np.concatenate(parts, axis=1),
        captions,
        counts,
        int(np.logical_and.reduce(empty).sum()),
    )


# --- a library ---


def chosen_pairs(library: Library, short: str | None = None) -> Recipe:
    """The recipe of the pairs to train with.

    Args:
        short: the first digits of its short hash; None: the set that was made last.

    Raises:
        LibraryError: the library has no pairs, or none such.
    """
    there = list(pair_sets(library).values())
    command = f"howto clip {library.folder}"
    if not there:
        raise LibraryError(f"{library.folder} has no pairs yet. Make them: {command}")
    if short is None:
        return there[-1]
    fitting = [recipe for recipe in there if recipe.short.startswith(short)]
    if len(fitting) != 1:
        known = ", ".join(recipe.short for recipe in there)
        raise LibraryError(
            f"{library.folder} has {len(fitting) or 'no'} sets of pairs {short!r}. There are: "
            f"{known}; {command} makes another"
        )
    return fitting[0]


def chosen_features(
    library: Library, backbones: Sequence[str] | None = None
) -> tuple[StoredFeatures, ...]:
    """The feature sets to train with, one for each backbone.

    Args:
        backbones: names; where the library has several sets of one, `<name>-<recipe8>`. None: the
            paper's two where both are there, else all that are, but for those of ready models.

    Raises:
        LibraryError: features are missing, with the command that makes them; or it is not said
            which of several sets of a backbone is meant.
        UsageError: a backbone is named twice.
    """
    there = [stored for stored, counts in feature_sets(library) if counts.get(str(State.OK))]
    names = tuple(dict.fromkeys(stored.backbone for stored in there))
    if backbones is None:
        made_by_backbones = tuple(name for name in names if not name.startswith(READY_SETS))
        is_paper = set(DEFAULT_BACKBONES) <= set(names)
        backbones = DEFAULT_BACKBONES if is_paper else made_by_backbones
    if not backbones:
        raise LibraryError(
            f"{library.folder} has no features yet. Make them: howto extract {library.folder}"
        )
    chosen = tuple(_features_named(library, name, there) for name in backbones)
    if len({stored.backbone for stored in chosen}) < len(chosen):
        raise UsageError(f"a backbone is named twice: {', '.join(backbones)}")
    return chosen


def _features_named(library: Library, name: str, there: list[StoredFeatures]) -> StoredFeatures:
    exact = [one for one in there if f"{one.backbone}-{one.recipe.short}" == name]
    fitting = exact or [one for one in there if one.backbone == name]
    if not fitting:
        known = ", ".join(dict.fromkeys(one.backbone for one in there)) or "none"
        raise LibraryError(
            f"{library.folder} has no features of {name!r} (there are: {known}). Make them: "
            f"howto extract {library.folder} --backbone {name}"
        )
    if len(fitting) > 1:
        several = ", ".join(f"{one.backbone}-{one.recipe.short}" for one in fitting)
        raise LibraryError(
            f"{library.folder} has several sets of features of {name!r}; name one: {several}"
        )
    return fitting[0]


class LibrarySource:
    """The pairs and features of a library; use it inside `library.reading()`.

    Only videos that have a file count, as everywhere.

    Args:
        pairs: as `chosen_pairs` gives.
        features: as `chosen_features` gives; none makes a pack without vectors of clips.
        engine: where features are pooled. On Ray the machines see feature files under the same
            paths, or at the same address.

    Raises:
        LibraryError: not one file of a feature set can be read.
    """

    def __init__(
        self,
        library: Library,
        pairs: Recipe,
        features: Sequence[StoredFeatures],
        engine: Engine = LOCAL,
    ) -> None:
        self._library, self._features, self._engine = library, tuple(features), engine
        self._set = StoredSet(library, pairs)
        self.candidates = int(pairs.parts["candidates"] or 1)
        self._several = pairs.parts["candidates"] is not None
        self._videos, self.lost = self._looked_up()
        self.streams = tuple(self._stream(stored) for stored in self._features)
        self.recipe = Recipe.of(
            pairs=pairs,
            streams=stream_parts(self.streams),
            features=[stored.recipe for stored in self._features],
        )

    def videos(self) -> Sequence[SourceVideo]:
        """Videos with pairs and a file of features of each backbone, in order of path."""
        return self._videos

    def _looked_up(self) -> tuple[tuple[SourceVideo, ...], tuple[Lost, ...]]:
        query = self._library.connection.execute
        counts = dict(
            query(
                "SELECT number, count(*) FROM pairs WHERE pair_set = ? GROUP BY number",
                (self._set.key,),
            )
        )
        made_from = self._set.made_from()
        states = {stored.backbone: _states(stored) for stored in self._features}
        found, lost = [], []
        for number, path in videos_of(self._library).items():
            video_id = self._library.video_id(number)
            if not counts.get(number):
                lost.append(Lost(video_id, "no_pairs", f"{path} has no pairs"))
                continue
            there = {name: state(video_id) for name, state in states.items()}
            if missing := [name for name, state in there.items() if state is None]:
                detail = f"{path} has no features of {', '.join(missing)}"
                lost.append(Lost(video_id, "no_features", detail))
                continue
            parts = (made_from.get(number, ""), str(counts[number]), *map(str, there.values()))
            # Interned: of a million videos many have the same.
            found.append(SourceVideo(video_id, sys.intern(" ".join(parts))))
        return tuple(found), tuple(lost)

    def _stream(self, stored: StoredFeatures) -> Stream:
        why = "no video has them"
        for video in self._videos:
            try:
                found = read(stored.path(video.video_id))
            except LibraryError as error:
                why = str(error)
                continue
            return _stream_of(stored.backbone, found)
        if not self._videos:  # nothing will be read
            return Stream(stored.backbone, int(stored.recipe.parts["dim"]), "")
        raise LibraryError(f"features of {stored.backbone!r} cannot be used: {why}")

    def clips(
        self, videos: Sequence[SourceVideo]
    ) -> Iterator[tuple[SourceVideo, VideoClips | Lost]]:
        """Pool the features of each video over its clips, here or where the engine says."""
        tasks = (self._task(video) for video in videos)
        if self._engine.kind == "local" or not videos:
            yield from ((task.video, _clips_of(task)) for task in tasks)
            return
        # Written in the order of the videos, so that a pack is the same wherever it was made.
        waiting: dict[SourceVideo, VideoClips | Lost] = {}
        left = iter(videos)
        expected = next(left, None)
        for ended in run(self._engine, _clips_of, tasks, ahead=_AHEAD):
            video = ended.item.video
            waiting[video] = ended.result or Lost(
                video.video_id, str(ended.reason), ended.detail, may_pass=True
            )
            while expected in waiting:
                yield expected, waiting.pop(expected)
                expected = next(left, None)

    def _task(self, video: SourceVideo) -> "_Task":
        rows = self._library.connection.execute(
            "SELECT start, end, caption FROM pairs JOIN videos USING (number)"
            " WHERE pair_set = ? AND video_id = ? ORDER BY position",
            (self._set.key, video.video_id),
        ).fetchall()
        captions = [row[2].split(_BREAK) if self._several else [row[2]] for row in rows]
        return _Task(
            video,
            tuple(stored.path(video.video_id) for stored in self._features),
            self.streams,
            np.array([row[:2] for row in rows], np.float64).reshape(-1, 2),
            tuple(caption for several in captions for caption in several),
            all(len(several) == self.candidates for several in captions),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """One video to pool; it crosses to an actor where there are any.

    Attributes:
        paths: of its feature files, one of each stream.
        streams: what they are to hold.
        spans, captions: as `VideoClips` has them.
        is_whole: every clip has as many captions as the pack wants.
    """

    video: SourceVideo
    paths: tuple[Path, ...]
    streams: tuple[Stream, ...]
    spans: NDArray[np.float64]
    captions: tuple[str, ...]
    is_whole: bool


def _clips_of(task: _Task) -> VideoClips | Lost:
    try:
        found = [read(path) for path in task.paths]
        for stream, one in zip(task.streams, found, strict=True):
            if _stream_of(stream.name, one) != stream:
                raise LibraryError(
                    f"features of {stream.name}: (T, {one.features.shape[1]}) at {one.rate} a "
                    f"second, expected (T, {stream.dim}) at {stream.rate}"
                )
        if not task.is_whole:
            raise LibraryError("not every clip has as many captions as the others")
        return pooled_clips(
            [one.features for one in found],
            [stream.features_per_second for stream in task.streams],
            task.spans,
            task.captions,
        )
    except NoFeatureFile as error:
        # It was there when the videos were looked up: a machine of a cluster may lack the mount.
        detail = f"{error} from {platform.node()}"
        reason = why_unreachable(task.paths[0])
        return Lost(task.video.video_id, str(reason), detail, may_pass=True)
    except Unreachable as error:
        reason = why_unreachable(task.paths[0])
        return Lost(task.video.video_id, str(reason), str(error), may_pass=True)
    except (LibraryError, ValueError) as error:
        return Lost(task.video.video_id, "damaged_features", str(error))


def _states(stored: StoredFeatures) -> Callable[[str], str | None]:
    """What tells a video's feature file from another one; None where there is none.

    At an address one listing tells it of all files: asking for each takes hours for a million.
    """
    folder = stored.folder
    if not is_folder_path(folder):
        there = states_below(folder)
        return lambda video_id: there.get(file_name(video_id))

    def state(video_id: str) -> str | None:
        try:
            found = path_in(folder, video_id).stat()
        except FileNotFoundError:
            return None
        return f"{found.st_size}:{found.st_mtime_ns}"

    return state


def _stream_of(name: str, found: Features) -> Stream:
    return Stream(name, found.features.shape[1], "" if found.rate is None else str(found.rate))


def tally(lost: Sequence[Lost]) -> Mapping[str, int]:
    """How many videos were lost for each reason."""
    return Counter(one.reason for one in lost)

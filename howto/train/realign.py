"""Re-alignment: narration moved to where its words are seen, by a run's own similarity.

People say what they do before or after they do it. Each line may be shifted by up to ten seconds to
where the run finds its words; lines keep their order and length. Of all ways to do so the best by
the sum of scores is taken, by dynamic programming: score is how far the similarity lies above its
mean over the line's shifts, less a penalty that grows with the shift, so that a line whose words
are seen nowhere, or everywhere, stays.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from howto.clip.pairs import PairOptions, make_pairs
from howto.clip.pairs_store import StoredSet, count_pairs
from howto.clip.stage import videos_of
from howto.errors import LibraryError
from howto.extract.features import read
from howto.extract.pooling import clip_vectors
from howto.extract.store import StoredFeatures
from howto.library import Library
from howto.recipe import Recipe
from howto.records import Line, Narration
from howto.train.opened import OpenRun
from howto.train.pack_source import chosen_features
from howto.train.runs import run_folder

__all__ = ["PENALTY", "WITHIN", "Realigned", "best_shifts", "realign_library", "realigned_lines"]

WITHIN = 10.0
"""Seconds that a line may move, either way."""

PENALTY = 0.4
"""Similarity that a shift of `WITHIN` seconds must gain; less moves more lines, right ones too."""

_STEP = 1.0  # seconds between two shifts that are tried
_SHORTEST = 5.0  # seconds of the clip that is looked at, about the middle of the line
_VERSION = "1"


@dataclass(frozen=True, slots=True)
class Realigned:
    """What was done.

    Attributes:
        recipe: of the set of pairs.
        videos: whose pairs were made now.
        unchanged: whose pairs were there.
        unseen: videos without features, whose lines stay as they are.
        lines: of the videos made now.
        moved: how many of them were shifted.
        pairs: in the set.
    """

    recipe: Recipe
    videos: int
    unchanged: int
    unseen: int
    lines: int
    moved: int
    pairs: int


def best_shifts(
    scores: NDArray[np.float64], starts: NDArray[np.float64], shifts: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Choose a shift for each line so that lines start in the order they did, and scores are most.

    Args:
        scores: (N, S) of each line at each shift; minus infinity where it cannot be.
        starts: (N,), ascending, seconds.
        shifts: (S,), ascending, seconds; one of them is 0, at which every line can be.

    Returns:
        int64 (N,), the number of each line's shift. Of equal ways the one that moves the last line
        least, then the one before it, and so on.
    """
    count = len(starts)
    if not count:
        return np.empty(0, np.int64)
    # In order of distance from where it is, so that argmax takes the nearest of equals.
    nearest = np.argsort(np.abs(shifts), kind="stable")
    total = scores[0][nearest].copy()
    came_from = np.zeros((count, len(shifts)), np.int64)
    for line in range(1, count):
        before = starts[line - 1] + shifts[nearest]
        here = starts[line] + shifts[nearest]
        allowed = before[None, :] <= here[:, None] + 1e-9
        reached = np.where(allowed, total[None, :], -np.inf)
        came_from[line] = reached.argmax(axis=1)
        total = reached.max(axis=1) + scores[line][nearest]
    chosen = np.empty(count, np.int64)
    chosen[-1] = total.argmax()
    for line in range(count - 1, 0, -1):
        chosen[line - 1] = came_from[line, chosen[line]]
    return nearest[chosen]


def realigned_lines(
    lines: Sequence[Line],
    similarity: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]],
    duration: float,
    *,
    within: float = WITHIN,
    penalty: float = PENALTY,
) -> list[Line]:
    """Shift lines to where they are seen.

    Args:
        lines: in order of start.
        similarity: takes starts and ends (N, S) of clips, and gives how like each is to its line.
        duration: of the video, in seconds; a line is not moved out of it.

    Returns:
        As many lines, in the same order; word times move with their line.
    """
    if not lines:
        return []
    steps = int(within / _STEP)
    shifts = np.arange(-steps, steps + 1, dtype=np.float64) * _STEP
    starts, ends = (np.array([getattr(one, end) for one in lines]) for end in ("start", "end"))
    # A line that begins before its predecessor, as odd captions have it, counts as beginning with.
    ordered = np.maximum.accumulate(starts)
    grown = np.maximum(0, _SHORTEST - (ends - starts)) / 2
    begins = starts[:, None] + shifts
    finishes = ends[:, None] + shifts
    found = similarity(np.maximum(0, begins - grown[:, None]), finishes + grown[:, None])
    scores = found - found.mean(axis=1, keepdims=True) - penalty * np.abs(shifts) / within
    outside = (begins < 0) | (finishes > duration)
    scores[outside & (shifts != 0)] = -np.inf
    moves = shifts[best_shifts(scores, ordered, shifts)]
    return [_moved(line, float(move)) for line, move in zip(lines, moves, strict=True)]


def _moved(line: Line, seconds: float) -> Line:
    words = tuple(
        replace(word, start=word.start + seconds, end=word.end + seconds) for word in line.words
    )
    return replace(line, start=line.start + seconds, end=line.end + seconds, words=words)


def realign_library(
    library: Library,
    name: str,
    options: PairOptions,
    *,
    only: str | None = None,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> Realigned:
    """Make a set of pairs of re-aligned narration.

    Each video is committed by itself. One whose narration is what it was when its pairs were made
    is not done again; nor is the library's narration changed.

    Args:
        name: of a run.
        options: how pairs are made of the shifted lines.
        only: a glob that one of a video's paths must match.

    Raises:
        UsageError: there is no such run.
        LibraryError: the run's features are not there.
    """
    run = OpenRun.open(run_folder(library.state, name))
    features = chosen_features(library, run.streams)
    parts = {"run": name, "step": run.step, "weights": _weights_hash(run), "version": _VERSION}
    recipe = Recipe.of(
        **{**options.recipe().parts, "realign": {**parts, "within": WITHIN, "penalty": PENALTY}}
    )
    store, clipper = StoredSet(library, recipe), options.make_clipper()
    paths = videos_of(library, only)
    made = unchanged = unseen = lines = moved = 0
    for done, (number, path) in enumerate(paths.items(), start=1):
        narration, of_narration = library.narration(number), library.narration_recipe(number)
        if narration is None or of_narration is None:
            continue
        if store.made_from().get(number) == of_narration.short:
            unchanged += 1
            continue
        video = library.video(number, library.folder / path)
        shifted = _realigned(narration, video.video_id, run, features)
        unseen += shifted is None
        pairs = make_pairs(shifted or narration, video, options, clipper)
        with library.writing():
            store.put(number, pairs, of_narration.short)
        made += 1
        lines += len(narration.lines)
        if shifted is not None:
            both = zip(narration.lines, shifted.lines, strict=True)
            moved += sum(one.start != other.start for one, other in both)
        if on_progress:
            on_progress(done, len(paths), path)
    total = count_pairs(library, recipe, paths.keys())
    return Realigned(recipe, made, unchanged, unseen, lines, moved, total)


def _weights_hash(run: OpenRun) -> str:
    import hashlib

    digest = hashlib.sha256()
    for name, tensor in sorted(run.model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def _realigned(
    narration: Narration, video_id: str, run: OpenRun, features: Sequence[StoredFeatures]
) -> Narration | None:
    """The narration with its lines shifted; None where the video cannot be seen."""
    try:
        found = [read(stored.path(video_id)) for stored in features]
    except LibraryError:
        return None
    streams = [(one.features, one.rate) for one in found if one.rate is not None]
    if len(streams) < len(found) or not narration.lines:
        return None
    said = run.embed_text([line.text for line in narration.lines])

    def similarity(starts: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.float64]:
        import torch

        vectors = torch.from_numpy(clip_vectors(streams, starts.ravel(), ends.ravel()))
        shown = run.embed_clips(vectors).reshape(*starts.shape, -1)
        scores: NDArray[np.float64] = (shown * said[:, None]).sum(dim=2).double().cpu().numpy()
        return scores

    duration = max(one.duration or float(one.times[-1]) for one in found)
    return replace(narration, lines=tuple(realigned_lines(narration.lines, similarity, duration)))

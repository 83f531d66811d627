"""How good search is on the videos of one library, without fooling oneself.

    result = evaluate_own(library, queries=Path("queries.csv"))
    header, rows = result.table()

The truth is a file of queries; without one, what the library says of its videos (chapters, tasks,
titles), which is then not searched. With a model, the lines of narration are asked for too, by
pictures alone: words would find a line in itself.

All signals answer the same queries about the same videos. Videos that a model was trained on, and
those that show the same pictures as one of them, are neither asked for nor searched; how many is
said.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from howto.errors import UsageError
from howto.evaluate.asking import SeenBy, fused, ranked_by_meaning, ranked_by_words
from howto.evaluate.moments import (
    Asked,
    MomentScores,
    Searched,
    Span,
    gain,
    measure,
)
from howto.evaluate.near_duplicates import near_duplicates, video_hashes
from howto.evaluate.own_result import (
    MAIN_CRITERION,
    MAIN_K,
    OwnPart,
    OwnResult,
    SignalScores,
    SignalSet,
)
from howto.evaluate.truth import (
    KnownVideo,
    OwnQuery,
    caption_queries,
    known_videos,
    library_queries,
    read_queries,
)
from howto.library import Library
from howto.records import Problem
from howto.search.words import KINDS, Candidate
from howto.train.validate import stable_share

if TYPE_CHECKING:
    from howto.joint.opened import OpenedModel

__all__ = ["evaluate_own"]

MOST_CAPTIONS = 2_000
"""Lines asked for, drawn by a stable hash."""

OnProgress = Callable[[int, int, str], None]


def evaluate_own(
    library: Library,
    models: "Sequence[OpenedModel]" = (),
    *,
    queries: Path | None = None,
    captions: bool = True,
    meaning: bool = False,
    share: float = 1.0,
    on_progress: OnProgress | None = None,
) -> OwnResult:
    """Measure how often search finds the right moments of a library's videos.

    Asked are words; and where they are wanted meaning, and for each model pictures, alone and
    fused with words.

    Args:
        models: opened, with their features in the library.
        queries: a CSV of queries; see `howto.evaluate.truth`. None: what the library says.
        captions: ask for lines of narration by pictures, too.
        meaning: ask by the meaning of what is said, too: a sentence encoder, which imports torch.
        share: of the videos to use, 0 to 1, chosen by a stable hash; videos that show the same
            pictures are taken or left together. A model's training videos are never used.
        on_progress: told of each video whose frames are looked at for near-duplicates, and of each
            that is embedded.

    Raises:
        PluginError: `meaning` is wanted, and no sentence encoder can be had.
        UsageError: there is nothing to ask, or nobody to ask of: no truth, no video that no model
            was trained on, or `share` is not in 0..1. Or the file of queries is none.
    """
    if not 0 < share <= 1:
        raise UsageError(f"a share of {share:g} of the videos; expected more than 0, at most 1")
    known = known_videos(library)
    asked, problems = _truth(library, known, queries)
    split = _split(library, known, models, asked, share, on_progress)
    main, left_out = _askable(asked, split.used)
    lines = caption_queries(library, split.used) if models and captions else []
    lines = sorted(lines, key=_drawn)[:MOST_CAPTIONS]
    if not main and not lines:
        raise UsageError(_nothing(known, split, left_out))
    pictures = [SeenBy.of(library, model, split.used, on_progress) for model in models]
    parts = []
    if main:
        kinds = KINDS if queries is not None else ("narration",)
        texts = [one.text for one in main]
        said = {"words": ranked_by_words(library, texts, split.used, kinds)}
        if meaning:
            said["meaning"] = ranked_by_meaning(library, texts, split.used, on_progress)
        truth = "queries" if queries is not None else "names"
        parts.append(_part(library, truth, main, said, pictures, split))
    if lines:
        parts.append(_part(library, "captions", lines, {}, pictures, split))
    return OwnResult(
        videos=split.used,
        trained_on=split.trained_on,
        alike=split.alike,
        not_drawn=split.not_drawn,
        queries_left_out=left_out,
        parts=tuple(parts),
        problems=tuple(problems),
        notes=tuple(_notes(models, pictures, split)),
    )


def _truth(
    library: Library, known: Mapping[str, KnownVideo], queries: Path | None
) -> tuple[list[OwnQuery], list[Problem]]:
    if queries is not None:
        return read_queries(queries, known)
    return library_queries(library, known), []


def _drawn(one: OwnQuery) -> float:
    first = one.truths[0]
    return stable_share(f"{first.video} {first.start:.3f}")


@dataclass(frozen=True, slots=True)
class _Split:
    """The videos that are used, and why others are not.

    Attributes:
        group_of: of the videos compared, the one that stands for all alike.
    """

    used: Mapping[str, KnownVideo]
    group_of: Mapping[str, str]
    trained_on: int
    alike: int
    not_drawn: int


def _split(
    library: Library,
    known: Mapping[str, KnownVideo],
    models: "Sequence[OpenedModel]",
    asked: Sequence[OwnQuery],
    share: float,
    on_progress: OnProgress | None,
) -> _Split:
    trained = frozenset[str]().union(*(model.trained_on for model in models)) & known.keys()
    wanted = known.keys() if trained or share < 1 else _asked_for(asked)
    group_of = near_duplicates(video_hashes(library, list(wanted), on_progress=on_progress))
    groups_trained = {group_of.get(video, video) for video in trained}
    alike = {
        video
        for video in known
        if video not in trained and group_of.get(video, video) in groups_trained
    }
    left = known.keys() - trained - alike
    # The hash of a group is that of its first member by id: the order of paths may change.
    first: dict[str, str] = {}
    for video in sorted(left):
        first.setdefault(group_of.get(video, video), video)
    used = {
        video: one
        for video, one in known.items()
        if video in left and stable_share(first[group_of.get(video, video)]) < share
    }
    return _Split(used, group_of, len(trained), len(alike), len(left) - len(used))


def _asked_for(asked: Sequence[OwnQuery]) -> set[str]:
    return {truth.video for one in asked for truth in one.truths}


def _askable(
    asked: Sequence[OwnQuery], used: Mapping[str, KnownVideo]
) -> tuple[list[OwnQuery], int]:
    """The queries with those of their moments that lie in videos used, and how many have none."""
    found = []
    for one in asked:
        truths = tuple(truth for truth in one.truths if truth.video in used)
        if truths:
            found.append(OwnQuery(one.text, one.kind, truths))
    return found, len(asked) - len(found)


def _nothing(known: Mapping[str, KnownVideo], split: _Split, left_out: int) -> str:
    if not known:
        return "there is no video in the library"
    if left_out or not split.used:
        return (
            f"nothing is left to ask: of {len(known)} videos {split.trained_on} trained a model, "
            f"{split.alike} show the same pictures as these, {split.not_drawn} were not drawn"
        )
    return (
        "nothing is known of these videos to ask for: they have no chapters, tasks or titles. "
        "Write down what should be found: --queries FILE.csv, with the columns "
        "query, video, start, end"
    )


def _part(
    library: Library,
    truth: str,
    queries: Sequence[OwnQuery],
    said: Mapping[str, Sequence[Sequence[Candidate]]],
    pictures: Sequence[SeenBy],
    split: _Split,
) -> OwnPart:
    """Ask every set of signals the same queries.

    Args:
        said: what the signals that read the narration found, words first; none: they are not
            asked.
    """
    texts = [one.text for one in queries]
    rankings = {SignalSet((name,)): {name: found} for name, found in said.items()}
    if len(said) > 1:
        rankings[SignalSet(tuple(said))] = dict(said)
    for seen in pictures:
        ranked: dict[str, Sequence[Sequence[Candidate]]]
        ranked = {"pictures": seen.ranked(library, texts)}
        rankings[SignalSet(("pictures",), seen.model.name)] = ranked
        for count in range(1, len(said) + 1):
            fused_with = dict(list(said.items())[:count]) | ranked
            rankings[SignalSet(tuple(fused_with), seen.model.name)] = fused_with
    by_words: MomentScores | None = None
    results = []
    for signals, ranking in rankings.items():
        one = _scored(signals, queries, fused(ranking, split.used), split, by_words)
        by_words = one.scores if signals.signals == ("words",) else by_words
        results.append(one)
    return OwnPart(truth, tuple(queries), tuple(results))


def _scored(
    signals: SignalSet,
    queries: Sequence[OwnQuery],
    hits: Sequence[tuple[Span, ...]],
    split: _Split,
    by_words: MomentScores | None,
) -> SignalScores:
    searched = Searched({video: one.duration for video, one in split.used.items()})
    asked = [Asked(one.truths, found, searched) for one, found in zip(queries, hits, strict=True)]

    def group_of(video: str) -> str:
        return split.group_of.get(video, video)

    scores = measure(asked, group_of)
    kinds = list(dict.fromkeys(query.kind for query in queries))
    by_kind = {}
    if len(kinds) > 1:
        for kind in kinds:
            of_kind = [one for one, query in zip(asked, queries, strict=True) if query.kind == kind]
            by_kind[kind] = measure(of_kind, group_of)
    over = None
    if by_words is not None:
        over = gain(scores, by_words, criterion=MAIN_CRITERION, k=MAIN_K)
    return SignalScores(signals, tuple(hits), scores, by_kind, over)


def _notes(models: "Sequence[OpenedModel]", pictures: Sequence[SeenBy], split: _Split) -> list[str]:
    notes = [f"{model.name}: {note}" for model in models if (note := model.trained_on_note)]
    notes += [
        f"{len(seen.without)} of {len(split.used)} videos have no features for "
        f"{seen.model.name}: pictures cannot find anything in them"
        for seen in pictures
        if seen.without
    ]
    return notes

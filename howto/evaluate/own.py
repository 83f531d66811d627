"""How good search is on the videos of one library, without fooling oneself.

    result = evaluate_own(library, queries=Path("queries.csv"))
    header, rows = result.table()

The truth is a file of queries; without one, what the library says of its videos (chapters, tasks,
titles), which is then not searched. With a model, the lines of narration are asked for too, by
pictures alone: words would find a line in itself.

All signals answer the same queries about the same videos. Videos that a model was trained on, and
those that show the same pictures as one of them, are neither asked for nor searched; how many is
said. A moment of a video is as right in each copy of it (`howto.evaluate.own_split`).
"""

from collections.abc import Callable, Mapping, Sequence
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
from howto.evaluate.own_result import (
    MAIN_CRITERION,
    MAIN_K,
    OwnPart,
    OwnResult,
    SignalScores,
    SignalSet,
)
from howto.evaluate.own_split import Split, askable, split_videos
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
from howto.search.phrases import counted
from howto.search.words import KINDS, Candidate
from howto.train.validate import stable_share

if TYPE_CHECKING:
    from howto.joint.opened import OpenedModel

__all__ = ["evaluate_own"]

MOST_CAPTIONS = MOST_NAMES = 2_000
"""Lines, and names of the library's own, that are asked for, drawn by a stable hash."""

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
        share: of the videos to use, 0 to 1, chosen by a stable hash, at least two; videos that show
            the same pictures are taken or left together. A model's training videos are never used.
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
    split = split_videos(library, known, models, share, on_progress)
    main, left_out = askable(asked, split)
    lines = caption_queries(library, split.used) if models and captions else []
    lines, _ = askable(lines, split)
    lines, few_lines = _drawn(sorted(lines, key=_place), MOST_CAPTIONS, "lines of narration")
    few_names: list[str] = []
    if queries is None:
        main, few_names = _drawn(main, MOST_NAMES, "names")
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
        notes=(*_notes(models, split), *few_names, *few_lines, *_unseen(pictures, split)),
    )


def _truth(
    library: Library, known: Mapping[str, KnownVideo], queries: Path | None
) -> tuple[list[OwnQuery], list[Problem]]:
    if queries is not None:
        return read_queries(queries, known)
    return library_queries(library, known), []


def _place(one: OwnQuery) -> float:
    first = one.truths[0]
    return stable_share(f"{first.video} {first.start:.3f}")


def _drawn(queries: list[OwnQuery], most: int, what: str) -> tuple[list[OwnQuery], list[str]]:
    """Of too many queries as many as are asked for, with a note of that."""
    if len(queries) <= most:
        return queries, []
    note = f"{most} of {len(queries)} {what} are asked for, drawn by a stable hash"
    return sorted(queries, key=_place)[:most], [note]


def _nothing(known: Mapping[str, KnownVideo], split: Split, left_out: int) -> str:
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
    split: Split,
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
    split: Split,
    by_words: MomentScores | None,
) -> SignalScores:
    searched = Searched({video: one.duration for video, one in split.used.items()})
    asked = [Asked(one.truths, found, searched) for one, found in zip(queries, hits, strict=True)]
    scores = measure(asked, split.group)
    kinds = list(dict.fromkeys(query.kind for query in queries))
    by_kind = {}
    if len(kinds) > 1:
        for kind in kinds:
            of_kind = [one for one, query in zip(asked, queries, strict=True) if query.kind == kind]
            by_kind[kind] = measure(of_kind, split.group)
    over = None
    if by_words is not None:
        over = gain(scores, by_words, criterion=MAIN_CRITERION, k=MAIN_K)
    return SignalScores(signals, tuple(hits), scores, by_kind, over)


def _notes(models: "Sequence[OpenedModel]", split: Split) -> list[str]:
    notes = [f"{model.name}: {note}" for model in models if (note := model.trained_on_note)]
    notes += [note for model in models if (note := _selected(model, split))]
    return [*notes, *split.notes]


def _selected(model: "OpenedModel", split: Split) -> str:
    """Say that a model is judged on videos that chose it, where it is; else ''."""
    chosen = model.selected
    by = split.used.keys() & chosen.video_ids if chosen is not None else ()
    if chosen is None or not by:
        return ""
    return (
        f"{model.name}: its checkpoint {chosen.checkpoint} was chosen as the best on held-out "
        f"videos, {len(by)} of the {len(split.used)} searched here among them: its figures may be "
        "a little too good"
    )


def _unseen(pictures: Sequence[SeenBy], split: Split) -> list[str]:
    return [
        f"{len(seen.without)} of {counted(len(split.used), 'video')} have no features for "
        f"{seen.model.name}: pictures cannot find anything in them"
        for seen in pictures
        if seen.without
    ]

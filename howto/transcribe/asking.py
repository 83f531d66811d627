"""Asking narration sources about many videos, in worker processes.

Decoders and recognisers are native code that reads what strangers wrote: one that crashes or hangs
costs its own process and that one video. Where a source listens there is one worker, or one in each
actor of a cluster, which keeps its model loaded from video to video; one that took its place loads
the model anew.
"""

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from howto.records import Outcome, Stage, State, Video
from howto.run.engine import LOCAL, Engine, run
from howto.transcribe.ask import NO_SOURCE, Answer, Wish, ask, make_sources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from howto.contracts import NarrationSource

__all__ = ["answers", "longest"]

_READING_SECONDS = 120.0
_LOADING_SECONDS = 1800.0
"""For a source that listens to begin: gigabytes of weights from a slow disk."""
_SLOWER = 60.0
"""How many times longer than its own estimate a source may take: a large model on one old core."""


@dataclass(frozen=True, slots=True)
class _Question:
    video: Video
    wish: Wish


def answers(
    questions: Iterable[tuple[Video, Wish]],
    wish: Wish,
    *,
    workers: int | None = None,
    engine: Engine = LOCAL,
) -> Iterator[tuple[Video, Answer]]:
    """Ask about each video; a crash, a hang or a bug is that video's outcome.

    Args:
        questions: each video with its wish: `wish`, or fewer of its sources.
        workers: processes, by default one for each core; where a source listens it is one. On Ray:
            actors, as many as there is room for.
        engine: where.

    Raises:
        HowtoError: a source cannot be had, or cannot be used at all; no worker can start.

    Yields:
        Each video with its answer, in the order in which they end.
    """
    sources = make_sources(wish)
    if engine.kind == "local" and any(source.listens for source in sources):
        workers = 1
    ends = run(
        engine,
        _answer,
        (_Question(video, own) for video, own in questions),
        workers=workers,
        time_limit=lambda question: longest(question.video, sources),
    )
    for ended in ends:
        video = ended.item.video
        if ended.result is not None:
            yield video, ended.result
        else:
            failed = Outcome(
                video.video_id, Stage.TRANSCRIBE, State.FAILED, ended.reason, ended.detail
            )
            yield video, Answer(None, NO_SOURCE, failed)


def longest(video: Video, sources: "Sequence[NarrationSource]") -> float:
    """The seconds after which sources are taken to hang, by how much sound they have to hear."""
    listening = [source for source in sources if source.listens]
    if not listening:
        return _READING_SECONDS
    sound = video.info.duration if video.info is not None else 0.0
    return _LOADING_SECONDS + _SLOWER * sum(sound / one.sound_per_second for one in listening)


def _answer(question: _Question) -> Answer:
    return ask(question.video, _sources(question.wish), question.wish.ends)


def _sources(wish: Wish) -> "list[NarrationSource]":
    return [_source(replace(wish, sources=(name,))) for name in wish.sources]


@functools.lru_cache
def _source(wish: Wish) -> "NarrationSource":
    """Made once in a worker, so that a source may keep what it has loaded."""
    return make_sources(wish)[0]

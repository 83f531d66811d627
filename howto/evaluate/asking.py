"""Many queries asked of some videos of a library, by each signal, without what would give away the
answer.

The moments are put together as `howto search` does: signals rank the library's clips, reciprocal
ranks fuse them, neighbouring hits are joined.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from howto.evaluate.moments import KS, Span
from howto.evaluate.truth import KnownVideo
from howto.library import Library
from howto.search import words
from howto.search.fusion import fuse
from howto.search.moments import join
from howto.search.query import Query
from howto.search.words import KINDS, Candidate

if TYPE_CHECKING:
    from howto.joint.opened import OpenedModel
    from howto.search.meaning import Meaning
    from howto.search.pictures import Pictures

__all__ = ["SeenBy", "fused", "ranked_by_meaning", "ranked_by_words"]


def ranked_by_words(
    library: Library,
    queries: Sequence[str],
    videos: Mapping[str, KnownVideo],
    kinds: Collection[str] = KINDS,
) -> list[list[Candidate]]:
    """What the words find of each query in these videos, best first.

    Args:
        kinds: what is read besides the narration, as for `howto.search.words.rank`.
    """
    paths = {video.number: video.paths[0] for video in videos.values()}

    def of(query: str) -> list[Candidate]:
        found = words.rank(library.connection, Query.parse(query), kinds)
        inside = (one for one in found if one.number in paths)
        return sorted(inside, key=lambda one: (-one.score, paths[one.number], one.start))

    return [of(query) for query in queries]


@dataclass(frozen=True, slots=True, eq=False)
class SeenBy:
    """Some videos as a model sees them.

    Attributes:
        without: ids of the videos that have no features for the model.
    """

    model: "OpenedModel"
    pictures: "Pictures"
    videos: Mapping[str, KnownVideo]
    without: tuple[str, ...]

    @classmethod
    def of(
        cls,
        library: Library,
        model: "OpenedModel",
        videos: Mapping[str, KnownVideo],
        on_progress: Callable[[int, int, str], None] | None = None,
    ) -> "SeenBy":
        """Bring the search's own index of a model up to date.

        Args:
            on_progress: told of each video that is embedded.
        """
        from howto.search.pictures import open_pictures

        pictures = open_pictures(library, model.name, model=model, on_progress=on_progress)
        lacking = {*pictures.missing, *(video for video, _ in pictures.signal.brought.failed)}
        return cls(model, pictures, videos, tuple(one for one in videos if one in lacking))

    def ranked(self, library: Library, queries: Sequence[str]) -> list[list[Candidate]]:
        """What the pictures find of each query in these videos, best first; nothing where the
        model knows no word of it."""
        known = [self.pictures.knows(query) for query in queries]
        found = _ranked(library, self.pictures, queries, self.videos)
        return [one if is_known else [] for one, is_known in zip(found, known, strict=True)]


def ranked_by_meaning(
    library: Library,
    queries: Sequence[str],
    videos: Mapping[str, KnownVideo],
    on_progress: Callable[[int, int, str], None] | None = None,
) -> list[list[Candidate]]:
    """What is said in these videos that means the same as each query, best first.

    Raises:
        PluginError: as `howto.search.meaning.open_meaning`.
    """
    from howto.search.meaning import open_meaning

    return _ranked(library, open_meaning(library, on_progress=on_progress), queries, videos)


def _ranked(
    library: Library,
    opened: "Pictures | Meaning",
    queries: Sequence[str],
    videos: Mapping[str, KnownVideo],
) -> list[list[Candidate]]:
    return [
        opened.signal.rank(library, opened.embed(query), video_ids=videos.keys())
        for query in queries
    ]


def fused(
    rankings: Mapping[str, Sequence[Sequence[Candidate]]], videos: Mapping[str, KnownVideo]
) -> list[tuple[Span, ...]]:
    """The first moments of each query, by one signal or several.

    Args:
        rankings: signal to the candidates of each query.
    """
    ids = {video.number: video.video_id for video in videos.values()}
    answers = []
    for found in zip(*rankings.values(), strict=True):
        signals = dict(zip(rankings, found, strict=True))
        moments = join(fuse(signals, key=lambda one: one.key), max(KS))
        answers.append(tuple(Span(ids[one.number], one.start, one.end) for one in moments))
    return answers

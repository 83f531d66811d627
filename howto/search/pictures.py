"""The pictures signal: a joint model's embeddings of a library's clips, ranked by a query.

Its index is brought up to date from the features that are there. Features that are missing are
offered with an estimate, and never just made: that decodes every video.
"""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from howto.extract.store import READY_SETS
from howto.joint.places import run_folders
from howto.library import Library
from howto.recipe import Recipe
from howto.search.index.manifest import index_folder
from howto.search.index.units import Filling, is_up_to_date
from howto.search.phrases import about, counted, shown
from howto.search.query import Query
from howto.search.vector_signal import VectorSignal, opened_signal
from howto.search.words import Candidate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from howto.joint.opened import OpenedModel

__all__ = [
    "PictureOffer",
    "Pictures",
    "make_offered",
    "models_in_use",
    "open_pictures",
]


@dataclass(frozen=True, slots=True)
class PictureOffer:
    """Slow work that would let pictures find more.

    Attributes:
        model: whose features are missing.
        numbers: the videos that lack them.
        seconds: of video in them.
        work_seconds: how long making them takes, by what was measured here before; None where it
            was never done here.
    """

    model: str
    numbers: tuple[int, ...]
    seconds: float
    work_seconds: float | None

    @property
    def subject(self) -> str:
        """Such as '12 videos have no features for clip:ViT-B-32.openai'."""
        verb = "has" if len(self.numbers) == 1 else "have"
        return f"{counted(len(self.numbers), 'video')} {verb} no features for {self.model}"

    @property
    def estimate(self) -> str:
        """Such as 'about 14 min'."""
        if self.work_seconds is None:
            return f"{about(self.seconds)} of video; never timed here"
        return about(self.work_seconds)

    def note(self, folder: Path) -> str:
        """One sentence with the one command that mends it."""
        return (
            f"{self.subject}: pictures find nothing in them. To make them ({self.estimate}): "
            f"howto search QUERY {shown(folder)} --model {self.model} --yes"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """The pictures signal of one model, up to date.

    Attributes:
        missing: ids of the videos that lack features.
    """

    model: "OpenedModel"
    signal: VectorSignal
    missing: tuple[str, ...]

    def knows(self, text: str) -> bool:
        """Whether the model knows a word of a query that says what is looked for: no stop word."""
        query = Query.parse(text)
        return len(self.unknown_words(query)) < len(query.terms)

    def unknown_words(self, query: Query) -> tuple[str, ...]:
        """The words of a query that the model does not know."""
        known = self.model.known_words(query.terms, as_query=True)
        return tuple(
            word for word, is_known in zip(query.terms, known, strict=True) if not is_known
        )

    def embed(self, text: str) -> "NDArray[np.float32]":
        """A query as float32 (D,): as typed, or what the model knows of it where that is a part.

        The stop words beside an unknown word would be all that is left of what they belong to.
        """
        query = Query.parse(text)
        unknown = self.unknown_words(query)
        if 0 < len(unknown) < len(query.terms):
            text = " ".join(word for word in query.terms if word not in unknown)
        vectors = self.model.embed_text([text], as_query=True)
        vector: NDArray[np.float32] = vectors[0]
        return vector

    def offer(self, library: Library, numbers: Set[int]) -> PictureOffer | None:
        """What making the missing features would cost; None where there are none.

        Args:
            numbers: the videos to consider.
        """
        known = library.numbers(self.missing).values()
        lacking = tuple(sorted(number for number in known if number in numbers))
        if not lacking:
            return None
        seconds = _duration(library, lacking)
        speeds = [stored.speed() if stored else None for stored in self.model.feature_sets(library)]
        timed = [speed for speed in speeds if speed]
        work = sum(seconds / speed for speed in timed) if len(timed) == len(speeds) else None
        return PictureOffer(self.model.name, lacking, seconds, work)


def _duration(library: Library, numbers: Sequence[int]) -> float:
    wanted = set(numbers)
    rows = library.connection.execute("SELECT number, duration FROM videos")
    return sum(duration or 0.0 for number, duration in rows if number in wanted)


def open_pictures(
    library: Library,
    name: str,
    *,
    model: "OpenedModel",
    before: VectorSignal | None = None,
    on_progress: Callable[[int, int, str], None] | None = None,
    on_wait: Callable[[], None] | None = None,
    wait: float | None = None,
) -> Pictures:
    """Bring the index of a model up to date.

    Args:
        name: of a run, or of a ready model.
        model: the same, opened.
        before: its signal as it was opened earlier, for a process that answers many queries.
        on_progress, on_wait: told of every video embedded, and of another process waited for.
        wait: the most seconds that it is waited for; None: an hour.

    Raises:
        LibraryError: it cannot be told which features of the library the model sees.
        LibraryBusy: as `howto.search.index.units.bring_up_to_date`.
    """
    from howto.joint.opened import missing_features

    missing: list[str] = []

    def seen() -> set[str]:
        missing[:] = missing_features(library, model)
        return _with_pictures(library, _failed(library, model)) - set(missing)

    filling = Filling(
        folder=index_folder(library.state, name),
        recipe=model.recipe,
        dim=model.dim,
        spoken=False,
        embed=lambda video_id, clips: model.embed_spans(library, video_id, _spans(clips)),
        video_ids=lambda: _with_pictures(library),
        wait=wait,
    )
    if not is_up_to_date(library, filling):
        filling = replace(filling, video_ids=seen)
    signal = opened_signal(
        "pictures",
        library,
        filling,
        model,
        before=before,
        on_progress=on_progress,
        on_wait=on_wait,
    )
    return Pictures(model, signal, tuple(missing))


def _spans(clips: Sequence[Candidate]) -> list[tuple[float, float]]:
    return [(clip.start, clip.end) for clip in clips]


def _with_pictures(library: Library, but: Set[int] = frozenset()) -> set[str]:
    """The ids of the videos that have a picture.

    Args:
        but: numbers of others.
    """
    rows = library.connection.execute(
        "SELECT number, video_id FROM videos WHERE json_extract(info, '$.video_codec') <> ''"
    )
    return {video_id for number, video_id in rows if number not in but}


def _failed(library: Library, model: "OpenedModel") -> set[int]:
    """The videos of which features of the model were tried, and cannot be made."""
    failed: set[int] = set()
    for stored in model.feature_sets(library):
        ends = library.connection.execute(
            "SELECT number FROM feature_files WHERE feature_set = ? AND reason IS NOT NULL",
            (stored.key if stored else None,),
        )
        failed.update(number for (number,) in ends)
    return failed


def make_offered(
    library: Library,
    offered: PictureOffer,
    *,
    on_progress: Callable[[int, int, str], None] | None = None,
    on_wait: Callable[[], None] | None = None,
) -> int:
    """Make the features that were offered, of no other video; returns how many were made.

    Raises:
        PluginError, UsageError, RecipeMismatch: they cannot be made here.
    """
    from howto.joint.opened import make_features, open_model

    model = open_model(library, offered.model)
    done = make_features(
        library, model, numbers=set(offered.numbers), on_progress=on_progress, on_wait=on_wait
    )
    return done.made


def models_in_use(library: Library) -> list[str]:
    """The runs of a library, and the ready models that have features of it; quick."""
    runs = [folder.name for folder in run_folders(library) if _has_checkpoint(folder)]
    sets = library.connection.execute("SELECT recipe FROM feature_sets").fetchall()
    names = [str(Recipe(text).parts["backbone"]) for (text,) in sets]
    ready = [name.removeprefix(READY_SETS) for name in names if name.startswith(READY_SETS)]
    return [*runs, *dict.fromkeys(ready)]


def _has_checkpoint(run: Path) -> bool:
    return any((run / pointer).is_file() for pointer in ("best", "last"))

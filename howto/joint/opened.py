"""Joint models opened to be used: clips and captions to one space, whatever the model is.

    from howto.joint.opened import open_model

    model = open_model(library, "main")                       # a run of this library
    model = open_model(library, "clip:ViT-B-32.openai")       # a ready one, of a plugin
    scores = model.embed_text(["fold a shirt"]) @ model.embed_spans(library, video_id, spans).T

A run is read with numpy alone: a search imports no torch, unless the run's text encoder is a
network of somebody else's. A ready model sees a video by windows, whose embeddings are kept as a
feature set of the library (`joint:NAME`) and made by the same stage as all features.
"""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from howto import plugins
from howto.errors import UnknownPlugin, UsageError
from howto.extract.features import file_name, files_of
from howto.extract.store import StoredFeatures
from howto.joint.trained import Selected
from howto.joint.windows import Windows
from howto.library import Library
from howto.recipe import Recipe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from howto.extract.choice import Wanted
    from howto.extract.stage import Extracted, Plan

__all__ = [
    "OpenedModel",
    "Windows",
    "make_features",
    "missing_features",
    "open_model",
    "plan_features",
]


class OpenedModel(Protocol):
    """A joint model, ready to embed. D is the length of an embedding; scores are dot products."""

    @property
    def name(self) -> str:
        """As it was asked for: a run's name, or a joint model's such as `clip:ViT-B-32.openai`."""
        ...

    @property
    def kind(self) -> Literal["run", "ready"]:
        """A run of a library, or a ready model of a plugin."""
        ...

    @property
    def dim(self) -> int:
        """D."""
        ...

    @property
    def normalised(self) -> bool:
        """Embeddings have length 1; otherwise their length counts."""
        ...

    @property
    def streams(self) -> dict[str, int]:
        """What `embed_features` takes: length of a clip's features by name, in order."""
        ...

    @property
    def recipe(self) -> Recipe:
        """All that determines the embeddings of a library's videos and of captions: the hash of the
        checkpoint or of the weights, and the recipes of the features.
        """
        ...

    @property
    def trained_on(self) -> frozenset[str]:
        """Ids of the videos that it was trained on, or may have been; those held out are not in it.
        Empty for a ready model: nobody can say.
        """
        ...

    @property
    def trained_on_note(self) -> str:
        """What `trained_on` does not tell, for people; '' where it is exact."""
        ...

    @property
    def selected(self) -> Selected | None:
        """How the checkpoint of a run was chosen as the best; None for a ready model, and where it
        is the last one.
        """
        ...

    def embed_text(
        self, captions: Sequence[str], *, as_query: bool = False
    ) -> "NDArray[np.float32]":
        """Map captions to float32 (B, D); one of no known word gets what the padding gets.

        Args:
            as_query: treat them as what somebody typed: stop words are dropped if the run's own
                captions had none, and an unknown word is taken in lower case. Otherwise they are
                read as a benchmark's are: exactly as the text encoder reads them.
        """
        ...

    def known_words(
        self, captions: Sequence[str], *, as_query: bool = False
    ) -> "NDArray[np.bool_]":
        """bool (B,): the model knows a word of the caption; True for models of parts of words."""
        ...

    def embed_features(self, streams: "Sequence[NDArray[Any]]") -> "NDArray[np.float32]":
        """Map clips to float32 (B, D) by features that are at hand, such as a benchmark's.

        Args:
            streams: one (B, d) of each of `self.streams`, not normalised: the maximum over a clip's
                features; for a ready model the mean of a clip's embeddings, its one stream.

        Raises:
            UsageError: other streams than these.
        """
        ...

    def embed_spans(
        self, library: Library, video_id: str, spans: "ArrayLike"
    ) -> "NDArray[np.float32]":
        """Map spans of a video to float32 (N, D) by the library's features.

        Args:
            spans: (N, 2), seconds.

        Raises:
            ItemError: NO_FEATURES: they are missing or damaged; the detail says how to make them.
                NETWORK or UNREADABLE_FILE: they cannot be read now.
            ValueError: spans of another shape, or times that are not finite.
        """
        ...

    def embed_picture(self, path: Path) -> "NDArray[np.float32]":
        """Map a picture to float32 (D,): as a video that shows nothing else.

        Raises:
            UsageError: the file is no picture; or this is a run, which sees videos by their
                features.
        """
        ...

    def windows(self, library: Library, video_id: str) -> Windows:
        """The windows by which the model sees a video: of a run each second, of a ready model its
        own.

        Raises:
            ItemError: as `embed_spans`.
        """
        ...

    def seen_until(self, library: Library, video_id: str) -> float:
        """Seconds up to which it has features of a video; the last may reach past the video's end.
        Infinity where they do not tell: one feature stands for the whole video.

        Raises:
            ItemError: as `embed_spans`.
        """
        ...

    def feature_sets(self, library: Library) -> "tuple[StoredFeatures | None, ...]":
        """The feature sets that it sees this library by, one for each stream; None: not there.

        Raises:
            LibraryError: the library has several that could be meant; the message names them.
        """
        ...

    def wanted(self) -> "tuple[Wanted, ...]":
        """The same as what the stage `extract` is to make. Imports torch; loads no network.

        Raises:
            RecipeMismatch: the backbone and weights that are installed would make others.
            PluginError: a backbone or its weights cannot be had.
            UsageError: the features were imported, so they cannot be made here.
        """
        ...


def open_model(
    library: Library | None, name: str, *, device: str = "cpu", weights: str | None = None
) -> OpenedModel:
    """Open a run of a library, or a ready joint model.

    Args:
        library: whose runs are meant, and whose features a run may have to be told apart by; None:
            only ready models and runs by their folder.
        name: of a run; or of a joint model (`howto models` lists both); or the path of a run's
            folder, in any library.
        device: where networks compute; the numpy side is on the CPU.
        weights: of a ready model: a path or a name that it knows; None: its own.

    Raises:
        UsageError: nothing has that name; the message says what there is. Or no device has that
            name, or weights for a run, or a run without a checkpoint yet.
        PluginError: a ready model, or its weights, cannot be had. Nothing is fetched.
        LibraryError: a file of the run is damaged.
    """
    from howto.extract.device import check_device
    from howto.joint.places import run_named

    check_device(device)
    folder = run_named(library, name)
    if folder is not None:
        if weights is not None:
            raise UsageError(f"weights are for ready models; {name!r} is a run, which has its own")
        from howto.joint.run import OpenedRun

        return OpenedRun(name, folder, library, device)
    try:
        plugins.find("models", name)
    except UnknownPlugin as error:
        from howto.joint.places import what_there_is

        raise UsageError(f"no model named {name!r}. {what_there_is(library)}") from error
    from howto.joint.ready import OpenedReady

    return OpenedReady(name, device, weights)


def missing_features(library: Library, model: OpenedModel) -> list[str]:
    """Ids of the videos that a model could see and does not yet, in order of path; quick.

    A video whose features were tried and failed is not among them: making them again would not
    help (`howto extract --retry`).
    """
    ended = [_ended(stored) for stored in model.feature_sets(library)]
    ids = dict(
        library.connection.execute(
            "SELECT number, video_id FROM videos WHERE json_extract(info, '$.video_codec') <> ''"
        )
    )
    paths = library.paths()
    return [
        ids[number]
        for number in sorted(paths.keys() & ids.keys(), key=lambda one: paths[one][0])
        if not all(has_ended(number, ids[number]) for has_ended in ended)
    ]


def _ended(stored: StoredFeatures | None) -> Callable[[int, str], bool]:
    """Whether a video's features are there, or cannot be."""
    if stored is None:
        return lambda _number, _video_id: False
    files = {path.name for path in files_of(stored.folder)}
    failed = {number for number, end in stored.ends().items() if end.reason is not None}
    return lambda number, video_id: number in failed or file_name(video_id) in files


def plan_features(library: Library, model: OpenedModel, *, only: str | None = None) -> "Plan":
    """What `make_features` would do, and how long it takes where that is known."""
    from howto.extract.stage import plan

    return plan(library, model.wanted(), only=only)


def make_features(
    library: Library,
    model: OpenedModel,
    *,
    only: str | None = None,
    numbers: Collection[int] | None = None,
    on_progress: Callable[[int, int, str], None] | None = None,
    on_wait: Callable[[], None] | None = None,
) -> "Extracted":
    """Make the features that a model sees videos by, where they are missing.

    Args:
        only: only videos with a path that matches this glob.
        numbers: only these videos; None: all.
        on_progress: called with videos done, videos to do, and the path just finished.
        on_wait: as for `howto.extract.stage.extract_videos`.

    Raises:
        As `OpenedModel.wanted` and `howto.extract.stage.extract_videos`.
    """
    from howto.extract.stage import extract_videos

    return extract_videos(
        library,
        model.wanted(),
        only=only,
        numbers=numbers,
        on_progress=on_progress,
        on_wait=on_wait,
    )

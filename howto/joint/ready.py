"""A ready joint model of a plugin, opened: its windows are kept as a feature set of the library.

`JointBackbone` makes a backbone of the model's picture half, so the stage `extract` decodes and
embeds videos with it as with any other, and starting again does only what is missing. The set is
named `joint:NAME`: a plugin may offer a backbone of the same name whose features are others (of
CLIP those before they are normalised).
"""

import shlex
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from howto import plugins
from howto.errors import PluginError, UsageError
from howto.extract.features import Features, read_of_item
from howto.extract.store import READY_SETS, StoredFeatures
from howto.extract.weights import without_downloads
from howto.joint.gate import unit_length
from howto.joint.known import known_models
from howto.joint.trained import Selected
from howto.joint.windows import Windows, checked_spans, mean_of_windows
from howto.library import Library
from howto.recipe import Recipe

if TYPE_CHECKING:
    import torch

    from howto.contracts import JointModel
    from howto.extract.choice import Wanted

__all__ = ["JointBackbone", "OpenedReady"]

_PRECISION = "fp32"  # everywhere: a set made on another machine is the same set
_NOTE = "nobody can say which videos it was trained on"


class JointBackbone:
    """The picture half of a joint model as a backbone: its embeddings are the features.

    Args:
        model: not loaded yet.
        name: as it was asked for.
    """

    def __init__(self, model: "JointModel", name: str) -> None:
        self._model = model
        self.name = f"{READY_SETS}{name}"
        self.version = model.version
        self.dim = model.dim
        self.frames = model.frames
        self.frames_per_feature = model.frames_per_window

    def weights_hash(self, weights: str | None = None) -> str | None:
        """What tells the weights from others: the model's own hash, else the name or file given."""
        if hasattr(self._model, "weights_hash"):
            found: str | None = self._model.weights_hash(weights)
            return found
        return weights

    def load(self, device: str, dtype: "torch.dtype", weights: str | None = None) -> None:
        """Load the model."""
        self._model.load(device, dtype, weights)

    def encode(self, frames: "torch.Tensor") -> "torch.Tensor":
        """Map uint8 (T, H, W, 3) to float32 (ceil(T / frames_per_feature), D), on the CPU."""
        return self._model.embed_frames(frames)


class OpenedReady:
    """A ready model; its networks are loaded when a caption is to be embedded.

    Args:
        name: as plugins are asked for.
        device: where it computes.
        weights: a path or a name that it knows; None: its own.

    Raises:
        PluginError: the model or its weights cannot be had. Nothing is fetched.
        UsageError: weights that are no path and no name, such as `NAME=PATH`.
    """

    kind: Literal["ready"] = "ready"

    def __init__(self, name: str, device: str, weights: str | None) -> None:
        self.name = name
        self._device, self._weights = device, weights
        self._model: JointModel = plugins.create("models", name)
        self.dim = self._model.dim
        self.normalised = self._model.normalised
        self.trained_on: frozenset[str] = frozenset()
        self.trained_on_note = _NOTE
        self.selected: Selected | None = None
        self._check_weights()
        self._wanted = self._feature_set()

    @property
    def streams(self) -> dict[str, int]:
        """Its own embeddings, the one thing that it can take ready-made."""
        return {f"{READY_SETS}{self.name}": self.dim}

    @property
    def recipe(self) -> Recipe:
        """The model, its weights and its windows: all of it is in the feature set's recipe."""
        return Recipe.of(kind="ready", normalised=self.normalised, features=[self._wanted.recipe])

    def _feature_set(self) -> "Wanted":
        from howto.extract.choice import Choice, wanted_for
        from howto.extract.device import chosen_device

        backbone = JointBackbone(plugins.create("models", self.name), self.name)
        weights = {} if self._weights is None else {backbone.name: self._weights}
        choice = Choice((backbone.name,), self._device, _PRECISION, weights)
        device = chosen_device(self._device)
        try:
            with without_downloads():
                wanted = wanted_for(backbone, backbone.name, choice, device)
        except PluginError as error:
            # A plugin's own advice may be of options that only `howto extract` has.
            if self._weights is None and (missing := _missing_file(self.name)):
                raise self._not_here(missing) from error
            raise
        if wanted.not_here:
            raise self._not_here(wanted.not_here)
        return wanted

    def _not_here(self, file: str) -> PluginError:
        return PluginError(
            f"the weights of {self.name} are not here: no file {file}. Get them: howto models "
            f"fetch {self.name}; or name a file of them with --weights FILE"
        )

    def _check_weights(self) -> None:
        """Refuse what other commands call weights."""
        if (self._weights or "").startswith(f"{self.name}="):
            raise UsageError(
                f"weights {self._weights!r}: name the file alone, without {self.name}= before it"
            )
        if self._weights is not None and self._weights == getattr(self._model, "fetch_as", None):
            raise UsageError(
                f"weights {self._weights!r}: nothing is fetched here. Get them: howto models fetch "
                f"{self.name}"
            )

    # Captions

    @cached_property
    def _loaded(self) -> "JointModel":
        import torch

        with without_downloads():
            self._model.load(self._wanted.device, torch.float32, self._weights)
        return self._model

    def embed_text(self, captions: Sequence[str], *, as_query: bool = False) -> NDArray[np.float32]:
        """Map captions to float32 (B, D); a query is a caption like others."""
        del as_query
        if not captions:
            return np.empty((0, self.dim), np.float32)
        found: NDArray[np.float32] = self._loaded.embed_text(list(captions)).numpy()
        return found

    def known_words(self, captions: Sequence[str], *, as_query: bool = False) -> NDArray[np.bool_]:
        """bool (B,): what the model itself says (`howto.contracts.KnowsWords`), else True."""
        del as_query
        if not hasattr(self._model, "known_words"):
            return np.ones(len(captions), bool)
        return np.array(self._loaded.known_words(list(captions)), np.bool_)  # type: ignore[attr-defined]

    # Clips

    def embed_features(self, streams: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Map clips to float32 (B, D) by the mean of their windows' embeddings."""
        if len(streams) != 1 or streams[0].ndim != 2 or streams[0].shape[1] != self.dim:
            shapes = ", ".join(str(one.shape) for one in streams) or "none"
            raise UsageError(
                f"the ready model {self.name} takes videos, or its own embeddings (B, {self.dim}); "
                f"it cannot read other features: {shapes}"
            )
        means = np.asarray(streams[0], np.float32)
        return unit_length(means) if self.normalised else means

    def embed_spans(self, library: Library, video_id: str, spans: ArrayLike) -> NDArray[np.float32]:
        """Map spans of a video to float32 (N, D): the mean of the windows in each."""
        found = self._features(library, video_id)
        # A window lies where the middle of its frames does.
        first_to_last = (self._model.frames_per_window - 1) / float(self._model.frames.rate)
        centres = found.times + first_to_last / 2
        return self.embed_features([mean_of_windows(found.features, centres, checked_spans(spans))])

    def embed_picture(self, path: Path) -> NDArray[np.float32]:
        """Map a picture to float32 (D,): as a window that shows nothing else."""
        import torch

        from howto.media.pictures import read_picture

        frame = read_picture(path, self._model.frames)
        frames = np.repeat(frame[None], self._model.frames_per_window, axis=0)
        with torch.inference_mode():
            embedded = self._loaded.embed_frames(torch.from_numpy(frames))
        found: NDArray[np.float32] = embedded[0].float().cpu().numpy()
        return found

    def windows(self, library: Library, video_id: str) -> Windows:
        """Its windows side by side; the last may reach past the end of the video."""
        found = self._features(library, video_id)
        starts = np.arange(len(found.features)) * self._window_seconds
        spans = np.stack([starts, starts + self._window_seconds], axis=1)
        return Windows(spans, self.embed_features([found.features]))

    def seen_until(self, library: Library, video_id: str) -> float:
        """The end of the last window, in seconds."""
        return len(self._features(library, video_id).features) * self._window_seconds

    @property
    def _window_seconds(self) -> float:
        return self._model.frames_per_window / float(self._model.frames.rate)

    def _features(self, library: Library, video_id: str) -> Features:
        path = StoredFeatures(library, self._wanted.recipe).path(video_id)
        return read_of_item(
            path,
            f"{_named(library, video_id)} has no windows of {self.name} yet; make them: "
            f"howto search QUERY {shlex.quote(str(library.folder))} --model {self.name} --yes",
        )

    # Which features

    def feature_sets(self, library: Library) -> tuple[StoredFeatures, ...]:
        """The set of its windows."""
        return (StoredFeatures(library, self._wanted.recipe),)

    def wanted(self) -> "tuple[Wanted, ...]":
        """Its windows, to be made."""
        return (self._wanted,)


def _named(library: Library, video_id: str) -> str:
    """The first path of a video; of one without a file, its id."""
    number = library.numbers([video_id]).get(video_id)
    paths = library.paths_of(number) if number is not None else []
    return paths[0] if paths else f"video {video_id}"


def _missing_file(name: str) -> str:
    """The file of published weights that is not here; '' where it is, and where nobody says."""
    found = [one for one in known_models(None) if one.name == name and one.where is None]
    return str(found[0].wanted or "") if found else ""

"""A run of a library as an opened model: read with numpy alone where its text encoder is over
words."""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from howto.clip.words import WORD_OPTIONS
from howto.errors import ItemError, LibraryError, Reason, UsageError
from howto.extract.features import Features, read_of_item
from howto.extract.store import StoredFeatures, feature_sets
from howto.joint.checkpoints import is_best, model_hash, read_model
from howto.joint.gate import Gate, Tensors, side_by_side
from howto.joint.text import QUERY_FOLDER, WordText, holds_words, open_word_text
from howto.joint.trained import Selected, TrainedOn, trained_on
from howto.joint.windows import Windows, checked_spans, second_spans
from howto.library import Library
from howto.recipe import Recipe
from howto.records import State
from howto.train.runs import CONFIG

if TYPE_CHECKING:
    from howto.extract.choice import Wanted
    from howto.train.opened import OpenRun

__all__ = ["OpenedRun"]


class OpenedRun:
    """A run at its best checkpoint, else its last; its parts are read when they are needed.

    Args:
        name: as it was asked for.
        folder: of the run.
        library: whose features it is to see, where the run does not say which.
        device: where a text encoder that is a network computes.

    Raises:
        UsageError: it has no checkpoint yet.
        LibraryError: its config or its checkpoint is damaged.
    """

    kind: Literal["run"] = "run"

    def __init__(self, name: str, folder: Path, library: Library | None, device: str) -> None:
        self.name = name
        self.folder = folder
        self._library, self._device = library, device
        self.config: Mapping[str, Any] = _config(folder)
        # Opened and hashed at once, and read from then on, captions and clips alike: a run that
        # trains may remove it while this is in use.
        self.checkpoint, self._is_best, self._hash, self._tensors = read_model(
            folder,
            lambda model: (
                model,
                is_best(folder, model),
                model_hash(model),
                Tensors(model, for_torch=not holds_words(folder)),
            ),
        )
        self.dim = int(self.config["dim"])
        self.streams: dict[str, int] = dict(self.config["streams"])

    # What it is

    @cached_property
    def normalised(self) -> bool:
        """Embeddings have length 1, as the loss wanted."""
        for path in (self.folder / QUERY_FOLDER / "meta.json", self.folder / CONFIG):
            told = json.loads(path.read_bytes()) if path.is_file() else {}
            if "normalised" in told:
                return bool(told["normalised"])
        from howto import plugins

        return bool(plugins.load("losses", self.config["options"]["loss"]).normalised)

    @property
    def recipe(self) -> Recipe:
        """The checkpoint's hash, what its words are, and the features that it sees.

        Told anew each time: of features that are not recorded, the library may have others by now.
        """
        sets = self.feature_sets(self._library) if self._library else ()
        recorded = [Recipe.of(**parts) for parts in self._recorded]
        return Recipe.of(
            kind="run",
            checkpoint=self._hash,
            text=self.config["recipe"].get("text"),
            rows=self.config["rows"],
            streams=self.streams,
            features=recorded or [one.recipe for one in sets if one is not None],
            normalised=self.normalised,
        )

    @cached_property
    def _trained(self) -> TrainedOn:
        return trained_on(self.folder, self.config, self._library)

    @property
    def trained_on(self) -> frozenset[str]:
        """The videos of its pack that were not held out, and those of the run it started from."""
        return self._trained.video_ids

    @property
    def trained_on_note(self) -> str:
        """What `trained_on` does not tell; '' where it is exact."""
        return self._trained.note

    @property
    def selected(self) -> Selected | None:
        """The best checkpoint, and the videos that were held out; None: it is the last one."""
        if not self._is_best:
            return None
        return Selected(self.checkpoint.parent.name, self._trained.held_out)

    # Captions

    @cached_property
    def _words(self) -> WordText | None:
        """Its text side, where it is one of words."""
        if not holds_words(self.folder):
            return None
        pairs = self._source.get("pairs") or {}
        options = WORD_OPTIONS.get(pairs.get("words", ""))
        return open_word_text(
            self.folder,
            self._tensors,
            checkpoint=self._hash,
            normalised=self.normalised,
            drop_stop_words=options is not None and options.drop_stop_words,
        )

    @cached_property
    def _network(self) -> "OpenRun":
        """Its text side as a network, for other encoders."""
        from howto.extract.device import chosen_device
        from howto.train.opened import OpenRun

        device = chosen_device(self._device)
        return OpenRun.of_weights(self.folder, self._tensors.state_dict(), device)

    def embed_text(self, captions: Sequence[str], *, as_query: bool = False) -> NDArray[np.float32]:
        """Map captions to float32 (B, D)."""
        if self._words is not None:
            return self._words.embed(self._words.tokens(captions, as_query=as_query))
        if not captions:
            return np.empty((0, self.dim), np.float32)
        found: NDArray[np.float32] = self._network.embed_text(captions).cpu().numpy()
        return found

    def known_words(self, captions: Sequence[str], *, as_query: bool = False) -> NDArray[np.bool_]:
        """bool (B,): a word of the caption is in the vocabulary."""
        if self._words is None:
            return np.ones(len(captions), bool)
        known = self._words.tokens(captions, as_query=as_query) > 0
        return np.asarray(known.any(axis=1), np.bool_)

    # Clips

    @cached_property
    def _gate(self) -> Gate:
        return Gate.read(self._tensors, "video_gate", normalised=self.normalised)

    def embed_features(self, streams: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Map clips to float32 (B, D) by the un-normalised maximum (B, d) of each stream."""
        shapes = [one.shape for one in streams]
        rows = len(streams[0]) if streams else 0
        if shapes != [(rows, dim) for dim in self.streams.values()]:
            raise UsageError(
                f"the run {self.name!r} takes features of {_told(self.streams)}, one row a clip "
                f"each; got {', '.join(map(str, shapes)) or 'none'}"
            )
        return self._gate(side_by_side(streams))

    def embed_spans(self, library: Library, video_id: str, spans: ArrayLike) -> NDArray[np.float32]:
        """Map spans of a video to float32 (N, D), as training pooled and saw its clips."""
        return self._embedded(self._features(library, video_id), checked_spans(spans))

    def embed_picture(self, path: Path) -> NDArray[np.float32]:
        """Refuse: its features are made of videos by `howto extract`."""
        raise UsageError(
            f"{path}: the run {self.name!r} sees videos by their features, and cannot see a "
            "picture by itself. Name a moment of a video, VIDEO@SECONDS, or a ready model: "
            "--model clip:ViT-B-32.openai"
        )

    def windows(self, library: Library, video_id: str) -> Windows:
        """Each second of a video that has a feature of some stream."""
        found = self._features(library, video_id)
        lengths = [1.0 if one.rate is None else len(one.features) / one.rate for one in found]
        seconds = int(np.ceil(float(max(lengths))))
        spans = second_spans(seconds)
        whole = np.stack([np.arange(seconds), np.arange(seconds) + 1.0], axis=1)
        return Windows(whole, self._embedded(found, spans))

    def seen_until(self, library: Library, video_id: str) -> float:
        """The end of the longest stream, in seconds."""
        found = self._features(library, video_id)
        ends = (len(one.features) / one.rate for one in found if one.rate is not None)
        return float(max(ends, default=inf))

    def _embedded(
        self, found: Sequence[Features], spans: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        from howto.train.pack_source import pooled_clips

        pooled = pooled_clips(
            [one.features for one in found], [one.rate for one in found], spans, ()
        )
        edges = np.cumsum(list(self.streams.values()))[:-1]
        return self.embed_features(np.split(pooled.clips, edges, axis=1))

    def _features(self, library: Library, video_id: str) -> list[Features]:
        sets = zip(self.streams.items(), self.feature_sets(library), strict=True)
        return [_read(library, video_id, *stream, stored) for stream, stored in sets]

    # Which features

    @property
    def _source(self) -> Mapping[str, Any]:
        source: Mapping[str, Any] = self.config["recipe"].get("source", {})
        return source

    @property
    def _recorded(self) -> list[dict[str, Any]]:
        """The recipes of the features it was trained on; none where these were no library's."""
        recorded: list[dict[str, Any]] = self._source.get("features", [])
        return recorded

    def feature_sets(self, library: Library) -> tuple[StoredFeatures | None, ...]:
        """The sets of its features' recipes; of files of features, the library's of that name."""
        if self._recorded:
            return tuple(StoredFeatures(library, Recipe.of(**one)) for one in self._recorded)
        there = {
            stored.backbone for stored, counts in feature_sets(library) if counts.get(str(State.OK))
        }
        from howto.train.pack_source import chosen_features

        return tuple(
            chosen_features(library, [name])[0] if name in there else None for name in self.streams
        )

    def wanted(self) -> "tuple[Wanted, ...]":
        """What `extract` is to make: the same features that the run was trained on."""
        from howto.extract.choice import Choice, choose

        if not self._recorded:
            return choose(Choice(tuple(self.streams), self._device), download=False)
        found: list[Wanted] = []
        for name, parts in zip(self.streams, self._recorded, strict=True):
            if "frames" not in parts:
                raise UsageError(
                    f"the run {self.name!r} was trained on features of {name!r} that were "
                    "imported: import those of these videos too (howto features import)"
                )
            coded = parts["frames"]["sizing"] == "coded"
            protocol: Literal["displayed", "authors"] = "authors" if coded else "displayed"
            choice = Choice((name,), self._device, parts["precision"], protocol=protocol)
            (wanted,) = choose(choice, download=False)
            wanted.recipe.require_same(
                Recipe.of(**parts), f"features of {name} made now and those of {self.name!r}"
            )
            found.append(wanted)
        return tuple(found)


def _config(folder: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((folder / CONFIG).read_bytes())
    except (OSError, ValueError) as error:
        raise LibraryError(f"the run {folder} is damaged: {error}") from error
    if missing := [key for key in ("dim", "streams", "recipe", "options") if key not in config]:
        raise LibraryError(f"the run {folder} is damaged: its {CONFIG} has no {missing[0]}")
    return config


def _told(streams: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({dim})" for name, dim in streams.items())


def _read(
    library: Library, video_id: str, name: str, dim: int, stored: StoredFeatures | None
) -> Features:
    """The features of one stream.

    Raises:
        ItemError: as `read_of_item`; or they are of another form.
    """
    how = f"make them: howto extract {library.folder} --backbone {name}"
    missing = f"video {video_id} has no features of {name}; {how}"
    if stored is None:
        raise ItemError(Reason.NO_FEATURES, missing)
    found = read_of_item(stored.path(video_id), missing)
    if found.features.shape[1] != dim:
        raise ItemError(
            Reason.NO_FEATURES,
            f"video {video_id} has features of {name} of length {found.features.shape[1]}, and "
            f"the model takes {dim}",
        )
    return found

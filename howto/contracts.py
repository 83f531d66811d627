"""What a backend must offer: one Protocol per plugin kind, and its entry-point group.

A backend is a class with these attributes and methods; it inherits nothing from here. The suites of
`howto.testing` check the parts of a contract that types cannot say. How to write one:
docs/plugins.md.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from howto.records import Clip, FrameSpec, Narration, Video

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from howto.collect.fetched import Candidate, CaptionTrack, Described, Pace, Task

__all__ = [
    "CONTRACTS",
    "GROUPS",
    "Backbone",
    "Clipper",
    "NarrationSource",
    "RankedList",
    "Readiness",
    "Sampler",
    "Source",
]

GROUPS = {
    "sources": "howto.sources",
    "asr": "howto.asr",
    "clippers": "howto.clippers",
    "backbones": "howto.backbones",
    "samplers": "howto.samplers",
}
"""Plugin kind, as people write it, to its entry-point group."""


@runtime_checkable
class Source(Protocol):
    """Where videos come from: a site, a list of addresses, a published list, a folder.

    One object serves one run, in one process, one call at a time; it does not wait between calls:
    who calls does, as `polite` asks. Whatever a site or a file says of a video, only its `video_id`
    becomes part of a path. What each record holds: `howto.collect.fetched`.

    Attributes:
        name: the entry point's name, such as `youtube`.
        polite: seconds to wait between requests.
    """

    name: ClassVar[str]
    polite: "ClassVar[Pace]"

    def find(self, task: "Task | None", limit: int) -> "Iterator[Candidate]":
        """Yield what there is for a task in order of rank, at most `limit`; lazily.

        A source made of a list ignores the task and yields the list.

        Raises:
            UsageError: the list this source was made of cannot be read, or none was given.
            ItemError: the site does not answer, or refuses (`RATE_LIMITED`, `BOT_CHECK`,
                `NETWORK`).
        """
        ...

    def describe(self, candidate: "Candidate") -> "Described":
        """Find out what there is to know of a video without fetching it.

        Raises:
            ItemError: the site says no; the reason says why. `RetryLater` where it says until when.
        """
        ...

    def captions(self, described: "Described", track: "CaptionTrack", into: Path) -> Path:
        """Fetch one of the tracks described, whole.

        Args:
            described: as `describe` gave it, in this process.
            track: one of its tracks.
            into: an existing scratch folder.

        Returns:
            The file `<video_id>.<language>.<form>` in that folder, as the site has it: not parsed,
            not empty. Nothing else is left there.

        Raises:
            ItemError: TOKEN_NEEDED for an empty answer, BLOCKED for a web page, NO_CAPTIONS where
                the track is gone, RATE_LIMITED, BOT_CHECK, NETWORK, REFUSED_ADDRESS.
        """
        ...

    def media(self, described: "Described", height: int, into: Path) -> Path:
        """Fetch the video with its sound as one file that can be decoded, whole.

        Args:
            described: as `describe` gave it, in this process.
            height: the tallest picture wanted, in pixels; where there is only a taller one, the
                least tall of these.
            into: an existing scratch folder. What an earlier call for this video left there is
                continued where the site allows it.

        Returns:
            The file `<video_id>.<suffix>` in that folder. What else was needed is removed again;
            after an error it stays, to be continued.

        Raises:
            ItemError: NO_MEDIA, TRUNCATED (shorter than the site said), NOT_MEDIA, GONE, NETWORK,
                RATE_LIMITED, DISK_FULL, REFUSED_ADDRESS.
        """
        ...


@runtime_checkable
class RankedList(Protocol):
    """What a source made of a published list may offer beyond its contract: whose hits they are."""

    def hits(self) -> "Iterator[tuple[Task, Candidate]]":
        """Yield every row of the list: a task, and a video that was found for it, with its rank.

        Raises:
            UsageError: the list cannot be read, or none was given.
        """
        ...


@runtime_checkable
class NarrationSource(Protocol):
    """Where a narration comes from: a caption file, a stream, a site, a speech recogniser.

    Attributes:
        name: the entry point's name, such as `sidecar`.
        listens: it recognises speech, so it works on any video with sound and takes long. A source
            that listens is never started without being named or offered with an estimate first.
        sound_per_second: seconds of sound handled in one second of work on two CPU cores, for that
            estimate; irrelevant unless it listens.

    A source may also have a method `ready() -> str | None`, as `Readiness` says.
    """

    name: ClassVar[str]
    listens: ClassVar[bool]
    sound_per_second: ClassVar[float]

    def narrate(self, video: Video) -> Narration | None:
        """Return what is said in the video, or None where this source has nothing for it.

        Raises:
            ItemError: there is something, and it cannot be read; the reason says why.
        """
        ...


@runtime_checkable
class Readiness(Protocol):
    """What a narration source may offer beyond its contract: to say beforehand what it lacks.

    Only a source that is ready is offered to somebody who did not name one. One without this method
    counts as ready.
    """

    def ready(self) -> str | None:
        """Say what is missing, such as a file of weights and where it is wanted; None: nothing.

        Quick: no model is loaded, and nothing heavy is imported.
        """
        ...


@runtime_checkable
class Clipper(Protocol):
    """Cuts a video into clips with captions."""

    name: ClassVar[str]

    def pairs(self, narration: Narration, video: Video) -> list[Clip]:
        """Return the clips in order of start.

        Every clip lies within 0 and the video's duration (where it is known), has start <= end, and
        its caption holds only words of the narration. A narration without lines gives no captions.
        """
        ...


@runtime_checkable
class Backbone(Protocol):
    """A network, usually frozen, from frames to features.

    Attributes:
        name: the entry point's name, with the argument for a family: `torchvision:r2plus1d_18`.
        version: changes whenever the same frames would give other features.
        dim: D, the length of one feature.
        frames: rate and size of the frames it wants.
        frames_per_feature: how many consecutive frames make one feature; 1 for an image network.
    """

    name: str
    version: str
    dim: int
    frames: FrameSpec
    frames_per_feature: int

    def load(self, device: str, dtype: "torch.dtype", weights: str | None = None) -> None:
        """Get ready to encode; called once, in the process that encodes.

        Args:
            device: `cpu`, `cuda`, `cuda:1` or `mps`.
            dtype: the type to compute in; features come back as float32 all the same.
            weights: a path, or a name the backbone knows; None for its own default.

        Raises:
            PluginError: the weights are missing or do not fit; the message says what to do.
        """
        ...

    def encode(self, frames: "torch.Tensor") -> "torch.Tensor":
        """Map consecutive frames of one video to features.

        Args:
            frames: uint8 (T, H, W, 3), RGB, on any device. T is a multiple of `frames_per_feature`
                except at the end of the video, where the backbone pads as its protocol says.

        Returns:
            float32 (ceil(T / frames_per_feature), D), on the CPU, finite. The same frames give the
            same bits.
        """
        ...


@runtime_checkable
class Sampler(Protocol):
    """The negative sampler: chooses the pairs of each batch, and what each wrong pair weighs.

    Attributes:
        name: the entry point's name, such as `intra-video`.
    """

    name: ClassVar[str]

    def batches(
        self,
        offsets: "NDArray[np.int64]",
        videos_per_batch: int,
        pairs_per_video: int,
        rng: "np.random.Generator",
    ) -> "Iterator[NDArray[np.int64]]":
        """Yield the pair ids of each batch of one epoch.

        Args:
            offsets: int64 (V + 1,); the pairs of video v are offsets[v] .. offsets[v + 1] - 1. A
                video may have no pairs.
            videos_per_batch: videos in a batch; where the library has fewer with pairs, all of
                them.
            pairs_per_video: pairs drawn of each video, with replacement.
            rng: the only source of chance: the same state gives the same batches.

        Yields:
            int64 (B,), pairs of one video next to each other.
        """
        ...

    def weights(self, video_ids: "NDArray[np.int64]") -> "NDArray[np.float32]":
        """Return what each cell of the batch's score matrix weighs in the loss.

        Args:
            video_ids: int64 (B,), the video of each pair of the batch.

        Returns:
            float32 (B, B), finite, >= 0, symmetric, depending on equality of video ids alone.
        """
        ...


CONTRACTS: dict[str, type] = {
    "sources": Source,
    "asr": NarrationSource,
    "clippers": Clipper,
    "backbones": Backbone,
    "samplers": Sampler,
}

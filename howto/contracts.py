"""What a backend must offer: one Protocol per plugin kind, and its entry-point group.

A backend is a class with these attributes and methods; it inherits nothing from here. The suites of
`howto.testing` check the parts of a contract that types cannot say. How to write one:
docs/plugins.md.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from howto.records import Clip, FrameSpec, Narration, Video

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from howto.collect.fetched import Candidate, CaptionTrack, Described, Pace, Task
    from howto.evaluate.benchmarks.sets import BenchmarkSet
    from howto.joint.published import PublishedModel

__all__ = [
    "CONTRACTS",
    "GROUPS",
    "Aligner",
    "Backbone",
    "Benchmark",
    "Catalogue",
    "Clipper",
    "JointModel",
    "KnowsWords",
    "Loss",
    "NarrationSource",
    "RankedList",
    "Readiness",
    "Sampler",
    "ScoreFocus",
    "Source",
    "TextEncoder",
]

GROUPS = {
    "sources": "howto.sources",
    "asr": "howto.asr",
    "aligners": "howto.aligners",
    "clippers": "howto.clippers",
    "backbones": "howto.backbones",
    "text_encoders": "howto.text_encoders",
    "samplers": "howto.samplers",
    "losses": "howto.losses",
    "models": "howto.models",
    "benchmarks": "howto.benchmarks",
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
class Aligner(Protocol):
    """Says when the words of a caption are said, where the caption has no word times.

    Attributes:
        name: the entry point's name, with the argument for a family: `ctc:WAV2VEC2_ASR_BASE_960H`.
        version: changes whenever the same words, sound and weights would give other times.
        sound_per_second: seconds of sound handled in one second of work on two CPU cores, for an
            estimate.
    """

    name: str
    version: str
    sound_per_second: float

    def weights_hash(self) -> str | None:
        """Return a hash of the files of weights in use; None where the version says it all.

        Loads nothing.

        Raises:
            PluginError: a file is missing; the message names it.
        """
        ...

    def align(
        self, words: Sequence[str], samples: "NDArray[np.float32]"
    ) -> list[tuple[float, float]]:
        """Say when each word is said.

        Args:
            words: of one line, as they are written, in order; at least one.
            samples: float32 (n,), in [-1, 1], 16,000 a second, n >= 1: the sound of that line, and
                half a second before and after it.

        Returns:
            For each word start and end in seconds from the first sample, 0 <= start <= end <=
            n / 16,000, starts in order. The same words and sound give the same times.

        Raises:
            AlignmentError: these words cannot be laid over this sound; the message says why, in
                words that fit after "no word times for 3 lines: ".
            PluginError: the aligner cannot be used at all, such as for missing weights.
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
class TextEncoder(Protocol):
    """Captions to vectors, in the two steps that training needs apart.

    `tokenise` can run once for a whole library, and its rows be kept; `module` is what the training
    loop puts beside the gated unit, trains or leaves frozen, and stores in its checkpoint.

    The constructor takes the keyword option `max_words`, with a default.

    Attributes:
        name: the entry point's name, with the argument for a family: `clip:ViT-B-32.openai`.
        version: changes whenever the same captions would give other tokens or other vectors.
        dim: D, the length of one vector.
        trainable: the module's parameters go to the optimiser. Otherwise it is frozen: its vectors
            stay what they are through training, so they may be kept.
        max_words: L, the most tokens of a caption that count, as this encoder counts them: words,
            or pieces of words with the marks of start and end. The rest of a caption is dropped.
    """

    name: str
    version: str
    dim: int
    trainable: bool
    max_words: int

    def load(self, device: str, dtype: "torch.dtype", weights: str | None = None) -> None:
        """Get ready to tokenise and to encode; called once, in the process that does.

        A network without given weights takes its first values from torch's global generator alone.

        Args:
            device: `cpu`, `cuda`, `cuda:1` or `mps`.
            dtype: the type to compute in; vectors come back as float32 all the same.
            weights: a path, or a name the encoder knows; None for its own default.

        Raises:
            PluginError: the weights or the vocabulary are missing or do not fit; the message says
                what to do.
        """
        ...

    def tokenise(self, captions: Sequence[str]) -> "torch.Tensor":
        """Turn captions into the integers that the module reads.

        Args:
            captions: any number of any text; a caption may be empty, or of unknown words only.

        Returns:
            int64 (B, L) on the CPU, padded at the end. A caption's row depends on that caption
            alone, so rows can be stored and put together in any order.
        """
        ...

    def module(self) -> "torch.nn.Module":
        """Return the network, always the same object, on the device and in the type of `load`.

        It maps tokens, int64 (B, L) on its device, to float32 (B, D) there: finite, also for a
        caption of no known word. A vector does not depend on the other captions of the batch. Where
        the encoder is not trainable no parameter wants a gradient, and `train()` changes nothing.
        """
        ...


@runtime_checkable
class JointModel(Protocol):
    """A ready embedding of pictures and text in one space, compared by dot product.

    Attributes:
        name: the entry point's name, with the argument for a family: `clip:ViT-B-32.openai`.
        version: changes whenever the same frames or captions would give other embeddings.
        dim: D, the length of one embedding.
        frames: rate and size of the frames it wants.
        frames_per_window: how many consecutive frames make one embedding; 1 for an image network. A
            clip's embedding is the mean of the windows in it.
        normalised: all embeddings have length 1. Where they do not, their length counts.
    """

    name: str
    version: str
    dim: int
    frames: FrameSpec
    frames_per_window: int
    normalised: bool

    def load(self, device: str, dtype: "torch.dtype", weights: str | None = None) -> None:
        """Get ready to embed: as `Backbone.load`."""
        ...

    def embed_frames(self, frames: "torch.Tensor") -> "torch.Tensor":
        """Map consecutive frames of one video to embeddings.

        Args:
            frames: uint8 (T, H, W, 3), RGB, on any device. T is a multiple of `frames_per_window`
                except at the end of the video, where the model pads as its protocol says.

        Returns:
            float32 (ceil(T / frames_per_window), D), on the CPU, finite.
        """
        ...

    def embed_text(self, captions: Sequence[str]) -> "torch.Tensor":
        """Map captions to float32 (B, D) on the CPU: finite, also for one of no known word."""
        ...


@runtime_checkable
class Catalogue(Protocol):
    """What a joint model's class may offer beyond its contract: which published weights there are.

    A model with an attribute `fetch_as` fetches its weights where that text is given as `weights`
    and they are not there; without the attribute it does so where none are given. Either way only
    where `howto.extract.weights.may_fetch` allows it.
    """

    @classmethod
    def published(cls) -> "Sequence[PublishedModel]":
        """List some: of a family those that are good to begin with.

        Quick: nothing is constructed or fetched, and nothing heavy is imported.
        """
        ...


@runtime_checkable
class KnowsWords(Protocol):
    """What a joint model over whole words may offer beyond its contract.

    Without it a model counts as knowing every word, as models of parts of words do.
    """

    def known_words(self, captions: Sequence[str]) -> Sequence[bool]:
        """Say of each caption whether a word of it is known; called after `load`."""
        ...


@runtime_checkable
class Sampler(Protocol):
    """The negative sampler: chooses the pairs of each batch, and what each wrong pair weighs.

    Attributes:
        name: the entry point's name, such as `intra-video`.

    A sampler may also have a method `focus`, as `ScoreFocus` says.
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


@runtime_checkable
class ScoreFocus(Protocol):
    """What a sampler may offer beyond its contract: to choose negatives by the scores they have."""

    def focus(
        self, scores: "torch.Tensor", positives: "torch.Tensor", video_ids: "torch.Tensor"
    ) -> "torch.Tensor":
        """Say which cells of a batch count; the weights of the others become 0.

        Args:
            scores: float32 (B, C), without a gradient. Shapes are those of `Loss`.
            positives: bool (B, C), as for `Loss`.
            video_ids: int64 (B,), the video of each pair of the batch.

        Returns:
            bool (B, C), True at all positives.
        """
        ...


@runtime_checkable
class Loss(Protocol):
    """What training makes small: the scores of a batch in, one number out.

    Shapes: B clips; C = B * K captions, K candidates of each clip side by side. K = 1 is the usual
    case, in which clip i belongs to caption i.

    Attributes:
        name: the entry point's name, such as `max-margin`.
        normalised: it compares unit vectors; otherwise the length of an embedding counts, and a
            model trained with it leaves its embeddings as they are.
    """

    name: ClassVar[str]
    normalised: ClassVar[bool]

    def __call__(
        self, scores: "torch.Tensor", weights: "torch.Tensor", positives: "torch.Tensor"
    ) -> "torch.Tensor":
        """Return the loss of one batch.

        Args:
            scores: float32 (B, C), clip i against caption j. Not written to. A NaN among them gives
                NaN: it is never hidden.
            weights: float32 (B, C), >= 0, what a wrong pair weighs; 0 leaves it out. They carry no
                gradient.
            positives: bool (B, C): column j belongs to clip j // K, so that each row has K of them,
                and each column one.

        Returns:
            float32 (), finite for finite scores, with finite gradients: also where a clip or a
            caption has no negative, or no wrong pair has a weight. The order of the pairs does not
            matter.
        """
        ...


@runtime_checkable
class Benchmark(Protocol):
    """A published data set to score a model on: reads what a person has of its files.

    It downloads nothing and runs nothing that is in a file. What a set holds:
    `howto.evaluate.benchmarks.sets`.

    Attributes:
        name: the entry point's name, with the argument for a family: `moments:tacos`.
        protocol: `retrieval` (captions and clips), `steps` (of tasks, along whole videos) or
            `moments` (of queries, in a video that is given).
        splits: by name; the first is scored unless another is named.
        described: where the release is described, by title and authors.
    """

    name: str
    protocol: str
    splits: tuple[str, ...]
    described: str

    def read(
        self, data: Path, split: str, features: bool | None = None, trust_pickle: bool = False
    ) -> "BenchmarkSet":
        """Read one split: a `RetrievalSet`, `StepSet` or `MomentSet`, as the protocol says.

        The same files give the same set. A row that cannot be scored is in `about.lost`.

        Args:
            data: a folder with files of the release, or one file of it.
            features: True: clips with ready features, as files of the release hold them; False:
                places in videos; None: ready features where they are there.
            trust_pickle: load pickles freely, which **runs code of their maker**.

        Raises:
            UsageError: there is no such split, with those there are; a file is missing, with the
                names that were looked for and `described`; a file is damaged, with line or key; or
                ready features of a benchmark that has none.
        """
        ...


CONTRACTS: dict[str, type] = {
    "sources": Source,
    "asr": NarrationSource,
    "aligners": Aligner,
    "clippers": Clipper,
    "backbones": Backbone,
    "text_encoders": TextEncoder,
    "samplers": Sampler,
    "losses": Loss,
    "models": JointModel,
    "benchmarks": Benchmark,
}

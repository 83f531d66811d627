"""The exported suites: a sound backend passes, and each of many wrong ones is caught by name."""

import inspect
import itertools
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from howto.clip.lines import LinesClipper
from howto.collect.fetched import Candidate, CaptionTrack, Described, Pace
from howto.errors import (
    AlignmentError,
    CaptionError,
    ItemError,
    PluginError,
    Reason,
    UsageError,
)
from howto.media.encode import H264Writer
from howto.media.probe import probe
from howto.records import Clip, FrameSpec, Kind, Line, Narration, Video, Word
from howto.testing import (
    AlignerContract,
    BackboneContract,
    ClipperContract,
    JointModelContract,
    LossContract,
    NarrationSourceContract,
    PluginContract,
    SamplerContract,
    SourceContract,
    TextEncoderContract,
)

UNINSTALLED = {"test_is_found_by_its_name"}


def failures(suite: type[PluginContract], folder: Path) -> dict[str, str]:
    """Run a suite as pytest would, and return the message of each test that fails."""
    failed = {}
    for name, test in inspect.getmembers(suite, inspect.isfunction):
        if not name.startswith("test_"):
            continue
        for number, arguments in enumerate(calls(test)):
            if "tmp_path" in inspect.signature(test).parameters:
                arguments["tmp_path"] = folder / f"{name}{number}"
                arguments["tmp_path"].mkdir()
            try:
                test(suite(), **arguments)
            except pytest.skip.Exception:
                pass
            except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - a test may end so
                failed[name] = f"{type(error).__name__}: {error}"
    return failed


def calls(test: Any) -> Iterator[dict[str, Any]]:
    """Return the arguments of every case that its parametrize marks ask for."""
    axes = []
    for mark in getattr(test, "pytestmark", []):
        argument, values = mark.args[:2]
        axes.append([(argument, value) for value in values])
    return (dict(case) for case in itertools.product(*axes))


def suite_for(contract: type[PluginContract], backend: type) -> type[PluginContract]:
    return type(
        f"Test{backend.__name__}",
        (contract,),
        {"plugin": backend.name, "create": lambda self: backend()},
    )


# --- backbones ---


class SoundBackbone:
    """Mean colour of two frames each; a missing one counts as black."""

    name = "sound"
    version = "1"
    dim = 3
    frames = FrameSpec(rate=Fraction(2), short_side=6)
    frames_per_feature = 2

    def load(self, device: str, dtype: torch.dtype, weights: str | None = None) -> None:
        if weights is not None:
            raise PluginError("no weights to load")
        self.dtype = dtype

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        colours = frames.to(self.dtype).mean(dim=(1, 2)) / 255
        if len(colours) % 2:
            colours = torch.cat([colours, torch.zeros_like(colours[:1])])
        return colours.reshape(-1, 2, 3).mean(dim=1).float()


class Noisy(SoundBackbone):
    def encode(self, frames):
        features = super().encode(frames)
        return features + 1e-6 * torch.rand_like(features)


class UntrainedWeights(SoundBackbone):
    def load(self, device, dtype, weights=None):
        super().load(device, dtype, weights)
        self.scale = torch.rand(3)

    def encode(self, frames):
        return super().encode(frames) * self.scale


class HalfPrecision(SoundBackbone):
    def encode(self, frames):
        return super().encode(frames).half()


class ReturnsWhatItComputesIn(SoundBackbone):
    def encode(self, frames):
        return super().encode(frames).to(self.dtype)


class DropsTheRest(SoundBackbone):
    def encode(self, frames):
        return super().encode(frames[: len(frames) // 2 * 2])


class WritesToTheFrames(SoundBackbone):
    def encode(self, frames):
        features = super().encode(frames)
        frames.clamp_(max=250)
        return features


class DividesByItsLength(SoundBackbone):
    def encode(self, frames):
        features = super().encode(frames)
        return features / features.norm(dim=1, keepdim=True)


class SeesNothing(SoundBackbone):
    def encode(self, frames):
        return torch.ones_like(super().encode(frames))


class NormalisesOverTheVideo(SoundBackbone):
    def encode(self, frames):
        features = super().encode(frames)
        return features / features.max()


class KeepsTheGradient(SoundBackbone):
    def encode(self, frames):
        return super().encode(frames) * torch.ones(3, requires_grad=True)


class TrustsTheMemoryLayout(SoundBackbone):
    def encode(self, frames):
        _, height, width, _ = frames.shape
        strides = (height * width * 3, width * 3, 3, 1)
        return super().encode(frames.as_strided(frames.shape, strides))


class LandscapeOnly(SoundBackbone):
    def encode(self, frames):
        return super().encode(frames[:, :6, :9].reshape(-1, 6, 9, 3))


class TakesAnyWeights(SoundBackbone):
    def load(self, device, dtype, weights=None):
        self.dtype = dtype


class InexactRate(SoundBackbone):
    frames = replace(SoundBackbone.frames, rate=29.97)


class NoVersion(SoundBackbone):
    version = ""


class ForgetsFramesPerFeature:
    name, version, dim, frames = "forgets", "1", 3, SoundBackbone.frames
    load, encode = SoundBackbone.load, SoundBackbone.encode


class OtherArgument(SoundBackbone):
    def encode(self, pictures):
        return super().encode(pictures)


class DemandsWeights(SoundBackbone):
    def load(self, device, dtype, weights):
        super().load(device, dtype)


BACKBONES = [
    (Noisy, "test_the_same_bits_again", "a second call gave other features"),
    (UntrainedWeights, "test_the_same_bits_again", "a second object with the same weights"),
    (HalfPrecision, "test_shape_type_and_values", "expected float32, got torch.float16"),
    (ReturnsWhatItComputesIn, "test_computes_in_other_types", "in bfloat16: expected float32"),
    (DropsTheRest, "test_shape_type_and_values", "features of 1 frames: expected (1, 3), got (0"),
    (WritesToTheFrames, "test_leaves_the_frames_alone", "expected the frames unchanged"),
    (DividesByItsLength, "test_black_frames", "expected finite values, got inf or NaN"),
    (SeesNothing, "test_features_show_the_frames", "expected other features for darker frames"),
    (NormalisesOverTheVideo, "test_in_chunks_as_at_once", "in chunks of 2: expected differences"),
    (KeepsTheGradient, "test_shape_type_and_values", "expected no gradient"),
    (TrustsTheMemoryLayout, "test_frames_that_are_a_view", "as a permuted view gave other"),
    (LandscapeOnly, "test_portrait_video", "RuntimeError: shape"),
    (TakesAnyWeights, "test_refuses_unknown_weights", "DID NOT RAISE"),
    (InexactRate, "test_says_what_it_is", "frames.rate: expected a positive Fraction"),
    (NoVersion, "test_says_what_it_is", "version: expected text, got ''"),
    (ForgetsFramesPerFeature, "test_has_what_the_contract_lists", "attribute frames_per_feature"),
    (OtherArgument, "test_has_what_the_contract_lists", "got encode(pictures)"),
    (DemandsWeights, "test_has_what_the_contract_lists", "expected load(device"),
]


# --- text encoders ---


class SoundEncoder:
    """The sum of a learned row for each word, over the number of words."""

    name = "sound"
    version = "1"
    dim = 6
    trainable = True

    def __init__(self, max_words=8):
        self.max_words = max_words

    def load(self, device, dtype, weights=None):
        if weights is not None:
            raise PluginError("no weights to load")
        self.network = SumOfWords(self.dim).to(device, dtype)

    def tokenise(self, captions):
        rows = [self.words(caption) for caption in captions]
        padded = [row[: self.max_words] + [0] * (self.max_words - len(row)) for row in rows]
        return torch.tensor(padded, dtype=torch.int64).reshape(len(rows), self.max_words)

    def words(self, caption):
        return [1 + sum(map(ord, word)) % 500 for word in caption.lower().split()]

    def module(self):
        return self.network


class SumOfWords(torch.nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.rows = torch.nn.Embedding(501, dim, padding_idx=0)

    def forward(self, tokens):
        return self.rows(tokens).float().sum(1) / (tokens > 0).sum(1, keepdim=True).clamp(min=1)


class FrozenEncoder(SoundEncoder):
    trainable = False

    def load(self, device, dtype, weights=None):
        torch.manual_seed(3)
        super().load(device, dtype, weights)
        self.network.requires_grad_(False)


def reading(change):
    """An encoder whose module is changed: `change` gets its vectors and its tokens."""

    class Changed(SumOfWords):
        def forward(self, tokens):
            return change(super().forward(tokens), tokens)

    class Encoder(SoundEncoder):
        def load(self, device, dtype, weights=None):
            super().load(device, dtype, weights)
            self.network = Changed(self.dim).to(device, dtype)

    return Encoder


class DividesByNoWords(SoundEncoder):
    def load(self, device, dtype, weights=None):
        super().load(device, dtype, weights)
        network = self.network
        network.forward = lambda ids: network.rows(ids).float().sum(1) / (ids > 0).sum(1)[:, None]


class PadsToTheLongest(SoundEncoder):
    def tokenise(self, captions):
        tokens = super().tokenise(captions)
        return tokens[:, : max(1, int((tokens > 0).sum(1).max()))] if captions else tokens


class IgnoresMaxWords(SoundEncoder):
    def __init__(self, max_words=8):
        super().__init__(8)


class NumbersWordsAsTheyCome(SoundEncoder):
    def tokenise(self, captions):
        seen = sorted({word for caption in captions for word in caption.split()})
        return super().tokenise([" ".join(str(seen.index(w)) for w in c.split()) for c in captions])


class KeepsTheLastWords(SoundEncoder):
    def words(self, caption):
        return super().words(caption)[-self.max_words :][::-1]


class SmallTokens(SoundEncoder):
    def tokenise(self, captions):
        return super().tokenise(captions).int()


class NothingForNothing(SoundEncoder):
    def tokenise(self, captions):
        return torch.stack([super(NothingForNothing, self).tokenise([c])[0] for c in captions])


class EveryCaptionTheSame(SoundEncoder):
    def words(self, caption):
        return [1] if caption.strip() else []


class SaysItTrains(FrozenEncoder):
    trainable = True


class SaysItIsFrozen(SoundEncoder):
    trainable = False


class DropsOutInTraining(FrozenEncoder):
    def load(self, device, dtype, weights=None):
        super().load(device, dtype, weights)
        self.network = torch.nn.Sequential(self.network, torch.nn.Dropout(0.5)).eval()


class InferenceOnly(FrozenEncoder):
    def load(self, device, dtype, weights=None):
        super().load(device, dtype, weights)
        self.network.forward = torch.inference_mode()(self.network.forward)


class ModuleAnew(SoundEncoder):
    def module(self):
        return torch.nn.Sequential(self.network)


class HidesState(SoundEncoder):
    def load(self, device, dtype, weights=None):
        super().load(device, dtype, weights)
        self.network.forward = lambda ids, rows=self.network.rows: rows(ids).sum(1).float() + shift
        shift = torch.rand(1)


NormalisesOverTheBatch = reading(lambda vectors, _: vectors / vectors.norm())
WritesToTheTokens = reading(lambda vectors, tokens: (tokens.clamp_(max=3), vectors)[1])
HalfVectors = reading(lambda vectors, _: vectors.half())
TokenVectors = reading(lambda vectors, tokens: vectors[:, None].expand(-1, tokens.shape[1], -1))

TEXT_ENCODERS = [
    (DividesByNoWords, "test_captions_of_no_known_word", "expected finite values"),
    (PadsToTheLongest, "test_tokens_are_rows_of_one_length", "tokens: expected (1, 8), got (1, 3)"),
    (IgnoresMaxWords, "test_max_words_is_an_option", "max_words=3: expected it kept, got 8"),
    (NumbersWordsAsTheyCome, "test_tokens_are_a_captions_own", "the same tokens as alone"),
    (KeepsTheLastWords, "test_drops_what_is_too_long", "words past max_words to be dropped"),
    (SmallTokens, "test_tokens_are_rows_of_one_length", "expected int64, got torch.int32"),
    (NothingForNothing, "test_tokens_are_rows_of_one_length", "RuntimeError"),
    (EveryCaptionTheSame, "test_captions_differ", "expected other vectors for 'cut the onion'"),
    (SaysItTrains, "test_what_is_trainable_learns", "parameters that want a gradient"),
    (SaysItIsFrozen, "test_what_is_frozen_stays", "expected no parameter that wants a gradient"),
    (DropsOutInTraining, "test_what_is_frozen_stays", "train() gave other vectors"),
    (InferenceOnly, "test_what_is_frozen_stays", "expected vectors a loss can use"),
    (ModuleAnew, "test_is_one_module", "expected the same module"),
    (HidesState, "test_its_state_can_be_stored", "the state dict in a new object"),
    (NormalisesOverTheBatch, "test_the_order_of_the_batch", "alone: expected differences up to"),
    (WritesToTheTokens, "test_leaves_the_tokens_alone", "expected the tokens unchanged"),
    (HalfVectors, "test_shape_type_and_values", "expected float32, got torch.float16"),
    (TokenVectors, "test_shape_type_and_values", "expected (1, 6), got (1, 8, 6)"),
]


class TextEncoders(TextEncoderContract):
    """An encoder of this file is constructed by its class."""

    def create_with(self, **options):
        return type(self.create())(**options)


# --- joint models ---


class SoundModel:
    """Length-one sums of colours over two frames; captions by their letters."""

    name = "sound"
    version = "1"
    dim = 3
    frames = FrameSpec(rate=Fraction(2), short_side=6)
    frames_per_window = 2
    normalised = True

    def load(self, device: str, dtype: torch.dtype, weights: str | None = None) -> None:
        if weights is not None:
            raise PluginError("no weights to load")
        self.dtype = dtype

    def embed_frames(self, frames: torch.Tensor) -> torch.Tensor:
        colours = frames.float().mean(dim=(1, 2))
        if len(colours) % 2:
            colours = torch.cat([colours, torch.zeros_like(colours[:1])])
        return self.unit(colours.reshape(-1, 2, 3).sum(1))

    def embed_text(self, captions):
        letters = [[len(c), c.count("o"), sum(map(ord, c)) % 7] for c in captions]
        return self.unit(torch.tensor(letters, dtype=torch.float32).reshape(-1, 3))

    def unit(self, vectors):
        shifted = vectors + torch.tensor([1.0, 2.0, 0.0])
        return shifted / shifted.norm(dim=1, keepdim=True)


class NotOfLengthOne(SoundModel):
    def unit(self, vectors):
        return vectors + 1


class DividesByLength(SoundModel):
    def unit(self, vectors):
        return vectors / vectors.norm(dim=1, keepdim=True)


class OneForTheVideo(SoundModel):
    def embed_frames(self, frames):
        return super().embed_frames(frames).mean(0, keepdim=True)


class LosesTheRest(SoundModel):
    def embed_frames(self, frames):
        return super().embed_frames(frames[: len(frames) // 2 * 2])


class MeanOverTheCaptions(SoundModel):
    def embed_text(self, captions):
        text = super().embed_text(captions)
        return self.unit(text - text.mean(0)) if len(captions) else text


class BlindModel(SoundModel):
    def embed_frames(self, frames):
        return self.unit(super().embed_frames(frames) * 0)


class DeafModel(SoundModel):
    def embed_text(self, captions):
        return self.unit(super().embed_text(captions) * 0)


class RandomModel(SoundModel):
    def load(self, device, dtype, weights=None):
        super().load(device, dtype, weights)
        self.turn = torch.rand(3)

    def unit(self, vectors):
        return super().unit(vectors * self.turn)


class TextInItsOwnType(SoundModel):
    def embed_text(self, captions):
        return super().embed_text(captions).to(self.dtype)


class TakesAnyModelWeights(SoundModel):
    def load(self, device, dtype, weights=None):
        self.dtype = dtype


class NoWindow(SoundModel):
    frames_per_window = 0


class DrawsOnTheFrames(SoundModel):
    def embed_frames(self, frames):
        embeddings = super().embed_frames(frames)
        frames[..., 0] = 0
        return embeddings


MODELS = [
    (NotOfLengthOne, "test_frames_to_embeddings", "expected length 1, got one that is off by"),
    (DividesByLength, "test_black_frames", "expected finite values"),
    (OneForTheVideo, "test_frames_to_embeddings", "3 frames: expected (2, 3), got (1, 3)"),
    (LosesTheRest, "test_frames_to_embeddings", "1 frames: expected (1, 3), got (0, 3)"),
    (MeanOverTheCaptions, "test_windows_and_captions_stand_alone", "caption by caption: expected"),
    (BlindModel, "test_embeddings_show_what_they_are_of", "for darker frames"),
    (DeafModel, "test_embeddings_show_what_they_are_of", "expected other embeddings for 'cut the"),
    (RandomModel, "test_the_same_bits_again", "a new object: other embeddings of frames"),
    (TextInItsOwnType, "test_computes_in_other_types", "captions in bfloat16: expected float32"),
    (TakesAnyModelWeights, "test_refuses_unknown_weights", "DID NOT RAISE"),
    (NoWindow, "test_says_what_it_is", "frames_per_window: expected an int >= 1, got 0"),
    (DrawsOnTheFrames, "test_leaves_the_frames_alone", "expected the frames unchanged"),
]


# --- samplers ---


class SoundSampler:
    name = "sound"

    def batches(self, offsets, videos_per_batch, pairs_per_video, rng):
        videos = rng.permutation(np.flatnonzero(np.diff(offsets)))
        size = min(videos_per_batch, len(videos))
        for batch in range(len(videos) // size if size else 0):
            chosen = videos[batch * size : (batch + 1) * size, None]
            low, high = offsets[chosen], offsets[chosen + 1]
            yield rng.integers(low, high, (size, pairs_per_video)).ravel()

    def weights(self, video_ids):
        return np.where(np.equal.outer(video_ids, video_ids), 2.0, 0.5).astype(np.float32)


class MixesVideos(SoundSampler):
    def batches(self, offsets, videos_per_batch, pairs_per_video, rng):
        for batch in super().batches(offsets, videos_per_batch, pairs_per_video, rng):
            yield rng.permutation(batch)


class NeverShrinks(SoundSampler):
    def batches(self, offsets, videos_per_batch, pairs_per_video, rng):
        if (np.diff(offsets) > 0).sum() >= videos_per_batch:
            yield from super().batches(offsets, videos_per_batch, pairs_per_video, rng)


class KeepsThePartialBatch(SoundSampler):
    def batches(self, offsets, videos_per_batch, pairs_per_video, rng):
        yield from super().batches(offsets, videos_per_batch, pairs_per_video, rng)
        yield from super().batches(offsets[:2], videos_per_batch, pairs_per_video, rng)


class NeverEnds(SoundSampler):
    def batches(self, *arguments):
        while True:
            yield from super().batches(*arguments)
            if not arguments[0][-1]:
                return


class SmallIds(SoundSampler):
    def batches(self, *arguments):
        return (batch.astype(np.int32) for batch in super().batches(*arguments))


class GlobalChance(SoundSampler):
    def batches(self, offsets, videos_per_batch, pairs_per_video, rng):
        other = np.random.default_rng(random.getrandbits(32))
        return super().batches(offsets, videos_per_batch, pairs_per_video, other)


class NoChance(SoundSampler):
    def batches(self, offsets, videos_per_batch, pairs_per_video, rng):
        return super().batches(offsets, videos_per_batch, pairs_per_video, np.random.default_rng(0))


class NeverTheLastPair(SoundSampler):
    def batches(self, offsets, videos_per_batch, pairs_per_video, rng):
        for batch in super().batches(offsets, videos_per_batch, pairs_per_video, rng):
            last = np.isin(batch, offsets[1:] - 1) & ~np.isin(batch, offsets[:-1])
            yield batch - last


class FailsOnAnEmptyLibrary(SoundSampler):
    def batches(self, offsets, videos_per_batch, pairs_per_video, rng):
        if not offsets[-1]:
            raise IndexError("no pairs")
        return super().batches(offsets, videos_per_batch, pairs_per_video, rng)


class WritesToTheOffsets(SoundSampler):
    def batches(self, offsets, videos_per_batch, pairs_per_video, rng):
        offsets -= offsets[0]
        return super().batches(offsets, videos_per_batch, pairs_per_video, rng)


class DividesByTheOthers(SoundSampler):
    def weights(self, video_ids):
        same = np.equal.outer(video_ids, video_ids)
        with np.errstate(all="ignore"):
            return (same / (~same).mean()).astype(np.float32)


class Negative(SoundSampler):
    def weights(self, video_ids):
        return super().weights(video_ids) - 1


class OneSided(SoundSampler):
    def weights(self, video_ids):
        return np.triu(super().weights(video_ids))


class DoublePrecision(SoundSampler):
    def weights(self, video_ids):
        return super().weights(video_ids).astype(np.float64)


class WeighsByDistance(SoundSampler):
    def weights(self, video_ids):
        return np.abs(np.subtract.outer(video_ids, video_ids)).astype(np.float32)


class WeighsNothing(SoundSampler):
    def weights(self, video_ids):
        return np.eye(len(video_ids), dtype=np.float32)


SAMPLERS = [
    (MixesVideos, "test_batches_are_whole", "side by side"),
    (NeverShrinks, "test_batches_are_whole", "expected at least one batch, got none"),
    (KeepsThePartialBatch, "test_batches_are_whole", "expected shape"),
    (NeverEnds, "test_batches_are_whole", "expected an end of the epoch"),
    (SmallIds, "test_batches_are_whole", "expected pair ids as int64, got int32"),
    (GlobalChance, "test_the_same_rng_gives_the_same_batches", "expected the same batches"),
    (NoChance, "test_the_same_rng_gives_the_same_batches", "expected other batches"),
    (NeverTheLastPair, "test_every_pair_can_be_drawn", "never drawn: [2, 4, 8]"),
    (FailsOnAnEmptyLibrary, "test_nothing_to_draw", "IndexError: no pairs"),
    (WritesToTheOffsets, "test_leaves_the_offsets_alone", "read-only"),
    (DividesByTheOthers, "test_weights_are_numbers", "expected finite weights"),
    (Negative, "test_weights_are_numbers", "expected weights >= 0"),
    (OneSided, "test_weights_are_numbers", "expected symmetry"),
    (DoublePrecision, "test_weights_are_numbers", "expected float32, got float64"),
    (WeighsByDistance, "test_weights_know_only_which_videos_are_equal", "for other ids"),
    (WeighsNothing, "test_weights_leave_something_to_learn", "all are 0"),
]


# --- clippers ---


class LatestFirst(LinesClipper):
    def pairs(self, narration, video):
        return super().pairs(narration, video)[::-1]


class PastTheEnd(LinesClipper):
    def pairs(self, narration, video):
        return [Clip(video.video_id, line.start, line.end, line.text) for line in narration.lines]


class MarksSilence(LinesClipper):
    def pairs(self, narration, video):
        return super().pairs(narration, video) or [Clip(video.video_id, 0, 1, "silence")]


class Annotates(LinesClipper):
    def pairs(self, narration, video):
        clips = super().pairs(narration, video)
        return [replace(clip, caption=f"{clip.caption} applause") for clip in clips]


class OtherVideo(LinesClipper):
    def pairs(self, narration, video):
        return [replace(clip, video_id="") for clip in super().pairs(narration, video)]


class Lazy(LinesClipper):
    def pairs(self, narration, video):
        yield from super().pairs(narration, video)


class Remembers(LinesClipper):
    def __init__(self):
        self.clips = []

    def pairs(self, narration, video):
        self.clips = sorted(self.clips + super().pairs(narration, video), key=lambda c: c.start)
        return self.clips


class DropsEverything(LinesClipper):
    def pairs(self, narration, video):
        return []


class NeedsTheDuration(LinesClipper):
    def pairs(self, narration, video):
        return [clip for clip in super().pairs(narration, video) if clip.end < video.info.duration]


CLIPPERS = [
    (LatestFirst, "test_clips_are_inside_the_video_and_in_order", "in order of start"),
    (PastTheEnd, "test_clips_are_inside_the_video_and_in_order", "<= 60.0, got Clip"),
    (MarksSilence, "test_nothing_said_gives_no_caption", "expected no captions"),
    (Annotates, "test_captions_hold_only_what_is_said", "got ['applause'] too"),
    (OtherVideo, "test_clips_are_records_of_this_video", "expected video_id 'contract', got ''"),
    (Lazy, "test_clips_are_records_of_this_video", "expected a list, got generator"),
    (Remembers, "test_the_same_again", "a second call gave other clips"),
    (DropsEverything, "test_something_comes_of_a_narration", "got none of any narration"),
    (NeedsTheDuration, "test_clips_are_records_of_this_video", "AttributeError"),
]


# --- narration sources ---


class SoundSource:
    """Reads `start end text` lines from a .txt beside the video."""

    name = "sound"
    listens = False
    sound_per_second = 1000.0

    def narrate(self, video: Video) -> Narration | None:
        file = video.path.with_suffix(".txt")
        if not file.exists():
            return None
        rows = [row.split() for row in file.read_text().splitlines()]
        try:
            lines = [Line(float(start), float(end), text) for start, end, text in rows]
        except ValueError as error:
            raise CaptionError(Reason.UNREADABLE_CAPTIONS) from error
        return Narration(tuple(lines), "en", Kind.MANUAL, file.name)


class LastLineFirst(SoundSource):
    def narrate(self, video):
        narration = super().narrate(video)
        return narration and replace(narration, lines=narration.lines[::-1])


class EndsBeforeItStarts(SoundSource):
    def narrate(self, video):
        narration = super().narrate(video)
        lines = (Line(2.0, 1.0, "backwards"),)
        return narration and replace(narration, lines=lines)


class WordsInDisorder(SoundSource):
    def narrate(self, video):
        narration = super().narrate(video)
        words = (Word(2.0, 3.0, "b"), Word(1.0, 2.0, "a"))
        return narration and replace(narration, lines=(Line(1.0, 3.0, "a b", words),))


class BlankLines(SoundSource):
    def narrate(self, video):
        narration = super().narrate(video)
        return narration and replace(narration, lines=(Line(1.0, 3.0, " "),))


class EmptyForNothing(SoundSource):
    def narrate(self, video):
        return super().narrate(video) or Narration((), None, Kind.MANUAL, "nothing")


class ForeignError(SoundSource):
    def narrate(self, video):
        try:
            return super().narrate(video)
        except CaptionError as error:
            raise ValueError("could not convert string to float") from error


class CachesBesideTheVideo(SoundSource):
    def narrate(self, video):
        video.path.with_suffix(".cache").write_text("done")
        return super().narrate(video)


class Forgetful(SoundSource):
    calls = itertools.count()

    def narrate(self, video):
        narration = super().narrate(video)
        return narration and replace(narration, source=f"call {next(self.calls)}")


class EmptyLanguage(SoundSource):
    def narrate(self, video):
        narration = super().narrate(video)
        return narration and replace(narration, language="")


class ListensAtNoRate(SoundSource):
    listens, sound_per_second = True, 0.0


SOURCES = [
    (LastLineFirst, "test_lines_are_sorted_and_timed", "expected lines sorted by start"),
    (EndsBeforeItStarts, "test_lines_are_sorted_and_timed", "expected 0 <= start <= end"),
    (WordsInDisorder, "test_lines_are_sorted_and_timed", "expected its words in order"),
    (BlankLines, "test_lines_are_sorted_and_timed", "expected text, got ' '"),
    (EmptyForNothing, "test_nothing_there_is_none", "silent.mp4: expected None"),
    (ForeignError, "test_unreadable_is_an_item_error", "ValueError"),
    (CachesBesideTheVideo, "test_leaves_the_files_alone", "changed: ['said.cache']"),
    (Forgetful, "test_the_same_again", "a second call gave another narration"),
    (EmptyLanguage, "test_says_what_it_is", "language: expected a BCP 47 tag"),
    (ListensAtNoRate, "test_says_how_it_works", "sound_per_second: expected seconds of sound"),
]


# --- aligners ---


class SoundAligner:
    """Spreads words that have letters evenly over the sound."""

    name, version, sound_per_second = "sound", "1", 5.0

    def weights_hash(self):
        return None

    def align(self, words, samples):
        if not any(letter.isalpha() for word in words for letter in word):
            raise AlignmentError("no word of it has a letter")
        each = len(samples) / 16_000 / len(words)
        return [(at * each, (at + 1) * each) for at in range(len(words))]


class LastWordLost(SoundAligner):
    def align(self, words, samples):
        return super().align(words, samples)[:-1]


class WordsAfterTheSound(SoundAligner):
    def align(self, words, samples):
        return [(start + 1, end + 1) for start, end in super().align(words, samples)]


class LastWordFirst(SoundAligner):
    def align(self, words, samples):
        return super().align(words, samples)[::-1]


class RemembersSound(SoundAligner):
    calls = itertools.count(1)

    def align(self, words, samples):
        late = 1e-4 / next(self.calls)
        return [(start, end - late) for start, end in super().align(words, samples)]


class TurnsTheSoundDown(SoundAligner):
    def align(self, words, samples):
        samples *= 0.5
        return super().align(words, samples)


class AlignsAnything(SoundAligner):
    def align(self, words, samples):
        return super().align(["a"] * len(words), samples)


class NoVersion(SoundAligner):
    version = ""


class RandomHash(SoundAligner):
    def weights_hash(self):
        return str(random.random())


ALIGNERS = [
    (LastWordLost, "test_every_word_has_its_time", "expected 4 times, one for each, got 3"),
    (WordsAfterTheSound, "test_every_word_has_its_time", "expected 0 <= start <= end <= 2.0"),
    (LastWordFirst, "test_every_word_has_its_time", "expected words in order of start"),
    (RemembersSound, "test_the_same_again", "a second call gave other times"),
    (TurnsTheSoundDown, "test_the_sound_is_left_as_it_is", "expected the samples as they were"),
    (AlignsAnything, "test_words_it_knows_nothing_of", "DID NOT RAISE"),
    (NoVersion, "test_says_what_it_depends_on", "version: expected text, got ''"),
    (RandomHash, "test_says_what_it_depends_on", "expected the same for the same files"),
]


class Spoken(AlignerContract):
    """What the aligners of this test are given."""

    def speech(self):
        samples = np.random.default_rng(0).uniform(-1, 1, 32_000).astype(np.float32)
        return ("fold", "the", "left", "sleeve"), samples


# --- what narration sources are given ---


class TextFiles(NarrationSourceContract):
    """What the narration sources of this test are given."""

    def narrated_videos(self, folder):
        (folder / "said.txt").write_text("0.5 2 fold\n3 4 done\n")
        return [Video("said", folder / "said.mp4")]

    def silent_videos(self, folder):
        return [Video("silent", folder / "silent.mp4")]

    def unreadable_videos(self, folder):
        (folder / "bad.txt").write_text("one two three\n")
        return [Video("bad", folder / "bad.mp4")]


# --- sources ---


class FilmSource:
    """Two films in memory, one of them with captions."""

    name = "films"
    polite = Pace(requests=1.0, captions=2.0, media=3.0)
    films = ()

    def find(self, task, limit):
        if task is None:
            raise UsageError("ask for something")
        return iter(self.candidates()[:limit])

    def candidates(self):
        return [
            Candidate(f"films-{number}", self.name, f"memory:{number}", number, "../x")
            for number, _ in enumerate(self.films, start=1)
        ]

    def describe(self, candidate):
        if candidate.rank > len(self.films):
            raise ItemError(Reason.GONE)
        tracks = (CaptionTrack("en", Kind.MANUAL, "vtt", "en"),) if candidate.rank == 1 else ()
        return Described(candidate, title=candidate.title, duration=2.0, tracks=tracks, raw={})

    def captions(self, described, track, into):
        path = into / f"{described.candidate.video_id}.{track.language}.{track.form}"
        path.write_text("WEBVTT\n")
        return path

    def media(self, described, height, into):
        path = into / f"{described.candidate.video_id}.mp4"
        path.write_bytes(self.films[described.candidate.rank - 1])
        return path


class Films(SourceContract):
    is_search = True

    def offering(self, folder):
        source = self.create()
        source.films = [film(folder / "film.mp4")] * 2
        return source

    def refused(self, folder):
        return [(self.create(), Candidate("films-9", "films", "memory:9", 9))]


def film(path: Path) -> bytes:
    with H264Writer(path, width=16, height=16, frame_rate=Fraction(2)) as writer:
        for _ in range(4):
            writer.write_frame(np.zeros((16, 16, 3), np.uint8))
    return path.read_bytes()


class TitlesAsIds(FilmSource):
    def candidates(self):
        return [replace(each, video_id=each.title) for each in super().candidates()]


class SameIdTwice(FilmSource):
    def candidates(self):
        return [replace(each, video_id="films-1") for each in super().candidates()]


class AnothersName(FilmSource):
    def candidates(self):
        return [replace(each, source="youtube") for each in super().candidates()]


class RanksFromZero(FilmSource):
    def candidates(self):
        return [replace(each, rank=each.rank - 1) for each in super().candidates()]


class MoreThanAsked(FilmSource):
    def find(self, task, limit):
        return super().find(task, limit + 1)


class NothingWithoutATask(FilmSource):
    def find(self, task, limit):
        return iter(()) if task is None else super().find(task, limit)


class ImpatientSource(FilmSource):
    polite = Pace(requests=-1.0)


class ComparesWhatItNeeds(FilmSource):
    def describe(self, candidate):
        return replace(super().describe(candidate), title=str(random.random()))


class NoDuration(FilmSource):
    def describe(self, candidate):
        return replace(super().describe(candidate), duration=0.0)


class LanguageFromTheSite(FilmSource):
    def describe(self, candidate):
        found = super().describe(candidate)
        return replace(found, tracks=(CaptionTrack("../x", Kind.MANUAL, "vtt", "en"),))


class EmptyCaptions(FilmSource):
    def captions(self, described, track, into):
        path = super().captions(described, track, into)
        path.write_text("")
        return path


class LeavesParts(FilmSource):
    def media(self, described, height, into):
        (into / "left.part").touch()
        return super().media(described, height, into)


class HalfAFilm(FilmSource):
    def describe(self, candidate):
        return replace(super().describe(candidate), duration=60.0)


class KeyErrorForRefusal(FilmSource):
    def describe(self, candidate):
        if candidate.rank > len(self.films):
            raise KeyError(candidate.address)
        return super().describe(candidate)


VIDEO_SOURCES = [
    (TitlesAsIds, "test_candidates_are_safe_and_in_order", "video_id '../x'"),
    (SameIdTwice, "test_candidates_are_safe_and_in_order", "expected each video once"),
    (AnothersName, "test_candidates_are_safe_and_in_order", "expected 'films', got 'youtube'"),
    (RanksFromZero, "test_candidates_are_safe_and_in_order", "expected ranks 1, 2"),
    (MoreThanAsked, "test_no_more_than_the_limit", "limit 1: expected"),
    (NothingWithoutATask, "test_without_a_list_it_says_so", "DID NOT RAISE"),
    (ImpatientSource, "test_says_how_fast_it_may_be_asked", "polite.requests"),
    (ComparesWhatItNeeds, "test_describes_what_it_offers", "described anew"),
    (NoDuration, "test_describes_what_it_offers", "expected a duration in seconds or None"),
    (LanguageFromTheSite, "test_describes_what_it_offers", "expected a BCP 47 tag, got '../x'"),
    (EmptyCaptions, "test_captions_are_one_whole_file", "it is empty"),
    (LeavesParts, "test_media_is_one_whole_file", "and nothing else"),
    (HalfAFilm, "test_media_is_one_whole_file", "described as 60.0 s"),
    (KeyErrorForRefusal, "test_a_refusal_has_a_reason", "KeyError"),
]


# --- losses ---


class SoundLoss:
    """The mean of how far wrong pairs score above right ones, smoothed."""

    name = "sound"
    normalised = True

    def __call__(self, scores, weights, positives):
        right = scores.masked_fill(~positives, 0).sum(1, keepdim=True) / positives.sum(1)[:, None]
        apart = torch.nn.functional.softplus(5 * (scores - right))
        return (apart * weights.masked_fill(positives, 0)).sum() / scores.numel()


class AMeanOfNone(SoundLoss):
    def __call__(self, scores, weights, positives):
        return super().__call__(scores, weights, positives) / (~positives).sum() * 9


class OneForEachClip(SoundLoss):
    def __call__(self, scores, weights, positives):
        return super().__call__(scores, weights, positives).reshape(1)


class IgnoresWeights(SoundLoss):
    def __call__(self, scores, weights, positives):
        return super().__call__(scores, torch.ones_like(weights), positives)


class OnlyMasks(SoundLoss):
    def __call__(self, scores, weights, positives):
        return super().__call__(scores, (weights > 0).float(), positives)


class Backwards(SoundLoss):
    def __call__(self, scores, weights, positives):
        return -super().__call__(scores, weights, positives)


class HidesNan(SoundLoss):
    def __call__(self, scores, weights, positives):
        return super().__call__(scores.nan_to_num(), weights, positives)


class MasksNan(SoundLoss):
    def __call__(self, scores, weights, positives):
        return super().__call__(scores.masked_fill(weights == 0, 0), weights, positives)


class WritesToTheWeights(SoundLoss):
    def __call__(self, scores, weights, positives):
        return super().__call__(scores, weights.masked_fill_(positives, 0), positives)


class LosesTheGradient(SoundLoss):
    def __call__(self, scores, weights, positives):
        return super().__call__(scores.detach(), weights, positives) + 0 * scores.sum()


class DropsAtRandom(SoundLoss):
    def __call__(self, scores, weights, positives):
        kept = torch.rand(weights.shape) < 0.9
        return super().__call__(scores, weights * kept, positives)


class FirstClipOnly(SoundLoss):
    def __call__(self, scores, weights, positives):
        first = torch.zeros_like(weights)
        first[0] = weights[0]
        return super().__call__(scores, first, positives)


LOSSES = [
    (AMeanOfNone, "test_is_one_number", "expected a finite loss, got nan"),
    (OneForEachClip, "test_is_one_number", "expected one number, got (1,)"),
    (IgnoresWeights, "test_what_weighs_nothing_does_not_matter", "where the weight is 0"),
    (OnlyMasks, "test_weights_count", "expected a greater gradient for weight 10"),
    (Backwards, "test_right_pairs_rise_and_wrong_ones_fall", "no wrong pair's score to rise"),
    (HidesNan, "test_a_nan_is_not_hidden", "expected NaN for a NaN in cell"),
    (MasksNan, "test_a_nan_is_not_hidden", "expected NaN for a NaN in cell"),
    (WritesToTheWeights, "test_does_not_write", "expected the weights unchanged"),
    (LosesTheGradient, "test_a_step_down_the_gradient", "expected a gradient that is not 0"),
    (DropsAtRandom, "test_the_same_bits_again", "gave another loss"),
    (FirstClipOnly, "test_the_order_of_the_pairs", "in another order"),
]


# --- the suites on all of them ---


@pytest.mark.parametrize(
    ("contract", "backend"),
    [
        (BackboneContract, SoundBackbone),
        (TextEncoders, SoundEncoder),
        (TextEncoders, FrozenEncoder),
        (JointModelContract, SoundModel),
        (SamplerContract, SoundSampler),
        (LossContract, SoundLoss),
        (ClipperContract, LinesClipper),
        (TextFiles, SoundSource),
        (Spoken, SoundAligner),
        (Films, FilmSource),
    ],
)
def test_a_sound_backend_passes(
    contract: type[PluginContract], backend: type, tmp_path: Path
) -> None:
    failed = failures(suite_for(contract, backend), tmp_path)
    assert set(failed) - UNINSTALLED == set(), failed


@pytest.mark.parametrize(
    ("contract", "backend", "test", "message"),
    [
        pytest.param(contract, *case, id=f"{case[0].__name__}-{case[1]}")
        for contract, cases in [
            (BackboneContract, BACKBONES),
            (TextEncoders, TEXT_ENCODERS),
            (JointModelContract, MODELS),
            (SamplerContract, SAMPLERS),
            (LossContract, LOSSES),
            (ClipperContract, CLIPPERS),
            (TextFiles, SOURCES),
            (Spoken, ALIGNERS),
            (Films, VIDEO_SOURCES),
        ]
        for case in cases
    ],
)
def test_a_wrong_backend_is_caught(
    contract: type[PluginContract], backend: type, test: str, message: str, tmp_path: Path
) -> None:
    failed = failures(suite_for(contract, backend), tmp_path)
    assert test in failed, f"not caught; failed: {sorted(failed)}"
    assert message in failed[test]


def test_a_backend_that_is_not_installed(tmp_path: Path) -> None:
    suite = type("TestMissing", (ClipperContract,), {"plugin": "liness"})
    message = failures(suite, tmp_path)["test_is_found_by_its_name"]
    assert "no clipper named 'liness'" in message
    assert "Is your package installed? Try: pip install -e ." in message


def test_a_backend_under_another_name(tmp_path: Path) -> None:
    suite = type("TestOther", (suite_for(ClipperContract, LinesClipper),), {"plugin": "windows"})
    message = failures(suite, tmp_path)["test_is_found_by_its_name"]
    assert "expected its attribute name to be 'windows', got 'lines'" in message


def test_a_name_with_underscores(tmp_path: Path) -> None:
    suite = type("TestUnderscore", (ClipperContract,), {"plugin": "my_lines"})
    message = failures(suite, tmp_path)["test_is_found_by_its_name"]
    assert "expected lower-case words and digits joined by hyphens" in message


def test_a_suite_without_a_name(tmp_path: Path) -> None:
    suite = type("TestNameless", (ClipperContract,), {})
    message = failures(suite, tmp_path)["test_is_found_by_its_name"]
    assert "TestNameless: set `plugin` to the name of the clipper to test" in message


def test_importing_the_suites_imports_no_torch() -> None:
    code = "import sys, howto.testing; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_pytest_the_error_says_what_to_install() -> None:
    code = "import sys; sys.modules['pytest'] = None; import howto.testing"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: howto.testing needs pytest, which is not installed. "
        "Install it with: pip install pytest"
    )


# --- our narration sources ---


class TestSidecar(NarrationSourceContract):
    plugin = "sidecar"

    def narrated_videos(self, folder):
        captions = folder / "fold.en.vtt"
        captions.write_text(
            "WEBVTT\n\n00:01.000 --> 00:03.000\nfold the left side\n\n"
            "00:02.500 --> 00:04.000\nand the right one\n"
        )
        return [Video("fold", folder / "fold.mp4", captions=(captions,))]

    def silent_videos(self, folder):
        return [Video("none", folder / "none.mp4")]

    def unreadable_videos(self, folder):
        captions = folder / "bad.srt"
        captions.write_bytes(b"\x00\x01\x02 this is no caption file\n" * 20)
        return [Video("bad", folder / "bad.mp4", captions=(captions,))]


class TestEmbedded(NarrationSourceContract):
    plugin = "embedded"

    def narrated_videos(self, folder):
        return [self.video(folder / "spoken.mp4", Line(1.0, 3.0, "fold the left side"))]

    def silent_videos(self, folder):
        return [self.video(folder / "silent.mp4")]

    def video(self, path: Path, *lines: Line) -> Video:
        language = "eng" if lines else None
        with H264Writer(
            path, width=16, height=16, frame_rate=Fraction(2), caption_language=language
        ) as writer:
            for _ in range(10):
                writer.write_frame(np.zeros((16, 16, 3), np.uint8))
            for line in lines:
                writer.write_caption(line)
        return Video(path.stem, path, info=probe(path))

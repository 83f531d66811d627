"""The pack: a training set as memory-mapped arrays, derived from pairs and features.

    <state>/packs/<recipe8>/

| file | what it holds |
|---|---|
| `meta.json` | format, recipe, streams (name, columns, rate), counts, the size of every file |
| `clips.npy` | float16 (N, D): each stream's maximum, un-normalised, side by side |
| `spans.npy` | float64 (N, 2): start and end of each clip, in seconds |
| `offsets.npy` | int64 (V + 1,): the rows of video v are offsets[v] .. offsets[v + 1] - 1 |
| `captions.jsonl` | (V,): a list of N * K captions on each video's line |
| `video_ids.json`, `sources.json` | (V,): the ids; what each video's rows were made from |
| `words.npy` | int32 (N, L), or (N, K, L) with K candidates a clip: tokens, 0 is padding |
| `vocabulary.txt`, `vectors.npy` | the words of those ids from 1 on; float32, their vectors |
| `texts.npy`, `text_of.npy` | for a frozen text encoder in place of words: float16 (U, Dt), the |
| | vectors of different captions; int32 (N,) or (N, K), which one is whose |

`howto.train.pack_build` writes it. This module needs numpy to open one, torch for batches.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from howto.errors import LibraryError, RecipeMismatch, UsageError
from howto.recipe import Recipe
from howto.train.vocabulary import Vocabulary
from howto.train.word_vectors import VECTORS_FILE, VOCABULARY_FILE

if TYPE_CHECKING:
    import torch

__all__ = [
    "FORMAT",
    "Batch",
    "Pack",
    "PackView",
    "Stream",
    "fraction",
    "rank_at_most",
    "stream_parts",
]

FORMAT = 1
SOURCES_FILE = "sources.json"
_REMAKE = "It is derived: remove the folder, and the same command makes it again"
_LOOKED_AT = 256
"""Rows whose values are looked at when a pack is opened."""
_ROWS_AT_ONCE = 4096
_CACHED_ROWS = 128  # of 4,096 columns, as halves and as floats: within a last cache


@dataclass(frozen=True, slots=True)
class Stream:
    """One backbone's part of a clip's vector.

    Attributes:
        name: of the backbone.
        dim: how many columns.
        rate: features a second, as text such as `3/2`; '' where one feature is a whole clip's.
    """

    name: str
    dim: int
    rate: str

    @property
    def features_per_second(self) -> Fraction | None:
        """The rate as a number; None where one feature is a whole clip's."""
        return Fraction(self.rate) if self.rate else None


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some rows of a pack, ready for a model.

    Attributes:
        clips: float32 (B, D), each stream of length 1, or of zeros: bit-equal to the HowTo100M
            authors' loader.
        words: int64 (C, L), the tokens of the captions; C = B K, a clip's candidates side by side.
            None where the pack holds vectors.
        texts: float32 (C, Dt), the captions' vectors; None where the pack holds words.
        video: int64 (B,), the number of each row's video in the pack.
        rows: int64 (B,), the rows themselves.
    """

    clips: "torch.Tensor"
    words: "torch.Tensor | None"
    texts: "torch.Tensor | None"
    video: "torch.Tensor"
    rows: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """An open pack; its arrays are memory-mapped.

    Attributes:
        candidates: K, captions a clip.
        clips, spans, offsets: as the module says.
        words: int32 (N, K, L); None where there are `texts`.
        texts: float16 (U, Dt), and `text_of` int32 (N, K); None where there are `words`.
        vocabulary: None where tokens are no words of a list.
        counts: what was counted while it was built, such as `empty_clips`.
    """

    folder: Path
    recipe: Recipe
    streams: tuple[Stream, ...]
    candidates: int
    video_ids: tuple[str, ...]
    clips: NDArray[np.float16]
    spans: NDArray[np.float64]
    offsets: NDArray[np.int64]
    words: NDArray[np.int32] | None
    texts: NDArray[np.float16] | None
    text_of: NDArray[np.int32] | None
    vocabulary: Vocabulary | None
    counts: Mapping[str, int]

    @classmethod
    def open(cls, folder: Path, recipe: Recipe | None = None) -> "Pack":
        """Map a pack after a look at its sizes and at some of its values.

        Args:
            recipe: what it must have been made by; None: whatever it was.

        Raises:
            LibraryError: there is none, or it is damaged; the message names the file.
            RecipeMismatch: it was made by another recipe.
        """
        meta = _read_meta(folder)
        found = Recipe.of(**meta["recipe"])
        if recipe is not None:
            found.require_same(recipe, f"the pack {folder} and the one wanted")
        _check_sizes(folder, meta)
        try:
            pack = _opened(folder, found, meta)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LibraryError(f"the pack {folder} is damaged ({error}). {_REMAKE}") from error
        for problem in (*_problems_of_shape(pack), *_problems_of_values(pack, _some_rows(pack))):
            raise LibraryError(f"the pack {folder}: {problem}. {_REMAKE}")
        return pack

    @property
    def num_pairs(self) -> int:
        """N, the number of clips."""
        return len(self.clips)

    @property
    def num_videos(self) -> int:
        """V, the number of videos."""
        return len(self.video_ids)

    @property
    def max_words(self) -> int | None:
        """L, the length of a row of tokens; None where the pack holds vectors."""
        return None if self.words is None else int(self.words.shape[2])

    @property
    def vectors_file(self) -> Path | None:
        """The file of its words' vectors, which the encoder `word2vec` takes as weights."""
        path = self.folder / VECTORS_FILE
        return path if path.is_file() else None

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(path.stat().st_size for path in self.folder.iterdir())

    def videos_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The number of each row's video: int64 (B,)."""
        found: NDArray[np.int64] = np.searchsorted(self.offsets, rows, "right").astype(np.int64) - 1
        return found

    def batch(self, rows: NDArray[np.int64], device: str = "cpu") -> Batch:
        """Read rows; halves go to the device, and are made float32 and normalised there.

        Args:
            rows: int64 (B,), in any order, also more than once.
        """
        import torch

        words, texts = self._captions_of(rows)
        return Batch(
            self._clips_of(rows, device),
            None if words is None else torch.from_numpy(words).to(device, non_blocking=True).long(),
            None
            if texts is None
            else torch.from_numpy(texts).to(device, non_blocking=True).float(),
            torch.from_numpy(self.videos_of(rows)).to(device, non_blocking=True),
            rows,
        )

    def _clips_of(self, rows: NDArray[np.int64], device: str) -> "torch.Tensor":
        """Rows of clips as `Batch.clips`.

        On a CPU a few rows at a time, while they lie in its cache: memory that is asked for anew
        for each batch costs more than the arithmetic.
        """
        import torch
        import torch.nn.functional as F  # noqa: N812 - the name that every torch user knows

        shape = (len(rows), self.clips.shape[1])
        if torch.device(device).type == "cpu":
            # Not torch.empty: numpy asks for large pages, which are quicker to get.
            clips = torch.from_numpy(np.empty(shape, np.float32))
            step = _CACHED_ROWS
        else:
            clips = torch.empty(shape, device=device)
            step = max(1, len(rows))
        for first in range(0, len(rows), step):
            part = slice(first, first + step)
            halves = torch.from_numpy(_rows_of(self.clips, rows[part]))
            halves = halves.to(device, non_blocking=True)
            column = 0
            for stream in self.streams:
                columns = slice(column, column + stream.dim)
                clips[part, columns] = F.normalize(halves[:, columns].float(), dim=1)
                column = columns.stop
        return clips

    def _captions_of(
        self, rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32] | None, NDArray[np.float16] | None]:
        if self.words is not None:
            return _rows_of(self.words, rows).reshape(-1, self.words.shape[2]), None
        if self.texts is None or self.text_of is None:
            raise LibraryError(f"the pack {self.folder} holds no captions. {_REMAKE}")
        return None, _rows_of(self.texts, _rows_of(self.text_of, rows).reshape(-1))

    def view(self, videos: NDArray[np.bool_] | None = None) -> "PackView":
        """Choose videos, in order of their ids: what a sampler draws is then the same whether a
        pack was built at once or grew, and its videos lie in another order.

        Args:
            videos: bool (V,), such as `fraction` and `rank_at_most` give; None: all.

        Raises:
            UsageError: none is chosen.
        """
        chosen = np.arange(self.num_videos) if videos is None else np.flatnonzero(videos)
        if videos is not None and (videos.shape != (self.num_videos,) or not len(chosen)):
            raise UsageError(
                f"of {self.num_videos} videos of the pack {len(chosen)} are chosen; at least one "
                "is needed"
            )
        chosen = np.array(sorted(chosen.tolist(), key=self.video_ids.__getitem__), np.int64)
        sizes = np.diff(self.offsets)[chosen]
        return PackView(self, chosen, np.concatenate(([0], np.cumsum(sizes))).astype(np.int64))

    def captions(self) -> Iterator[list[str]]:
        """The captions of each video in order, N * K of them: a clip's candidates side by side."""
        with (self.folder / "captions.jsonl").open("rb") as file:
            for line in file:
                yield json.loads(line)

    def sources(self) -> dict[str, str]:
        """What each video's rows were made from, by id: the fingerprint of its source."""
        told = json.loads((self.folder / SOURCES_FILE).read_bytes())
        return {video_id: source for video_id, source, *_ in told}

    def check(self) -> list[str]:
        """Read everything: what is wrong, in words; nothing where all is well."""
        problems = _problems_of_shape(self)
        for first in range(0, self.num_pairs, _ROWS_AT_ONCE):
            rows = np.arange(first, min(first + _ROWS_AT_ONCE, self.num_pairs))
            problems += _problems_of_values(self, rows)
        return problems


@dataclass(frozen=True, slots=True, eq=False)
class PackView:
    """Some videos of a pack, which a sampler sees as if they were all: rows count from 0 again.

    Attributes:
        videos: int64 (v,), their numbers in the pack, in order of their ids.
        offsets: int64 (v + 1,), as a sampler takes them.
    """

    pack: Pack
    videos: NDArray[np.int64]
    offsets: NDArray[np.int64]

    @property
    def num_pairs(self) -> int:
        """How many clips the chosen videos have."""
        return int(self.offsets[-1])

    def rows(self, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows in the pack of pairs that are counted here."""
        video = np.searchsorted(self.offsets, pairs, "right") - 1
        starts = self.pack.offsets[:-1][self.videos]
        found: NDArray[np.int64] = pairs - self.offsets[video] + starts[video]
        return found

    def batch(self, pairs: NDArray[np.int64], device: str = "cpu") -> Batch:
        """Read pairs that are counted here; `Batch.video` and `.rows` count in the pack."""
        return self.pack.batch(self.rows(pairs), device)


def fraction(video_ids: Sequence[str], share: float, seed: int = 0) -> NDArray[np.bool_]:
    """Choose a share of the videos by chance: ceil(share * V), at least one.

    Which depends on the ids and the seed alone, and a smaller share is part of a larger one.

    Args:
        share: over 0, at most 1.

    Raises:
        UsageError: another share.
    """
    if not 0 < share <= 1:
        raise UsageError(f"the fraction of videos is over 0, at most 1, got {share}")
    drawn = [hashlib.sha256(f"{seed} {one}".encode(errors="replace")).digest() for one in video_ids]
    order = sorted(range(len(drawn)), key=drawn.__getitem__)
    mask = np.zeros(len(drawn), bool)
    # The nearest float below a product such as 0.1 * 30 is not to make one video more.
    mask[order[: math.ceil(round(share * len(drawn), 9))]] = True
    return mask


def rank_at_most(
    video_ids: Sequence[str], ranks: Mapping[str, int], most: int
) -> NDArray[np.bool_]:
    """Choose the videos among the first search results of some task, as the scale study does.

    Args:
        ranks: each video's best rank, counted from 1 (the authors' files).
        most: the last rank that is chosen.

    Raises:
        UsageError: a video without a rank: nobody can say whether it is meant.
    """
    if missing := [one for one in video_ids if one not in ranks]:
        raise UsageError(
            f"{len(missing)} of {len(video_ids)} videos have no search rank, such as {missing[0]}; "
            "a choice by rank needs one of each"
        )
    return np.array([ranks[one] <= most for one in video_ids], bool)


# --- opening ---


def _read_meta(folder: Path) -> dict[str, Any]:
    path = folder / "meta.json"
    try:
        meta: dict[str, Any] = json.loads(path.read_bytes())
        number = meta["format"]
    except FileNotFoundError as error:
        raise LibraryError(f"there is no pack {folder}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LibraryError(f"{path} is damaged ({error}). {_REMAKE}") from error
    if number != FORMAT:
        raise RecipeMismatch(f"the pack {folder} has format {number}, expected {FORMAT}. {_REMAKE}")
    return meta


def _check_sizes(folder: Path, meta: Mapping[str, Any]) -> None:
    for name, size in meta["sizes"].items():
        path = folder / name
        found = path.stat().st_size if path.is_file() else None
        if found != size:
            is_there = "is missing" if found is None else f"has {found} bytes"
            raise LibraryError(f"{path} {is_there}, expected {size} bytes. {_REMAKE}")


def _opened(folder: Path, recipe: Recipe, meta: Mapping[str, Any]) -> Pack:
    def mapped(name: str) -> Any:
        path = folder / name
        return np.load(path, mmap_mode="r", allow_pickle=False) if name in meta["sizes"] else None

    count, candidates = int(meta["num_pairs"]), int(meta["candidates"])
    words, text_of = mapped("words.npy"), mapped("text_of.npy")
    vocabulary = None
    if VOCABULARY_FILE in meta["sizes"]:
        text = (folder / VOCABULARY_FILE).read_bytes().decode()
        vocabulary = Vocabulary(tuple(text.split("\n")[:-1]))
    return Pack(
        folder=folder,
        recipe=recipe,
        streams=tuple(Stream(**stream) for stream in meta["streams"]),
        candidates=candidates,
        video_ids=tuple(json.loads((folder / "video_ids.json").read_bytes())),
        clips=mapped("clips.npy"),
        spans=mapped("spans.npy"),
        offsets=np.load(folder / "offsets.npy", allow_pickle=False),
        words=None if words is None else words.reshape(count, candidates, words.shape[-1]),
        texts=mapped("texts.npy"),
        text_of=None if text_of is None else text_of.reshape(count, candidates),
        vocabulary=vocabulary,
        counts=meta["counts"],
    )


def _problems_of_shape(pack: Pack) -> list[str]:
    count, columns = len(pack.spans), sum(stream.dim for stream in pack.streams)
    offsets = pack.offsets
    problems = []
    if pack.clips.dtype != np.float16 or pack.clips.shape != (count, columns):
        problems.append(
            f"clips.npy: expected float16 ({count}, {columns}), found {pack.clips.dtype} "
            f"{pack.clips.shape}"
        )
    if len(offsets) != pack.num_videos + 1 or offsets[0] or offsets[-1] != count:
        problems.append(f"offsets.npy does not fit {pack.num_videos} videos and {count} clips")
    elif (np.diff(offsets) < 0).any():
        problems.append("offsets.npy goes backwards")
    if (pack.words is None) == (pack.texts is None):
        problems.append("expected either words or vectors of the captions")
    if pack.texts is not None and pack.text_of is None:
        problems.append("text_of.npy is missing")
    return problems


def _some_rows(pack: Pack) -> NDArray[np.int64]:
    """Rows from all over a pack, the first and the last among them."""
    return np.unique(np.linspace(0, max(0, pack.num_pairs - 1), _LOOKED_AT).astype(np.int64))[
        : pack.num_pairs
    ]


def _problems_of_values(pack: Pack, rows: NDArray[np.int64]) -> list[str]:
    problems = []
    bad = rows[~np.isfinite(_rows_of(pack.clips, rows)).all(axis=1)]
    if len(bad):
        problems.append(f"clips.npy, row {bad[0]}: values that are not finite")
    spans = pack.spans[rows]
    if not np.isfinite(spans).all():
        problems.append(f"spans.npy, rows from {rows[0]}: times that are not finite")
    problems += _problems_of_captions(pack, rows)
    return problems


def _problems_of_captions(pack: Pack, rows: NDArray[np.int64]) -> list[str]:
    if pack.words is not None:
        tokens = pack.words[rows]
        most = None if pack.vocabulary is None else len(pack.vocabulary.words)
        if tokens.size and (tokens.min() < 0 or (most is not None and tokens.max() > most)):
            return [f"words.npy, rows from {rows[0]}: a number that no word has"]
    if pack.texts is not None and pack.text_of is not None:
        which = pack.text_of[rows]
        if which.size and (which.min() < 0 or which.max() >= len(pack.texts)):
            return [f"text_of.npy, rows from {rows[0]}: a number that no caption has"]
        if not np.isfinite(pack.texts[np.unique(which)]).all():
            return [f"texts.npy, captions of rows from {rows[0]}: values that are not finite"]
    return []


def _rows_of(array: NDArray[Any], rows: NDArray[np.integer]) -> NDArray[Any]:
    """Rows of a mapped array as one of its own, writable."""
    found: NDArray[Any] = np.asarray(array)[rows]
    return found


def stream_parts(streams: Sequence[Stream]) -> list[dict[str, Any]]:
    """Streams for meta.json and recipes."""
    return [asdict(stream) for stream in streams]

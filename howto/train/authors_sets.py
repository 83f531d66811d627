"""Training sets in the forms of the HowTo100M authors, as sources of a pack.

| what | files |
|---|---|
| YouCook2 | youcook_train.pkl: [{"2d": (D,), "3d": (D,), "caption", "id"}, ...] |
| MSR-VTT | .pth: {"2d": {id: (D,)}, "3d": ...}; MSRVTT_data.json with MSRVTT_train.csv, or a .csv |
| LSMDC | .pth as MSR-VTT's; LSMDC16_*.csv: tabs, no header, column 0 the id, 5 the sentence |
| HowTo100M | HowTo100M_v1.csv, caption.json or .pickle, two folders of `<video_id>.npy` |

The first three hold one vector a clip, taken as it is: one row for each pair of a clip and a
caption. HowTo100M's clips grow as the authors' loader grows them. Nothing in a file is executed
(`howto.train.foreign`).
"""

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from howto.clip.growing import grow
from howto.errors import CaptionError, UsageError
from howto.extract.weights import file_hash
from howto.recipe import Recipe
from howto.records import Narration
from howto.train.foreign import load_foreign
from howto.train.pack import Stream, stream_parts
from howto.train.pack_source import Lost, SourceVideo, VideoClips, pooled_clips
from howto.transcribe.authors import read_caption_file

__all__ = [
    "AuthorsFolders",
    "PooledSet",
    "lsmdc_set",
    "msrvtt_set",
    "read_ranks",
    "youcook_set",
]

_STREAMS = ("2d", "3d")
_RATES = (Fraction(1), Fraction(24, 16))
_BACKBONES = ("resnet152", "resnext101-3d")
_Row = tuple[str, str, str]
"""Video, clip and caption."""


class PooledSet:
    """Pairs whose clips have one vector of each stream.

    A clip's span is its number within its video, so that two captions of one clip overlap and two
    clips do not.

    Args:
        recipe: what files it was read from.
        rows: video, clip and caption of each pair.
        vectors: float16 (D,) of each clip, by stream and clip.
        lost: as `howto.train.pack_source.PackSource` says.

    Raises:
        UsageError: not one pair has a vector of each stream.
    """

    candidates = 1

    def __init__(
        self,
        recipe: Recipe,
        rows: Sequence[_Row],
        vectors: Mapping[str, Mapping[str, NDArray[np.float16]]],
        what: str,
    ) -> None:
        self._rows: dict[str, list[_Row]] = {}
        lost: dict[str, Lost] = {}
        for video, clip, caption in rows:
            missing = [name for name in vectors if clip not in vectors[name]]
            if missing:
                detail = f"{what}: no {' and '.join(missing)} features of {clip}"
                lost[clip] = Lost(clip, "no_features", detail)
            else:
                self._rows.setdefault(video, []).append((video, clip, caption))
        self.lost = tuple(lost.values())
        if not self._rows:
            why = f": {self.lost[0].detail}" if self.lost else ""
            raise UsageError(f"{what} has no caption with features{why}")
        self._vectors = vectors
        clip = next(iter(self._rows.values()))[0][1]
        self.streams = tuple(
            Stream(backbone, len(vectors[name][clip]), "")
            for name, backbone in zip(_STREAMS, _BACKBONES, strict=True)
        )
        self.recipe = Recipe.of(**recipe.parts, streams=stream_parts(self.streams))

    def videos(self) -> Sequence[SourceVideo]:
        """The videos in the order of the captions; the files' hashes are in the recipe."""
        return [SourceVideo(video, "") for video in self._rows]

    def clips(
        self, videos: Sequence[SourceVideo]
    ) -> Iterator[tuple[SourceVideo, VideoClips | Lost]]:
        """The vectors of each video's clips, one row for each caption."""
        for video in videos:
            try:
                yield video, self._clips_of(self._rows[video.video_id])
            except ValueError as error:
                yield video, Lost(video.video_id, "damaged_features", str(error))

    def _clips_of(self, rows: Sequence[_Row]) -> VideoClips:
        numbers: dict[str, int] = {}
        for _, clip, _ in rows:
            numbers.setdefault(clip, len(numbers))
        places = np.array([numbers[clip] for _, clip, _ in rows], np.float64)
        parts = []
        for name, stream in zip(self._vectors, self.streams, strict=True):
            of_clips = [self._vectors[name][clip] for _, clip, _ in rows]
            if any(len(one) != stream.dim for one in of_clips):
                raise ValueError(f"{name}: expected vectors of length {stream.dim}")
            parts.append(np.stack(of_clips))
        clips = np.concatenate(parts, axis=1)
        if not np.isfinite(clips).all():
            raise ValueError("values that are not finite in float16")
        spans = np.stack((places, places + 1), axis=1)
        return VideoClips(spans, clips, tuple(caption for *_, caption in rows), (0, 0), 0)


def youcook_set(path: Path, *, trust: bool = False) -> PooledSet:
    """Read youcook_train.pkl or youcook_val.pkl; clips of one video have its id.

    Args:
        trust: load the pickle freely, which **runs code of its maker**.

    Raises:
        UsageError: the file is missing, of another form, or damaged.
    """
    held = load_foreign(path, trust=trust)
    wanted = {*_STREAMS, "caption", "id"}
    rows: list[_Row] = []
    vectors: dict[str, dict[str, NDArray[np.float16]]] = {name: {} for name in _STREAMS}
    for number, row in enumerate(held if isinstance(held, list | tuple) else [held]):
        if not isinstance(row, Mapping) or not wanted <= row.keys():
            raise UsageError(f"{path}, row {number}: expected {', '.join(sorted(wanted))}")
        video, clip = str(row["id"]), f"{row['id']} {number}"
        for name in _STREAMS:
            vectors[name][clip] = _vector(row[name], f"{path}, row {number}, {name}")
        rows.append((video, clip, str(row["caption"])))
    recipe = Recipe.of(authors="youcook", file=file_hash(path))
    return PooledSet(recipe, rows, vectors, path.name)


def msrvtt_set(
    features: Path, captions: Path, videos: Path | None = None, *, trust: bool = False
) -> PooledSet:
    """Read MSR-VTT: a clip has up to 20 captions, each a row.

    Args:
        features: MSRVTT_train.pth or MSRVTT_JSFUSION_test.pth.
        captions: MSRVTT_data.json, or a table with the columns video_id and sentence.
        videos: MSRVTT_train.csv, a table with a column video_id; None: all of the captions.
        trust: as for `youcook_set`.

    Raises:
        UsageError: a file is missing, of another form, or damaged.
    """
    read = _msrvtt_sentences if captions.suffix.lower() == ".json" else _msrvtt_table
    pairs = read(captions)
    if videos is not None:
        wanted = {row["video_id"] for row in _table(videos, ("video_id",))}
        pairs = [pair for pair in pairs if pair[0] in wanted]
    files = [one for one in (features, captions, videos) if one is not None]
    recipe = Recipe.of(authors="msrvtt", files=[file_hash(one) for one in files])
    rows = [(video, video, caption) for video, caption in pairs]
    return PooledSet(recipe, rows, _by_stream(features, trust), features.name)


def lsmdc_set(features: Path, captions: Path, *, trust: bool = False) -> PooledSet:
    """Read LSMDC: each clip is a video of its own, with one sentence.

    Args:
        features: LSMDC_*.pth.
        captions: LSMDC16_*.csv.
        trust: as for `youcook_set`.

    Raises:
        UsageError: a file is missing, of another form, or damaged.
    """
    rows = []
    for number, fields in enumerate(_fields(captions, "\t"), start=1):
        if len(fields) < 6:
            raise UsageError(
                f"{captions}, line {number}: expected 6 columns with tabs between, the id first "
                f"and the sentence last, found {len(fields)}"
            )
        rows.append((fields[0], fields[0], fields[5]))
    recipe = Recipe.of(authors="lsmdc", files=[file_hash(features), file_hash(captions)])
    return PooledSet(recipe, rows, _by_stream(features, trust), features.name)


def _by_stream(path: Path, trust: bool) -> dict[str, dict[str, NDArray[np.float16]]]:
    held = load_foreign(path, trust=trust)
    if not isinstance(held, Mapping) or not all(
        isinstance(held.get(name), Mapping) for name in _STREAMS
    ):
        raise UsageError(f'{path}: expected {{"2d": {{id: vector}}, "3d": {{id: vector}}}}')
    return {
        name: {
            str(clip): _vector(vector, f"{path}, {name} of {clip}")
            for clip, vector in held[name].items()
        }
        for name in _STREAMS
    }


def _vector(value: Any, where: str) -> NDArray[np.float16]:
    array = np.asarray(value)
    if array.dtype.kind not in "fiu" or not array.size or array.size != max(array.shape, default=0):
        raise UsageError(f"{where}: expected one vector, found {array.dtype} {array.shape}")
    with np.errstate(over="ignore"):
        return array.reshape(-1).astype(np.float16)


def _msrvtt_sentences(path: Path) -> list[tuple[str, str]]:
    try:
        sentences = json.loads(path.read_bytes())["sentences"]
        return [(str(one["video_id"]), str(one["caption"])) for one in sentences]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f'{path}: expected {{"sentences": [{{"video_id", "caption"}}, ...]}} ({error!r:.80})'
        ) from error


def _msrvtt_table(path: Path) -> list[tuple[str, str]]:
    rows = _table(path, ("video_id", "sentence"))
    return [(row["video_id"], row["sentence"]) for row in rows]


# --- tables ---


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from file
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error


def _fields(path: Path, separator: str) -> Iterator[list[str]]:
    """The fields of each line; quotes mean nothing, as sentences hold single ones."""
    for line in _lines(path):
        if stripped := line.rstrip("\r\n"):
            yield stripped.split(separator)


def _table(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """The rows of a table with a header."""
    try:
        reader = csv.DictReader(_lines(path), strict=True)
        missing = [name for name in columns if name not in (reader.fieldnames or ())]
        if missing:
            found = ", ".join(reader.fieldnames or ()) or "nothing"
            raise UsageError(f"{path}: no column {', '.join(missing)}; found {found}")
        rows = []
        for row in reader:
            if any(row[name] is None for name in columns):
                raise UsageError(f"{path}, line {reader.line_num}: cut off or damaged")
            rows.append({name: row[name] for name in columns})
    except csv.Error as error:
        raise UsageError(f"{path}: damaged table: {error}") from error
    return rows


def read_ranks(path: Path) -> dict[str, int]:
    """Each video's best search rank, from HowTo100M_v1.csv.

    Raises:
        UsageError: the file is missing, lacks the columns video_id and rank, or a rank is no
            number.
    """
    ranks: dict[str, int] = {}
    for number, row in enumerate(_table(path, ("video_id", "rank")), start=2):
        try:
            rank = int(row["rank"])
        except ValueError as error:
            raise UsageError(f"{path}, row {number}: {row['rank']!r} is no rank") from error
        ranks[row["video_id"]] = min(rank, ranks.get(row["video_id"], rank))
    return ranks


# --- HowTo100M with no library ---


class AuthorsFolders:
    """HowTo100M itself: a list of videos, their captions, and two folders of features.

    The caption file is read twice, video by video: once for the videos that it has, and once for
    the rows. Of a video in several rows of the list the first counts.

    Args:
        videos: HowTo100M_v1.csv, a table with a column video_id; a column `path`, where there is
            one, names the .npy within both folders.
        captions: caption.json or caption.pickle.
        features_2d, features_3d: folders of `<video_id>.npy`, float16 (T, D), at 1 and at 24/16
            features a second.
        min_seconds, min_words: clips that are shorter, or of fewer words, grow
            (`howto.clip.growing`).

    Raises:
        UsageError: a file or folder is missing or of another form, or no video has all three.
    """

    candidates = 1

    def __init__(
        self,
        videos: Path,
        captions: Path,
        features_2d: Path,
        features_3d: Path,
        *,
        min_seconds: float = 5.0,
        min_words: int = 0,
    ) -> None:
        self._captions = captions
        self._min_seconds, self._min_words = min_seconds, min_words
        self._folders = (features_2d, features_3d)
        for path in (*self._folders,):
            if not path.is_dir():
                raise UsageError(f"there is no folder of features {path}")
        if not captions.is_file():
            raise UsageError(f"there is no file of captions {captions}")
        self._names = _names_of(videos)
        self._videos, self.lost = self._looked_up()
        if not self._videos:
            why = f": {self.lost[0].detail}" if self.lost else ""
            raise UsageError(f"no video of {videos} has captions and features{why}")
        self.streams = tuple(
            Stream(backbone, self._dim(folder), str(rate))
            for backbone, folder, rate in zip(_BACKBONES, self._folders, _RATES, strict=True)
        )
        self.recipe = Recipe.of(
            authors="howto100m",
            folders=[str(folder.absolute()) for folder in self._folders],
            streams=stream_parts(self.streams),
            min_seconds=float(min_seconds),
            min_words=min_words,
        )

    def videos(self) -> Sequence[SourceVideo]:
        """Videos with captions and both files of features, in the order of the caption file."""
        return self._videos

    def _looked_up(self) -> tuple[list[SourceVideo], tuple[Lost, ...]]:
        found: list[SourceVideo] = []
        lost: list[Lost] = []
        captioned = set()
        for video_id, narration in self._narrations():
            captioned.add(video_id)
            states = [_state(path) for path in self._paths(video_id)]
            missing = [
                str(folder)
                for folder, state in zip(self._folders, states, strict=True)
                if state is None
            ]
            if not narration.lines:
                lost.append(Lost(video_id, "no_pairs", f"{video_id} has no caption"))
            elif missing:
                detail = f"{video_id} has no features in {' and '.join(missing)}"
                lost.append(Lost(video_id, "no_features", detail))
            else:
                parts = (_digest(narration), *map(str, states))
                found.append(SourceVideo(video_id, " ".join(parts)))
        lost += [
            Lost(video_id, "no_pairs", f"{video_id} is not in {self._captions.name}")
            for video_id in self._names
            if video_id not in captioned
        ]
        return found, tuple(lost)

    def _narrations(self) -> Iterator[tuple[str, Narration]]:
        """The captions of the videos of the list; a video that is there twice counts once."""
        seen = set()
        try:
            for video_id, narration in read_caption_file(self._captions):
                if video_id in self._names and video_id not in seen:
                    seen.add(video_id)
                    yield video_id, narration
        except CaptionError as error:
            raise UsageError(f"{self._captions}: {error}") from error

    def _paths(self, video_id: str) -> tuple[Path, ...]:
        return tuple(folder / self._names[video_id] for folder in self._folders)

    def _dim(self, folder: Path) -> int:
        for video in self._videos:
            try:
                return int(_load(folder / self._names[video.video_id]).shape[1])
            except ValueError:
                continue  # told when its rows are made
        raise UsageError(f"{folder}: not one file can be read as features (T, D)")

    def clips(
        self, videos: Sequence[SourceVideo]
    ) -> Iterator[tuple[SourceVideo, VideoClips | Lost]]:
        """Grow the lines of each video to clips, and pool its features over them."""
        wanted = {video.video_id: video for video in videos}
        for video_id, narration in self._narrations():
            if video_id in wanted:
                try:
                    yield wanted[video_id], self._clips_of(video_id, narration)
                except ValueError as error:
                    yield wanted[video_id], Lost(video_id, "damaged_features", str(error))

    def _clips_of(self, video_id: str, narration: Narration) -> VideoClips:
        lines = narration.lines
        grown = grow(
            [line.start for line in lines],
            [line.end for line in lines],
            [line.text for line in lines],
            min_seconds=self._min_seconds,
            min_words=self._min_words,
        )
        features = [_load(path) for path in self._paths(video_id)]
        for path, array, stream in zip(self._paths(video_id), features, self.streams, strict=True):
            if array.shape[1] != stream.dim:
                raise ValueError(f"{path}: (T, {array.shape[1]}), expected (T, {stream.dim})")
        spans = np.array([(one.start, one.end) for one in grown], np.float64)
        return pooled_clips(features, _RATES, spans, tuple(one.text for one in grown))


def _names_of(path: Path) -> dict[str, str]:
    """The name of each video's files within the folders, by id.

    An id becomes a name only if it is a plain one.
    """
    header = next(iter(_lines(path)), "")
    has_path = "path" in next(csv.reader([header]), [])
    names: dict[str, str] = {}
    for row in _table(path, ("video_id", "path") if has_path else ("video_id",)):
        video_id = row["video_id"]
        name = f"{Path(row['path']).stem if has_path else video_id}.npy"
        if not _is_plain(name):
            raise UsageError(f"{path}: {name!r} is no name of a file")
        names.setdefault(video_id, name)
    if not names:
        raise UsageError(f"{path} lists no video")
    return names


def _is_plain(name: str) -> bool:
    return name.isprintable() and not set(name) & set("/\\:") and not name.startswith(".")


def _state(path: Path) -> str | None:
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    return f"{state.st_size}:{state.st_mtime_ns}"


def _digest(narration: Narration) -> str:
    lines: Iterable[tuple[float, float, str]] = (
        (line.start, line.end, line.text) for line in narration.lines
    )
    return hashlib.sha256(json.dumps(list(lines)).encode()).hexdigest()[:16]


def _load(path: Path) -> NDArray[np.float16]:
    """Features of one video, float16 (T, D), memory-mapped where they are halves already.

    Raises:
        ValueError: no such array, or values that are not finite.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (EOFError, OSError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error
    if array.ndim != 2 or array.dtype.kind != "f" or not array.shape[1]:
        raise ValueError(f"{path}: expected (T, D), found {array.dtype} {array.shape}")
    with np.errstate(over="ignore"):
        halves: NDArray[np.float16] = array.astype(np.float16, copy=False)
    if not np.isfinite(halves).all():
        raise ValueError(f"{path}: values that are not finite in float16")
    return halves

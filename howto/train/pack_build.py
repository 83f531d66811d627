"""Build a pack: pool what is new, take over what is not, and put it in place whole.

A pack is made in a folder of its own beside its place, which a later build goes on with after a
kill, and is renamed when it is done. Of a pack that is there already, the rows of unchanged videos
are copied, in their order, and new or changed videos come after them. Memory holds one video.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from howto.errors import LibraryError
from howto.library import Library
from howto.recipe import Recipe
from howto.run.engine import LOCAL, Engine
from howto.train.pack import FORMAT, SOURCES_FILE, Pack
from howto.train.pack_files import CAPTIONS, JOURNAL, Entry, GrowingArray, PartialPack, flush_tree
from howto.train.pack_source import (
    LibrarySource,
    Lost,
    PackSource,
    SourceVideo,
    VideoClips,
    chosen_features,
    chosen_pairs,
    tally,
)
from howto.train.pack_text import TextChoice, text_recipe, write_texts

__all__ = ["Built", "Progress", "build_pack", "pack_library", "pack_recipe", "packs_folder"]

Progress = Callable[[int, int, str], None]
"""Called with videos done, videos to do, and the id of the one just finished."""

_NOT_COUNTED = ("meta.json", JOURNAL)


@dataclass(frozen=True, slots=True)
class Built:
    """A pack, and what was done for it.

    Attributes:
        kept: videos whose rows were there.
        made: videos whose rows were made now.
        gone: videos whose rows were left out now: their files are gone, or they changed.
        lost: videos that give no rows.
        notes: what a person should know, such as that a damaged pack was replaced.
    """

    pack: Pack
    kept: int
    made: int
    gone: int
    lost: tuple[Lost, ...]
    notes: tuple[str, ...] = ()

    @property
    def tally(self) -> Mapping[str, int]:
        """Videos by reason, `ok` for those in the pack."""
        return {"ok": self.pack.num_videos, **tally(self.lost)}


def packs_folder(library: Library) -> Path:
    """Where a library's packs lie."""
    return library.state / "packs"


def pack_library(
    library: Library,
    text: TextChoice,
    *,
    backbones: Sequence[str] | None = None,
    pairs: str | None = None,
    device: str = "cpu",
    engine: Engine = LOCAL,
    on_progress: Progress | None = None,
) -> Built:
    """Build the pack of a library, or open it where it is up to date.

    Args:
        backbones: as for `howto.train.pack_source.chosen_features`.
        pairs: the first digits of the recipe of the pairs; None: those made last.
        device: where a frozen text encoder computes.
        engine: where features are pooled; the files are written here, and are the same.

    Raises:
        LibraryError: pairs or features are missing, with the command that makes them.
        PluginError, UsageError: the text encoder cannot be had.
    """
    with library.reading():
        source = LibrarySource(
            library, chosen_pairs(library, pairs), chosen_features(library, backbones), engine
        )
        return build_pack(
            source, text, packs_folder(library), device=device, on_progress=on_progress
        )


def pack_recipe(source: PackSource, text: TextChoice, encoder: Any) -> Recipe:
    """All that determines a pack, but for its videos."""
    return Recipe.of(
        stage="pack", format=FORMAT, source=source.recipe, text=text_recipe(text, encoder)
    )


def build_pack(
    source: PackSource,
    text: TextChoice,
    packs: Path,
    *,
    device: str = "cpu",
    on_progress: Progress | None = None,
) -> Built:
    """Build a pack from any source, or open it where it is up to date.

    Args:
        packs: the folder of packs; the pack's own is named by its recipe.

    Raises:
        LibraryError: no video gives a row, or the disk cannot be written.
        PluginError, UsageError: the text encoder cannot be had.
    """
    from filelock import FileLock

    encoder = text.create()
    recipe = pack_recipe(source, text, encoder)
    folder = packs / recipe.short
    try:
        packs.mkdir(parents=True, exist_ok=True)
        with FileLock(packs / f"{recipe.short}.lock"):
            work = _Work(source, text, encoder, recipe, folder, device)
            return work.up_to_date() or work.build(on_progress)
    except OSError as error:
        raise LibraryError(
            f"{folder} cannot be written: {error.strerror or error}. What is finished is kept; the "
            "same command goes on"
        ) from error


class _Work:
    """One build, under its lock."""

    def __init__(
        self,
        source: PackSource,
        text: TextChoice,
        encoder: Any,
        recipe: Recipe,
        folder: Path,
        device: str,
    ) -> None:
        self._source, self._text, self._encoder = source, text, encoder
        self._recipe, self._folder, self._device = recipe, folder, device
        self._videos = source.videos()
        self._wanted = {video.video_id: video.fingerprint for video in self._videos}
        self._notes: list[str] = []
        # Written nowhere, so that the next build finds them missing and asks for them again.
        self._may_pass: list[Lost] = []
        # What was asked for before it was known that there is something to build.
        self._read: dict[str, VideoClips | Lost] = {}
        _recover(folder)
        self._old, self._entries = self._open_old()

    def _open_old(self) -> tuple[Pack | None, list[Entry]]:
        if not self._folder.exists():
            return None, []
        try:
            pack = Pack.open(self._folder, self._recipe)
            told = json.loads((self._folder / SOURCES_FILE).read_bytes())
            return pack, [Entry.of_json(one) for one in told]
        except (LibraryError, ValueError, TypeError) as error:
            self._notes.append(f"a damaged pack was replaced: {error}")
            return None, []

    def up_to_date(self) -> Built | None:
        """The pack that is there, where nothing changed."""
        found = {one.video_id: one.source for one in self._entries}
        if self._old is None or not found.items() <= self._wanted.items():
            return None
        if not self._none_can_be_read(found):
            return None
        return Built(self._old, self._old.num_videos, 0, 0, self._lost(self._entries))

    def _none_can_be_read(self, there: Mapping[str, str]) -> bool:
        """Ask for the videos that the pack lacks, up to the first that says something: all is
        written anew for that one alone."""
        lacking = [video for video in self._videos if video.video_id not in there]
        failed = []
        # Asked for none, a source may still read all that it has.
        for video, found in self._source.clips(lacking) if lacking else ():
            self._read[video.video_id] = found
            if not (isinstance(found, Lost) and found.may_pass):
                return False
            failed.append(found)
        self._may_pass = failed
        return True

    def _lost(self, entries: Sequence[Entry]) -> tuple[Lost, ...]:
        later = tuple(Lost(one.video_id, *one.lost) for one in entries if one.lost)
        return self._source.lost + later + tuple(self._may_pass)

    def build(self, on_progress: Progress | None) -> Built:
        """Make the pack."""
        if not self._videos:
            raise LibraryError(_nothing(self._source.lost))
        part = self._folder.with_name(f".{self._folder.name}.part")
        columns = sum(stream.dim for stream in self._source.streams)
        with PartialPack(part, columns, self._wanted) as writing:
            done = {one.video_id for one in writing.entries}
            kept = self._take_over(writing, done)
            there = done | kept
            to_do = [one for one in self._videos if one.video_id not in there]
            for count, video in enumerate(self._make(writing, to_do), start=1):
                if on_progress:
                    on_progress(count, len(to_do), video.video_id)
            entries = list(writing.entries)
        if not any(one.rows for one in entries):
            raise LibraryError(_nothing(self._lost(entries)))
        counts = self._finish(part, entries)
        _put_in_place(part, self._folder)
        pack = Pack.open(self._folder, self._recipe)
        before = {one.video_id for one in self._entries if one.rows}
        return Built(
            pack,
            kept=len(kept),
            made=counts["videos"] - len(kept),
            gone=len(before - kept),
            lost=self._lost(entries),
            notes=tuple(self._notes),
        )

    def _take_over(self, writing: PartialPack, done: set[str]) -> set[str]:
        """Copy the rows of unchanged videos; those that an earlier build copied count too."""
        if self._old is None:
            return set()
        kept = set()
        with (self._folder / CAPTIONS).open("rb") as captions:
            first = 0
            for entry in self._entries:
                rows = slice(first, first + entry.rows)
                first = rows.stop
                line = captions.readline() if entry.rows else b""
                if self._wanted.get(entry.video_id) != entry.source or entry.lost:
                    continue
                kept.add(entry.video_id)
                if entry.video_id not in done:
                    clips, spans = self._old.clips[rows], self._old.spans[rows]
                    writing.add(entry, clips, spans, line)
        return kept

    def _clips(
        self, videos: Sequence[SourceVideo]
    ) -> Iterator[tuple[SourceVideo, VideoClips | Lost]]:
        asked = self._source.clips([one for one in videos if one.video_id not in self._read])
        for video in videos:
            found = self._read.pop(video.video_id, None)
            yield (video, found) if found is not None else next(asked)

    def _make(self, writing: PartialPack, videos: Sequence[SourceVideo]) -> Iterator[SourceVideo]:
        for video, found in self._clips(videos):
            if isinstance(found, Lost) and found.may_pass:
                self._may_pass.append(found)
            elif isinstance(found, Lost):
                lost = (found.reason, found.detail)
                writing.add_entry(Entry(video.video_id, video.fingerprint, 0, lost=lost))
            else:
                rows = len(found.spans)
                entry = Entry(
                    video.video_id, video.fingerprint, rows, found.empty, found.empty_in_all
                )
                line = json.dumps(found.captions).encode() + b"\n"
                writing.add(entry, found.clips, found.spans, line)
            yield video

    def _finish(self, part: Path, entries: Sequence[Entry]) -> Mapping[str, int]:
        """Write everything that comes after the clips."""
        in_pack = [one for one in entries if one.rows]
        sizes = np.array([one.rows for one in in_pack], np.int64)
        offsets = GrowingArray(part / "offsets.npy", "<i8", ())
        offsets.add(np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes))))
        offsets.close()
        _write_json(part / "video_ids.json", [one.video_id for one in in_pack])
        _write_json(part / SOURCES_FILE, [one.as_json() for one in entries])
        counts = {
            **_counts(in_pack, [stream.name for stream in self._source.streams]),
            **write_texts(
                part, self._encoder, self._text, self._source.candidates, self._old, self._device
            ),
        }
        sizes_of_files = {
            path.name: path.stat().st_size
            for path in sorted(part.iterdir())
            if path.name not in _NOT_COUNTED
        }
        meta = {
            "format": FORMAT,
            "recipe": self._recipe.parts,
            "streams": [asdict(stream) for stream in self._source.streams],
            "candidates": self._source.candidates,
            "num_pairs": int(sizes.sum()),
            "num_videos": len(in_pack),
            "counts": counts,
            "sizes": sizes_of_files,
        }
        _write_json(part / "meta.json", meta, indent=2)
        flush_tree(part)
        # Last of all: a build that is killed before goes on where it was.
        (part / JOURNAL).unlink()
        return counts


def _counts(entries: Sequence[Entry], streams: Sequence[str]) -> dict[str, int]:
    counts = {
        "videos": len(entries),
        "pairs": sum(one.rows for one in entries),
        "videos_of_one_pair": sum(one.rows == 1 for one in entries),
        "empty_clips": sum(one.empty_in_all for one in entries),
    }
    for place, name in enumerate(streams):
        counts[f"empty_clips_of_{name}"] = sum(one.empty[place] for one in entries)
    return counts


def _write_json(path: Path, value: Any, indent: int | None = None) -> None:
    path.write_text(json.dumps(value, indent=indent) + "\n")


def _nothing(lost: Sequence[Lost]) -> str:
    if not lost:
        return "there is no video to train with: the library has none"
    counts = ", ".join(f"{name} {count}" for name, count in tally(lost).items())
    return f"no video has both pairs and features ({counts}); the first: {lost[0].detail}"


def _old_place(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def _put_in_place(part: Path, folder: Path) -> None:
    """Swap folders; a kill in between leaves the old one where `_recover` finds it."""
    old = _old_place(folder)
    if folder.exists():
        folder.rename(old)
    part.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _recover(folder: Path) -> None:
    """Undo, or finish, a swap that was killed."""
    old = _old_place(folder)
    if old.exists() and not folder.exists():
        old.rename(folder)
    shutil.rmtree(old, ignore_errors=True)

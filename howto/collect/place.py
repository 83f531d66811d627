"""Where the files of collected videos lie, and how they come to lie there whole."""

import hashlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from howto.collect.scan import MEDIA_SUFFIXES
from howto.errors import ItemError, Reason

__all__ = [
    "Landed",
    "Places",
    "check_room",
    "land",
    "measured",
    "media_bytes",
    "media_name",
    "most_bytes",
]

_BLOCK = 1 << 20
_BITS_PER_SECOND = {144: 1.5e5, 240: 2.5e5, 360: 5e5, 480: 9e5, 720: 1.8e6, 1080: 3.5e6}
"""What sites' H.264 with its sound takes, about, by the height of the picture."""
_MEAN_SECONDS = 390.0
"""Of a video of HowTo100M."""
_LONG_SECONDS = 2000.0
_MOST_BYTES_PER_SECOND = 5e6  # 40 Mbit/s: a disc's picture


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of what is collected, in the state folder of a library."""

    state: Path

    @property
    def media(self) -> Path:
        """`<video_id>.<suffix>`: whole files alone."""
        return self.state / "media"

    @property
    def captions(self) -> Path:
        """`<video_id>.<language>.<form>`: whole files alone."""
        return self.state / "captions"

    @property
    def parts(self) -> Path:
        """A folder for each video that is being fetched, on the same disk."""
        return self.state / "parts"

    def make(self) -> None:
        """Make the folders where they are not there."""
        for folder in (self.media, self.captions, self.parts):
            folder.mkdir(exist_ok=True)

    def scratch(self, video_id: str) -> Path:
        """The folder of a video that is being fetched; made where it is not there."""
        folder = self.parts / video_id
        folder.mkdir(exist_ok=True)
        return folder

    def clear(self, video_id: str) -> None:
        """Delete what was left of fetching a video."""
        shutil.rmtree(self.parts / video_id, ignore_errors=True)

    def delete(self, media: Path | None, caption: str | None) -> None:
        """Delete what landed of a video that is not wanted; names it has, no folder is searched."""
        for path in (media, self.captions / caption if caption else None):
            if path is not None:
                path.unlink(missing_ok=True)

    def left_over(self) -> list[str]:
        """Ids of the videos of which there are parts."""
        return [entry.name for entry in self.parts.iterdir()]

    def media_of(self, video_id: str) -> Path | None:
        """The whole media file of a video that was put there and, after a kill, not recorded."""
        paths = (self.media / f"{video_id}{suffix}" for suffix in sorted(MEDIA_SUFFIXES))
        return next((path for path in paths if path.exists()), None)


@dataclass(frozen=True, slots=True)
class Landed:
    """A whole file in its place."""

    name: str
    size: int
    sha256: str


def land(path: Path, folder: Path, name: str) -> Landed:
    """Put a whole file into its place: flushed, renamed, and the new name flushed too.

    Raises:
        OSError: the disk.
    """
    landed = measured(path, name)
    _flush(path)
    path.replace(folder / name)
    _flush(folder)
    return landed


def _flush(path: Path) -> None:
    """Have the disk hold a file's bytes, or a folder's names, before anything relies on them."""
    if os.name != "posix":
        return  # elsewhere a handle that only reads cannot be flushed
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def measured(path: Path, name: str | None = None) -> Landed:
    """The size and the SHA-256 of a file."""
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return Landed(name or path.name, size, digest.hexdigest())


def media_name(video_id: str, path: Path) -> str:
    """The name of a media file that a source gave.

    Raises:
        ItemError: `not_media`, by its suffix.
    """
    suffix = path.suffix.lower()
    if suffix not in MEDIA_SUFFIXES:
        raise ItemError(Reason.NOT_MEDIA, f"a file {suffix or 'without a suffix'} came of it")
    return f"{video_id}{suffix}"


def media_bytes(height: int, seconds: float | None) -> float:
    """About how large a video's file will be."""
    known: Iterable[int] = (one for one in _BITS_PER_SECOND if one >= height)
    rate = _BITS_PER_SECOND[min(known, default=max(_BITS_PER_SECOND))]
    return rate / 8 * (_MEAN_SECONDS if seconds is None else seconds)


def most_bytes(seconds: float | None) -> float:
    """More than any video's file has: what goes beyond it has no end.

    Args:
        seconds: how long it is; None where nobody says.
    """
    return (1 << 30) + _MOST_BYTES_PER_SECOND * (_LONG_SECONDS if seconds is None else seconds)


def check_room(places: Places, keep_free: int, wanted: float = 0.0) -> None:
    """Stop before the disk is full.

    Args:
        keep_free: bytes that stay free.
        wanted: bytes that are about to be written.

    Raises:
        ItemError: `disk_full`.
    """
    free = shutil.disk_usage(places.state).free
    if free < keep_free + wanted:
        raise ItemError(
            Reason.DISK_FULL,
            f"{free / 1e9:.1f} GB are free: expected {keep_free / 1e9:.1f} GB that stay free and "
            f"{wanted / 1e6:.0f} MB for the next file",
        )

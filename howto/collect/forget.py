"""Forgetting: a video is taken out of a library for good, and a tombstone keeps it out.

For a takedown, a wish of somebody who is seen in it, or a test video found in a training set. What
howto made or fetched is deleted; a file of the user's own is not touched, and the library passes it
over from then on.
"""

import glob
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from howto.collect.examine import content_id
from howto.collect.ledger import Ledger
from howto.collect.stage import sweep
from howto.errors import UsageError
from howto.library import Library
from howto.search import words

__all__ = ["Forgotten", "forget", "named_videos"]

_BARE_ID = re.compile(r"[A-Za-z0-9_-]{11}")  # of YouTube
_YOUTUBE_ID = re.compile(r"youtube-[A-Za-z0-9_-]{11}")
_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_DERIVED = ("packs", "index")
_SECONDS_OF_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What forgetting did.

    Attributes:
        known: ids that were in the library, or waiting to be collected.
        unknown: ids that were not, and are kept out all the same.
        deleted: files in the state folder, relative to it.
        own_files: the user's, which lie where they lay, relative to the library's folder.
        to_rebuild: folders of the state that were made of it among others, relative to it.
    """

    known: tuple[str, ...]
    unknown: tuple[str, ...]
    deleted: tuple[str, ...]
    own_files: tuple[str, ...]
    to_rebuild: tuple[str, ...]


def named_videos(library: Library, names: Iterable[str]) -> list[str]:
    """The ids that are meant: an id, the eleven characters of YouTube's, or the path of a file.

    Raises:
        UsageError: a name is none of these.
    """
    ids = []
    for name in names:
        number = library.number_of_file(name)
        if number is not None:
            ids.append(library.video_id(number))
        elif _is_known(library, name):
            ids.append(name)
        elif _BARE_ID.fullmatch(name):
            ids.append(f"youtube-{name}")
        elif _YOUTUBE_ID.fullmatch(name):
            ids.append(name)
        else:
            raise UsageError(
                f"there is no video {name} here. Name its id (howto status --json lists them), its "
                "YouTube id, or its path relative to the library"
            )
    return list(dict.fromkeys(ids))


def _is_known(library: Library, video_id: str) -> bool:
    return bool(library.numbers([video_id]) or Ledger(library).known([video_id]))


def forget(library: Library, video_ids: Iterable[str], why: str = "") -> Forgotten:
    """Take videos out of a library, everywhere, and keep them out.

    The tombstones and all rows are one transaction for each video; the files follow, and what a
    kill leaves of them is deleted by the next `forget` or `collect`.

    Args:
        why: kept with the tombstone.

    Raises:
        UsageError: an id holds what no id does, such as a slash; nothing is deleted.
        LibraryBusy: another process is collecting into this library.
    """
    video_ids = list(video_ids)
    for video_id in video_ids:
        if not _SAFE_ID.fullmatch(video_id):
            raise UsageError(
                f"{video_id!r} is no id of a video: expected letters, digits, - and _ alone"
            )
    known: list[str] = []
    unknown: list[str] = []
    deleted: list[str] = []
    own: list[str] = []
    with library.exclusive("collect", seconds=_SECONDS_OF_PATIENCE), library.exclusive("refresh"):
        for video_id in video_ids:
            (known if _is_known(library, video_id) else unknown).append(video_id)
            files = _files_of(library, video_id)
            deleted += files
            own += _forget_one(library, video_id, why, files)
        sweep(library)
    rebuild = [name for name in _DERIVED if known and (library.state / name).is_dir()]
    return Forgotten(tuple(known), tuple(unknown), tuple(deleted), tuple(own), tuple(rebuild))


def _files_of(library: Library, video_id: str) -> list[str]:
    """What howto fetched or made of a video alone, relative to the state folder."""
    state, name = library.state, glob.escape(video_id)
    found = [*state.glob(f"media/{name}.*"), *state.glob(f"captions/{name}.*")]
    found += state.glob(f"features/*/*/{name}.*")
    return sorted(path.relative_to(state).as_posix() for path in found)


def _forget_one(library: Library, video_id: str, why: str, files: list[str]) -> list[str]:
    """Delete the rows of one video.

    Returns:
        The user's own files of it.
    """
    number = library.numbers([video_id]).get(video_id)
    own: list[str] = []
    with library.writing():
        # Its media may lie elsewhere too, as a file whose content is the id.
        contents = [content_id(library.state / name) for name in files if name.startswith("media/")]
        Ledger(library).bury([video_id], why, files)
        Ledger(library).bury(contents, why, [])
        for other in contents:
            twin = library.numbers([other]).get(other)
            own += _delete_rows(library, twin) if twin is not None else []
        own += _delete_rows(library, number) if number is not None else []
    return own


def _delete_rows(library: Library, number: int) -> list[str]:
    paths = [path for path in library.paths_of(number) if _is_own(library, path)]
    for path in paths:
        status = (library.folder / path).stat() if (library.folder / path).exists() else None
        if status is not None:
            library.ignore_file(path, status.st_size, status.st_mtime_ns)
    words.remove_video(library.connection, number)
    library.delete_video(number)
    return paths


def _is_own(library: Library, path: str) -> bool:
    return not (library.folder / Path(path)).is_relative_to(library.state)

"""Forgetting: a video is taken out of a library for good, and a tombstone keeps it out.

For a takedown, a wish of somebody who is seen in it, or a test video found in a training set. What
howto made or fetched is deleted; a file of the user's own is not touched, and the library passes it
over from then on.
"""

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from howto.collect.examine import content_id
from howto.collect.fetched import hashed_id
from howto.collect.ledger import Ledger
from howto.collect.stage import sweep
from howto.errors import LibraryBusy, UsageError
from howto.library import Library
from howto.search import words

__all__ = ["Forgotten", "forget", "named_videos"]

_BARE_ID = re.compile(r"[A-Za-z0-9_-]{11}")  # of YouTube
_YOUTUBE_ID = re.compile(r"youtube-[A-Za-z0-9_-]{11}")
_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_DERIVED = ("packs/*", "index/*")
_LOCKS = ("packs/*.lock", "index/*/*.lock")
_LISTS = (".json", "journal.jsonl", ".db", ".db-wal")
_FOLDER = "folder"
"""The source of the user's own files."""
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What forgetting did.

    Attributes:
        known: ids that were in the library, or waiting to be collected.
        unknown: ids that were not, and are kept out all the same.
        deleted: files in the state folder, relative to it; and features that lie elsewhere.
        own_files: the user's, which lie where they lay, relative to the library's folder.
        derived: folders of packs and indexes that held it among others, and were deleted: the
            command that made them makes them again, of what is left.
    """

    known: tuple[str, ...]
    unknown: tuple[str, ...]
    deleted: tuple[str, ...]
    own_files: tuple[str, ...]
    derived: tuple[str, ...]


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
        LibraryBusy: another process is working on this library.
        LibraryError: a file cannot be deleted, in the state folder or where features are kept.
    """
    video_ids = list(dict.fromkeys(video_ids))
    for video_id in video_ids:
        if not _SAFE_ID.fullmatch(video_id):
            raise UsageError(
                f"{video_id!r} is no id of a video: expected letters, digits, - and _ alone"
            )
    known: list[str] = []
    unknown: list[str] = []
    own: list[str] = []
    with library.exclusive("collect", seconds=_PATIENCE), _nothing_else_at_work(library):
        files = _files_of(library, video_ids)
        ids = {one: (one, *_contents(library, files[one])) for one in video_ids}
        derived = _derived_of(library.state, ids)
        elsewhere = _delete_elsewhere(library, {one for names in ids.values() for one in names})
        for video_id in video_ids:
            (known if _is_known(library, video_id) else unknown).append(video_id)
            own += _forget_one(library, ids[video_id], why, [*files[video_id], *derived[video_id]])
        sweep(library)
    return Forgotten(
        tuple(known),
        tuple(unknown),
        (*(name for video_id in video_ids for name in files[video_id]), *elsewhere),
        tuple(own),
        tuple(sorted({name for names in derived.values() for name in names})),
    )


@contextmanager
def _nothing_else_at_work(library: Library) -> Iterator[None]:
    """Wait for what could still write down something of a video that it has read already.

    Raises:
        LibraryBusy: it goes on for long.
    """
    from filelock import FileLock, Timeout

    with ExitStack() as stack:
        for work in ("refresh", "listen", "clip", "extract"):
            stack.enter_context(library.exclusive(work, seconds=_PATIENCE))
        for lock in sorted(path for one in _LOCKS for path in library.state.glob(one)):
            try:
                stack.enter_context(FileLock(lock).acquire(timeout=_PATIENCE))
            except Timeout as error:
                raise LibraryBusy(
                    f"{lock.parent} is being written. Wait for that, or end it, and run the "
                    "command again."
                ) from error
        yield


def _files_of(library: Library, video_ids: Collection[str]) -> dict[str, list[str]]:
    """What howto fetched or made of each video alone, relative to the state folder.

    Each folder is read once, however many videos there are.
    """
    found: dict[str, list[str]] = {video_id: [] for video_id in video_ids}
    for folder in ("captions", "media"):
        for name in _names_in(library.state / folder):
            video_id = name.partition(".")[0]
            if video_id in found and name != video_id:
                found[video_id].append(f"{folder}/{name}")
    for held in library.state.glob("features/*/*"):
        for video_id in video_ids:
            path = held / f"{video_id}.safetensors"
            if path.exists():
                found[video_id].append(path.relative_to(library.state).as_posix())
    return {video_id: sorted(names) for video_id, names in found.items()}


def _names_in(folder: Path) -> Iterator[str]:
    if folder.is_dir():
        with os.scandir(folder) as entries:
            yield from (entry.name for entry in entries)


def _contents(library: Library, files: Iterable[str]) -> list[str]:
    """The ids that the media would have as files of the user's: a copy may lie elsewhere."""
    return [content_id(library.state / name) for name in files if name.startswith("media/")]


def _derived_of(state: Path, ids: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    """The folders of packs and indexes that hold each video, relative to the state folder.

    They hold many videos each, and are made again of what is left when they are needed.

    Args:
        ids: all that each video may be called there.
    """
    found: dict[str, list[str]] = {video_id: [] for video_id in ids}
    for folder in sorted(path for one in _DERIVED for path in state.glob(one) if path.is_dir()):
        named = _named_in(folder, {one for names in ids.values() for one in names})
        for video_id, names in ids.items():
            if named & set(names):
                found[video_id].append(folder.relative_to(state).as_posix())
    return found


def _named_in(folder: Path, ids: Collection[str]) -> set[str]:
    """Those ids that a derived folder names; all of them where it does not say whom it holds."""
    lists = [path for path in folder.rglob("*") if path.name.endswith(_LISTS)]
    if not lists:
        return set(ids)
    named: set[str] = set()
    for path in lists:
        held = path.read_bytes()
        quoted = path.suffix in (".json", ".jsonl")  # else a database's, where the bytes stand bare
        named |= {one for one in ids if (f'"{one}"' if quoted else one).encode() in held}
    return named


def _delete_elsewhere(library: Library, ids: Collection[str]) -> list[str]:
    """Delete the features that lie outside the state folder, before anything is forgotten: what
    fails or is killed here is done again by the same command."""
    from howto.extract.storage import remove
    from howto.extract.store import feature_sets, features_root

    if features_root(library) == library.state / "features":
        return []
    paths = [stored.path(one) for stored, _ in feature_sets(library) for one in sorted(ids)]
    return [str(path) for path in paths if remove(path)]


def _forget_one(library: Library, ids: Sequence[str], why: str, files: list[str]) -> list[str]:
    """Delete the rows of one video, and leave tombstones.

    Args:
        ids: its own, and those that its content has, or would have, as a file of the user's.

    Returns:
        The user's own files of it.
    """
    own: list[str] = []
    video_id, *contents = ids
    # As a file of the user's its content is its id; `collect --folder` gives it another.
    linked = [hashed_id(_FOLDER, one) for one in (*contents, video_id)]
    with library.writing():
        Ledger(library).bury([video_id], why, files)
        Ledger(library).bury([*contents, *linked], why, [])
        for one in ids:
            number = library.numbers([one]).get(one)
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

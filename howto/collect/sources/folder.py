"""Media files that are here already: registered, described by probing, fetched by a hard link."""

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from howto.collect.apart import probe_apart
from howto.collect.examine import content_id
from howto.collect.faults import on_disk
from howto.collect.fetched import Candidate, CaptionTrack, Described, Pace, Task, hashed_id
from howto.collect.place import Places, check_room
from howto.collect.scan import MEDIA_SUFFIXES, scan
from howto.collect.tracks import UNKNOWN
from howto.errors import ItemError, Reason, UsageError
from howto.records import Kind
from howto.transcribe.names import describe
from howto.transcribe.sidecar import group_captions

__all__ = ["FolderSource"]


class FolderSource:
    """Yields the media files of a folder and of the folders in it, in order of their paths.

    The id is made of the content: a file that was renamed is the same video, and two files with one
    content are one. Captions beside a file are its tracks.

    Args:
        folder: where to look; hidden folders in it are left out.

    Attributes:
        keep_free: bytes of the disk that stay free where a file has to be copied; may be set.
    """

    name: ClassVar[str] = "folder"
    polite: ClassVar[Pace] = Pace()

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self.keep_free = 0
        self._beside: tuple[Path, dict[str, list[str]]] = (Path(), {})

    def find(self, task: Task | None, limit: int) -> Iterator[Candidate]:  # noqa: ARG002
        if self._folder is None:
            raise UsageError("the source folder needs a folder: --folder DIR")
        if not self._folder.is_dir():
            raise UsageError(f"{self._folder}: there is no such folder")
        return itertools.islice(self._candidates(self._folder.absolute()), limit)

    def describe(self, candidate: Candidate) -> Described:
        path = Path(candidate.address)
        info = probe_apart(path)
        return Described(
            candidate,
            title=info.title or path.stem,
            description=info.description,
            duration=info.duration,
            size=0,  # a link takes no room, and a copy looks for it
            chapters=info.chapters,
            tracks=tuple(_track(path, name) for name in self._captions_beside(path)),
        )

    def captions(self, described: Described, track: CaptionTrack, into: Path) -> Path:
        source = Path(described.candidate.address).with_name(track.key)
        name = f"{described.candidate.video_id}.{track.language}.{track.form}"
        out = into / name
        with on_disk():
            unfinished = into / f"{name}.part"
            shutil.copyfile(source, unfinished)  # not a link: captions are edited in place
            if not unfinished.stat().st_size:
                unfinished.unlink()
                raise ItemError(Reason.EMPTY_FILE, track.key)
            return unfinished.replace(out)

    def media(self, described: Described, height: int, into: Path) -> Path:  # noqa: ARG002
        source = Path(described.candidate.address)
        out = into / f"{described.candidate.video_id}{source.suffix.lower()}"
        unfinished = into / f"{described.candidate.video_id}.part"
        with on_disk():
            unfinished.unlink(missing_ok=True)
            try:
                os.link(source, unfinished)
            except OSError:  # another disk, or one without links
                check_room(Places(into), self.keep_free, source.stat().st_size)
                shutil.copyfile(source, unfinished)
            out.unlink(missing_ok=True)  # two links to one file cannot replace each other
            return unfinished.replace(out)

    def _candidates(self, folder: Path) -> Iterator[Candidate]:
        seen: set[str] = set()
        for file in scan(folder):
            path = folder / file.path
            try:
                key = content_id(path)
            except OSError:  # it is described as what it is: a file that cannot be read
                key = os.fspath(path)
            video_id = hashed_id(self.name, key)
            if video_id not in seen:
                seen.add(video_id)
                yield Candidate(video_id, self.name, os.fspath(path), rank=0, title=path.stem)

    def _captions_beside(self, path: Path) -> list[str]:
        """The names of a file's caption files; those of its folder are kept for the next one."""
        if self._beside[0] != path.parent:
            with on_disk():
                names = [found.name for found in path.parent.iterdir()]
            media = [name for name in names if Path(name).suffix.lower() in MEDIA_SUFFIXES]
            self._beside = path.parent, group_captions(names, media)
        return self._beside[1].get(path.name, [])


def _track(path: Path, name: str) -> CaptionTrack:
    """What the name of a caption file says of it."""
    *parts, suffix = name[len(path.stem) :].split(".")[1:]
    said = describe(parts)
    kind = Kind.AUTOMATIC if said.automatic else Kind.MANUAL
    return CaptionTrack(said.language or UNKNOWN, kind, suffix.lower(), name)

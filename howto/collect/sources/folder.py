"""Media files that are here already: registered, described by probing, fetched by a hard link."""

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from howto.collect.examine import content_id
from howto.collect.faults import fault_of
from howto.collect.fetched import Candidate, CaptionTrack, Described, Pace, Task, hashed_id
from howto.collect.scan import scan
from howto.errors import ItemError, Reason, UsageError

__all__ = ["FolderSource"]


class FolderSource:
    """Yields the media files of a folder and of the folders in it, in order of their paths.

    The id is made of the content: a file that was renamed is the same video, and two files with one
    content are one. Captions beside a file are not offered here: they are found where it lies.

    Args:
        folder: where to look; hidden folders in it are left out.
    """

    name: ClassVar[str] = "folder"
    polite: ClassVar[Pace] = Pace()

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def find(self, task: Task | None, limit: int) -> Iterator[Candidate]:  # noqa: ARG002
        if self._folder is None:
            raise UsageError("the source folder needs a folder: --folder DIR")
        if not self._folder.is_dir():
            raise UsageError(f"{self._folder}: there is no such folder")
        return itertools.islice(self._candidates(self._folder.absolute()), limit)

    def describe(self, candidate: Candidate) -> Described:
        from howto.media.probe import probe

        path = Path(candidate.address)
        info = probe(path)
        return Described(
            candidate,
            title=info.title or path.stem,
            description=info.description,
            duration=info.duration,
            chapters=info.chapters,
        )

    def captions(self, described: Described, track: CaptionTrack, into: Path) -> Path:  # noqa: ARG002
        raise ItemError(Reason.NO_CAPTIONS, "a folder offers no tracks of captions")

    def media(self, described: Described, height: int, into: Path) -> Path:  # noqa: ARG002
        source = Path(described.candidate.address)
        out = into / f"{described.candidate.video_id}{source.suffix.lower()}"
        unfinished = into / f"{described.candidate.video_id}.part"
        try:
            unfinished.unlink(missing_ok=True)
            try:
                os.link(source, unfinished)
            except OSError:  # another disk, or one without links
                shutil.copyfile(source, unfinished)
            out.unlink(missing_ok=True)  # two links to one file cannot replace each other
            return unfinished.replace(out)
        except OSError as error:
            raise fault_of(error) from error

    def _candidates(self, folder: Path) -> Iterator[Candidate]:
        seen: set[str] = set()
        for file in scan(folder):
            path = folder / file.path
            try:
                key = content_id(path)
            except OSError:  # it is described as what it is: a file that cannot be read
                key = str(path)
            video_id = hashed_id(self.name, key)
            if video_id not in seen:
                seen.add(video_id)
                yield Candidate(video_id, self.name, str(path), rank=0, title=path.stem)

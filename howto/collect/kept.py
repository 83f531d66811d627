"""The collected videos of a library, as scanning would find them if they lay in its folder.

Their media and captions lie in the state folder, each in a folder of its own, and their ids are not
hashes of their contents; what their source said of them stands in the ledger. A video of captions
alone has the path at which its media would lie, without a suffix.
"""

import json
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from howto.collect.scan import FoundFile, companions_text, scan
from howto.library import Library
from howto.records import Chapter, MediaInfo

__all__ = [
    "Known",
    "addresses_of",
    "at_second",
    "info_without_media",
    "known_of",
    "scan_library",
]

_NO_MEDIA = "\nno media"  # so that media which comes later is looked at
_WEB = ("https://", "http://")


@dataclass(frozen=True, slots=True)
class Known:
    """What a source said of a video.

    Attributes:
        duration: seconds; None where it did not say.
        has_media: its media file is there.
    """

    title: str
    description: str
    duration: float | None
    chapters: tuple[Chapter, ...]
    has_media: bool


def scan_library(
    library: Library, only: str | None = None, unreadable: list[str] | None = None
) -> list[FoundFile]:
    """Find all files of a library: those of its folder, and those that were collected.

    What was forgotten and still lies in the folder is left out, while it is as it was.

    Args:
        only, unreadable: as `scan` takes them.

    Returns:
        Sorted by path, those of the folder first.
    """
    found = scan(library.folder, only, unreadable)
    ignored = {
        os.fsdecode(path): (size, mtime_ns)
        for path, size, mtime_ns in library.connection.execute("SELECT * FROM ignored_files")
    }
    if ignored:
        found = [one for one in found if ignored.get(one.path) != (one.size, one.mtime_ns)]
    return found + _collected(library)


def _collected(library: Library) -> list[FoundFile]:
    rows = library.connection.execute(
        "SELECT video_id, caption, media FROM candidates WHERE state = 'done' ORDER BY video_id"
    )
    folder, captions = library.state / "media", library.state / "captions"
    inside = folder.is_relative_to(library.folder)
    where = (folder.relative_to(library.folder) if inside else folder).as_posix()
    found = []
    for video_id, caption, media in rows:
        # One by one: the states of a million files of a folder would take a gigabyte.
        said, film = _status(captions, caption), _status(folder, media)
        beside = {} if said is None else {f"../captions/{caption}": said}
        status = film or said
        if status is None:
            continue  # its files were taken away
        found.append(
            FoundFile(
                path=f"{where}/{media if film else video_id}",
                size=status.st_size,
                mtime_ns=status.st_mtime_ns,
                captions=tuple(beside),
                info_json=None,
                companions=companions_text(beside) + ("" if film else _NO_MEDIA),
                video_id=video_id,
            )
        )
    return found


def _status(folder: Path, name: str | None) -> os.stat_result | None:
    """The size and the time of a file; None where there is none of that name."""
    if not name:
        return None
    try:
        status = os.stat(os.path.join(folder, name))  # noqa: PTH116, PTH118 a Path takes long
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def known_of(library: Library, file: FoundFile) -> Known | None:
    """What the ledger knows of a collected video; None where it was not collected."""
    row = library.connection.execute(
        "SELECT one.title, description, duration, chapters FROM descriptions AS one"
        " JOIN candidates USING (candidate) WHERE video_id = ?",
        (file.video_id,),
    ).fetchone()
    if row is None:
        return None
    title, description, duration, chapters = row
    return Known(
        title,
        description,
        duration,
        tuple(Chapter(**one) for one in json.loads(chapters)),
        has_media=bool(Path(file.path).suffix),
    )


def info_without_media(duration: float) -> MediaInfo:
    """What stands for probing where there is no media: the length that the source stated."""
    return MediaInfo(
        duration=duration,
        start_time=0.0,
        width=0,
        height=0,
        coded_width=0,
        coded_height=0,
        pixel_aspect=Fraction(1),
        rotation=0,
        frame_rate=None,
        variable_frame_rate=False,
        video_codec="",
        pixel_format="",
        has_audio=False,
    )


def addresses_of(library: Library, numbers: Iterable[int]) -> dict[int, tuple[str, bool]]:
    """The addresses of those of some videos that were collected.

    Returns:
        By the video's number: its address on the web, else '', and whether its media is here.
    """
    rows = library.connection.execute(
        "SELECT number, address, media IS NOT NULL FROM videos JOIN candidates USING (video_id)"
        " WHERE number IN (SELECT value FROM json_each(?))",
        (json.dumps(list(numbers)),),
    )
    return {number: (_on_web(address), bool(has_media)) for number, address, has_media in rows}


def _on_web(address: str | bytes) -> str:
    return address if isinstance(address, str) and address.startswith(_WEB) else ""


def at_second(address: str, seconds: float) -> str:
    """An address on the web that begins to play at a second."""
    if "youtube.com/watch?" in address:
        return f"{address}&t={int(seconds)}s"
    return f"{address.partition('#')[0]}#t={int(seconds)}"

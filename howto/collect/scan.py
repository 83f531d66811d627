"""Scanning a folder for media files and for what lies beside them. Nothing is opened except
folders."""

import fnmatch
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from howto.transcribe.sidecar import group_captions

__all__ = ["MEDIA_SUFFIXES", "FoundFile", "companions_text", "files_of", "scan"]

VIDEO_SUFFIXES = frozenset(
    ".3g2 .3gp .asf .avi .divx .f4v .flv .m2ts .m2v .m4v .mkv .mov .mp4 .mpe .mpeg .mpg .mts .mxf"
    " .ogm .ogv .qt .rm .rmvb .ts .vob .webm .wmv .y4m".split()
)
SOUND_SUFFIXES = frozenset(
    ".aac .aif .aiff .amr .flac .m4a .m4b .mka .mp2 .mp3 .oga .ogg .opus .wav .weba .wma".split()
)
MEDIA_SUFFIXES = VIDEO_SUFFIXES | SOUND_SUFFIXES
"""Sound is listed too: a person who dropped a podcast into the folder is told why it gives no
moments."""

INFO_SUFFIX = ".info.json"


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A media file on disk, and its companions.

    Attributes:
        path: relative to the scanned folder, with forward slashes.
        captions: names of caption files beside it, most wanted first.
        info_json: name of the yt-dlp description beside it, or None.
        companions: names, sizes, times and modes of all of these as one text: it changes when any
            of them does.
        video_id: of a collected video, whose id is its source's; '' where the content is the id.
    """

    path: str
    size: int
    mtime_ns: int
    captions: tuple[str, ...]
    info_json: str | None
    companions: str
    video_id: str = ""


def scan(
    folder: Path, only: str | None = None, unreadable: list[str] | None = None
) -> list[FoundFile]:
    """Find the media files of a folder and of the folders inside it; hidden ones are left out.

    A folder that cannot be read is passed over. Links to folders are not followed, so no cycle can
    arise.

    Args:
        unreadable: is given the relative paths of folders that cannot be read.
        only: a pattern such as `shirts/*.mp4`, matched against the relative path.

    Returns:
        Sorted by path.
    """
    found = [
        file
        for directory, relative in _folders(folder, [] if unreadable is None else unreadable)
        for file in _media_of(directory, relative)
        if only is None or fnmatch.fnmatchcase(file.path, only)
    ]
    return sorted(found, key=lambda file: file.path)


def _folders(folder: Path, unreadable: list[str]) -> Iterator[tuple[str, str]]:
    """The folder and all inside it, each with its relative path: '' or ending in a slash."""
    waiting = [(os.fspath(folder), "")]
    while waiting:
        directory, relative = waiting.pop()
        yield directory, relative
        try:
            with os.scandir(directory) as entries:
                waiting.extend(
                    (entry.path, f"{relative}{entry.name}/")
                    for entry in entries
                    if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
                )
        except OSError:
            unreadable.append(relative)


def _media_of(directory: str, relative: str) -> Iterator[FoundFile]:
    entries = files_of(directory)
    media = [name for name in entries if os.path.splitext(name)[1].lower() in MEDIA_SUFFIXES]
    captions = group_captions(entries, media) if media else {}
    for name in media:
        beside = tuple(captions.get(name, ()))
        info_json = os.path.splitext(name)[0] + INFO_SUFFIX
        companions = (*beside, info_json) if info_json in entries else beside
        status = entries[name]
        yield FoundFile(
            path=relative + name,
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
            captions=beside,
            info_json=info_json if info_json in entries else None,
            companions=companions_text({other: entries[other] for other in companions}),
        )


def companions_text(companions: Mapping[str, os.stat_result]) -> str:
    """Names, sizes, times and modes of companions as one text."""
    return "\n".join(
        # The mode too: giving a permission back leaves size and time as they are.
        f"{other!a} {status.st_size} {status.st_mtime_ns} {status.st_mode:o}"
        for other, status in companions.items()
    )


def files_of(directory: str | Path) -> dict[str, os.stat_result]:
    """The visible files of one folder with their sizes and times; broken links are left out."""
    files = {}
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                try:
                    if entry.is_file():
                        files[entry.name] = entry.stat()
                except OSError:
                    continue
    except OSError:
        return {}
    return files

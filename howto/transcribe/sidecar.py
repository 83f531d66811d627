"""Caption files beside a video: which ones they are, and the source `sidecar`, which reads them."""

import functools
import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from howto.errors import CaptionError, Reason
from howto.records import Narration, Problem, Video
from howto.transcribe.ends import Ends
from howto.transcribe.language import language_tag, primary
from howto.transcribe.names import CAPTION_SUFFIXES, CaptionName, describe
from howto.transcribe.within_video import within_video

__all__ = ["SidecarSource", "captions_of", "group_captions"]

_SUFFIX_RANK = {suffix: rank for rank, suffix in enumerate(CAPTION_SUFFIXES)}
_MEDIA = frozenset(
    {"mp4", "m4v", "mkv", "webm", "mov", "avi", "mpg", "mpeg", "ts", "m2ts", "flv", "wmv"}
    | {"ogv", "ogg", "3gp", "mp3", "m4a", "wav", "flac", "opus"}
)
_MOST_PARTS = 6
"""`stem.mp4.en-US.sdh.auto.vtt` has four between stem and suffix."""


def captions_of(stem: str, names: Iterable[str], language: str = "en") -> list[str]:
    """Choose the caption files of one video among the names of its folder, most wanted first.

    Wanted most is the preferred language, then a file that does not say its language, then the
    others by name of the language; within a language what a person wrote before what a recogniser
    wrote, then the format, by the order of `CAPTION_SUFFIXES`. What a machine translated comes
    after all that is said in the video, and forced subtitles, which hold next to nothing, last.

    Args:
        stem: the video's file name without its suffix.
        names: file names without folders. For many videos of a folder use `group_captions`.
        language: the preferred one.
    """
    stem = _normal(stem)
    found = []
    for name in names:
        plain = _normal(name)
        if plain.startswith(stem) and plain[len(stem) : len(stem) + 1] == ".":
            meaning = _meaning(plain[len(stem) :])
            if meaning is not None:
                found.append((_wish(*meaning, language), name))
    return [name for _, name in sorted(found)]


def group_captions(
    names: Iterable[str], video_names: Iterable[str], language: str = "en"
) -> dict[str, list[str]]:
    """Do what `captions_of` does for all videos of a folder, in time linear in the number of names.

    A caption file goes to the video with the longest name that fits: `part.1.en.vtt` to
    `part.1.mp4` and not to `part.mp4`. Two videos that differ in the suffix alone share theirs,
    unless a caption file names it.

    Returns:
        For every video name its caption files, most wanted first; [] where it has none.
    """
    videos: dict[str, list[str]] = {}
    groups: dict[str, list[str]] = {}
    for video in video_names:
        groups[video] = []
        plain = _normal(video)
        videos.setdefault(plain, []).append(video)
        if (stem := _stem(plain)) != plain:
            videos.setdefault(stem, []).append(video)
    found = []
    for name in names:
        plain = _normal(name)
        if plain[plain.rfind(".") :].lower() not in _SUFFIX_RANK:
            continue
        owner = _owner(plain, videos)
        meaning = None if owner is None else _meaning(plain[len(owner) :])
        if owner is not None and meaning is not None:
            found.append((_wish(*meaning, language), name, owner))
    for _, name, owner in sorted(found):
        for video in videos[owner]:
            groups[video].append(name)
    return groups


def _normal(name: str) -> str:
    # One disk gives `é` as one character, another as two.
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _stem(name: str) -> str:
    return name[: name.rfind(".")] if name.rfind(".") > 0 else name


def _owner(name: str, videos: dict[str, list[str]]) -> str | None:
    """The longest part of a caption file's name, cut at a dot, that is a video's name or stem."""
    for _ in range(_MOST_PARTS + 1):
        dot = name.rfind(".")
        if dot <= 0:
            return None
        name = name[:dot]
        if name in videos:
            return name
    return None


@functools.lru_cache(maxsize=1024)
def _meaning(tail: str) -> tuple[CaptionName, str] | None:
    """Read what follows the stem, `.en.vtt`; None where that is not narration of this video."""
    *parts, suffix = tail.split(".")[1:]
    suffix = "." + suffix.lower()
    if suffix not in _SUFFIX_RANK or len(parts) > _MOST_PARTS:
        return None
    if parts and parts[0].lower() in _MEDIA:
        parts = parts[1:]
    said = describe(parts)
    # `lecture.2.vtt` is of another lecture; a word such as a translator's name may stand anywhere.
    if said.other_track or not all(part.isalpha() for part in said.unknown):
        return None
    # Only a language makes an .xml beside a video its captions: many tools leave others there.
    return None if suffix == ".xml" and said.language is None else (said, suffix)


_Wish = tuple[bool, bool, int, str, bool, int, bool, bool, int]


@functools.lru_cache(maxsize=1024)
def _wish(said: CaptionName, suffix: str, language: str) -> _Wish:
    """A key that sorts the most wanted file first."""
    wanted = language_tag(language) or language.lower()
    rank = _language_rank(said.language, wanted)
    exact = 0 if said.language == wanted else 1 if said.language == primary(wanted) else 2
    return (
        said.forced,
        said.translated,
        rank,
        primary(said.language) if said.language and rank == 2 else "",
        said.automatic,
        exact if rank != 1 else 0,
        bool(said.unknown),
        said.for_the_deaf,
        _SUFFIX_RANK[suffix],
    )


def _language_rank(tag: str | None, wanted: str) -> int:
    if tag is None:
        return 1
    return 0 if primary(tag) == primary(wanted) else 2


class SidecarSource:
    """Reads the caption files that lie beside a video.

    Args:
        language: the preferred one; files of other languages are read where there is none in it.
        ends: the rule for the ends of lines, as `formats.read_captions` takes it.
    """

    name: ClassVar[str] = "sidecar"
    listens: ClassVar[bool] = False
    sound_per_second: ClassVar[float] = float("inf")

    def __init__(self, language: str = "en", ends: Ends | None = None) -> None:
        self.language = language
        self.ends = ends

    def narrate(self, video: Video) -> Narration | None:
        """Return the first of the video's caption files that has a line, cut to the video's length.

        What was wrong with files before it is told by its problems, with their names.

        Returns:
            None where no file is there, or those that are say nothing.

        Raises:
            CaptionError: no file gave a line, and one or more cannot be read; the reason is that of
            the first.
        """
        from howto.transcribe.formats import read_captions

        failures: list[tuple[str, CaptionError]] = []
        for path in self._in_order(video):
            try:
                narration = read_captions(path, self.language, video.path.stem, self.ends)
            except CaptionError as error:
                if error.reason is not Reason.NO_NARRATION:
                    failures.append((path.name, error))
                continue
            if narration.lines:
                narration = within_video(narration, video.info.duration if video.info else 0.0)
            if narration.lines:
                return _with_failures(narration, failures)
        if failures:
            name, first = failures[0]
            raise CaptionError(first.reason, f"{name}: {first}") from first
        return None

    def _in_order(self, video: Video) -> list[Path]:
        """The given order, but for the language: who gave it may have preferred another."""
        wanted = language_tag(self.language) or self.language.lower()

        def rank(path: Path) -> tuple[bool, bool, int]:
            meaning = _meaning(_normal(path.name).removeprefix(_normal(video.path.stem)))
            if meaning is None:
                return False, False, 1
            said = meaning[0]
            return said.forced, said.translated, _language_rank(said.language, wanted)

        return sorted(video.captions, key=rank)


def _with_failures(narration: Narration, failures: list[tuple[str, CaptionError]]) -> Narration:
    problems = tuple(Problem(None, f"{name} was passed over: {error}") for name, error in failures)
    return replace(narration, problems=problems + narration.problems) if problems else narration

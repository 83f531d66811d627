"""A query by picture: a file, or a second of a video of the library."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from howto.collect.examine import content_id
from howto.errors import UsageError
from howto.library import Library
from howto.search.filters import parse_seconds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from howto.joint.opened import OpenedModel

__all__ = [
    "UNWANTED_WEIGHT",
    "Like",
    "LikeMoment",
    "combined",
    "embed_like",
    "moment_of",
    "parse_like",
]

UNWANTED_WEIGHT = 0.5
"""How much what is not wanted counts against a clip. At 1 it would decide as much as what is."""

_PAST_THE_END = 0.5  # seconds that still mean the end of a video


@dataclass(frozen=True, slots=True)
class Like:
    """What hits should look like.

    Attributes:
        text: as it was given.
        path: of the picture, or of the video, as it was given.
        seconds: None: it is a picture.
    """

    text: str
    path: Path
    seconds: float | None


@dataclass(frozen=True, slots=True)
class LikeMoment:
    """A second of a video of the library.

    Attributes:
        number: the library's short key of the video.
        seconds: at most its length.
    """

    number: int
    seconds: float


def parse_like(text: str) -> Like:
    """Read `FILE.jpg` or `VIDEO@SECONDS`, the time as seconds or `1:30`.

    A file that is there is meant, whatever its name holds.

    Raises:
        UsageError: it is neither.
    """
    # Unlike Path.is_file, this answers for any text, however long.
    if os.path.isfile(text):  # noqa: PTH113
        return Like(text, Path(text), None)
    name, at, time = text.rpartition("@")
    if not at or not name:
        raise UsageError(
            f"--like {text}: there is no such picture; a moment of a video is VIDEO@SECONDS"
        )
    return Like(text, Path(name), parse_seconds(time))


def embed_like(
    library: Library, model: "OpenedModel", like: Like, moment: LikeMoment | None
) -> "NDArray[np.float32]":
    """Embed what hits should look like: float32 (D,).

    Args:
        moment: which it is (`moment_of`); None: a picture.

    Raises:
        UsageError: the model cannot see pictures by themselves, or the file is no picture.
        ItemError: NO_FEATURES: the model has none of that video.
    """
    if moment is None:
        return model.embed_picture(like.path)
    span = [(moment.seconds, moment.seconds)]
    found: NDArray[np.float32] = model.embed_spans(library, library.video_id(moment.number), span)[
        0
    ]
    return found


def moment_of(library: Library, like: Like, folder: Path) -> LikeMoment | None:
    """The moment of a video that is meant; None where it is a picture.

    Args:
        folder: the folder searched, absolute.

    Raises:
        UsageError: the video is not in the library, or not that long.
    """
    if like.seconds is None:
        return None
    number = _number(library, like, folder)
    info = library.info(library.video_id(number))
    seconds = like.seconds
    if info is not None and seconds > info.duration:
        # Players round, and count sound that goes on after the last picture.
        if seconds > info.duration + _PAST_THE_END:
            raise UsageError(f"--like {like.text}: that video is {info.duration:.1f} s long")
        seconds = info.duration
    return LikeMoment(number, seconds)


def _number(library: Library, like: Like, folder: Path) -> int:
    """The video that is meant: by any path under which the library knows it, or as a file with the
    same content.

    A relative path is read as hits are named, in the folder searched; else in the library's folder;
    else in the current one.
    """
    places = [base / like.path for base in (folder, library.folder, Path.cwd())]
    for place in places:
        number = library.number_of_file(_as_known(library, Path(os.path.realpath(place))))
        if number is None:
            number = _of_same_content(library, place)
        if number is not None:
            return number
    raise UsageError(
        f"--like {like.text}: there is no video {like.path.as_posix()} here. Name it as hits are "
        "named, or by the path of its file"
    )


def _as_known(library: Library, path: Path) -> str:
    inside = path.is_relative_to(library.folder)
    return (path.relative_to(library.folder) if inside else path).as_posix()


def _of_same_content(library: Library, path: Path) -> int | None:
    """The video that a file is a copy of; None where there is none, or no file to be read."""
    if not os.path.isfile(path):  # noqa: PTH113  as in parse_like
        return None
    try:
        video_id = content_id(path)
    except OSError:
        return None
    number = library.numbers([video_id]).get(video_id)
    return number if number is not None and library.paths_of(number) else None


def combined(
    wanted: "Sequence[NDArray[np.float32]]", unwanted: "NDArray[np.float32] | None"
) -> "NDArray[np.float32]":
    """One query out of several, and without what is not wanted: float32 (D,).

    Args:
        wanted: at least one (D,); each counts the same.
        unwanted: (D,) whose direction counts against a clip by half.
    """
    import numpy as np

    lengths = [float(np.linalg.norm(one)) for one in wanted]
    length = max(lengths) or 1.0
    query = sum(one / (size or 1.0) for one, size in zip(wanted, lengths, strict=True))
    query = np.asarray(query) / len(wanted)
    if unwanted is not None:
        query = query - UNWANTED_WEIGHT * unwanted / (float(np.linalg.norm(unwanted)) or 1.0)
    found: NDArray[np.float32] = (length * query).astype(np.float32)
    return found

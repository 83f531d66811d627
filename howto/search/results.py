"""What can be done with hits: a contact sheet, pieces of video, a player at the right second."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from howto.errors import HowtoError, ItemError, UsageError
from howto.search.phrases import clock, named

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from howto.search.search import Answer, Hit

__all__ = ["PICTURE_SUFFIXES", "Piece", "check_sheet", "cut_hits", "open_hit", "write_sheet"]

_PICTURE_SHORT_SIDE = 240
_SHORTEST_PIECE = 1.0  # seconds
_LONGEST_NAME = 150  # bytes of a piece's name, which file systems allow 255 of
_PLAYERS = {
    "mpv": ("--start={seconds}",),
    "vlc": ("--start-time={seconds}",),
    "ffplay": ("-ss", "{seconds}"),
}
"""Players that can begin at a second, with the arguments that say so, most liked first."""
_OPENERS = {"darwin": "open", "linux": "xdg-open"}


PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def check_sheet(path: Path) -> None:
    """Refuse a contact sheet that could not be written, before any work is done for it.

    Raises:
        UsageError: the suffix is no picture format, or the folder is missing.
    """
    if path.suffix.lower() not in PICTURE_SUFFIXES:
        raise UsageError(f"cannot write a picture as {path}: use {', '.join(PICTURE_SUFFIXES)}")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent} to write {path.name} into")


def write_sheet(answer: "Answer", path: Path) -> list[str]:
    """Write a contact sheet of the hits: the frame that shows each best, its time and its words.

    Returns:
        What went wrong, a sentence for each hit whose picture could not be had; its cell says so
        too.

    Raises:
        UsageError: the suffix is no picture format, or the folder is missing.
    """
    from howto.media.sheet import Cell, contact_sheet, write_picture

    cells, problems = [], []
    for hit in answer.hits:
        picture, problem = _picture(hit)
        heading = f"{named(hit.video)}  {clock(hit.start)} - {clock(hit.end)}"
        said = hit.caption or "(nothing is said)"
        cells.append(Cell(picture=picture, heading=heading, caption=said, score=hit.score))
        if problem:
            problems.append(f"no picture of {hit.video} at {clock(hit.start)}: {problem}")
    write_picture(path, contact_sheet(cells, title=answer.query.text))
    return problems


def _picture(hit: "Hit") -> "tuple[NDArray[np.uint8] | None, str]":
    from howto.media.frames import frame_at

    try:
        return frame_at(hit.path, hit.at, short_side=_PICTURE_SHORT_SIDE), ""
    except ItemError as error:
        return None, str(error)


@dataclass(frozen=True, slots=True)
class Piece:
    """A moment cut out: where it lies, or why it could not be cut."""

    hit: "Hit"
    path: Path | None
    problem: str = ""


def cut_hits(answer: "Answer", folder: Path, *, exact: bool) -> Iterator[Piece]:
    """Cut the hits out, into files named by rank, video and second.

    Args:
        folder: made where it is missing.
        exact: to the frame, which encodes anew; else from the key frame before, which is quick.

    Raises:
        UsageError: the folder cannot be made.
    """
    from howto.media.cut import cut, cut_suffix

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {folder}: {error.strerror}") from error
    for rank, hit in enumerate(answer.hits, start=1):
        name = f"{rank:02}-{_safe(Path(hit.video).stem)}-{int(hit.start)}s"
        path = folder / (name + cut_suffix(hit.path, exact))
        # A line of no length is a moment all the same.
        end = max(hit.end, hit.start + _SHORTEST_PIECE)
        try:
            cut(hit.path, hit.start, end, path, exact=exact)
        except (HowtoError, OSError) as error:
            yield Piece(hit, None, f"{hit.video} at {clock(hit.start)}: {error}")
        else:
            yield Piece(hit, path)


def _safe(name: str) -> str:
    """A file name that no shell, player or file system trips over: letters, digits, dot, dash,
    underscore."""
    plain = re.sub(r"[^\w.-]+", "-", name.encode(errors="replace").decode()).strip("-.")
    return plain.encode()[:_LONGEST_NAME].decode(errors="ignore") or "video"


def open_hit(hit: "Hit") -> None:
    """Play a hit: in a player that can begin at its second, else in the desktop's own.

    Raises:
        UsageError: there is neither.
    """
    seconds = f"{hit.start:.2f}"
    place = str(hit.path) if hit.has_media else hit.address
    for player, arguments in _PLAYERS.items():
        if program := shutil.which(player):
            options = [argument.format(seconds=seconds) for argument in arguments]
            _start([program, *options, place])
            return
    opener = shutil.which(_OPENERS.get(sys.platform, "xdg-open"))
    if opener is None:
        raise UsageError(
            f"there is no player to open {place} with; install one of {', '.join(_PLAYERS)}"
        )
    _start([opener, place])


def _start(command: list[str]) -> None:
    # Detached: the player outlives the command, and its chatter stays out of the terminal.
    subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

"""What passes between a source of videos and the stage that collects them.

Records only: nothing here is heavy, nothing does work, and every record but `Described.raw` can be
pickled.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from howto.records import Chapter, Kind

__all__ = ["Candidate", "CaptionTrack", "Described", "Pace", "Task", "hashed_id"]

_ID_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Task:
    """Something that people do, and show how to do.

    Attributes:
        name: as the task list has it, such as `Fold a Shirt`.
        category: '' where there is none.
        task_id: the list's own; '' where there is none.
        query: what a site is asked, with "how to" in front; '' where it is not to be searched for.
    """

    name: str
    category: str = ""
    task_id: str = ""
    query: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A video that a source offers, before anything is known of it.

    Attributes:
        video_id: safe as the name of a file on every system: lower- and upper-case letters, digits,
            `-` and `_` only. `youtube-` and the site's eleven characters, else `hashed_id`.
        source: the name of the source that can fetch it.
        address: what a person would open: an address on the web, or a path.
        rank: its place among the hits of a search, from 1; 0 where it comes of no search.
        title: as the site has it, any characters; '' where it is not known yet.
    """

    video_id: str
    source: str
    address: str
    rank: int
    title: str = ""


@dataclass(frozen=True, slots=True)
class CaptionTrack:
    """Captions that a site offers for a video.

    Attributes:
        language: BCP 47 tag, of the words in it: `en` for an English translation.
        kind: who or what wrote them down; TRANSLATED where a program put them into this language.
        form: `json3`, `srv3`, `vtt` and so on: the suffix of a file of it.
        key: the source's own name for the track. YouTube's untranslated automatic track ends in
            `-orig`.
    """

    language: str
    kind: Kind
    form: str
    key: str


@dataclass(frozen=True, slots=True)
class Described:
    """What a source knows of a video without fetching it.

    Attributes:
        candidate: what was described.
        title, description: as the site has them, any characters; '' where there is none.
        duration: seconds; None where nothing says it.
        size: bytes that its file will take; None where nothing says it: then its length tells.
        views: None where nothing says it.
        language: BCP 47 tag of what is spoken; None where nothing says it.
        license: `cc-by`, `youtube` (its standard terms), as stated elsewhere; '' where unknown.
        tags, categories: as the site has them.
        chapters: in order of start.
        channel: who published it; '' where unknown.
        uploaded: YYYY-MM-DD; '' where unknown.
        live: it runs now, or is announced: there is no whole file of it.
        tracks: what captions there are, translations included, chats not.
        raw: what the source needs again for `captions` and `media`. May be large, is never stored,
            and is no part of equality.
    """

    candidate: Candidate
    title: str = ""
    description: str = ""
    duration: float | None = None
    size: int | None = None
    views: int | None = None
    language: str | None = None
    license: str = ""
    tags: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    chapters: tuple[Chapter, ...] = ()
    channel: str = ""
    uploaded: str = ""
    live: bool = False
    tracks: tuple[CaptionTrack, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds to wait between two requests of a kind to one host; 0 for files."""

    requests: float = 0.0
    captions: float = 0.0
    media: float = 0.0


def hashed_id(source: str, key: str) -> str:
    """Make a video's id of anything that names it, such as an address: the same key, the same id.

    Returns:
        The source's name, a hyphen, and 16 hexadecimal digits.
    """
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=_ID_DIGITS // 2)
    return f"{source}-{digest.hexdigest()}"

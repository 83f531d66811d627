"""YouTube, through yt-dlp: its search, or a list of ids.

The clients that yt-dlp takes by default need no token for most videos; which these are changes with
the site, so none is named here. Translations of captions are not listed for human tracks, which is
slow and never wanted. Needs yt-dlp.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from howto.collect.fetched import Candidate, CaptionTrack, Described, Pace, Task
from howto.collect.lists import listed_youtube_ids, youtube_candidate, youtube_id
from howto.collect.ytdlp import Asking, Site
from howto.errors import UsageError

__all__ = ["PACE", "YouTubeSource", "hits", "youtube_site"]

PACE = Pace(requests=1.25, captions=5.0, media=10.0)
"""What yt-dlp's maintainers advise (`-t sleep`, and more between requests), in seconds."""


class YouTubeSource:
    """Finds by the site's search, in its order; or yields a list of ids, whatever is asked.

    Args:
        ids: a file with one id or address a line, to take in place of a search.
        cookies: a Netscape cookie file; only for videos that need an account, which may be banned.
        proxy: such as `socks5://localhost:1080`.
        timeout: seconds without a byte after which a connection is given up.

    Attributes:
        site: what is asked, where several sources ask the same.
        keep_free: bytes of the disk that stay free while a file is fetched; may be set.
    """

    name: ClassVar[str] = "youtube"
    polite: ClassVar[Pace] = PACE
    site: ClassVar[str] = "youtube"

    def __init__(
        self,
        ids: Path | None = None,
        cookies: Path | None = None,
        proxy: str | None = None,
        timeout: float = 20.0,
    ) -> None:
        self._ids = ids
        self.keep_free = 0
        self._site = youtube_site(cookies, proxy, timeout)

    def find(self, task: Task | None, limit: int) -> Iterator[Candidate]:
        if self._ids is not None:
            listed = itertools.islice(listed_youtube_ids(self._ids), limit)
            return (youtube_candidate(self.name, bare) for bare in listed)
        if task is None or not task.query.strip():
            raise UsageError(
                "YouTube is searched for a task, or given a list: use --tasks or --ids"
            )
        return hits(self.name, self._site.search(f"ytsearch{limit}:{task.query}"), limit)

    def describe(self, candidate: Candidate) -> Described:
        return self._site.describe(candidate)

    def captions(self, described: Described, track: CaptionTrack, into: Path) -> Path:
        return self._site.captions(described, track, into)

    def media(self, described: Described, height: int, into: Path) -> Path:
        return self._site.media(described, height, into, self.keep_free)


def youtube_site(cookies: Path | None, proxy: str | None, timeout: float) -> Site:
    """yt-dlp, told how to ask YouTube."""
    return Site(
        Asking(
            cookies=cookies,
            proxy=proxy,
            timeout=timeout,
            between=PACE.requests,
            extractors={"youtube": {"skip": ["translated_subs"]}},
            cache=True,
        )
    )


def hits(source: str, entries: Iterable[Mapping[str, Any]], limit: int) -> Iterator[Candidate]:
    """The videos among a search's entries, each once, ranked from 1 in the site's order."""
    seen: set[str] = set()
    for entry in entries:
        bare = youtube_id(str(entry.get("id") or "")) if _is_video(entry) else None
        if bare is None or bare in seen:
            continue
        if len(seen) == limit:
            return
        seen.add(bare)
        title = entry.get("title")
        yield youtube_candidate(source, bare, len(seen), title if isinstance(title, str) else "")


def _is_video(entry: Mapping[str, Any]) -> bool:
    """A search may give channels and playlists too; their ids are longer, or another site's."""
    return entry.get("ie_key") in (None, "Youtube")

"""Videos at addresses on the web: files, and pages that yt-dlp finds one in. Needs yt-dlp."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from howto.collect.addresses import check_address
from howto.collect.fetched import Candidate, CaptionTrack, Described, Pace, Task, hashed_id
from howto.collect.lists import lines_of, nothing_in, youtube_candidate, youtube_id
from howto.collect.ytdlp import Asking, Site
from howto.errors import ItemError, Reason, UsageError

__all__ = ["UrlsSource"]

_HIDDEN = "__youtubedl_smuggle"  # yt-dlp's own notes to itself, which an address could forge


class UrlsSource:
    """Yields a list of addresses, each once. Only public ones are asked, over http or https.

    A video of YouTube's has the id that it has everywhere else here.

    Args:
        urls: a file with one address a line.
        cookies, proxy, timeout: as for `YouTubeSource`.
        allow_private: ask addresses on this machine and in its network too.

    Attributes:
        keep_free: as of `YouTubeSource`.
    """

    name: ClassVar[str] = "urls"
    polite: ClassVar[Pace] = Pace(requests=1.0, captions=1.0, media=2.0)

    def __init__(
        self,
        urls: Path | None = None,
        cookies: Path | None = None,
        proxy: str | None = None,
        timeout: float = 20.0,
        allow_private: bool = False,
    ) -> None:
        self._urls = urls
        self._allow_private = allow_private
        self.keep_free = 0
        self._site = Site(
            Asking(
                cookies=cookies,
                proxy=proxy,
                timeout=timeout,
                guarded=True,
                allow_private=allow_private,
            )
        )

    def find(self, task: Task | None, limit: int) -> Iterator[Candidate]:  # noqa: ARG002
        if self._urls is None:
            raise UsageError("the source urls needs a list of addresses: --urls FILE")
        return itertools.islice(self._candidates(self._urls), limit)

    def describe(self, candidate: Candidate) -> Described:
        check_address(candidate.address, allow_private=self._allow_private)
        if _HIDDEN in candidate.address:
            raise ItemError(Reason.REFUSED_ADDRESS, f"an address may not hold {_HIDDEN!r}")
        return self._site.describe(candidate)

    def captions(self, described: Described, track: CaptionTrack, into: Path) -> Path:
        return self._site.captions(described, track, into)

    def media(self, described: Described, height: int, into: Path) -> Path:
        return self._site.media(described, height, into, self.keep_free)

    def _candidates(self, path: Path) -> Iterator[Candidate]:
        seen: set[str] = set()
        for _, address in lines_of(path):
            bare = youtube_id(address) if "://" in address else None
            made = (
                youtube_candidate(self.name, bare)
                if bare
                else Candidate(hashed_id(self.name, address), self.name, address, rank=0)
            )
            if made.video_id not in seen:
                seen.add(made.video_id)
                yield made
        if not seen:
            raise nothing_in(path)

"""The videos of the paper, by its published list: HowTo100M_v1.csv. They are YouTube's.

The list holds what a search found in 2018: whose video it is, and for which task at which rank.
Needs yt-dlp.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from howto.collect.fetched import Candidate, CaptionTrack, Described, Pace, Task
from howto.collect.lists import howto100m_hits, howto100m_tasks
from howto.collect.sources.youtube import PACE, youtube_site
from howto.errors import UsageError

__all__ = ["HowTo100MCsvSource"]


class HowTo100MCsvSource:
    """Yields the list's videos, each once, by the first of its rows; `hits` yields every row.

    Args:
        csv: the list; it is read as it is asked for, a row at a time.
        task_names: task_ids.csv, which has the names of the tasks.
        cookies, proxy, timeout: as for `YouTubeSource`.

    Attributes:
        site, keep_free: as of `YouTubeSource`.
    """

    name: ClassVar[str] = "howto100m-csv"
    polite: ClassVar[Pace] = PACE
    site: ClassVar[str] = "youtube"

    def __init__(
        self,
        csv: Path | None = None,
        task_names: Path | None = None,
        cookies: Path | None = None,
        proxy: str | None = None,
        timeout: float = 20.0,
    ) -> None:
        self._csv = csv
        self._task_names = task_names
        self.keep_free = 0
        self._site = youtube_site(cookies, proxy, timeout)

    def hits(self) -> Iterator[tuple[Task, Candidate]]:
        """Every row of the list: a task, and a video that was found for it, with its rank.

        Raises:
            UsageError: no list was given, or it cannot be read; a broken row is named.
        """
        if self._csv is None:
            raise UsageError("the source howto100m-csv needs the list: --csv HowTo100M_v1.csv")
        names = None if self._task_names is None else howto100m_tasks(self._task_names)
        return howto100m_hits(self._csv, self.name, names)

    def find(self, task: Task | None, limit: int) -> Iterator[Candidate]:  # noqa: ARG002
        return itertools.islice(_each_once(candidate for _, candidate in self.hits()), limit)

    def describe(self, candidate: Candidate) -> Described:
        return self._site.describe(candidate)

    def captions(self, described: Described, track: CaptionTrack, into: Path) -> Path:
        return self._site.captions(described, track, into)

    def media(self, described: Described, height: int, into: Path) -> Path:
        return self._site.media(described, height, into, self.keep_free)


def _each_once(candidates: Iterator[Candidate]) -> Iterator[Candidate]:
    seen: set[str] = set()
    for candidate in candidates:
        if candidate.video_id not in seen:
            seen.add(candidate.video_id)
            yield candidate

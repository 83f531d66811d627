"""What the tests of collecting share: a source in memory, and a clock that passes at once."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from howto.collect.fetched import Candidate, CaptionTrack, Described, Pace, Task
from howto.collect.ledger import Ledger
from howto.collect.place import Places
from howto.collect.rules import Rules
from howto.collect.stage import Clock, Collected, Event, collect
from howto.errors import ItemError, Reason
from howto.library import Library
from howto.records import Kind


@dataclass
class MemorySource:
    """A site in memory: what it has, what it is asked, and what goes wrong with it.

    Attributes:
        finds: the video ids that each query finds; under '' those of a list.
        facts: what `Described` says of a video, where that is not the default.
        words: how many words the captions of a video have.
        trouble: errors to raise, first to last, by (request, video id or query).
        asked: (request, video id or query), in order.
        media_file: copied for each video; by default its id is the file's bytes.
    """

    finds: dict[str, list[str]] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    words: dict[str, int] = field(default_factory=dict)
    trouble: dict[tuple[str, str], list[Exception]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    media_file: Callable[[str, Path], Any] | None = None

    name: ClassVar[str] = "memory"
    polite: ClassVar[Pace] = Pace(1.0, 2.0, 4.0)

    def find(self, task: Task | None, limit: int) -> Iterator[Candidate]:
        query = task.query if task else ""
        self._ask("find", query)
        for rank, video_id in enumerate(self.finds.get(query, [])[:limit], start=1):
            title = self.facts.get(video_id, {}).get("title", f"Title of {video_id}")
            yield Candidate(video_id, self.name, f"memory://{video_id}", rank, title)

    def describe(self, candidate: Candidate) -> Described:
        self._ask("describe", candidate.video_id)
        facts: dict[str, Any] = {
            "title": f"Title of {candidate.video_id}",
            "duration": 60.0,
            "views": 1000,
            "language": "en",
            "license": "youtube",
            "tracks": (CaptionTrack("en", Kind.AUTOMATIC, "vtt", "en"),),
        }
        return Described(candidate, **{**facts, **self.facts.get(candidate.video_id, {})})

    def captions(self, described: Described, track: CaptionTrack, into: Path) -> Path:
        video_id = described.candidate.video_id
        self._ask("captions", video_id)
        path = into / f"{video_id}.{track.language}.{track.form}"
        count = self.words.get(video_id, 120)
        rows = [
            f"00:{at // 4:02}.000 --> 00:{at // 4 + 2:02}.000\n"
            + " ".join(f"word{one}" for one in range(at, min(at + 8, count)))
            for at in range(0, count, 8)
        ]
        path.write_text("\n\n".join(["WEBVTT", *rows]) + "\n")
        return path

    def media(self, described: Described, height: int, into: Path) -> Path:
        video_id = described.candidate.video_id
        self._ask("media", video_id)
        path = into / f"{video_id}.mp4"
        if self.media_file is not None:
            self.media_file(video_id, path)
        else:
            path.write_bytes(video_id.encode())
        return path

    def _ask(self, request: str, key: str) -> None:
        self.asked.append((request, key))
        waiting = self.trouble.get((request, key)) or self.trouble.get((request, "*"))
        if waiting:
            raise waiting.pop(0)

    def count(self, request: str) -> Counter[str]:
        return Counter(key for one, key in self.asked if one == request)


@dataclass
class FakeClock:
    """Time that passes when somebody sleeps, and by a millisecond when somebody looks."""

    time: float = 1_700_000_000.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        self.time += 0.001
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


@dataclass
class Desk:
    """A library with a source in memory and a clock, and how they are run together."""

    library: Library
    source: MemorySource
    clock: FakeClock
    events: list[Event] = field(default_factory=list)

    def run(self, *queries: str, rules: Rules | None = None, **options: Any) -> Collected:
        """Collect for some queries, given as tasks of the same name."""
        return collect(
            self.library,
            {self.source.name: self.source},
            rules or Rules(keep_free=0),
            tasks=[Task(query, query=query) for query in queries],
            search=self.source.name,
            clock=Clock(self.clock.now, self.clock.sleep),
            chance=random.Random(0),
            on_event=self.events.append,
            **options,
        )

    @property
    def outcomes(self) -> dict[str, str]:
        """The last outcome that was told of each video."""
        return {one.video_id: one.outcome for one in self.events if one.what == "video"}

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.library)

    @property
    def places(self) -> Places:
        return Places(self.library.state)

    def row(self, video_id: str) -> dict[str, Any]:
        """What the ledger says of a video."""
        cursor = self.library.connection.execute(
            "SELECT * FROM candidates LEFT JOIN descriptions USING (candidate) WHERE video_id = ?",
            (video_id,),
        )
        names = [column[0] for column in cursor.description]
        return dict(zip(names, cursor.fetchone(), strict=True))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    folder = tmp_path / "library"
    folder.mkdir()
    with Library.open(folder) as library:
        yield Desk(library, MemorySource(), FakeClock())


@pytest.fixture
def trouble() -> Callable[..., list[Exception]]:
    """So many errors of one reason."""

    def make(reason: Reason, times: int = 1) -> list[Exception]:
        return [ItemError(reason) for _ in range(times)]

    return make

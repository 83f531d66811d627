"""Collecting in a process that is killed again and again, from the site on loopback."""

import hashlib
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from howto.collect.ledger import Ledger
from howto.library import Library
from tests.collect.site import Site, numbered

__all__ = ["Killing", "padded"]

CHILD = """
import sys
from pathlib import Path

from howto.collect.fetched import Pace
from howto.collect.rules import Rules
from howto.collect.sources.urls import UrlsSource
from howto.collect.stage import collect
from howto.library import Library


class Hasty(UrlsSource):
    polite = Pace()


source = Hasty(urls=Path(sys.argv[2]), allow_private=True)
with Library.open(Path(sys.argv[1])) as library:
    ended = collect(library, {"urls": source}, Rules(keep_free=0), lists=[("", source)])
    sys.exit(0 if ended.is_finished else 3)
"""


def padded(media: bytes, size: int) -> bytes:
    """The same film with a box of nothing at its end, so that fetching it takes a moment."""
    return media + size.to_bytes(4, "big") + b"free" + bytes(size - 8)


@dataclass
class Killing:
    """A library that is filled from a site, and what was finished after each kill.

    Attributes:
        finished: (requests so far, paths that must not be asked for again after these).
    """

    folder: Path
    addresses: Path
    site: Site
    chance: random.Random
    finished: list[tuple[int, frozenset[str]]] = field(default_factory=list)

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", CHILD, self.folder, self.addresses],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def kill_once(self, most_requests: int, longest: float = 0.15) -> None:
        """Start, and kill: at times while it starts, mostly soon after some request.

        Args:
            most_requests: up to so many are waited for; three are a video's.
            longest: seconds after that, at most.
        """
        wanted = len(self.site.asked) + self.chance.randint(1, most_requests)
        process = self.start()
        if self.chance.random() < 0.9:
            while len(self.site.asked) < wanted and process.poll() is None:
                time.sleep(0.001)
            time.sleep(self.chance.uniform(0, longest))
        else:
            time.sleep(self.chance.uniform(0, 2))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.note()

    def finish(self) -> None:
        _, problem = self.start().communicate(timeout=300)
        assert problem == b""
        self.note()

    def note(self) -> None:
        """Look into the library as it was left: it must be sound at any time."""
        if not (self.folder / ".howto" / "library.db").exists():
            return
        over = set()
        with Library.open(self.folder) as library:
            assert library.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            rows = library.connection.execute(
                "SELECT address, state, caption, caption_sha256, media, media_sha256"
                " FROM candidates LEFT JOIN descriptions USING (candidate)"
            ).fetchall()
            for address, state, caption, caption_sha, media, media_sha in rows:
                number = address.rpartition("/")[2]
                if caption_sha is not None:
                    assert sha256(library.state / "captions" / caption) == caption_sha
                    over.add(f"/captions/{number}.en.vtt")
                if state == "done":
                    assert sha256(library.state / "media" / media) == media_sha
                    over |= {f"/watch/{number}", f"/media/{number}.mp4"}
        self.finished.append((len(self.site.asked), frozenset(over)))

    def check(self, media: bytes, count: int) -> None:
        """Every video is there once and whole, and nothing finished was asked for again."""
        with Library.open(self.folder) as library:
            kept = list(Ledger(library).kept())
            assert len(kept) == len({video_id for video_id, *_ in kept}) == count
            for _, address, caption, name in kept:
                number = int(address.rpartition("/")[2])
                expected = hashlib.sha256(numbered(media, number)).hexdigest()
                assert sha256(library.state / "media" / str(name)) == expected
                assert (library.state / "captions" / str(caption)).exists()
            assert len(list((library.state / "media").iterdir())) == count
            assert len(list((library.state / "captions").iterdir())) == count
            assert list((library.state / "parts").iterdir()) == []
        paths = self.site.paths()
        for begun, over in self.finished:
            assert over.isdisjoint(paths[begun:])


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

"""A site of our own on loopback, to be asked by the real yt-dlp: real files, and every refusal.

Nothing here goes further than this machine. Requests are handled in threads of their own, so that
one that stalls holds up no other; all of them end with the site.
"""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

__all__ = [
    "Answer",
    "Asked",
    "Site",
    "carrying",
    "numbered",
    "serving",
    "serving_videos",
    "video_page",
]

_LONGEST_STALL = 60.0  # seconds; a test that forgets its site still ends


@dataclass(frozen=True)
class Answer:
    """What the site says at one path.

    Attributes:
        ranges: the rest of the body can be asked for (`Range`).
        length: what Content-Length claims; None for the truth, -1 for no such header.
        cut: so many bytes of the body are sent, and the connection is closed; None for all.
        stall: so many bytes are sent, and then nothing while the connection stays open.
        drip: so many seconds pass between two bytes.
    """

    body: bytes = b""
    kind: str = "text/html"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    length: int | None = None
    cut: int | None = None
    stall: int | None = None
    drip: float | None = None


@dataclass(frozen=True)
class Asked:
    """One request, as it came."""

    path: str
    range: str | None
    cookie: str | None


class Site:
    """Where the site is, and what it was asked."""

    def __init__(self, server: ThreadingHTTPServer, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[Asked] = []
        self.port = server.server_address[1]
        self.over = threading.Event()
        self._lock = threading.Lock()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]

    def answer(self, asked: Asked) -> Answer:
        """What is said now: of a list, each answer once and the last for ever."""
        with self._lock:
            self.asked.append(asked)
            found = self.answers.get(
                asked.path.partition("?")[0], Answer(b"no such page", status=404)
            )
            if isinstance(found, list):
                return found.pop(0) if len(found) > 1 else found[0]
            return found


@contextmanager
def serving(answers: dict[str, Answer | list[Answer]]) -> Iterator[Site]:
    """Serve these answers by path; the dictionary may be added to meanwhile."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    site = server.site = Site(server, answers)  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.over.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        site: Site = self.server.site  # type: ignore[attr-defined]
        asked = Asked(self.path, self.headers.get("Range"), self.headers.get("Cookie"))
        answer = site.answer(asked)
        body, status, headers = answer.body, answer.status, dict(answer.headers)
        start = _start(asked.range) if answer.ranges and status == 200 else None
        if start is not None and start >= len(body):
            body, status = b"", 416
        elif start is not None:
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            body = body[start:]
        length = len(body) if answer.length is None else answer.length
        self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Type", answer.kind)
        if length >= 0:
            self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self._send(body, answer, site)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _send(self, body: bytes, answer: Answer, site: Site) -> None:
        if answer.drip is not None:
            self._drip(body, answer.drip, site)
            return
        limit = answer.cut if answer.stall is None else answer.stall
        try:
            self.wfile.write(body if limit is None else body[:limit])
            self.wfile.flush()
        except OSError:  # who asked has heard enough
            return
        if answer.stall is not None:
            site.over.wait(_LONGEST_STALL)

    def _drip(self, body: bytes, seconds: float, site: Site) -> None:
        for number in range(len(body)):
            if site.over.wait(seconds):
                return
            try:
                self.wfile.write(body[number : number + 1])
            except OSError:
                return

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _start(asked: str | None) -> int | None:
    found = re.fullmatch(r"bytes=(\d+)-\d*", asked or "")
    return int(found[1]) if found else None


def video_page(*sources: str, tracks: str = "", title: str = "A page", head: str = "") -> Answer:
    """A page with one `<video>`, its files, and what stands in it for captions."""
    inside = "".join(f'<source src="{source}" type="video/mp4">' for source in sources)
    text = (
        f"<!doctype html><html><head><title>{title}</title>{head}</head>"
        f"<body><video controls>{inside}{tracks}</video></body></html>"
    )
    return Answer(text.encode())


@contextmanager
def serving_videos(
    folder: Path, count: int, media: bytes, captions: bytes
) -> Iterator[tuple[Path, Site]]:
    """Serve pages of a video each, with captions, no two of them the same.

    Page n is /watch/n, its files /media/n.mp4 and /captions/n.en.vtt, n from 0.

    Yields:
        A list of the pages' addresses, for `--urls`, and the site.
    """
    answers: dict[str, Answer | list[Answer]] = {}
    for number in range(count):
        track = f'<track kind="captions" src="/captions/{number}.en.vtt" srclang="en">'
        page = video_page(f"/media/{number}.mp4", tracks=track, title=f"Video {number}")
        answers[f"/watch/{number}"] = page
        answers[f"/media/{number}.mp4"] = Answer(numbered(media, number), "video/mp4")
        answers[f"/captions/{number}.en.vtt"] = Answer(captions, "text/vtt")
    with serving(answers) as site:
        listed = folder / "addresses.txt"
        listed.write_text("".join(f"{site.url(f'/watch/{n}')}\n" for n in range(count)))
        yield listed, site


@contextmanager
def carrying(port: int) -> Iterator[tuple[str, list[str]]]:
    """A SOCKS 5 proxy that leads every name to a port of this machine.

    Yields:
        The proxy's address, and the names that it was asked for.
    """
    names: list[str] = []

    class Carrier(StreamRequestHandler):
        def handle(self) -> None:
            self.rfile.read(self.rfile.read(2)[1])  # the ways to log in that the client knows
            self.wfile.write(b"\x05\x00")  # none is needed
            assert self.rfile.read(4) == b"\x05\x01\x00\x03"  # connect, by name
            names.append(self.rfile.read(self.rfile.read(1)[0]).decode())
            self.rfile.read(2)
            self.wfile.write(b"\x05\x00\x00\x01" + bytes(6))
            with socket.create_connection(("127.0.0.1", port)) as far:
                while (line := self.rfile.readline()).strip():
                    far.sendall(line)
                far.sendall(line)
                while block := far.recv(1 << 16):
                    self.wfile.write(block)

    with ThreadingTCPServer(("127.0.0.1", 0), Carrier) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"socks5h://127.0.0.1:{server.server_address[1]}", names
        server.shutdown()
        thread.join(10)


def numbered(media: bytes, number: int) -> bytes:
    """The same film as another file: an mp4 with a box at its end that players pass over."""
    return media + (16).to_bytes(4, "big") + b"free" + number.to_bytes(8, "big")

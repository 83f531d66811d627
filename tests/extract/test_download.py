"""Downloads over a loopback server that misbehaves on demand."""

import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from howto.extract.download import DownloadFailed, fetch

BODY = bytes(range(256)) * 40_000
HASH = hashlib.sha256(BODY).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves BODY at /file; attributes change how, and `asked` keeps (path, Range) of requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body = BODY
        self.etag: str | None = '"one"'
        self.cut_after: list[int] = []  # bytes after which to hang up, a request each
        self.errors: list[int] = []  # statuses to answer with first
        self.ranges = True
        self.shift = 0  # bytes that a range begins before what was asked for
        self.asked: list[tuple[str, str | None]] = []

    def address(self, path: str = "/file") -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers["Range"]
        server.asked.append((self.path, wanted))
        if server.errors:
            self.send_error(server.errors.pop(0))
        elif self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", server.address())
            self.end_headers()
        elif self.path != "/file":
            self.send_error(404)
        else:
            self._send(wanted)

    def _send(self, wanted: str | None) -> None:
        server = self.server
        start, total = 0, len(server.body)
        same = self.headers["If-Range"] in (None, server.etag)
        if wanted and server.ranges and same:
            start = int(wanted.removeprefix("bytes=").rstrip("-")) - server.shift
            if start >= total:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{total}")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        else:
            self.send_response(200)
        if server.etag:
            self.send_header("ETag", server.etag)
        self.send_header("Content-Length", str(total - start))
        self.end_headers()
        end = start + server.cut_after.pop(0) if server.cut_after else total
        self.wfile.write(server.body[start:end])


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def no_pause(_seconds: float) -> None:
    pass


def test_a_file_arrives_whole(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "new" / "weights.pth"
    fetch(server.address(), path, sha256=HASH, size=len(BODY))
    assert path.read_bytes() == BODY
    assert {one.name for one in path.parent.iterdir()} <= {"weights.pth", "weights.pth.lock"}
    fetch(server.address(), path)
    assert len(server.asked) == 1  # what is there is not asked for again


def test_a_redirect_is_followed(server: Server, tmp_path: Path) -> None:
    fetch(server.address("/moved"), tmp_path / "file", sha256=HASH[:8])
    assert (tmp_path / "file").read_bytes() == BODY


def test_a_cut_body_goes_on_where_it_broke_off(server: Server, tmp_path: Path) -> None:
    server.cut_after = [3_000_000, 2_000_000]
    fetch(server.address(), tmp_path / "file", sha256=HASH, pause=no_pause)
    assert (tmp_path / "file").read_bytes() == BODY
    assert [wanted for _, wanted in server.asked] == [None, "bytes=3000000-", "bytes=5000000-"]


def test_the_part_serves_the_next_run(server: Server, tmp_path: Path) -> None:
    server.cut_after = [1_000_000, 0, 0, 0]
    with pytest.raises(DownloadFailed, match="ended before the file"):
        fetch(server.address(), tmp_path / "file", pause=no_pause)
    assert not (tmp_path / "file").exists()
    asked = len(server.asked)
    fetch(server.address(), tmp_path / "file", pause=no_pause)
    assert (tmp_path / "file").read_bytes() == BODY
    assert server.asked[asked:] == [("/file", "bytes=1000000-")]


def test_a_file_that_changed_meanwhile_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    server.cut_after = [1_000_000, 0, 0, 0]
    with pytest.raises(DownloadFailed):
        fetch(server.address(), tmp_path / "file", pause=no_pause)
    server.body, server.etag = BODY[::-1], '"two"'
    fetch(server.address(), tmp_path / "file", pause=no_pause)
    assert (tmp_path / "file").read_bytes() == BODY[::-1]


@pytest.mark.parametrize(("hash_known", "etag"), [(True, None), (False, None), (False, 'W/"x"')])
def test_only_what_can_be_checked_is_continued(
    hash_known: bool, etag: str | None, server: Server, tmp_path: Path
) -> None:
    """Without a hash or a mark of the server, two halves might be of two versions."""
    server.etag, server.cut_after = etag, [1_000_000]
    sha256 = HASH if hash_known else ""
    fetch(server.address(), tmp_path / "file", sha256=sha256, pause=no_pause)
    assert (tmp_path / "file").read_bytes() == BODY
    assert server.asked[1][1] == ("bytes=1000000-" if hash_known else None)


def test_a_server_without_ranges_is_asked_for_all(server: Server, tmp_path: Path) -> None:
    server.ranges, server.cut_after = False, [1_000_000]
    fetch(server.address(), tmp_path / "file", sha256=HASH, pause=no_pause)
    assert (tmp_path / "file").read_bytes() == BODY


def test_a_part_that_is_already_all(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(BODY)
    fetch(server.address(), tmp_path / "file", sha256=HASH, pause=no_pause)
    assert (tmp_path / "file").read_bytes() == BODY


def test_a_part_longer_than_the_file_is_thrown_away(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(BODY + b"more")
    fetch(server.address(), tmp_path / "file", sha256=HASH, pause=no_pause)
    assert (tmp_path / "file").read_bytes() == BODY


@pytest.mark.parametrize("expected", [{"sha256": "00" * 32}, {"size": 5}])
def test_what_is_not_the_file_is_removed(
    expected: dict[str, object], server: Server, tmp_path: Path
) -> None:
    with pytest.raises(DownloadFailed, match="expected"):
        fetch(server.address(), tmp_path / "file", pause=no_pause, **expected)
    assert [one.name for one in tmp_path.iterdir() if one.suffix != ".lock"] == []


def test_a_busy_server_is_asked_again_and_a_refusal_is_not(server: Server, tmp_path: Path) -> None:
    waits: list[float] = []
    server.errors = [503, 429]
    fetch(server.address(), tmp_path / "file", pause=waits.append)
    assert waits == [2, 4]
    with pytest.raises(DownloadFailed, match="404"):
        fetch(server.address("/elsewhere"), tmp_path / "other", pause=no_pause)


def test_no_server_and_no_web_address(tmp_path: Path) -> None:
    with socket.socket() as held:  # nobody else gets the port, and nobody listens on it
        held.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{held.getsockname()[1]}/file"
        with pytest.raises(DownloadFailed, match="127"):
            fetch(address, tmp_path / "file", pause=no_pause)
    with pytest.raises(DownloadFailed, match="not a web address"):
        fetch((tmp_path / "x").as_uri(), tmp_path / "file")


def test_a_folder_that_cannot_be_made_is_no_network_error(server: Server, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(DownloadFailed, match="taken"):
        fetch(server.address(), tmp_path / "taken" / "file")


def test_a_server_that_breaks_off_ever_and_begins_anew_is_given_up(
    server: Server, tmp_path: Path
) -> None:
    """What came before is thrown away each time, so more bytes than the last time are no gain."""
    server.ranges, server.cut_after = False, [200, 300] * 20
    with pytest.raises(DownloadFailed, match="ended before the file"):
        fetch(server.address(), tmp_path / "file", sha256=HASH, pause=no_pause)
    assert len(server.asked) == 5


def test_a_range_that_begins_elsewhere_is_not_appended(server: Server, tmp_path: Path) -> None:
    server.cut_after, server.shift = [1_000_000], 100
    fetch(server.address(), tmp_path / "file", sha256=HASH, pause=no_pause)
    assert (tmp_path / "file").read_bytes() == BODY
    assert [wanted for _, wanted in server.asked] == [None, "bytes=1000000-", None]

"""The program itself: `howto serve` as a process, and clients that behave badly."""

import asyncio
import errno
import http.client
import json
import os
import resource
import shutil
import socket
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from howto.serve import server

from .conftest import PATIENCE, TOKEN, Live, told


def get(server: Live, path: str) -> bytes:
    with urlopen(server.address + path, timeout=PATIENCE) as reply:
        return reply.read()


def test_it_answers_where_it_says_and_ends_at_ctrl_c(videos: Path) -> None:
    with Live(videos) as server:
        assert b"<title>howto</title>" in get(server, "/")
        assert json.loads(get(server, "/api/search?q=batter"))["hits"]
        assert server.stop() == 0


def test_a_new_folder_is_looked_at_while_the_page_is_there(
    tmp_path: Path, small_video: Callable[..., Path]
) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    small_video(folder / "one.mp4", shade=5)
    with Live(folder) as server:
        listed = json.loads(get(server, "/api/videos"))["videos"]
        assert [one["name"] for one in listed] == ["one.mp4"]
    assert (folder / ".howto" / "library.db").exists()


def test_progress_is_told_as_it_happens(live: Live, videos: Path) -> None:
    shutil.copy(videos / "pancakes.mp4", videos / "more.mp4")
    with (videos / "more.mp4").open("ab") as file:
        file.write(b"\0\0\0\x08free")  # another file
    refresh = urllib.request.Request(f"{live.address}/api/refresh", method="POST")
    with urlopen(f"{live.address}/api/events", timeout=PATIENCE) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        with urlopen(refresh, timeout=PATIENCE) as reply:
            # The stream looks now and then, and may miss a run so short while it goes on.
            begun = json.load(reply)
        assert (begun["run"], begun["state"]) == (2, "looking")
        ended = told(stream, "indexing", lambda now: now["run"] == 2 and now["state"] == "ready")
    assert ended["new"] == 1


def test_bad_clients_hurt_nobody_else(live: Live) -> None:
    stalled = []
    for _ in range(60):  # more than there are threads to read with
        client = socket.create_connection(("127.0.0.1", live.port), timeout=PATIENCE)
        client.sendall(b"GET /api/search?q=shirt HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Sl")
        stalled.append(client)
    answers = []
    for garbage in (b"\x16\x03\x01" + os.urandom(200), b"GET\r\n\r\n", b"A" * 200_000 + b"\r\n"):
        with socket.create_connection(("127.0.0.1", live.port), timeout=PATIENCE) as client:
            try:
                client.sendall(garbage)
                answers.append(client.recv(100))
            except ConnectionError:
                answers.append(b"")
    assert all(b" 200 " not in one for one in answers)
    assert json.loads(get(live, "/api/search?q=shirt"))["hits"]
    for client in stalled:
        client.close()


def test_requests_sent_together_are_answered_in_their_order(live: Live) -> None:
    asked = [f"/api/search?q={word}&by=words" for word in ("shirt", "batter", "iron")]
    requests = [f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode() for path in asked]
    with socket.create_connection(("127.0.0.1", live.port), timeout=PATIENCE) as client:
        client.sendall(requests[0][:30])
        time.sleep(0.1)  # half a head lies there for a while
        client.sendall(requests[0][30:] + requests[1] + requests[2][:30])
        answers = [answer_on(client) for _ in range(2)]
        client.sendall(requests[2][30:])
        answers.append(answer_on(client))
    assert [status for status, _ in answers] == [200] * 3
    assert [json.loads(body)["query"] for _, body in answers] == ["shirt", "batter", "iron"]


def answer_on(client: socket.socket) -> tuple[int, bytes]:
    """The next answer on a connection, and no byte of the one after it."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = client.recv(1)
        assert byte, "the connection was closed"
        head += byte
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    body = b""
    while len(body) < length:
        part = client.recv(length - len(body))
        assert part, "the connection was closed"
        body += part
    return int(head.split()[1]), body


@pytest.mark.parametrize("path", ["/login", "/api/videos/any/steps"])
def test_a_body_in_chunks_without_end_is_refused_and_not_kept(videos: Path, path: str) -> None:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    with Live(videos, "--token", TOKEN) as live:
        # Of the most, too: where memory is short the kernel takes some back, and VmRSS falls.
        before = memory_of(live, "VmHWM")
        with socket.create_connection(("127.0.0.1", live.port), timeout=PATIENCE) as client:
            client.sendall(head.encode())
            with suppress(ConnectionError):  # it may end the connection meanwhile
                for _ in range(1000):  # 62 MiB
                    client.sendall(chunk)
            assert answer_on(client)[0] == 413
            assert memory_of(live, "VmHWM") - before < 20_000
        assert live.stop() == 0


def memory_of(live: Live, kind: str) -> int:
    """What the kernel counts for a server, in KiB, such as VmHWM: the most there was."""
    status = Path(f"/proc/{live.process.pid}/status").read_text()
    return int(status.partition(f"{kind}:")[2].split()[0])


WHOLE = b"GET /api/indexing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
STALLS = {
    "nothing is said": [b""],
    "a head": [WHOLE[:30]],
    "a second head": [WHOLE, WHOLE[:30]],
    "a second head with the first": [WHOLE + WHOLE[:30]],
    "a body": [b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"],
    "a second body": [WHOLE, b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"],
}


@pytest.mark.parametrize("sent", STALLS.values(), ids=STALLS)
def test_a_request_that_is_never_whole_is_let_go(
    monkeypatch: pytest.MonkeyPatch, sent: list[bytes]
) -> None:
    monkeypatch.setattr(server, "_SECONDS_TO_ASK", 0.3)

    async def stall() -> None:
        async with listening() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for part in sent:
                writer.write(part)
                if part == WHOLE:
                    assert b"echo" in await asyncio.wait_for(reader.readuntil(b"echo"), PATIENCE)
            with suppress(ConnectionError):
                while await asyncio.wait_for(reader.read(100), PATIENCE):
                    pass
            writer.close()

    asyncio.run(stall())


def test_a_head_that_comes_byte_by_byte_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_SECONDS_TO_ASK", 0.3)

    async def drip() -> None:
        async with listening() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
            with suppress(ConnectionError):
                for _ in range(200):  # 10 s, and never whole
                    writer.write(b"x")
                    await writer.drain()
                    with suppress(TimeoutError):
                        assert await asyncio.wait_for(reader.read(1), 0.05) == b""
                        break
                else:
                    pytest.fail("it was waited for as long as bytes came")
            writer.close()

    asyncio.run(drip())


class Ahead(asyncio.SelectorEventLoop):
    """A loop whose clock can be put forward: time goes by, and nothing is late because of it."""

    by = 0.0

    def time(self) -> float:
        return super().time() + self.by


def test_who_asks_in_time_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_SECONDS_TO_ASK", 200)
    loop = Ahead()

    async def ask_again() -> None:
        async with listening() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for _ in range(5):  # longer, together, than one may take
                loop.by += 60
                writer.write(WHOLE)
                await asyncio.wait_for(reader.readuntil(b"echo"), PATIENCE)
            writer.close()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(ask_again())


def test_who_does_not_read_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "most_connections", lambda: 4)
    film = b"GET /film HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

    async def answered(port: int) -> bool:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(WHOLE)
            return bool(await asyncio.wait_for(reader.readuntil(b"echo"), PATIENCE))
        except (ConnectionError, asyncio.IncompleteReadError):
            return False
        finally:
            writer.transport.abort()

    async def crowd() -> None:
        async with listening() as port:
            unread = []
            for _ in range(4):
                reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
                writer.write(film)
                await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
                unread.append(writer)
            async with asyncio.timeout(PATIENCE):  # until what is between them is full
                while not await answered(port):
                    await asyncio.sleep(0.1)
            for one in unread:
                one.transport.abort()
            await asyncio.sleep(0.05)

    asyncio.run(crowd())


@asynccontextmanager
async def listening() -> AsyncIterator[int]:
    """The server's protocol before an application that says what it was sent; at /film, which is
    sent piece by piece, it says more than a connection holds."""

    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        with suppress(ClientDisconnect):
            body = await request.body()
            if scope["path"] == "/film":
                pieces = (bytes(100_000) for _ in range(500))
                await StreamingResponse(pieces)(scope, receive, send)
            else:
                await Response(body + b"echo")(scope, receive, send)

    config = Config(echo, log_level="error", ws="none", lifespan="off")
    state = ServerState()
    loop = asyncio.get_running_loop()
    made = await loop.create_server(
        lambda: server.Patient(config, state, {}), "127.0.0.1", 0, backlog=64
    )
    try:
        yield made.sockets[0].getsockname()[1]
    finally:
        made.close()
        for one in list(state.connections):
            one.transport.abort()
        await asyncio.sleep(0.05)


def test_more_clients_than_there_may_be_files_lock_nobody_out(videos: Path, tmp_path: Path) -> None:
    with Live(videos, errors=tmp_path / "errors") as live:
        resource.prlimit(live.process.pid, resource.RLIMIT_NOFILE, (450, 450))
        with ExitStack() as stalled:
            for _ in range(600):
                address = ("127.0.0.1", live.port)
                client = stalled.enter_context(socket.create_connection(address, timeout=PATIENCE))
                client.sendall(WHOLE[:30])
            assert json.loads(get(live, "/api/search?q=shirt"))["hits"]
            assert len(list(Path(f"/proc/{live.process.pid}/fd").iterdir())) < 300
        assert live.stop() == 0
    assert (tmp_path / "errors").stat().st_size < 2000


def test_the_same_trouble_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    complaints, loop = server.Complaints(), asyncio.new_event_loop()
    for _ in range(1000):
        complaints(
            loop, {"message": "m", "exception": OSError(errno.EMFILE, "Too many open files")}
        )
    loop.close()
    assert capsys.readouterr().err == "cannot take more connections for now: Too many open files\n"


SLOW = """
import time
from pathlib import Path

class Slow:
    name, dim, normalised = "slow", 4, True

    def __init__(self):
        Path({mark!r}).touch()
        time.sleep(600)
"""


def test_it_ends_while_a_model_is_still_loaded(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark, site = tmp_path / "loading", tmp_path / "site"
    info = site / "slow-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slow\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[howto.models]\nslow = slow_model:Slow\n")
    (site / "slow_model.py").write_text(SLOW.format(mark=str(mark)))
    monkeypatch.setenv("PYTHONPATH", str(site))
    asked = "/api/search?q=shirt&by=pictures&model=slow"
    # The server ends first, in any case: then none of the clients waits any more.
    with ThreadPoolExecutor(3) as clients, Live(videos, errors=tmp_path / "errors") as live:
        waiting = [clients.submit(get, live, asked) for _ in range(3)]  # two wait behind the first
        live.wait_until(mark.exists, "the model is not loaded")
        code = live.stop()
    assert code == 0
    assert all(one.exception() for one in waiting)
    assert (tmp_path / "errors").read_text() == ""


def test_a_client_that_reads_nothing_of_a_file_holds_nobody_up(live: Live, videos: Path) -> None:
    listed = json.loads(get(live, "/api/videos"))["videos"]
    with (videos / "pancakes.mp4").open("ab") as file:
        file.truncate(50_000_000)  # far more than any socket holds
    video_id = next(one["video_id"] for one in listed if one["name"] == "pancakes.mp4")
    request = f"GET /media/videos/{video_id} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    holding = []
    for _ in range(50):
        client = socket.create_connection(("127.0.0.1", live.port), timeout=PATIENCE)
        client.sendall(request)
        assert client.recv(12) == b"HTTP/1.1 200"
        holding.append(client)
    assert json.loads(get(live, "/api/search?q=shirt"))["hits"]
    for client in holding:
        client.close()


def test_fifty_at_once_are_all_answered(live: Live) -> None:
    def client(number: int) -> Counter[int]:
        connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=PATIENCE)
        statuses: Counter[int] = Counter()
        for query in ("shirt", "batter", "iron", f"word{number}"):
            connection.request("GET", f"/api/search?q={query}")
            reply = connection.getresponse()
            reply.read()
            statuses[reply.status] += 1
        connection.close()
        return statuses

    with ThreadPoolExecutor(50) as clients:
        total = sum(clients.map(client, range(50)), Counter())
    assert total == {200: 200}


def test_a_server_for_others_wants_the_token(videos: Path) -> None:
    with Live(videos, "--host", "0.0.0.0", "--token", TOKEN) as server:
        with pytest.raises(urllib.error.HTTPError) as refused:
            get(server, "/api/library")
        refused.value.close()
        assert refused.value.code == 401
        request = urllib.request.Request(
            f"{server.address}/api/library", headers={"Authorization": f"Bearer {TOKEN}"}
        )
        with urlopen(request, timeout=PATIENCE) as reply:
            assert reply.status == 200


def test_wrong_use_is_said_before_anything_is_served(cli, videos: Path, tmp_path: Path) -> None:
    ended = cli("serve", videos, "--host", "0.0.0.0")
    assert ended.code == 2
    assert "--token" in ended.err
    ended = cli("serve", tmp_path / "none")
    assert (ended.code, "there is no folder" in ended.err) == (2, True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = cli("serve", videos, "--port", port)
    assert (ended.code, "is in use" in ended.err) == (2, True)


def test_without_the_extra_it_says_what_to_install(
    cli, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    ended = cli("serve", videos)
    assert ended.code == 1
    assert "pip install 'howto[serve]'" in ended.err

"""The program itself: `howto serve` as a process, and clients that behave badly."""

import http.client
import json
import os
import shutil
import socket
import urllib.error
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from .conftest import TOKEN, Live


def get(server: Live, path: str) -> bytes:
    with urlopen(server.address + path, timeout=60) as reply:
        return reply.read()


def test_it_answers_where_it_says_and_ends_at_ctrl_c(videos: Path) -> None:
    server = Live(videos)
    assert b"<title>howto</title>" in get(server, "/")
    assert json.loads(get(server, "/api/search?q=batter"))["hits"]
    assert server.stop() == 0


def test_a_new_folder_is_looked_at_while_the_page_is_there(
    tmp_path: Path, small_video: Callable[..., Path]
) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    small_video(folder / "one.mp4", shade=5)
    server = Live(folder)
    try:
        assert [one["name"] for one in json.loads(get(server, "/api/videos"))["videos"]] == [
            "one.mp4"
        ]
    finally:
        server.stop()
    assert (folder / ".howto" / "library.db").exists()


def test_progress_is_told_as_it_happens(live: Live, videos: Path) -> None:
    shutil.copy(videos / "pancakes.mp4", videos / "more.mp4")
    with (videos / "more.mp4").open("ab") as file:
        file.write(b"\0\0\0\x08free")  # another file
    seen = []
    with urlopen(f"{live.address}/api/events", timeout=60) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        with urlopen(Request(f"{live.address}/api/refresh", method="POST"), timeout=60):
            pass
        for row in stream:
            if row.startswith(b"data: "):
                now = json.loads(row.removeprefix(b"data: "))
                seen.append(now["state"])
                if now["run"] == 2 and now["state"] == "ready":
                    break
    assert seen[-1] == "ready"
    assert "looking" in seen
    assert now["new"] == 1


def test_bad_clients_hurt_nobody_else(live: Live) -> None:
    stalled = []
    for _ in range(60):  # more than there are threads to read with
        client = socket.create_connection(("127.0.0.1", live.port), timeout=30)
        client.sendall(b"GET /api/search?q=shirt HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Sl")
        stalled.append(client)
    answers = []
    for garbage in (b"\x16\x03\x01" + os.urandom(200), b"GET\r\n\r\n", b"A" * 200_000 + b"\r\n"):
        with socket.create_connection(("127.0.0.1", live.port), timeout=30) as client:
            try:
                client.sendall(garbage)
                answers.append(client.recv(100))
            except ConnectionError:
                answers.append(b"")
    assert all(b" 200 " not in one for one in answers)
    assert json.loads(get(live, "/api/search?q=shirt"))["hits"]
    for client in stalled:
        client.close()


def test_a_client_that_reads_nothing_of_a_file_holds_nobody_up(live: Live, videos: Path) -> None:
    listed = json.loads(get(live, "/api/videos"))["videos"]
    with (videos / "pancakes.mp4").open("ab") as file:
        file.truncate(50_000_000)  # far more than any socket holds
    video_id = next(one["video_id"] for one in listed if one["name"] == "pancakes.mp4")
    request = f"GET /media/videos/{video_id} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    holding = []
    for _ in range(50):
        client = socket.create_connection(("127.0.0.1", live.port), timeout=30)
        client.sendall(request)
        assert client.recv(12) == b"HTTP/1.1 200"
        holding.append(client)
    assert json.loads(get(live, "/api/search?q=shirt"))["hits"]
    for client in holding:
        client.close()


def test_fifty_at_once_are_all_answered(live: Live) -> None:
    def client(number: int) -> Counter[int]:
        connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=60)
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
    server = Live(videos, "--host", "0.0.0.0", "--token", TOKEN)
    try:
        with pytest.raises(urllib.error.HTTPError) as refused:
            get(server, "/api/library")
        refused.value.close()
        assert refused.value.code == 401
        request = Request(
            f"{server.address}/api/library", headers={"Authorization": f"Bearer {TOKEN}"}
        )
        with urlopen(request, timeout=60) as reply:
            assert reply.status == 200
    finally:
        server.stop()


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

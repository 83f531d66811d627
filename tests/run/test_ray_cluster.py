"""Clusters that were started apart, addresses where there is none, and one of this machine."""

import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from howto.errors import HowtoError
from howto.run.engine import engine_of, run

from ..conftest import Ran

# What listens is asked while an actor is there, of this process and all below it.
HERE = """
import json, os
from contextlib import suppress
from pathlib import Path
from howto.run.engine import engine_of, run

ends = run(engine_of("ray"), str.upper, iter("ab"), workers=1)
first = next(ends).result
parents = {}
for entry in Path("/proc").iterdir():
    if entry.name.isdigit():
        try:
            after_name = (entry / "stat").read_text().rpartition(")")[2]
            parents[int(entry.name)] = int(after_name.split()[1])
        except OSError:
            pass
ours = {os.getpid()}
while more := {one for one, parent in parents.items() if parent in ours} - ours:
    ours |= more
sockets = set()
for one in ours:
    try:
        for handle in Path(f"/proc/{one}/fd").iterdir():
            try:
                sockets.add(os.readlink(handle))
            except OSError:
                pass
    except OSError:
        pass
listening = []
for table in ("tcp", "tcp6"):
    for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
        parts = line.split()
        if parts[3] == "0A" and f"socket:[{parts[9]}]" in sockets:
            listening.append(parts[1].rpartition(":")[0])
print(json.dumps({"results": [first, *(one.result for one in ends)], "listening": listening}))
"""
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}


@pytest.mark.long
def test_a_cluster_of_this_machine_joins_nobody_and_listens_on_loopback() -> None:
    pytest.importorskip("ray", reason="needs howto[ray]")
    done = subprocess.run(
        [sys.executable, "-c", HERE],
        env={**os.environ, "RAY_ADDRESS": "127.0.0.1:1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["results"] == ["A", "B"], done.stderr
    assert len(told["listening"]) > 3, "the servers of Ray were not found"
    assert set(told["listening"]) <= LOOPBACK


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a cluster of one core that processes of their own make up, with a token."""
    pytest.importorskip("ray", reason="needs howto[ray]")
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="ray-"))  # names of its sockets may not be long
    command = [Path(sys.executable).with_name("ray"), "start", "--head", "--block"]
    options = ["--port", port, "--num-cpus", 1, "--include-dashboard=false", "--temp-dir", folder]
    log = tmp_path_factory.mktemp("apart") / "log"
    with log.open("w") as file:
        running = subprocess.Popen(
            [str(one) for one in (*command, *options)],
            env={**os.environ, **TOKEN, "RAY_USAGE_STATS_ENABLED": "0"},
            stdout=file,
            stderr=file,
        )
    try:
        address = f"127.0.0.1:{port}"
        deadline = time.monotonic() + 120
        while "Ray runtime started" not in log.read_text():
            assert running.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield address
    finally:
        running.terminate()
        running.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A port that stays free for a while: below those that connections are given by chance."""
    while True:
        port = random.randrange(20_000, 32_000)
        with suppress(OSError), socket.socket() as taken:
            taken.bind(("127.0.0.1", port))
            return port


TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef0123456789abcdef"}


@pytest.mark.long
def test_commands_work_on_a_cluster_that_runs(
    apart: str, howto: Callable[..., Ran], videos: Path
) -> None:
    options = ("extract", videos, "--backbone", "template-mean-colour", "--json")
    made = howto(*options, "--on", f"ray={apart}", **TOKEN)
    assert (made.code, made.json["made"]) == (0, 3), made.err
    clipped = howto("clip", videos, "--json", "--on", "ray=auto", RAY_ADDRESS=apart, **TOKEN)
    assert clipped.code == 0, clipped.err
    assert clipped.json["outcomes"]["ok"] == 2, clipped.out


@pytest.mark.long
def test_another_token_is_told(apart: str, howto: Callable[..., Ran], videos: Path) -> None:
    other = {**TOKEN, "RAY_AUTH_TOKEN": "f" * 32}
    for environment in (other, {"RAY_AUTH_MODE": "disabled"}):
        refused = howto("clip", videos, "--on", f"ray={apart}", **environment)
        assert refused.code == 1
        assert "it may want another token" in refused.err
        assert "RAY_AUTH_TOKEN_PATH" in refused.err


@pytest.fixture
def answering() -> Iterator[Callable[[bytes], str]]:
    """The address of a server that says one thing and no more."""
    doors: list[socket.socket] = []
    talking: list[threading.Thread] = []

    def serve(answer: bytes) -> str:
        door = socket.create_server(("127.0.0.1", 0))
        doors.append(door)

        def talk() -> None:
            # Who knocks may have gone before it is heard or answered; a closed door ends the wait.
            with suppress(OSError), door.accept()[0] as one:
                one.recv(100)
                one.sendall(answer)

        talking.append(threading.Thread(target=talk, daemon=True))
        talking[-1].start()
        return f"127.0.0.1:{door.getsockname()[1]}"

    yield serve
    for door in doors:
        with suppress(OSError):
            door.shutdown(socket.SHUT_RDWR)
        door.close()
    for thread in talking:
        thread.join(10)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n"])
def test_what_is_no_cluster_is_told(answering: Callable[[bytes], str], answer: bytes) -> None:
    pytest.importorskip("ray", reason="needs howto[ray]")
    address = answering(answer)
    with pytest.raises(HowtoError, match=f"what answers at {address} is no Ray cluster"):
        next(run(engine_of(f"ray={address}"), str.upper, ["a"]))


def test_where_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="needs howto[ray]")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for on in (f"ray={address}", "ray=auto"):
            monkeypatch.setenv("RAY_ADDRESS", address)
            with pytest.raises(HowtoError, match=f"answers at {address}: Connection refused"):
                next(run(engine_of(on), str.upper, ["a"]))


def test_with_keys_only_ray_speaks(
    answering: Callable[[bytes], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from howto.run.ray_cluster import _knock

    monkeypatch.setenv("RAY_USE_TLS", "1")
    _knock(answering(b""))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(HowtoError, match="Connection refused"):
            _knock(f"127.0.0.1:{taken.getsockname()[1]}")


def test_the_environment_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="needs howto[ray]")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    before = dict(os.environ)
    with pytest.raises(HowtoError, match="no Ray cluster answers"):
        next(run(engine_of("ray=auto"), str.upper, ["a"]))
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("No node info found matching attributes: '' when"), "ray job submit"),
        (ConnectionError("Failed to connect to Ray cluster at h:1"), "another token"),
        (RuntimeError("Version mismatch: The cluster was started with:\nRay"), "Version mismatch"),
    ],
)
def test_what_ray_says_is_told_with_what_to_do(error: Exception, told: str) -> None:
    from howto.run.ray_cluster import _not_connected

    assert told in str(_not_connected("h:1", error))

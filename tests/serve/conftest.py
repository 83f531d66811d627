"""Servers to test: one inside the test's process, and one as a process of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPResponse
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from typing import Any, Self
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from starlette.testclient import TestClient

from howto.library import Library
from howto.search.refresh import refresh
from howto.serve.app import create_app
from howto.serve.settings import Settings

from ..conftest import write_videos

TOKEN = "a-token-that-nobody-guesses"
PATIENCE = 120  # seconds; a busy machine is no failure, but nothing is waited for without end


@pytest.fixture(scope="session")
def indexed(tmp_path_factory: pytest.TempPathFactory, small_video: Callable[..., Path]) -> Path:
    """A folder of small narrated videos that is a library already."""
    folder = write_videos(tmp_path_factory.mktemp("serve") / "videos", small_video)
    with Library.open(folder) as library:
        refresh(library)
    return folder


@pytest.fixture
def videos(indexed: Path, tmp_path: Path) -> Path:
    """A copy of it, of which nothing is new: a server of it is ready at once."""
    return shutil.copytree(indexed, tmp_path / "videos")


def ready(client: TestClient) -> TestClient:
    """Wait until the library is up to date."""
    until = time.monotonic() + PATIENCE
    while (now := client.get("/api/indexing").json())["state"] == "looking":
        assert time.monotonic() < until, "it is still looking at the files"
        time.sleep(0.05)
    assert now["state"] == "ready", now["message"]
    return client


@pytest.fixture
def serving() -> Iterator[Callable[..., TestClient]]:
    """Serve a folder in this process; what is given besides are fields of `Settings`."""
    with ExitStack() as stack:

        def serve(folder: Path, *, address: str = "http://127.0.0.1:8737", **fields) -> TestClient:
            app = create_app(Settings(folder.resolve(), **fields))
            client = stack.enter_context(
                TestClient(app, base_url=address, headers=_known(fields), follow_redirects=False)
            )
            return ready(client)

        yield serve


def _known(fields: dict) -> dict[str, str]:
    token = fields.get("token")
    return {"authorization": f"Bearer {token}"} if token else {}


@pytest.fixture
def client(videos: Path, serving: Callable[..., TestClient]) -> TestClient:
    """The three small videos of `videos`, served."""
    return serving(videos)


def id_of(client: TestClient, name: str) -> str:
    """The id of the video whose path ends so."""
    listed = client.get("/api/videos").json()["videos"]
    return next(one["video_id"] for one in listed if one["name"].endswith(name))


def told(stream: HTTPResponse, kind: str, wanted: Callable[[dict], bool]) -> dict[str, Any]:
    """The first event of a kind that is as wanted, from a stream of events."""
    until, last = time.monotonic() + PATIENCE, None
    while time.monotonic() < until and (row := stream.readline()):
        # Any other row, such as that it is still there, comes at least now and then.
        if row == f"event: {kind}\n".encode():
            last = json.loads(stream.readline().removeprefix(b"data: "))
            if wanted(last):
                return last
    pytest.fail(f"it was not told; the last of its kind was {last}")


class Live:
    """`howto serve` as a process of its own; it ends where its `with` does.

    Attributes:
        address: such as `http://127.0.0.1:40123`.
        port: of it.
    """

    def __init__(self, folder: Path, *options: str, errors: Path | None = None) -> None:
        program = Path(sys.executable).with_name("howto")
        with ExitStack() as open_ones:
            place = errors or Path(open_ones.enter_context(TemporaryDirectory())) / "errors"
            with place.open("wb") as stderr:
                self.process = open_ones.enter_context(
                    subprocess.Popen(
                        [program, "serve", folder, "--port", "0", "--json", *options],
                        stdout=subprocess.PIPE,
                        stderr=stderr,
                        stdin=subprocess.DEVNULL,
                        env={**os.environ, "PYTHONUNBUFFERED": "1"},
                    )
                )
            self._errors = place
            open_ones.callback(self.process.kill)  # which does nothing to one that has ended
            self.address: str = self._said()["address"].rstrip("/")
            self.port = int(self.address.rpartition(":")[2])
            self.wait_until(self._is_ready, "it is still looking at the files")
            self._open = open_ones.pop_all()

    def _said(self) -> dict[str, Any]:
        """What it says once it listens. One that says nothing is killed, which ends the reading."""
        assert self.process.stdout is not None
        said = b""
        killing = Timer(PATIENCE, self.process.kill)
        killing.start()
        try:
            for row in self.process.stdout:
                said += row
                if row == b"}\n":
                    return json.loads(said)
            self.process.wait()
        finally:
            killing.cancel()
        raise self._trouble(f"it said {said!r} and no more")

    def wait_until(self, holds: Callable[[], bool], otherwise: str) -> None:
        """Wait until something holds; fail where the process ends before, or it takes too long."""
        until = time.monotonic() + PATIENCE
        while not holds():
            if self.process.poll() is not None or time.monotonic() > until:
                raise self._trouble(otherwise)
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        asked = Request(f"{self.address}/api/indexing", headers=headers)
        try:
            with urlopen(asked, timeout=PATIENCE) as reply:
                return json.load(reply)["state"] != "looking"
        except HTTPError:
            raise
        except OSError:  # it may have ended, with an exit code that says more
            return False

    def _trouble(self, why: str) -> AssertionError:
        """What to fail with: also how the process ended, if it did, and what it complained of."""
        errors = self._errors.read_text(errors="replace")
        return AssertionError(f"{why}; exit code {self.process.poll()}, and on stderr:\n{errors}")

    def stop(self) -> int:
        """As Ctrl-C does; its exit code."""
        with self._open:
            self.process.send_signal(signal.SIGINT)
            return self.process.wait(timeout=PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@pytest.fixture
def live(videos: Path) -> Iterator[Live]:
    """The three small videos of `videos`, served by a process of its own."""
    with Live(videos) as server:
        yield server

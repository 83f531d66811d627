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
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from starlette.testclient import TestClient

from howto.library import Library
from howto.search.refresh import refresh
from howto.serve.app import create_app
from howto.serve.settings import Settings

from ..conftest import write_videos

TOKEN = "a-token-that-nobody-guesses"


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
    while (now := client.get("/api/indexing").json())["state"] == "looking":
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


class Live:
    """`howto serve` as a process of its own.

    Attributes:
        address: such as `http://127.0.0.1:40123`.
        port: of it.
    """

    def __init__(self, folder: Path, *options: str, errors: Path | None = None) -> None:
        program = Path(sys.executable).with_name("howto")
        with (errors or Path(os.devnull)).open("wb") as stderr:
            self.process = subprocess.Popen(
                [program, "serve", folder, "--port", "0", "--json", *options],
                stdout=subprocess.PIPE,
                stderr=stderr,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        assert self.process.stdout is not None
        said = b"".join(iter(self.process.stdout.readline, b"}\n")) + b"}"
        self.address: str = json.loads(said)["address"].rstrip("/")
        self.port = int(self.address.rpartition(":")[2])
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        while True:
            asked = Request(f"{self.address}/api/indexing", headers=headers)
            with urlopen(asked, timeout=30) as reply:
                if json.load(reply)["state"] != "looking":
                    return
            time.sleep(0.1)

    def stop(self) -> int:
        """As Ctrl-C does; its exit code."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture
def live(videos: Path) -> Iterator[Live]:
    """The three small videos of `videos`, served by a process of its own."""
    server = Live(videos)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()

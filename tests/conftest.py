"""What many tests share: small videos made on the spot, the shared real files, and the command
line."""

import os

# What the caller's terminal or continuous integration sets changes what is printed: colours, widths
# and whether there is a terminal at all. Some of it is read when rich, typer or howto is imported.
for _name in (
    "COLUMNS",
    "FORCE_COLOR",
    "GITHUB_ACTIONS",
    "JUPYTER_COLUMNS",
    "JUPYTER_LINES",
    "LINES",
    "NO_COLOR",
    "PY_COLORS",
    "TERMINAL_WIDTH",
    "TTY_COMPATIBLE",
    "TTY_INTERACTIVE",
    "TYPER_STANDARD_TRACEBACK",
    "TYPER_USE_RICH",
    "UNICODE_VERSION",
    "_TYPER_FORCE_DISABLE_TERMINAL",
    "_TYPER_STANDARD_TRACEBACK",
):
    os.environ.pop(_name, None)

# ruff: noqa: E402 - after what they read
import http.client
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from howto.media.encode import H264Writer

# A busy machine is no failure: how long an example takes is for the benchmarks to say.
settings.register_profile("howto", deadline=None)
settings.load_profile("howto")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real videos, captions and reference outputs, which lies beside a checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"the shared data is not at {SHARED}")
    return SHARED


def until(is_so: Callable[[], object], seconds: float = 120.0) -> None:
    """Wait for what has to come about, however long a busy machine takes for it."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            pytest.fail(f"it did not come about within {seconds:g} s")
        time.sleep(0.02)


def is_running(process: int) -> bool:
    """Whether a process is there and no zombie, which its parent may be slow to wait for."""
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@pytest.fixture(autouse=True)
def no_state_in_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries of folders that cannot be written keep their state in a folder of the test's
    own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user-data"))
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture(scope="session")
def small_video(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Write a small video whose bytes depend on `shade`; `seconds` long at 2 frames per second."""

    def write(
        path: Path, *, shade: int = 0, seconds: int = 20, sound: bool = False, **tags: str
    ) -> Path:
        picture = np.full((16, 16, 3), shade % 256, np.uint8)
        rate = 8000 if sound else None
        with H264Writer(
            path, width=16, height=16, frame_rate=Fraction(2), sample_rate=rate, **tags
        ) as writer:
            for _ in range(2 * seconds):
                writer.write_frame(picture)
            if sound:
                writer.write_sound(np.zeros(8000 * seconds, np.float32))
        # Shades that encode to the same bits are still files of their own.
        with path.open("ab") as file:
            file.write((16).to_bytes(4, "big") + b"free" + shade.to_bytes(8, "big"))
        return path

    return write


def vtt(*lines: tuple[float, float, str]) -> str:
    """A WebVTT file of (start, end, text) lines."""

    def clock(seconds: float) -> str:
        minutes, second = divmod(seconds, 60)
        return f"{int(minutes):02}:{second:06.3f}"

    cues = [f"{clock(start)} --> {clock(end)}\n{text}\n" for start, end, text in lines]
    return "\n".join(["WEBVTT\n", *cues])


@pytest.fixture
def videos(tmp_path: Path, small_video: Callable[..., Path]) -> Path:
    """A folder with two narrated videos and one that nobody narrated."""
    return write_videos(tmp_path / "videos", small_video)


def write_videos(folder: Path, small_video: Callable[..., Path]) -> Path:
    """Make the folder of `videos`."""
    (folder / "shirts").mkdir(parents=True)
    small_video(folder / "shirts" / "fold.mp4", shade=1)
    (folder / "shirts" / "fold.en.vtt").write_text(
        vtt(
            (1, 4, "hello and welcome back"),
            (4, 7, "lay the shirt flat on the table"),
            (7, 10, "now fold the left sleeve of the shirt"),
            (15, 18, "press the iron down"),
        )
    )
    small_video(folder / "pancakes.mp4", shade=2)
    (folder / "pancakes.srt").write_text(
        "1\n00:00:02,000 --> 00:00:05,000\nPour the batter into the pan\n\n"
        "2\n00:00:05,500 --> 00:00:08,000\nand flip the pancake\n"
    )
    small_video(folder / "silent.mp4", shade=3, sound=True)
    return folder


@dataclass(frozen=True, slots=True)
class Ran:
    """How the program ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def howto(tmp_path: Path) -> Callable[..., Ran]:
    """Run the installed program in a process of its own."""

    def run(*arguments: str | Path, cwd: Path | None = None, **environment: str) -> Ran:
        program = Path(sys.executable).with_name("howto")
        ended = subprocess.run(
            [program, *map(str, arguments)],
            capture_output=True,
            cwd=cwd or tmp_path,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            timeout=300,
            check=False,
        )
        return Ran(
            ended.returncode,
            ended.stdout.decode(errors="surrogateescape"),
            ended.stderr.decode(errors="surrogateescape"),
        )

    return run


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run the program inside the test's process: quicker, and its parts can be replaced."""
    from howto.cli.main import main

    def run(*arguments: str | Path) -> Ran:
        monkeypatch.setattr(sys, "argv", ["howto", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    return run


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Ray cluster of two machines, processes on loopback, of one core each; this process is
    connected to them as a driver."""
    pytest.importorskip("ray", reason="needs howto[ray]")
    folder = tmp_path_factory.mktemp("for_actors")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        # Actors inherit where modules lie from the node that starts them.
        patch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        # What else fills the memory and the disk of this machine ends no actor.
        patch.setenv("RAY_memory_monitor_refresh_ms", "0")
        patch.setenv("RAY_local_fs_capacity_threshold", "1")
        import ray
        from ray.cluster_utils import Cluster

        made = Cluster()
        made.folder = folder
        try:
            join(made, num_cpus=1, include_dashboard=False)
            made.second = join(made, num_cpus=1)
            ray.init(address=made.address, log_to_driver=False, logging_level="error")
            yield made
        finally:
            ray.shutdown()
            session = made.head_node and Path(made.head_node.get_session_dir_path())
            made.shutdown()
            if session:
                remove_session(session)


def join(cluster: Any, **shares: Any) -> Any:
    """Add a machine to a cluster and wait for it longer than Ray itself would."""
    node = cluster.add_node(wait=False, **shares)
    cluster.wait_for_nodes(timeout=120)
    return node


def remove_session(folder: Path) -> None:
    """Remove what one cluster of Ray left in the folder for temporary files: its own alone."""
    latest = folder.with_name("session_latest")
    if latest.is_symlink() and latest.readlink() == folder:
        latest.unlink(missing_ok=True)  # Ray replaces no link to a folder that is gone
    shutil.rmtree(folder, ignore_errors=True)  # processes that end now may still write there


@dataclass
class S3Site:
    """An S3 server behind a door that can be shut.

    Attributes:
        refusals: how many PUT requests are still to be answered with 503.
        unreadable: a GET of a path that ends so is answered with 503; '': none is.
        puts: paths that were put, in order, the refused ones too.
    """

    address: str
    refusals: int = 0
    unreadable: str = ""
    puts: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    moto = pytest.importorskip("moto.server", reason="needs moto's S3 server")
    pytest.importorskip("s3fs", reason="needs s3fs")
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    try:
        host, port = running.get_host_and_port()
        yield f"{host}:{port}"
    finally:
        running.stop()


@pytest.fixture
def s3_site(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Site]:
    """A bucket `films` on a real S3 server on loopback, which fails when it is told to."""
    found = S3Site("")

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.command == "PUT":
                found.puts.append(self.path)
                if found.refusals:
                    found.refusals -= 1
                    self.answer(503, {}, b"<Error><Code>SlowDown</Code></Error>")
                    return
            if self.command == "GET" and found.unreadable and self.path.endswith(found.unreadable):
                self.answer(503, {}, b"<Error><Code>SlowDown</Code></Error>")
                return
            connection = http.client.HTTPConnection(s3_server, timeout=30)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            self.answer(answer.status, dict(answer.getheaders()), answer.read())
            connection.close()

        def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            length = headers.get("Content-Length", "0") if self.command == "HEAD" else len(body)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    for method in ("GET", "PUT", "POST", "HEAD", "DELETE"):
        setattr(Door, f"do_{method}", Door.pass_on)

    door = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=door.serve_forever, daemon=True).start()
    found.address = f"http://127.0.0.1:{door.server_address[1]}"
    for name, value in {
        "AWS_ENDPOINT_URL": found.address,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "2",
    }.items():
        monkeypatch.setenv(name, value)
    import s3fs

    # Its waits between attempts grow to many seconds.
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().mkdir("films")
    found.puts.clear()
    yield found
    s3fs.S3FileSystem().rm("films", recursive=True)
    s3fs.S3FileSystem.clear_instance_cache()
    door.shutdown()
    door.server_close()

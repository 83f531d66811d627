"""`howto extract --on ray` over two machines of loopback, of which workers and then one whole
machine are lost: `make test-long`."""

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from howto.extract.choice import Choice, choose
from howto.extract.features import read
from howto.extract.stage import extract_videos
from howto.extract.store import StoredFeatures
from howto.library import Library
from howto.records import Stage, State
from howto.run.engine import engine_of
from howto.search.refresh import refresh

pytestmark = pytest.mark.long

VIDEOS = 200
BACKBONES = ("colour-motion", "template-mean-colour")


@pytest.fixture
def folder(films: Path) -> Path:
    """The films, ten of which are none."""
    for film in range(10):
        (films / f"{20 * film + 1:03}.mp4").write_bytes(f"no film {film}".encode())
    return films


def actors() -> list[int]:
    """The processes of this cluster's actors: those that descend from this process."""
    parents, found = {}, []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit():
                # The name of a process, in brackets, may hold anything.
                after_name = (entry / "stat").read_text().rpartition(")")[2]
                parents[int(entry.name)] = int(after_name.split()[1])
                if (entry / "cmdline").read_bytes().startswith(b"ray::_Actor"):
                    found.append(int(entry.name))
    return [one for one in found if is_below(one, parents)]


def is_below(process: int, parents: dict[int, int]) -> bool:
    """A process descends from this one."""
    while process in parents:
        if (process := parents[process]) == os.getpid():
            return True
    return False


def test_every_video_ends_once_and_features_are_those_of_one_machine(
    cluster: Any, folder: Path, tmp_path: Path
) -> None:
    wanted = choose(Choice(BACKBONES, device="cpu"))
    with Library.open(folder, tmp_path / "local") as local:
        refresh(local)
        extract_videos(local, wanted)
        expected = features_of(local, wanted)
    progress: list[int] = []
    seen: Counter[str] = Counter()

    def on_progress(done: int, _total: int, path: str) -> None:
        progress.append(done)
        seen[path] += 1

    stop = threading.Event()
    killed: list[int] = []
    killer = threading.Thread(target=kill_now_and_then, args=(cluster, progress, stop, killed))
    with Library.open(folder, tmp_path / "ray") as library:
        refresh(library)
        killer.start()
        try:
            done = extract_videos(library, wanted, engine=engine_of("ray"), on_progress=on_progress)
        finally:
            stop.set()
            killer.join()
        found = features_of(library, wanted)
        ended = [one for one in library.outcomes() if one.stage == Stage.EXTRACT]
    assert len(killed) >= 3
    assert [one["Alive"] for one in nodes_of(cluster)].count(True) == 1, "a machine was lost"
    assert Counter(one.state for one in done.outcomes)[State.OK] == VIDEOS - 10
    assert len(ended) == len({one.video_id for one in ended}) == len(done.outcomes)
    assert set(seen.values()) == {1}, "no video ended twice"
    assert found.keys() == expected.keys()
    for key, arrays in found.items():
        for array, other in zip(arrays, expected[key], strict=True):
            np.testing.assert_array_equal(array, other)


def nodes_of(cluster: Any) -> list[Any]:
    """The two machines, as Ray knows them."""
    import ray

    found: list[Any] = ray.nodes()
    assert cluster.second.node_id in {one["NodeID"] for one in found}
    return found


def kill_now_and_then(
    cluster: Any, progress: list[int], stop: threading.Event, killed: list[int]
) -> None:
    """Six workers at random moments, and after half of the videos the second machine."""
    draw = random.Random(0)
    while not stop.wait(draw.uniform(0.5, 3.0)):
        if len(progress) > VIDEOS // 2:
            cluster.remove_node(cluster.second, allow_graceful=False)
            return
        if len(killed) < 6 and progress and (there := actors()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one := draw.choice(there), signal.SIGKILL)
                killed.append(one)
            time.sleep(2)


def features_of(library: Library, wanted: Any) -> dict[tuple[str, str], tuple[Any, Any]]:
    """All features of a library, by backbone and video."""
    found = {}
    for one in wanted:
        stored = StoredFeatures(library, one.recipe)
        for path in stored.folder.glob("*/*.safetensors"):
            features = read(path)
            key = (one.name, features.video_id)
            found[key] = (np.array(features.features), np.array(features.times))
    return found

"""Extraction on Ray: two machines (processes on loopback, held to one core each), of which workers
are killed, and one machine when half of the videos are done.

ray_extract.over_ideal      seconds of the run over the ideal for the actors that lived: the work,
                            as one actor alone does it, divided among those that there are at each
                            moment. Starting actors, and what killed ones had begun, is what it
                            costs
ray_extract.seconds.quick   seconds of a run that is too short for that: starting is most of it
"""

import contextlib
import os
import random
import signal
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from measure import Figure, emit, parse

from howto.extract.choice import Choice, choose
from howto.extract.stage import extract_videos
from howto.library import Library
from howto.media.encode import H264Writer
from howto.run.engine import engine_of
from howto.search.refresh import refresh

VIDEOS, VIDEOS_QUICK = 200, 24
FILMS = 4
KILLS = 3


def main() -> None:
    quick = parse(__doc__ or "").quick
    videos = VIDEOS_QUICK if quick else VIDEOS
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "films"
        draw(folder, videos, seconds=10 if quick else 75)
        with cluster_of(1) as cluster:
            alone = run(folder, Path(name) / "alone", cluster, lose=False)
        with cluster_of(2) as cluster:
            found = run(folder, Path(name) / "two", cluster, lose=True)
    print(f"one actor: {alone.seconds:.0f} s; two, one machine lost: {found.seconds:.0f} s")
    if quick:
        emit([Figure.reported("ray_extract.seconds.quick", found.seconds, "s")])
        return
    # All work is alone.seconds; two actors do it until the loss, and one after it.
    ideal = alone.seconds - found.lost_after
    print(f"ideal for those that lived: {ideal:.0f} s; lost after {found.lost_after:.0f} s")
    emit([Figure.at_most("ray_extract.over_ideal", found.seconds / ideal, 1.3)])


def draw(folder: Path, videos: int, seconds: int) -> None:
    """A few films of coloured noise, and copies of them that differ in their last bytes."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for film in range(FILMS):
        path = folder / f"{film:03}.mp4"
        with H264Writer(path, width=320, height=240, frame_rate=Fraction(15)) as writer:
            for _ in range(15 * seconds):
                picture = rng.integers(0, 255, (15, 20, 3), np.uint8)
                writer.write_frame(picture.repeat(16, 0).repeat(16, 1))
    for copy in range(FILMS, videos):
        data = (folder / f"{copy % FILMS:03}.mp4").read_bytes()
        free = (16).to_bytes(4, "big") + b"free" + copy.to_bytes(8, "big")
        (folder / f"{copy:03}.mp4").write_bytes(data + free)


@contextlib.contextmanager
def cluster_of(nodes: int) -> Any:
    import ray
    from ray.cluster_utils import Cluster

    cores = sorted(os.sched_getaffinity(0))
    made = Cluster()
    made.others = []
    for node in range(nodes):
        # What a machine starts stays on its core: an actor and its decoder use more than one.
        os.sched_setaffinity(0, {cores[node % len(cores)]})
        if node:
            made.others.append(made.add_node(num_cpus=1))
        else:
            made.add_node(num_cpus=1, include_dashboard=False)
    os.sched_setaffinity(0, cores)
    ray.init(address=made.address, log_to_driver=False, logging_level="error")
    made.wait_for_nodes()
    try:
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


class Ended:
    """Seconds of a run, when its machine was lost, and how many workers were killed."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.seconds = 0.0
        self.lost_after = 0.0
        self.kills = 0


def run(folder: Path, state: Path, cluster: Any, *, lose: bool) -> Ended:
    draw_from = random.Random(0)
    wanted = choose(Choice(("colour-motion",), device="cpu"))
    with Library.open(folder, state) as library:
        refresh(library)
        ended = Ended()

        def on_progress(done: int, total: int, _path: str) -> None:
            if not lose or ended.lost_after:
                return
            if done >= total // 2:
                ended.lost_after = time.monotonic() - ended.began
                cluster.remove_node(cluster.others[0], allow_graceful=False)
            elif done in {total * k // (2 * KILLS + 2) for k in range(1, KILLS + 1)}:
                there = actors()
                with contextlib.suppress(ProcessLookupError, IndexError):
                    os.kill(draw_from.choice(there), signal.SIGKILL)
                    ended.kills += 1

        done = extract_videos(library, wanted, engine=engine_of("ray"), on_progress=on_progress)
        ended.seconds = time.monotonic() - ended.began
    if set(done.tally) != {"ok"}:
        raise SystemExit(f"not all videos ended well: {done.tally}")
    if lose and (ended.kills < KILLS or not ended.lost_after):
        raise SystemExit(f"of {KILLS} workers and a machine to lose, {ended.kills} were killed")
    return ended


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


if __name__ == "__main__":
    main()

"""The Ray engine: as the local one, on a cluster whose processes and machines are lost."""

import functools
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from howto.errors import HowtoError, Reason, UsageError
from howto.run.engine import LOCAL, Engine, engine_of, host_and_port, run

from ..conftest import Ran, is_running, join, until

ON_RAY = engine_of("ray")

WORK = """
import os, signal, time
from pathlib import Path
from howto.errors import PluginError, Reason

def strange(item):
    if item == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if item == "hang":
        time.sleep(600)
    if item == "bug":
        raise ZeroDivisionError("of a stranger")
    if item == "unusable":
        raise PluginError("no weights on this machine")
    return item.upper()

def first_is_slow(item):
    folder, number = item
    Path(folder, str(number)).touch()
    while number == 0 and not Path(folder, "3").exists():
        time.sleep(0.05)
    time.sleep(1 if number == 0 else 0)
    return sorted(int(path.name) for path in Path(folder).iterdir())

class Slow:
    # Writes down which process does what, and keeps at it for a while.
    def __init__(self, folder, seconds):
        self.folder, self.seconds = folder, seconds

    def work(self, item, time_limit):
        path = Path(self.folder, f"{item}-{os.getpid()}-{time.monotonic_ns()}")
        path.touch()
        time.sleep(self.seconds)
        return (item, os.getpid()), None, ""

class Deadly:
    # Kills its own actor at one item, whoever tries it.
    def work(self, item, time_limit):
        if item == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return item, None, ""

class Full:
    # The disk of all machines is full.
    def work(self, item, time_limit):
        raise OSError(28, "No space left on device")

class OneFails:
    # One machine cannot work, and writes down each time; the other waits for two of them.
    def __init__(self, folder, machine):
        self.folder, self.machine = Path(folder), machine

    def work(self, item, time_limit):
        import ray
        if ray.get_runtime_context().get_node_id() == self.machine:
            Path(self.folder, f"{os.getpid()}-{time.monotonic_ns()}").touch()
            self.fail()
        end = time.monotonic() + 110
        while len(list(self.folder.iterdir())) < 2 and time.monotonic() < end:
            time.sleep(0.05)
        return item, None, ""

class OneFull(OneFails):
    def fail(self):
        raise OSError(28, "No space left on device")

class OneBroken(OneFails):
    def fail(self):
        raise RuntimeError(f"CUDA error: uncorrectable ECC error in process {os.getpid()}")

class Unlucky:
    # Loses its actor at the first tries, then a mount hiccups wherever it is, then all works.
    def __init__(self, folder, losses, hiccups):
        self.folder, self.losses, self.ends = Path(folder), losses, losses + hiccups

    def work(self, item, time_limit):
        tries = len(list(self.folder.iterdir()))
        Path(self.folder, str(tries)).touch()
        if tries < self.losses:
            os.kill(os.getpid(), signal.SIGKILL)
        if tries < self.ends:
            raise OSError(5, "Input/output error")
        return item, None, ""

class Stopping:
    # Stops its own process at each item, as often as it is told.
    def __init__(self, folder, times):
        self.folder, self.times = Path(folder), times

    def work(self, item, time_limit):
        tries = len(list(self.folder.glob(f"{item}-*")))
        Path(self.folder, f"{item}-{tries}-{os.getpid()}").touch()
        if tries < self.times:
            os.kill(os.getpid(), signal.SIGSTOP)
            time.sleep(600)  # this thread may run on until another one has taken the signal
        return item, None, ""

class Long:
    # Takes as many seconds as the item says, and writes down its tries.
    def __init__(self, folder):
        self.folder = folder

    def work(self, item, time_limit):
        Path(self.folder, f"{item}-{time.monotonic_ns()}").touch()
        time.sleep(item)
        return (item, os.getpid()), None, ""
"""


@pytest.fixture(scope="module")
def work(cluster: Any) -> ModuleType:
    (cluster.folder / "work_for_actors.py").write_text(WORK)
    return import_module("work_for_actors")


def test_what_on_means() -> None:
    assert engine_of("local") == LOCAL
    assert engine_of("ray") == Engine("ray", "", {"cpu": 1, "gpu": 0})
    assert engine_of("ray=auto", "cpu=4, gpu=0.5, disk=1") == Engine(
        "ray", "auto", {"cpu": 4, "gpu": 0.5, "disk": 1}
    )
    assert engine_of("ray", "CPU=2,Gpu=1").resources == {"cpu": 2, "gpu": 1}


@pytest.mark.parametrize("port", ["6379", "1", "65535"])
@pytest.mark.parametrize("host", ["10.0.0.7", "head.cluster", "[::1]"])
def test_addresses(host: str, port: str) -> None:
    assert engine_of(f"ray={host}:{port}").address == f"{host}:{port}"
    assert host_and_port(f"{host}:{port}") == (host.strip("[]"), int(port))


def test_a_cluster_of_this_machine_has_two_names() -> None:
    assert engine_of("ray=local") == ON_RAY


@pytest.mark.parametrize(
    ("on", "resources"),
    [
        ("spark", None),
        ("ray=", None),
        ("ray=head", None),
        ("ray=head:", None),
        ("ray=:6379", None),
        ("ray=head:0", None),
        ("ray=head:65536", None),
        ("ray=head:63²9", None),
        ("ray=ray://head:10001", None),
        ("local=here", None),
        ("local", "cpu=1"),
        ("ray", "cpu"),
        ("ray", "cpu=many"),
        ("ray", "cpu=-1"),
        ("ray", "cpu=inf"),
        ("ray", "=3"),
        ("ray", "gpu=1.5"),
        ("ray", "memory=1"),
        ("ray", "cpu=1,Object_Store_Memory=1e9"),
    ],
)
def test_what_it_cannot_mean(on: str, resources: str | None) -> None:
    with pytest.raises(UsageError, match=r"--on|--resources"):
        engine_of(on, resources)


def test_items_end_on_ray_as_they_do_here(work: ModuleType) -> None:
    items = ["a", "crash", "b", "hang", "c", "bug", "d"]
    ends = {}
    for engine in (LOCAL, ON_RAY):
        found = list(run(engine, work.strange, items, workers=2, time_limit=4))
        assert len(found) == len(items)
        ends[engine.kind] = {one.item: (one.result, one.reason, one.detail) for one in found}
    assert ends["ray"] == ends["local"]
    assert ends["ray"]["crash"][1] == Reason.DECODER_CRASHED


@pytest.mark.long
def test_what_no_item_is_to_blame_for_ends_the_run(work: ModuleType) -> None:
    with pytest.raises(HowtoError, match="no weights on this machine"):
        list(run(ON_RAY, work.strange, ["a", "unusable"]))


@pytest.mark.long
def test_items_are_taken_as_actors_become_free(work: ModuleType) -> None:
    taken = []

    def source() -> Iterator[str]:
        for number in range(100):
            taken.append(number)
            yield str(number)

    ends = run(ON_RAY, work.strange, source())
    next(ends)
    ends.close()
    assert len(taken) < 10


@pytest.mark.parametrize("workers", [None, 2])
def test_an_actor_too_large_for_any_machine_is_refused(
    work: ModuleType, workers: int | None
) -> None:
    """Two machines of one core have two together, and no room for an actor of two."""
    for cores in (2, 64):
        with pytest.raises(HowtoError, match=f"no room|has room for one actor of cpu={cores}"):
            list(run(engine_of("ray", f"cpu={cores}"), work.strange, ["a"], workers=workers))
    with pytest.raises(UsageError, match="takes nothing"):
        list(run(engine_of("ray", "cpu=0"), work.strange, ["a"], workers=workers))


class Machines:
    """A cluster of machines with so much each, of which the first is lost."""

    def __init__(self, *machines: dict[str, float]) -> None:
        self._machines = machines

    def nodes(self) -> list[dict[str, Any]]:
        lost = {"Alive": False, "Resources": {"CPU": 100.0, "GPU": 100.0, "disk": 100.0}}
        return [lost, *({"Alive": True, "Resources": one} for one in self._machines)]


@pytest.mark.parametrize(
    ("resources", "actors"),
    [
        ("cpu=2", 2),  # and not 3, of six cores
        ("cpu=3", 2),
        ("cpu=4", 0),
        ("cpu=0.1", 60),
        ("gpu=1", 2),
        ("gpu=2,cpu=1", 1),
        ("cpu=0,gpu=0.6", 2),  # a part is of one GPU
        ("cpu=0,gpu=0.5", 4),
        ("cpu=1,disk=1", 0),
    ],
)
def test_actors_are_counted_by_machine(resources: str, actors: int) -> None:
    pytest.importorskip("ray", reason="needs howto[ray]")
    from howto.run.ray_cluster import room

    cluster: Any = Machines({"CPU": 3.0, "GPU": 2.0, "node:here": 1.0}, {"CPU": 3.0})
    assert room(cluster, engine_of("ray", resources)) == actors


def test_who_waits_for_a_machine_says_so(
    cluster: Any, work: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine that it waits for joins when that is said."""
    from howto.run import ray_actors

    said, joined = [], []

    def said_and_joined(text: str, *parts: object) -> None:
        said.append(text % parts)
        joined.append(join(cluster, num_cpus=1, resources={"disk": 1}))

    monkeypatch.setattr(ray_actors, "_PATIENT_SECONDS", 0.5)
    monkeypatch.setattr(ray_actors._log, "warning", said_and_joined)
    on = engine_of(f"ray={cluster.address}", "disk=1")
    try:
        assert [one.result for one in run(on, work.strange, ["a"], workers=1)] == ["A"]
    finally:
        for one in joined:
            cluster.remove_node(one, allow_graceful=False)
        cluster.wait_for_nodes(timeout=120)  # the next test's actors would be sent to it
    assert len(said) == 1
    assert "has room for one actor of cpu=1, gpu=0, disk=1: it has" in said[0]
    assert said[0].endswith("waiting for a machine that has")


def test_who_waits_for_the_room_of_other_jobs_says_so(
    cluster: Any, work: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They end when that is said."""
    import ray

    from howto.run import ray_actors

    class OfOthers:
        def is_there(self) -> bool:
            return True

    made = ray.remote(OfOthers).options(num_cpus=1)
    others, said = [made.remote() for _ in range(2)], []
    ray.get([one.is_there.remote() for one in others])

    def leave(text: str, *parts: object) -> None:
        said.append(text % parts)
        while others:
            ray.kill(others.pop())

    monkeypatch.setattr(ray_actors, "_BUSY_SECONDS", 1.0)
    monkeypatch.setattr(ray_actors._log, "warning", leave)
    on = engine_of(f"ray={cluster.address}")  # one of this machine has no other jobs
    try:
        assert [one.result for one in run(on, work.strange, ["a"])] == ["A"]
    finally:
        leave("")
    assert "other jobs may hold it" in said[0]
    assert len(said) == 2  # the second is this test's own


@pytest.mark.long
def test_an_item_that_kills_every_actor_costs_itself(work: ModuleType) -> None:
    from howto.run.ray_actors import run_ray

    ends = {one.item: one for one in run_ray(work.Deadly, range(5), ON_RAY, workers=2)}
    assert {item: one.result for item, one in ends.items()} == {0: 0, 1: 1, 2: None, 3: 3, 4: 4}
    assert ends[2].reason == Reason.DECODER_CRASHED
    assert "lost" in ends[2].detail


@pytest.mark.long
def test_killed_workers_and_a_lost_machine_cost_nothing(
    cluster: Any, work: ModuleType, tmp_path: Path
) -> None:
    from howto.run.ray_actors import run_ray

    make = functools.partial(work.Slow, str(tmp_path), 0.4)
    ends, pids = Counter[int](), set[int]()
    for count, ended in enumerate(run_ray(make, range(30), ON_RAY), start=1):
        ends[ended.item] += 1
        assert ended.result is not None
        assert ended.result[0] == ended.item
        pids.add(ended.result[1])
        if count in (4, 8):
            os.kill(ended.result[1], signal.SIGKILL)
        if count == 12:
            cluster.remove_node(cluster.second, allow_graceful=False)
    assert ends == Counter(range(30))
    assert len(pids) > 2, "an actor that was killed came back as another process"
    tries = Counter(int(path.name.split("-")[0]) for path in tmp_path.iterdir())
    assert max(tries.values()) <= 4
    cluster.second = join(cluster, num_cpus=1)


@pytest.mark.long
def test_the_last_item_of_a_lost_machine_is_done_elsewhere(
    cluster: Any, work: ModuleType, tmp_path: Path
) -> None:
    """Ray would keep it for the actor that waits for a machine: the run would never end."""
    from howto.run.ray_actors import run_ray

    make = functools.partial(work.Slow, str(tmp_path), 1.0)
    began = time.monotonic()
    ends = Counter[int]()
    for ended in run_ray(make, range(4), ON_RAY):
        ends[ended.item] += 1
        if len(ends) == 2:  # both actors have their last one now
            cluster.remove_node(cluster.second, allow_graceful=False)
    assert ends == Counter(range(4))
    assert time.monotonic() - began < 120
    cluster.second = join(cluster, num_cpus=1)


def test_new_items_wait_for_the_oldest(cluster: Any, work: ModuleType, tmp_path: Path) -> None:
    """Item 0 ends when item 3 has begun; until then nothing past it may."""
    items = [(str(tmp_path), number) for number in range(8)]
    ends = list(run(ON_RAY, work.first_is_slow, items, ahead=3))
    begun = {one.item[1]: one.result for one in ends}
    assert begun.keys() == set(range(8))
    assert begun[0] == [0, 1, 2, 3]


def test_an_actor_that_can_never_be_made_ends_the_run(
    work: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from howto.run.ray_actors import run_ray

    (tmp_path / "only_on_the_driver.py").write_text(WORK)
    monkeypatch.syspath_prepend(tmp_path)
    make = import_module("only_on_the_driver").Deadly
    with pytest.raises(HowtoError) as raised:
        list(run_ray(make, [0], ON_RAY, workers=1))
    assert str(raised.value) == (
        "an actor cannot be started: ModuleNotFoundError: No module named 'only_on_the_driver'. "
        "Install howto and its plugins in the same versions on every machine"
    )


def test_machines_that_refuse_a_token_are_told_as_such() -> None:
    exceptions = pytest.importorskip("ray.exceptions", reason="needs howto[ray]")
    from howto.run.ray_actors import _never_made

    refused = exceptions.ActorUnschedulableError("Unauthenticated: invalid token\nmore of it")
    assert "RAY_AUTH_MODE" in str(_never_made(refused))
    missing = exceptions.ActorUnschedulableError("No module named 'tokenizers'")
    assert "same versions" in str(_never_made(missing))


def notes_of_machines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Not the notes of waiting, which a slow machine has too."""
    notes = [one.getMessage() for one in caplog.records]
    return [note for note in notes if note.startswith("an actor on ")]


@pytest.mark.parametrize("workers", [1, 2])
def test_what_no_machine_can_do_is_told_in_one_line(
    work: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    workers: int,
) -> None:
    from howto.run import ray_actors

    monkeypatch.setattr(ray_actors, "_REST_SECONDS", 0.0)
    with pytest.raises(HowtoError) as raised:
        list(ray_actors.run_ray(work.Full, [0], ON_RAY, workers=workers))
    found = re.fullmatch(
        r"an actor on [\d.]+ failed: OSError: \[Errno 28\] No space left on device",
        str(raised.value),
    )
    assert found
    notes = notes_of_machines(caplog)
    assert len(notes) == {1: 0, 2: 2}[workers], "what ends the run at once is said once"


def test_a_broken_machine_costs_nothing_and_is_named_once(
    cluster: Any,
    work: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from howto.run import ray_actors

    errors: list[str] = []
    own = ray_actors._own

    def seen(error: Any, address: str) -> Exception:
        errors.append(str(error.cause))
        return own(error, address)

    monkeypatch.setattr(ray_actors, "_own", seen)
    monkeypatch.setattr(ray_actors, "_REST_SECONDS", 0.0)
    make = functools.partial(work.OneBroken, str(tmp_path), cluster.second.node_id)
    ends = ray_actors.run_ray(make, range(30), ON_RAY, workers=2)
    assert sorted((one.item, one.result) for one in ends) == [(item, item) for item in range(30)]
    assert len(errors) >= 2, "the broken machine got nothing a second time"
    assert len(set(errors)) == len(errors), "a process that failed was used again"
    (note,) = notes_of_machines(caplog)
    assert re.match(r"an actor on [\d.]+ failed: RuntimeError: CUDA error: uncorrectable", note)


@pytest.mark.parametrize(("losses", "hiccups"), [(3, 1), (0, 4)])
def test_losses_and_refusals_are_counted_apart(
    work: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, losses: int, hiccups: int
) -> None:
    """Four times something is wrong, and neither the item nor a machine is to blame."""
    from howto.run import ray_actors

    monkeypatch.setattr(ray_actors, "_REST_SECONDS", 0.2)
    make = functools.partial(work.Unlucky, str(tmp_path), losses, hiccups)
    (ended,) = ray_actors.run_ray(make, [7], ON_RAY, workers=2)
    assert ended.result == 7


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence of two seconds is enough."""
    from howto.run import ray_actors

    monkeypatch.setattr(ray_actors, "_SIGN_SECONDS", 0.3)
    monkeypatch.setattr(ray_actors, "_SILENT_SECONDS", 2.0)


@pytest.mark.usefixtures("impatient")
def test_a_stopped_actor_is_killed_and_its_item_done(work: ModuleType, tmp_path: Path) -> None:
    """One actor alone: nobody else can take the item."""
    from howto.run.ray_actors import run_ray

    make = functools.partial(work.Stopping, str(tmp_path), 1)
    assert [one.result for one in run_ray(make, [7], ON_RAY, workers=1)] == [7]
    stopped = [path.name.split("-")[2] for path in tmp_path.glob("7-0-*")]
    assert len(stopped) == 1
    until(lambda: not is_running(int(stopped[0])))


@pytest.mark.long
@pytest.mark.usefixtures("impatient")
def test_an_item_that_stops_every_actor_costs_itself(work: ModuleType, tmp_path: Path) -> None:
    from howto.run.ray_actors import run_ray

    make = functools.partial(work.Stopping, str(tmp_path), 100)
    (ended,) = run_ray(make, [7], ON_RAY, workers=1, time_limit=3600)
    assert ended.reason == Reason.TIME_LIMIT
    assert re.fullmatch(
        r"its actor was lost 4 times, last on [\d.]+: it gave no sign of life for 2 s",
        ended.detail,
    )


@pytest.mark.long
@pytest.mark.usefixtures("impatient")
def test_a_worker_that_keeps_no_limit_costs_its_item(work: ModuleType, tmp_path: Path) -> None:
    """It answers all the time, and does not end."""
    from howto.run.ray_actors import run_ray

    make = functools.partial(work.Long, str(tmp_path))
    ends = run_ray(make, [600, 0], ON_RAY, workers=1, time_limit=lambda _: 1.0)
    found = {one.item: (one.reason, one.detail) for one in ends}
    assert found[0] == (None, "")
    assert found[600][0] == Reason.TIME_LIMIT
    assert found[600][1].endswith(": it had no end 2 s after its time limit")


@pytest.mark.long
@pytest.mark.usefixtures("impatient")
def test_who_looks_away_kills_nobody(work: ModuleType, tmp_path: Path) -> None:
    """A driver that was stopped, or busy with what it got, has heard nothing from anybody."""
    from howto.run.ray_actors import run_ray

    pids = set[int]()
    seen = Counter[float]()

    def source() -> Iterator[float]:
        while len(pids) < 2:
            yield 0.1
        yield from (4.5, 0.1)

    make = functools.partial(work.Long, str(tmp_path))
    for ended in run_ray(make, source(), ON_RAY, workers=2):
        assert ended.result is not None
        pids.add(ended.result[1])
        seen[ended.item] += 1
        if list(tmp_path.glob("4.5-*")) and not seen[4.5]:
            time.sleep(4)
    assert seen[4.5] == 1
    assert len(list(tmp_path.glob("4.5-*"))) == 1


def test_what_one_machine_cannot_write_another_one_does(
    cluster: Any, work: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The full machine is the quickest to be free, again and again."""
    from howto.run import ray_actors

    monkeypatch.setattr(ray_actors, "_REST_SECONDS", 0.0)
    make = functools.partial(work.OneFull, str(tmp_path), cluster.second.node_id)
    ends = ray_actors.run_ray(make, range(8), ON_RAY, workers=2)
    assert sorted((one.item, one.result) for one in ends) == [(item, item) for item in range(8)]
    assert len(list(tmp_path.iterdir())) >= 2, "the full machine got nothing a second time"


@pytest.mark.long
def test_machines_that_join_get_actors(
    cluster: Any, work: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from howto.run import ray_actors

    monkeypatch.setattr(ray_actors, "_RECOUNT_SECONDS", 0.5)
    make = functools.partial(work.Slow, str(tmp_path), 0.4)
    third, pids = None, set[int]()
    for ended in ray_actors.run_ray(make, range(60), ON_RAY):
        assert ended.result is not None
        pids.add(ended.result[1])
        third = third or join(cluster, num_cpus=1)
        if len(pids) == 3:
            break
    cluster.remove_node(third, allow_graceful=False)
    cluster.wait_for_nodes(timeout=120)
    assert len(pids) == 3


def test_speed_is_learned_there_too(cluster: Any, cli: Callable[..., Ran], videos: Path) -> None:
    options = ("extract", videos, "--backbone", "template-mean-colour", "--json")
    plan = (*options, "--dry-run", "--on", "ray")
    cli("search", "x", videos)
    assert cli(*plan).json["seconds"] is None
    began = time.monotonic()
    made = cli(*options, "--limit", "2", "--on", "ray")
    took = time.monotonic() - began
    assert (made.code, made.json["made"]) == (0, 2), made.err
    # All three are of 20 seconds; one is left.
    assert 0 < cli(*plan).json["seconds"] <= took / 2 + 0.1  # of which one decimal is told
    assert cli(*options, "--dry-run").json["seconds"] is None, "this machine was not measured"

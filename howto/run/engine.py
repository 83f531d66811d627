"""Which engine works: the processes of this machine, or the actors of a Ray cluster.

A stage hands the same per-video function to either; it commits what comes back in the same way. An
engine may do an item more than once; it says how it ended exactly once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from howto.errors import UsageError
from howto.run.local import Ended, run_local

__all__ = ["LOCAL", "Engine", "engine_of", "host_and_port", "run"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_PORTS = 65536
_SHARES = {"cpu": 1.0, "gpu": 0.0}
"""Of one actor, where nothing else is said; other names are resources that a cluster defines."""
_MEMORY = frozenset({"memory", "object_store_memory"})
"""Resources of which Ray has a notion of its own."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Where work is done.

    Attributes:
        kind: `local` or `ray`.
        address: of a Ray cluster, such as `auto` or `10.0.0.7:6379`; '' starts one on this machine.
        resources: what one actor takes of it, such as {"cpu": 2, "gpu": 1}; never empty for Ray.
    """

    kind: Literal["local", "ray"] = "local"
    address: str = ""
    resources: Mapping[str, float] = field(default_factory=dict)


LOCAL = Engine()


def engine_of(on: str, resources: str | None = None) -> Engine:
    """Understand `--on` and `--resources`.

    Args:
        on: `local`, `ray`, or `ray=ADDRESS`: `auto`, HOST:PORT, or `local`, which is `ray` alone.
        resources: `cpu=2,gpu=1`: what each actor takes.

    Raises:
        UsageError: an engine that is none, resources that are none, or for the local engine.
    """
    kind, sign, address = on.partition("=")
    if kind == "local" and not sign:
        if resources is not None:
            raise UsageError("--resources goes with --on ray; --workers says how many processes")
        return LOCAL
    if kind != "ray" or (sign and not address):
        raise UsageError(f"--on {on}: expected local, ray, or ray=ADDRESS of a running cluster")
    if address == "local":
        address = ""
    elif address and address != "auto":
        host_and_port(address)
    return Engine("ray", address, {**_SHARES, **_shares(resources or "")})


def host_and_port(address: str) -> tuple[str, int]:
    """The parts of a Ray cluster's address, such as 10.0.0.7:6379 or [::1]:6379.

    Raises:
        UsageError: it is no such address.
    """
    if "://" in address:
        raise UsageError(
            f"--on ray={address}: the driver runs on one of the cluster's machines, and not "
            "through Ray's client. Say --on ray=HOST:6379 there, or submit the command: ray job "
            "submit -- howto ... --on ray=auto"
        )
    host, _, port = address.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and 0 < int(port) < _PORTS):
        raise UsageError(
            f"--on ray={address}: expected auto, or HOST:PORT of the cluster's head, such as "
            "10.0.0.7:6379"
        )
    return host.removeprefix("[").removesuffix("]"), int(port)


def _shares(text: str) -> dict[str, float]:
    shares: dict[str, float] = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, _, value = part.partition("=")
        name = name.lower() if name.lower() in _SHARES else name
        if name.lower() in _MEMORY:
            raise UsageError(
                f"--resources {part}: Ray keeps no actor to its memory. Take as many cpu as its "
                "memory is worth, or a resource that you give the machines: ray start --resources"
            )
        try:
            shares[name] = float(value)
        except ValueError:
            shares[name] = -1.0
        if not (name and 0 <= shares[name] < float("inf")):
            raise UsageError(f"--resources {part}: expected NAME=NUMBER, such as cpu=2,gpu=1")
        if name == "gpu" and shares[name] > 1 and not shares[name].is_integer():
            raise UsageError(f"--resources {part}: expected whole GPUs, or a part of one")
    return shares


def run(
    engine: Engine,
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int | None = None,
    time_limit: float | Callable[[Item], float] = 120.0,
    ahead: int | None = None,
) -> Iterator[Ended[Item, Result]]:
    """Run a function over items, and yield each end as it comes.

    Args:
        function, items, time_limit: as for `run_local`, wherever it runs: a crash or a hang costs a
            process of its own there, too.
        workers: processes, or actors; by default as many as there are cores, or shares of the
            cluster.
        ahead: on Ray, how far past the oldest item that has not ended new ones are begun, for who
            needs ends in order and has no room for all; None: as far as actors are free. The local
            engine is a few items ahead in any case.

    Raises:
        HowtoError: as `run_local`; or Ray is not installed, or its cluster cannot be reached.
    """
    if engine.kind == "local":
        yield from run_local(function, items, workers=workers, time_limit=time_limit)
        return
    from howto.run.ray_actors import in_a_process, run_ray

    yield from run_ray(
        in_a_process(function),
        items,
        engine,
        workers=workers,
        time_limit=time_limit,
        ahead=ahead,
    )

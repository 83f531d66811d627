"""A Ray cluster to work on: one that runs, or one that is started on this machine."""

import contextlib
import os
import re
import socket
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from howto.errors import HowtoError, UsageError
from howto.run.engine import Engine, host_and_port

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["TOKENS", "connected", "no_room", "room"]

TOKENS = (
    "Give the machines and the driver the same RAY_AUTH_MODE, and with token the same token: in "
    "RAY_AUTH_TOKEN, in the file that RAY_AUTH_TOKEN_PATH names, or in ~/.ray/auth_token"
)
"""What to do where a cluster and its driver do not agree on who may use it."""

_ROUNDING = 1e-6
"""Ten shares of 0.1 are one; Ray itself counts in parts of 1e-4."""
_CONNECT_SECONDS = 5.0
"""An address is given so long to take a connection: Ray itself would try for minutes."""


# A client's greeting in HTTP/2, which every server of Ray speaks: its preface, and no settings.
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000 04 00 00000000")
_SETTINGS = 4  # the kind of frame that a server begins with
_KIND_AT = 3  # after three bytes of length

_NOT_OF_THE_CLUSTER = re.compile(r"node info found|node to connect|node ip", re.IGNORECASE)


@contextlib.contextmanager
def connected(engine: Engine) -> "Iterator[ModuleType]":
    """Ray, connected; what was connected before stays so, and the environment as it was. A cluster
    that is started here listens on loopback alone, unless this process imported Ray before.

    Raises:
        UsageError: Ray is not installed, or RAY_ADDRESS is no address.
        HowtoError: there is no such cluster, this machine is none of its, or it asks for another
            token.
    """
    with _environment_kept(), _connection(engine) as ray:
        yield ray


@contextlib.contextmanager
def _environment_kept() -> Iterator[None]:
    """What is set for Ray inside, by Ray itself too, is not meant for the next connection."""
    before = _of_ray()
    try:
        yield
    finally:
        for name in _of_ray().keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


def _of_ray() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("RAY_")}


@contextlib.contextmanager
def _connection(engine: Engine) -> "Iterator[ModuleType]":
    if engine.address:
        os.environ.setdefault("RAY_py_gcs_connect_timeout_s", "5")
    elif "ray" not in sys.modules:
        # By this Ray knows the one machine as 127.0.0.1, and then its servers listen there alone.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    ray = _imported()
    if ray.is_initialized():
        yield ray
        return
    address = os.environ.get("RAY_ADDRESS") if engine.address == "auto" else None
    address = address or engine.address
    if address and address != "auto":
        _knock(address)
    quiet = {"log_to_driver": False, "logging_level": "error"}
    try:
        if address:
            ray.init(address=address, **quiet)
        else:
            # Without an address Ray would join RAY_ADDRESS, or what runs on this machine already.
            ray.init(address="local", include_dashboard=False, **quiet)
    except ray.exceptions.AuthenticationError as error:
        raise HowtoError(f"Ray has no token, and is to use one. {TOKENS}") from error
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise _not_connected(address, error) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _imported() -> "ModuleType":
    # Nothing of what runs here is anybody's business.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise UsageError("--on ray needs Ray: pip install 'howto[ray]'") from error
    return ray


def _knock(address: str) -> None:
    """Look whether anything like Ray answers at an address, or with RAY_USE_TLS anything at all.

    Raises:
        UsageError: it is no address.
        HowtoError: nothing answers, or something else.
    """
    where = host_and_port(address)
    try:
        with socket.create_connection(where, timeout=_CONNECT_SECONDS) as door:
            if os.environ.get("RAY_USE_TLS", "").lower() in ("1", "true"):
                return  # only Ray knows the keys to speak with it
            door.sendall(_GREETING)
            answer = door.recv(64)
    except OSError as error:
        why = error.strerror or str(error)
        raise HowtoError(
            f"no Ray cluster answers at {address}: {why}. Is it the address that ray start --head "
            "told, and may this machine reach it?"
        ) from error
    if answer[_KIND_AT : _KIND_AT + 1] != bytes([_SETTINGS]):
        raise HowtoError(
            f"what answers at {address} is no Ray cluster; take the address that ray start --head "
            "told, of port 6379 unless another was chosen"
        )


def _not_connected(address: str, error: Exception) -> HowtoError:
    """What to tell when Ray gave up."""
    why = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
    if not address:
        return HowtoError(f"Ray cannot be started on this machine: {why}")
    if address == "auto" and isinstance(error, ConnectionError):
        return HowtoError(
            f"no Ray cluster runs on this machine: {why}. Start one with ray start --head, or name "
            "it: --on ray=HOST:6379"
        )
    if _NOT_OF_THE_CLUSTER.search(why):
        return HowtoError(
            f"this machine is none of the Ray cluster {address} ({why}). Run the command on one of "
            "its machines, or submit it: ray job submit -- howto ... --on ray=auto"
        )
    if isinstance(error, ConnectionError):
        return HowtoError(
            f"{address} answers, and lets nobody in ({why}): it may want another token, or be none "
            f"of Ray's control servers. {TOKENS}"
        )
    return HowtoError(f"no Ray cluster {address}: {why}")


def room(ray: "ModuleType", engine: Engine) -> int:
    """How many actors have room on the machines that the cluster has now: each on one of them.

    Raises:
        UsageError: an actor that takes nothing.
    """
    if not any(engine.resources.values()):
        raise UsageError("--resources: an actor that takes nothing; give it cpu=1 or more")
    return sum(_fitting(machine, engine) for machine in _machines(ray))


def no_room(ray: "ModuleType", engine: Engine) -> str:
    """What to tell where no machine has room for one actor."""
    machines = Counter(_told(machine) for machine in _machines(ray))
    found = "; ".join(f"{count} with {told}" for told, count in sorted(machines.items()))
    return f"no machine of the cluster has room for one actor of {_asked(engine)}: it has {found}"


def _asked(engine: Engine) -> str:
    return ", ".join(f"{name}={share:g}" for name, share in engine.resources.items())


def _told(machine: Mapping[str, float]) -> str:
    # Ray's own marks of a machine, with a colon, and its memory are nothing that is asked for.
    names = sorted(one for one in machine if ":" not in one and not one.endswith("memory"))
    shares = (f"{one}={machine[one]:g}" for one in names)
    return ", ".join(shares) or "nothing"


def _machines(ray: "ModuleType") -> list[Mapping[str, float]]:
    """What each machine has that lives."""
    return [one["Resources"] for one in ray.nodes() if one["Alive"]]


def _fitting(machine: Mapping[str, float], engine: Engine) -> int:
    """How many actors one machine has room for."""
    fitting = []
    for name, share in engine.resources.items():
        there = machine.get(name.upper() if name in ("cpu", "gpu") else name, 0.0)
        if name == "gpu" and 0 < share < 1:
            fitting.append(int(there) * int(1 / share + _ROUNDING))  # a part is of one GPU
        elif share > 0:
            fitting.append(int(there / share + _ROUNDING))
    return min(fitting)

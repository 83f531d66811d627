"""A Ray cluster to work on: one that runs, or one that is started on this machine."""

import contextlib
import os
import re
import socket
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from howto.errors import HowtoError, UsageError
from howto.run.engine import Engine, host_and_port

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["TOKENS", "connected", "room"]

TOKENS = (
    "Give the machines and the driver the same RAY_AUTH_MODE, and with token the same token: in "
    "RAY_AUTH_TOKEN, in the file that RAY_AUTH_TOKEN_PATH names, or in ~/.ray/auth_token"
)
"""What to do where a cluster and its driver do not agree on who may use it."""

_CONNECT_SECONDS = 5.0
"""An address is given so long to take a connection: Ray itself would try for minutes."""


# A client's greeting in HTTP/2, which every server of Ray speaks: its preface, and no settings.
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000 04 00 00000000")
_SETTINGS = 4  # the kind of frame that a server begins with
_KIND_AT = 3  # after three bytes of length

_NOT_OF_THE_CLUSTER = re.compile(r"node info found|node to connect|node ip", re.IGNORECASE)


@contextlib.contextmanager
def connected(engine: Engine) -> "Iterator[ModuleType]":
    """Ray, connected; what was connected before stays so. A cluster that is started here listens on
    loopback alone, unless this process imported Ray before.

    Raises:
        UsageError: Ray is not installed, or RAY_ADDRESS is no address.
        HowtoError: there is no such cluster, this machine is none of its, or it asks for another
            token.
    """
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
    """Look whether anything like Ray answers at an address.

    Raises:
        UsageError: it is no address.
        HowtoError: nothing answers, or something else.
    """
    where = host_and_port(address)
    try:
        with socket.create_connection(where, timeout=_CONNECT_SECONDS) as door:
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


def room(ray: "ModuleType", engine: Engine, *, least: int = 1) -> int:
    """How many actors the cluster has room for in all.

    Raises:
        UsageError: an actor that takes nothing.
        HowtoError: there is room for less than `least`.
    """
    there = ray.cluster_resources()
    shares = [
        int(there.get(name.upper() if name in ("cpu", "gpu") else name, 0.0) / share)
        for name, share in engine.resources.items()
        if share > 0
    ]
    if not shares:
        raise UsageError("--resources: an actor that takes nothing; give it cpu=1 or more")
    if min(shares) < least:
        asked = ", ".join(f"{name}={share:g}" for name, share in engine.resources.items())
        found = ", ".join(f"{n}={v:g}" for n, v in sorted(there.items()) if ":" not in n)
        raise HowtoError(f"the cluster has no room for one actor of {asked}: it has {found}")
    return min(shares)

"""Which addresses may be asked when they come from a list or a web page: public ones, over http.

Who may name an address could otherwise have this machine ask its own services or its neighbours',
and keep the answers in a library. Names are judged by what they resolve to, so a number written as
one integer, in octal or in hexadecimal, or a name that points here, is seen for what it is.
"""

import ipaddress
import re
import socket
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from howto.errors import ItemError, Reason

__all__ = ["check_address", "is_public", "public_addresses"]

_SCHEMES = ("http", "https")
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")  # NAT64: the last 32 bits are IPv4 (RFC 6052)


def check_address(address: str, *, allow_private: bool = False) -> str:
    """Return an address from a list as it is, where it may be asked; resolves nothing.

    Raises:
        ItemError: REFUSED_ADDRESS: not http or https, no host, one that programs read in different
            ways (`127.0.0%2e1`), or one written as a number that is not public. A name is judged
            when it is connected to, by `public_addresses`.
    """
    try:
        parts = urlsplit(address)
        host = parts.hostname
        _ = parts.port
        _refuse_odd_host(parts)
    except ValueError as error:
        raise ItemError(Reason.REFUSED_ADDRESS, f"not an address: {error}") from error
    if parts.scheme.lower() not in _SCHEMES or not host:
        detail = "expected an address that begins with http:// or https://"
        raise ItemError(Reason.REFUSED_ADDRESS, detail)
    if not allow_private:
        for number in _as_numbers(host):
            _refuse_private(host, number)
    return address


def public_addresses(host: str, port: int) -> list[str]:
    """Resolve a name to the numbers to connect to, all of them public.

    Raises:
        ItemError: REFUSED_ADDRESS: one of them is private, on this machine or in its network.
        OSError: the name cannot be resolved.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a part of the name is empty or too long
        raise OSError(f"{host!r} is no name of a machine: {error}") from error
    numbers = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
    for number in numbers:
        _refuse_private(host, number)
    return numbers


def is_public(number: str) -> bool:
    """Tell whether an IPv4 or IPv6 address can only be somebody else's, anywhere in the world.

    Addresses of IPv6 that hold one of IPv4 are judged by that too.
    """
    address = ipaddress.ip_address(number.partition("%")[0])  # a zone is never global
    return all(
        each.is_global
        and not (each.is_multicast or each.is_reserved or getattr(each, "is_site_local", False))
        for each in _and_inside(address)
    )


def _and_inside(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """The address and those of IPv4 in it; a mapped or translated one counts as the inner alone."""
    if isinstance(address, ipaddress.IPv4Address):
        yield address
    elif address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    elif address in _TRANSLATED:
        yield ipaddress.IPv4Address(address.packed[-4:])
    else:
        yield address
        inside = (address.sixtofour, *(address.teredo or ()))
        yield from (each for each in inside if each is not None)


def _as_numbers(host: str) -> Iterator[str]:
    """The number that a host is, in any of the ways to write it; nothing for a name."""
    try:
        yield str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        try:
            yield socket.inet_ntoa(socket.inet_aton(host))
        except (OSError, UnicodeError):
            return


def _refuse_odd_host(parts: SplitResult) -> None:
    """Refuse what one program takes for a part of the host, and another decodes or cuts off."""
    host = parts.netloc.rpartition("@")[2]
    zone = host.startswith("[")  # %25eth0 in an IPv6 address
    if re.search(r"[\s\\\x00-\x1f\x7f]", parts.netloc) or (not zone and "%" in host):
        detail = "expected a host without %, \\ and spaces"
        raise ItemError(Reason.REFUSED_ADDRESS, detail)


def _refuse_private(host: str, number: str) -> None:
    if not is_public(number):
        what = host if host == number else f"{host} ({number})"
        detail = f"{what} is not a public address; --allow-private lets it be asked"
        raise ItemError(Reason.REFUSED_ADDRESS, detail)

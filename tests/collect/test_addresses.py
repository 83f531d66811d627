"""Which addresses may be asked."""

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto.collect.addresses import check_address, is_public, public_addresses
from howto.errors import ItemError, Reason

PRIVATE = """
127.0.0.1 127.255.255.254 10.1.2.3 172.16.0.1 172.31.255.255 192.168.0.1 169.254.169.254 0.0.0.0
100.64.0.1 224.0.0.1 255.255.255.255 240.0.0.1 198.18.0.1 192.0.2.1
::1 :: fe80::1 fec0::1 fc00::1 fd12:3456::1 ff02::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1
64:ff9b::a00:1 2002:7f00:1:: 2002:c0a8:1:: 2001:db8::1 fe80::1%eth0
""".split()
PUBLIC = "8.8.8.8 1.1.1.1 172.15.0.1 172.32.0.1 2606:4700:4700::1111 64:ff9b::808:808".split()


@pytest.mark.parametrize("number", PRIVATE)
def test_private_numbers(number: str) -> None:
    assert not is_public(number)
    host = f"[{number}]" if ":" in number else number
    with pytest.raises(ItemError) as caught:
        check_address(f"http://{host}:8080/video.mp4")
    assert caught.value.reason is Reason.REFUSED_ADDRESS


@pytest.mark.parametrize("number", PUBLIC)
def test_public_numbers(number: str) -> None:
    assert is_public(number)
    host = f"[{number}]" if ":" in number else number
    assert check_address(f"https://{host}/video.mp4") == f"https://{host}/video.mp4"


@pytest.mark.parametrize(
    "host",
    "2130706433 0x7f000001 0177.0.0.1 127.1 0x7f.0.0.1 017700000001 127.0.0.1 0".split(),
)
def test_other_ways_to_write_this_machine(host: str) -> None:
    with pytest.raises(ItemError, match="not a public address"):
        check_address(f"http://{host}/")
    with pytest.raises(ItemError, match="not a public address"):
        public_addresses(host, 80)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "①②⑦.0.0.1"])
def test_names_that_lead_here(host: str) -> None:
    with pytest.raises(ItemError, match="not a public address"):
        public_addresses(host, 80)


def test_one_private_address_of_several_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [
            (socket.AF_INET, 1, 6, "", ("8.8.8.8", port)),
            (socket.AF_INET, 1, 6, "", ("10.0.0.7", port)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with pytest.raises(ItemError, match=r"two\.example \(10\.0\.0\.7\)"):
        public_addresses("two.example", 80)


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd",
        "ftp://example.org/a.mp4",
        "rtmp://example.org/live",
        "data:text/html,hello",
        "javascript:alert(1)",
        "//example.org/a.mp4",
        "example.org/a.mp4",
        "http:///a.mp4",
        "http://[::1",
        "http://example.org:port/",
        "http://example.org:70000/",
        "http://127.0.0%2e1/",
        "http://%31%32%37.0.0.1/",
        "http://who@localhos%74:80/",
        "http://example.org\\@127.0.0.1/",
        "http://127.0.0.1\\@example.org/",
        "http://exa mple.org/",
        "",
    ],
)
def test_what_is_no_web_address(address: str) -> None:
    with pytest.raises(ItemError) as caught:
        check_address(address, allow_private=True)
    assert caught.value.reason is Reason.REFUSED_ADDRESS


def test_private_addresses_where_they_are_allowed() -> None:
    for address in ("http://127.0.0.1/a", "http://[fe80::1%25eth0]/a", "http://a%40b:c@localhost/"):
        assert check_address(address, allow_private=True) == address


@given(st.integers(0, 2**32 - 1))
def test_every_way_to_write_an_ipv4_address_is_judged_alike(number: int) -> None:
    dotted = str(ipaddress.IPv4Address(number))
    public = is_public(dotted)
    assert is_public(f"::ffff:{dotted}") == public
    for host in (dotted, str(number), hex(number)):
        try:
            check_address(f"http://{host}/")
            allowed = True
        except ItemError:
            allowed = False
        assert allowed == public


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        assert check_address(text) == text
    except ItemError as error:
        reason = error.reason
    else:
        reason = Reason.REFUSED_ADDRESS
    assert reason is Reason.REFUSED_ADDRESS

"""Who is answered, with what, and what a stranger, or a stranger's page, cannot get."""

import asyncio
import re
import shlex
import time
from collections.abc import Callable
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.testclient import TestClient
from starlette.types import Message

from howto.errors import UsageError
from howto.library import Library
from howto.serve.app import create_app
from howto.serve.endpoints import read_body
from howto.serve.guard import COOKIE, HEADERS
from howto.serve.settings import Settings, check_address, without_places

from .conftest import TOKEN, id_of, ready

# The Host header


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8737", "127.0.0.1", "localhost:8737", "LOCALHOST", "localhost:9000"]
)
def test_its_own_names_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8737",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evil.example@127.0.0.1.x",
        "10.0.0.7:8737",  # an address, but not the one that was connected to
        "[::1",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/library", "/static/app.js", "/media/videos/x"])
def test_other_names_are_not(client: TestClient, host: str, path: str) -> None:
    reply = client.get(path, headers={"host": host})
    assert reply.status_code == 421
    assert "another name" in reply.json()["error"]["message"]


def test_a_name_can_be_allowed(videos: Path, serving: Callable[..., TestClient]) -> None:
    client = serving(videos, names=frozenset({"videos.example"}))
    assert client.get("/", headers={"host": "videos.example"}).status_code == 200
    assert client.get("/", headers={"host": "localhost"}).status_code == 421


# Pages of other sites


@pytest.mark.parametrize(
    ("method", "path", "headers", "allowed"),
    [
        ("GET", "/api/library", {"sec-fetch-site": "same-origin"}, True),
        ("GET", "/api/library", {"sec-fetch-site": "none"}, True),
        ("GET", "/api/library", {"sec-fetch-site": "cross-site"}, False),
        ("GET", "/api/library", {"sec-fetch-site": "same-site"}, False),  # another port
        ("GET", "/", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, True),
        ("GET", "/", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, False),
        (
            "GET",
            "/api/library",
            {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
            False,
        ),
        ("POST", "/api/refresh", {"origin": "http://evil.example"}, False),
        ("POST", "/api/refresh", {"origin": "null"}, False),
        ("POST", "/api/refresh", {"origin": "http://["}, False),
        ("POST", "/api/refresh", {"origin": "http://127.0.0.1:8737"}, True),
        ("POST", "/api/refresh", {"origin": "http://127.0.0.1:9999"}, False),
        ("POST", "/api/refresh", {}, True),  # a program
    ],
)
def test_pages_of_other_sites_get_nothing(
    client: TestClient, method: str, path: str, headers: dict[str, str], allowed: bool
) -> None:
    reply = client.request(method, path, headers={"host": "127.0.0.1:8737", **headers})
    assert (reply.status_code == 200) is allowed
    assert allowed or reply.status_code == 403


# Headers


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/library", 200),
        ("/static/app.js", 200),
        ("/static/none.js", 404),
        ("/api/library", 200),
        ("/api/search", 400),
        ("/api/none", 404),
        ("/media/videos/none", 404),
    ],
)
def test_every_reply_forbids_framing_sniffing_and_scripts_of_others(
    client: TestClient, path: str, status: int
) -> None:
    reply = client.get(path)
    assert reply.status_code == status
    for name, value in HEADERS.items():
        assert reply.headers[name] == value
    policy = reply.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_also_where_there_is_a_bug(videos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Library) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("howto.serve.api.ways_to_search", fail)
    app = create_app(Settings(videos), refresh=False)
    with TestClient(app, "http://127.0.0.1:8737", raise_server_exceptions=False) as client:
        reply = client.get("/api/ways")
    assert (reply.status_code, "a bug in howto" in reply.json()["error"]["message"]) == (500, True)
    assert HEADERS.items() <= dict(reply.headers).items()


def test_also_where_the_guard_itself_has_one(videos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr("howto.serve.guard._is_from_elsewhere", fail)
    app = create_app(Settings(videos), refresh=False)
    with TestClient(app, "http://127.0.0.1:8737", raise_server_exceptions=False) as client:
        reply = client.get("/")
    assert (reply.status_code, "a bug in howto" in reply.json()["error"]["message"]) == (500, True)
    assert HEADERS.items() <= dict(reply.headers).items()


def test_the_page_names_nothing_outside_this_server(client: TestClient) -> None:
    page = client.get("/").text
    assert "//" not in page.replace("<!doctype", "")
    assert "<script>" not in page
    assert "style=" not in page
    assert not re.search(r"\son\w+=", page)


# The token


@pytest.fixture
def guarded(videos: Path, serving: Callable[..., TestClient]) -> TestClient:
    client = serving(videos, token=TOKEN)
    del client.headers["authorization"]
    return client


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": "Bearer"},
        {"cookie": f"{COOKIE}=wrong"},
        {"cookie": f"other={TOKEN}"},
        {"cookie": f"a={COOKIE}={TOKEN}"},
        {"cookie": f"x{COOKIE}={TOKEN}"},
        {"cookie": f"{COOKIE}=\xfc".encode("latin-1")},
        {"cookie": "a=b; ;;\x7f=="},
    ],
)
def test_without_the_token_there_is_nothing(
    guarded: TestClient, headers: dict[str, str | bytes]
) -> None:
    for path in ("/api/library", "/media/videos/x", "/static/app.js", "/api/openapi.json"):
        assert guarded.get(path, headers=headers).status_code == 401
    assert guarded.post("/api/refresh", headers=headers).status_code == 401
    page = guarded.get("/", headers=headers)
    assert (page.status_code, page.headers["location"]) == (303, "/login")


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {TOKEN}"},
        {"authorization": f"bearer  {TOKEN}"},
        {"cookie": f"{COOKIE}={TOKEN}"},
        {"cookie": f"other=1; {COOKIE}={TOKEN}"},
        {"cookie": f'prefs={{"theme":"dark"}}; {COOKIE}={TOKEN}'},
        {"cookie": f"a; {COOKIE}={TOKEN}; b"},
        {"cookie": f"a=b c;{COOKIE}={TOKEN}"},
        {"cookie": f"gr\xfc\xdfe=1; {COOKIE}={TOKEN}".encode("latin-1")},
        {"cookie": f"{COOKIE}=of another path; {COOKIE}={TOKEN}"},
    ],
)
def test_with_it_there_is_everything(guarded: TestClient, headers: dict[str, str | bytes]) -> None:
    assert guarded.get("/api/library", headers=headers).status_code == 200
    assert guarded.get("/", headers=headers).status_code == 200


def test_logging_in_gives_a_cookie_that_no_script_reads(guarded: TestClient) -> None:
    assert guarded.get("/login").status_code == 200
    assert guarded.post("/login", data={"token": "wrong"}).status_code == 401
    reply = guarded.post("/login", data={"token": TOKEN})
    assert (reply.status_code, reply.headers["location"]) == (303, "/")
    cookie = SimpleCookie(reply.headers["set-cookie"])[COOKIE]
    assert cookie["httponly"]
    assert cookie["samesite"] == "strict"
    assert guarded.get("/api/library").status_code == 200


@pytest.mark.parametrize(
    "wanted",
    ["/?q=fold+a+shirt&play=ab%2Fc&from=3.5", "/library", "/library?play=x", "/?q=gr%C3%BCn"],
)
def test_a_link_leads_on_after_the_token(guarded: TestClient, wanted: str) -> None:
    asked = guarded.get(wanted)
    assert asked.status_code == 303
    login = asked.headers["location"]
    assert login.startswith("/login?next=%2F")
    assert guarded.get(login).status_code == 200
    assert guarded.post(login, data={"token": "wrong"}).status_code == 401
    reply = guarded.post(login, data={"token": TOKEN})
    assert (reply.status_code, reply.headers["location"]) == (303, wanted)


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "/\t/evil.example/",
        "\t//evil.example/",
        " //evil.example/",
        "javascript:alert(1)",
        "library",
        "/login",
        "/login?next=/",
        "/api/library",
        "/media/videos/x",
        "/?q=a\r\nset-cookie: a=b",
        "/?q=gr\xfcn",
        "//",
        "",
    ],
)
def test_nowhere_else(guarded: TestClient, wanted: str) -> None:
    reply = guarded.post("/login", params={"next": wanted}, data={"token": TOKEN})
    assert (reply.status_code, reply.headers["location"]) == (303, "/")
    assert "set-cookie: a" not in str(reply.headers)


def test_a_token_of_signs_comes_back_from_the_cookie(
    videos: Path, serving: Callable[..., TestClient]
) -> None:
    token = 'a;b,c"d\\e=f{g}-and-more'
    client = serving(videos, token=token)
    del client.headers["authorization"]
    assert client.post("/login", data={"token": token}).status_code == 303
    assert client.get("/api/library").status_code == 200


def test_a_long_form_is_refused(guarded: TestClient) -> None:
    assert guarded.post("/login", data={"token": "x" * 5000}).status_code == 413


@pytest.mark.parametrize("path", ["/login", "/api/videos/any/steps"])
def test_a_body_that_is_longer_than_it_says_is_refused(guarded: TestClient, path: str) -> None:
    headers = {"content-length": "10", "authorization": f"Bearer {TOKEN}"}
    reply = guarded.post(path, content=b"x" * 70_000, headers=headers)
    assert reply.status_code == 413


def test_a_body_of_two_lengths_is_refused(client: TestClient) -> None:
    headers = {"content-length": "2", "transfer-encoding": "chunked"}
    reply = client.post("/api/videos/any/steps", content=b"{}", headers=headers)
    assert (reply.status_code, "two lengths" in reply.text) == (400, True)


def test_a_body_without_end_is_not_read_on() -> None:
    asked = 0

    async def receive() -> Message:
        nonlocal asked
        asked += 1
        assert asked < 10
        return {"type": "http.request", "body": b"x" * 1000, "more_body": True}

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    with pytest.raises(HTTPException, match="more than 4096 bytes"):
        asyncio.run(read_body(request, 4096))
    assert asked == 5


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "videos.example"])
def test_another_address_needs_a_token(host: str) -> None:
    with pytest.raises(UsageError, match="can be reached by others"):
        check_address(host, "")
    assert "0.0.0.0" not in check_address(host, TOKEN)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.1.2.3"])
def test_this_machine_needs_none(host: str) -> None:
    assert "localhost" in check_address(host, "")
    with pytest.raises(UsageError, match="5 characters"):
        check_address(host, "short")


@pytest.mark.parametrize(
    "token",
    [
        "schlüssel-für-alle-videos",
        "\N{KEY}" * 20,
        " " * 20,
        "two words of a token",
        "a" * 16 + "\n",
    ],
)
def test_a_token_that_no_header_can_hold_is_refused(token: str) -> None:
    with pytest.raises(UsageError, match="of ASCII, without spaces"):
        check_address("0.0.0.0", token)


# Files


@pytest.mark.parametrize(
    "path",
    [
        "/media/videos/../../../etc/passwd",
        "/media/videos/..%2f..%2f..%2fetc%2fpasswd",
        "/media/videos/%2e%2e/%2e%2e/etc/passwd",
        "/media/videos//etc/passwd",
        "/media/videos/shirts/fold.mp4",
        "/media/videos/shirts%2ffold.mp4",
        "/media/videos/%00",
        "/media/pieces/..%2f..%2fetc%2fpasswd",
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/static//etc/passwd",
        "/api/videos/..%2f/captions.vtt",
    ],
)
def test_no_path_of_a_client_leads_to_a_file(client: TestClient, path: str) -> None:
    reply = client.get(path)
    assert reply.status_code == 404
    assert "root:" not in reply.text
    assert "create_app" not in reply.text


def test_a_link_out_of_the_library_is_not_served(
    videos: Path,
    tmp_path: Path,
    small_video: Callable[..., Path],
    serving: Callable[..., TestClient],
) -> None:
    elsewhere = small_video(tmp_path / "elsewhere.mp4", shade=77)
    (videos / "link-out.mp4").symlink_to(elsewhere)
    client = serving(videos)
    video_id = id_of(client, "link-out.mp4")
    for path in (f"/media/videos/{video_id}", f"/api/videos/{video_id}/picture.jpg"):
        reply = client.get(path)
        assert reply.status_code == 422
        assert "--follow-links" in reply.json()["error"]["message"]
    following = serving(videos, follow_links=True)
    assert following.get(f"/media/videos/{video_id}").content == elsewhere.read_bytes()


def test_a_link_inside_the_library_is(videos: Path, serving: Callable[..., TestClient]) -> None:
    (videos / "again.mp4").symlink_to(videos / "pancakes.mp4")
    client = serving(videos)
    video_id = id_of(client, "again.mp4")  # of two paths the first by name
    reply = client.get(f"/media/videos/{video_id}")
    assert reply.content == (videos / "pancakes.mp4").read_bytes()


def test_of_a_folder_inside_nothing_around_it_is_shown(
    videos: Path, serving: Callable[..., TestClient]
) -> None:
    whole = serving(videos)
    outside, inside = id_of(whole, "pancakes.mp4"), id_of(whole, "fold.mp4")
    part = serving(videos / "shirts")
    assert [one["name"] for one in part.get("/api/videos").json()["videos"]] == ["fold.mp4"]
    assert part.get("/api/search", params={"q": "batter"}).json()["hits"] == []
    for rest in ("", "/moments", "/captions.vtt", "/picture.jpg"):
        assert part.get(f"/api/videos/{outside}{rest}").status_code == 404
        assert part.get(f"/api/videos/{inside}{rest}").status_code == 200
    assert part.get(f"/media/videos/{outside}").status_code == 404
    assert part.get(f"/media/videos/{inside}").status_code == 200
    named = part.get("/api/library").json()["skipped"]
    assert named == []  # silent.mp4 lies outside


def test_nothing_says_where_the_folder_lies(client: TestClient, videos: Path) -> None:
    (videos / "broken.mp4").write_bytes(b"no video at all")
    client.post("/api/refresh")
    ready(client)
    video_id = id_of(client, "fold.mp4")
    notes = client.get("/api/search", params={"q": "shirt"}).json()["notes"]
    assert any("howto status videos says why" in note for note in notes)
    for path in ("/api/search?q=shirt", "/api/library", "/api/videos", f"/api/videos/{video_id}"):
        assert str(videos.parent) not in client.get(path).text


@pytest.mark.parametrize("name", ["videos", "my videos", "mother's videos"])
@pytest.mark.parametrize("inside", ["", "shirts"])
def test_an_error_names_folders_without_their_place(tmp_path: Path, name: str, inside: str) -> None:
    root = tmp_path / name
    (root / "shirts").mkdir(parents=True)
    with Library.open(root) as library:
        state = library.state
    settings = Settings(root / inside)
    for folder in (root, root / inside, state):
        said = f"howto extract {shlex.quote(str(folder))} or {folder}: not /elsewhere/{name}"
        told = without_places(settings, said)
        assert str(tmp_path) not in told
        short = f"{name}/.howto" if folder == state else folder.name
        assert told == f"howto extract {shlex.quote(short)} or {short}: not /elsewhere/{name}"


def test_so_does_what_is_kept_elsewhere(videos: Path, tmp_path: Path) -> None:
    with Library.open(videos, tmp_path / "kept" / "state"):
        pass
    settings = Settings(videos, tmp_path / "kept" / "state")
    said = f"{videos / 'a.mp4'}: {tmp_path / 'kept' / 'state' / 'library.db'} cannot be written"
    assert without_places(settings, said) == "videos/a.mp4: state/library.db cannot be written"


# Ranges


@pytest.fixture
def file(videos: Path) -> bytes:
    return (videos / "shirts" / "fold.mp4").read_bytes()


@pytest.fixture
def address(client: TestClient) -> str:
    return f"/media/videos/{id_of(client, 'fold.mp4')}"


def test_the_whole_file_is_the_file(client: TestClient, address: str, file: bytes) -> None:
    reply = client.get(address)
    assert reply.content == file
    assert reply.headers["accept-ranges"] == "bytes"
    assert reply.headers["content-type"] == "video/mp4"
    assert int(client.head(address).headers["content-length"]) == len(file)


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=0-99", slice(0, 100)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-100", slice(-100, None)),
        ("bytes=-99999999999", slice(0, None)),
        ("bytes=10-99999999999999999999", slice(10, None)),
    ],
)
def test_a_range_is_that_part(
    client: TestClient, address: str, file: bytes, asked: str, part: slice
) -> None:
    reply = client.get(address, headers={"range": asked})
    assert reply.status_code == 206
    assert reply.content == file[part]
    first, last, _ = part.indices(len(file))
    assert reply.headers["content-range"] == f"bytes {first}-{last - 1}/{len(file)}"


def test_a_range_of_the_file_as_it_was_is_the_whole_file_as_it_is(
    client: TestClient, address: str, file: bytes
) -> None:
    tag = client.get(address).headers["etag"]
    same = client.get(address, headers={"range": "bytes=5-9", "if-range": tag})
    assert (same.status_code, same.content) == (206, file[5:10])
    other = client.get(address, headers={"range": "bytes=5-9", "if-range": '"another"'})
    assert (other.status_code, other.content) == (200, file)


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=9-5", "seconds=1-2", "bytes=x-y", "?"])
def test_a_range_of_no_sense_gets_no_file(client: TestClient, address: str, asked: str) -> None:
    reply = client.get(address, headers={"range": asked})
    assert reply.status_code in (400, 416)
    assert len(reply.content) < 200


def test_very_many_ranges_are_not_worked_through(
    client: TestClient, address: str, file: bytes
) -> None:
    asked = "bytes=" + ",".join("0-" for _ in range(5000))
    before = time.process_time()
    reply = client.get(address, headers={"range": asked})
    assert reply.content == file
    assert time.process_time() - before < 20

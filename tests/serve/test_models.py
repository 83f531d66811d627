"""What a library with a run can do besides: find by pictures, by likeness, and place steps."""

from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from howto.joint.locate import locate_steps
from howto.joint.opened import open_model
from howto.library import Library
from howto.search.like import parse_like
from howto.search.search import ask

from ..joint.conftest import RUN, drawn  # noqa: F401 a fixture
from .conftest import id_of
from .test_api import matches

STEPS = ["lay the shirt flat", "fold the left sleeve in", "fold the bottom up"]


@pytest.fixture
def client(drawn: Path, serving: Callable[..., TestClient]) -> TestClient:  # noqa: F811
    return serving(drawn)


def test_what_there_is_can_be_asked_for(client: TestClient) -> None:
    ways = client.get("/api/ways").json()
    assert {"words", "pictures"} <= set(ways["signals"])
    assert ways["models"] == [RUN]


def test_pictures_rank_where_they_are_asked_for(client: TestClient) -> None:
    found = client.get("/api/search", params={"q": "shirt", "by": "pictures"}).json()
    assert (found["signals"], found["model"]) == (["pictures"], RUN)
    assert all(hit["ranks"].keys() == {"pictures"} for hit in found["hits"])
    document = client.get("/api/openapi.json").json()
    schemas = document["components"]["schemas"]
    matches(found, schemas["Answer"], schemas)


def test_what_looks_like_a_moment_is_what_howto_search_finds(
    client: TestClient,
    drawn: Path,  # noqa: F811
) -> None:
    name = "make-pancakes-01.mp4"
    found = client.get("/api/search", params={"like": id_of(client, name), "at": 12, "top": 5})
    with Library.open(drawn) as library:
        like = parse_like(f"{drawn / name}@12")
        wanted = ask(library, None, drawn, top=5, like=like)
    assert wanted.hits
    assert [(hit["video"], hit["start"]) for hit in found.json()["hits"]] == [
        (hit.video, pytest.approx(hit.start, abs=0.001)) for hit in wanted.hits
    ]
    assert client.get("/api/search", params={"like": "none", "at": 1}).status_code == 404


def test_a_client_cannot_have_a_file_looked_at(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"")
    for name in (str(tmp_path / "secret.png"), "/etc/passwd", "make-pancakes-01.mp4"):
        assert client.get("/api/search", params={"like": name}).status_code == 404


def test_filters_leave_videos_out(client: TestClient) -> None:
    for said in ({"video": "fold*"}, {"longer_than": 1}, {"after": "2000"}):
        assert client.get("/api/search", params={"q": "shirt", **said}).json()["hits"]
    for said in ({"video": "none*"}, {"longer_than": 9999}, {"after": "2999"}):
        assert client.get("/api/search", params={"q": "shirt", **said}).json()["hits"] == []
    reply = client.get("/api/search", params={"q": "shirt", "after": "yesterday"})
    assert (reply.status_code, "is no date" in reply.text) == (400, True)


def test_steps_are_where_howto_locate_puts_them(
    client: TestClient,
    drawn: Path,  # noqa: F811
) -> None:
    video_id = id_of(client, "fold-a-shirt-01.mp4")
    found = client.post(f"/api/videos/{video_id}/steps", json={"steps": [*STEPS, " "]}).json()
    with Library.open(drawn) as library:
        wanted = locate_steps(library, open_model(library, RUN), video_id, STEPS)
    assert [step["second"] for step in found["steps"]] == [one.second for one in wanted.steps]
    assert [step["text"] for step in found["steps"]] == STEPS
    assert (found["model"], found["ordered"]) == (RUN, True)
    assert found["seconds"] == wanted.scores.shape[1]
    for step, row in zip(found["steps"], wanted.scores, strict=True):
        assert len(step["strip"]) == min(160, len(row))
        assert (min(step["strip"]), max(step["strip"])) == (0, 1)
    schemas = client.get("/api/openapi.json").json()["components"]["schemas"]
    matches(found, schemas["Steps"], schemas)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b'{"steps": "lay it flat"}', 400),
        (b'{"steps": [1]}', 400),
        (b'{"steps": [" "]}', 400),
        (b'{"steps": ["' + b"w" * 301 + b'"]}', 400),
        (b'{"steps": [' + b'"a",' * 100 + b'"a"]}', 400),
        (b" " * 70_000, 400),
        (b'{"steps": [' + b'"a",' * 98 + b'"a"]}', 422),  # more steps than seconds
    ],
)
def test_lists_that_are_none_are_refused(client: TestClient, body: bytes, status: int) -> None:
    video_id = id_of(client, "fold-a-shirt-01.mp4")
    reply = client.post(f"/api/videos/{video_id}/steps", content=body)
    assert reply.status_code == status
    assert reply.json()["error"]["message"]


def test_a_model_that_is_not_there_is_named(client: TestClient) -> None:
    video_id = id_of(client, "fold-a-shirt-01.mp4")
    reply = client.post(f"/api/videos/{video_id}/steps?model=none", json={"steps": STEPS})
    assert (reply.status_code, "no model named 'none'" in reply.text) == (400, True)

"""What the API answers, on small real videos, and that its description tells the truth."""

import asyncio
import json
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.routing import Route
from starlette.testclient import TestClient

from howto.errors import ItemError, Reason
from howto.media.encode import H264Writer
from howto.media.probe import probe
from howto.serve.api import Api, endpoints
from howto.serve.endpoints import MOST_CHARACTERS, read
from howto.serve.settings import Settings
from howto.transcribe.vtt import read_vtt

from .conftest import PATIENCE, id_of, ready


def matches(value: Any, schema: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Assert that a value is as an OpenAPI schema says, and holds nothing that it does not say."""
    if "$ref" in schema:
        matches(value, schemas[schema["$ref"].rpartition("/")[2]], schemas)
        return
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    python = {
        "string": str, "number": (int, float), "integer": int, "boolean": bool,
        "object": dict, "array": list, "null": type(None),
    }  # fmt: skip
    assert any(isinstance(value, python[kind]) for kind in kinds), (value, schema)
    if isinstance(value, list):
        for one in value:
            matches(one, schema["items"], schemas)
    elif isinstance(value, dict):
        if "properties" in schema:
            assert set(schema["required"]) <= set(value) <= set(schema["properties"])
        for name, one in value.items():
            inner = schema.get("properties", {}).get(name) or schema["additionalProperties"]
            matches(one, inner, schemas)
    elif isinstance(value, int | float) and "number" in [*kinds, "integer"]:
        assert schema.get("minimum", value) <= value <= schema.get("maximum", value)


def test_a_search_names_the_moment_and_its_video(client: TestClient) -> None:
    found = client.get("/api/search", params={"q": "fold the shirt"}).json()
    best = found["hits"][0]
    assert best["video"] == "shirts/fold.mp4"
    assert (best["start"], best["end"]) == (7, 10)  # the line before says only one of the words
    assert "fold the left sleeve" in best["caption"]
    assert best["video_id"] == id_of(client, "fold.mp4")
    assert found["signals"] == ["words"]
    assert found["terms"] == ["fold", "shirt"]


def test_every_reply_is_as_described(client: TestClient, videos: Path) -> None:
    (videos / "broken.mp4").write_bytes(b"no video at all")
    (videos / "pancakes.srt").write_text("1\n00:00:02,000 --> 00:00:05,000\nPour\n\n2\nnever\nx\n")
    client.post("/api/refresh")
    ready(client)
    document = client.get("/api/openapi.json").json()
    schemas = document["components"]["schemas"]
    values = {
        "{video_id}": id_of(client, "fold.mp4"),
        "{name}": "none.mp4",
    }
    checked = set()
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            content = said["responses"]["200"]["content"]
            schema = content.get("application/json", {}).get("schema", {})
            if "$ref" not in schema or "requestBody" in said:
                continue
            address = re.sub(r"\{\w+\}", lambda found: values[found[0]], path)
            given = {"q": "shirt", "start": 1, "end": 2}
            wanted = {one["name"] for one in said["parameters"] if one["in"] == "query"}
            reply = client.request(
                method, address, params={name: given[name] for name in wanted & given.keys()}
            )
            assert reply.status_code == 200, reply.text
            matches(reply.json(), schema, schemas)
            checked.add(schema["$ref"].rpartition("/")[2])
    assert checked >= {
        "Answer",
        "Library",
        "Videos",
        "Video",
        "Moments",
        "Piece",
        "Indexing",
        "Ways",
    }


def test_the_description_names_every_route_and_no_other(client: TestClient) -> None:
    document = client.get("/api/openapi.json").json()
    described = {
        (path, method.upper()) for path, methods in document["paths"].items() for method in methods
    }
    routed = {
        (route.path, method)
        for route in client.app.app.routes  # type: ignore[attr-defined]
        if isinstance(route, Route) and route.path.startswith(("/api/", "/media/"))
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert described == routed


def test_a_failed_file_is_named_with_its_reason(client: TestClient, videos: Path) -> None:
    (videos / "broken.mp4").write_bytes(b"no video at all")
    client.post("/api/refresh")
    ready(client)
    found = client.get("/api/library").json()
    assert found["failures"][0]["reason"] == "not_media"
    assert found["failures"][0]["videos"][0]["name"] == "broken.mp4"
    assert {"stage": "probe", "ok": 3, "skipped": 0, "failed": 1} in found["stages"]
    broken = id_of(client, "broken.mp4")
    reply = client.get(f"/api/videos/{broken}/picture.jpg")
    assert reply.status_code == 422
    assert reply.json()["error"]["reason"] == "not_media"


def test_the_caption_track_is_the_narration(client: TestClient) -> None:
    reply = client.get(f"/api/videos/{id_of(client, 'fold.mp4')}/captions.vtt")
    assert reply.headers["content-type"].startswith("text/vtt")
    lines = read_vtt(reply.text).lines
    assert [(line.start, line.end, line.text) for line in lines][:2] == [
        (1, 4, "hello and welcome back"),
        (4, 7, "lay the shirt flat on the table"),
    ]


def test_the_captions_of_a_piece_count_from_its_start(client: TestClient) -> None:
    address = f"/api/videos/{id_of(client, 'fold.mp4')}/captions.vtt"
    lines = read_vtt(client.get(address, params={"start": 5, "end": 8}).text).lines
    assert [(line.start, line.end) for line in lines] == [(0, 2), (2, 3)]


def test_a_video_without_narration_has_an_empty_track(client: TestClient) -> None:
    reply = client.get(f"/api/videos/{id_of(client, 'silent.mp4')}/captions.vtt")
    assert reply.text == "WEBVTT\n"


def test_moments_around_one_are_in_order_of_time(client: TestClient) -> None:
    address = f"/api/videos/{id_of(client, 'fold.mp4')}/moments"
    found = client.get(address, params={"around": 7.5, "count": 1}).json()["moments"]
    assert [one["caption"] for one in found][:2] == [
        "lay the shirt flat on the table",
        "now fold the left sleeve of the shirt",
    ]
    assert len(found) == 3
    assert [one["start"] for one in found] == sorted(one["start"] for one in found)


def test_a_picture_is_the_one_shown_at_that_second(
    tmp_path: Path, serving: Callable[..., TestClient]
) -> None:
    with H264Writer(tmp_path / "grey.mp4", width=64, height=32, frame_rate=Fraction(2)) as writer:
        for shade in range(20):  # half a second each
            writer.write_frame(np.full((32, 64, 3), 10 * shade, np.uint8))
    client = serving(tmp_path)
    address = f"/api/videos/{id_of(client, 'grey.mp4')}/picture.jpg"
    for seconds, shade in ((0, 0), (4.2, 80), (9.9, 190)):
        reply = client.get(address, params={"at": seconds, "side": 90})
        picture = cv2.imdecode(np.frombuffer(reply.content, np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape == (90, 180, 3)
        assert abs(picture.mean() - shade) < 6


def test_a_piece_is_that_stretch_encoded_for_browsers(client: TestClient, tmp_path: Path) -> None:
    address = f"/api/videos/{id_of(client, 'silent.mp4')}/piece"
    made = client.post(address, params={"start": 3, "end": 8}).json()
    reply = client.get(made["address"])
    assert reply.headers["content-type"] == "video/mp4"
    piece = tmp_path / "piece.mp4"
    piece.write_bytes(reply.content)
    info = probe(piece)
    assert info.video_codec == "h264"
    assert info.duration == pytest.approx(5, abs=0.2)
    assert client.get("/media/pieces/another.mp4").status_code == 404


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("/api/search", "the query is empty"),
        ("/api/search?q=+", "the query is empty"),
        ("/api/search?q=a&q=b", "2 times"),
        ("/api/search?q=a&colour=red", "no parameter is named 'colour'"),
        ("/api/search?q=a&by=smell", "cannot search by smell"),
        ("/api/search?q=a&top=0", "top is 0"),
        ("/api/search?q=a&top=many", "top is no number"),
        (f"/api/search?q=a&top={'9' * 400}", "top is inf; it lies between 1 and 200"),
        ("/api/search?q=a&min_score=nan", "min_score is nan"),
        ("/api/search?q=a&min_score=2", "min_score is 2"),
        (f"/api/search?q={'a' * (MOST_CHARACTERS + 1)}", "501 characters; 500 are allowed"),
        ("/api/videos?count=100000", "count is 100000"),
        ("/api/videos/{id}/picture.jpg?at=inf", "at is inf"),
        ("/api/videos/{id}/picture.jpg?side=100000", "side is 100000"),
        (f"/api/videos/{{id}}/picture.jpg?side=-{'9' * 400}", "side is -inf"),
        ("/api/videos/{id}/captions.vtt?start=-1", "start is -1"),
    ],
)
def test_what_means_nothing_is_refused_in_words(
    client: TestClient, address: str, says: str
) -> None:
    reply = client.get(address.replace("{id}", id_of(client, "fold.mp4")))
    assert reply.status_code == 400
    assert says in reply.json()["error"]["message"]


@pytest.mark.parametrize(("start", "end"), [(5, 5), (5, 4), (0, 61)])
def test_a_piece_of_no_sense_is_refused(client: TestClient, start: float, end: float) -> None:
    address = f"/api/videos/{id_of(client, 'fold.mp4')}/piece"
    reply = client.post(address, params={"start": start, "end": end})
    assert reply.status_code == 400
    assert "it lasts up to 60 s" in reply.json()["error"]["message"]


def test_a_file_that_went_away_is_said_to_be(client: TestClient, videos: Path) -> None:
    video_id = id_of(client, "pancakes.mp4")
    (videos / "pancakes.mp4").unlink()
    reply = client.get(f"/media/videos/{video_id}")
    assert reply.status_code == 422
    assert reply.json()["error"]["reason"] == "unreadable_file"


def test_a_new_file_is_found_when_asked_for(
    client: TestClient, videos: Path, small_video: Callable[..., Path]
) -> None:
    small_video(videos / "iron.mp4", shade=9)
    (videos / "iron.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:03.000\nheat the iron slowly\n")
    assert client.get("/api/search", params={"q": "slowly"}).json()["hits"] == []
    assert client.post("/api/refresh").json()["state"] == "looking"
    ready(client)
    assert client.get("/api/indexing").json()["new"] == 1
    hits = client.get("/api/search", params={"q": "slowly"}).json()["hits"]
    assert [hit["video"] for hit in hits] == ["iron.mp4"]


def test_vectors_that_fail_half_way_are_not_waited_for(
    videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: Any) -> None:
        *_, on_progress = given
        on_progress(1, 6, "fold.mp4")
        raise ItemError(Reason.UNREADABLE_FILE, "fold.mp4")

    monkeypatch.setattr("howto.serve.api.by_words_alone", lambda *_: False)
    monkeypatch.setattr("howto.serve.api.answer", fail)

    async def told_after_the_error() -> str:
        api = Api(Settings(videos))
        search = next(one for one in endpoints(api) if one.path == "/api/search")
        asked = Request({"type": "http", "query_string": b"q=shirt", "headers": []})
        async with asyncio.timeout(PATIENCE), api.running(refresh=False):
            with pytest.raises(ItemError):
                await search.answer(read(search, asked))
            async for event in (await api.events(read(search, asked))).body_iterator:
                if event.startswith("event: building"):
                    return event
        raise AssertionError("the stream ended")

    told = json.loads(asyncio.run(told_after_the_error()).partition("data: ")[2])
    assert (told["run"], told["done"], told["total"]) == (1, 6, 6)


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(query=st.text(max_size=60))
def test_any_text_is_answered_or_refused(client: TestClient, query: str) -> None:
    reply = client.get("/api/search", params={"q": query})
    assert reply.status_code == (200 if query.strip() else 400)
    assert reply.json()

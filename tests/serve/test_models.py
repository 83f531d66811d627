"""What a library with a run can do besides: find by pictures, by likeness, and place steps."""

import gc
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from weakref import WeakSet

import pytest
from starlette.testclient import TestClient

from howto.joint.checkpoints import model_file
from howto.joint.locate import locate_steps
from howto.joint.opened import open_model
from howto.joint.run import OpenedRun
from howto.library import Library
from howto.search.like import parse_like
from howto.search.query import Query
from howto.search.search import ask
from howto.search.signals import Opened
from howto.serve.steps import StepFinder

from ..joint.conftest import RUN, drawn  # noqa: F401 a fixture
from .conftest import PATIENCE, Live, id_of, told
from .test_api import matches

STEPS = ["lay the shirt flat", "fold the left sleeve in", "fold the bottom up"]
BODY = {"steps": STEPS}


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
        (b" " * 70_000, 413),
        (b"[" * 60_000, 400),
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


def test_a_client_names_no_folder_as_a_model(
    client: TestClient,
    drawn: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    runs = drawn / ".howto" / "runs"
    foreign = shutil.copytree(runs / RUN, tmp_path / "foreign")
    here = os.path.relpath(runs / RUN)
    video_id = id_of(client, "fold-a-shirt-01.mp4")
    indexes = {path.name for path in (drawn / ".howto" / "index").glob("*")}
    said = []
    for name in (
        str(foreign),
        str(tmp_path / "none"),
        here,
        f"./{here}",
        "~nouser/x",
        "~",
        "..\\x",
    ):
        asked = {"q": "shirt", "by": "pictures", "model": name}
        search = client.get("/api/search", params=asked)
        steps = client.post(f"/api/videos/{video_id}/steps", params={"model": name}, json=BODY)
        for reply in (search, steps):
            assert reply.status_code == 400
            said.append(reply.json()["error"]["message"].replace(repr(name), ""))
    assert len(set(said)) == 1  # of what there is elsewhere nothing is told
    assert {path.name for path in (drawn / ".howto" / "index").glob("*")} == indexes


def test_only_the_models_used_last_are_kept_open(
    drawn: Path,  # noqa: F811
    tmp_path: Path,
    models_held: Callable[[], list[str]],
) -> None:
    folder = shutil.copytree(drawn, tmp_path / "drawn")
    names = [f"run-{number}" for number in range(5)]
    for name in names:
        shutil.copytree(folder / ".howto" / "runs" / RUN, folder / ".howto" / "runs" / name)
    opened = Opened()
    finder = StepFinder(opened.models)
    with Library.open(folder) as library:
        video_id = next(iter(library.video_id(number) for number in library.paths()))
        for name in names[:3]:
            opened.pictures(library, opened.models.opened(library, name))
        assert models_held() == names[:3]
        for name in names[3:]:
            finder.find(library, video_id, STEPS, name, ordered=True)
        assert models_held() == names[2:]
        train_again(folder / ".howto" / "runs" / names[2])
        finder.find(library, video_id, STEPS, names[2], ordered=True)
        assert models_held() == names[2:]


@pytest.fixture
def models_held(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Tells whose models something still holds, once for each."""
    made: WeakSet[OpenedRun] = WeakSet()
    make = OpenedRun.__init__

    def noted(self: OpenedRun, *arguments: Any, **settings: Any) -> None:
        make(self, *arguments, **settings)
        made.add(self)

    def held() -> list[str]:
        gc.collect()
        return sorted(one.name for one in made)

    monkeypatch.setattr(OpenedRun, "__init__", noted)
    return held


def test_a_run_that_was_trained_again_answers_at_once(
    drawn: Path,  # noqa: F811
    tmp_path: Path,
    serving: Callable[..., TestClient],
) -> None:
    folder = shutil.copytree(drawn, tmp_path / "drawn")
    client = serving(folder)
    video_id = id_of(client, "fold-a-shirt-01.mp4")

    def asked() -> tuple[Any, Any]:
        steps = client.post(f"/api/videos/{video_id}/steps", json=BODY).json()["steps"]
        found = client.get("/api/search", params={"q": "shirt", "by": "pictures"}).json()
        return [one["score"] for one in steps], found["notes"]

    before, _ = asked()
    train_again(folder / ".howto" / "runs" / RUN)
    with Library.open(folder) as library:
        wanted = locate_steps(library, open_model(library, RUN), video_id, STEPS)
        ask(library, Query.parse("shirt"), folder, by=["pictures"])  # makes the index anew
    after, notes = asked()
    assert after != before
    assert after == [pytest.approx(one.score, abs=1e-3) for one in wanted.steps]
    assert not any("made anew" in note for note in notes)  # nobody fights for it


def test_an_error_says_not_where_the_folder_lies(
    drawn: Path,  # noqa: F811
    tmp_path: Path,
    small_video: Callable[..., Path],
    serving: Callable[..., TestClient],
) -> None:
    folder = shutil.copytree(drawn, tmp_path / "drawn")
    small_video(folder / "new.mp4", shade=7)  # without features
    client = serving(folder)
    reply = client.post(f"/api/videos/{id_of(client, 'new.mp4')}/steps", json=BODY)
    assert reply.status_code == 422
    assert "howto extract drawn --backbone" in reply.json()["error"]["message"]
    assert str(tmp_path) not in reply.text


def train_again(run: Path) -> None:
    """The same run as if by other videos: its weights are others."""
    from safetensors.numpy import load_file, save_file

    model = model_file(run)
    save_file({name: one * 0.5 for name, one in load_file(model).items()}, model)
    model.with_suffix(".sha256").unlink(missing_ok=True)


def test_how_far_the_vectors_are_is_told(
    drawn: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    folder = shutil.copytree(drawn, tmp_path / "drawn")
    shutil.rmtree(folder / ".howto" / "index", ignore_errors=True)
    search = "/api/search?q=shirt&by=pictures"
    with Live(folder) as server:
        with urlopen(f"{server.address}/api/events", timeout=PATIENCE) as stream:
            with urlopen(server.address + search, timeout=PATIENCE) as reply:
                assert json.load(reply)["hits"]
            ended = told(stream, "building", lambda now: now["done"] == now["total"])
        with urlopen(f"{server.address}/api/indexing", timeout=PATIENCE) as reply:
            assert json.load(reply)["building"] == ended
    assert (ended["run"], ended["total"]) == (1, 6)

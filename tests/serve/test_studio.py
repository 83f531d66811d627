"""Who waits for what, where pictures and pieces are made."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.testclient import TestClient
from starlette.types import Message

from howto.serve.endpoints import while_there
from howto.serve.readers import Busy
from howto.serve.studio import Studio

from .conftest import PATIENCE, id_of


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, small_video: Callable[..., Path]) -> Path:
    return small_video(tmp_path_factory.mktemp("studio") / "small.mp4", shade=5)


def in_studio(question: Callable[[Studio], Any]) -> Any:
    """What a coroutine gives that is given a studio."""

    async def asked() -> Any:
        studio = Studio()
        try:
            return await question(studio)
        finally:
            studio.stop()

    return asyncio.run(asked())


def a_piece(studio: Studio, path: Path, end: float) -> "asyncio.Task[Any]":
    return asyncio.create_task(studio.piece(path, "1", 0, end))


def endless(*_: object) -> None:
    time.sleep(3600)


def test_pictures_do_not_wait_for_pieces(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("howto.serve.studio._cut", endless)

    async def beside(studio: Studio) -> bytes:
        pieces = [a_piece(studio, path, 4 + number) for number in range(3)]
        await asyncio.sleep(0.1)
        picture = await asyncio.wait_for(studio.picture(path, "1", 1.0, 90), PATIENCE)
        assert not any(one.done() for one in pieces)
        for one in pieces:
            one.cancel()
        return picture

    assert in_studio(beside).startswith(b"\xff\xd8")


def test_processes_that_are_killed_while_idle_are_replaced(path: Path) -> None:
    """As the system does that is short of memory."""

    async def after_it(studio: Studio) -> list[bytes]:
        others = set(active_children())
        pictures = [await studio.picture(path, "1", 1.0, 90)]
        for child in set(active_children()) - others:
            os.kill(child.pid or 0, signal.SIGKILL)
            child.join()
        both = (studio.picture(path, "1", seconds, 90) for seconds in (2.0, 3.0))
        pictures += await asyncio.wait_for(asyncio.gather(*both), PATIENCE)
        return pictures

    assert [picture[:2] for picture in in_studio(after_it)] == [b"\xff\xd8"] * 3


def test_what_is_stopped_starts_nothing_anew(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("howto.serve.studio._cut", endless)

    async def stopped(studio: Studio) -> list[Any]:
        others = set(active_children())
        piece = a_piece(studio, path, 3)
        while not set(active_children()) - others:
            await asyncio.sleep(0.01)
        studio.stop()
        (ended,) = await asyncio.wait_for(asyncio.gather(piece, return_exceptions=True), PATIENCE)
        return [type(ended), set(active_children()) - others]

    assert in_studio(stopped) == [asyncio.CancelledError, set()]


def test_few_pieces_wait_and_one_more_is_told_when_to_come_again(path: Path) -> None:
    async def refused(studio: Studio) -> list[Any]:
        pieces = [a_piece(studio, path, 2 + number / 4) for number in range(6)]
        return await asyncio.gather(*pieces, return_exceptions=True)

    made = in_studio(refused)
    assert [type(one) for one in made[4:]] == [Busy, Busy]
    assert [one.name.endswith(".mp4") for one in made[:4]] == [True] * 4
    assert made[4].ask_after > 1


def test_a_piece_that_nobody_waits_for_is_not_begun(path: Path) -> None:
    async def left(studio: Studio) -> tuple[bool, list[str]]:
        first, second, third, last = (a_piece(studio, path, end) for end in (3, 4, 5, 6))
        again = a_piece(studio, path, 5)
        await asyncio.sleep(0.1)
        for one in (second, third):  # of the third there is one who waits still
            one.cancel()
        made = [(await one).path for one in (first, again, last)]
        names = sorted(one.name for one in made[0].parent.iterdir())
        return second.cancelled(), [names == sorted(one.name for one in made)]

    assert in_studio(left) == (True, [True])


def test_a_piece_that_is_begun_is_kept_for_who_asks_again(path: Path) -> None:
    async def again(studio: Studio) -> bool:
        first = a_piece(studio, path, 3)
        await asyncio.sleep(0.1)
        first.cancel()
        await a_piece(studio, path, 4)  # comes after it
        piece = await a_piece(studio, path, 3)
        return len(list(piece.path.parent.iterdir())) == 2

    assert in_studio(again)


def test_work_ends_when_its_client_goes() -> None:
    async def left(messages: list[Message]) -> list[str]:
        said: list[str] = []

        async def work() -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                said.append("ended")

        async def receive() -> Message:
            return messages.pop(0)

        request = Request({"type": "http", "method": "POST", "headers": []}, receive)
        with pytest.raises(ClientDisconnect):
            await while_there(request, work())
        await asyncio.sleep(0)
        return said

    body: Message = {"type": "http.request", "body": b"", "more_body": False}
    assert asyncio.run(left([body, {"type": "http.disconnect"}])) == ["ended"]


def test_too_many_pieces_are_refused_with_the_time_to_ask_again(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise Busy(20)

    monkeypatch.setattr(Studio, "piece", refuse)
    reply = client.post(f"/api/videos/{id_of(client, 'fold.mp4')}/piece?start=0&end=2")
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "20")

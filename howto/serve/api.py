"""The API: what can be asked of a server, and how it answers."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse, Response, StreamingResponse

from howto.errors import UsageError
from howto.library import Library
from howto.search.signals import AUTO, Opened
from howto.serve.answers import Search, answer, by_words_alone, ways_to_search
from howto.serve.endpoints import Call, Endpoint, Parameter, read_body, while_there
from howto.serve.indexing import Building, Indexer, Indexing
from howto.serve.openapi import description
from howto.serve.overview import overview
from howto.serve.readers import Busy, Readers
from howto.serve.settings import Settings
from howto.serve.steps import MOST_BYTES, StepFinder, read_list
from howto.serve.studio import LONGEST_PIECE, Studio
from howto.serve.videos import (
    MEDIA_TYPES,
    NoVideo,
    as_json,
    captions,
    listed,
    moments_around,
    place_of,
)

__all__ = ["Api", "endpoints", "json_response"]

_READERS = 4
_MOST_LISTENERS = 64
_LOOK_AGAIN = 0.25  # seconds between two looks at how far indexing is
_STILL_THERE = 15.0  # seconds after which a listener is told that nothing happened
_LATEST = 30 * 24 * 3600.0  # seconds; no video is longer
_SIDES = (90, 720)  # pixels
_A_DAY = {"cache-control": "private, max-age=86400"}
_ASK_AGAIN = {"cache-control": "private, no-cache"}


def json_response(value: Any, status: int = 200) -> Response:
    """A reply of JSON. In ASCII, so that a file name of any bytes comes through whole."""
    return Response(json.dumps(value), status, media_type="application/json")


class Api:
    """What answers: the library's readers, the models, the studio for pictures, the indexer."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.readers = Readers(settings, _READERS)
        # Models are large, and serve one thread: a search by words never waits for them.
        self.models = Readers(settings, 1)
        self._opened = Opened()
        self._finder = StepFinder(self._opened.models)
        self.studio = Studio()
        self.indexer = Indexer(settings)
        self._building = Building()  # replaced as a whole, by the one thread of the models
        self._listeners = 0

    @asynccontextmanager
    async def running(self, *, refresh: bool) -> AsyncIterator[None]:
        """Once, from the server's start to its end.

        Args:
            refresh: begin to bring the library up to date.
        """
        self.readers.start()
        self.models.start()
        if refresh:
            self.indexer.begin()
        try:
            yield
        finally:
            self.indexer.stop()
            self.readers.stop()
            self.models.stop()
            self.studio.stop()

    async def search(self, call: Call) -> Response:
        search = Search.of(call.values)
        if await self.readers.ask(lambda library: by_words_alone(library, search)):
            found = await self.readers.ask(lambda library: answer(library, self.settings, search))
        else:
            found = await self.models.ask(lambda library: self._answer_by_models(library, search))
        return json_response(found)

    def _answer_by_models(self, library: Library, search: Search) -> dict[str, Any]:
        try:
            return answer(library, self.settings, search, self._opened, self._built_one_more)
        finally:  # what failed half-way is not waited for any more
            self._building = self._building.ended()

    def _built_one_more(self, done: int, total: int, item: str) -> None:
        self._building = self._building.and_then(done, total, item)

    async def ways(self, _: Call) -> Response:
        return json_response(await self.readers.ask(ways_to_search))

    async def steps(self, call: Call) -> Response:
        steps = read_list(await read_body(call.request, MOST_BYTES))
        name, ordered = call.values["model"], call.values["ordered"]

        def question(library: Library) -> dict[str, Any]:
            place = place_of(library, self.settings, call.values["video_id"])
            return self._finder.find(library, place.video_id, steps, name, ordered=ordered)

        return json_response(await self.models.ask(question))

    async def library(self, _: Call) -> Response:
        return json_response(
            await self.readers.ask(lambda library: overview(library, self.settings))
        )

    async def videos(self, call: Call) -> Response:
        offset, count = call.values["offset"], call.values["count"]
        return json_response(
            await self.readers.ask(lambda library: listed(library, self.settings, offset, count))
        )

    async def video(self, call: Call) -> Response:
        def question(library: Library) -> dict[str, Any]:
            place = place_of(library, self.settings, call.values["video_id"])
            return as_json(library, place)

        return json_response(await self.readers.ask(question))

    async def moments(self, call: Call) -> Response:
        def question(library: Library) -> list[dict[str, Any]]:
            place = place_of(library, self.settings, call.values["video_id"])
            return moments_around(library, place, call.values["around"], call.values["count"])

        return json_response({"moments": await self.readers.ask(question)})

    async def captions(self, call: Call) -> Response:
        def question(library: Library) -> str:
            place = place_of(library, self.settings, call.values["video_id"])
            times = (call.values[name] for name in ("start", "end", "shift"))
            return captions(library, place, *times)

        return Response(await self.readers.ask(question), media_type="text/vtt")

    async def _file(self, call: Call) -> tuple[Path, os.stat_result]:
        """The file of the video that is named."""

        def question(library: Library) -> tuple[Path, os.stat_result]:
            place = place_of(library, self.settings, call.values["video_id"])
            return place.checked(library, self.settings)

        return await self.readers.ask(question)

    async def picture(self, call: Call) -> Response:
        path, status = await self._file(call)
        making = self.studio.picture(path, _version(status), call.values["at"], call.values["side"])
        jpeg = await while_there(call.request, making)
        return Response(jpeg, media_type="image/jpeg", headers=_A_DAY)

    async def media(self, call: Call) -> Response:
        path, status = await self._file(call)
        kind = MEDIA_TYPES.get(path.suffix.lower(), "application/octet-stream")
        return FileResponse(path, media_type=kind, stat_result=status, headers=_ASK_AGAIN)

    async def make_piece(self, call: Call) -> Response:
        start, end = call.values["start"], call.values["end"]
        if not 0 < end - start <= LONGEST_PIECE:
            raise UsageError(
                f"a piece of {end - start:g} s; it lasts up to {LONGEST_PIECE:g} s, and not nothing"
            )
        path, status = await self._file(call)
        making = self.studio.piece(path, _version(status), start, end)
        piece = await while_there(call.request, making)
        return json_response({"address": f"/media/pieces/{piece.name}", "start": start, "end": end})

    async def piece(self, call: Call) -> Response:
        piece = self.studio.made(call.values["name"])
        if piece is None:
            raise NoVideo
        return FileResponse(piece.path, media_type="video/mp4", headers=_ASK_AGAIN)

    async def indexing(self, _: Call) -> Response:
        return json_response({**self.indexer.now.as_json(), "building": self._building.as_json()})

    async def refresh(self, call: Call) -> Response:
        self.indexer.begin(retry=call.values["retry"])
        return await self.indexing(call)

    async def events(self, _: Call) -> Response:
        if self._listeners >= _MOST_LISTENERS:
            raise Busy
        return StreamingResponse(self._told(), media_type="text/event-stream")

    async def _told(self) -> AsyncIterator[str]:
        """How far indexing is, and the vectors that a search waits for, whenever that changes, as
        server-sent events."""
        self._listeners += 1
        clock = asyncio.get_running_loop().time
        try:
            told: dict[str, Indexing | Building] = {"building": Building()}
            silent_since = clock()
            while True:
                now: dict[str, Indexing | Building]
                now = {"indexing": self.indexer.now, "building": self._building}
                if changed := {name: one for name, one in now.items() if told.get(name) != one}:
                    told, silent_since = now, clock()
                    for name, one in changed.items():
                        yield f"event: {name}\ndata: {json.dumps(one.as_json())}\n\n"
                elif clock() - silent_since > _STILL_THERE:
                    silent_since = clock()
                    yield ": still there\n\n"
                await asyncio.sleep(_LOOK_AGAIN)
        finally:
            self._listeners -= 1

    async def describe(self, _: Call) -> Response:
        return json_response(description(endpoints(self)))


def _version(status: os.stat_result) -> str:
    return f"{status.st_size}-{status.st_mtime_ns}"


_VIDEO = Parameter("video_id", "string", "id of a video, from a hit or a list", in_path=True)
_MODEL = "a run or a ready model; howto models lists them"


def _number(
    name: str, what: str, default: float | None, low: float = 0.0, high: float = _LATEST
) -> Parameter:
    return Parameter(name, "number", what, default, low, high)


def _integer(name: str, what: str, default: int, low: int, high: int) -> Parameter:
    return Parameter(name, "integer", what, default, low, high)


def endpoints(api: Api) -> tuple[Endpoint, ...]:
    """Everything that can be asked."""
    piece = (_number("start", "seconds", None), _number("end", "seconds", None))
    return (
        Endpoint(
            "GET",
            "/api/search",
            api.search,
            "Find moments, best first.",
            (
                Parameter("q", "string", "what to look for", ""),
                _integer("top", "the most moments wanted", 20, 1, 200),
                Parameter("by", "string", "signals with commas; '': the best there are", ""),
                Parameter("model", "string", f"whose pictures rank: auto, none, {_MODEL}", AUTO),
                _number("min_score", "leave out moments that score lower", 0.0, 0.0, 1.0),
                Parameter("without", "string", "words of what is not wanted", ""),
                Parameter("video", "string", "only videos whose path matches this glob", ""),
                Parameter("after", "string", "only videos from this day on: 2024-05-31", ""),
                _number("longer_than", "only videos longer than so many seconds", 0.0),
                Parameter("like", "string", "id of a video that hits should look like", ""),
                _number("at", "the second of it", 0.0),
            ),
            schema="Answer",
        ),
        Endpoint(
            "GET",
            "/api/ways",
            api.ways,
            "The signals and models that can be asked for.",
            schema="Ways",
        ),
        Endpoint(
            "GET",
            "/api/library",
            api.library,
            "How much there is, how each stage ended, and why not better.",
            schema="Library",
        ),
        Endpoint(
            "GET",
            "/api/videos",
            api.videos,
            "The videos by path, some at a time.",
            (
                _integer("offset", "how many to leave out", 0, 0, 1 << 31),
                _integer("count", "the most wanted", 100, 1, 500),
            ),
            schema="Videos",
        ),
        Endpoint(
            "GET",
            "/api/videos/{video_id}",
            api.video,
            "What is known of one video.",
            (_VIDEO,),
            schema="Video",
        ),
        Endpoint(
            "GET",
            "/api/videos/{video_id}/moments",
            api.moments,
            "What is said around a moment, in order of time.",
            (
                _VIDEO,
                _number("around", "seconds", 0.0),
                _integer("count", "how many before it, and after", 6, 1, 50),
            ),
            schema="Moments",
        ),
        Endpoint(
            "GET",
            "/api/videos/{video_id}/captions.vtt",
            api.captions,
            "What is said, as a caption track; of a piece, with times that count from its start.",
            (
                _VIDEO,
                _number("start", "seconds", 0.0),
                _number("end", "seconds", _LATEST),
                _number("shift", "seconds by which all is later", 0.0),
            ),
            gives="text/vtt",
        ),
        Endpoint(
            "GET",
            "/api/videos/{video_id}/picture.jpg",
            api.picture,
            "The picture shown at a moment.",
            (
                _VIDEO,
                _number("at", "seconds", 0.0),
                _integer("side", "the shorter side in pixels", 180, *_SIDES),
            ),
            gives="image/jpeg",
        ),
        Endpoint(
            "POST",
            "/api/videos/{video_id}/steps",
            api.steps,
            "Find the second that shows each step of a list.",
            (
                _VIDEO,
                Parameter("model", "string", f"{_MODEL}; '': the one that there is", ""),
                Parameter("ordered", "boolean", "keep the steps in their order", True),
            ),
            schema="Steps",
            body="StepList",
        ),
        Endpoint(
            "POST",
            "/api/videos/{video_id}/piece",
            api.make_piece,
            "Encode a stretch anew, to the frame, for browsers that cannot play the file.",
            (_VIDEO, *piece),
            schema="Piece",
        ),
        Endpoint(
            "GET",
            "/media/videos/{video_id}",
            api.media,
            "The file as it is; ranges can be asked for.",
            (_VIDEO,),
            gives="video/*",
        ),
        Endpoint(
            "GET",
            "/media/pieces/{name}",
            api.piece,
            "A piece that was made; the latest are kept.",
            (Parameter("name", "string", "from the reply that made it", in_path=True),),
            gives="video/mp4",
        ),
        Endpoint(
            "GET",
            "/api/indexing",
            api.indexing,
            "How far looking at new files is, and (`building`) the vectors a search waits for.",
            schema="Indexing",
        ),
        Endpoint(
            "GET",
            "/api/events",
            api.events,
            "The same whenever it changes, as server-sent events named `indexing` and `building`.",
            gives="text/event-stream",
        ),
        Endpoint(
            "POST",
            "/api/refresh",
            api.refresh,
            "Look at new, changed and removed files, unless that is going on.",
            (Parameter("retry", "boolean", "look again at files that failed", False),),
            schema="Indexing",
        ),
        Endpoint("GET", "/api/openapi.json", api.describe, "This description."),
    )

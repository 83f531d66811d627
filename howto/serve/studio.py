"""Pictures and pieces of videos, made in processes of their own.

A decoder that crashes or hangs on a file costs that picture and not the server.
"""

import asyncio
import hashlib
import multiprocessing
import signal
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from howto.errors import MediaError, Reason
from howto.serve.readers import Busy

if TYPE_CHECKING:
    from pebble import ProcessPool

__all__ = ["LONGEST_PIECE", "Piece", "Studio"]

LONGEST_PIECE = 60.0  # seconds; encoding one takes about as long as it lasts on a slow machine
_WORKERS = 2
_MOST_WAITING = 200
_PICTURE_SECONDS = 30
_PIECE_SECONDS = 300
_PICTURES_BYTES = 32 << 20
_MOST_PIECES = 24
_JPEG_QUALITY = 82


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a video, encoded as H.264 and AAC in .mp4, which every browser plays."""

    name: str
    path: Path


class Studio:
    """Makes pictures and pieces, each once however many ask for it, and keeps the latest."""

    def __init__(self) -> None:
        self._folder: TemporaryDirectory[str] | None = None
        self._pool: ProcessPool | None = None
        self._making: dict[str, asyncio.Task[Any]] = {}
        self._pictures: OrderedDict[str, bytes] = OrderedDict()
        self._pieces: OrderedDict[str, Piece] = OrderedDict()

    def stop(self) -> None:
        """End the worker processes, and delete the pieces."""
        if self._pool is not None:
            self._pool.stop()  # type: ignore[no-untyped-call]
            self._pool.join()
        if self._folder is not None:
            self._folder.cleanup()

    async def picture(self, path: Path, version: str, seconds: float, short_side: int) -> bytes:
        """The picture shown at a moment, as JPEG.

        Args:
            version: changes when the file does.

        Raises:
            MediaError: it cannot be decoded.
            Busy: too many wait already.
        """
        key = _key(path, version, f"{seconds:.2f}", short_side)
        if key in self._pictures:
            self._pictures.move_to_end(key)
            return self._pictures[key]
        arguments = (path, seconds, short_side)
        picture: bytes = await self._once(key, _picture, arguments, _PICTURE_SECONDS)
        self._pictures[key] = picture
        while sum(map(len, self._pictures.values())) > _PICTURES_BYTES:
            self._pictures.popitem(last=False)
        return picture

    async def piece(self, path: Path, version: str, start: float, end: float) -> Piece:
        """A stretch of a video, encoded anew, to the frame.

        Raises:
            MediaError, Busy: as `picture`.
        """
        key = _key(path, version, f"{start:.3f}", f"{end:.3f}")
        if key not in self._pieces:
            if self._folder is None:
                self._folder = TemporaryDirectory(prefix="howto-serve-")
            out = Path(self._folder.name) / f"{key}.mp4"
            await self._once(key, _cut, (path, start, end, out), _PIECE_SECONDS)
            self._pieces[key] = Piece(out.name, out)
            while len(self._pieces) > _MOST_PIECES:
                _, oldest = self._pieces.popitem(last=False)
                oldest.path.unlink(missing_ok=True)
        self._pieces.move_to_end(key)
        return self._pieces[key]

    def made(self, name: str) -> Piece | None:
        """A piece that was made, by its name, or None."""
        return self._pieces.get(name.removesuffix(".mp4"))

    async def _once(
        self, key: str, function: Callable[..., Any], arguments: tuple[Any, ...], seconds: float
    ) -> Any:
        task = self._making.get(key)
        if task is None:
            if len(self._making) >= _MOST_WAITING:
                raise Busy
            task = asyncio.create_task(self._run(function, arguments, seconds))
            self._making[key] = task
            task.add_done_callback(partial(self._made, key))
        # Others may wait for the same: whoever goes away takes nothing with them.
        return await asyncio.shield(task)

    def _made(self, key: str, task: "asyncio.Task[Any]") -> None:
        del self._making[key]
        if not task.cancelled():
            task.exception()  # seen, also where nobody waits for it any more

    async def _run(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], seconds: float
    ) -> Any:
        from pebble import ProcessExpired, ProcessPool

        if self._pool is None:
            self._pool = ProcessPool(
                max_workers=_WORKERS,
                context=multiprocessing.get_context("spawn"),
                initializer=_leave_interrupts_to_the_server,
            )
        future = self._pool.schedule(function, args=arguments, timeout=seconds)
        try:
            return await asyncio.wrap_future(future)
        except ProcessExpired as error:
            raise MediaError(Reason.DECODER_CRASHED) from error
        except TimeoutError as error:
            raise MediaError(Reason.TIME_LIMIT) from error


def _key(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def _leave_interrupts_to_the_server() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _picture(path: Path, seconds: float, short_side: int) -> bytes:
    import cv2

    from howto.media.frames import frame_at

    picture = cv2.cvtColor(frame_at(path, seconds, short_side), cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return encoded.tobytes()


def _cut(path: Path, start: float, end: float, out: Path) -> None:
    from howto.media.cut import cut

    cut(path, start, end, out, exact=True)

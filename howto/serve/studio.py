"""Pictures and pieces of videos, made in processes of their own.

A decoder that crashes or hangs on a file costs that picture and not the server.
"""

import asyncio
import hashlib
import multiprocessing
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

from howto.errors import MediaError, Reason
from howto.run import interrupts
from howto.serve.readers import Busy

if TYPE_CHECKING:
    from howto.run.pool import Pool

__all__ = ["LONGEST_PIECE", "Piece", "Studio"]

Made = TypeVar("Made")

LONGEST_PIECE = 60.0  # seconds; encoding one takes about as long as it lasts on a slow machine
_PICTURE_SECONDS = 30
_PIECE_SECONDS = 300
_MOST_PICTURES_WAITING = 200
_MOST_PIECES_WAITING = 3  # the last of them waits minutes already
_ASK_FOR_PIECES_AFTER = 20  # seconds
_PICTURES_BYTES = 32 << 20
_MOST_PIECES = 24
_JPEG_QUALITY = 82
_LOOK_SECONDS = 1.0
_MOST_TRIES = 3


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a video, encoded as H.264 and AAC in .mp4, which every browser plays."""

    name: str
    path: Path


class Studio:
    """Makes pictures and pieces, each once however many ask for it, and keeps the latest.

    A piece takes as long as hundreds of pictures: each kind has workers of its own.
    """

    def __init__(self) -> None:
        self._folder: TemporaryDirectory[str] | None = None
        self._for_pictures = _Workers(2, _PICTURE_SECONDS, _MOST_PICTURES_WAITING)
        self._for_pieces = _Workers(1, _PIECE_SECONDS, _MOST_PIECES_WAITING, _ASK_FOR_PIECES_AFTER)
        self._pictures: OrderedDict[str, bytes] = OrderedDict()
        self._pieces: OrderedDict[str, Piece] = OrderedDict()

    def stop(self) -> None:
        """End the worker processes, and delete the pieces."""
        self._for_pictures.stop()
        self._for_pieces.stop()
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
        make = partial(_picture, path, seconds, short_side)
        picture: bytes = await self._for_pictures.once(key, make, partial(self._keep_picture, key))
        return picture

    def _keep_picture(self, key: str, picture: bytes) -> None:
        self._pictures[key] = picture
        while sum(map(len, self._pictures.values())) > _PICTURES_BYTES:
            self._pictures.popitem(last=False)

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
            make = partial(_cut, path, start, end, out)
            await self._for_pieces.once(key, make, partial(self._keep_piece, key))
        self._pieces.move_to_end(key)
        return self._pieces[key]

    def _keep_piece(self, key: str, path: Path) -> None:
        self._pieces[key] = Piece(path.name, path)
        while len(self._pieces) > _MOST_PIECES:
            _, oldest = self._pieces.popitem(last=False)
            oldest.path.unlink(missing_ok=True)

    def made(self, name: str) -> Piece | None:
        """A piece that was made, by its name, or None."""
        return self._pieces.get(name.removesuffix(".mp4"))


@dataclass(slots=True)
class _Making:
    """One thing under way.

    Attributes:
        waiting: how many wait for it.
        begun: a process is at it.
    """

    task: asyncio.Task[Any]
    waiting: int = 0
    begun: bool = False


class _Workers:
    """Processes that make one thing each at a time.

    Args:
        processes: how many.
        seconds: the longest that one thing may take.
        most_waiting: how many things may wait for a process; one more is refused.
        ask_after: seconds after which who was refused may ask again.
    """

    def __init__(self, processes: int, seconds: int, most_waiting: int, ask_after: int = 1) -> None:
        self._processes, self._seconds = processes, seconds
        self._most, self._ask_after = processes + most_waiting, ask_after
        self._free = asyncio.Semaphore(processes)
        self._making: dict[str, _Making] = {}
        self._pool: Pool | None = None
        self._stopped = False

    def stop(self) -> None:
        """End the processes, for good."""
        self._stopped = True
        self._end()

    def _end(self) -> None:
        if self._pool is not None:
            self._pool.stop()  # type: ignore[no-untyped-call]
            self._pool.join()
            self._pool = None

    async def once(
        self, key: str, function: Callable[[], Made], keep: Callable[[Made], None]
    ) -> Made:
        """What a function gives, called in one of the processes; once for all who wait for the
        same key. What nobody waits for any more is not begun.

        Args:
            keep: given what was made, also where everybody went away meanwhile.

        Raises:
            MediaError: the process ended, or took too long.
            Busy: too many wait already.
        """
        making = self._making.get(key)
        if making is None:
            if len(self._making) >= self._most:
                raise Busy(self._ask_after)
            making = _Making(asyncio.create_task(self._run(key, function, keep)))
            self._making[key] = making
            making.task.add_done_callback(_seen)
        making.waiting += 1
        try:
            # Others may wait for the same: whoever goes away takes nothing with them.
            made: Made = await asyncio.shield(making.task)
            return made
        finally:
            making.waiting -= 1
            if not (making.waiting or making.begun):
                making.task.cancel()
                self._forget(key, making)

    def _forget(self, key: str, making: _Making) -> None:
        if self._making.get(key) is making:
            del self._making[key]

    async def _run(
        self, key: str, function: Callable[[], Made], keep: Callable[[Made], None]
    ) -> Made:
        making = self._making[key]
        async with self._free:
            making.begun = True
            try:
                made = await self._call(function)
                keep(made)
                return made
            finally:
                self._forget(key, making)

    async def _call(self, function: Callable[[], Made]) -> Made:
        from pebble import ProcessExpired

        for _ in range(_MOST_TRIES):
            if self._stopped:
                raise asyncio.CancelledError
            pool = self._running_pool()
            try:
                return await self._called(pool, function)
            except BrokenProcessPool:
                continue  # lost with a process that was idle when it ended
            except ProcessExpired as error:
                raise MediaError(Reason.DECODER_CRASHED) from error
            except TimeoutError as error:
                raise MediaError(Reason.TIME_LIMIT) from error
        raise MediaError(Reason.DECODER_CRASHED)

    def _running_pool(self) -> "Pool":
        from howto.run.pool import Pool

        if self._pool is not None and not self._pool.active:
            self._end()
        if self._pool is None:
            self._pool = Pool(
                max_workers=self._processes,
                context=multiprocessing.get_context("spawn"),
                initializer=interrupts.leave_to_the_driver,
            )
        return self._pool

    async def _called(self, pool: "Pool", function: Callable[[], Made]) -> Made:
        """What a process gives.

        Raises:
            BrokenProcessPool: none of the pool's will do anything any more.
        """
        try:
            with interrupts.held_back():  # the first one starts the workers
                future = pool.schedule(function, timeout=self._seconds)
        except RuntimeError as error:
            raise BrokenProcessPool(str(error)) from error
        made: asyncio.Future[Made] = asyncio.wrap_future(future)
        try:
            # Of a pool that is lost some never end.
            while not made.done() and pool.active:
                await asyncio.wait([made], timeout=_LOOK_SECONDS)
            if not made.done():
                raise BrokenProcessPool
            return made.result()
        finally:
            made.cancel()


def _seen(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()  # also where nobody waits for it any more


def _key(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def _picture(path: Path, seconds: float, short_side: int) -> bytes:
    import cv2

    from howto.media.frames import frame_at

    picture = cv2.cvtColor(frame_at(path, seconds, short_side), cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return encoded.tobytes()


def _cut(path: Path, start: float, end: float, out: Path) -> Path:
    from howto.media.cut import cut

    cut(path, start, end, out, exact=True)
    return out

"""Spare the decoder the frames that nobody wants and that no other frame is built from.

Needs PyAV. At 1 frame a second most frames are never shown; those of them that are not reference
frames need not be decoded at all. The frames that are wanted come out the same, bit for bit.
"""

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext

__all__ = ["CODECS", "sparing"]

CODECS = frozenset({"h264"})
"""Decoders whose `skip_frame` was found to leave all other frames as they are."""

_NEIGHBOURS = 32
"""Packets looked at around one to find the frame shown next; H.264 reorders 16 at most."""


def sparing(
    packets: "Iterator[Packet[Stream]]",
    context: VideoCodecContext,
    is_wanted: Callable[[int, int], bool],
    problems: Sequence[str],
) -> "Iterator[Packet[Stream]]":
    """Pass packets on, telling the decoder before each whether it may leave it out.

    It may, where the packet's frame is not wanted. It may not at the start and at the end of the
    stream, after a packet without a time, and once there is a problem: then the frame before a
    broken one is wanted after all.

    Args:
        context: its `skip_frame` is set before each packet that is yielded, so each must be decoded
            before the next is taken.
        is_wanted: given the time stamps of a frame and of the one shown next.
        problems: what could not be read so far.
    """
    if context.name not in CODECS:
        yield from packets
        return
    window = _Window()
    ahead: deque[Packet[Stream]] = deque()
    for packet in packets:
        ahead.append(packet)
        window.enter(packet.pts)
        if len(ahead) > _NEIGHBOURS:
            first = ahead.popleft()
            following = None if problems else window.leave(first.pts)
            spare = following is not None and not is_wanted(first.pts or 0, following)
            context.skip_frame = "NONREF" if spare else "DEFAULT"
            yield first
    context.skip_frame = "DEFAULT"
    yield from ahead


class _Window:
    """The time stamps of the packets around one, sorted."""

    def __init__(self) -> None:
        self._sorted: list[int] = []
        self._behind: deque[int] = deque()
        self._all_timed = True

    def enter(self, stamp: int | None) -> None:
        if stamp is None:
            self._all_timed = False
        else:
            insort(self._sorted, stamp)

    def leave(self, stamp: int | None) -> int | None:
        """The stamp of the frame shown after this one; None where it is not known."""
        if stamp is None or not self._all_timed:
            return None
        place = bisect_right(self._sorted, stamp)
        following = self._sorted[place] if place < len(self._sorted) else None
        self._behind.append(stamp)
        if len(self._behind) <= _NEIGHBOURS:
            return None
        del self._sorted[bisect_left(self._sorted, self._behind.popleft())]
        return following

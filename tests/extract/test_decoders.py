"""Decoder processes: the frames of one pass; and what dies, hangs or is killed costs one video."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from howto.errors import Reason, UsageError
from howto.extract.decoding import Again, Decoders, Ended, Frames, ToDecode
from howto.media.decode import decode
from howto.records import FrameSpec

SMALL = FrameSpec(Fraction(2), 16)
LARGE = FrameSpec(Fraction(2), 160)  # a chunk of it does not fit into a pipe


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders(2) as opened:
        yield opened


def frames_of(events: list[object], spec: int) -> np.ndarray:
    chunks = [one.chunk for one in events if isinstance(one, Frames) and one.chunk.spec == spec]
    return np.concatenate([chunk.frames for chunk in chunks])


def collected(run) -> dict[int, list[object]]:
    events: dict[int, list[object]] = {}
    for task, event in run:
        events.setdefault(task.key, []).append(event)
    return events


def test_frames_are_those_of_one_pass_in_this_process(decoders, tmp_path, grey_video) -> None:
    paths = [grey_video(tmp_path / f"{k}.mp4", 15 + k, start=k) for k in range(5)]
    tasks = [ToDecode(k, path, (SMALL, LARGE)) for k, path in enumerate(paths)]
    for key, events in collected(decoders.run(tasks)).items():
        assert isinstance(events[-1], Ended)
        assert events[-1].reason is None
        for spec, wanted in enumerate((SMALL, LARGE)):
            alone = list(decode(paths[key], [wanted]))
            np.testing.assert_array_equal(
                frames_of(events, spec), np.concatenate([chunk.frames for chunk in alone])
            )
            times = [
                e.chunk.times for e in events if isinstance(e, Frames) and e.chunk.spec == spec
            ]
            np.testing.assert_array_equal(
                np.concatenate(times), np.concatenate([chunk.times for chunk in alone])
            )


def test_rotated_video_by_either_protocol(decoders, shared_data) -> None:
    path = shared_data / "videos" / "issue-134-rotate.mp4"
    for sizing in ("displayed", "coded"):
        events = collected(decoders.run([ToDecode(0, path, (SMALL,), sizing)]))[0]
        alone = next(iter(decode(path, [SMALL], sizing=sizing)))
        assert frames_of(events, 0).shape[1:] == alone.frames.shape[1:]


def test_what_cannot_be_decoded_ends_with_its_reason(decoders, tmp_path, grey_video) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no film")
    good = grey_video(tmp_path / "good.mp4", 4)
    paths = [tmp_path / "empty.mp4", tmp_path / "text.mp4", tmp_path / "gone.mp4", good]
    ends = collected(decoders.run(ToDecode(k, path, (SMALL,)) for k, path in enumerate(paths)))
    assert [ends[k][-1].reason for k in range(4)] == [
        Reason.EMPTY_FILE,
        Reason.NOT_MEDIA,
        Reason.UNREADABLE_FILE,
        None,
    ]


def test_a_killed_decoder_is_replaced_and_its_video_tried_again(tmp_path, grey_video) -> None:
    paths = [grey_video(tmp_path / f"{k}.mp4", 60, start=k) for k in range(3)]
    events: dict[int, list[object]] = {}
    with Decoders(1) as decoders:
        killed = False
        run = decoders.run(ToDecode(k, path, (LARGE,)) for k, path in enumerate(paths))
        for task, event in run:
            if isinstance(event, Again):
                events[task.key] = []
            events.setdefault(task.key, []).append(event)
            if task.key == 1 and not killed:
                (process,) = decoders.process_ids
                os.kill(process, signal.SIGKILL)
                killed = True
    for key, path in enumerate(paths):
        assert events[key][-1] == Ended()
        alone = [chunk.frames for chunk in decode(path, [LARGE])]
        np.testing.assert_array_equal(frames_of(events[key], 0), np.concatenate(alone))
    assert isinstance(events[1][0], Again)


def test_a_video_that_ends_its_decoder_twice_is_given_up(tmp_path, grey_video) -> None:
    paths = [grey_video(tmp_path / f"{k}.mp4", 60, start=k) for k in range(3)]
    ends = {}
    with Decoders(1) as decoders:
        stopped = set()
        for task, event in decoders.run(ToDecode(k, p, (LARGE,)) for k, p in enumerate(paths)):
            if isinstance(event, Ended):
                ends[task.key] = event
            elif task.key == 1 and (new := set(decoders.process_ids) - stopped):
                stopped |= new
                os.kill(*new, signal.SIGSEGV)
    assert (ends[0], ends[2]) == (Ended(), Ended())
    assert ends[1] == Ended(Reason.DECODER_CRASHED, "killed by signal 11, twice")


def test_a_decoder_that_hangs_is_ended_by_the_time_limit(tmp_path, grey_video) -> None:
    paths = [grey_video(tmp_path / f"{k}.mp4", 60, start=k) for k in range(2)]
    ends = {}
    with Decoders(1, time_limit=1) as decoders:
        stopped = set()
        for task, event in decoders.run(ToDecode(k, p, (LARGE,)) for k, p in enumerate(paths)):
            if isinstance(event, Ended):
                ends[task.key] = event
            elif task.key == 0 and (new := set(decoders.process_ids) - stopped):
                stopped |= new
                os.kill(*new, signal.SIGSTOP)
    assert ends == {0: Ended(Reason.TIME_LIMIT, "no frame within 1 s, twice"), 1: Ended()}


def test_a_decoder_that_stops_within_a_message_is_ended_too(tmp_path, grey_video) -> None:
    """A frame larger than a pipe: once its first bytes are read, the rest never comes."""
    path = grey_video(tmp_path / "a.mp4", 60, size=320)
    spec = FrameSpec(Fraction(2), 320)
    stopped: set[int] = set()
    number = 0
    with Decoders(1, time_limit=2) as decoders:
        for _, event in decoders.run([ToDecode(0, path, (spec,))]):
            number = number + 1 if isinstance(event, Frames) else 0
            new = set(decoders.process_ids) - stopped
            if number == 3 and new:
                time.sleep(1)  # by now the pipe is full, in the middle of the next message
                stopped |= new
                os.kill(*new, signal.SIGSTOP)
            last = event
    assert last == Ended(Reason.TIME_LIMIT, "no frame within 2 s, twice")


DRIVER = """
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import howto.media.decode
from howto.extract.decoding import Decoders, ToDecode
from howto.records import FrameSpec

PLACE = Path(sys.argv[1])


def hanging(*args, **named):
    (PLACE / "decoding").touch()
    time.sleep(600)
    yield


howto.media.decode.decode = hanging  # in the decoder too, which imports this file again


def tell(decoders):
    while not (PLACE / "decoding").exists():
        time.sleep(0.05)
    print(*decoders.process_ids, flush=True)


if __name__ == "__main__":
    with Decoders(1) as decoders:
        threading.Thread(target=tell, args=(decoders,)).start()
        list(decoders.run([ToDecode(0, PLACE, (FrameSpec(Fraction(2), 16),))]))
"""


def test_a_decoder_that_hangs_ends_with_its_driver(tmp_path: Path) -> None:
    """Killed, the driver cannot end it; and it sends nothing, so no closed pipe tells it."""
    (tmp_path / "driver.py").write_text(DRIVER)
    command = [sys.executable, tmp_path / "driver.py", tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as driver:
        assert driver.stdout is not None
        process = int(driver.stdout.readline())
        assert is_running(process)
        driver.kill()
    try:
        until(lambda: not is_running(process))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def until(is_so) -> None:
    for _ in range(600):
        if is_so():
            return
        time.sleep(0.05)
    pytest.fail("it did not come about within 30 s")


def is_running(process: int) -> bool:
    """Whether a process is there and no zombie, which nobody here may be left to wait for."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("limit", [0, -1, float("inf"), float("nan")])
def test_a_time_limit_is_a_number_of_seconds(limit: float) -> None:
    with pytest.raises(UsageError, match="the time limit is"):
        Decoders(1, time_limit=limit)


def test_a_time_limit_may_be_longer_than_a_system_call_can_wait(tmp_path, grey_video) -> None:
    path = grey_video(tmp_path / "a.mp4", 4)
    with Decoders(1, time_limit=1e12) as decoders:
        assert collected(decoders.run([ToDecode(0, path, (SMALL,))]))[0][-1] == Ended()


def test_a_decoder_that_is_waited_on_for_long_is_not_hanging(
    tmp_path: Path, grey_video, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit runs while this process listens, not while it computes."""
    path = grey_video(tmp_path / "a.mp4", 60)
    with Decoders(1, time_limit=0.5) as decoders:
        slept = False
        for _, event in decoders.run([ToDecode(0, path, (LARGE,))]):
            if not slept:
                time.sleep(1.5)
                slept = True
            last = event
    assert last == Ended()


def test_tasks_are_taken_a_few_at_a_time(decoders, tmp_path, grey_video) -> None:
    path = grey_video(tmp_path / "a.mp4", 30)
    taken = []

    def tasks() -> Iterator[ToDecode]:
        for key in range(50):
            taken.append(key)
            yield ToDecode(key, path, (LARGE,))

    run = decoders.run(tasks())
    next(run)
    run.close()
    assert len(taken) < 8
    assert collected(decoders.run([ToDecode(0, path, (SMALL,))]))[0][-1] == Ended()


def test_no_process_is_left(tmp_path, grey_video) -> None:
    path = grey_video(tmp_path / "a.mp4", 30)
    with Decoders(2) as decoders:
        run = decoders.run([ToDecode(k, path, (LARGE,)) for k in range(4)])
        next(run)
        processes = decoders.process_ids
        assert processes
    assert decoders.process_ids == []
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)

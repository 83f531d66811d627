"""The local engine: an item that crashes or hangs its process costs itself alone."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from itertools import islice
from multiprocessing import active_children
from pathlib import Path
from types import ModuleType

import pytest
from pebble.pool.process import TaskResult, WorkerManager

from howto.errors import HowtoError, MediaError, Reason, UsageError
from howto.run import local
from howto.run.local import LocalPool, run_local

from ..conftest import is_running, until

STRANGE_DECODER = """
import os, signal, time
from howto.errors import MediaError, Reason, UsageError

def work(item):
    if item == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if item == "hang":
        time.sleep(600)
    if item == "bug":
        raise ZeroDivisionError("of a stranger")
    return item.upper()

def leave_a_file(path):
    path.touch()
    return path

def return_error(reason):
    return MediaError(Reason(reason), "told by the worker")

def lets_through(one):
    return one not in signal.pthread_sigmask(signal.SIG_BLOCK, ())

def which_process(_):
    return os.getpid()

def refuse(_):
    raise UsageError("no such model")

def do(step):
    return step()
"""

ODD_ENDS = """
import errno, sys
from howto.errors import HowtoError

class TwoParts(Exception):
    def __init__(self, code, what):
        super().__init__(f"{code}: {what}")

class TwoPartsOfOurs(HowtoError, TwoParts):
    pass

class NoText(Exception):
    def __str__(self):
        sys.exit("no text")

class Unbuildable:
    def __reduce__(self):
        return sys.exit, (3,)

class Late:
    def __reduce__(self):
        return late, ()

def late():
    raise TimeoutError("of the network")

class Unpicklable:
    def __reduce__(self):
        raise ZeroDivisionError("in the way")

def escapes():
    raise TwoParts(3, "odd")

def escapes_as_ours():
    raise TwoPartsOfOurs(3, "odd")

def has_no_text():
    raise NoText

def times_out():
    raise OSError(errno.ETIMEDOUT, "timed out", "film.mp4")

def exits():
    sys.exit(3)

def is_interrupted():
    raise KeyboardInterrupt

def gives_what_cannot_be_sent():
    return Unpicklable()

def gives_what_arrives_late():
    return Late()

def goes_well():
    return "well"
"""

SLOW_TO_LOAD = """
import multiprocessing, time
if multiprocessing.parent_process() is not None:
    time.sleep(600)

def work(item):
    return item
"""


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """Functions that do to their process what a decoder may; a worker imports them by name."""
    folder = tmp_path_factory.mktemp("decoder")
    (folder / "strange_decoder.py").write_text(STRANGE_DECODER)
    (folder / "odd_ends.py").write_text(ODD_ENDS)
    (folder / "slow_to_load.py").write_text(SLOW_TO_LOAD)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield import_module("strange_decoder")


@pytest.fixture(scope="module")
def ends(decoder: ModuleType) -> dict[str, object]:
    items = ["a", "crash", "b", "hang", "c", "bug", "d", "e"]
    return {end.item: end for end in run_local(decoder.work, items, workers=2, time_limit=5)}


@pytest.mark.parametrize(("items", "processes"), [("", 0), ("a", 1), ("ab", 2), ("abcd", 2)])
def test_no_more_processes_start_than_there_are_items(
    decoder: ModuleType, items: str, processes: int
) -> None:
    before = set(active_children())
    ends = run_local(decoder.work, items, workers=2)
    done = [one.result for one in islice(ends, 1)]
    assert len(set(active_children()) - before) == processes
    assert sorted([*done, *(one.result for one in ends)]) == list(items.upper())


def test_every_item_ends_once_and_the_good_ones_well(ends) -> None:
    assert len(ends) == 8
    assert {item: end.result for item, end in ends.items() if end.result} == {
        item: item.upper() for item in "abcde"
    }


@pytest.mark.parametrize(
    ("item", "reason", "said"),
    [
        ("crash", Reason.DECODER_CRASHED, "exit code -11"),
        ("hang", Reason.TIME_LIMIT, "within 5 s"),
        ("bug", Reason.INTERNAL_ERROR, "ZeroDivisionError: of a stranger at strange_decoder.py:11"),
    ],
)
def test_the_others_end_with_their_reason(ends, item: str, reason: Reason, said: str) -> None:
    assert (ends[item].result, ends[item].reason) == (None, reason)
    assert said in ends[item].detail


def test_items_are_taken_a_few_at_a_time(decoder) -> None:
    taken = []

    def source() -> Iterator[str]:
        for number in range(100):
            taken.append(number)
            yield str(number)

    ends = run_local(decoder.work, source(), workers=1)
    next(ends)
    ends.close()
    assert len(taken) < 20


def test_one_worker_ends_all_in_order(
    decoder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where many ended while the caller was busy with the first."""
    monkeypatch.setattr(local, "_WAITING_PER_WORKER", 16)
    items = [tmp_path / str(one) for one in range(24)]
    ends = run_local(decoder.leave_a_file, items, workers=1)
    assert next(ends).item == items[0]
    until(items[15].exists)
    assert [end.item for end in ends] == items[1:]


def test_our_errors_cross_processes_whole(decoder) -> None:
    (end,) = run_local(decoder.return_error, ["truncated"], workers=1)
    assert isinstance(end.result, MediaError)
    assert (end.result.reason, end.result.detail) == (Reason.TRUNCATED, "told by the worker")


def test_a_worker_never_sees_ctrl_c(decoder: ModuleType) -> None:
    """Not even while it starts, where a mask is all that keeps it away."""
    (end,) = run_local(decoder.lets_through, [signal.SIGINT], workers=1)
    assert end.result is False
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("escapes", "TwoParts: 3: odd at odd_ends.py:32"),
        ("escapes_as_ours", "TwoPartsOfOurs: 3: odd"),
        ("has_no_text", "NoText at odd_ends.py:38"),
        ("times_out", "TimeoutError: [Errno 110] timed out: 'film.mp4'"),
        ("exits", "SystemExit: 3"),
        ("is_interrupted", "KeyboardInterrupt: "),
        ("gives_what_cannot_be_sent", "ZeroDivisionError: in the way"),
        ("gives_what_arrives_late", "TimeoutError: of the network"),
    ],
)
def test_whatever_the_function_does_costs_one_item_only(
    decoder: ModuleType, step: str, said: str
) -> None:
    odd = import_module("odd_ends")
    items = [odd.goes_well, getattr(odd, step), odd.goes_well]
    well, end, after = run_local(decoder.do, items, workers=1)
    assert (well.result, after.result) == ("well", "well")
    assert (end.item, end.result, end.reason) == (items[1], None, Reason.INTERNAL_ERROR)
    assert end.detail.startswith(said)


def test_an_item_that_cannot_be_sent_or_rebuilt_costs_itself_alone(decoder: ModuleType) -> None:
    odd = import_module("odd_ends")
    items = [odd.goes_well, lambda: None, odd.Unbuildable(), odd.goes_well]
    ends = list(run_local(decoder.do, items, workers=1))
    assert [end.item for end in ends] == items
    assert [end.result for end in ends] == ["well", None, None, "well"]
    assert [end.reason for end in ends[1:3]] == [Reason.INTERNAL_ERROR] * 2


def test_an_error_of_ours_that_is_no_items_fault_ends_the_run(decoder: ModuleType) -> None:
    with pytest.raises(UsageError, match="no such model"):
        list(run_local(decoder.refuse, "ab", workers=1))


def test_what_the_function_needs_is_loaded_in_the_items_time(decoder: ModuleType) -> None:
    work = import_module("slow_to_load").work
    (end,) = run_local(work, ["a"], workers=1, time_limit=0.5)
    assert end.reason is Reason.TIME_LIMIT


@pytest.fixture
def pool(decoder: ModuleType) -> Iterator[LocalPool[str, int]]:
    made = LocalPool(decoder.which_process, 1, 120)
    yield made
    made.close()


def end_worker(process: int) -> None:
    """As the system does that is short of memory."""
    os.kill(process, signal.SIGKILL)
    until(lambda: not is_running(process))


def test_a_worker_that_is_killed_while_idle_is_replaced(pool: LocalPool[str, int]) -> None:
    for _ in range(2):
        (end,) = pool.run("a")
        assert end.result
        end_worker(end.result)
    assert [one.result for one in pool.run("abc")] == 3 * [pool_process(pool)]


def pool_process(pool: LocalPool[str, int]) -> int | None:
    (end,) = pool.run("a")
    return end.result


def test_a_crash_before_the_start_was_heard_of_costs_that_item_alone(
    decoder: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the caller keeps the interpreter busy: the pool then knows of no item at work."""
    monkeypatch.setattr("pebble.pool.process.TaskManager.task_start", lambda *_: None)
    items = ["a", "crash", "b", "crash", *"cdefgh"]
    ends = list(run_local(decoder.work, items, workers=1))
    assert [end.item for end in ends] == items
    assert [end.result for end in ends] == ["A", None, "B", None, *"CDEFGH"]
    assert {end.reason for end in ends if end.result is None} == {Reason.DECODER_CRASHED}


def test_who_ended_is_heard_to_the_last_word(
    decoder: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the caller keeps the interpreter busy: a process that crashed is seen to have ended
    before what it sent is read: the result before, and which item it took then."""
    receive = WorkerManager.receive

    def late(self: WorkerManager, timeout: float) -> object:
        found = receive(self, timeout)
        if isinstance(found, TaskResult):
            time.sleep(0.25)  # twice as long as it takes until somebody looks who ended
        return found

    monkeypatch.setattr(WorkerManager, "receive", late)
    items = ["a", "crash", "b", "crash", "c"]
    ends = list(run_local(decoder.work, items, workers=1, time_limit=15))
    assert [end.item for end in ends] == items
    assert [end.result for end in ends] == ["A", None, "B", None, "C"]
    assert {end.reason for end in ends if end.result is None} == {Reason.DECODER_CRASHED}


def test_workers_that_could_start_and_cannot_any_more_are_told_as_such(
    pool: LocalPool[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    process = pool_process(pool)
    assert process
    monkeypatch.setattr(local.interrupts, "leave_to_the_driver", os.abort)
    end_worker(process)
    with pytest.raises(HowtoError, match="They could before"):
        list(pool.run("ab"))
    monkeypatch.undo()
    assert pool_process(pool) is not None


def test_a_script_without_a_main_part_is_told_so(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("from howto.run.local import run_local\nprint(*run_local(abs, [1]))\n")
    command = [sys.executable, str(script)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].endswith('`if __name__ == "__main__":`')

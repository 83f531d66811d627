"""The local engine: an item that crashes or hangs its process costs itself alone."""

import signal
from collections.abc import Iterator
from importlib import import_module
from itertools import islice
from multiprocessing import active_children
from pathlib import Path
from types import ModuleType

import pytest

from howto.errors import MediaError, Reason
from howto.run import local
from howto.run.local import run_local

from ..conftest import until

STRANGE_DECODER = """
import os, signal, time
from howto.errors import MediaError, Reason

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
"""


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """Functions that do to their process what a decoder may; a worker imports them by name."""
    folder = tmp_path_factory.mktemp("decoder")
    (folder / "strange_decoder.py").write_text(STRANGE_DECODER)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield import_module("strange_decoder")


@pytest.fixture(scope="module")
def ends(decoder: ModuleType) -> dict[str, object]:
    items = ["a", "crash", "b", "hang", "c", "bug", "d", "e"]
    return {end.item: end for end in run_local(decoder.work, items, workers=2, time_limit=3)}


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
        ("hang", Reason.TIME_LIMIT, "within 3 s"),
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

"""Work that is broken off when its time is up."""

import contextlib
import itertools
import subprocess
import sys
import threading
import time

import pytest

from howto.collect import deadline
from howto.collect.deadline import in_time
from howto.errors import ItemError, Reason


def without_end() -> None:
    for _ in itertools.count():
        time.sleep(0.005)


def test_what_has_no_end_is_ended() -> None:
    with pytest.raises(ItemError, match=r"not done after 0\.05 s") as caught:
        in_time(0.05, without_end)
    assert caught.value.reason is Reason.TIME_LIMIT


def test_it_is_ended_though_it_takes_every_error_for_its_own() -> None:
    def careless() -> None:
        while True:
            try:
                without_end()
            except Exception:  # noqa: BLE001 - as careless code does
                continue

    with pytest.raises(ItemError):
        in_time(0.05, careless)


def test_it_is_ended_though_the_first_word_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "_AGAIN", 0.05)
    heard = []

    def deaf() -> None:
        while True:
            try:
                without_end()
            except BaseException as error:
                heard.append(error)
                if len(heard) == 2:
                    raise

    with pytest.raises(ItemError):
        in_time(0.05, deaf)
    assert len(heard) == 2


def test_what_ends_in_time_is_left_alone() -> None:
    before = set(threading.enumerate())
    assert in_time(60, lambda: 7) == 7
    assert set(threading.enumerate()) <= before


def test_its_own_errors_pass() -> None:
    with pytest.raises(KeyError):
        in_time(60, lambda: {}["x"])


def test_nothing_arrives_afterwards() -> None:
    """Work that ends as its time is up is done, or broken off; nothing that follows is hit."""
    before = set(threading.enumerate())
    for number in range(200):
        with contextlib.suppress(ItemError):
            assert in_time(0.0002 * (number % 5), lambda: sum(range(3000))) == 4_498_500
        sum(range(1000))
    assert set(threading.enumerate()) <= before


TRACED = """
import itertools, sys, time
from howto.collect.deadline import in_time
from howto.errors import ItemError

def work():
    {work}

for _ in range(20):
    try:
        in_time({seconds}, work)
    except ItemError:
        pass

def traced():
    return 1

sys.settrace(lambda *_: None)
traced()
"""


@pytest.mark.parametrize(
    ("seconds", "work"),
    [(60, "pass"), (0.01, "[time.sleep(0.005) for _ in itertools.count()]"), (0, "pass")],
)
def test_python_is_left_as_it_was(seconds: float, work: str) -> None:
    """An exception that Python still waits for would keep a program that is traced for ever."""
    program = TRACED.format(seconds=seconds, work=work)
    subprocess.run([sys.executable, "-c", program], timeout=60, check=True)


def test_another_thread_is_not_hit() -> None:
    told: list[Reason] = []

    def work() -> None:
        try:
            in_time(0.05, without_end)
        except ItemError as error:
            told.append(error.reason)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    assert told == [Reason.TIME_LIMIT]

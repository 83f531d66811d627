"""Ctrl-C that comes while processes start is handled when they have started."""

import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from howto.run.interrupts import held_back


def is_blocked() -> bool:
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())


@pytest.fixture(autouse=True)
def python_handler() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))


@pytest.fixture
def let_another_thread_take_it() -> Iterator[Callable[[], None]]:
    """Send Ctrl-C to a thread that does not hold it back, as rich's that draws a progress bar."""
    over = threading.Event()
    other = threading.Thread(target=over.wait)
    other.start()
    taken, takes = os.pipe()
    os.set_blocking(takes, False)
    before = signal.set_wakeup_fd(takes)

    def send() -> None:
        assert other.ident is not None
        signal.pthread_kill(other.ident, signal.SIGINT)
        os.read(taken, 1)

    yield send
    signal.set_wakeup_fd(before)
    over.set()
    other.join()
    os.close(taken)
    os.close(takes)


def test_it_comes_afterwards_whichever_thread_takes_it(
    let_another_thread_take_it: Callable[[], None],
) -> None:
    steps: list[int] = []

    def start() -> None:
        with held_back():
            let_another_thread_take_it()
            steps.extend(number for number in range(1000))

    with pytest.raises(KeyboardInterrupt):
        start()
    assert len(steps) == 1000
    assert not is_blocked()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_comes_while_it_is_being_held_back_leaves_nothing_blocked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    really = signal.pthread_sigmask

    def interrupted(how: int, mask: tuple[int, ...]) -> object:
        """Python looks for signals at the end of it."""
        before = really(how, mask)
        if mask:
            handler = signal.getsignal(signal.SIGINT)
            assert callable(handler)
            handler(signal.SIGINT, None)
        return before

    with monkeypatch.context() as patched:
        patched.setattr(signal, "pthread_sigmask", interrupted)
        with pytest.raises(KeyboardInterrupt), held_back():
            pass
    assert not is_blocked()


def test_an_error_meanwhile_does_not_swallow_it() -> None:
    def start() -> None:
        with held_back():
            signal.raise_signal(signal.SIGINT)
            raise ZeroDivisionError

    with pytest.raises(KeyboardInterrupt) as caught:
        start()
    assert isinstance(caught.value.__context__, ZeroDivisionError)


def test_a_thread_that_is_not_the_main_one_holds_it_back_from_what_it_starts() -> None:
    seen = []

    def work() -> None:
        with held_back():
            seen.append((is_blocked(), signal.getsignal(signal.SIGINT)))
        seen.append((is_blocked(), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    handler = signal.default_int_handler
    assert seen == [(True, handler), (False, handler)]


def test_where_it_is_ignored_it_stays_so() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with held_back():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN

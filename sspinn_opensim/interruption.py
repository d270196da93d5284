"""Interruptions: the signals that end a command, raised as one exception, or held back while a step runs."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

#: Ctrl-C, `kill` or the end of a queue's time, a terminal that is closed.
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
#: After one interruption the next is not heard for so long, s: what was begun is being cleaned up.
DEAF_S = 5.0


class Interrupted(KeyboardInterrupt):
    """The process is asked to end.

    Parameters
    ----------
    number : int
        Of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextlib.contextmanager
def as_exceptions() -> Iterator[None]:
    """Let signals raise `Interrupted`; those that the process was started to ignore stay ignored.

    Code in C that calls Python loses exceptions, or puts others in their place: whatever the block ends with
    after a signal, it ends with `Interrupted`.
    """
    last, came = -DEAF_S, []

    def interrupt(number: int, _: FrameType | None) -> None:
        nonlocal last
        if time.monotonic() - last >= DEAF_S:
            last = time.monotonic()
            came.append(number)
            raise Interrupted(number)

    with _handled_by(interrupt):
        try:
            yield
        except Exception as error:
            if came:
                raise Interrupted(came[0]) from error
            raise
        if came:
            raise Interrupted(came[0])


@contextlib.contextmanager
def held_back() -> Iterator[Callable[[], bool]]:
    """Hold an interruption back; the block asks whether one came, and ends when its step is whole.

    It is then delivered as it would have been before. A second one is delivered at once.
    """
    came: list[int] = []
    with contextlib.ExitStack() as stack:

        def note(number: int, _: FrameType | None) -> None:
            came.append(number)
            if len(came) > 1:
                stack.close()
                signal.raise_signal(number)

        stack.enter_context(_handled_by(note))
        yield lambda: bool(came)
    if came:
        signal.raise_signal(came[0])


@contextlib.contextmanager
def ignored() -> Iterator[None]:
    """Let no signal end this process: another one does, for all."""
    with _handled_by(signal.SIG_IGN):
        yield


@contextlib.contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], object] | signal.Handlers) -> Iterator[None]:
    before = {}
    if threading.current_thread() is threading.main_thread():  # no other may set handlers
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        before = {number: known for number, known in before.items() if known not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, known in before.items():
            signal.signal(number, known)

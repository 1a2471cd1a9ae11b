"""What is to happen at once when a person stops a run, before its threads have ended."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["on_interrupt"]


@contextmanager
def on_interrupt(act: Callable[[], object]) -> Iterator[None]:
    """Call a function when Ctrl-C or SIGTERM comes while the body runs, and go on as usual.

    An exception reaches the main thread only once it has waited for the others: this is
    for what they wait for.
    """
    usual = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(number: int, frame: FrameType | None) -> None:
        act()
        handler = usual[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)
        elif handler == signal.SIG_DFL:
            signal.signal(number, handler)
            signal.raise_signal(number)

    try:
        for number in usual:
            signal.signal(number, stop)
    except ValueError:
        # only the main thread is told of signals
        yield
        return
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)

"""Delays signals while something is done that must be done as a whole, such as to start a process and to note it."""

import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Call the handler of a signal that comes meanwhile when the block has ended; it may raise.

    A signal without a handler ends or spares this process at once, as it would elsewhere.
    """
    if threading.current_thread() is not threading.main_thread():  # no signal handler is called there
        yield
        return
    handlers = {number: handler for number in _ENDING if callable(handler := signal.getsignal(number))}
    held: list[signal.Signals] = []

    def hold(number: int, _: FrameType | None) -> None:
        held.append(signal.Signals(number))

    try:
        for number in handlers:
            signal.signal(number, hold)
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if held:
            handlers[held[-1]](held[-1], None)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a folder, and remove it with all that is in it when the block has ended, however it ends."""
    with uninterrupted():
        made = tempfile.TemporaryDirectory(prefix="benchmark-", ignore_cleanup_errors=True)
    with made as name:
        yield Path(name)

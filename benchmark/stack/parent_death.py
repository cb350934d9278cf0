"""Lets Linux end a process when the process that has started it is gone, even if no guard is left."""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Final

_PR_SET_PDEATHSIG: Final = 1  # <sys/prctl.h>


def end_with_parent() -> Callable[[], None] | None:
    """Return a preexec function by which the new process gets SIGTERM when this one ends, however it does.

    Linux ties this to the thread that starts the process, so there is none in a thread that may end before. SIGTERM,
    since a server then stops its workers as well.
    """
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return None
    parent = os.getpid()
    prctl = ctypes.CDLL(None).prctl  # looked up here, to do as little as possible between fork and exec

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
        if os.getppid() != parent:  # it was killed before prctl
            os._exit(1)

    return bind

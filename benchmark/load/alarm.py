"""Waits within gevent until a moment, where the system can to some ten µs.

gevent's own timers are up to a millisecond late: epoll takes its timeout in whole ms. A timerfd (Linux,
timerfd_create(2)) is a file that becomes readable at the moment itself. After a longer wait the machine has to wake up,
which takes it some tenths of a ms; so it is woken a little sooner, and the rest is waited for awake.
"""

import ctypes
import os
import sys
import time
from typing import Any, Final

import gevent
from gevent.hub import get_hub

_CLOCK_MONOTONIC, _ABSOLUTE, _READABLE = 1, 1, 1
_NS: Final = 10**9
_LONG_NS: Final = 2_000_000  # where requests come more often, the machine does not fall asleep
_AWAKE_NS: Final = 150_000


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("ns", ctypes.c_long))


class _Timer(ctypes.Structure):
    _fields_ = (("every", _Timespec), ("at", _Timespec))


class Alarm:
    """Lets one greenlet after the other wait until a moment of the monotonic clock."""

    def __init__(self) -> None:
        self._libc: Any = ctypes.CDLL(None) if sys.platform == "linux" else None
        self._file = -1
        if self._libc is not None:
            self._file = int(self._libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC))
        self._watcher: Any = get_hub().loop.io(self._file, _READABLE) if self._file >= 0 else None

    def wait_until(self, moment_ns: int) -> None:
        """Wait until a moment; if it has passed, only let others have their turn."""
        left_ns = moment_ns - time.monotonic_ns()
        if left_ns <= 0 or self._watcher is None:
            gevent.sleep(max(left_ns / _NS, 0))
            return
        wake_ns = moment_ns - (_AWAKE_NS if left_ns >= _LONG_NS else 0)
        timer = _Timer(at=_Timespec(*divmod(wake_ns, _NS)))
        self._libc.timerfd_settime(self._file, _ABSOLUTE, ctypes.byref(timer), None)
        get_hub().wait(self._watcher)
        os.read(self._file, 8)
        while time.monotonic_ns() < moment_ns:
            pass

    def close(self) -> None:
        if self._watcher is not None:
            self._watcher.close()
            os.close(self._file)
            self._watcher = None

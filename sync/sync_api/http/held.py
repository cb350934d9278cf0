"""System calls that never wait, made without giving up the interpreter lock.

Python gives the lock up around every system call. Taking it back means to stand behind all threads that wait for it,
each of which may keep it for 5 ms: beside 60 busy threads a receive and a send were seen to take 38 ms, and 0.01 ms
here. A poller that gives the lock up only when it has nothing to do can refuse requests while all threads are busy.
"""

import ctypes
import os
import platform
import select
import selectors
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

RECEIVE_BYTES = 32_768

_libc = ctypes.PyDLL(None, use_errno=True)
_recv, _send = _libc.recv, _libc.send
_recv.argtypes = _send.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_recv.restype = _send.restype = ctypes.c_ssize_t
_NO_SIGNAL = getattr(socket, "MSG_NOSIGNAL", 0)
_ADD, _DELETE = 1, 2  # of epoll_ctl
_EVENT = "=IiI" if platform.machine() in {"x86_64", "AMD64"} else "=I4xiI"  # packed only there
_buffer = ctypes.create_string_buffer(RECEIVE_BYTES)
_received = memoryview(_buffer)


def receive(client: socket.socket) -> bytes:
    """Return what has arrived, empty at the end. Raises OSError as `recv` does. For one thread."""
    size = _checked(_recv(client.fileno(), _buffer, RECEIVE_BYTES, socket.MSG_DONTWAIT))
    return _received[:size].tobytes()


def send(client: socket.socket, data: bytes) -> int:
    """Return how many bytes were sent. Raises OSError as `send` does."""
    return _checked(_send(client.fileno(), data, len(data), socket.MSG_DONTWAIT | _NO_SIGNAL))


def accept(listener: Any) -> socket.socket:
    """Return a connection, which blocks by itself: use the functions here. Raises OSError as `accept` does."""
    if sys.platform != "linux":
        return listener.accept()[0]  # type: ignore[no-any-return]
    client = _libc.accept4(listener.fileno(), None, None, int(socket.SOCK_CLOEXEC))
    return socket.socket(fileno=_checked(client))


def end_sending(client: socket.socket) -> None:
    """Tell the client that no more is sent. Raises OSError as `shutdown` does."""
    _checked(_libc.shutdown(client.fileno(), int(socket.SHUT_WR)))


def close(client: socket.socket) -> None:
    """Close a connection."""
    if client.fileno() >= 0:
        _libc.close(client.detach())


class Poller:
    """Waits until something can be read, and calls who waits for that. Its interface is that of a selector."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def register(self, watched: Any, _: int, callback: Callable[[Any], object]) -> None:
        self._selector.register(watched, selectors.EVENT_READ, callback)

    def unregister(self, watched: Any) -> None:
        self._selector.unregister(watched)

    def dispatch(self, timeout_s: float) -> int:
        """Wait so long, and make the calls; return how many there were."""
        events = self._selector.select(timeout_s)
        for key, _ in events:
            key.data(key.fileobj)
        return len(events)

    def close(self) -> None:
        self._selector.close()


class EpollPoller(Poller):
    """The same with epoll; only waiting gives up the lock."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, tuple[Any, Callable[[Any], object]]] = {}

    def register(self, watched: Any, _: int, callback: Callable[[Any], object]) -> None:
        file = _number(watched)
        self._control(_ADD, file)
        self._watched[file] = watched, callback

    def unregister(self, watched: Any) -> None:
        file = _number(watched)
        del self._watched[file]
        self._control(_DELETE, file)

    def dispatch(self, timeout_s: float) -> int:
        ready = self._epoll.poll(timeout_s)
        for file, _ in ready:
            if found := self._watched.get(file):  # a call before this one may have closed it
                watched, callback = found
                callback(watched)
        return len(ready)

    def close(self) -> None:
        self._epoll.close()

    def _control(self, what: int, file: int) -> None:
        event = struct.pack(_EVENT, select.EPOLLIN, file, 0)
        _checked(_libc.epoll_ctl(self._epoll.fileno(), what, file, event))


def make_poller() -> Poller:
    """Return the best poller of this system."""
    return EpollPoller() if sys.platform == "linux" else Poller()


def _number(file: Any) -> int:
    return file if isinstance(file, int) else int(file.fileno())


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))  # of the class that belongs to the code
    return result

"""Serves a service with gevent: `python -m sync_api.gevent_server scoring`, configured by SERVING_* variables.

gunicorn's gevent worker patches the blocking calls of the standard library, so that each connection has a greenlet
instead of a thread. Every request has a handler as soon as it arrives, so `InFlight` counts all of them. A request that
arrives slowly holds no thread here, and has no deadline: put a buffering proxy in front.
"""

import sys
from contextlib import suppress
from typing import Any

import gevent
from gunicorn.http.errors import ParseException
from gunicorn.workers.ggevent import GeventWorker

from contract import wire
from contract.settings import Settings
from sync_api.http.parsing import refusal
from sync_api.server import Server, main

_SETTLE_S = 0.1  # a few iterations of the event loop


class GreenletWorker(GeventWorker):  # type: ignore[misc]
    """gunicorn's gevent worker. When stopping, it closes idle connections instead of waiting for them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._idle: dict[gevent.Timeout, gevent.Greenlet[..., Any]] = {}

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Accept what arrived before SIGTERM, and only then start to stop."""
        gevent.spawn_later(_SETTLE_S, super().handle_exit, sig, frame)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what gunicorn's parser refuses as the contract says."""
        if not isinstance(exc, ParseException):
            super().handle_error(req, client, addr, exc)
            return
        with suppress(OSError):
            client.sendall(wire.answer_bytes(refusal(exc), close=True))

    def timeout_ctx(self) -> Any:
        """Return the timeout for the next request of a connection."""
        return _Waiting(self.cfg.keepalive, self._idle)

    def notify(self) -> None:
        """gunicorn calls this every second. After SIGTERM, no new connections are accepted at that point."""
        super().notify()
        if not self.alive:
            self.end_idle()

    def end_idle(self) -> None:
        """Close idle connections."""
        for waiting, greenlet in list(self._idle.items()):
            greenlet.kill(waiting, block=False)


class _Waiting(gevent.Timeout):
    """The timeout of a greenlet that waits for a request; it ends without an exception."""

    def __init__(self, seconds: float, idle: dict[gevent.Timeout, Any]) -> None:
        super().__init__(seconds, False)  # type: ignore[arg-type]  # False: it ends without an error
        self._idle = idle

    def __enter__(self) -> Any:
        self._idle[self] = gevent.getcurrent()
        return super().__enter__()

    def __exit__(self, *raised: Any) -> Any:
        del self._idle[self]
        return super().__exit__(*raised)


def run(settings: Settings, app: str) -> None:
    """Serve in worker processes, until SIGTERM."""
    Server(settings, app, GreenletWorker).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], run))

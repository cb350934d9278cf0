"""The live page: server-sent events on a free port of this machine, with nothing but the standard library.

Readers sleep until something happens, so that the page costs nothing while a level is held.
"""

import contextlib
import json
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Final

_HERE: Final = Path(__file__).parent
_REPORT_CSS: Final = _HERE.parent.parent / "report" / "templates" / "report.css"
_FILES: Final = {
    "/": (_HERE / "page.html", "text/html"),
    "/live.js": (_HERE / "live.js", "text/javascript"),
    "/live.css": (_HERE / "live.css", "text/css"),
    "/report.css": (_REPORT_CSS, "text/css"),
}
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_STILL_HERE_S: Final = 15.0
_SLOWEST_CLIENT_S: Final = 1.0


class Channel:
    """The newest document of each kind, for any number of readers: who comes late, begins with what holds now."""

    def __init__(self) -> None:
        self._newest: dict[str, tuple[int, str]] = {}
        self._count = 0
        self._closed = False
        self._changed = threading.Condition()

    def publish(self, kind: str, document: dict[str, Any]) -> None:
        with self._changed:
            self._count += 1
            self._newest[kind] = (self._count, json.dumps(document))
            self._changed.notify_all()

    def close(self) -> None:
        """Let all readers end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def events(self, still_here_s: float = _STILL_HERE_S) -> Iterator[str]:
        """Yield the newest document of each kind as a server-sent event, then each new one, until it is closed.

        A comment shows from time to time whether the reader is still there.
        """
        seen = 0

        def is_news() -> bool:
            return self._closed or self._count > seen

        while True:
            with self._changed:
                self._changed.wait_for(is_news, still_here_s)
                new = sorted((count, kind, text) for kind, (count, text) in self._newest.items() if count > seen)
                seen, closed = self._count, self._closed
            yield "".join(f"event: {kind}\ndata: {text}\n\n" for _, kind, text in new) or ": still here\n\n"
            if closed:
                return


class _Handler(BaseHTTPRequestHandler):
    timeout = _SLOWEST_CLIENT_S
    channel: ClassVar[Channel]

    def do_GET(self) -> None:
        own = {f"{name}:{self.server.server_port}" for name in ("127.0.0.1", "localhost")}  # type: ignore[attr-defined]
        if self.headers.get("Host") not in own:  # another site's name that leads here
            self.send_error(HTTPStatus.FORBIDDEN)
        elif self.path == "/events":
            self._begin("text/event-stream")
            with contextlib.suppress(OSError):  # the reader has gone
                for event in self.channel.events():
                    self.wfile.write(event.encode())
        elif self.path in _FILES:
            path, kind = _FILES[self.path]
            self._begin(kind)
            with contextlib.suppress(OSError):
                self.wfile.write(path.read_bytes())
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, *_: object) -> None:
        """Say nothing: the terminal is that of the measurement."""

    def _begin(self, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        for name, value in {"Content-Type": f"{kind}; charset=utf-8", **_HEADERS}.items():
            self.send_header(name, value)
        self.end_headers()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits until the last event was sent

    def handle_error(self, *_: object) -> None:
        """Say nothing of a reader that has gone."""


class LivePage:
    """The page on a free port, until it is closed. Raises OSError if there is none."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        handler = type("Handler", (_Handler,), {"channel": channel})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, name="live page", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Send what is left, and end."""
        self._channel.close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

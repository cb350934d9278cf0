"""Parts of the protocol: one request and its answer, and what a parser says after an upgrade that is ignored."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle


class Cycle(RequestResponseCycle):
    """One request and its answer. That it is cancelled because its client has gone is not worth a line in the log."""

    async def run_asgi(self, app: Any) -> None:
        try:
            await app(self.scope, self.receive, self.send)
        except asyncio.CancelledError as error:
            if not self.disconnected:
                await super().run_asgi(_raising(error))
        except BaseException as error:
            await super().run_asgi(_raising(error))
        else:
            if not self.response_complete and not self.disconnected:
                await super().run_asgi(_ending)


def _raising(error: BaseException) -> Any:
    """Return an app that fails so, for uvicorn to log it and to answer."""

    async def fail(*_: Any) -> None:
        raise error

    return fail


async def _ending(*_: Any) -> None:
    """Be an app that ends without an answer, for uvicorn to say so."""


class WithoutHead:
    """Hands on what a parser says, except the head of its first request."""

    def __init__(self, protocol: "HttpToolsProtocol") -> None:
        self._protocol = protocol
        self._is_first = True
        self.on_body = protocol.on_body
        self.on_message_complete = protocol.on_message_complete

    def on_message_begin(self) -> None:
        if not self._is_first:
            self._protocol.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._is_first:
            self._protocol.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_first:
            self._protocol.on_header(name, value)

    def on_headers_complete(self) -> None:
        if not self._is_first:
            self._protocol.on_headers_complete()
        self._is_first = False

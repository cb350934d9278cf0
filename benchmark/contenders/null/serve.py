"""`python -m benchmark.contenders.null.serve PORT`: parses each request and answers at once.

It is a minimal server: measuring it measures the load generator, the harness and the loopback interface.
"""

import asyncio
import sys
from http import HTTPStatus
from typing import cast

import httptools
import uvloop

from contract import errors, schema
from contract.garbage_collection import freeze_startup_objects
from contract.limits import raise_open_files
from contract.model import FakeModel
from contract.settings import Settings


class NullProtocol(asyncio.Protocol):
    """One connection, which may carry several requests."""

    def __init__(self, model: FakeModel) -> None:
        self._model = model
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._path = b""
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._close()

    def on_message_begin(self) -> None:
        self._path, self._body = b"", b""

    def on_url(self, url: bytes) -> None:
        self._path += url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        status, body = self._answer()
        self._send(status, body)
        if not self._parser.should_keep_alive():
            self._close()

    def _answer(self) -> tuple[HTTPStatus, bytes]:
        path = self._path.partition(b"?")[0].decode("latin-1")
        if path in {schema.HEALTHCHECK_PATH, schema.READY_PATH}:
            return HTTPStatus.OK, schema.OK_BODY
        if path != schema.predict_path("null"):
            error: errors.ServiceError = errors.UnknownPath()
            return error.status, error.body()
        try:
            schema.parse_scoring_numbers(self._body)
        except errors.InvalidRequest as invalid:
            return invalid.status, invalid.body()
        return HTTPStatus.OK, schema.encode_answer(self._model.draw_s())

    def _send(self, status: HTTPStatus, body: bytes) -> None:
        kind = schema.JSON_CONTENT_TYPE if status is HTTPStatus.OK else errors.PROBLEM_CONTENT_TYPE
        if self._transport:
            self._transport.write(
                b"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s"
                % (status, status.phrase.encode(), kind.encode(), len(body), body)
            )

    def _close(self) -> None:
        if self._transport:
            self._transport.close()


async def serve(port: int) -> None:
    """Serve on loopback until the process is stopped."""
    model = FakeModel(Settings(role="model", http_client=None))  # no HTTP client, whatever the environment sets
    server = await asyncio.get_running_loop().create_server(lambda: NullProtocol(model), "127.0.0.1", port)
    freeze_startup_objects()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    raise_open_files()
    uvloop.run(serve(int(sys.argv[1])))

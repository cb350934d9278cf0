"""`python -m tests.capacity.server LAW PORT SEED`: an HTTP server that answers when a service law says so.

It waits instead of working, so its capacity is that of the law, whatever else the machine does. It answers the
scenario `workers`.
"""

import asyncio
import sys

from benchmark.stack.processes import HOST
from tests.capacity.laws import LAWS, Server

_ANSWER, _REFUSED = b'{"total": 10.0}', b"{}"


class Connection(asyncio.Protocol):
    """Reads requests one after the other, and writes each answer when it is due."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop, began_s: float) -> None:
        self._server, self._loop, self._began_s = server, loop, began_s
        self._transport: asyncio.Transport | None = None
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = self._read[:end]
            size = end + 4 + _body_bytes(head)
            if len(self._read) < size:
                return
            self._read = self._read[size:]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        if head.startswith(b"GET"):  # whether it is ready
            self._write(b"200 OK", b"{}")
            return
        done_s, refused = self._server.answer(self._loop.time() - self._began_s)
        status, body = (b"503 Service Unavailable", _REFUSED) if refused else (b"200 OK", _ANSWER)
        self._loop.call_at(self._began_s + done_s, self._write, status, body)

    def _write(self, status: bytes, body: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nRetry-After: 1\r\nContent-Length: %d\r\n\r\n"
            self._transport.write(head % (status, len(body)) + body)


def _body_bytes(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


async def serve(law: str, port: int, seed: int) -> None:
    """Serve until the process is ended."""
    loop = asyncio.get_running_loop()
    server, began_s = LAWS[law].server(seed), loop.time()
    listening = await loop.create_server(lambda: Connection(server, loop, began_s), HOST, port, backlog=1024)
    async with listening:
        await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))

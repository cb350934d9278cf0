"""A model on a real socket that misbehaves on command."""

import asyncio
import contextlib
import gzip
import threading
from collections.abc import Awaitable, Callable
from typing import Final

BODY: Final = b'{"detail": 0.041}'
_PAUSE_S: Final = 0.05  # between two bytes of a dripping answer
_CHUNK: Final = b"1000\r\n" + b" " * 4096 + b"\r\n"


def head(status: str = "200 OK", *fields: str, length: int | None = len(BODY)) -> bytes:
    """Return the head of an answer."""
    known = (f"Content-Length: {length}",) if length is not None else ()
    lines = (f"HTTP/1.1 {status}", "Content-Type: application/json", *known, *fields, "", "")
    return "\r\n".join(lines).encode()


ANSWER: Final = head() + BODY
_Mode = Callable[["Connection"], Awaitable[bool]]


class Connection:
    """One connection to the model, and how many requests have come over it."""

    def __init__(self, model: "FaultyModel", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.model, self._reader, self._writer = model, reader, writer
        self.requests = 0

    async def serve(self) -> None:
        self.model.connections += 1
        self.model.open += 1
        try:
            while await self._read_request():
                self.requests += 1
                self.model.requests += 1
                if not await self.model.mode(self):
                    return
        finally:
            self.model.open -= 1
            self._writer.close()

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()
        self.model.sent_bytes += len(data)

    async def stall(self) -> None:
        """Say nothing until the client hangs up."""
        await self._reader.read()

    async def _read_request(self) -> bool:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            request = await self._reader.readuntil(b"\r\n\r\n")
            for line in request.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    await self._reader.readexactly(int(line.partition(b":")[2]))
            return True
        return False


def answers(data: bytes = ANSWER, then_closes: bool = False) -> _Mode:
    async def answer(connection: Connection) -> bool:
        await connection.send(data)
        return not then_closes

    return answer


def drips(whole: bytes = b"", dripping: bytes = ANSWER) -> _Mode:
    """Send a part at once and the rest byte by byte; it all takes far longer than any deadline of a test."""

    async def drip(connection: Connection) -> bool:
        await connection.send(whole)
        for byte in dripping:
            await connection.send(bytes([byte]))
            await asyncio.sleep(_PAUSE_S)
        return True

    return drip


def answers_first(then: bytes = b"", but_close: bool = True) -> _Mode:
    """Answer the first request of each connection; later ones get these bytes, and the connection is closed."""

    async def answer(connection: Connection) -> bool:
        if connection.requests == 1:
            await connection.send(ANSWER)
            return True
        if then:
            await connection.send(then)
        return not but_close

    return answer


def never_ends(start: bytes, part: bytes = b" " * 4096) -> _Mode:
    async def flood(connection: Connection) -> bool:
        await connection.send(start)
        while True:
            await connection.send(part)

    return flood


async def stalls(connection: Connection) -> bool:
    await connection.stall()
    return False


def waits(seconds: float) -> _Mode:
    async def wait(connection: Connection) -> bool:
        await asyncio.sleep(seconds)
        await connection.send(ANSWER)
        return True

    return wait


ENDLESS: Final = {
    "in chunks": never_ends(head("200 OK", "Transfer-Encoding: chunked", length=None), _CHUNK),
    "of a great length": never_ends(head(length=10**12)),
    "until it closes": never_ends(head(length=None)),
}
COMPRESSED: Final = gzip.compress(BODY)
BOMB: Final = gzip.compress(bytes(20_000_000))


class FaultyModel:
    """Listens on loopback in a thread of its own. `mode` says what it does, and may be changed at any time."""

    def __init__(self) -> None:
        self.mode: _Mode = answers()
        self.requests = self.connections = self.open = self.sent_bytes = 0
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(self._listen())
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/predict"
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=1024)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await Connection(self, reader, writer).serve()

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

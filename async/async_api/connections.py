"""What httpx lacks below: it says whether a connection was closed while idle, and forgets those of cancelled requests.

httpx2 has the same parts under the same names.
"""

import asyncio
import ssl
import time
from collections import defaultdict, deque
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from contract.settings import Settings


class ClosedWhileIdle(Exception):
    """A connection that had been kept was closed, and no byte of this answer has come."""


class Stream:
    """A connection of httpcore that knows what has come over it. Its interface is that of `AsyncNetworkStream`."""

    def __init__(self, stream: Any, read_error: type[Exception], closing: set[asyncio.Task[None]]) -> None:
        self._stream, self._read_error, self._closing = stream, read_error, closing
        self._has_come = False  # a byte, since the last one was sent
        self._is_kept = False  # since an earlier answer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            data: bytes = await self._stream.read(max_bytes, timeout)
        except self._read_error as error:
            if self._is_kept and not self._has_come:
                raise ClosedWhileIdle from error
            raise
        if data:
            self._has_come = True
        elif self._is_kept and not self._has_come:
            raise ClosedWhileIdle
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if self._has_come:
            self._is_kept, self._has_come = True, False
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close without waiting: a request that is cancelled meanwhile would leave others of its pool open."""
        task = asyncio.get_running_loop().create_task(self._stream.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def start_tls(self, *args: Any, **kwargs: Any) -> "Stream":
        return Stream(await self._stream.start_tls(*args, **kwargs), self._read_error, self._closing)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Network:
    """Opens connections as httpcore does. Its interface is that of `AsyncNetworkBackend`."""

    def __init__(self, network: Any, read_error: type[Exception]) -> None:
        self._network, self._read_error = network, read_error
        self.closing: set[asyncio.Task[None]] = set()

    async def connect_tcp(self, *args: Any, **kwargs: Any) -> Stream:
        return Stream(await self._network.connect_tcp(*args, **kwargs), self._read_error, self.closing)


class PooledClient:
    """A client of httpx or httpx2, with a pool of the given limits."""

    def __init__(
        self, library: Any, limits: Any, ssl_context: ssl.SSLContext, idle: "deque[PooledClient] | None" = None
    ) -> None:
        core = import_module("httpcore2" if library.__name__ == "httpx2" else "httpcore")
        transport = library.AsyncHTTPTransport(limits=limits, verify=ssl_context, trust_env=False)
        self._pool = transport._pool
        self._network = self._pool._network_backend = _Network(self._pool._network_backend, core.ReadError)
        self._client = library.AsyncClient(transport=transport, timeout=None, trust_env=False, follow_redirects=False)
        self.idle: deque[PooledClient] = deque() if idle is None else idle  # where it waits to be lent again
        self.idle_since_s = 0.0

    async def send(self, request: Any) -> Any:
        """Return the answer's head; its body is still to be read."""
        return await self._client.send(request, stream=True)

    def build_request(self, *args: Any, **kwargs: Any) -> Any:
        return self._client.build_request(*args, **kwargs)

    async def drop_lost(self) -> None:
        """Remove the connections that a cancelled request has left behind: neither idle nor closed, and nobody's.

        httpcore 1.0 keeps them forever, and each takes a place of its pool. Where many share a pool, this is as much as
        can be done.
        """
        held = {id(request.connection) for request in self._pool._requests}
        for connection in list(self._pool._connections):
            if id(connection) not in held and not connection.is_idle() and not connection.is_closed():
                self._pool._connections.remove(connection)
                await connection.aclose()

    async def close(self) -> None:
        await self._client.aclose()
        if self._network.closing:
            await asyncio.wait(self._network.closing)


class OneForAll:
    """Lends the same client to every request: httpx's own pool, and its own queue."""

    def __init__(self, library: Any, settings: Settings) -> None:
        limits = library.Limits(
            max_connections=settings.model_pool_size,
            max_keepalive_connections=settings.model_pool_idle,
            keepalive_expiry=settings.model_idle_s,
        )
        self._client = PooledClient(library, limits, library.create_ssl_context(trust_env=False))

    def lend(self, _: str) -> PooledClient:
        return self._client

    def take_back(self, client: PooledClient) -> None: ...

    async def discard(self, client: PooledClient) -> None:
        """Take back the client of a request that was cancelled."""
        await client.drop_lost()

    async def close(self) -> None:
        await self._client.close()


class OneEach:
    """Lends each request a client of its own, with at most one connection, so that no pool has anything to search.

    Of those that are connected to the host of a URL, the one that was used last is lent first. The caller limits how
    many are lent at once.
    """

    def __init__(self, library: Any, settings: Settings) -> None:
        self._library = library
        self._limits = library.Limits(
            max_connections=1, max_keepalive_connections=1, keepalive_expiry=settings.model_idle_s
        )
        self._ssl_context = library.create_ssl_context(trust_env=False)
        self._idle: defaultdict[tuple[str, str], deque[PooledClient]] = defaultdict(deque)
        self._most_idle, self._idle_s = settings.model_pool_idle, settings.model_idle_s
        self._closing: set[asyncio.Task[None]] = set()

    def lend(self, url: str) -> PooledClient:
        parts = urlsplit(url)
        idle = self._idle[parts.scheme, parts.netloc]
        if idle:
            return idle.pop()
        return PooledClient(self._library, self._limits, self._ssl_context, idle)

    def take_back(self, client: PooledClient) -> None:
        client.idle_since_s = time.monotonic()
        idle = client.idle
        idle.append(client)
        while len(idle) > self._most_idle or client.idle_since_s - idle[0].idle_since_s > self._idle_s:
            self._close_later(idle.popleft())

    async def discard(self, client: PooledClient) -> None:
        """Take back the client of a request that was cancelled; no other request will get it.

        httpcore may have kept the request, its connection, or both as if they were still in use.
        """
        self._close_later(client)

    async def close(self) -> None:
        for idle in self._idle.values():
            while idle:
                await idle.pop().close()
        if self._closing:
            await asyncio.wait(self._closing)

    def _close_later(self, client: PooledClient) -> None:
        task = asyncio.get_running_loop().create_task(client.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

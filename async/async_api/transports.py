"""The HTTP clients with which the models can be asked."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from importlib import import_module
from typing import Any, Protocol

import aiohttp
from aiohttp.client_proto import ResponseHandler

from async_api.connections import ClosedWhileIdle, OneEach, OneForAll, PooledClient
from contract.model_answer import MAX_ANSWER_BYTES, REQUEST_HEADERS, ModelAnswer
from contract.settings import Settings

_Errors = tuple[type[Exception], ...]


class Transport(Protocol):
    """An HTTP client: sends one request, returns the answer, or raises one of its errors. The caller sets a deadline.

    A request is sent again once, over a new connection, if the one that it was sent over had been kept since an earlier
    answer and was closed before a byte of this one came.
    """

    failures: _Errors

    async def send(self, method: str, url: str, body: bytes | None = None) -> ModelAnswer: ...

    async def close(self) -> None: ...


class HttpxTransport:
    """httpx, or its successor httpx2 with the same API."""

    def __init__(self, settings: Settings) -> None:
        library = import_module(settings.http_client or "httpx")  # a service imports only what it runs
        self.failures: _Errors = (library.HTTPError, library.InvalidURL, OSError)
        self._clients = (OneEach if settings.model_pool_queue == "fifo" else OneForAll)(library, settings)

    async def send(self, method: str, url: str, body: bytes | None = None) -> ModelAnswer:
        client = self._clients.lend(url)
        try:
            try:
                answer = await self._exchange(client, method, url, body)
            except ClosedWhileIdle:
                answer = (await self._exchange(client, method, url, body))._replace(retried=True)
        except asyncio.CancelledError:
            await self._clients.discard(client)
            raise
        except BaseException:
            self._clients.take_back(client)
            raise
        self._clients.take_back(client)
        return answer

    async def close(self) -> None:
        await self._clients.close()

    async def _exchange(self, client: PooledClient, method: str, url: str, body: bytes | None) -> ModelAnswer:
        request = client.build_request(method, url, content=body, headers=REQUEST_HEADERS)
        response = await client.send(request)
        try:
            content = await _read_at_most(response.aiter_raw(), MAX_ANSWER_BYTES)
        finally:
            await response.aclose()
        return ModelAnswer(response.status_code, content, response.headers.get("Retry-After"), False)


class _ConnectionClosedWhileIdle(aiohttp.ClientConnectionError):
    pass


class _Connection(ResponseHandler):
    """A connection of aiohttp that knows what has come over it."""

    has_come = False  # a byte, since the last request was sent
    is_kept = False  # since an earlier answer

    def set_response_params(self, **params: Any) -> None:
        """Begin a request."""
        self.is_kept, self.has_come = self.is_kept or self.has_come, False
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        self.has_come = True
        super().data_received(data)

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        was_closed = isinstance(exc, aiohttp.ClientOSError | aiohttp.ServerDisconnectedError)
        if was_closed and self.is_kept and not self.has_come:
            exc = _ConnectionClosedWhileIdle()
        super().set_exception(exc, *cause)


class AiohttpTransport:
    """aiohttp: one session, its pool shared by all requests."""

    failures: _Errors = (aiohttp.ClientError, OSError, ValueError)

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session = self._open(keepalive_timeout=settings.model_idle_s)
        self._for_repeats: aiohttp.ClientSession | None = None

    async def send(self, method: str, url: str, body: bytes | None = None) -> ModelAnswer:
        try:
            return await self._exchange(self._session, method, url, body)
        except _ConnectionClosedWhileIdle:
            self._for_repeats = self._for_repeats or self._open(force_close=True)
            answer = await self._exchange(self._for_repeats, method, url, body)
            return answer._replace(retried=True)

    async def close(self) -> None:
        for session in (self._session, self._for_repeats):
            if session:
                await session.close()

    def _open(self, **options: Any) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=self._settings.model_pool_size,
            resolver=aiohttp.ThreadedResolver(),  # otherwise it depends on whether aiodns is installed
            **options,
        )
        connector._factory = partial(_Connection, loop=asyncio.get_running_loop())  # type: ignore[assignment]
        session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None),
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )
        session._retry_connection = False  # it would repeat a GET on a connection that has answered in part
        return session

    async def _exchange(self, session: aiohttp.ClientSession, method: str, url: str, body: bytes | None) -> ModelAnswer:
        asked = session.request(method, url, data=body, headers=REQUEST_HEADERS, allow_redirects=False)
        async with asked as response:
            content = await _read_at_most(response.content.iter_any(), MAX_ANSWER_BYTES)
            return ModelAnswer(response.status, content, response.headers.get("Retry-After"), False)


async def _read_at_most(parts: AsyncIterator[bytes], limit_bytes: int) -> bytes:
    """Return a body as it came, not decompressed; of one over the limit no more than tells so."""
    body = b""
    async for part in parts:
        body += part
        if len(body) > limit_bytes:
            break
    return body


TRANSPORTS: dict[str, Callable[[Settings], Transport]] = {
    "httpx": HttpxTransport,
    "aiohttp": AiohttpTransport,
    "httpx2": HttpxTransport,
}

"""The client of the models: calls them one after the other, or all at once on the event loop."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from importlib import import_module
from typing import Protocol
from urllib.parse import urljoin

import aiohttp

from contract.errors import BadModelAnswer, ModelNotReady, ModelTimeout
from contract.schema import HEALTHCHECK_PATH, JSON_CONTENT_TYPE, encode_numbers, parse_answer
from contract.scoring import ModelReply
from contract.settings import Settings

# Set explicitly: by default, Accept-Encoding depends on which packages are installed.
_HEADERS = {"Content-Type": JSON_CONTENT_TYPE, "Accept-Encoding": "identity"}
_Errors = tuple[type[Exception], ...]


class ModelClient:
    """Calls all models of the settings, over connections shared by the requests of a process."""

    def __init__(self, settings: Settings) -> None:
        self._urls = settings.model_urls
        self._timeout_ms = settings.model_timeout_ms
        self._make_transport = partial(_TRANSPORTS[settings.http_client or "httpx"], settings)
        self._is_pooled = settings.client_reuse == "pooled"
        self._shared: Transport | None = None
        self._at_once = settings.fan_out == "concurrent"

    async def __aenter__(self) -> "ModelClient":
        """Open the HTTP client. Some clients must be created on the event loop that they will use."""
        if self._is_pooled:
            self._shared = self._make_transport()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def ask_all(self, numbers: Sequence[float]) -> list[ModelReply]:
        """Return the models' replies, in their order. Raises ModelTimeout or BadModelAnswer."""
        body = encode_numbers(numbers)
        async with self._borrow() as transport:
            asked = (self._ask(transport, body, url, number) for number, url in enumerate(self._urls, 1))
            if not self._at_once:
                return [await one for one in asked]
            replies = await asyncio.gather(*asked, return_exceptions=True)
        return [_reply_or_raise(reply) for reply in replies]

    async def check(self) -> None:
        """Raise ModelNotReady with the model's number unless every model answers its health check."""
        async with self._borrow() as transport:
            for number, url in enumerate(self._urls, 1):
                try:
                    status, _ = await transport.send("GET", urljoin(url, HEALTHCHECK_PATH))
                except (*transport.timeouts, *transport.failures) as error:
                    raise ModelNotReady(number) from error
                if status != 200:
                    raise ModelNotReady(number)

    async def close(self) -> None:
        if self._shared:
            await self._shared.close()

    def _borrow(self) -> AbstractAsyncContextManager["Transport"]:
        """Return the transport for one request: the shared one, or a new one that is closed after it."""
        if self._shared:
            return nullcontext(self._shared)
        if self._is_pooled:
            raise RuntimeError("the model client is not open: the lifespan of its app has not started")
        return _closing(self._make_transport())

    async def _ask(self, transport: "Transport", body: bytes, url: str, number: int) -> ModelReply:
        started_s = time.perf_counter()
        try:
            status, content = await transport.send("POST", url, body)
        except transport.timeouts as error:
            raise ModelTimeout(number, self._timeout_ms) from error
        except transport.failures as error:
            raise BadModelAnswer(f"Model {number} cannot be reached.") from error
        if status != 200:
            raise BadModelAnswer(f"Model {number} answered with status {status}.")
        detail_s = parse_answer(content, number)
        return ModelReply(detail_s, (time.perf_counter() - started_s) * 1e3)


def _reply_or_raise(reply: ModelReply | BaseException) -> ModelReply:
    if isinstance(reply, BaseException):
        raise reply
    return reply


@asynccontextmanager
async def _closing(transport: "Transport") -> AsyncIterator["Transport"]:
    try:
        yield transport
    finally:
        await transport.close()


class Transport(Protocol):
    """An HTTP client: sends one request, returns status and body, or raises one of its errors."""

    timeouts: _Errors
    failures: _Errors

    async def send(self, method: str, url: str, body: bytes | None = None) -> tuple[int, bytes]: ...

    async def close(self) -> None: ...


class HttpxTransport:
    """httpx, or its successor httpx2 with the same API: one client, its pool shared by all requests."""

    def __init__(self, settings: Settings) -> None:
        library = import_module(settings.http_client or "httpx")  # a service imports only what it runs
        self.timeouts: _Errors = (library.TimeoutException,)
        self.failures: _Errors = (library.HTTPError, library.InvalidURL, OSError)
        self._client = library.AsyncClient(
            timeout=settings.model_timeout_ms / 1e3,
            limits=library.Limits(
                max_connections=settings.model_pool_size,
                max_keepalive_connections=settings.model_pool_idle,
                keepalive_expiry=settings.model_idle_s,
            ),
            trust_env=False,
            follow_redirects=False,
        )

    async def send(self, method: str, url: str, body: bytes | None = None) -> tuple[int, bytes]:
        response = await self._client.request(method, url, content=body, headers=_HEADERS)
        return response.status_code, response.content

    async def close(self) -> None:
        await self._client.aclose()


class AiohttpTransport:
    """aiohttp: one session, its pool shared by all requests."""

    timeouts: _Errors = (TimeoutError,)
    failures: _Errors = (aiohttp.ClientError, OSError, ValueError)

    def __init__(self, settings: Settings) -> None:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=settings.model_timeout_ms / 1e3),
            connector=aiohttp.TCPConnector(
                limit=settings.model_pool_size,
                keepalive_timeout=settings.model_idle_s,
                resolver=aiohttp.ThreadedResolver(),  # otherwise it depends on whether aiodns is installed
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )

    async def send(self, method: str, url: str, body: bytes | None = None) -> tuple[int, bytes]:
        async with self._session.request(method, url, data=body, headers=_HEADERS, allow_redirects=False) as response:
            return response.status, await response.read()

    async def close(self) -> None:
        await self._session.close()


_TRANSPORTS: dict[str, Callable[[Settings], Transport]] = {
    "httpx": HttpxTransport,
    "aiohttp": AiohttpTransport,
    "httpx2": HttpxTransport,
}

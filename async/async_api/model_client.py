"""The client of the models: calls them one after the other, or all at once on the event loop."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from urllib.parse import urljoin

from async_api.transports import TRANSPORTS, Transport
from contract.errors import BadModelAnswer, ConnectionsInUse, ModelNotReady, ModelTimeout
from contract.model_answer import ModelAnswer, read_duration
from contract.schema import HEALTHCHECK_PATH, encode_numbers
from contract.scoring import ModelReply
from contract.settings import Settings


class ModelClient:
    """Calls all models of the settings, over connections shared by the requests of a process."""

    def __init__(self, settings: Settings) -> None:
        self._urls = settings.model_urls
        self._timeout_ms = settings.model_timeout_ms
        self._limit = settings.model_pool_size
        # Requests wait here, in order, and not in the pool of an HTTP client: that of httpx searches its queue.
        is_fifo = settings.model_pool_queue == "fifo"
        self._places = asyncio.Semaphore(self._limit) if is_fifo else nullcontext()
        self._make_transport = partial(TRANSPORTS[settings.http_client or "httpx"], settings)
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
        """Return the models' replies, in their order.

        Raises ModelTimeout, BadModelAnswer, ModelBusy or ConnectionsInUse.
        """
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
                    answer = await self._exchange(transport, number, "GET", urljoin(url, HEALTHCHECK_PATH))
                except (ModelTimeout, BadModelAnswer) as error:
                    raise ModelNotReady(number) from error
                if answer.status != 200:
                    raise ModelNotReady(number)

    async def close(self) -> None:
        if self._shared:
            await self._shared.close()

    def _borrow(self) -> AbstractAsyncContextManager[Transport]:
        """Return the transport for one request: the shared one, or a new one that is closed after it."""
        if self._shared:
            return nullcontext(self._shared)
        if self._is_pooled:
            raise RuntimeError("the model client is not open: the lifespan of its app has not started")
        return _closing(self._make_transport())

    async def _ask(self, transport: Transport, body: bytes, url: str, number: int) -> ModelReply:
        started_s = time.perf_counter()
        answer = await self._exchange(transport, number, "POST", url, body)
        detail_s = read_duration(answer, number)
        return ModelReply(detail_s, (time.perf_counter() - started_s) * 1e3, answer.retried)

    async def _exchange(
        self, transport: Transport, number: int, method: str, url: str, body: bytes | None = None
    ) -> ModelAnswer:
        """Send a request and read its answer before the deadline, which includes the wait for a connection."""
        timeout_s = self._timeout_ms / 1e3
        started_s = time.monotonic()
        waited_s = timeout_s
        try:
            async with asyncio.timeout(timeout_s), self._places:
                waited_s = time.monotonic() - started_s
                return await transport.send(method, url, body)
        except TimeoutError as error:
            if waited_s > timeout_s / 2:  # the model had no fair part of the time
                raise ConnectionsInUse(self._limit, "the models") from error
            raise ModelTimeout(number, self._timeout_ms) from error
        except transport.failures as error:
            raise BadModelAnswer(f"Model {number} cannot be reached.") from error


def _reply_or_raise(reply: ModelReply | BaseException) -> ModelReply:
    if isinstance(reply, BaseException):
        raise reply
    return reply


@asynccontextmanager
async def _closing(transport: Transport) -> AsyncIterator[Transport]:
    try:
        yield transport
    finally:
        await transport.close()

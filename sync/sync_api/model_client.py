"""The client of the models: calls them one after the other, or all at once in a thread pool."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, nullcontext
from functools import partial
from itertools import count
from threading import Semaphore
from urllib.parse import urljoin

from contract.errors import BadModelAnswer, ConnectionsInUse, ModelNotReady, ModelTimeout
from contract.model_answer import ModelAnswer, read_duration
from contract.schema import HEALTHCHECK_PATH, encode_numbers
from contract.scoring import ModelReply
from contract.settings import Settings
from sync_api.transports import TRANSPORTS, Transport

_LEAST_S = 1e-3  # a timeout of zero would mean something else


class ModelClient:
    """Calls all models of the settings, over connections shared by the threads of a process."""

    def __init__(self, settings: Settings) -> None:
        self._urls = settings.model_urls
        self._timeout_ms = settings.model_timeout_ms
        self._limit = settings.model_pool_size
        self._places = Semaphore(self._limit)  # urllib3 itself opens more connections than its pool has places
        self._make_transport = partial(TRANSPORTS[settings.http_client or "requests"], settings)
        self._shared = self._make_transport() if settings.client_reuse == "pooled" else None
        self._fan_out: ThreadPoolExecutor | None = None
        if settings.fan_out == "concurrent":
            self._fan_out = ThreadPoolExecutor(settings.threads * len(self._urls), "fan-out")

    def ask_all(self, numbers: Sequence[float]) -> list[ModelReply]:
        """Return the models' replies, in their order.

        Raises ModelTimeout, BadModelAnswer, ModelBusy or ConnectionsInUse.
        """
        body = encode_numbers(numbers)
        asked: Callable[..., Iterable[ModelReply]] = self._fan_out.map if self._fan_out else map
        with self._borrow() as transport:
            return list(asked(partial(self._ask, transport, body), self._urls, count(1)))

    def check(self) -> None:
        """Raise ModelNotReady with the model's number unless every model answers its health check."""
        with self._borrow() as transport:
            for number, url in enumerate(self._urls, 1):
                try:
                    answer = self._exchange(transport, number, "GET", urljoin(url, HEALTHCHECK_PATH))
                except (ModelTimeout, BadModelAnswer) as error:
                    raise ModelNotReady(number) from error
                if answer.status != 200:
                    raise ModelNotReady(number)

    def close(self) -> None:
        try:
            if self._fan_out:
                self._fan_out.shutdown()
        finally:
            if self._shared:
                self._shared.close()

    def _borrow(self) -> AbstractContextManager[Transport]:
        """Return the transport for one request: the shared one, or a new one that is closed after it."""
        return nullcontext(self._shared) if self._shared else closing(self._make_transport())

    def _ask(self, transport: Transport, body: bytes, url: str, number: int) -> ModelReply:
        started_s = time.perf_counter()
        answer = self._exchange(transport, number, "POST", url, body)
        detail_s = read_duration(answer, number)
        return ModelReply(detail_s, (time.perf_counter() - started_s) * 1e3, answer.retried)

    def _exchange(
        self, transport: Transport, number: int, method: str, url: str, body: bytes | None = None
    ) -> ModelAnswer:
        """Send a request and read its answer before the deadline, which includes the wait for a connection."""
        timeout_s = self._timeout_ms / 1e3
        started_s = time.monotonic()
        if not self._places.acquire(timeout=timeout_s):
            raise ConnectionsInUse(self._limit, "the models")
        waited_s = time.monotonic() - started_s
        try:
            return transport.send(method, url, body, max(timeout_s - waited_s, _LEAST_S))
        except transport.timeouts as error:
            if waited_s > timeout_s / 2:  # the model had no fair part of the time
                raise ConnectionsInUse(self._limit, "the models") from error
            raise ModelTimeout(number, self._timeout_ms) from error
        except transport.failures as error:
            raise BadModelAnswer(f"Model {number} cannot be reached.") from error
        finally:
            self._places.release()

"""The client of the models: calls them one after the other, or all at once in a thread pool."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, nullcontext
from functools import partial
from itertools import count
from typing import ClassVar, Protocol
from urllib.parse import urljoin

import requests
import urllib3

from contract.errors import BadModelAnswer, ModelNotReady, ModelTimeout
from contract.schema import HEALTHCHECK_PATH, JSON_CONTENT_TYPE, encode_numbers, parse_answer
from contract.scoring import ModelReply
from contract.settings import Settings

# Set explicitly: by default, Accept-Encoding depends on which packages are installed.
_HEADERS = {"Content-Type": JSON_CONTENT_TYPE, "Accept-Encoding": "identity"}
_Errors = tuple[type[Exception], ...]


class ModelClient:
    """Calls all models of the settings, over connections shared by the threads of a process."""

    def __init__(self, settings: Settings) -> None:
        self._urls = settings.model_urls
        self._timeout_ms = settings.model_timeout_ms
        self._make_transport = partial(_TRANSPORTS[settings.http_client or "requests"], settings)
        self._shared = self._make_transport() if settings.client_reuse == "pooled" else None
        self._fan_out: ThreadPoolExecutor | None = None
        if settings.fan_out == "concurrent":
            self._fan_out = ThreadPoolExecutor(settings.threads * len(self._urls), "fan-out")

    def ask_all(self, numbers: Sequence[float]) -> list[ModelReply]:
        """Return the models' replies, in their order. Raises ModelTimeout or BadModelAnswer."""
        body = encode_numbers(numbers)
        asked: Callable[..., Iterable[ModelReply]] = self._fan_out.map if self._fan_out else map
        with self._borrow() as transport:
            return list(asked(partial(self._ask, transport, body), self._urls, count(1)))

    def check(self) -> None:
        """Raise ModelNotReady with the model's number unless every model answers its health check."""
        with self._borrow() as transport:
            for number, url in enumerate(self._urls, 1):
                try:
                    status, _ = transport.send("GET", urljoin(url, HEALTHCHECK_PATH))
                except (*transport.timeouts, *transport.failures) as error:
                    raise ModelNotReady(number) from error
                if status != 200:
                    raise ModelNotReady(number)

    def close(self) -> None:
        try:
            if self._fan_out:
                self._fan_out.shutdown()
        finally:
            if self._shared:
                self._shared.close()

    def _borrow(self) -> AbstractContextManager["Transport"]:
        """Return the transport for one request: the shared one, or a new one that is closed after it."""
        return nullcontext(self._shared) if self._shared else closing(self._make_transport())

    def _ask(self, transport: "Transport", body: bytes, url: str, number: int) -> ModelReply:
        started_s = time.perf_counter()
        try:
            status, content = transport.send("POST", url, body)
        except transport.timeouts as error:
            raise ModelTimeout(number, self._timeout_ms) from error
        except transport.failures as error:
            raise BadModelAnswer(f"Model {number} cannot be reached.") from error
        if status != 200:
            raise BadModelAnswer(f"Model {number} answered with status {status}.")
        detail_s = parse_answer(content, number)
        return ModelReply(detail_s, (time.perf_counter() - started_s) * 1e3)


class Transport(Protocol):
    """An HTTP client: sends one request, returns status and body, or raises one of its errors."""

    timeouts: ClassVar[_Errors]
    failures: ClassVar[_Errors]

    def send(self, method: str, url: str, body: bytes | None = None) -> tuple[int, bytes]: ...

    def close(self) -> None: ...


class RequestsTransport:
    """requests: one session, its pool shared by all threads."""

    timeouts: ClassVar[_Errors] = (requests.Timeout,)
    failures: ClassVar[_Errors] = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)

    def __init__(self, settings: Settings) -> None:
        self._timeout_s = settings.model_timeout_ms / 1e3
        self._session = requests.Session()
        self._session.trust_env = False  # otherwise every request looks for proxies in the environment
        adapter = requests.adapters.HTTPAdapter(len(settings.model_urls), settings.model_pool_size)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def send(self, method: str, url: str, body: bytes | None = None) -> tuple[int, bytes]:
        try:
            response = self._session.request(
                method, url, data=body, headers=_HEADERS, timeout=self._timeout_s, allow_redirects=False
            )
        except requests.ConnectionError as error:
            # requests raises ConnectionError if a model stops in the middle of its answer, which is a timeout.
            if any(isinstance(cause, urllib3.exceptions.ReadTimeoutError) for cause in error.args):
                raise requests.Timeout from error
            raise
        return response.status_code, response.content

    def close(self) -> None:
        self._session.close()


class Urllib3Transport:
    """urllib3: the pool below requests, without what requests adds."""

    timeouts: ClassVar[_Errors] = (urllib3.exceptions.TimeoutError,)
    failures: ClassVar[_Errors] = (urllib3.exceptions.HTTPError, OSError)

    def __init__(self, settings: Settings) -> None:
        self._pools = urllib3.PoolManager(
            maxsize=settings.model_pool_size, timeout=settings.model_timeout_ms / 1e3, retries=False
        )

    def send(self, method: str, url: str, body: bytes | None = None) -> tuple[int, bytes]:
        try:
            response = self._pools.urlopen(method, url, body=body, headers=_HEADERS, redirect=False)
        except urllib3.exceptions.NewConnectionError as error:
            raise ConnectionError from error  # urllib3 counts a refused connection among its timeouts
        return response.status, response.data

    def close(self) -> None:
        self._pools.clear()


_TRANSPORTS: dict[str, Callable[[Settings], Transport]] = {
    "requests": RequestsTransport,
    "urllib3": Urllib3Transport,
}

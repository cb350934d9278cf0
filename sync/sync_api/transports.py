"""The HTTP clients with which the models can be asked."""

from collections.abc import Callable
from typing import ClassVar, Protocol

import requests
import urllib3

from contract.model_answer import MAX_ANSWER_BYTES, REQUEST_HEADERS, ModelAnswer
from contract.settings import Settings
from sync_api.connections import prepare_pools, read_at_most, was_repeated

_Errors = tuple[type[Exception], ...]


class Transport(Protocol):
    """An HTTP client: sends one request within a time, returns the answer, or raises one of its errors."""

    timeouts: ClassVar[_Errors]
    failures: ClassVar[_Errors]

    def send(self, method: str, url: str, body: bytes | None, timeout_s: float) -> ModelAnswer: ...

    def close(self) -> None: ...


class RequestsTransport:
    """requests: one session, its pool shared by all threads."""

    timeouts: ClassVar[_Errors] = (requests.Timeout, urllib3.exceptions.ReadTimeoutError)
    failures: ClassVar[_Errors] = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)

    def __init__(self, settings: Settings) -> None:
        self._session = _Session()
        self._session.trust_env = False  # otherwise every request looks for proxies in the environment
        adapter = requests.adapters.HTTPAdapter(len(settings.model_urls), settings.model_pool_size)
        prepare_pools(adapter.poolmanager)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def send(self, method: str, url: str, body: bytes | None, timeout_s: float) -> ModelAnswer:
        response = self._session.request(
            method,
            url,
            data=body,
            headers=REQUEST_HEADERS,
            timeout=urllib3.Timeout(total=timeout_s),  # type: ignore[arg-type]
            allow_redirects=False,
            stream=True,
        )
        return _read(response.raw)

    def close(self) -> None:
        self._session.close()


class _Session(requests.Session):
    def get_redirect_target(self, _: requests.Response) -> None:
        """Follow nothing. By itself, requests reads the whole body of an answer that redirects, however long."""


class Urllib3Transport:
    """urllib3: the pool below requests, without what requests adds."""

    timeouts: ClassVar[_Errors] = (urllib3.exceptions.TimeoutError,)
    failures: ClassVar[_Errors] = (urllib3.exceptions.HTTPError, OSError)

    def __init__(self, settings: Settings) -> None:
        self._pools = urllib3.PoolManager(maxsize=settings.model_pool_size, retries=False)
        prepare_pools(self._pools)

    def send(self, method: str, url: str, body: bytes | None, timeout_s: float) -> ModelAnswer:
        try:
            response = self._pools.urlopen(
                method,
                url,
                body=body,
                headers=REQUEST_HEADERS,
                timeout=urllib3.Timeout(total=timeout_s),
                redirect=False,
                preload_content=False,
            )
        except urllib3.exceptions.NewConnectionError as error:
            raise ConnectionError from error  # urllib3 counts a refused connection among its timeouts
        return _read(response)

    def close(self) -> None:
        self._pools.clear()


def _read(response: urllib3.BaseHTTPResponse) -> ModelAnswer:
    body = read_at_most(response, MAX_ANSWER_BYTES)
    return ModelAnswer(response.status, body, response.headers.get("Retry-After"), was_repeated(response))


TRANSPORTS: dict[str, Callable[[Settings], Transport]] = {
    "requests": RequestsTransport,
    "urllib3": Urllib3Transport,
}

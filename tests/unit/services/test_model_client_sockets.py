"""Clients of models that answer over real sockets: whole, in part, or not at all."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import async_api.model_client
import sync_api.model_client
from contract.errors import BadModelAnswer, ModelTimeout, ServiceError
from contract.scoring import ModelReply
from contract.settings import Architecture, SettingsError, load_settings

TIMEOUT_MS = 300  # of a model that never answers: reached by every machine, however busy
PATIENCE_S = 30  # only a failing test waits that long


class RawModel:
    """Listens on loopback, reads a request and answers with these bytes; then hangs up or says no more."""

    def __init__(self, answer: bytes, hangs_up: bool) -> None:
        self._answer, self._hangs_up = answer, hangs_up
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/predict"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connections: list[socket.socket] = []
        with contextlib.suppress(OSError):
            while not self._over.is_set():
                connection, _ = self._listener.accept()
                connections.append(connection)
                request = b""
                while not request.endswith(REQUEST_BODY):
                    request += connection.recv(65536)
                connection.sendall(self._answer)
                if self._hangs_up:
                    connection.shutdown(socket.SHUT_RDWR)
        for connection in connections:
            connection.close()

    def close(self) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()


REQUEST_BODY = b"[1.0]"
WHOLE = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n{"detail": 0.041}'
FALLS_SILENT = {
    "before its answer": b"",
    "within the headers": WHOLE[:30],
    "within the body": WHOLE[:-5],
}
HANGS_UP = {
    "before its answer": b"",
    "within the body": WHOLE[:-5],
    "after words of another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
}


def ask_for_real(
    twin: Architecture, client: str, url: str, timeout_ms: int = PATIENCE_S * 1000, reuse: str = "pooled"
) -> list[ModelReply]:
    settings = load_settings(
        twin, "scoring", http_client=client, model_urls=(url,), model_timeout_ms=timeout_ms, client_reuse=reuse
    )
    if twin == "sync":
        with contextlib.closing(sync_api.model_client.ModelClient(settings)) as models:
            return models.ask_all([1.0])

    async def ask() -> list[ModelReply]:
        async with async_api.model_client.ModelClient(settings) as models:
            return await models.ask_all([1.0])

    return asyncio.run(ask())


@pytest.fixture
def raw_model() -> Iterator[Callable[[bytes, bool], RawModel]]:
    started: list[RawModel] = []

    def start(answer: bytes, hangs_up: bool) -> RawModel:
        started.append(RawModel(answer, hangs_up))
        return started[-1]

    yield start
    for model in started:
        model.close()


every_client = pytest.mark.parametrize(
    ("twin", "client"),
    [("sync", "requests"), ("sync", "urllib3"), ("async", "httpx"), ("async", "aiohttp"), ("async", "httpx2")],
)
every_reuse = pytest.mark.parametrize("reuse", ["pooled", "per-request"])


@pytest.mark.integration
@every_client
@every_reuse
def test_a_whole_answer_is_read(twin: Architecture, client: str, reuse: str, raw_model: Any) -> None:
    (reply,) = ask_for_real(twin, client, raw_model(WHOLE, True).url, reuse=reuse)
    assert reply.detail_s == 0.041


@pytest.mark.integration
@every_client
@every_reuse
@pytest.mark.parametrize("when", FALLS_SILENT)
def test_a_model_that_falls_silent_is_a_timeout(
    twin: Architecture, client: str, reuse: str, when: str, raw_model: Any
) -> None:
    with pytest.raises(ServiceError) as raised:
        ask_for_real(twin, client, raw_model(FALLS_SILENT[when], False).url, TIMEOUT_MS, reuse)
    assert raised.value.body() == ModelTimeout(1, TIMEOUT_MS).body()


@pytest.mark.integration
@every_client
@every_reuse
@pytest.mark.parametrize("when", HANGS_UP)
def test_a_model_that_hangs_up_cannot_be_reached(
    twin: Architecture, client: str, reuse: str, when: str, raw_model: Any
) -> None:
    with pytest.raises(ServiceError) as raised:
        ask_for_real(twin, client, raw_model(HANGS_UP[when], True).url, reuse=reuse)
    assert raised.value.body() == BadModelAnswer("Model 1 cannot be reached.").body()


@pytest.mark.integration
@every_client
def test_a_model_that_hangs_up_within_the_headers_is_a_bad_answer(
    twin: Architecture, client: str, raw_model: Any
) -> None:
    """Some libraries take the headers for complete, and find no body: nonsense rather than nothing."""
    with pytest.raises(BadModelAnswer):
        ask_for_real(twin, client, raw_model(WHOLE[:30], True).url)


@pytest.mark.integration
@every_client
@every_reuse
def test_a_model_that_is_not_there_cannot_be_reached(twin: Architecture, client: str, reuse: str) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        with pytest.raises(BadModelAnswer, match=r"Model 1 cannot be reached\."):
            ask_for_real(twin, client, f"http://127.0.0.1:{nobody.getsockname()[1]}/", reuse=reuse)


@pytest.mark.integration
@every_client
@pytest.mark.parametrize("url", ["http://", "http://[", "http://127.0.0.1:99999/", "http://a b/"])
def test_a_url_that_leads_nowhere_is_refused_at_the_start_or_cannot_be_reached(
    twin: Architecture, client: str, url: str
) -> None:
    with pytest.raises((SettingsError, BadModelAnswer), match=r"model_urls|MODEL_URLS|Model 1 cannot be reached\."):
        ask_for_real(twin, client, url)

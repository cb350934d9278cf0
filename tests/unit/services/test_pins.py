"""What a library would choose by the packages that are installed, or by the shell, is chosen here."""

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from redis._parsers.hiredis import _AsyncHiredisParser, _HiredisParser

import async_api.features
import async_api.model_client
import async_api.transports
import sync_api.features
import sync_api.model_client
from benchmark.stack import processes as stack
from contract.settings import load_settings
from tests.conftest import CONTENDERS

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\nConnection: close\r\n\r\n{"detail": 0.04}'


@pytest.fixture
def model() -> Iterator[tuple[str, list[bytes]]]:
    """The URL of a model that answers one request, and what that was."""
    requests: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                received = b""
                while not received.endswith(b"[1.0]"):
                    received += connection.recv(4096)
                requests.append(received)
                connection.sendall(ANSWER)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/predict", requests
        thread.join()


@pytest.mark.parametrize("library", ["requests", "urllib3"])
def test_sync_clients_ask_for_no_encoding_whatever_can_decode_one(model: tuple[str, list[bytes]], library: str) -> None:
    url, requests = model
    settings = load_settings("sync", "scoring", http_client=library, model_urls=(url,))
    with contextlib.closing(sync_api.model_client.ModelClient(settings)) as client:
        client.ask_all([1.0])
    assert encodings(requests) == [b"identity"]


@pytest.mark.parametrize("library", ["httpx", "aiohttp", "httpx2"])
def test_async_clients_ask_for_no_encoding_whatever_can_decode_one(
    model: tuple[str, list[bytes]], library: str
) -> None:
    url, requests = model
    settings = load_settings("async", "scoring", http_client=library, model_urls=(url,))

    async def ask() -> None:
        async with async_api.model_client.ModelClient(settings) as client:
            await client.ask_all([1.0])

    asyncio.run(ask())
    assert encodings(requests) == [b"identity"]


def encodings(requests: list[bytes]) -> list[bytes]:
    lines = [line.partition(b":") for request in requests for line in request.split(b"\r\n")]
    return [value.strip() for name, _, value in lines if name.lower() == b"accept-encoding"]


def test_aiohttp_resolves_names_without_aiodns() -> None:
    async def resolver() -> Any:
        transport = async_api.transports.AiohttpTransport(load_settings("async", "scoring"))
        connector = transport._session.connector
        await transport.close()
        return connector._resolver if isinstance(connector, aiohttp.TCPConnector) else None

    assert isinstance(asyncio.run(resolver()), aiohttp.ThreadedResolver)


def test_answers_of_redis_are_parsed_by_hiredis() -> None:
    ours: Any = sync_api.features.FeatureStore(load_settings("sync", "scoring"))._redis
    theirs: Any = async_api.features.FeatureStore(load_settings("async", "scoring"))._redis
    assert isinstance(ours.connection_pool.make_connection()._parser, _HiredisParser)
    assert isinstance(theirs.connection_pool.make_connection()._parser, _AsyncHiredisParser)


@pytest.mark.parametrize("module", [sync_api.features, async_api.features], ids=["sync", "async"])
def test_a_store_without_hiredis_does_not_start(module: Any) -> None:
    assert module.hiredis.__name__ == "hiredis"


@pytest.mark.parametrize(
    "variable",
    [
        *("SERVING_THREADS", "GUNICORN_CMD_ARGS", "UVICORN_LOOP", "FLASK_DEBUG", "FASTAPI_OTEL_AUTO_CONFIGURE"),
        *("OTEL_SDK_DISABLED", "AIOHTTP_NO_EXTENSIONS", "WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS", "SCRIPT_NAME"),
        *("SENDFILE", "PYTHONASYNCIODEBUG", "PYTHONDEVMODE"),
    ],
)
def test_processes_that_are_measured_do_not_see_the_shells_settings(
    variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv(variable, "1")
    contender = CONTENDERS["async"]
    launch = stack.Launch(contender, contender.process[-1], {}, {"SERVING_PORT": "7"}, tmp_path / "log")
    given = stack._environment(launch)
    assert variable not in given
    assert given["SERVING_PORT"] == "7"
    assert given["PATH"] == os.environ["PATH"]

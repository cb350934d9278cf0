"""The same services on other servers: told what gunicorn and uvicorn are told, from the same settings."""

from typing import Any

import pytest
from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops

import async_api.granian_server
from contract.limits import OpenFiles
from contract.settings import load_settings
from tests.unit.services.test_servers import SETTINGS


@pytest.fixture
def granian(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the servers that were started."""
    started: list[Any] = []

    def serve(server: Any) -> None:
        started.append(server)

    monkeypatch.setattr(Granian, "serve", serve)
    monkeypatch.setattr(async_api.granian_server, "open_files", lambda: OpenFiles(20_000, 20_000))
    return started


def test_granian_is_told_what_uvicorn_is_told(granian: list[Any]) -> None:
    async_api.granian_server.run(load_settings("async", "scoring", **SETTINGS), "serve")
    (server,) = granian
    assert {
        "host": server.bind_addr,
        "port": server.bind_port,
        "workers": server.workers,
        "backlog": server.backlog,
        "keep_alive_s": server.http1_settings.header_read_timeout / 1000,
        "drain_timeout_s": server.workers_kill_timeout,
        "log_level": server.log_level.value,
    } == SETTINGS
    assert (server.target, server.factory) == ("async_api.serve:load_scoring", True)


def test_granian_runs_the_same_loop_and_protocol_and_logs_no_access(granian: list[Any]) -> None:
    async_api.granian_server.run(load_settings("async", "scoring"), "serve")
    (server,) = granian
    assert (server.interface, server.loop, server.http) == (Interfaces.ASGI, Loops.uvloop, HTTPModes.http1)
    assert (server.workers, server.websockets, server.log_access) == (1, False, False)


def test_open_files_and_no_number_of_requests_limit_the_connections_of_granian(granian: list[Any]) -> None:
    async_api.granian_server.run(load_settings("async", "scoring", workers=4, backlog=200), "serve")
    (server,) = granian
    assert server.backpressure == 20_000

"""The same services on other servers: told what gunicorn and uvicorn are told, from the same settings."""

import socket
import subprocess
import sys
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from gunicorn.http.errors import ExpectationFailed, InvalidHeaderName, LimitRequestHeaders, LimitRequestLine

import async_api.granian_server
import async_api.http.connections
import sync_api.gevent_server
import sync_api.http.worker
from contract.limits import OpenFiles
from contract.settings import load_settings
from sync_api.server import Server
from tests.unit.services.test_servers import SETTINGS

PATIENCE_S = 30  # only a failing test waits that long


@pytest.fixture
def granian(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the servers that were started."""
    started: list[Any] = []

    def serve(server: Any) -> None:
        started.append(server)

    monkeypatch.setattr(Granian, "serve", serve)
    monkeypatch.setattr(async_api.http.connections, "open_files", lambda: OpenFiles(20_000, 20_000))
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
    assert server.backpressure == 20_000 - 100 - 3 * 128  # without what the store and two models take of each request


def test_gevents_workers_are_told_what_those_with_threads_are_told() -> None:
    settings = load_settings("sync", "scoring", **SETTINGS)
    ours, theirs = (
        Server(settings, "serve", worker).cfg
        for worker in (sync_api.gevent_server.GreenletWorker, sync_api.http.worker.Worker)
    )
    assert ours.worker_class is sync_api.gevent_server.GreenletWorker
    assert {name for name in ours.settings if ours.settings[name].get() != theirs.settings[name].get()} == {
        "worker_class"
    }


def test_what_uses_sockets_is_imported_after_gevent_has_replaced_them() -> None:
    look = (
        "import sync_api.gevent_server, sys, gevent.monkey\n"
        "print(sorted({'requests', 'urllib3', 'redis'} & set(sys.modules)), gevent.monkey.is_module_patched('socket'))"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout == "[] False\n"


def test_a_connection_of_a_stopping_gevent_worker_that_asks_nothing_is_not_waited_for() -> None:
    idle: dict[gevent.Timeout, Any] = {}
    ended: list[str] = []

    def handle() -> None:  # as gunicorn's worker does
        with sync_api.gevent_server._Waiting(PATIENCE_S, idle):
            gevent.sleep(PATIENCE_S)
            ended.append("after its time")
        ended.append("quietly")

    connection = gevent.spawn(handle)
    gevent.sleep(0)
    worker: Any = SimpleNamespace(_idle=idle)
    sync_api.gevent_server.GreenletWorker.end_idle(worker)
    connection.get(timeout=PATIENCE_S)
    assert (ended, idle) == (["quietly"], {})


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (LimitRequestLine(9000), 414),
        (LimitRequestHeaders("many"), 431),
        (ExpectationFailed("more"), 417),
        (InvalidHeaderName("a b"), 400),
    ],
)
def test_what_gunicorns_parser_refuses_is_a_problem_document_on_gevent_too(raised: Exception, status: int) -> None:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        sync_api.gevent_server.GreenletWorker.handle_error(None, None, theirs, None, raised)  # type: ignore[arg-type]
        answer = ours.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nContent-Type: application/problem+json\r\n" in answer

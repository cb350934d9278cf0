"""The sync twin's worker without processes: which connections count, and what becomes of those beyond the limit."""

import errno
import logging
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

import sync_api.serve
from contract.settings import load_settings

LIMIT = 3


class FakeSocket:
    """A socket that does nothing, and is open."""

    def setblocking(self, _: bool) -> None: ...

    def close(self) -> None: ...


class FakeListener:
    """A listening socket with clients waiting, or one that fails."""

    def __init__(self, clients: int = 0, error: int = errno.EAGAIN) -> None:
        self.waiting, self._error = [FakeSocket() for _ in range(clients)], error

    def accept(self) -> tuple[FakeSocket, tuple[str, int]]:
        if not self.waiting:
            raise OSError(self._error, "as told")
        return self.waiting.pop(0), ("127.0.0.1", 1)

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 2


class FakePool:
    """An executor that only writes down what it is given."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Any, Future[Any]]] = []

    def submit(self, _: Any, conn: Any) -> Future[Any]:
        self.jobs.append((conn, Future()))
        return self.jobs[-1][1]

    def finish(self) -> None:
        self.jobs.pop(0)[1].set_result(False)

    def shutdown(self, wait: bool = True) -> None: ...


class FakePoller:
    """Remembers what waits to become readable."""

    def __init__(self) -> None:
        self.waiting: dict[Any, Any] = {}

    def register(self, client: Any, _: int, callback: Any) -> None:
        self.waiting[client] = callback

    def unregister(self, client: Any) -> None:
        del self.waiting[client]

    def send(self) -> None:
        """Have every client that is waited for send something."""
        for client, callback in list(self.waiting.items()):
            callback(client)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    server = sync_api.serve.Server(load_settings("sync", "model", max_in_flight=LIMIT, threads=1))
    made: Any = sync_api.serve.Worker(1, 1, [], server, 30, server.cfg, logging.getLogger("test"))
    made.tpool, made._refusing, made.poller = FakePool(), FakePool(), FakePoller()
    monkeypatch.setattr(made.method_queue, "defer", lambda callback, *args: callback(*args))
    yield made
    made.tmp.close()


def accept(worker: Any, clients: int) -> None:
    listener = FakeListener(clients)
    for _ in range(clients):
        worker.accept(listener)


def test_a_connection_that_has_sent_nothing_holds_no_thread_and_is_no_request(worker: Any) -> None:
    accept(worker, 5 * LIMIT)
    assert (worker.tpool.jobs, worker._refusing.jobs) == ([], [])
    assert len(worker.poller.waiting) == worker.nr_conns == 5 * LIMIT


def test_so_many_requests_are_let_in_those_that_wait_for_a_thread_included(worker: Any) -> None:
    accept(worker, LIMIT + 2)
    worker.poller.send()
    assert (len(worker.tpool.jobs), len(worker._refusing.jobs)) == (LIMIT, 2)
    assert all(conn.data_ready for conn, _ in (*worker.tpool.jobs, *worker._refusing.jobs))


def test_a_request_that_was_answered_makes_room_and_a_refused_one_does_not(worker: Any) -> None:
    accept(worker, LIMIT + 2)
    worker.poller.send()
    worker._refusing.finish()
    worker._refusing.finish()
    accept(worker, 1)
    worker.poller.send()
    assert len(worker._refusing.jobs) == 1
    worker.tpool.finish()
    accept(worker, 2)
    worker.poller.send()
    assert (len(worker.tpool.jobs), len(worker._refusing.jobs)) == (LIMIT, 2)


def test_only_what_is_refused_is_told_so(worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bool] = []
    app = sync_api.serve._telling(lambda environ, _: told.append(environ["sync_api.full"]), worker._mark)
    refusing = ThreadPoolExecutor(1, "refusing", worker._mark.refuse)
    app({}, None)
    refusing.submit(app, {}, None).result()
    app({}, None)
    refusing.shutdown()
    assert told == [False, True, False]


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE])
def test_without_files_left_the_worker_lives_and_accepts_again_once_a_connection_has_ended(
    worker: Any, error: int, caplog: pytest.LogCaptureFixture
) -> None:
    accept(worker, 5)
    worker.accept(FakeListener(error=error))
    assert worker.worker_connections == worker.nr_conns == 5
    assert "as told" in caplog.text
    assert "beyond 5" in caplog.text


@pytest.mark.parametrize("error", [errno.EAGAIN, errno.ECONNABORTED])
def test_a_client_that_is_gone_again_is_nothing(worker: Any, error: int) -> None:
    worker.accept(FakeListener(error=error))
    assert worker.nr_conns == 0


def test_any_other_error_of_accepting_is_one(worker: Any) -> None:
    with pytest.raises(OSError, match="as told"):
        worker.accept(FakeListener(error=errno.EBADF))


def test_a_stopping_worker_does_not_wait_for_connections_that_have_never_asked(worker: Any) -> None:
    accept(worker, 2)
    worker._cap_keepalive(0.0)
    worker.murder_pending()
    assert (worker.nr_conns, worker.poller.waiting) == (0, {})


def test_as_many_idle_connections_are_kept_as_there_may_be(worker: Any) -> None:
    assert worker.max_keepalived == worker.worker_connections

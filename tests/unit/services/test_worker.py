"""The sync twin's worker without processes: which connections count, and what becomes of those beyond the limit."""

import contextlib
import errno
import io
import logging
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.workers.gthread import ThreadWorker

import sync_api.server
from contract.settings import load_settings

LIMIT = 3


class FakeSocket:
    """A socket that has something to read, an end of file, or an error."""

    def __init__(self, received: bytes | OSError = b"P") -> None:
        self.received = received

    def setblocking(self, _: bool) -> None: ...

    def recv(self, size: int, flags: int) -> bytes:
        assert (size, flags) == (1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        if isinstance(self.received, OSError):
            raise self.received
        return self.received

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
    """An executor that only writes down what it is given, until it is told to do it."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Callable[[Any], Any], Any, Future[Any]]] = []

    def submit(self, work: Callable[[Any], Any], conn: Any) -> Future[Any]:
        self.jobs.append((work, conn, Future()))
        return self.jobs[-1][2]

    def finish(self) -> None:
        work, conn, future = self.jobs.pop(0)
        future.set_result(work(conn))

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


Told = list[tuple[bool, int]]  # by request: whether its app was told that all is full, and how many places were left


@pytest.fixture
def told() -> Told:
    return []


def places(worker: Any) -> int:
    return len(worker._places)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch, told: Told) -> Iterator[Any]:
    server = sync_api.server.Server(load_settings("sync", "model", max_in_flight=LIMIT, threads=1))
    made: Any = sync_api.server.Worker(1, 1, [], server, 30, server.cfg, logging.getLogger("test"))
    made.tpool, made._refusing, made.poller = FakePool(), FakePool(), FakePoller()
    monkeypatch.setattr(made.method_queue, "defer", lambda callback, *args: callback(*args))
    monkeypatch.setattr(ThreadWorker, "handle", lambda worker, _: worker.wsgi({}, None))
    monkeypatch.setattr(
        server, "load", lambda: lambda environ, _: told.append((environ["sync_api.full"], places(made)))
    )
    made.load_wsgi()
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
    assert all(conn.data_ready for _, conn, _ in (*worker.tpool.jobs, *worker._refusing.jobs))


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


def test_only_what_is_refused_is_told_so(worker: Any, told: Told) -> None:
    accept(worker, LIMIT + 1)
    worker.poller.send()
    worker._refusing.finish()
    while worker.tpool.jobs:
        worker.tpool.finish()
    assert told == [(True, 0), (False, 0), (False, 1), (False, 2)]
    assert places(worker) == LIMIT


def test_a_place_is_free_again_before_the_answer_is_sent(worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def handle(worker: Any, _: Any) -> bool:
        worker.wsgi({}, None)
        seen.append(places(worker))  # here gunicorn sends
        return False

    monkeypatch.setattr(ThreadWorker, "handle", handle)
    accept(worker, LIMIT)
    worker.poller.send()
    worker.tpool.finish()
    assert seen == [1]
    assert places(worker) == 1


def test_a_request_that_never_comes_to_the_app_gives_its_place_back(
    worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("as told")

    accept(worker, LIMIT + 1)
    worker.poller.send()
    for handle in (fail, lambda *_: False):
        monkeypatch.setattr(ThreadWorker, "handle", handle)
        work, conn, _ = worker.tpool.jobs.pop()
        with contextlib.suppress(ValueError):
            work(conn)
    assert places(worker) == 2


@pytest.mark.parametrize("received", [b"", ConnectionResetError()])
def test_a_client_that_hangs_up_takes_no_place_and_no_thread(worker: Any, received: Any) -> None:
    accept(worker, 2)
    for client in worker.poller.waiting:
        client.received = received
    worker.poller.send()
    assert (places(worker), worker.nr_conns, worker.tpool.jobs, worker._refusing.jobs) == (LIMIT, 0, [], [])


def test_what_came_with_the_request_before_is_one_though_its_client_sends_no_more(worker: Any) -> None:
    conn = SimpleNamespace(sock=FakeSocket(b""), parser=SimpleNamespace(unreader=SimpleNamespace(buf=io.BytesIO(b"P"))))
    worker.enqueue_req(conn)
    assert len(worker.tpool.jobs) == 1


def test_a_connection_that_turns_out_not_to_be_readable_is_taken_for_a_request(worker: Any) -> None:
    accept(worker, 1)
    next(iter(worker.poller.waiting)).received = BlockingIOError()
    worker.poller.send()
    assert len(worker.tpool.jobs) == 1


@pytest.mark.parametrize(("threads", "limit", "looked_from"), [(64, 1024, 64), (128, 1024, 128), (2, 8, 0), (64, 8, 0)])
def test_a_request_that_need_not_wait_is_not_looked_at_beforehand(threads: int, limit: int, looked_from: int) -> None:
    server = sync_api.server.Server(load_settings("sync", "model", max_in_flight=limit, threads=threads))
    made: Any = sync_api.server.Worker(1, 1, [], server, 30, server.cfg, logging.getLogger("test"))
    assert limit - made._few == looked_from
    made.tmp.close()


def test_a_refusal_gives_no_place_back(worker: Any) -> None:
    accept(worker, LIMIT + 2)
    worker.poller.send()
    worker._refusing.finish()
    worker._refusing.finish()
    assert places(worker) == 0


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

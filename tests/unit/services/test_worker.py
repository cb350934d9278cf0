"""The sync twin's worker in one thread: what it reads, lets in, refuses and ends; jobs are done when a test says so."""

import errno
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

import sync_api.http.worker
import sync_api.server
from contract import errors
from contract.settings import load_settings
from sync_api.http import held
from sync_api.http.connection import Output, State
from tests.unit.services.worker_in_one_thread import (
    BODY,
    GET,
    HEAD,
    LIMIT,
    POST,
    FakeListener,
    FakePool,
    Tried,
    is_closed,
    status,
)


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tried]:
    server = sync_api.server.Server(load_settings("sync", "model", max_in_flight=LIMIT, threads=1))
    worker: Any = sync_api.http.worker.Worker(1, 1, [], server, 30, server.cfg, server.cfg.logger_class(server.cfg))
    worker.tpool, worker._aside, worker.poller = FakePool(worker.handle), FakePool(worker.handle), held.make_poller()
    monkeypatch.setattr(held, "accept", lambda listener: listener.accept()[0])
    worker.method_queue.init()
    worker.poller.register(worker.method_queue.fileno(), 0, worker.method_queue.run_callbacks)
    worker._sweep()
    made = Tried(worker)
    yield made
    for conn in list(worker._connections):
        worker._close(conn)
    for client in made.clients:
        client.close()
    worker.method_queue.close()
    worker.poller.close()
    worker.tmp.close()


@pytest.mark.parametrize("sent", [b"", POST[:5], HEAD, POST[:-1], GET[:-1]])
def test_a_request_that_is_not_whole_holds_no_thread_and_is_not_counted(tried: Tried, sent: bytes) -> None:
    for _ in range(5 * LIMIT):
        tried.connect(sent)
    assert tried.jobs == (0, 0)
    client = tried.connect(POST)
    tried.finish()
    assert status(client) == 200


def test_a_thread_is_given_a_request_with_its_last_byte(tried: Tried) -> None:
    client = tried.connect()
    for at in range(len(POST)):
        assert tried.jobs == (0, 0)
        tried.send(client, POST[at : at + 1])
    tried.finish()
    assert client.recv(65_536).endswith(BODY)


def test_what_exceeds_the_limit_is_refused_without_a_thread_and_may_ask_again(tried: Tried) -> None:
    clients = [tried.connect(POST) for _ in range(LIMIT + 2)]
    refusals = [client.recv(65_536) for client in clients[LIMIT:]]
    assert tried.jobs == (LIMIT, 0)
    for refusal in refusals:
        assert refusal.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"\r\nRetry-After: 1\r\n" in refusal
        assert b"\r\nConnection: keep-alive\r\n" in refusal
        assert refusal.endswith(errors.TooManyInFlight(LIMIT).body())
    tried.finish()
    tried.send(clients[-1], POST)
    while any(tried.jobs):
        tried.finish()
    assert status(clients[-1]) == 200
    assert tried.asked == ["POST"] * (LIMIT + 1)


def test_a_refused_client_that_asks_to_close_is_closed(tried: Tried) -> None:
    for _ in range(LIMIT):
        tried.connect(POST)
    client = tried.connect(POST.replace(b"Host", b"Connection: close\r\nHost"))
    assert b"\r\nConnection: close\r\n" in client.recv(65_536)
    assert is_closed(client)


def test_what_is_no_post_is_answered_while_all_threads_are_busy_and_is_not_counted(tried: Tried) -> None:
    tried.connect(GET)
    assert tried.jobs == (1, 0)  # by any thread, as long as one is free
    tried.finish()
    for _ in range(LIMIT):
        tried.connect(POST)
    client = tried.connect(GET)
    assert tried.jobs == (LIMIT, 1)
    tried.worker._aside.finish()
    assert status(client) == 200


def test_a_place_is_free_again_before_the_answer_is_sent(tried: Tried, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def send(_: socket.socket, data: bytes) -> int:
        seen.append(len(tried.worker._in_flight))
        return len(data)

    monkeypatch.setattr(held, "send", send)
    tried.connect(POST)
    assert len(tried.worker._in_flight) == 1
    tried.worker.tpool.finish()
    assert seen == [0]


def test_requests_that_come_at_once_are_answered_in_turn(tried: Tried) -> None:
    client = tried.connect(POST + GET + POST)
    while any(tried.jobs):
        tried.finish()
    assert client.recv(65_536).count(b"HTTP/1.1 200 OK") == 3
    assert tried.asked == ["POST", "GET", "POST"]


def test_an_answer_is_sent_in_one_piece(tried: Tried, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bytes] = []
    monkeypatch.setattr(Output, "_send", lambda _, data: sent.append(data))
    tried.connect(POST)
    tried.finish()
    (answer,) = sent
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n" + BODY)


@pytest.mark.parametrize("sent", [POST[:5], HEAD])
def test_a_request_that_takes_too_long_is_answered_408_and_its_connection_closes(tried: Tried, sent: bytes) -> None:
    client = tried.connect(sent)
    tried.worker._sweep()
    tried.conn().deadline_s -= tried.worker._settings.request_timeout_s
    tried.worker._sweep()
    assert client.recv(65_536).startswith(b"HTTP/1.1 408 ")
    assert is_closed(client)


def test_a_slow_request_is_timed_from_its_first_byte_not_its_last(tried: Tried) -> None:
    client = tried.connect(POST[:1])
    before = tried.conn().deadline_s
    tried.send(client, POST[1:9])
    assert tried.conn().deadline_s == before


def test_a_connection_that_asks_nothing_is_closed_after_its_time_and_without_a_word(tried: Tried) -> None:
    client = tried.connect()
    tried.worker._sweep()
    assert tried.conn().state is State.IDLE
    tried.conn().deadline_s -= tried.worker.cfg.keepalive
    tried.worker._sweep()
    assert is_closed(client)


@pytest.mark.parametrize("sent", [b"", POST[:5], HEAD])
def test_a_client_that_hangs_up_before_its_request_is_whole_is_forgotten(tried: Tried, sent: bytes) -> None:
    tried.connect(sent).close()
    tried.turn()
    assert (tried.jobs, tried.worker._connections) == ((0, 0), set())


def test_a_client_that_only_stops_sending_is_answered_and_then_closed(tried: Tried) -> None:
    client = tried.connect(POST)
    client.shutdown(socket.SHUT_WR)
    tried.turn()
    tried.finish()
    assert status(client) == 200
    assert is_closed(client)


def test_nobody_works_for_a_client_that_left_while_it_waited_for_a_thread(tried: Tried) -> None:
    tried.connect(POST).close()
    tried.turn()
    tried.conn().queued_s -= 1.0
    tried.finish()
    assert (tried.asked, tried.worker._connections, tried.worker._in_flight) == ([], set(), set())


def test_a_client_that_pipelines_without_end_is_not_read_while_it_waits(tried: Tried) -> None:
    client = tried.connect(POST)
    conn = tried.conn()
    long = GET.replace(b"Host", b"A: " + b"a" * 5000 + b"\r\nHost")
    tried.send(client, long * 20)
    assert not conn.registered
    while any(tried.jobs):
        tried.finish()
    assert conn.registered
    assert tried.asked == ["POST"] + ["GET"] * 20


def test_a_connection_that_closes_late_is_lingered_for_without_waiting(tried: Tried) -> None:
    closing_one = tried.connect(GET.replace(b"Host", b"Connection: close\r\nHost"))
    tried.finish()
    assert tried.conn().state is State.LINGERING
    assert status(closing_one) == 200
    assert is_closed(closing_one)
    tried.send(closing_one, POST)  # it is discarded
    other = tried.connect(POST)
    tried.finish()
    assert status(other) == 200
    closing_one.close()
    tried.turn()
    assert tried.conn().state is State.IDLE


def test_a_client_that_expects_to_be_told_to_continue_is_told_once(tried: Tried) -> None:
    client = tried.connect(HEAD.replace(b"Host", b"Expect: 100-continue\r\nHost"))
    assert client.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
    tried.send(client, BODY)
    tried.finish()
    assert client.recv(65_536).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"get / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"NONE / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"1" * 23 + b"\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: other\r\n\r\n", 400),
        (b"GET /" + b"a" * 8186 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-maybe\r\n\r\n", 417),
        (b"GET / HTTP/1.1\r\nHost: a\r\nA:" + b"a" * 8189 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 100 + b"\r\n", 431),
    ],
)
def test_what_is_refused_below_the_framework_is_a_problem_document(
    tried: Tried, request_: bytes, expected: int
) -> None:
    client = tried.connect(request_)
    while any(tried.jobs):
        tried.finish()
    answer = client.recv(65_536)
    assert answer.split()[1] == b"%d" % expected
    assert b"\r\nContent-Type: application/problem+json\r\n" in answer
    assert b"\r\nConnection: close\r\n" in answer
    assert is_closed(client)
    assert tried.asked == []


@pytest.mark.parametrize("header", [b"SCRIPT_NAME: /api", b"Script-Name: /api", b"X-Forwarded-Proto: https"])
def test_a_header_that_a_proxy_could_send_changes_nothing(tried: Tried, header: bytes) -> None:
    environs: list[dict[str, Any]] = []

    def answer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environs.append(environ)
        return tried.answer(environ, start_response)

    tried.worker.wsgi = answer
    client = tried.connect(GET.replace(b"Host", header + b"\r\nHost"))
    tried.finish()
    assert status(client) == 200
    seen = environs[0]
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"], seen["wsgi.url_scheme"]) == ("", "/p", "http")


def test_an_app_that_fails_is_answered_500_and_its_place_is_free(tried: Tried) -> None:
    def fail(*_: Any) -> None:
        raise SystemExit

    tried.worker.wsgi = fail
    client = tried.connect(POST)
    tried.finish()
    assert client.recv(65_536).endswith(errors.INTERNAL_ERROR_BODY)
    assert tried.worker._in_flight == set()


def test_a_client_that_does_not_read_its_answer_holds_a_thread_only_for_a_time() -> None:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        ours.setblocking(False)
        output = Output(ours, 0.05, lambda: None)
        output.sendall(b"head")
        with pytest.raises(ConnectionAbortedError):
            output.sendall(b"x" * 10_000_000)


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE])
def test_without_files_left_the_worker_lives_and_closes_idle_connections(
    tried: Tried, error: int, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        tried.connect()
    tried.worker.accept(FakeListener([], error))
    assert tried.worker.worker_connections == 5
    assert len(tried.worker._connections) < 5
    assert "as told" in caplog.text
    assert "beyond 5" in caplog.text


def test_idle_connections_make_room_for_new_ones_and_those_with_a_request_do_not(tried: Tried) -> None:
    tried.worker.worker_connections = 3
    busy, first, second = tried.connect(POST), tried.connect(), tried.connect()
    tried.connect(POST)
    assert is_closed(first)
    tried.connect(POST)
    assert is_closed(second)
    assert len(tried.worker._connections) == 3
    tried.finish()
    assert status(busy) == 200


def test_without_idle_connections_accepting_waits_until_one_ends(tried: Tried) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    with closing(listener):
        tried.worker.sockets, tried.worker.worker_connections = [listener], 1
        busy = tried.connect(POST.replace(b"Host", b"Connection: close\r\nHost"))
        tried.worker.set_accept_enabled(True)
        waiting = socket.create_connection(listener.getsockname())
        tried.clients.append(waiting)
        tried.turn()
        assert not tried.worker._accepting
        tried.finish()
        assert status(busy) == 200
        busy.close()
        tried.turn()
        assert tried.worker._accepting
        tried.send(waiting, POST)
        tried.finish()
        assert waiting.recv(65_536).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("error", [errno.EAGAIN, errno.ECONNABORTED])
def test_a_client_that_is_gone_again_is_nothing(tried: Tried, error: int) -> None:
    tried.worker.accept(FakeListener([], error))
    assert tried.worker._connections == set()


def test_any_other_error_of_accepting_is_one(tried: Tried) -> None:
    with pytest.raises(OSError, match="as told"):
        tried.worker.accept(FakeListener([], errno.EBADF))


def test_a_stopping_worker_closes_idle_connections_soon_and_answers_with_close(tried: Tried) -> None:
    idle, busy = tried.connect(), tried.connect(POST)
    tried.worker.alive = False
    tried.finish()
    assert b"\r\nConnection: close\r\n" in busy.recv(65_536)
    tried.worker._sweep()
    assert {conn.deadline_s - tried.worker._next_sweep_s < 3.0 for conn in tried.worker._connections} == {True}
    for conn in tried.worker._connections:
        conn.deadline_s = 0.0
    tried.worker._sweep()
    assert is_closed(idle)
    assert tried.worker._connections == set()

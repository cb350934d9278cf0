"""The delivery of callbacks, over real sockets: what is sent, to whom, and what counts as delivered."""

import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from strategies.callbacks import DeliveryError, deliver, verify
from tests.unit.strategies.resolver import resolve_to

SECRET = b"0123456789abcdef0123456789abcdef"
NOW_S = 1_800_000_000.0
LOOPBACK = ("127.0.0.0/8",)
OK = b"HTTP/1.1 204 No Content\r\n\r\n"


class Server:
    """Listens on a free port of loopback, and answers each connection as it is told, until it is closed."""

    def __init__(self, answer: Callable[[socket.socket, threading.Event], None], context: Any = None) -> None:
        self.received: list[bytes] = []
        self.closing = threading.Event()
        self._answer, self._context = answer, context
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/callbacks?of=me"

    def close(self) -> None:
        self.closing.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def _serve(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self._listening.accept()
                if self._context:
                    connection = self._context.wrap_socket(connection, server_side=True)
            except OSError:  # closed, or a client that does not trust us
                continue
            with connection:
                self.received.append(_request(connection))
                try:
                    self._answer(connection, self.closing)
                except OSError:  # the client has gone
                    continue


def _request(connection: socket.socket) -> bytes:
    """Read one request with its body."""
    data = b""
    while chunk := connection.recv(4096):
        data += chunk
        head, end, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if end and len(body) >= int(length[1] if length else 0):
            break
    return data


def saying(text: bytes) -> Callable[[socket.socket, threading.Event], None]:
    return lambda connection, _: connection.sendall(text)


def never(_: socket.socket, closing: threading.Event) -> None:
    closing.wait(30)


def dripping(connection: socket.socket, closing: threading.Event) -> None:
    """Answer one byte every few milliseconds, without an end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while not closing.wait(0.01):
        connection.sendall(b"x")


def hanging_up(connection: socket.socket, _: threading.Event) -> None:
    connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def listening(answer: Callable[[socket.socket, threading.Event], None], context: Any = None) -> Iterator[Server]:
    server = Server(answer, context)
    try:
        yield server
    finally:
        server.close()


def send(url: str, timeout_s: float = 10.0, allowed: tuple[str, ...] = LOOPBACK) -> None:
    deliver(url, "job-1", b'{"total": 20.0}', SECRET, timeout_s, allowed, lambda: NOW_S)


@pytest.mark.parametrize("status", [b"200 OK", b"202 Accepted", b"204 No Content", b"299 Fine"])
def test_a_2xx_is_a_delivery(status: bytes) -> None:
    with listening(saying(b"HTTP/1.1 " + status + b"\r\n\r\n")) as server:
        send(server.url)
    assert len(server.received) == 1


def test_the_request_is_signed_and_whole() -> None:
    with listening(saying(OK)) as server:
        send(server.url)
    head, _, body = server.received[0].partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert first == "POST /callbacks?of=me HTTP/1.1"
    assert (headers["Host"], headers["Content-Type"]) == (f"127.0.0.1:{server.port}", "application/json")
    assert body == b'{"total": 20.0}'
    assert headers["webhook-id"] == "job-1"
    verify(headers, body, SECRET, NOW_S)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_not_followed(status: int) -> None:
    with listening(saying(OK)) as other:
        answer = f"HTTP/1.1 {status} Moved\r\nLocation: {other.url}\r\n\r\n".encode()
        with (
            listening(saying(answer)) as server,
            pytest.raises(DeliveryError, match=f"answered {status}, and redirects are not followed"),
        ):
            send(server.url)
    assert other.received == []


@pytest.mark.parametrize("status", [400, 401, 404, 410, 429, 500, 503])
def test_another_status_is_a_failure(status: int) -> None:
    with (
        listening(saying(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())) as server,
        pytest.raises(DeliveryError, match=rf"answered {status}\.$"),
    ):
        send(server.url)


@pytest.mark.parametrize("answer", [never, dripping])
def test_a_receiver_that_never_ends_its_answer_is_given_up(
    answer: Callable[[socket.socket, threading.Event], None],
) -> None:
    with listening(answer) as server, pytest.raises(DeliveryError, match=r"did not answer within 0\.3 s"):
        send(server.url, timeout_s=0.3)
    assert len(server.received) == 1


@pytest.mark.parametrize(
    "answer",
    [hanging_up, saying(b"220 smtp.example ESMTP\r\n"), saying(b"HTTP/1.1 abc\r\n\r\n"), saying(b"\0" * 70_000)],
)
def test_what_is_no_answer_of_http_is_a_failure(answer: Callable[[socket.socket, threading.Event], None]) -> None:
    with listening(answer) as server, pytest.raises(DeliveryError, match=r"gave no answer.+\.$"):
        send(server.url)


def test_a_receiver_that_is_down_is_a_failure() -> None:
    with listening(saying(OK)) as server:
        pass
    with pytest.raises(DeliveryError, match=r"gave no answer: .*refused"):
        send(server.url)


def test_a_url_is_checked_again_when_it_is_called() -> None:
    with listening(saying(OK)) as server, pytest.raises(DeliveryError, match="not a public address"):
        send(server.url, allowed=())
    assert server.received == []


def test_the_address_that_was_checked_is_the_one_that_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that stands for something else the next time that it is looked up."""
    with listening(saying(OK)) as server:
        asked = resolve_to(monkeypatch, "127.0.0.1")
        send(f"http://rebinding.example:{server.port}/")
    assert asked == ["rebinding.example"]
    assert f"Host: rebinding.example:{server.port}\r\n".encode() in server.received[0]


def test_the_next_address_is_called_if_the_first_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(saying(OK)) as server:
        resolve_to(monkeypatch, "127.0.0.2", "127.0.0.1")
        send(f"http://two.example:{server.port}/")
    assert len(server.received) == 1


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(saying(b"HTTP/1.1 500 Proxy\r\n\r\n")) as proxy, listening(saying(OK)) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        send(server.url)
    assert proxy.received == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for the name receiver.example, and its key in the same file."""
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl to make a certificate with: apt-get install openssl")
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=receiver.example",
         "-addext", "subjectAltName=DNS:receiver.example", "-keyout", "key", "-out", "cert"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    (folder / "both").write_text((folder / "key").read_text() + (folder / "cert").read_text())
    return folder / "both"


@pytest.fixture
def context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_a_trusted_receiver_is_called_with_tls(
    context: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    resolve_to(monkeypatch, "127.0.0.1")
    with listening(saying(OK), context) as server:
        send(f"https://receiver.example:{server.port}/")
    assert len(server.received) == 1


@pytest.mark.parametrize("answer", [never, dripping])
def test_a_slow_receiver_with_tls_is_given_up(
    answer: Any, context: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    resolve_to(monkeypatch, "127.0.0.1")
    with listening(answer, context) as server, pytest.raises(DeliveryError, match="did not answer within 1 s"):
        send(f"https://receiver.example:{server.port}/", timeout_s=1.0)


@pytest.mark.parametrize("host", ["receiver.example", "other.example"])
def test_a_certificate_that_is_not_trusted_or_of_another_host_is_refused(
    host: str, context: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if host == "other.example":
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    resolve_to(monkeypatch, "127.0.0.1")
    with listening(saying(OK), context) as server, pytest.raises(DeliveryError, match=r"(?i)certificate"):
        send(f"https://{host}:{server.port}/")
    assert server.received == []


def test_the_clock_of_the_machine_is_asked_if_no_other_is_given() -> None:
    with listening(saying(OK)) as server:
        deliver(server.url, "job-1", b"{}", SECRET, 10.0, LOOPBACK)
    given = re.search(rb"webhook-timestamp: (\d+)", server.received[0])
    assert given is not None
    assert abs(int(given[1]) - time.time()) < 3600

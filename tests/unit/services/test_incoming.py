"""Where requests end in the bytes of a connection, however they are cut, and which limits are counted meanwhile."""

from collections.abc import Iterator

import pytest

from contract.errors import BodyTooLarge, HeadTooLarge, RequestLineTooLong
from contract.wire import MAX_HEAD_BYTES, MAX_LINE_BYTES
from sync_api.http.incoming import Incoming

LIMIT = 2000
HEAD = b"POST /p HTTP/1.1\r\nHost: a\r\n"
BODY = b"[1.0, 2.5]"
WITH_LENGTH = HEAD + b"Content-Length: 10\r\n\r\n" + BODY
WITHOUT_BODY = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
IN_CHUNKS = CHUNKED + b"4\r\n[1.0\r\n6;a=b\r\n, 2.5]\r\n0\r\n\r\n"
WITH_TRAILERS = CHUNKED + b"a\r\n[1.0, 2.5]\r\n000\r\nA: b\r\nC: d\r\n\r\n"
REQUESTS = {
    "length": WITH_LENGTH,
    "length in other letters": HEAD + b"CONTENT-LENGTH:\t10 \r\n\r\n" + BODY,
    "no body": WITHOUT_BODY,
    "empty body": HEAD + b"Content-Length: 0\r\n\r\n",
    "chunks": IN_CHUNKS,
    "trailers": WITH_TRAILERS,
    "an empty line before": b"\r\n" + WITH_LENGTH,
    "the largest body": HEAD + b"Content-Length: 2000\r\n\r\n" + b"x" * LIMIT,
}


def incoming(data: bytes = b"") -> Incoming:
    made = Incoming(LIMIT)
    if data:
        made.feed(data)
    return made


def bytewise(data: bytes, into: Incoming) -> Iterator[bool]:
    for at in range(len(data)):
        into.feed(data[at : at + 1])
        yield into.whole()


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_a_request_is_whole_with_its_last_byte_and_no_earlier(request_: bytes) -> None:
    made = incoming()
    seen = list(bytewise(request_, made))
    assert seen == [False] * (len(request_) - 1) + [True]
    assert (made.take(), made.final, bytes(made.data)) == (request_, False, b"")


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_what_comes_at_once_is_cut_into_its_requests(request_: bytes) -> None:
    made = incoming(request_ + WITHOUT_BODY + request_ + b"GET")
    for expected in (request_, WITHOUT_BODY, request_):
        assert made.whole()
        assert made.work == (b"POST" in expected)
        assert made.take() == expected
    assert not made.whole()
    assert bytes(made.data) == b"GET"


WRONG = {
    "two lengths": HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "no number": HEAD + b"Content-Length: +1\r\n\r\n",
    "a number of 19 digits": HEAD + b"Content-Length: 0000000000000000001\r\n\r\n",
    "a body over the limit": HEAD + b"Content-Length: 2001\r\n\r\n",
    "length and chunks": HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "another coding": HEAD + b"Transfer-Encoding: other\r\n\r\n",
    "another expectation": HEAD + b"Expect: more\r\nContent-Length: 10\r\n\r\n",
    "a bare line feed": b"GET / HTTP/1.1\nHost: a\n\n",
    "no method": b"\x16\x03\x01\x02",
    "lower case": b"get",
    "a chunk without its end": CHUNKED + b"4\r\n[1.0, 2.5",
    "no size of a chunk": CHUNKED + b"\r\n",
    "a signed size of a chunk": CHUNKED + b"+4\r\n",
    "a size of a chunk that never ends": CHUNKED + b"4;" + b"a" * MAX_LINE_BYTES,
}


@pytest.mark.parametrize("request_", WRONG.values(), ids=WRONG)
def test_what_gunicorns_parser_or_a_handler_will_refuse_is_not_waited_for(request_: bytes) -> None:
    made = incoming(request_)
    assert made.whole()
    assert made.final
    assert not made.keeps_alive()
    assert made.take() == request_


TOO_LARGE = {
    "a line that never ends": (b"GET /" + b"a" * MAX_LINE_BYTES, RequestLineTooLong),
    "a long line in a whole head": (b"GET /" + b"a" * MAX_LINE_BYTES + b" HTTP/1.1\r\n\r\n", RequestLineTooLong),
    "a head that never ends": (WITHOUT_BODY[:-2] + b"A: " + b"a" * MAX_HEAD_BYTES, HeadTooLarge),
    "a whole head": (WITHOUT_BODY[:-2] + b"A: b\r\n" * 6000 + b"\r\n", HeadTooLarge),
    "trailers that never end": (CHUNKED + b"0\r\n" + b"A: b\r\n" * 6000, HeadTooLarge),
    "a chunk": (CHUNKED + b"7d1\r\n", BodyTooLarge),
    "many chunks": (CHUNKED + b"3e8\r\n" + b"x" * 1000 + b"\r\n3e9\r\n", BodyTooLarge),
    "small chunks with long extensions": (CHUNKED + b"".join([b"1;" + b"a" * 500 + b"\r\nx\r\n"] * 110), BodyTooLarge),
}


@pytest.mark.parametrize(("data", "error"), TOO_LARGE.values(), ids=TOO_LARGE)
def test_limits_are_counted_while_a_request_is_read(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        incoming(data).whole()


@pytest.mark.parametrize(("version", "asked"), [(b"1.1", True), (b"1.0", False)])
def test_a_client_that_waits_for_continue_is_known_once_its_head_is_there(version: bytes, asked: bool) -> None:
    head = b"POST /p HTTP/" + version + b"\r\nExpect: 100-Continue\r\nContent-Length: 10\r\n\r\n"
    made = incoming(head)
    assert not made.whole()
    assert made.wants_continue is asked
    made.feed(BODY)
    assert made.whole()
    assert made.take() == head + BODY
    assert not made.wants_continue


@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"Connection: Close\r\n", False),
        (b"1.1", b"Connection: keep-alive\r\n", True),
        (b"1.0", b"", False),
        (b"1.0", b"Connection: Keep-Alive\r\n", True),
    ],
)
def test_who_wants_to_keep_a_connection_is_read_as_gunicorn_does(version: bytes, connection: bytes, kept: bool) -> None:
    made = incoming(b"POST /p HTTP/" + version + b"\r\n" + connection + b"\r\n")
    assert made.whole()
    assert made.keeps_alive() is kept

"""Requests as bytes, good and bad, and what both twins answer. `test_raw_requests.py` sends them."""

from dataclasses import dataclass
from typing import Final, Literal

from contract.wire import MAX_FIELD_BYTES, MAX_FIELDS, MAX_HEAD_BYTES, MAX_LINE_BYTES

CLOSED: Final = 0  # instead of a status: the connection is closed without an answer
PREDICT: Final = b"/predict"  # stands for the path of the twin that is asked
LATER: Final = b"<later>"  # what follows is sent on its own
HEALTH: Final = b"/api/v1/healthcheck"
BODY: Final = b"[5.1, 3.5]"
HOST: Final = b"Host: service"
CHUNKED: Final = b"Transfer-Encoding: chunked"
H2C: Final = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__")

Ending = Literal["wait", "half-close", "hang up", "reset"]


@dataclass(frozen=True)
class RawRequest:
    """What is sent over a connection of its own, and the statuses of the answers.

    `ending` says what the client does once all is sent. With a pause, that is between any two bytes.
    """

    name: str
    sent: bytes
    expected: int | tuple[int, ...]
    ending: Ending = "wait"
    pause_s: float = 0.0

    def pieces(self, path: bytes) -> list[bytes]:
        """Return what is sent one after the other to a twin whose predict endpoint is at this path."""
        sent = self.sent.replace(b" %s " % PREDICT, b" %s " % path)
        return [bytes([byte]) for byte in sent] if self.pause_s else sent.split(LATER)

    @property
    def statuses(self) -> tuple[int, ...]:
        return self.expected if isinstance(self.expected, tuple) else (self.expected,)


def request(method: bytes, target: bytes, *fields: bytes, body: bytes = b"", version: bytes = b"HTTP/1.1") -> bytes:
    """Return a request with exactly these header fields."""
    return b"\r\n".join((b" ".join((method, target, version)), *fields, b"", body))


def get(*fields: bytes, target: bytes = HEALTH) -> bytes:
    return request(b"GET", target, HOST, *fields)


def post(*fields: bytes, body: bytes = BODY) -> bytes:
    """Return a request to predict whose body is framed by these fields."""
    return request(b"POST", PREDICT, HOST, *fields, body=body)


def sized(*fields: bytes, body: bytes = BODY) -> bytes:
    return post(*fields, b"Content-Length: %d" % len(body), body=body)


def line_of(length: int) -> bytes:
    """Return a request whose line has this many bytes."""
    rest = len(b"GET ") + len(HEALTH) + len(b"?") + len(b" HTTP/1.1")
    return get(target=HEALTH + b"?" + b"q" * (length - rest))


def field_of(length: int) -> bytes:
    return b"Cookie: " + b"c" * (length - len(b"Cookie: "))


def head_of(length: int) -> bytes:
    """Return a request whose head has this many bytes, and no field that is too long."""
    usual = field_of(4000)
    fields = [usual] * ((length - len(get())) // len(usual) - 1)
    rest = length - len(get(*fields)) - len(b"\r\n")
    return get(*fields, field_of(rest))


GOOD = [
    RawRequest("health", get(), 200),
    RawRequest("predict", sized(), 200),
    RawRequest("HEAD", request(b"HEAD", HEALTH, HOST), 200),
    RawRequest("absolute form", get(target=b"http://service" + HEALTH), 200),
    RawRequest("absolute form of another host", get(target=b"http://other:81" + HEALTH), 200),
    RawRequest(
        "names of fields in any case", request(b"POST", PREDICT, b"hOST: x", b"CONTENT-LENGTH: 3", body=b"[1]"), 200
    ),
    RawRequest("an empty line before the request", b"\r\n" + get(), 200),
    RawRequest("a letter of the path as its code", get(target=b"/api/v1/%68ealthcheck"), 200),
    RawRequest("a byte that is not ASCII in a value", get(b"X-Name: \xe9t\xe9"), 200),
    RawRequest("an empty value", get(b"X-Name:"), 200),
    RawRequest("an empty host", request(b"GET", HEALTH, b"Host:"), 200),
    RawRequest("HTTP/1.0", request(b"GET", HEALTH, version=b"HTTP/1.0"), 200),
    RawRequest(
        "HTTP/1.0 that would be kept", request(b"GET", HEALTH, b"Connection: keep-alive", version=b"HTTP/1.0"), 200
    ),
    RawRequest(
        "HTTP/1.0 with a body", request(b"POST", PREDICT, b"Content-Length: 3", body=b"[1]", version=b"HTTP/1.0"), 200
    ),
    RawRequest("a connection that shall close", get(b"Connection: close"), (200, CLOSED)),
    RawRequest("byte by byte", sized(), 200, pause_s=0.002),
    RawRequest("the body later", sized()[: -len(BODY)] + LATER + BODY, 200),
    RawRequest("GET with a body", get(b"Content-Length: 3") + b"[1]", 200),
    RawRequest("two at once", get() + get(), (200, 200)),
    RawRequest("two at once with bodies", sized() + sized(), (200, 200)),
    RawRequest("three at once, one of them unknown", get() + get(target=b"/nothing") + get(), (200, 404, 200)),
    RawRequest("chunks", post(CHUNKED, body=b"1\r\n[\r\n9\r\n5.1, 3.5]\r\n0\r\n\r\n"), 200),
    RawRequest("chunks with extensions", post(CHUNKED, body=b"3;a=b\r\n[1]\r\n0\r\n\r\n"), 200),
    RawRequest("chunks with a trailer", post(CHUNKED, body=b"3\r\n[1]\r\n0\r\nX-Sum: 1\r\n\r\n"), 200),
    RawRequest("chunks, then the next", post(CHUNKED, body=b"3\r\n[1]\r\n0\r\n\r\n") + get(), (200, 200)),
    RawRequest("100-continue", sized(b"Expect: 100-continue"), 200),
    RawRequest("100-Continue", sized(b"Expect: 100-Continue"), 200),
    RawRequest("half-close after GET", get(), 200, "half-close"),
    RawRequest("half-close after predict", sized(), 200, "half-close"),
    RawRequest("half-close after two", sized() + get(), (200, 200), "half-close"),
]
UPGRADES = [
    RawRequest("h2c with a body", sized(*H2C), 200),
    RawRequest("h2c with chunks", post(*H2C, CHUNKED, body=b"3\r\n[1]\r\n0\r\n\r\n"), 200),
    RawRequest("h2c with a body that comes later", sized(*H2C)[: -len(BODY)] + LATER + BODY, 200),
    RawRequest("h2c without a body", get(*H2C), 200),
    RawRequest("h2c, then the next", sized(*H2C) + get(), (200, 200)),
    RawRequest("h2c, then the next, without bodies", get(*H2C) + get(), (200, 200)),
    RawRequest("websocket", get(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"), 200),
    RawRequest("upgrade that the connection does not name", get(b"Upgrade: h2c"), 200),
]
LIMITS = [
    RawRequest("a query of 5,000 bytes", get(target=HEALTH + b"?" + b"q" * 5000), 200),
    RawRequest("the longest line", line_of(MAX_LINE_BYTES), 200),
    RawRequest("a line one byte longer", line_of(MAX_LINE_BYTES + 1), 414),
    RawRequest("a line of 100 kB", line_of(100_000), 414),
    RawRequest("a line that does not end", b"GET /" + b"x" * 300_000, 414),
    RawRequest("the longest field", get(field_of(MAX_FIELD_BYTES)), 200),
    RawRequest("a field one byte longer", get(field_of(MAX_FIELD_BYTES + 1)), 431),
    RawRequest("a cookie of 9 kB", get(field_of(9000)), 431),
    RawRequest("a name of 9 kB", get(b"X" * 9000 + b": y"), 431),
    RawRequest("a field that does not end", b"GET / HTTP/1.1\r\nCookie: " + b"c" * 300_000, 431),
    RawRequest("as many fields as may be", get(*[b"X-F: y"] * (MAX_FIELDS - 1)), 200),
    RawRequest("a field more", get(*[b"X-F: y"] * MAX_FIELDS), 431),
    RawRequest("fields that do not end", b"GET / HTTP/1.1\r\n" + b"X-F: y\r\n" * 40_000, 431),
    RawRequest("the largest head", head_of(MAX_HEAD_BYTES), 200),
    RawRequest("a head one byte larger", head_of(MAX_HEAD_BYTES + 1), 431),
    RawRequest("a large head in pieces", b"GET / HTTP/1.1\r\n" + (LATER + b"X-F: %s\r\n" % (b"y" * 5000)) * 8, 431),
    RawRequest("a body that is announced as too large", sized(body=b"[1" + b" " * 20_000 + b"]"), 413),
    RawRequest("chunks that are too large", post(CHUNKED, body=b"5000\r\n[1%s]\r\n0\r\n\r\n" % (b" " * 0x4FFD)), 413),
    RawRequest("a length of 18 digits", post(b"Content-Length: " + b"9" * 18), 413),
    RawRequest("a length of 19 digits", post(b"Content-Length: " + b"9" * 19), 400),
    RawRequest("a length of 23 digits", post(b"Content-Length: " + b"9" * 23), 400),
    RawRequest("a length of 23 digits that are zeros", post(b"Content-Length: %023d" % len(BODY)), 400),
    RawRequest("an expectation that nobody meets", sized(b"Expect: 200-maybe"), 417),
    RawRequest("an expectation that nobody meets of a health check", get(b"Expect: much"), 417),
]
SLOW = [
    RawRequest("half a line", b"GET /api", 408),
    RawRequest("half a head", b"GET / HTTP/1.1\r\nHost: x\r\nX-", 408),
    RawRequest("half a body", post(b"Content-Length: 100"), 408),
    RawRequest("half a chunk", post(CHUNKED, body=b"5\r\n[1"), 408),
    RawRequest("a head that drips", get()[:-1], 408, pause_s=0.1),
    RawRequest("the second of two", get() + b"GET / HT", (200, 408)),
]
FRAMING = [
    RawRequest("both kinds of length", post(b"Content-Length: 10", CHUNKED), 400),
    RawRequest("both kinds of length, the other way round", post(CHUNKED, b"Content-Length: 10"), 400),
    RawRequest("two lengths", post(b"Content-Length: 10", b"Content-Length: 9"), 400),
    RawRequest("the same length twice", post(b"Content-Length: 10", b"Content-Length: 10"), 400),
    RawRequest("a list of lengths", post(b"Content-Length: 10, 10"), 400),
    RawRequest("a length with a sign", post(b"Content-Length: +10"), 400),
    RawRequest("a negative length", post(b"Content-Length: -10"), 400),
    RawRequest("a hexadecimal length", post(b"Content-Length: 0xa"), 400),
    RawRequest("a length with an underscore", post(b"Content-Length: 1_0"), 400),
    RawRequest("an empty length", post(b"Content-Length:"), 400),
    RawRequest("gzip, chunked", post(b"Transfer-Encoding: gzip, chunked"), 400),
    RawRequest("chunked, gzip", post(b"Transfer-Encoding: chunked, gzip"), 400),
    RawRequest("identity", post(b"Transfer-Encoding: identity"), 400),
    RawRequest("chunked twice", post(CHUNKED, CHUNKED, body=b"0\r\n\r\n"), 400),
    RawRequest("xchunked", post(b"Transfer-Encoding: xchunked"), 400),
    RawRequest("chunked after a vertical tab", post(b"Transfer-Encoding: \x0bchunked"), 400),
    RawRequest(
        "chunks in HTTP/1.0", request(b"POST", PREDICT, HOST, CHUNKED, body=b"0\r\n\r\n", version=b"HTTP/1.0"), 400
    ),
    RawRequest("a chunk's size that is no number", post(CHUNKED, body=b"g\r\n[1]\r\n0\r\n\r\n"), 400),
    RawRequest("a chunk's size with a prefix", post(CHUNKED, body=b"0x3\r\n[1]\r\n0\r\n\r\n"), 400),
    RawRequest("a negative chunk", post(CHUNKED, body=b"-3\r\n[1]\r\n0\r\n\r\n"), 400),
    RawRequest("a chunk of more than 64 bits", post(CHUNKED, body=b"F" * 17 + b"\r\n[1]\r\n0\r\n\r\n"), 400),
    RawRequest("a chunk that is longer than its size", post(CHUNKED, body=b"2\r\n[1]\r\n0\r\n\r\n"), 400),
    RawRequest("a length under another name", sized(b"Content_Length: 3"), 200),
    RawRequest("chunked under another name", sized(b"Transfer_Encoding: chunked"), 200),
]
HEADS = [
    RawRequest("no host", request(b"GET", HEALTH), 400),
    RawRequest("two hosts", get(HOST), 400),
    RawRequest("a host with a space", request(b"GET", HEALTH, b"Host: a b"), 400),
    RawRequest("a host with a path", request(b"GET", HEALTH, b"Host: a/b"), 400),
    RawRequest("NUL in a value", get(b"X-F: a\0b"), 400),
    RawRequest("NUL in a name", get(b"X\0F: a"), 400),
    RawRequest("a control character in a value", get(b"X-F: a\x01b"), 400),
    RawRequest("a bare CR in a value", get(b"X-F: a\rb"), 400),
    RawRequest("a bare LF in a value", get(b"X-F: a\nX-G: b"), 400),
    RawRequest("a folded field", get(b"X-F: a", b" b"), 400),
    RawRequest("a space before the colon", get(b"X-F : a"), 400),
    RawRequest("a space before the first field", request(b"GET", HEALTH, b" X-F: a", HOST), 400),
    RawRequest("a field without a colon", get(b"X-F"), 400),
    RawRequest("a field without a name", get(b": a"), 400),
    RawRequest("a name that is no token", get(b"X(F): a"), 400),
    RawRequest("a name that is not ASCII", get(b"X-\xe9: a"), 400),
    RawRequest("lines that end with LF", get().replace(b"\r\n", b"\n"), 400),
]
LINES = [
    RawRequest("a method in lower case", request(b"get", HEALTH, HOST), 400),
    RawRequest("an unknown method", request(b"FOO", HEALTH, HOST), 400),
    RawRequest("a method of WebDAV", request(b"PROPFIND", HEALTH, HOST), 400),
    RawRequest("CONNECT", request(b"CONNECT", b"service:80", HOST), 400),
    RawRequest("DELETE", request(b"DELETE", HEALTH, HOST), 405),
    RawRequest("TRACE", request(b"TRACE", HEALTH, HOST), 405),
    RawRequest("OPTIONS", request(b"OPTIONS", HEALTH, HOST), 405),
    RawRequest("OPTIONS of all", request(b"OPTIONS", b"*", HOST), 404),
    RawRequest("HTTP/2.0", request(b"GET", HEALTH, HOST, version=b"HTTP/2.0"), 400),
    RawRequest("HTTP/1.2", request(b"GET", HEALTH, HOST, version=b"HTTP/1.2"), 400),
    RawRequest("HTTP/0.9", request(b"GET", HEALTH, HOST, version=b"HTTP/0.9"), 400),
    RawRequest("a version in lower case", request(b"GET", HEALTH, HOST, version=b"http/1.1"), 400),
    RawRequest("no version", b"GET %s\r\n\r\n" % HEALTH, 400),
    RawRequest("two spaces", request(b"GET ", HEALTH, HOST), 400),
    RawRequest("a tab", request(b"GET\t" + HEALTH, b"HTTP/1.1", HOST, version=b""), 400),
    RawRequest("a space in the path", get(target=b"/api v1"), 400),
    RawRequest("a control character in the path", get(target=b"/\x01"), 400),
    RawRequest("a path that is not ASCII", get(target=b"/\xe9"), 400),
    RawRequest("a path without its slash", get(target=b"api"), 400),
    RawRequest("TLS", bytes.fromhex("16030100f8010000f40303") + b"\0" * 40 + b"\r\n\r\n", 400),
    RawRequest("HTTP/2 with prior knowledge", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    RawRequest("an announcement of a proxy", b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n" + get(), 400),
    RawRequest("bytes at random", bytes(range(255, 0, -1)) + b"\r\n\r\n", 400),
]
PATHS = [
    RawRequest("two slashes first", get(target=b"/" + HEALTH), 404),
    RawRequest("two slashes within", get(target=b"/api//v1/healthcheck"), 404),
    RawRequest("a slash last", get(target=HEALTH + b"/"), 404),
    RawRequest("a dot", get(target=b"/." + HEALTH), 404),
    RawRequest("two dots", get(target=b"/api/x/../v1/healthcheck"), 404),
    RawRequest("a slash as its code", get(target=b"/api%2Fv1%2Fhealthcheck%2F"), 404),
    RawRequest("NUL as its code", get(target=HEALTH + b"%00"), 404),
    RawRequest("a code of nothing", get(target=b"/%zz"), 404),
]
# What a client says about itself as if it were a proxy changes nothing.
PROXIES = [
    RawRequest("SCRIPT_NAME", get(b"SCRIPT_NAME: /api"), 200),
    RawRequest("SCRIPT-NAME", get(b"SCRIPT-NAME: /api"), 200),
    RawRequest("SCRIPT_NAME that is no prefix", get(b"SCRIPT_NAME: /other"), 200),
    RawRequest("PATH_INFO", get(b"PATH_INFO: /other", b"Path-Info: /other"), 200),
    RawRequest("X-Forwarded-Proto", get(b"X-Forwarded-Proto: https"), 200),
    RawRequest("X-Forwarded-Proto that is none", get(b"X-Forwarded-Proto: \xff"), 200),
    RawRequest("contradicting schemes", get(b"X-Forwarded-Proto: https", b"X-Forwarded-Ssl: off"), 200),
    RawRequest("X-Forwarded-For", get(b"X-Forwarded-For: 1.2.3.4, nonsense"), 200),
    RawRequest("X-Forwarded-Prefix", get(b"X-Forwarded-Prefix: /api", b"X-Forwarded-Host: evil"), 200),
    RawRequest("REMOTE_USER", get(b"REMOTE_USER: root", b"X-Forwarded-User: root"), 200),
]
HANGING_UP = [
    RawRequest("half-close of nothing", b"", CLOSED, "half-close"),
    RawRequest("half-close in the head", b"GET / HTTP/1.1\r\nHost", CLOSED, "half-close"),
    RawRequest("half-close in the body", post(b"Content-Length: 100"), CLOSED, "half-close"),
    RawRequest("half-close in a chunk", post(CHUNKED, body=b"5\r\n[1"), CLOSED, "half-close"),
    RawRequest("hang up in the head", b"GET / HTTP/1.1\r\nHost", CLOSED, "hang up"),
    RawRequest("hang up in the body", post(b"Content-Length: 100"), CLOSED, "hang up"),
    RawRequest("hang up before the answer", sized(), CLOSED, "hang up"),
    RawRequest("reset in the head", b"GET / HTTP/1.1\r\nHost", CLOSED, "reset"),
    RawRequest("reset in the body", post(b"Content-Length: 100"), CLOSED, "reset"),
    RawRequest("reset in a chunk", post(CHUNKED, body=b"5\r\n[1"), CLOSED, "reset"),
    RawRequest("reset before the answer", sized(), CLOSED, "reset"),
]
RAW_REQUESTS = [*GOOD, *UPGRADES, *LIMITS, *SLOW, *FRAMING, *HEADS, *LINES, *PATHS, *PROXIES, *HANGING_UP]

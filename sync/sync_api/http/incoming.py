"""Finds where each request ends in the bytes of a connection, so that a thread is only given whole ones.

It reads no more than that needs. gunicorn's parser checks everything again, in the thread: what looks wrong here is
handed to it as it is, and the connection closes after its answer.
"""

from contract.errors import BodyTooLarge
from contract.wire import (
    MAX_CHUNK_DIGITS,
    MAX_HEAD_BYTES,
    MAX_LENGTH_DIGITS,
    MAX_LINE_BYTES,
    head_too_large,
    line_too_long,
)

_HEX = b"0123456789abcdefABCDEF"
_CONTENT_LENGTH, _TRANSFER_ENCODING = b"\r\ncontent-length:", b"\r\ntransfer-encoding:"
_EXPECT, _CONNECTION = b"\r\nexpect:", b"\r\nconnection:"


class Incoming:
    """The bytes of a connection that no thread was given yet; `whole` and `take` cut the first request off them.

    `limit_bytes` is that of a body. After `whole`, `work` says whether the request is a POST, `final` whether the
    connection must close after it, and `wants_continue` whether its client waits for "100 Continue".
    """

    __slots__ = (
        "_at",
        "_body_bytes",
        "_chunked",
        "_head",
        "_limit",
        "_size",
        "data",
        "final",
        "wants_continue",
        "work",
    )

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self.data: bytes | bytearray = b""
        self._begin()

    def _begin(self) -> None:
        self._head = self._size = self._at = self._body_bytes = 0
        self._chunked = self.work = self.final = self.wants_continue = False

    def feed(self, received: bytes) -> None:
        """Add what was received."""
        if not self.data:
            self.data = received
            return
        if isinstance(self.data, bytes):
            self.data = bytearray(self.data)
        self.data += received

    def whole(self) -> bool:
        """Whether the first request has arrived. Raises the ServiceError of a limit that it exceeds."""
        if not self._head and not self._read_head():
            return False
        if self._chunked:
            self._walk_chunks()
        return 0 < self._size <= len(self.data)

    def take(self) -> bytes:
        """Return the first request, which must be whole, and go on to the next one."""
        size, data = self._size, self.data
        self._begin()
        if size == len(data):
            self.data = b""
            return bytes(data)
        self.data = bytes(data[size:])
        return bytes(data[:size])

    def keeps_alive(self) -> bool:
        """Whether the client of a whole request keeps its connection."""
        head = self.data[: self._head].lower()
        wanted = _value(head, _CONNECTION)
        is_1_1 = head.partition(b"\r\n")[0].endswith(b"/1.1")
        return not self.final and (wanted != b"close" if is_1_1 else wanted == b"keep-alive")

    def _read_head(self) -> bool:
        end = self.data.find(b"\r\n\r\n")
        size = end + 4
        if end < 0 or size > MAX_LINE_BYTES:
            self._check_line_and_head(size if end >= 0 else len(self.data))
        if end < 0:
            if self._is_no_http():
                self._hand_over(len(self.data))
            return self._head > 0
        self._head = self._size = size
        head = self.data[:size].lower()
        self.work = self.data.startswith((b"POST ", b"\r\nPOST "))
        if head.find(_TRANSFER_ENCODING) >= 0:
            if _value(head, _TRANSFER_ENCODING) != b"chunked" or head.find(_CONTENT_LENGTH) >= 0:
                self._hand_over(size)
            else:
                self._size, self._at, self._chunked = 0, size, True
        elif (at := head.find(_CONTENT_LENGTH)) >= 0:
            self._add_length(head, at)
        if head.find(_EXPECT) >= 0:
            self._read_expectation(head)
        return True

    def _add_length(self, head: bytes | bytearray, at: int) -> None:
        digits = _value(head, _CONTENT_LENGTH)
        twice = head.find(_CONTENT_LENGTH, at + 1) >= 0
        # A body over the limit is not read: its handler refuses it by its length.
        if twice or not digits.isdigit() or len(digits) > MAX_LENGTH_DIGITS or int(digits) > self._limit:
            self._hand_over(self._head)
        else:
            self._size = self._head + int(digits)

    def _read_expectation(self, head: bytes | bytearray) -> None:
        if _value(head, _EXPECT) != b"100-continue":
            self._hand_over(self._head)
        elif head.partition(b"\r\n")[0].endswith(b"/1.1"):  # older clients do not wait
            self.wants_continue = not self.final

    def _check_line_and_head(self, size: int) -> None:
        start = 2 if self.data.startswith(b"\r\n") else 0  # one empty line is allowed before a request
        if size - start > MAX_LINE_BYTES and self.data.find(b"\r\n", start, start + MAX_LINE_BYTES + 2) < 0:
            raise line_too_long()
        if size > MAX_HEAD_BYTES:
            raise head_too_large()

    def _is_no_http(self) -> bool:
        """Whether a head will never end properly: a bare line feed, or something else than a method at its start."""
        data = self.data
        return not (65 <= data[0] <= 90 or data[0] == 13) or data.count(b"\n") != data.count(b"\r\n")

    def _walk_chunks(self) -> None:
        data, at = self.data, self._at
        while not self._size and len(data) >= at:
            if data[at - 2 : at] != b"\r\n":
                self._hand_over(len(data))
                return
            end = data.find(b"\r\n", at, at + MAX_LINE_BYTES)
            if end < 0:
                if len(data) - at >= MAX_LINE_BYTES:
                    self._hand_over(len(data))
                break
            digits = bytes(data[at:end]).partition(b";")[0].strip(b" \t")
            if not digits or len(digits) > MAX_CHUNK_DIGITS or digits.strip(_HEX):
                self._hand_over(len(data))
                return
            chunk = int(digits, 16)
            if not chunk:
                self._end_chunks(end)
                break
            self._body_bytes += chunk
            at = end + 2 + chunk + 2
            # Of many small chunks with long extensions the sizes count, too.
            if self._body_bytes > self._limit or at - self._head > 10 * self._limit + MAX_HEAD_BYTES:
                raise BodyTooLarge(self._limit)
        self._at = at

    def _end_chunks(self, last_line_end: int) -> None:
        """Find the end of the trailers, which are fields after the last chunk."""
        end = self.data.find(b"\r\n\r\n", last_line_end)
        if end >= 0:
            self._size = end + 4
        elif len(self.data) - last_line_end > MAX_HEAD_BYTES:
            raise head_too_large()

    def _hand_over(self, size: int) -> None:
        """Let gunicorn's parser judge the first `size` bytes, and end the connection after its answer."""
        self._head = self._head or size
        self._size, self.final, self._chunked = size, True, False


def _value(head: bytes | bytearray, name: bytes) -> bytes:
    """Return the value of a field in a head in lower case; empty without one."""
    at = head.find(name)
    if at < 0:
        return b""
    start = at + len(name)
    return bytes(head[start : head.find(b"\r\n", start)]).strip(b" \t")

"""HTTP below the frameworks: the limits of a request's head, and the answers that a server writes by itself.

Both servers enforce these before any code of a framework runs, and refuse with the same bytes.
"""

import re
from collections.abc import Iterable
from typing import Final

from contract.errors import PROBLEM_CONTENT_TYPE, HeadTooLarge, RequestLineTooLong, ServiceError

MAX_LINE_BYTES: Final = 8190  # the request line, without its line break
MAX_FIELD_BYTES: Final = 8190  # one header field: name, colon, value
MAX_FIELDS: Final = 100
MAX_HEAD_BYTES: Final = 32_768  # all of it, from the first byte to the empty line
MAX_CHUNK_DIGITS: Final = 16  # hexadecimal ones; more do not fit into 64 bits
MAX_LENGTH_DIGITS: Final = 18  # of Content-Length; more do not fit into 64 bits, or only with leading zeros

HOST: Final = re.compile(r"[A-Za-z0-9.\-_~%!$&'()*+,;=:\[\]]*")  # as RFC 3986 has it
VERSIONS: Final = frozenset({"1.0", "1.1"})
# Any other method is malformed. CONNECT asks for a tunnel, which only a proxy offers.
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "QUERY"})


def head_too_large() -> HeadTooLarge:
    """Return the error of a head that is over one of the limits."""
    return HeadTooLarge(MAX_FIELDS, MAX_FIELD_BYTES, MAX_HEAD_BYTES)


def line_too_long() -> RequestLineTooLong:
    """Return the error of a request line that is over the limit."""
    return RequestLineTooLong(MAX_LINE_BYTES)


def answer_bytes(error: ServiceError, *, close: bool, more: Iterable[tuple[str, str]] = ()) -> bytes:
    """Return a whole HTTP/1.1 answer with the problem document of an error; `more` are headers of the server."""
    body = error.body()
    headers = {
        "Content-Type": PROBLEM_CONTENT_TYPE,
        "Content-Length": str(len(body)),
        **error.headers(),
        **({"Connection": "close"} if close else {}),
    }
    fields = "".join(f"{name}: {value}\r\n" for name, value in (*more, *headers.items()))
    return f"HTTP/1.1 {int(error.status)} {error.status.phrase}\r\n{fields}\r\n".encode("latin-1") + body

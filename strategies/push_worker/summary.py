"""What is asked for: the summary of some numbers, and the key by which it is known."""

import hashlib
import json
from collections.abc import Sequence


def payload_of(numbers: Sequence[float]) -> bytes:
    """Return numbers in the one form in which they are kept: however they were written, the same numbers are equal."""
    return json.dumps([number + 0.0 for number in numbers]).encode()  # -0.0 + 0.0 is 0.0


def key_of(payload: bytes) -> str:
    """Return the key of a payload. Whoever asks for the same again gets the same summary."""
    return hashlib.sha256(payload).hexdigest()


def summary_of(numbers: Sequence[float]) -> bytes:
    """Return the summary: a JSON object with twice the sum."""
    return b'{"total": %s}' % repr(2 * sum(numbers)).encode()

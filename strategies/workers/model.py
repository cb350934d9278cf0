"""The answer of the model. How long it sleeps or computes is set by SERVING_MODEL_*, as for the twins' models."""

from collections.abc import Sequence


def body_of(numbers: Sequence[float]) -> bytes:
    """Return the body of the answer."""
    return b'{"total": %s}' % repr(sum(numbers)).encode()

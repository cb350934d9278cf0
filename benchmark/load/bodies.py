"""Bodies: what is asked, and whether what is answered is right. Without Locust, which changes the interpreter."""

import json
import random
from collections.abc import Iterator
from itertools import cycle

from contract.errors import BadModelAnswer
from contract.schema import parse_answer

_BODIES = 4096  # distinct requests before they repeat
_IRIS_RANGES = ((4.3, 7.9), (2.0, 4.4), (1.0, 6.9), (0.1, 2.5))
# A timer of whole milliseconds may wake up to half a millisecond early, once per model.
EARLY_MS = 1.0
_ROUNDING_S = 1e-6  # an answer is given to the microsecond


def check_answer(body: bytes, bounds_s: tuple[float, float]) -> float:
    """Return the answer in seconds. Raises BadModelAnswer if it does not follow the models' law."""
    detail_s = parse_answer(body, 0)
    low_s, high_s = bounds_s
    if not low_s - _ROUNDING_S <= detail_s <= high_s + _ROUNDING_S:
        raise BadModelAnswer(f"answer {detail_s} s lies outside of {low_s} to {high_s} s")
    return detail_s


def early_reasons(fastest_excess_ms: float) -> list[str]:
    """Return why answers cannot be the contender's, from the smallest latency above what its answer implies."""
    if fastest_excess_ms >= -EARLY_MS:
        return []
    return [f"an answer came {-fastest_excess_ms:.1f} ms sooner than its models can have taken"]


def request_bodies(seed: int) -> Iterator[str]:
    """Return an endless sequence of request bodies, the same for the same seed.

    Four numbers as in Fisher's iris data, the classic example of such a service.
    """
    draw = random.Random(seed)
    rows = [[round(draw.uniform(low, high), 1) for low, high in _IRIS_RANGES] for _ in range(_BODIES)]
    return cycle([json.dumps(row, separators=(",", ":")) for row in rows])

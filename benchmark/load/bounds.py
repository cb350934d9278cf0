"""Ends an open loop early: counts the requests that miss a limit, while load runs."""

import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from benchmark.load.plan import Bound


class BoundsWatch:
    """Tells as soon as more requests than a bound allows have missed its limit, whatever comes.

    Those that are still under way have missed it, too, once they have taken as long. The requests are those that are
    due at these moments of the monotonic clock, in order.
    """

    def __init__(
        self, due_ns: Sequence[int], bounds: Sequence[Bound], now_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._due_ns, self._bounds, self._now_ns = due_ns, bounds, now_ns
        self._missed = [0] * len(bounds)
        self._ended = 0  # requests that were answered, or failed

    def on_request(
        self, response_time: float, exception: BaseException | None, context: dict[str, Any], **_: Any
    ) -> None:
        """Count one answer or failure; a listener of Locust's `events.request`."""
        if self._due_ns and context["scheduled_ns"] >= self._due_ns[0]:
            self._ended += 1
            for place, bound in enumerate(self._bounds):
                is_late = bound.limit_ms is not None and response_time >= bound.limit_ms
                self._missed[place] += exception is not None or is_late

    def is_exceeded(self) -> bool:
        """Whether any bound is exceeded."""
        now_ns = self._now_ns()
        return any(
            missed + self._overdue(bound, now_ns) > bound.most
            for missed, bound in zip(self._missed, self._bounds, strict=True)
        )

    def _overdue(self, bound: Bound, now_ns: int) -> int:
        """Return how many requests at least have been under way for longer than the limit."""
        if bound.limit_ms is None:
            return 0
        return max(bisect_right(self._due_ns, now_ns - int(bound.limit_ms * 1e6)) - self._ended, 0)

"""Scheduling delay (lag): how much later than requested a sleeping task or thread wakes up, logged once per second.

In the async twin a task waits for its turn on the event loop; in the sync twin a thread waits for the interpreter lock
(GIL). Both also wait for the CPU.
"""

import re
from dataclasses import dataclass
from typing import Final

_SECOND_NS: Final = 1_000_000_000
_MS: Final = r"([0-9]{1,12}\.[0-9]{3})"
# Requires all digits, so that a truncated line is not read as one with a smaller number. The line may be the message
# of a log in JSON, which ends with a quotation mark.
_LINE: Final = re.compile(
    rf"\blag t_ns=([0-9]{{1,20}}) n=([0-9]{{1,9}}) mean_ms={_MS} p50_ms={_MS} p99_ms={_MS} max_ms={_MS}(?:\s*$|\"[,}}])"
)


@dataclass(frozen=True)
class LagSample:
    """The scheduling delay of one process in the second that ended at `t_ns` of the monotonic clock."""

    t_ns: int
    n: int
    mean_ms: float
    p50_ms: float
    p99_ms: float
    max_ms: float

    def line(self) -> str:
        """Return the log line."""
        return (
            f"lag t_ns={self.t_ns} n={self.n} mean_ms={self.mean_ms:.3f}"
            f" p50_ms={self.p50_ms:.3f} p99_ms={self.p99_ms:.3f} max_ms={self.max_ms:.3f}"
        )


class LagMeter:
    """Summarises measured sleeps second by second. It does not sleep itself."""

    def __init__(self, interval_ms: int) -> None:
        self._interval_ns = interval_ms * 1_000_000
        self._start_ns: int | None = None
        self._waits_ns: list[int] = []

    def add(self, asleep_ns: int, awake_ns: int) -> LagSample | None:
        """Add one sleep of the interval. Returns the sample of a second when it is over, else None.

        After a long delay, the wake-ups that were due in the meantime are added with their own delays. Otherwise one
        long delay would count as little as a short one (coordinated omission: G. Tene, "How NOT to Measure Latency",
        2013). A timer that fires early counts as no delay.
        """
        if self._start_ns is None:
            self._start_ns = asleep_ns
        waited_ns = max(awake_ns - asleep_ns - self._interval_ns, 0)
        self._waits_ns.extend(range(waited_ns, -1, -self._interval_ns))
        if awake_ns - self._start_ns < _SECOND_NS:
            return None
        sample = _summarise(awake_ns, sorted(self._waits_ns))
        self._start_ns, self._waits_ns = awake_ns, []
        return sample


def parse_lag_line(line: str) -> LagSample | None:
    """Return the sample of a log line, with or without a prefix; None for any other line."""
    found = _LINE.search(line)
    if found is None:
        return None
    t_ns, n, *figures_ms = found.groups()
    return LagSample(int(t_ns), int(n), *map(float, figures_ms))


def _summarise(t_ns: int, waits_ns: list[int]) -> LagSample:
    """Return the statistics of sorted delays; there must be at least one."""
    n = len(waits_ns)
    return LagSample(
        t_ns,
        n,
        mean_ms=sum(waits_ns) / n / 1e6,
        p50_ms=_percentile_ns(waits_ns, 50) / 1e6,
        p99_ms=_percentile_ns(waits_ns, 99) / 1e6,
        max_ms=waits_ns[-1] / 1e6,
    )


def _percentile_ns(waits_ns: list[int], percent: int) -> int:
    """Return the nearest-rank percentile: the smallest delay that `percent` of the delays do not exceed."""
    return waits_ns[-(-percent * len(waits_ns) // 100) - 1]

"""How long a process makes a waiter wait: by how much a sleeper overslept, told in one line per second.

What makes it wait differs: the turn of the event loop, or the interpreter lock, and in both the CPU.
"""

import re
from dataclasses import dataclass
from typing import Final

_SECOND_NS: Final = 1_000_000_000
_MS: Final = r"([0-9]{1,12}\.[0-9]{3})"
# A line that was cut off must not be read as one with a smaller number: every digit is demanded.
_LINE: Final = re.compile(
    rf"\blag t_ns=([0-9]{{1,20}}) n=([0-9]{{1,9}}) mean_ms={_MS} p50_ms={_MS} p99_ms={_MS} max_ms={_MS}\s*$"
)


@dataclass(frozen=True)
class LagSample:
    """What one process made its waiters wait during the second that ended at `t_ns` of the monotonic clock."""

    t_ns: int
    n: int
    mean_ms: float
    p50_ms: float
    p99_ms: float
    max_ms: float

    def line(self) -> str:
        """Return the line of the log."""
        return (
            f"lag t_ns={self.t_ns} n={self.n} mean_ms={self.mean_ms:.3f}"
            f" p50_ms={self.p50_ms:.3f} p99_ms={self.p99_ms:.3f} max_ms={self.max_ms:.3f}"
        )


class LagMeter:
    """Collects what a sleeper tells of its sleeps, second by second. It never sleeps itself."""

    def __init__(self, interval_ms: int) -> None:
        self._interval_ns = interval_ms * 1_000_000
        self._start_ns: int | None = None
        self._waits_ns: list[int] = []

    def add(self, asleep_ns: int, awake_ns: int) -> LagSample | None:
        """Count one sleep of the interval; returns what the second held once it is over, else None.

        Who oversleeps misses the wake-ups that were due meanwhile. Each of them counts, with what it would
        have waited: else one long wait would weigh as little as a short one (G. Tene, "How NOT to Measure
        Latency", 2013: coordinated omission). A timer that rings early has made nobody wait.
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
    """Return the sample of a line of a log, whatever stands before it; None for any other line."""
    found = _LINE.search(line)
    if found is None:
        return None
    t_ns, n, *figures_ms = found.groups()
    return LagSample(int(t_ns), int(n), *map(float, figures_ms))


def _summarise(t_ns: int, waits_ns: list[int]) -> LagSample:
    """Return the figures of sorted waits, of which there is at least one."""
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
    """Return the nearest-rank percentile: the smallest wait that `percent` of the waits do not exceed."""
    return waits_ns[-(-percent * len(waits_ns) // 100) - 1]

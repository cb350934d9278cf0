"""Early stopping: reads samples while load runs, and detects when the outcome of a trial is already certain."""

import csv
import io
import math
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.load.shapes import PACING_S, Example
from benchmark.load.slo import FOLLOWS, P95_LIMIT
from benchmark.record.columns import SAMPLE_COLUMNS

_SCHEDULED, _START, _LATENCY, _OK = (
    SAMPLE_COLUMNS.index(name) for name in ("scheduled_ns", "start_ns", "latency_ns", "ok")
)
_SIGMAS = 3  # tolerance for chance in the number of arrivals


@dataclass
class Tail:
    """Reads the lines of a sample file as they are written."""

    samples: Path
    _read: int = 0  # bytes

    def new_lines(self) -> list[list[str]]:
        """Return the complete lines since the last call, without the header."""
        if not self.samples.exists():
            return []
        with self.samples.open("rb") as file:
            file.seek(self._read)
            text = file.read().rpartition(b"\n")[0]
        is_first, self._read = not self._read, self._read + len(text) + bool(text)
        return list(csv.reader(io.StringIO(text.decode())))[is_first:]


@dataclass
class PlanWatch:
    """Detects the end of the planned time from the first samples.

    Time counts from the first request. If that one is answered after others, it counts from theirs, which is later.
    """

    samples: Path
    duration_s: float
    _start_ns: int | None = None

    def is_over(self, now_ns: int) -> bool:
        """Whether the planned time is over at `now_ns` of the monotonic clock."""
        if self._start_ns is None:
            self._start_ns = min((int(line[_START]) for line in Tail(self.samples).new_lines()), default=None)
        return self._start_ns is not None and now_ns >= self._start_ns + self.duration_s * 1e9


@dataclass
class HoldWatch:
    """Detects from the samples of paced users that their rate can no longer be sustained."""

    samples: Path
    example: Example  # as it runs: warm-up, users, duration
    low_p95_ms: float
    seconds: float = 0.0  # from the first request to the last answer read so far
    _start_ns: int | None = None
    _good: int = 0  # correct answers after the warm-up
    _slow: int = 0  # those of them above the p95 limit

    def __post_init__(self) -> None:
        self._tail = Tail(self.samples)

    def is_lost(self) -> bool:
        """Whether `was_held` will be False even if every request from now on is answered at once.

        Each user may have one more request in flight. The p95 is above its limit if more than 5 % of all possible
        answers are.
        """
        self._take(self._tail.new_lines())
        planned_s = self.example.duration_s - self.example.warmup_s
        offered = self.example.users / PACING_S
        best = self._good + self.example.users + offered * max(self.example.duration_s - self.seconds, 0.0)
        return best < FOLLOWS * offered * planned_s or self._slow > 0.05 * (offered * planned_s + self.example.users)

    def _take(self, lines: list[list[str]]) -> None:
        if lines and self._start_ns is None:
            self._start_ns = min(int(line[_START]) for line in lines)
        for line in lines:
            end_s = (int(line[_START]) + int(line[_LATENCY]) - (self._start_ns or 0)) / 1e9
            self.seconds = max(self.seconds, end_s)
            if line[_OK] == "1" and end_s >= self.example.warmup_s:
                self._good += 1
                self._slow += int(line[_LATENCY]) / 1e6 > P95_LIMIT * self.low_p95_ms


@dataclass
class ArrivalsWatch:
    """Detects from the samples of an open loop that its rate is not sustained."""

    samples: Path
    rate_rps: float
    warmup_s: float
    counted_s: float
    limit_ms: float
    passed_s: float = 0.0  # from the first arrival to the last answer read so far
    _start_ns: int | None = None
    _bad: int = 0  # arrivals after the warm-up that failed or took longer than the limit
    _tail: Tail = field(init=False)

    def __post_init__(self) -> None:
        self._tail = Tail(self.samples)

    def is_over(self) -> bool:
        """Whether all counted arrivals have had their time limit, according to the samples that `is_lost` has read."""
        return self.passed_s >= self.warmup_s + self.counted_s + self.limit_ms / 1e3

    def is_lost(self) -> bool:
        """Whether more arrivals have missed their time limit than a sustained rate allows."""
        for line in self._tail.new_lines():
            scheduled_ns = int(line[_SCHEDULED])
            latency_ms = (int(line[_START]) + int(line[_LATENCY]) - scheduled_ns) / 1e6
            self._start_ns = scheduled_ns if self._start_ns is None else min(self._start_ns, scheduled_ns)
            at_s = (scheduled_ns - self._start_ns) / 1e9
            self.passed_s = max(self.passed_s, at_s + latency_ms / 1e3)
            self._bad += at_s >= self.warmup_s and (line[_OK] != "1" or latency_ms > self.limit_ms)
        expected = self.rate_rps * self.counted_s
        return self._bad > (1 - FOLLOWS) * (expected + _SIGMAS * math.sqrt(expected))

"""Whether a rate is held, in time; and when that is lost already, so that no more time is spent on it."""

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
_SIGMAS = 3  # of chance in the number of arrivals


@dataclass
class Tail:
    """The lines of a sample file, read as they are written."""

    samples: Path
    _read: int = 0  # bytes

    def new_lines(self) -> list[list[str]]:
        """Return the whole lines that were written since the last look, without the header."""
        if not self.samples.exists():
            return []
        with self.samples.open("rb") as file:
            file.seek(self._read)
            text = file.read().rpartition(b"\n")[0]
        is_first, self._read = not self._read, self._read + len(text) + bool(text)
        return list(csv.reader(io.StringIO(text.decode())))[is_first:]


@dataclass
class PlanWatch:
    """Reads the first samples as they are written, and knows when the planned time is over.

    It counts from the first request; if that one is answered after others, time counts from theirs, which is later.
    """

    samples: Path
    duration_s: float
    _start_ns: int | None = None

    def is_over(self, now_ns: int) -> bool:
        """Whether the planned time has passed at this moment of the monotonic clock."""
        if self._start_ns is None:
            self._start_ns = min((int(line[_START]) for line in Tail(self.samples).new_lines()), default=None)
        return self._start_ns is not None and now_ns >= self._start_ns + self.duration_s * 1e9


@dataclass
class HoldWatch:
    """Reads the samples of paced users as they are written, and knows when their rate cannot be held any more."""

    samples: Path
    example: Example  # as it is issued: warm-up, users, duration
    low_p95_ms: float
    seconds: float = 0.0  # from the first request to the last answer that was read
    _start_ns: int | None = None
    _good: int = 0  # answers after the warm-up
    _slow: int = 0  # of these

    def __post_init__(self) -> None:
        self._tail = Tail(self.samples)

    def is_lost(self) -> bool:
        """Whether `was_held` will say no, even if every request from now on is answered at once.

        Each user may have one request in flight that is answered as well. The p95 is above its limit when more
        than 5 % of all answers that there can be are.
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
    """Reads the samples of an open loop as they are written, and knows when its rate is not sustained."""

    samples: Path
    rate_rps: float
    warmup_s: float
    counted_s: float
    limit_ms: float
    passed_s: float = 0.0  # from the first arrival to the last answer that was read
    _start_ns: int | None = None
    _bad: int = 0  # arrivals after the warm-up that failed or took longer than the limit
    _tail: Tail = field(init=False)

    def __post_init__(self) -> None:
        self._tail = Tail(self.samples)

    def is_over(self) -> bool:
        """Whether every arrival that counts has had its time, as far as `is_lost` has looked."""
        return self.passed_s >= self.warmup_s + self.counted_s + self.limit_ms / 1e3

    def is_lost(self) -> bool:
        """Whether more arrivals were not answered in time than may be of all that will come."""
        for line in self._tail.new_lines():
            scheduled_ns = int(line[_SCHEDULED])
            latency_ms = (int(line[_START]) + int(line[_LATENCY]) - scheduled_ns) / 1e6
            self._start_ns = scheduled_ns if self._start_ns is None else min(self._start_ns, scheduled_ns)
            at_s = (scheduled_ns - self._start_ns) / 1e9
            self.passed_s = max(self.passed_s, at_s + latency_ms / 1e3)
            self._bad += at_s >= self.warmup_s and (line[_OK] != "1" or latency_ms > self.limit_ms)
        expected = self.rate_rps * self.counted_s
        return self._bad > (1 - FOLLOWS) * (expected + _SIGMAS * math.sqrt(expected))

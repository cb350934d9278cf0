"""Example 3: whether a number of paced users gets what it asks for, in time; and when that is lost already."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from benchmark.experiment3_locust.breaking_point import FOLLOWS, P95_LIMIT
from benchmark.experiment3_locust.examples import PACING_S, Example
from benchmark.experiment3_locust.findings import LocustRun
from benchmark.load.plan import SAMPLE_COLUMNS

_START, _LATENCY, _OK = (SAMPLE_COLUMNS.index(name) for name in ("start_ns", "latency_ns", "ok"))


def was_held(found: LocustRun, users: int, low_p95_ms: float) -> bool:
    """Whether so many paced users got the rate that they offered, in time."""
    in_time = found.p95_ms is not None and found.p95_ms <= P95_LIMIT * low_p95_ms
    return in_time and found.rps >= FOLLOWS * users / PACING_S


@dataclass
class Watch:
    """Reads the samples of a try as they are written, and knows when it cannot be held any more."""

    samples: Path
    example: Example  # as it is issued: warm-up, users, duration
    low_p95_ms: float
    seconds: float = 0.0  # from the first request to the last answer that was read
    _read: int = 0  # bytes
    _start_ns: int | None = None
    _good: int = 0  # answers after the warm-up
    _slow: int = 0  # of these

    def is_lost(self) -> bool:
        """Whether `was_held` will say no, even if every request from now on is answered at once.

        Each user may have one request in flight that is answered as well. The p95 is above its limit when more
        than 5 % of all answers that there can be are.
        """
        self._take(self._new_lines())
        planned_s = self.example.duration_s - self.example.warmup_s
        offered = self.example.users / PACING_S
        best = self._good + self.example.users + offered * max(self.example.duration_s - self.seconds, 0.0)
        return best < FOLLOWS * offered * planned_s or self._slow > 0.05 * (offered * planned_s + self.example.users)

    def _new_lines(self) -> list[list[str]]:
        """Return the whole lines that were written since the last look, without the header."""
        if not self.samples.exists():
            return []
        with self.samples.open("rb") as file:
            file.seek(self._read)
            text = file.read().rpartition(b"\n")[0]
        is_first, self._read = not self._read, self._read + len(text) + bool(text)
        return list(csv.reader(io.StringIO(text.decode())))[is_first:]

    def _take(self, lines: list[list[str]]) -> None:
        if lines and self._start_ns is None:
            self._start_ns = min(int(line[_START]) for line in lines)
        for line in lines:
            end_s = (int(line[_START]) + int(line[_LATENCY]) - (self._start_ns or 0)) / 1e9
            self.seconds = max(self.seconds, end_s)
            if line[_OK] == "1" and end_s >= self.example.warmup_s:
                self._good += 1
                self._slow += int(line[_LATENCY]) / 1e6 > P95_LIMIT * self.low_p95_ms

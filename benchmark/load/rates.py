"""The rate of an open loop over time, written as one line: `0 -> 12000/min in 1min, hold 1min`.

Steps are separated by commas:

| written | the rate |
|---|---|
| `200 for 30s` | 200 requests per second for half a minute |
| `hold 1min` | stays where the step before ended |
| `0 -> 200 in 1min` | rises (or falls) in a straight line |
| `200 -> 1000 for 10s -> 200 for 20s` | jumps; a rate without a time lasts ten seconds |
| `sine 50 to 200 every 2min for 4min` | swings between two rates, beginning with the lower: a day in minutes |
| `bursts 50 to 400, 8s and 2s, for 1min` | low and high by turns, each for a random time with the mean given (MMPP) |
| `replay access.log at 2x` | the times of a log, twice as fast |
| `replay requests.jsonl with bodies` | the times of a log, and what its requests sent |

Rates are per second, or say so: `12000/min`, `200/s`. Times are in `ms`, `s`, `min` or `h`.
"""

import math
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, Protocol

from benchmark.errors import ShapeError
from benchmark.load.plan import LoggedBodies
from benchmark.load.replayed_log import read_log

_DEFAULT_S: Final = 10.0  # of a rate without a time
_MOST_REQUESTS: Final = 2_000_000  # they are kept in memory
_SECONDS: Final = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
_NUMBER = r"(\d+(?:\.\d+)?)"
_TIME = rf"{_NUMBER}\s*(ms|s|min|h)"
_RATE = rf"{_NUMBER}(?:\s*/\s*(s|min|h))?"
_EXAMPLE: Final = "such as '0 -> 12000/min in 1min, hold 1min'"


class Phase(Protocol):
    """A part of a shape with a law of its own."""

    @property
    def seconds(self) -> float: ...

    @property
    def words(self) -> str: ...

    @property
    def last_rps(self) -> float:
        """The rate at its end, which `hold` goes on with."""

    def pieces(self, draw: random.Random) -> Iterator["Piece"]:
        """Yield the course of its rate; one whose course is random draws it."""


@dataclass(frozen=True)
class Piece:
    """A stretch of time on which the rate is a straight line, or swings as a sine."""

    start_rps: float
    end_rps: float
    seconds: float
    period_s: float = 0.0  # of a sine between the two rates, from the first; 0: a straight line

    @property
    def peak_rps(self) -> float:
        return max(self.start_rps, self.end_rps)

    def rate_rps(self, t_s: float) -> float:
        """Return the rate `t_s` after the piece began."""
        if self.period_s:
            swing = (1 - math.cos(2 * math.pi * t_s / self.period_s)) / 2
            return self.start_rps + (self.end_rps - self.start_rps) * swing
        return self.start_rps + (self.end_rps - self.start_rps) * t_s / self.seconds

    def expected(self, t_s: float) -> float:
        """Return how many requests are expected in its first `t_s`: the integral of the rate."""
        if self.period_s:
            turn = 2 * math.pi / self.period_s
            swing = (t_s - math.sin(turn * t_s) / turn) / 2
            return self.start_rps * t_s + (self.end_rps - self.start_rps) * swing
        return self.start_rps * t_s + (self.end_rps - self.start_rps) * t_s * t_s / (2 * self.seconds)


@dataclass(frozen=True)
class Line:
    """The rate goes in a straight line from one to the other, or stays."""

    start_rps: float
    end_rps: float
    seconds: float

    @property
    def words(self) -> str:
        if self.start_rps == self.end_rps:
            return f"{self.start_rps:g}/s for {self.seconds:g} s"
        return f"{self.start_rps:g} to {self.end_rps:g}/s in {self.seconds:g} s"

    @property
    def last_rps(self) -> float:
        return self.end_rps

    def pieces(self, _: random.Random) -> Iterator[Piece]:
        yield Piece(self.start_rps, self.end_rps, self.seconds)


@dataclass(frozen=True)
class Sine:
    """The rate swings between two values."""

    low_rps: float
    high_rps: float
    period_s: float
    seconds: float

    @property
    def words(self) -> str:
        return f"{self.low_rps:g} to {self.high_rps:g}/s every {self.period_s:g} s, for {self.seconds:g} s"

    @property
    def last_rps(self) -> float:
        return Piece(self.low_rps, self.high_rps, self.seconds, self.period_s).rate_rps(self.seconds)

    def pieces(self, _: random.Random) -> Iterator[Piece]:
        yield Piece(self.low_rps, self.high_rps, self.seconds, self.period_s)


@dataclass(frozen=True)
class Bursts:
    """A Markov-modulated Poisson process of two states: low and high by turns, each for an exponential time."""

    low_rps: float
    high_rps: float
    mean_low_s: float
    mean_high_s: float
    seconds: float

    @property
    def words(self) -> str:
        means = f"for {self.mean_low_s:g} and {self.mean_high_s:g} s on average"
        return f"{self.low_rps:g} and {self.high_rps:g}/s by turns, {means}, for {self.seconds:g} s"

    @property
    def last_rps(self) -> float:
        return self.low_rps

    def pieces(self, draw: random.Random) -> Iterator[Piece]:
        left_s, high = self.seconds, False
        while left_s > 0:
            mean_s, rps = (self.mean_high_s, self.high_rps) if high else (self.mean_low_s, self.low_rps)
            stay_s = min(draw.expovariate(1 / mean_s), left_s)
            yield Piece(rps, rps, stay_s)
            left_s, high = left_s - stay_s, not high


@dataclass(frozen=True)
class Replay:
    """The times of a log, since its first request; `path` is what was written, `log` its absolute path.

    With bodies, the requests send those of the log, which is read again then: they are nobody else's.
    """

    path: str
    log: str
    at_s: tuple[float, ...]
    with_bodies: bool = False

    @property
    def seconds(self) -> float:
        return self.at_s[-1] if self.at_s else 0.0

    @property
    def words(self) -> str:
        bodies = ", with their bodies," if self.with_bodies else ""
        return f"{len(self.at_s)} requests of {self.path}{bodies} in {self.seconds:g} s"

    @property
    def last_rps(self) -> float:
        return 0.0

    def pieces(self, _: random.Random) -> Iterator[Piece]:
        """Yield the log's own rate, second by second."""
        counts = [0] * math.ceil(self.seconds or 1)
        for at_s in self.at_s:
            counts[min(int(at_s), len(counts) - 1)] += 1
        for second, count in enumerate(counts):
            length_s = min(1.0, self.seconds - second) or 1.0
            yield Piece(count / length_s, count / length_s, length_s)


@dataclass(frozen=True)
class RateShape:
    """A rate over time, with the line that it was read from."""

    written: str
    phases: tuple[Phase, ...]

    @property
    def seconds(self) -> float:
        return math.fsum(phase.seconds for phase in self.phases)

    @property
    def from_anywhere(self) -> str:
        """The line with absolute paths of its logs, for a process that runs in another folder."""
        written = self.written
        for phase in self.phases:
            if isinstance(phase, Replay):
                written = written.replace(phase.path, phase.log)
        return written

    def peak_rps(self, seed: int) -> float:
        """Return its highest rate."""
        return max((piece.peak_rps for piece in self.pieces(seed)), default=0.0)

    def pieces(self, seed: int) -> list[Piece]:
        """Return the course of the rate; the same for the same seed."""
        draw = random.Random(f"{seed}-course")
        return [piece for phase in self.phases for piece in phase.pieces(draw)]

    def arrivals_s(self, seed: int) -> list[float]:
        """Return when requests are due, in seconds since the shape began; the same for the same seed.

        An inhomogeneous Poisson process by thinning (Lewis & Shedler, Naval Research Logistics 26, 1979): of a
        process with the highest rate of a piece, each arrival is kept with the share that the rate has then. A
        replayed log keeps its own times.
        """
        return [at_s for _, times in self._by_phase(seed) for at_s in times]

    def logged_bodies(self, seed: int) -> tuple[LoggedBodies, ...]:
        """Return which of the requests that are due send a body of a log."""
        found: list[LoggedBodies] = []
        first = 0
        for phase, times in self._by_phase(seed):
            if isinstance(phase, Replay) and phase.with_bodies:
                found.append(LoggedBodies(first, len(times), phase.log))
            first += len(times)
        return tuple(found)

    def _by_phase(self, seed: int) -> Iterator[tuple[Phase, list[float]]]:
        """Yield each phase with when its requests are due."""
        course, draw = random.Random(f"{seed}-course"), random.Random(seed)
        begin_s = 0.0
        for phase in self.phases:
            times: list[float] = []
            if isinstance(phase, Replay):
                times += [begin_s + at_s for at_s in phase.at_s]
            else:
                since_s = begin_s
                for piece in phase.pieces(course):
                    times += [since_s + t_s for t_s in _thinned(piece, draw)]
                    since_s += piece.seconds
            yield phase, times
            begin_s += phase.seconds


def expected_counts(pieces: Sequence[Piece], bin_s: float = 1.0) -> list[float]:
    """Return how many requests are expected in each bin since the beginning; the last bin may be shorter."""
    total_s = math.fsum(piece.seconds for piece in pieces)
    edges = [min(i * bin_s, total_s) for i in range(math.ceil(total_s / bin_s - 1e-9) + 1)]
    until = [_expected_until(pieces, edge_s) for edge_s in edges]
    return [after - before for before, after in pairwise(until)]


def parse_shape(written: str) -> RateShape:
    """Return the shape that a line describes; a log to replay is read. Raises ShapeError."""
    phases: list[Phase] = []
    for step in _steps(written):
        phases += _phases(step, phases[-1].last_rps if phases else None)
    shape = RateShape(written, tuple(phases))
    if not shape.peak_rps(seed=1):
        raise ShapeError(f"the shape {written!r} asks for no request at all, expected a rate above 0")
    if (asked := math.fsum(piece.expected(piece.seconds) for piece in shape.pieces(seed=1))) > _MOST_REQUESTS:
        raise ShapeError(f"the shape {written!r} asks for {asked:,.0f} requests, expected at most {_MOST_REQUESTS:,}")
    return shape


def _steps(written: str) -> list[str]:
    """Split at the commas between steps; those of bursts belong to their step."""
    if re.search(r"(?<![\w.])-\s*\d", written):
        raise ShapeError(f"the shape {written!r} holds a negative number: a rate cannot go below zero")
    found, step = [], ""
    for part in (part.strip() for part in written.split(",")):
        step = f"{step}, {part}" if step else part
        if not (step.startswith("bursts") and step.count(",") < 2):
            found.append(step)
            step = ""
    found += [step] if step else []
    if not all(found):
        raise ShapeError(f"the shape {written!r} has an empty step, expected one {_EXAMPLE}")
    return found


def _phases(step: str, before_rps: float | None) -> list[Phase]:
    if match := re.fullmatch(rf"hold\s+{_TIME}", step):
        if before_rps is None:
            raise ShapeError(f"{step!r} is the first step: there is no rate yet to hold, expected one {_EXAMPLE}")
        return [Line(before_rps, before_rps, _time(*match.groups()))]
    if match := re.fullmatch(rf"sine\s+{_RATE}\s+to\s+{_RATE}\s+every\s+{_TIME}\s+for\s+{_TIME}", step):
        a, b, c, d, e, f, g, h = match.groups()
        return [Sine(_rate(a, b), _rate(c, d), _time(e, f), _time(g, h))]
    if match := re.fullmatch(rf"bursts\s+{_RATE}\s+to\s+{_RATE},\s*{_TIME}\s+and\s+{_TIME},\s*for\s+{_TIME}", step):
        a, b, c, d, e, f, g, h, i, j = match.groups()
        return [Bursts(_rate(a, b), _rate(c, d), _time(e, f), _time(g, h), _time(i, j))]
    if match := re.fullmatch(rf"replay\s+(.+?)(\s+with\s+bodies)?(?:\s+at\s+{_NUMBER}x)?", step):
        path, with_bodies = Path(match[1]), bool(match[2])
        at_s = read_log(path, float(match[3] or 1), with_bodies).at_s
        return [Replay(match[1], str(path.expanduser().absolute()), at_s, with_bodies)]
    return _lines(step)


def _lines(step: str) -> list[Phase]:
    """Read rates joined by arrows: `in` is the time of the way to a rate, `for` the time at it."""
    phases: list[Phase] = []
    rps: float | None = None
    parts = [part.strip() for part in step.split("->")]
    for place, part in enumerate(parts):
        match = re.fullmatch(rf"{_RATE}(?:\s+(in|for)\s+{_TIME})?", part)
        if not match:
            raise ShapeError(f"{part!r} in the step {step!r} is no rate with its time, expected one {_EXAMPLE}")
        number, per, how, length, unit = match.groups()
        next_rps = _rate(number, per)
        leads_to_a_ramp = place + 1 < len(parts) and " in " in parts[place + 1]
        if how == "in":
            if rps is None:
                raise ShapeError(f"{part!r} goes nowhere: `in` needs a rate to come from, such as '0 -> {part}'")
            phases.append(Line(rps, next_rps, _time(length, unit)))
        elif how == "for":
            phases.append(Line(next_rps, next_rps, _time(length, unit)))
        elif not leads_to_a_ramp:
            phases.append(Line(next_rps, next_rps, _DEFAULT_S))
        rps = next_rps
    return phases


def _rate(number: str, per: str | None) -> float:
    return float(number) / _SECONDS[per or "s"]


def _time(number: str, unit: str) -> float:
    seconds = float(number) * _SECONDS[unit]
    if not seconds:
        raise ShapeError("a step lasts 0 s, expected a time above 0")
    return seconds


def _thinned(piece: Piece, draw: random.Random) -> Iterator[float]:
    peak_rps, t_s = piece.peak_rps, 0.0
    while peak_rps:
        t_s += draw.expovariate(peak_rps)
        if t_s >= piece.seconds:
            return
        if draw.random() * peak_rps < piece.rate_rps(t_s):
            yield t_s


def _expected_until(pieces: Sequence[Piece], t_s: float) -> float:
    expected = 0.0
    for piece in pieces:
        if t_s <= 0:
            break
        expected += piece.expected(min(t_s, piece.seconds))
        t_s -= piece.seconds
    return expected

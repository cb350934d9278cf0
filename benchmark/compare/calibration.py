"""How often the intervals hold the truth, and how often a difference is shown, by simulation. Pure functions.

Each row simulates whole runs, from a seed of its own, and puts them through the functions by which runs are judged. A
figure whose interval comes from elsewhere is one more row of `COVERAGE`. `doc/calibration.py` writes the tables.
"""

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmark.analysis.sequential import Decision, Look, all_decided, decide, is_due, levels
from benchmark.analysis.stats import (
    Interval,
    geometric_interval,
    holm,
    peak_interval,
    positive_interval,
    ratio_interval,
    ratio_p_value,
)
from benchmark.analysis.summary import MIN_CLAIM
from benchmark.compare.verdict import welch_ratio

SEED: Final = 1
RUNS: Final = 2_000  # of each row: a share of 95 % is known to within 1 %
FIRST: Final = 30  # runs whose outcome is recorded as well, so that a test can simulate them again
COMPARISONS: Final = 9  # of a run: three contenders against a fourth, in three figures
FAMILY: Final = 3  # figures of a gate
_SUM_MS: Final = 90.0  # mean of two models that are asked one after the other
_REQUESTS: Final = 40  # in a window of one user
_DISTURBED: Final = 0.1  # share of blocks that something else slows down, in the rows that say so
Values = NDArray[np.float64]
Curve = Sequence[float]
# Requests per second by level.
PLATEAU: Final[Curve] = (100, 400, 400, 400)
PEAK: Final[Curve] = (100, 390, 400, 395)


@dataclass(frozen=True)
class CoverageRow:
    """A figure, the situation in which it is measured, and one run of it: whether the interval holds the truth."""

    figure: str
    situation: str
    holds: Callable[[Generator], bool]

    @property
    def name(self) -> str:
        return f"{self.figure}, {self.situation}"


@dataclass(frozen=True)
class HolmRow:
    """Runs of `bench` with nine comparisons, one of which differs by `change`, a share."""

    blocks: int
    noise: float  # standard deviation of a ratio between blocks
    change: float

    @property
    def name(self) -> str:
        return f"holm, {self.blocks} blocks, {self.noise}, {self.change}"

    def outcome(self, random: Generator) -> tuple[bool, bool]:
        """Simulate a run; return whether the difference is claimed, and whether any other comparison is significant."""
        logs = random.normal(0, self.noise, (COMPARISONS, self.blocks))
        logs[0] += math.log1p(self.change)
        ones = [1.0] * self.blocks
        ratios = [list(np.exp(row)) for row in logs]
        first, *others = holm([ratio_p_value(row, ones) for row in ratios])
        claimed = first and abs(ratio_interval(ratios[0], ones).value - 1) >= MIN_CLAIM
        return claimed and self.change > 0, any(others) or (first and not self.change)


@dataclass(frozen=True)
class GateRow:
    """Runs of `gate` with three figures, all of them worse by `change`; `budget` pairs fill the time."""

    budget: int
    noise: float
    change: float
    allowed: float
    disturbed: bool = False

    @property
    def name(self) -> str:
        return f"gate, {self.budget} pairs, {self.noise}, {self.change}, {self.allowed}, {self.disturbed}"

    @property
    def looks(self) -> list[Look]:
        found, before = [], 0
        for pairs in range(1, self.budget + 1):
            if is_due(pairs, before) or pairs == self.budget:
                found.append(Look(pairs, pairs / self.budget))
                before = pairs
        return found

    def outcome(self, random: Generator, at: Sequence[float]) -> tuple[Decision, int]:
        """Simulate a run; return what it shows, and after how many pairs it ends.

        It shows a change for the worse if any figure does; it shows none only if no figure can be worse than allowed.
        """
        logs = random.normal(math.log1p(self.change), self.noise, (FAMILY, self.budget))
        if self.disturbed:
            sides = random.random((2, FAMILY, self.budget)) < _DISTURBED
            logs += 5 * self.noise * (sides[0].astype(float) - sides[1])
        found = [decide(list(row), self.looks, at, self.allowed) for row in logs]
        pairs = max(each.pairs for each in found)
        if any(each.decision is Decision.WORSE for each in found):
            return Decision.WORSE, pairs
        return (Decision.NOT_WORSE if all_decided(found) else Decision.OPEN), pairs


def _holds(interval: Interval, truth: float) -> bool:
    return interval.low is not None and interval.high is not None and interval.low <= truth <= interval.high


def _factors(random: Generator, noise: float, shape: tuple[int, ...]) -> Values:
    """Return what blocks are multiplied by, on average 1, with this standard deviation."""
    sigma = math.sqrt(math.log1p(noise**2))
    return np.exp(random.normal(-(sigma**2) / 2, sigma, shape))


def _mean(blocks: int, noise: float) -> Callable[[Generator], bool]:
    """Latency at one user: every block has its requests, and a factor of its own."""

    def holds(random: Generator) -> bool:
        asked_ms = random.uniform(40, 50, (blocks, _REQUESTS, 2)).sum(axis=2).mean(axis=1)
        return _holds(positive_interval(list(asked_ms * _factors(random, noise, (blocks,)))), _SUM_MS)

    return holds


def _rates(random: Generator, curve: Curve, blocks: int, noise: float) -> Values:
    """Return rates by level and block: half of the variance is the block's, which all its levels share."""
    own, shared = random.normal(0, noise, (len(curve), blocks)), random.normal(0, noise, blocks)
    rates: Values = np.asarray(curve)[:, None] * np.exp((own + shared) / math.sqrt(2))
    return rates


def _peak(curve: Curve, blocks: int, noise: float) -> Callable[[Generator], bool]:
    """The highest rate: that of the level that was measured as the fastest."""

    def holds(random: Generator) -> bool:
        by_level = dict(enumerate(map(list, _rates(random, curve, blocks, noise))))
        top = max(by_level, key=lambda level: geometric_interval(by_level[level]).value)
        return _holds(peak_interval(by_level, top), max(curve))

    return holds


def _ratio(blocks: int, noise: float) -> Callable[[Generator], bool]:
    """Two contenders in the same blocks."""

    def holds(random: Generator) -> bool:
        shared = _factors(random, noise, (blocks,))
        ours, theirs = (list(shared * _factors(random, noise, (blocks,))) for _ in range(2))
        return _holds(ratio_interval(ours, theirs), 1.0)

    return holds


def _ratio_of_peaks(blocks: int, noise: float) -> Callable[[Generator], bool]:
    def holds(random: Generator) -> bool:
        rates = [_rates(random, PEAK, blocks, noise) for _ in range(2)]
        ours, theirs = (list(each[int(np.log(each).mean(axis=1).argmax())]) for each in rates)
        return _holds(ratio_interval(ours, theirs), 1.0)

    return holds


def _two_runs(blocks: int, noise: float, other_noise: float) -> Callable[[Generator], bool]:
    """Two runs, as `compare` sees them: blocks that are no pairs, and that do not vary alike."""

    def holds(random: Generator) -> bool:
        a, b = (list(np.exp(random.normal(0, sd, blocks))) for sd in (noise, other_noise))
        return _holds(welch_ratio(a, b), 1.0)

    return holds


COVERAGE: Final = (
    CoverageRow("mean", "4 blocks that vary by 2 %", _mean(4, 0.02)),
    CoverageRow("mean", "12 blocks that vary by 30 %", _mean(12, 0.30)),
    CoverageRow("peak", "one level above the others, 4 blocks that vary by 10 %", _peak(PEAK, 4, 0.10)),
    CoverageRow("peak", "three equal levels, 4 blocks that vary by 2 %", _peak(PLATEAU, 4, 0.02)),
    CoverageRow("peak", "three equal levels, 12 blocks that vary by 10 %", _peak(PLATEAU, 12, 0.10)),
    CoverageRow("ratio of means", "4 blocks that vary by 2 %", _ratio(4, 0.02)),
    CoverageRow("ratio of means", "12 blocks that vary by 10 %", _ratio(12, 0.10)),
    CoverageRow("ratio of peaks", "4 blocks that vary by 10 %", _ratio_of_peaks(4, 0.10)),
    CoverageRow(
        "ratio of two runs", "4 blocks each, of which one run varies by 2 %, one by 6 %", _two_runs(4, 0.02, 0.06)
    ),
    CoverageRow("ratio of two runs", "12 blocks each that vary by 10 %", _two_runs(12, 0.10, 0.10)),
)
CHANGES: Final = (0.0, 0.02, 0.05, 0.10)
HOLM: Final = tuple(HolmRow(blocks, 0.02, change) for blocks in (4, 12) for change in CHANGES)
GATE: Final = (
    *(GateRow(budget, 0.02, change, 0.02) for budget in (12, 36) for change in CHANGES),
    *(GateRow(36, 0.02, change, 0.02, disturbed=True) for change in CHANGES),
)


def measure_coverage(row: CoverageRow, runs: int = RUNS) -> dict[str, object]:
    random = _seeded(row.name)
    held = [row.holds(random) for _ in range(runs)]
    return {"name": row.name, "figure": row.figure, "situation": row.situation, **_counted(held, "held")}


def measure_holm(row: HolmRow, runs: int = RUNS) -> dict[str, object]:
    random = _seeded(row.name)
    found = [row.outcome(random) for _ in range(runs)]
    claimed, alarms = ([each[place] for each in found] for place in (0, 1))
    counts = {**_counted(claimed, "claimed"), **_counted(alarms, "false_alarms")}
    return {"name": row.name, "blocks": row.blocks, "change": row.change, **counts}


def measure_gate(row: GateRow, runs: int = RUNS) -> dict[str, object]:
    random, at = _seeded(row.name), levels(row.looks, FAMILY)
    found = [row.outcome(random, at) for _ in range(runs)]
    worse, fine = ([decision is wanted for decision, _ in found] for wanted in (Decision.WORSE, Decision.NOT_WORSE))
    return {
        "name": row.name,
        "budget": row.budget,
        "change": row.change,
        "disturbed": row.disturbed,
        **_counted(worse, "worse"),
        **_counted(fine, "not_worse"),
        "pairs": round(sum(pairs for _, pairs in found) / runs, 1),
    }


def calibrate(runs: int = RUNS) -> dict[str, object]:
    """Return all tables: with the same seed, the same figures."""
    return {
        "seed": SEED,
        "runs": runs,
        "comparisons": COMPARISONS,
        "figures": FAMILY,
        "coverage": [measure_coverage(row, runs) for row in COVERAGE],
        "holm": [measure_holm(row, runs) for row in HOLM],
        "gate": [measure_gate(row, runs) for row in GATE],
    }


def _seeded(name: str) -> Generator:
    """Return a row's own random numbers, which another row does not change."""
    return np.random.default_rng([SEED, zlib.crc32(name.encode())])


def _counted(outcomes: Sequence[bool], name: str) -> Mapping[str, float | int]:
    return {name: sum(outcomes) / len(outcomes), f"{name}_in_first": sum(outcomes[:FIRST])}

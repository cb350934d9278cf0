"""The rules that decide whether a figure is VALID, each with its limit."""

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from benchmark.analysis.level_figures import LevelFigures
from benchmark.analysis.reasons import Reason, because
from benchmark.analysis.stats import block_interval
from benchmark.analysis.wording import at_users
from benchmark.contenders.discovery import Contender
from benchmark.load.bodies import EARLY_MS
from benchmark.record.columns import GENERATOR_ROLE

MAX_GENERATOR_CPU = 0.90  # cores; above, the figures are limited by the generator and not by the contender
MAX_LITTLE_ERROR = 0.05
MAX_LATE = 0.01  # share of arrivals sent late before an open loop is INVALID
MAX_BUSY_BEFORE = 0.15  # of all cores, before the first process is started
# Of all cores, while a level is measured: the mean over its blocks, and any single block, so that a program that ran
# during one of four blocks is not averaged away. On an otherwise idle machine, a level shows 0 to 2 %.
MAX_FOREIGN, MAX_FOREIGN_IN_BLOCK = 0.15, 0.20
MAX_STEAL, MAX_STEAL_IN_BLOCK = 0.10, 0.20
# Between the two halves of a window, the mean over blocks: noise cancels out, warming up does not.
MAX_DRIFT = 0.15
# A run judges a hundred levels; at 95 % five of them would be called unsteady by chance.
DRIFT_CONFIDENCE = 0.999


def level_reasons(contender: Contender, blocks: Sequence[LevelFigures], spared: float = 0.0) -> list[Reason]:
    """Return why one contender's level is INVALID; nothing if it is VALID. `spared`: see `disturbance_reasons`."""
    reasons = disturbance_reasons(blocks, spared=spared)
    silent = [block.block + 1 for block in blocks if not block.n]
    if silent:
        return [because("no_answer", blocks=", ".join(map(str, silent))), *reasons]
    errors = sum(block.errors for block in blocks)
    if errors:
        example = next(block.first_error for block in blocks if block.errors)
        reasons.append(because("errors", errors=errors, example=example))
    reasons += early_reasons(min(block.fastest_excess_ms for block in blocks))
    if contender.harness_floor:
        return reasons  # its purpose is to saturate the generator, which the rules below would report
    generator = float(np.mean([block.cpu_share.get(GENERATOR_ROLE, 0.0) for block in blocks]))
    if generator > MAX_GENERATOR_CPU:
        reasons.append(because("generator_saturated", share=generator))
    little = float(np.mean([block.little_n for block in blocks])) / blocks[0].users - 1
    if abs(little) > MAX_LITTLE_ERROR:
        reasons.append(because("little", off=little))
    drift = block_interval([block.drift for block in blocks], DRIFT_CONFIDENCE)
    # A single block cannot distinguish a drift from chance.
    chance = drift.low is None or drift.high is None or drift.low <= 0 <= drift.high
    if abs(drift.value) > MAX_DRIFT and not chance:
        reasons.append(because("unsteady", change=drift.value))
    return reasons


class Observed(Protocol):
    """A measurement during which the load of the machine was recorded, such as a level in one block."""

    @property
    def foreign_share(self) -> float | None: ...

    @property
    def steal_share(self) -> float | None: ...


def most_late(n: int) -> float:
    """Return how many of n arrivals may be sent late: the share allowed, plus two sigma of chance (Poisson)."""
    return MAX_LATE * n + 2 * math.sqrt(MAX_LATE * n)


def early_reasons(fastest_excess_ms: float) -> list[Reason]:
    """Return the reason if an answer came earlier than the models allow, else nothing.

    `fastest_excess_ms` is the smallest difference between a latency and the least that its answer implies.
    """
    return [because("early_answer", early_ms=-fastest_excess_ms)] if fastest_excess_ms < -EARLY_MS else []


def disturbance_reasons(blocks: Sequence[Observed], unit: str = "block", spared: float = 0.0) -> list[Reason]:
    """Return a reason if other programs or virtual machines used too much of the machine during these blocks.

    Blocks without an observation are skipped. `unit` is the word for a block, such as `repeat`. `spared` is the share
    of the blocks in which the limit for a single one does not hold, where so few cannot change what is concluded.
    """
    foreign, steal = [block.foreign_share for block in blocks], [block.steal_share for block in blocks]
    return [
        *_excess("foreign_load", foreign, MAX_FOREIGN, MAX_FOREIGN_IN_BLOCK, unit, spared),
        *_excess("stolen_time", steal, MAX_STEAL, MAX_STEAL_IN_BLOCK, unit, spared),
    ]


def _excess(
    code: str, shares: Sequence[float | None], bound: float, bound_in_one: float, unit: str, spared: float
) -> list[Reason]:
    """Return a reason if the mean share is above `bound`, or more than are spared above `bound_in_one`."""
    seen = [share for share in shares if share is not None]
    mean, worst = float(np.mean(seen)) if seen else 0.0, max(seen, default=0.0)
    above, most = sum(share > bound_in_one for share in seen), int(spared * len(seen))
    if mean > bound:
        return [because(code, share=mean, limit=bound)]
    if above <= most:
        return []
    if not most:
        return [because(f"{code}_in_one", share=worst, limit=bound_in_one, count=len(seen), unit=unit)]
    return [because(f"{code}_in_some", above=above, most_above=most, limit=bound_in_one, count=len(seen), unit=unit)]


def level_notes(contender: Contender, blocks: Sequence[LevelFigures]) -> list[str]:
    """Return notes about a VALID level."""
    generator = float(np.mean([block.cpu_share.get(GENERATOR_ROLE, 0.0) for block in blocks]))
    if contender.harness_floor and generator > MAX_GENERATOR_CPU:
        return [f"At {at_users(blocks[0].users)} the load generator was at its limit"]
    return []


def run_reasons(busy_before_start: float) -> list[Reason]:
    """Return why a whole run is INVALID."""
    if busy_before_start > MAX_BUSY_BEFORE:
        return [because("machine_busy", share=busy_before_start, limit=MAX_BUSY_BEFORE)]
    return []

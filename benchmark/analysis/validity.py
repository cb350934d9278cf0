"""Whether a figure may be believed: every rule and its bound."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from benchmark.analysis.reasons import Reason, because
from benchmark.analysis.stats import block_interval
from benchmark.analysis.level_figures import LevelFigures
from benchmark.contenders.discovery import Contender
from benchmark.load.bodies import EARLY_MS
from benchmark.record.columns import GENERATOR_ROLE

MAX_GENERATOR_CPU = 0.90  # cores; above, the generator is what is being measured
MAX_LITTLE_ERROR = 0.05
MAX_BUSY_BEFORE = 0.15  # of all cores, before the first process is started
# Of all cores, while a level is measured: the mean over its blocks, and any single one, so that a program that ran
# during one of four blocks is not averaged away. Measured with nothing beside it, a level shows 0 to 2 %.
MAX_FOREIGN, MAX_FOREIGN_IN_BLOCK = 0.15, 0.20
MAX_STEAL, MAX_STEAL_IN_BLOCK = 0.10, 0.20
MAX_DRIFT = 0.15  # between the two halves of a window, the mean over blocks: noise has no direction, warming up has
# A run judges a hundred levels; at 95 % five of them would be called unsteady by chance.
DRIFT_CONFIDENCE = 0.999


def level_reasons(contender: Contender, blocks: Sequence[LevelFigures]) -> list[Reason]:
    """Return why one contender's level is INVALID; nothing if it is VALID."""
    reasons = disturbance_reasons(blocks)
    silent = [block.block + 1 for block in blocks if not block.n]
    if silent:
        return [because("no_answer", blocks=", ".join(map(str, silent))), *reasons]
    errors = sum(block.errors for block in blocks)
    if errors:
        example = next(block.first_error for block in blocks if block.errors)
        reasons.append(because("errors", errors=errors, example=example))
    reasons += early_reasons(min(block.fastest_excess_ms for block in blocks))
    if contender.harness_floor:
        return reasons  # it is there to saturate the generator; the two rules below would only say so
    generator = float(np.mean([block.cpu_share.get(GENERATOR_ROLE, 0.0) for block in blocks]))
    if generator > MAX_GENERATOR_CPU:
        reasons.append(because("generator_saturated", share=generator))
    little = float(np.mean([block.little_n for block in blocks])) / blocks[0].users - 1
    if abs(little) > MAX_LITTLE_ERROR:
        reasons.append(because("little", off=little))
    drift = block_interval([block.drift for block in blocks], DRIFT_CONFIDENCE)
    # A single block cannot tell a drift from chance.
    chance = drift.low is None or drift.high is None or drift.low <= 0 <= drift.high
    if abs(drift.value) > MAX_DRIFT and not chance:
        reasons.append(because("unsteady", change=drift.value))
    return reasons


class Observed(Protocol):
    """Something measured beside which the machine was watched, such as a level in one block."""

    @property
    def foreign_share(self) -> float | None: ...

    @property
    def steal_share(self) -> float | None: ...


def early_reasons(fastest_excess_ms: float) -> list[Reason]:
    """Return why answers cannot be the contender's, from the smallest latency above what its answer implies."""
    return [because("early_answer", early_ms=-fastest_excess_ms)] if fastest_excess_ms < -EARLY_MS else []


def disturbance_reasons(blocks: Sequence[Observed], unit: str = "block") -> list[Reason]:
    """Return why what was measured in these blocks was disturbed by others; nothing where that was not observed.

    `unit` is what a block is called there.
    """
    foreign, steal = [block.foreign_share for block in blocks], [block.steal_share for block in blocks]
    return [
        *_excess("foreign_load", foreign, MAX_FOREIGN, MAX_FOREIGN_IN_BLOCK, unit),
        *_excess("stolen_time", steal, MAX_STEAL, MAX_STEAL_IN_BLOCK, unit),
    ]


def _excess(code: str, shares: Sequence[float | None], bound: float, bound_in_one: float, unit: str) -> list[Reason]:
    """Return how a bound is broken: by the mean of the shares, or by a single one."""
    seen = [share for share in shares if share is not None]
    mean, worst = float(np.mean(seen)) if seen else 0.0, max(seen, default=0.0)
    if mean > bound:
        return [because(code, share=mean, limit=bound)]
    if worst > bound_in_one:
        return [because(f"{code}_in_one", share=worst, limit=bound_in_one, count=len(seen), unit=unit)]
    return []


def level_notes(contender: Contender, blocks: Sequence[LevelFigures]) -> list[str]:
    """Return what a reader should know of a VALID level."""
    generator = float(np.mean([block.cpu_share.get(GENERATOR_ROLE, 0.0) for block in blocks]))
    if contender.harness_floor and generator > MAX_GENERATOR_CPU:
        return [f"at {blocks[0].users} users the generator used {generator:.0%} of a core: this is its ceiling"]
    return []


def run_reasons(busy_before_start: float) -> list[Reason]:
    """Return why a whole run is INVALID."""
    if busy_before_start > MAX_BUSY_BEFORE:
        return [because("machine_busy", share=busy_before_start, limit=MAX_BUSY_BEFORE)]
    return []

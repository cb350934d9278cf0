"""Whether a figure may be believed: every rule, its bound, and the sentence that is printed when it is broken."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from benchmark.analysis.stats import block_interval
from benchmark.analysis.windows import LevelFigures
from benchmark.contenders.discovery import Contender
from benchmark.load.bodies import early_reasons
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


def level_reasons(contender: Contender, blocks: Sequence[LevelFigures]) -> list[str]:
    """Return why one contender's level is INVALID; nothing if it is VALID."""
    reasons = disturbance_reasons(blocks)
    silent = [block.block + 1 for block in blocks if not block.n]
    if silent:
        return [f"no checked answer in block {', '.join(map(str, silent))}", *reasons]
    errors = sum(block.errors for block in blocks)
    if errors:
        example = next(block.first_error for block in blocks if block.errors)
        reasons.append(f"{errors} requests failed, for instance: {example}")
    reasons += early_reasons(min(block.fastest_excess_ms for block in blocks))
    if contender.harness_floor:
        return reasons  # it is there to saturate the generator; the two rules below would only say so
    generator = float(np.mean([block.cpu_share.get(GENERATOR_ROLE, 0.0) for block in blocks]))
    if generator > MAX_GENERATOR_CPU:
        reasons.append(f"the load generator used {generator:.0%} of a core, so it was measured itself; add generators")
    little = float(np.mean([block.little_n for block in blocks])) / blocks[0].users - 1
    if abs(little) > MAX_LITTLE_ERROR:
        reasons.append(f"rate x latency is {little:+.1%} off the number of users (Little's law)")
    drift = block_interval([block.drift for block in blocks], DRIFT_CONFIDENCE)
    # A single block cannot tell a drift from chance.
    chance = drift.low is None or drift.high is None or drift.low <= 0 <= drift.high
    if abs(drift.value) > MAX_DRIFT and not chance:
        reasons.append(f"the rate changed by {drift.value:+.0%} within the windows: not a steady state; warm up longer")
    return reasons


class Observed(Protocol):
    """Something measured beside which the machine was watched, such as a level in one block."""

    @property
    def foreign_share(self) -> float | None: ...

    @property
    def steal_share(self) -> float | None: ...


def disturbance_reasons(blocks: Sequence[Observed], unit: str = "block") -> list[str]:
    """Return why what was measured in these blocks was disturbed by others; nothing where that was not observed.

    `unit` is what a block is called there.
    """
    foreign = _excess([block.foreign_share for block in blocks], MAX_FOREIGN, MAX_FOREIGN_IN_BLOCK, unit)
    steal = _excess([block.steal_share for block in blocks], MAX_STEAL, MAX_STEAL_IN_BLOCK, unit)
    reasons = []
    if foreign:
        share, when = foreign
        reasons.append(f"other programs used {share} of the machine {when}; stop them and measure again")
    if steal:
        share, when = steal
        reasons.append(f"the hypervisor gave {share} of the machine's time to others {when}; measure again")
    return reasons


def _excess(shares: Sequence[float | None], bound: float, bound_in_block: float, unit: str) -> tuple[str, str] | None:
    """Return the share by which a bound is broken, and when that was, in words; None if none is."""
    seen = [share for share in shares if share is not None]
    if not seen:
        return None
    mean, worst = float(np.mean(seen)), max(seen)
    if mean > bound:
        return f"{mean:.0%}", f"while this was measured (at most {bound:.0%} is allowed)"
    if worst > bound_in_block:
        return f"{worst:.0%}", f"in the worst of {len(seen)} {unit}s (at most {bound_in_block:.0%} is allowed)"
    return None


def level_notes(contender: Contender, blocks: Sequence[LevelFigures]) -> list[str]:
    """Return what a reader should know of a VALID level."""
    generator = float(np.mean([block.cpu_share.get(GENERATOR_ROLE, 0.0) for block in blocks]))
    if contender.harness_floor and generator > MAX_GENERATOR_CPU:
        return [f"at {blocks[0].users} users the generator used {generator:.0%} of a core: this is its ceiling"]
    return []


def run_reasons(busy_before_start: float) -> list[str]:
    """Return why a whole run is INVALID."""
    if busy_before_start > MAX_BUSY_BEFORE:
        return [
            f"the machine was {busy_before_start:.0%} busy before the start, at most {MAX_BUSY_BEFORE:.0%} is allowed"
        ]
    return []

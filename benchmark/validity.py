"""Whether a figure may be believed: every rule, its bound, and the sentence that is printed when it is broken."""

from collections.abc import Sequence

import numpy as np

from benchmark.contenders import Contender
from benchmark.levels import GENERATOR_ROLE, LevelFigures
from benchmark.load.bodies import early_reasons
from benchmark.stats import block_interval

MAX_GENERATOR_CPU = 0.90  # cores; above, the generator is what is being measured
MAX_LITTLE_ERROR = 0.05
MAX_BUSY_BEFORE = 0.15  # of all cores, before the first process is started
MAX_DRIFT = 0.15  # between the two halves of a window, the mean over blocks: noise has no direction, warming up has
# A run judges a hundred levels; at 95 % five of them would be called unsteady by chance.
DRIFT_CONFIDENCE = 0.999


def level_reasons(contender: Contender, blocks: Sequence[LevelFigures]) -> list[str]:
    """Return why one contender's level is INVALID; nothing if it is VALID."""
    silent = [block.block + 1 for block in blocks if not block.n]
    if silent:
        return [f"no checked answer in block {', '.join(map(str, silent))}"]
    reasons = []
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

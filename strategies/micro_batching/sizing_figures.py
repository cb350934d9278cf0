"""`python -m strategies.micro_batching.sizing_figures`: the adaptive sizes under full load, as a JSON object.

The very classes of the service, told how long batches took: exactly what they cost, or 5 % more or less at random.
"""

import json
import random
from collections.abc import Callable
from typing import Final

from strategies.micro_batching.parameters import FIXED_MS, ITEM_MS, LARGEST, cost_ms
from strategies.micro_batching.sizing import Aimd, QuantileRegression, Sizing

SLOS_MS: Final = (60, 100, 200)
NOISE: Final = 0.05
BATCHES: Final = 20_000
SAMPLES: Final = 500  # batches that clipper-v0 observes before it fits
DOUBLED_SLO_MS: Final = 100
_SETTLED: Final = 1_000  # batches that are left out of the means


def drive(sizing: Sizing, batches: int, took_ms: Callable[[int], float]) -> list[tuple[int, float]]:
    """Return size and time of each of so many batches, when more items wait than a batch may hold."""
    found = []
    for _ in range(batches):
        size = sizing.limit
        found.append((size, took_ms(size)))
        sizing.note(*found[-1])
    return found


def mean_size(batches: list[tuple[int, float]]) -> float:
    """Return the mean size of batches."""
    return sum(size for size, _ in batches) / len(batches)


def late_pct(batches: list[tuple[int, float]], slo_ms: float) -> float:
    """Return the percentage of batches that took longer than the objective."""
    return 100 * sum(took_ms > slo_ms for _, took_ms in batches) / len(batches)


def figures() -> dict[str, float]:
    """Return all figures by name."""
    draw = random.Random(1)

    def noisy(size: int) -> float:
        return cost_ms(size) * draw.uniform(1 - NOISE, 1 + NOISE)

    found: dict[str, float] = {"aimd_exact_late_pct": 0.0, "fit_late_pct": 0.0}
    for slo_ms in SLOS_MS:
        exact = drive(Aimd(slo_ms, LARGEST), 100, cost_ms)
        aimd = drive(Aimd(slo_ms, LARGEST), BATCHES, noisy)[_SETTLED:]
        fit = drive(QuantileRegression(slo_ms, LARGEST, SAMPLES), BATCHES, noisy)[_SETTLED:]
        found[f"aimd_exact_size_{slo_ms}"] = exact[-1][0]
        found[f"aimd_size_{slo_ms}"] = mean_size(aimd)
        found[f"aimd_late_pct_{slo_ms}"] = late_pct(aimd, slo_ms)
        found[f"fit_size_{slo_ms}"] = fit[-1][0]
        found["aimd_exact_late_pct"] = max(found["aimd_exact_late_pct"], late_pct(exact, slo_ms))
        found["fit_late_pct"] = max(found["fit_late_pct"], late_pct(fit, slo_ms))
    # The rule as the paper has it: one item more, until the objective is missed.
    paper = drive(Aimd(DOUBLED_SLO_MS, LARGEST, step=1, hold_from=1.0), 900 + LARGEST, cost_ms)[LARGEST:]
    return found | {"no_band_late_pct": late_pct(paper, DOUBLED_SLO_MS)} | _doubled()


def _doubled() -> dict[str, float]:
    """Return what happens when the fixed cost of a batch doubles, once the sizes have settled."""
    found: dict[str, float] = {}
    sizings: dict[str, Sizing] = {
        "aimd": Aimd(DOUBLED_SLO_MS, LARGEST),
        "fit": QuantileRegression(DOUBLED_SLO_MS, LARGEST, SAMPLES),
    }
    for name, sizing in sizings.items():
        drive(sizing, SAMPLES + 100, cost_ms)
        after = drive(sizing, 100, lambda size: 2 * FIXED_MS + ITEM_MS * size)
        found[f"{name}_late_of_100_after_doubling"] = late_pct(after, DOUBLED_SLO_MS)
    return found


if __name__ == "__main__":
    print(json.dumps(figures()))

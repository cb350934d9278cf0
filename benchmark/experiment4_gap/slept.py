"""Latency of a single user in two parts: the models' sleep, whose share is known beforehand, and all the rest."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmark.experiment4_gap.attribution import DIFFERENCES, attribute
from contract.timing import parse_server_timing

ByBlock = Mapping[int, float]
PARTS = ("slept_ms", "beyond_sleep_ms")


def slept_of(drawn_ms: Sequence[float], floor: str) -> float:
    """Return how long a request slept for its models' draws, in ms: `sum` one after the other, `max` at once."""
    return max(drawn_ms) if floor == "max" else sum(drawn_ms)


def mean_slept_ms(samples: pd.DataFrame, users: int, floor: str) -> float | None:
    """Return how long the models slept on average for a request at a level, None where no answer says so."""
    level = samples[(samples["users"] == users) & samples["measured"].astype(bool) & samples["ok"].astype(bool)]
    drawn = [parse_server_timing(str(header)).get("drawn") for header in level["server_timing"].dropna()]
    slept = [slept_of(each, floor) for each in drawn if each]
    return float(np.mean(slept)) if slept and len(slept) == len(level) else None


def attribute_parts(
    factors: Sequence[str],
    latency_ms: Mapping[frozenset[str], ByBlock],
    slept_ms: Mapping[frozenset[str], ByBlock],
    floors_ms: Mapping[frozenset[str], float],
    half: bool,
) -> dict[str, Any]:
    """Return the attribution of both parts of the latency, by the factors raised and block; {} without draws.

    `floors_ms` are the mean sleeps that follow from the models' law; their shares are `expected`.
    """
    if not all(slept_ms.values()):
        return {}
    beyond_ms = {
        raised: {b: latency_ms[raised][b] - ms for b, ms in by_block.items() if b in latency_ms[raised]}
        for raised, by_block in slept_ms.items()
    }
    found = {
        name: attribute(factors, by, DIFFERENCES, half) for name, by in zip(PARTS, (slept_ms, beyond_ms), strict=True)
    }
    known = attribute(factors, {raised: {0: ms} for raised, ms in floors_ms.items()}, DIFFERENCES, half)
    if known is None or not all(found.values()):
        return {}
    return {**found, "expected": {name: share["value"] for name, share in known["shares"].items()}}

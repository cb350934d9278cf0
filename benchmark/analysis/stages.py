"""Latency of a single user in two parts: the models' sleep, whose share is known beforehand, and all the rest."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from contract.timing import parse_server_timing

ByBlock = Mapping[int, float]


def slept_of(drawn_ms: Sequence[float], floor: str) -> float:
    """Return how long a request slept for its models' draws, in ms: `sum` one after the other, `max` at once."""
    return max(drawn_ms) if floor == "max" else sum(drawn_ms)


def mean_slept_ms(samples: pd.DataFrame, users: int, floor: str) -> float | None:
    """Return how long the models slept on average for a request at a level, None where no answer says so."""
    level = samples[(samples["users"] == users) & samples["measured"].astype(bool) & samples["ok"].astype(bool)]
    drawn = [parse_server_timing(str(header)).get("drawn") for header in level["server_timing"].dropna()]
    slept = [slept_of(each, floor) for each in drawn if each]
    return float(np.mean(slept)) if slept and len(slept) == len(level) else None

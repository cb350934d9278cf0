"""How long the models slept for a request: the part of its latency that is known beforehand."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from contract.timing import parse_server_timing

ByBlock = Mapping[int, float]


def model_sleep_ms(drawn_ms: Sequence[float], floor: str) -> float:
    """Return the time that a request waited for its models to sleep: `sum` one after the other, `max` at once."""
    return max(drawn_ms) if floor == "max" else sum(drawn_ms)


def mean_model_sleep_ms(samples: pd.DataFrame, users: int, floor: str) -> float | None:
    """Return the mean of `model_sleep_ms` over a level's requests, or None unless every answer reports it."""
    level = samples[(samples["users"] == users) & samples["measured"].astype(bool) & samples["ok"].astype(bool)]
    drawn = [parse_server_timing(str(header)).get("drawn") for header in level["server_timing"].dropna()]
    slept = [model_sleep_ms(each, floor) for each in drawn if each]
    return float(np.mean(slept)) if slept and len(slept) == len(level) else None

"""What was really so, by arithmetic on the known times, and how far what was measured is off it."""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from benchmark.analysis.stats import percentile
from benchmark.contenders.absorber.law import Stall
from benchmark.contenders.absorber.serve import DRAWN, HELD
from benchmark.experiments.selftest.schema import Errors, Latencies

Floats = NDArray[np.float64]
_EVEN: Final = 20_000  # requests that stand for all that could have come within a time
_SECOND_MS: Final = 1e3


def drawn_ms(samples: pd.DataFrame) -> Floats:
    """Return for each answer the service time that was drawn for it, as the absorber says; NaN if it does not."""
    return _entry(samples, DRAWN)


def held_ms(samples: pd.DataFrame) -> Floats:
    """Return for each answer how long the absorber really held it."""
    return _entry(samples, HELD)


def true_ms(scheduled_ns: ArrayLike, service_ms: ArrayLike, stall: Stall) -> Floats:
    """Return how long requests take that come when they are due; the stall is on the same clock."""
    pairs = zip(np.asarray(scheduled_ns, dtype=float), np.asarray(service_ms, dtype=float), strict=True)
    return np.array([stall.latency(at_ns, service * 1e6) / 1e6 for at_ns, service in pairs])


def met_by_all(service_ms: float, seconds: float, stall_s: Stall) -> Latencies:
    """Return the latencies of requests that are due evenly within so many seconds, of which there could be any."""
    at_ns = (np.arange(_EVEN) + 0.5) / _EVEN * seconds * 1e9
    stall = Stall(stall_s.start * 1e9, stall_s.end * 1e9)
    return latencies(true_ms(at_ns, np.full(_EVEN, service_ms), stall))


def latencies(values_ms: ArrayLike) -> Latencies:
    """Return the figures of some latencies, of which there is at least one."""
    values = np.asarray(values_ms, dtype=float)
    return Latencies(
        requests=int(values.size),
        mean_ms=_rounded(float(values.mean())),
        p50_ms=_maybe(percentile(values, 50)),
        p99_ms=_maybe(percentile(values, 99)),
        longest_ms=_rounded(float(values.max())),
        over_1s_pct=_rounded(100 * float((values > _SECOND_MS).mean())),
    )


def errors_of(measured: tuple[float | None, ...], truth: tuple[float | None, ...]) -> Errors:
    """Return how far mean, p50 and p99 are off what was so."""
    mean, p50, p99 = (
        None if value is None or not true else _rounded(100 * (value / true - 1))
        for value, true in zip(measured, truth, strict=True)
    )
    return Errors(mean_pct=mean or 0.0, p50_pct=p50, p99_pct=p99)


def _entry(samples: pd.DataFrame, name: str) -> Floats:
    found = samples["server_timing"].fillna("").astype(str).str.extract(rf"{name};dur=([0-9.]+)", expand=False)
    return found.to_numpy(dtype=np.float64, na_value=np.nan)


def _maybe(value: float | None) -> float | None:
    return None if value is None else _rounded(value)


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")

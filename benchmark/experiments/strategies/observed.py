"""What was observed of one contender under one load, and figures of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from benchmark.analysis.stats import percentile, rate_in_window


def _no_samples() -> pd.DataFrame:
    columns = ("scheduled_ns", "start_ns", "end_ns", "response_ms", "accepted_ms", "items")
    return pd.DataFrame({name: pd.Series(dtype=float) for name in columns} | {"ok": pd.Series(dtype=bool)})


@dataclass(frozen=True)
class Observed:
    """One contender under one load in one block; of a computation only `after`, what it printed."""

    samples: pd.DataFrame = field(default_factory=_no_samples, repr=False)  # answers to what was due in the window
    start_ns: int = 0
    end_ns: int = 0
    before: Mapping[str, Any] = field(default_factory=dict)  # the service's statistics when the window began
    after: Mapping[str, Any] = field(default_factory=dict)  # and when it ended
    # What it said in between, with the seconds since the window began, if the load is watched.
    series: Sequence[tuple[float, Mapping[str, Any]]] = ()
    cpu_cores: float | None = None  # of all processes of the contender, on average
    pss_mb: float | None = None  # memory of the same, shared pages counted in proportion
    # All that were under way at some time of the window, for the rate; None if these are the samples.
    under_way: pd.DataFrame | None = field(default=None, repr=False)

    @property
    def good(self) -> pd.DataFrame:
        """The correct answers."""
        return self.samples[self.samples["ok"]]

    @property
    def rate_rps(self) -> float:
        """Correct answers per second; one that was only partly within the window counts by that part."""
        if self.end_ns <= self.start_ns:
            return 0.0
        under_way = self.samples if self.under_way is None else self.under_way
        good = under_way[under_way["ok"]]
        window = (self.start_ns, self.end_ns)
        return float(rate_in_window(good["start_ns"].to_numpy(), good["end_ns"].to_numpy(), window))


def makespan_ms(observed: Observed) -> float | None:
    """Return how long a wave takes, from the moment at which all are sent to the last answer: the median wave."""
    waves = observed.samples.groupby("scheduled_ns")["end_ns"].max()
    return float(np.median((waves - waves.index) / 1e6)) if len(waves) else None


def mean_ms(observed: Observed) -> float | None:
    """Return the mean latency of the correct answers, since they were due."""
    good = observed.good
    return float(good["response_ms"].mean()) if len(good) else None


def median_ms(observed: Observed) -> float | None:
    """Return the median latency of the correct answers, since they were due."""
    good = observed.good
    return float(good["response_ms"].median()) if len(good) else None


def p99_ms(observed: Observed) -> float | None:
    """Return the 99th percentile; None with too few answers."""
    return percentile(observed.good["response_ms"].to_numpy(dtype=float), 99)


def worst_ms(observed: Observed) -> float | None:
    """Return the longest latency of a correct answer."""
    good = observed.good
    return float(good["response_ms"].max()) if len(good) else None


def accepted_mean_ms(observed: Observed) -> float | None:
    """Return the mean time until the first response, which may only say that the answer comes later."""
    good = observed.good
    return float(good["accepted_ms"].mean()) if len(good) else None


def accepted_p99_ms(observed: Observed) -> float | None:
    """Return the 99th percentile of the time until the first response; None with too few."""
    return percentile(observed.good["accepted_ms"].to_numpy(dtype=float), 99)


def accepted_worst_ms(observed: Observed) -> float | None:
    """Return the longest time until the first response."""
    good = observed.good
    return float(good["accepted_ms"].max()) if len(good) else None


def rate_rps(observed: Observed) -> float | None:
    """Return the correct answers per second."""
    return observed.rate_rps


def items_per_s(observed: Observed) -> float | None:
    """Return the rows answered correctly per second."""
    good = observed.good
    return observed.rate_rps * float(good["items"].mean()) if len(good) else 0.0


def failures(observed: Observed) -> float | None:
    """Return how many requests got no answer, or a wrong one."""
    return float(len(observed.samples) - len(observed.good))


def cpu_ms(observed: Observed) -> float | None:
    """Return the CPU time of all processes per correct answer."""
    return (
        observed.cpu_cores * 1e3 / observed.rate_rps if observed.cpu_cores is not None and observed.rate_rps else None
    )


def cpu_share(observed: Observed) -> float | None:
    """Return the CPU that all processes use, in percent of a core."""
    return None if observed.cpu_cores is None else 100 * observed.cpu_cores


def pss_mb(observed: Observed) -> float | None:
    """Return the memory of all processes."""
    return observed.pss_mb

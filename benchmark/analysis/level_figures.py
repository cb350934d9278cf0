"""Figures of each level of users in a trial: rate, latency, CPU and memory in its measured window."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from benchmark.analysis.stats import rate_in_window, shares_in_window
from benchmark.contenders.answer_law import AnswerLaw
from benchmark.record.resources import SURROUNDING_ROLES, cpu_ns_between, disturbance_between
from benchmark.record.run import TrialRecord, Window

LOW_USERS = 1  # where latency is compared
CPU_USERS = 8  # where CPU per request is compared


@dataclass(frozen=True)
class LevelFigures:
    """The figures of one contender at one number of users in one block."""

    block: int
    users: int
    rps: float  # checked answers per second
    mean_ms: float  # mean latency, each request counted by its share inside the window; nan without one
    latencies_ms: np.ndarray = field(repr=False)  # of the checked answers that ended inside, shape (n,)
    errors: int
    first_error: str
    fastest_excess_ms: float  # the smallest difference between a latency and the least that its answer implies
    cpu_share: Mapping[str, float]  # by role, in cores
    rss_mb: Mapping[str, float]  # by role, the largest seen
    drift: float  # (rate of the second half - rate of the first half) / rate
    # Shares of all cores in the window; None if the record has no data for it.
    foreign_share: float | None = None  # used by other programs
    steal_share: float | None = None  # used by other virtual machines

    @property
    def n(self) -> int:
        return int(self.latencies_ms.size)

    @property
    def little_n(self) -> float:
        """Rate times mean latency: by Little's law the mean number of requests in flight."""
        return self.rps * self.mean_ms / 1e3

    @property
    def cpu_ms_per_request(self) -> dict[str, float]:
        """CPU time per correct answer by role."""
        return {role: share * 1e3 / self.rps for role, share in self.cpu_share.items()} if self.rps else {}


def level_figures(
    cell: TrialRecord, samples: pd.DataFrame, resources: pd.DataFrame, law: AnswerLaw
) -> list[LevelFigures]:
    """Return the figures of every measured window of a trial."""
    good = samples[samples["ok"]]
    return [_figures(cell.block, window, samples, good, resources, law) for window in cell.windows]


def _figures(
    block: int, window: Window, samples: pd.DataFrame, good: pd.DataFrame, resources: pd.DataFrame, law: AnswerLaw
) -> LevelFigures:
    inside = good[good["end_ns"].between(window.start_ns, window.end_ns, inclusive="left")]
    failed = samples[~samples["ok"] & samples["end_ns"].between(window.start_ns, window.end_ns, inclusive="left")]
    surroundings = resources["role"].isin(SURROUNDING_ROLES)
    usage = {role: _usage(group, window) for role, group in resources[~surroundings].groupby("role")}
    others = disturbance_between(resources, window.start_ns, window.end_ns)
    middle_ns = (window.start_ns + window.end_ns) // 2
    rps = _rate(good, window.start_ns, window.end_ns)
    drift_rps = _rate(good, middle_ns, window.end_ns) - _rate(good, window.start_ns, middle_ns)
    return LevelFigures(
        block=block,
        users=window.users,
        rps=rps,
        mean_ms=_mean_ms(good, window),
        latencies_ms=inside["latency_ms"].to_numpy(),
        errors=len(failed),
        first_error=str(failed["error"].iloc[0]) if len(failed) else "",
        fastest_excess_ms=fastest_excess_ms(inside, law),
        cpu_share={str(role): share for role, (share, _) in usage.items()},
        rss_mb={str(role): rss for role, (_, rss) in usage.items()},
        drift=drift_rps / rps if rps else 0.0,
        foreign_share=others.foreign_share,
        steal_share=others.steal_share,
    )


def _mean_ms(good: pd.DataFrame, window: Window) -> float:
    shares = shares_in_window(good["start_ns"].to_numpy(), good["end_ns"].to_numpy(), (window.start_ns, window.end_ns))
    return float(np.average(good["latency_ms"].to_numpy(), weights=shares)) if shares.sum() else float("nan")


def _rate(good: pd.DataFrame, start_ns: int, end_ns: int) -> float:
    return rate_in_window(good["start_ns"].to_numpy(), good["end_ns"].to_numpy(), (start_ns, end_ns))


def fastest_excess_ms(good: pd.DataFrame, law: AnswerLaw) -> float:
    """Return the smallest difference between a latency and the least that its answer implies.

    It is negative if an answer came too early.
    """
    excess_ms = good["latency_ms"] - law.least_times_answer * good["detail_s"].astype(float) * 1e3
    return float(excess_ms.min()) if len(excess_ms) else 0.0


def _usage(samples: pd.DataFrame, window: Window) -> tuple[float, float]:
    """Return one role's mean CPU use in cores, and its largest memory in MB, within a window."""
    used_ns = cpu_ns_between(samples, window.start_ns, window.end_ns)
    inside = samples[samples["t_ns"].between(window.start_ns, window.end_ns)]
    rss = inside["rss_bytes"].max() if len(inside) else samples["rss_bytes"].iloc[-1]
    return used_ns / (window.end_ns - window.start_ns), float(rss) / 1e6

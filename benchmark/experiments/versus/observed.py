"""What the trials of one service say: each figure by block, and why one of them does not count."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd

from benchmark.analysis.level_figures import LevelFigures, level_figures
from benchmark.analysis.reasons import Reason, because
from benchmark.analysis.validity import MAX_GENERATOR_CPU, disturbance_reasons, level_reasons, most_late
from benchmark.contenders.answer_law import law_of
from benchmark.contenders.discovery import Contender
from benchmark.experiments.versus.measure import PEAK
from benchmark.measure.locust_process import dropped_arrivals, late_arrivals
from benchmark.record.columns import GENERATOR_ROLE
from benchmark.record.resources import SURROUNDING_ROLES, Disturbance, cpu_ns_between, disturbance_between
from benchmark.record.run import Run, TrialRecord, Window, read_samples

ONE_USER, AT_RATE, CPU, PEAK_RATE = "one_user_ms", "at_rate_ms", "cpu_ms_per_request", "peak_rps"
UNITS: Final = {ONE_USER: "ms", AT_RATE: "ms", CPU: "ms", PEAK_RATE: "requests/s"}
OTHERS: Final = "what other programs use of this machine, where its service runs, too"
OTHERS_IN_DUET: Final = "what other programs use of this machine, while both are asked"


@dataclass
class Requests:
    """What came of the requests of one kind: at one user, or at a rate."""

    values: dict[int, float | None] = field(default_factory=dict)  # mean latency by block; None: no right answer
    latencies_ms: list[np.ndarray] = field(default_factory=list)
    errors: int = 0
    first_error: str = ""
    late: int = 0
    dropped: int = 0
    due: int = 0
    generator: list[float] = field(default_factory=list)  # cores
    others: list[Disturbance] = field(default_factory=list)
    seconds: dict[int, pd.Series] = field(default_factory=dict)  # mean latency by second, by block

    def add(self, block: int, due: pd.DataFrame, latency_ms: pd.Series, window: Window) -> None:
        good = due["ok"]
        failed = due[~good]
        self.values[block] = round(float(latency_ms[good].mean()), 6) if good.any() else None
        self.latencies_ms.append(latency_ms[good].to_numpy(dtype=float))
        self.errors += len(failed)
        self.first_error = self.first_error or (str(failed["error"].iloc[0]) if len(failed) else "")
        self.late, self.dropped = self.late + late_arrivals(due), self.dropped + dropped_arrivals(due)
        self.due += len(due)
        second = ((due["scheduled_ns"] - window.start_ns) // 10**9)[good]
        self.seconds[block] = latency_ms[good].groupby(second).mean()

    def reasons(self, scheduled: bool, sees_others: bool) -> list[Reason]:
        """Return why these requests do not count."""
        silent = [str(block + 1) for block, value in self.values.items() if value is None]
        reasons = [because("no_answer", blocks=", ".join(silent))] if silent else []
        if self.errors:
            reasons.append(because("errors", errors=self.errors, example=self.first_error))
        if scheduled and self.late + self.dropped > most_late(self.due):
            reasons.append(because("late_arrivals", late=self.late, dropped=self.dropped))
        if self.generator and float(np.mean(self.generator)) > MAX_GENERATOR_CPU:
            reasons.append(because("generator_saturated", share=float(np.mean(self.generator))))
        return reasons + disturbance_reasons([_checked(each, sees_others) for each in self.others])


@dataclass
class Observed:
    """All that the trials of one service say."""

    one_user: Requests
    at_rate: Requests
    cpu_ms: dict[int, float | None]  # per right answer, by block
    rss_mb: float | None
    peaks: dict[int, list[LevelFigures]]  # by number of users
    blocks: int = 0


def observe(run: Run, contender: Contender, trials: Sequence[TrialRecord]) -> Observed:
    """Return what the measured trials of one service say. Raises RecordError."""
    found = Observed(Requests(), Requests(), {}, None, {})
    for trial in trials:
        if trial.status != "measured":
            continue
        if trial.part == PEAK:
            for level in level_figures(trial, run.cell_samples(trial), run.cell_resources(trial), law_of(contender)):
                found.peaks.setdefault(level.users, []).append(level)
            continue
        _add(found, trial, read_samples(run.file("samples", trial, ".csv")), run.cell_resources(trial))
    return found


def _add(found: Observed, trial: TrialRecord, samples: pd.DataFrame, resources: pd.DataFrame) -> None:
    found.blocks += 1
    kinds = [(users, [window for window in trial.windows if window.users == users]) for users in (1, 0)]
    used_ns, answered = 0.0, 0
    for users, own in kinds:
        if not own:
            continue
        window, requests = own[-1], found.one_user if users else found.at_rate
        due = samples[samples["scheduled_ns"].between(window.start_ns, window.end_ns, inclusive="left")]
        requests.add(trial.block, due, due["latency_ms" if users else "response_ms"], window)
        generator = resources[resources["role"] == GENERATOR_ROLE]
        if len(generator):
            requests.generator.append(_used_ns(generator, window) / (window.end_ns - window.start_ns))
        requests.others.append(disturbance_between(resources, window.start_ns, window.end_ns))
        own_roles = resources[~resources["role"].isin((*SURROUNDING_ROLES, GENERATOR_ROLE))]
        used_ns += sum(_used_ns(group, window) for _, group in own_roles.groupby("role"))
        answered += int(due["ok"].sum())
        if len(own_roles):
            memory = own_roles.groupby("role")["rss_bytes"].max().sum() / 1e6
            found.rss_mb = max(found.rss_mb or 0.0, round(float(memory), 1))
    found.cpu_ms[trial.block] = round(used_ns / 1e6 / answered, 6) if answered and used_ns else None


def peak_of(found: Observed) -> tuple[int, list[float]] | None:
    """Return at how many users most was answered, and how much by block; None if nobody looked for it."""
    complete = {users: levels for users, levels in found.peaks.items() if all(each.n for each in levels)}
    if not complete:
        return None
    users = max(complete, key=lambda each: float(np.mean([level.rps for level in complete[each]])))
    return users, [round(level.rps, 6) for level in complete[users]]


def peak_reasons(contender: Contender, found: Observed, users: int, sees_others: bool) -> list[Reason]:
    """Return why the level of the peak does not count."""
    reasons = level_reasons(contender, found.peaks[users])
    return [each for each in reasons if sees_others or not each.code.startswith("foreign_load")]


def _used_ns(samples: pd.DataFrame, window: Window) -> float:
    return cpu_ns_between(samples, window.start_ns, window.end_ns)


def _checked(seen: Disturbance, sees_others: bool) -> Disturbance:
    """Return the shares of others that a rule may judge: what a service on this machine uses is not ours, nor other."""
    return seen if sees_others else Disturbance(None, seen.steal_share)

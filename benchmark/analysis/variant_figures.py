"""Figures of every variant of a run, by level and block."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmark.analysis.level_figures import LOW_USERS, LevelFigures, level_figures
from benchmark.analysis.model_sleep import mean_model_sleep_ms
from benchmark.analysis.reasons import Reason
from benchmark.analysis.stats import Interval, geometric_interval, percentile, positive_interval
from benchmark.analysis.summary import failures_of, service_cpu_by_block
from benchmark.analysis.validity import level_reasons
from benchmark.contenders.answer_law import law_of
from benchmark.contenders.discovery import Contender
from benchmark.load.peak import peak_users, why_no_peak
from benchmark.record.run import Run, TrialRecord

ByBlock = dict[int, float]


@dataclass(frozen=True)
class Measured:
    """The figures of one variant, and why it is INVALID if it is."""

    contender: Contender
    facts: Mapping[str, Any]
    by_users: Mapping[int, Sequence[LevelFigures]]  # ascending; each from one block
    failures: Sequence[Reason]
    slept_ms: ByBlock  # mean time that the models slept for a request of a single user; without blocks that lack it

    @property
    def label(self) -> str:
        return self.contender.label

    @property
    def reasons(self) -> list[Reason]:
        """Why this is INVALID; nothing if it is VALID."""
        return [*self.failures, *(why for users in self.by_users for why in self.reasons_at(users))]

    def latency_ms(self, users: int) -> ByBlock:
        """Return the mean latency at a level by block."""
        return {each.block: each.mean_ms for each in self.by_users.get(users, ()) if each.n}

    def rps(self, users: int) -> ByBlock:
        """Return the rate at a level by block."""
        return {each.block: each.rps for each in self.by_users.get(users, ()) if each.n}

    def cpu_ms(self, users: int) -> ByBlock:
        """Return the CPU time per request at a level by block, of all processes but the load generator."""
        return service_cpu_by_block(self.by_users.get(users, ()))

    def cpu_by_role(self, users: int) -> dict[str, ByBlock]:
        """Return the CPU time per request at a level by role, the load generator included, and by block."""
        found: dict[str, ByBlock] = {}
        for each in self.by_users.get(users, ()):
            for role, ms in each.cpu_ms_per_request.items() if each.n else ():
                if ms > 0:
                    found.setdefault(role, {})[each.block] = ms
        return found

    def p50_ms(self, users: int) -> float | None:
        """Return the median latency at a level, or None with too few samples."""
        level = self.by_users.get(users, ())
        return percentile(np.concatenate([each.latencies_ms for each in level]), 50) if level else None

    def rate(self, users: int) -> float | None:
        """Return the rate at a level over all blocks, or None."""
        values = list(self.rps(users).values())
        return geometric_interval(values).value if values else None

    def reasons_at(self, users: int) -> list[Reason]:
        """Return why a level is INVALID; nothing if it is VALID."""
        level = self.by_users.get(users)
        return [why.at(users=users) for why in self._why(level)] if level else []

    @property
    def peak_users(self) -> int | None:
        """The level with the highest rate over all blocks; of valid levels, if there are any."""
        return peak_users({users: self.rate(users) or 0.0 for users in self.by_users}, self._valid)

    @property
    def no_peak(self) -> str:
        """Why the VALID levels do not bracket that level; empty if they do."""
        return why_no_peak({users: self.rate(users) or 0.0 for users in self._valid})

    @property
    def peak_rps(self) -> ByBlock:
        """The rates at that level by block."""
        return {} if self.peak_users is None else self.rps(self.peak_users)

    @property
    def _valid(self) -> list[int]:
        return [users for users, level in self.by_users.items() if not self._why(level)]

    def _why(self, level: Sequence[LevelFigures]) -> list[Reason]:
        return level_reasons(self.contender, level)


def measure_all(run: Run, contenders: Sequence[Contender], variants: Mapping[str, Mapping[str, Any]]) -> list[Measured]:
    """Return the figures of every variant, in the planned order."""
    cells = run.cells()
    return [_measured(run, c, variants[c.label], [x for x in cells if x.contender == c.label]) for c in contenders]


def entry(values: Sequence[float]) -> dict[str, Any] | None:
    """Return the arithmetic mean of positive block values with its interval."""
    return as_entry(positive_interval(values)) if values else None


def ratio_entry(values: Sequence[float]) -> dict[str, Any] | None:
    """Return the geometric mean of positive block values with its interval."""
    return as_entry(geometric_interval(values)) if values else None


def as_entry(interval: Interval) -> dict[str, Any]:
    return {"value": interval.value, "ci95": interval.as_list()}


def _measured(run: Run, contender: Contender, facts: Mapping[str, Any], cells: Sequence[TrialRecord]) -> Measured:
    by_users: dict[int, list[LevelFigures]] = {}
    slept_ms: ByBlock = {}
    law = law_of(contender)
    for cell in cells:
        samples = run.cell_samples(cell)
        for figures in level_figures(cell, samples, run.cell_resources(cell), law):
            by_users.setdefault(figures.users, []).append(figures)
        if slept := mean_model_sleep_ms(samples, LOW_USERS, law.asked):
            slept_ms[cell.block] = slept
    return Measured(contender, facts, dict(sorted(by_users.items())), failures_of(cells), slept_ms)

"""What the page of a timeit run reads: its summary as typed values, and its timings by number of calls."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict

from benchmark.analysis.schema import ContenderSummary, MaybeInterval, Summary, parse_summary
from benchmark.analysis.wording import Interval


class Timeit(BaseModel):
    """One contender's figures; None where no line could be fitted or compared.

    `ci_pct`, at the level `confidence`, decides whether a difference is shown; older records have neither.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    ms_per_call: float | None = None
    ci95: MaybeInterval = None
    over_floor: float | None = None
    intercept_ms: float | None = None
    faster_than_baseline_pct: float | None = None
    ci95_pct: MaybeInterval = None
    ci_pct: MaybeInterval = None
    confidence: float | None = None
    difference_shown: bool = False
    repeats: int = 0
    calls: int = 0

    @property
    def times(self) -> float | None:
        """Its time per call as a multiple of the baseline's."""
        faster_pct = self.faster_than_baseline_pct
        return None if faster_pct is None else 100 / (100 + faster_pct)

    @property
    def times_interval(self) -> Interval | None:
        """The interval of that multiple which decides, or in an older record the one of 95 %."""
        ends = self.ci95_pct if self.confidence is None else self.ci_pct
        return (100 / (100 + ends[1]), 100 / (100 + ends[0])) if ends and ends[0] > -100 else None


@dataclass(frozen=True)
class TimeitData:
    """A run: `common` is what its summary shares with those of other commands."""

    common: Summary
    timeit: Mapping[str, Timeit]  # by contender
    scale: float
    repeats: int
    calls: tuple[int, ...]
    series: Mapping[str, pd.DataFrame]  # by contender: columns n, mean, low, high in seconds, over the repeats

    @property
    def baseline(self) -> str:
        return self.common.baseline or ""

    @property
    def comparisons(self) -> int:
        """How many contenders are compared with the baseline; what decides is adjusted for it."""
        return sum(each.confidence is not None for each in self.timeit.values())

    def contender(self, name: str) -> ContenderSummary:
        return self.common.contenders[name]

    def multiple_stands(self, name: str) -> bool:
        """Whether both the contender and the baseline are VALID."""
        return self.contender(name).valid and self.contender(self.baseline).valid

    @property
    def fitted(self) -> dict[str, tuple[float, Timeit]]:
        """The VALID milliseconds per call by contender, with the other figures, in the order of the summary."""
        return {
            name: (each.ms_per_call, each)
            for name, each in self.timeit.items()
            if each.ms_per_call is not None and self.contender(name).valid
        }


def parse(summary: Mapping[str, Any], timings: pd.DataFrame | None = None) -> TimeitData:
    """Return a summary as typed values. Raises pydantic.ValidationError naming what does not fit."""
    common = parse_summary(summary)
    return TimeitData(
        common=common,
        timeit={name: Timeit.model_validate(entry["timeit"]) for name, entry in summary["contenders"].items()},
        scale=summary["scale"],
        repeats=summary["repeats"],
        calls=tuple(summary["calls"]),
        series={} if timings is None else _series(timings, common),
    )


def _series(timings: pd.DataFrame, common: Summary) -> dict[str, pd.DataFrame]:
    found = {}
    for name in common.contenders:
        by_calls = timings[timings["contender"] == name].groupby("n")["seconds"]
        found[name] = by_calls.agg(mean="mean", low="min", high="max").reset_index()
    return {name: frame for name, frame in found.items() if len(frame)}

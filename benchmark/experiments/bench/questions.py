"""What is asked of every contender, and how each one's figure answers it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from benchmark.analysis.schema import ContenderSummary, HighestRate, LevelSummary, Summary, service_cpu_ms
from benchmark.analysis.wording import Interval


@dataclass(frozen=True)
class Standing:
    """One contender's VALID figure.

    `compared` is False where the record's comparisons are made of another figure, an INVALID one.
    `no_peak` says of a rate why its levels show no peak, so that it ranks nowhere; nothing if they do.
    """

    name: str
    value: float
    interval: Interval | None
    compared: bool = True
    no_peak: str = ""


@dataclass(frozen=True)
class Question:
    """What is asked of all contenders."""

    topic: str
    figure: str  # the key under which the record compares it, and the words of the answer are found
    unit: str
    lower_is_better: bool
    standing: Callable[[Summary, str, ContenderSummary], Standing | None]
    measured: Callable[[ContenderSummary], bool]


def _low_load(summary: Summary, name: str, contender: ContenderSummary) -> Standing | None:
    low = contender.low_load
    if low is None or not contender.stands(summary.low_users):
        return None
    return Standing(name, low.mean_ms, low.ci95_mean_ms)


def _peak(_: Summary, name: str, contender: ContenderSummary) -> Standing | None:
    """The peak, or the highest VALID level of the summary where the peak itself is INVALID."""
    peak: HighestRate | LevelSummary | None = contender.peak
    compared = contender.peak is not None and contender.stands(contender.peak.users)
    if not compared:
        peak = max(contender.standing_levels, key=lambda level: level.rps, default=None)
    return Standing(name, peak.rps, peak.ci95_rps, compared, contender.no_peak) if peak else None


def _cpu(summary: Summary, name: str, contender: ContenderSummary) -> Standing | None:
    """In older records the interval is that of the ratio to the baseline: they have none of the figure itself."""
    total_ms = service_cpu_ms(contender.cpu_ms_per_request)
    if total_ms is None or not contender.stands(contender.cpu_users or 0):
        return None
    compared = summary.comparison("cpu_ms_per_request", name)
    of_ratio = (1.0, 1.0) if name == summary.baseline else compared.interval if compared else None
    return Standing(name, total_ms, contender.ci95_cpu_ms or of_ratio)


QUESTIONS: Final = (
    Question(
        topic="Latency",
        figure="low_load_mean_ms",
        unit="ms",
        lower_is_better=True,
        standing=_low_load,
        measured=lambda contender: contender.low_load is not None,
    ),
    Question(
        topic="Throughput",
        figure="peak_rps",
        unit="requests/s",
        lower_is_better=False,
        standing=_peak,
        measured=lambda contender: bool(contender.levels),
    ),
    Question(
        topic="CPU",
        figure="cpu_ms_per_request",
        unit="ms",
        lower_is_better=True,
        standing=_cpu,
        measured=lambda contender: service_cpu_ms(contender.cpu_ms_per_request) is not None,
    ),
)

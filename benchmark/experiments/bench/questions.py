"""What is asked of every contender, and how each one's figure answers it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from benchmark.analysis.schema import ContenderSummary, HighestRate, LevelSummary, Summary, service_cpu_ms
from benchmark.analysis.wording import Interval, at_users, fine_ms, significant, span


@dataclass(frozen=True)
class Standing:
    """One contender's VALID figure: its value, its interval, and three ways to say it.

    `short` is `50.8 ms`, `full` has the interval, `named` is what stands behind a name in brackets.
    `compared` is False where the record's comparisons are made of another figure, an INVALID one.
    `no_peak` says of a rate why its levels show no peak, so that it ranks nowhere; nothing if they do.
    """

    name: str
    value: float
    interval: Interval | None
    short: str
    full: str
    named: str
    compared: bool = True
    no_peak: str = ""


@dataclass(frozen=True)
class Question:
    """What is asked of all contenders, and the words of the answer; {low} is the lowest level.

    `better` and `worse` stand before "than" and the baseline.
    """

    topic: str
    figure: str  # the key under which the record compares it
    best: str  # after a name
    lead: str  # before a name
    better: str
    worse: str
    lower_is_better: bool
    standing: Callable[[Summary, str, ContenderSummary], Standing | None]
    measured: Callable[[ContenderSummary], bool]


def _low_load(summary: Summary, name: str, contender: ContenderSummary) -> Standing | None:
    low = contender.low_load
    if low is None or not contender.stands(summary.low_users):
        return None
    short = f"{fine_ms(low.mean_ms)} ms"
    full = f"{short} on average ({_interval(low.ci95_mean_ms, fine_ms, ' ms')})"
    if low.over_floor is not None:
        full += f", {significant(low.over_floor)} times its floor"
    return Standing(name, low.mean_ms, low.ci95_mean_ms, short, full, short)


def _peak(_: Summary, name: str, contender: ContenderSummary) -> Standing | None:
    """The peak, or the highest VALID level of the summary where the peak itself is INVALID."""
    peak: HighestRate | LevelSummary | None = contender.peak
    compared = contender.peak is not None and contender.stands(contender.peak.users)
    if not compared:
        peak = max(contender.standing_levels, key=lambda level: level.rps, default=None)
    if peak is None:
        return None
    short = f"{significant(peak.rps)} requests/s"
    full = f"{short} at {at_users(peak.users)} ({_interval(peak.ci95_rps, significant, ' requests/s')})"
    if contender.no_peak:
        full = f"at least {full}, {contender.no_peak}"
    return Standing(name, peak.rps, peak.ci95_rps, short, full, short, compared, contender.no_peak)


def _cpu(summary: Summary, name: str, contender: ContenderSummary) -> Standing | None:
    """In older records the interval is that of the ratio to the baseline: they have none of the figure itself."""
    total_ms = service_cpu_ms(contender.cpu_ms_per_request)
    if total_ms is None or not contender.stands(contender.cpu_users or 0):
        return None
    compared = summary.comparison("cpu_ms_per_request", name)
    of_ratio = (1.0, 1.0) if name == summary.baseline else compared.interval if compared else None
    short = f"{significant(total_ms)} ms"
    full = f"{short} in all its processes"
    if contender.cpu_users:
        full += f" at {at_users(contender.cpu_users)}"
    if contender.ci95_cpu_ms:
        full += f" ({_interval(contender.ci95_cpu_ms, significant, ' ms')})"
    return Standing(name, total_ms, contender.ci95_cpu_ms or of_ratio, short, full, short)


def _interval(interval: Interval | None, text: Callable[[float], str], unit: str) -> str:
    return f"95 % interval {span(interval, text)}{unit}" if interval else "no interval"


QUESTIONS: Final = (
    Question(
        topic="Latency",
        figure="low_load_mean_ms",
        best="answers fastest at {low}",
        lead="the lowest mean latency measured at {low}",
        better="Faster",
        worse="Slower",
        lower_is_better=True,
        standing=_low_load,
        measured=lambda contender: contender.low_load is not None,
    ),
    Question(
        topic="Throughput",
        figure="peak_rps",
        best="carries the highest rate at the levels measured",
        lead="the highest rate measured",
        better="A higher rate",
        worse="A lower rate",
        lower_is_better=False,
        standing=_peak,
        measured=lambda contender: bool(contender.levels),
    ),
    Question(
        topic="CPU",
        figure="cpu_ms_per_request",
        best="needs the least CPU per request",
        lead="the least CPU per request measured",
        better="Less CPU",
        worse="More CPU",
        lower_is_better=True,
        standing=_cpu,
        measured=lambda contender: service_cpu_ms(contender.cpu_ms_per_request) is not None,
    ),
)

"""How the figures of this experiment are put into words: values, signs, intervals, settings."""

from collections.abc import Callable
from typing import Final

from benchmark.analysis.schema import SMALLEST_CLAIM
from benchmark.analysis.wording import Interval, significant
from benchmark.experiments.gap.schema import MULTIPLIED, Attribution, Explained, shown

NAMES: Final = {"latency_ms": "latency at one user", "peak_rps": "peak rate", "cpu_ms": "CPU per request"}
UNITS: Final = {"latency_ms": "ms", "peak_rps": "requests/s", "cpu_ms": "ms"}
LOWER_IS_BETTER: Final = frozenset({"latency_ms", "cpu_ms"})


def none_of(response: str) -> float:
    """Return the share that means no effect: a difference of 0, or a factor of 1."""
    return 1.0 if response in MULTIPLIED else 0.0


def plain(value: float) -> str:
    """Return ms as they are compared here: one decimal from 10 on, two below."""
    return f"{value:.{1 if abs(value) >= 9.995 else 2}f}".replace("-", "−")


def amount(response: str, value: float) -> str:
    """Return a value with its unit, `49.1 ms` or `1,720 requests/s`."""
    text = significant(value) if response in MULTIPLIED else plain(value)
    return f"{text} {UNITS[response]}"


def share_text(response: str, value: float) -> str:
    """Return a share with its sign, `−43.4 ms` or `× 1.90`."""
    if response in MULTIPLIED:
        return f"× {significant(value)}"
    return f"{'+' if value > 0 else ''}{plain(value)} {UNITS[response]}"


def interval_text(interval: Interval | None, text: Callable[[float], str] = plain) -> str:
    """Return `[43.1, 43.8]`, or nothing where there is no interval."""
    return f"[{text(interval[0])}, {text(interval[1])}]" if interval else ""


def flipped(interval: Interval | None) -> Interval | None:
    """Return the interval of the negated value."""
    return (-interval[1], -interval[0]) if interval else None


def gap_shown(response: str, gap: Attribution) -> bool:
    """Whether a gap is shown by the interval that decides, and is large enough to be claimed, as `bench` claims."""
    none = none_of(response)
    share = gap.gap - none if response in MULTIPLIED else gap.gap / gap.from_value if gap.from_value else 0.0
    return shown(gap.interval, none) and abs(share) >= SMALLEST_CLAIM


def improves(response: str, value: float) -> bool:
    """Whether a share makes the response better."""
    return (value < 0) if response in LOWER_IS_BETTER else (value > 1)


def factor_title(data: Explained, name: str) -> str:
    """Return what a factor is called."""
    return data.factors[name].title if name in data.factors else name.replace("_", " ")


def setting(data: Explained, name: str, level: str = "to") -> str:
    """Return what one of the two settings of a factor is called."""
    factor = data.factors.get(name)
    return name.replace("_", " ") if factor is None else factor.to if level == "to" else factor.from_


def percent(share: float) -> str:
    """Return a signed error in percent, `+4 %`; a tenth is told apart below 10 %."""
    digits = 1 if abs(share) < 0.0995 else 0
    return f"{100 * share:+.{digits}f} %".replace("-", "−")

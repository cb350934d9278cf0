"""How figures of this experiment are written: values with units, shares with signs, intervals, titles."""

from collections.abc import Callable
from typing import Final

from benchmark.analysis.wording import Interval, significant
from benchmark.experiments.gap.schema import MULTIPLIED, Explained

NAMES: Final = {"latency_ms": "latency at one user", "peak_rps": "peak rate", "cpu_ms": "CPU per request"}
UNITS: Final = {"latency_ms": "ms", "peak_rps": "requests/s", "cpu_ms": "ms"}


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


def percent(share: float) -> str:
    """Return a signed error in percent, `+4 %`; a tenth is told apart below 10 %."""
    digits = 1 if abs(share) < 0.0995 else 0
    return f"{100 * share:+.{digits}f} %".replace("-", "−")


def first_upper(text: str) -> str:
    """Return the text with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def factor_title(data: Explained, name: str) -> str:
    """Return what a factor is called."""
    return data.factors[name].title if name in data.factors else name.replace("_", " ")


def setting(data: Explained, name: str, level: str = "to") -> str:
    """Return what one of the two settings of a factor is called."""
    factor = data.factors.get(name)
    return name.replace("_", " ") if factor is None else factor.to if level == "to" else factor.from_

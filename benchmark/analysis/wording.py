"""Formats numbers, lists and times for readers: three significant digits, and a dash for a missing number."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from math import floor, isfinite, log10

Interval = tuple[float, float]
MISSING = "–"


def significant(value: float | None, digits: int = 3) -> str:
    """Return a number with this many significant digits and grouped thousands; a dash for None."""
    if value is None or not isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")  # first, so that 9.996 becomes 10.0 and not 10.00
    decimals = digits - 1 - floor(log10(abs(rounded)))
    return f"{rounded:,.{max(decimals, 0)}f}".replace("-", "−")


def fine_ms(value_ms: float | None) -> str:
    """Return a latency at low load, where tenths of a ms matter: one decimal from 100 to 1,000 ms."""
    if value_ms is None or not 100 <= value_ms < 1000:
        return significant(value_ms)
    return f"{value_ms:.1f}"


def span(interval: Interval, text: Callable[[float], str] = significant) -> str:
    """Return `low to high`, with more digits if both ends would read the same."""
    low, high = interval
    if text(low) != text(high):
        return f"{text(low)} to {text(high)}"
    digits = next((d for d in range(3, 7) if significant(low, d) != significant(high, d)), 3)
    return f"{significant(low, digits)} to {significant(high, digits)}"


def deciding(
    interval: Interval | None,
    confidence: float | None,
    comparisons: int,
    unit: str = "",
    text: Callable[[float], str] = significant,
) -> str:
    """Return the interval of a ratio in words; `confidence` is None for an uncorrected 95 % interval."""
    if interval is None:
        return "no interval"
    if confidence is None or comparisons == 1:
        return f"95 % interval {span(interval, text)}{unit}"
    return f"{span(interval, text)}{unit} when adjusted for {comparisons} comparisons"


def at_users(count: int) -> str:
    """Return `one user` or `8 users`."""
    return "one user" if count == 1 else f"{count} users"


def listing(items: Sequence[str]) -> str:
    """Return `a, b and c`."""
    return " and ".join(part for part in (", ".join(items[:-1]), *items[-1:]) if part)


def first_line(text: object) -> str:
    """Return the first of several lines, without the colon or semicolon at its end."""
    line, newline, _ = str(text).partition("\n")
    return line.rstrip(":; ") if newline else line


def unbroken(text: str) -> str:
    """Return the text with spaces that do not break between a number and its unit."""
    return re.sub(r"(\d) (?=(?:ms|%|MB|GB|users?|cores?|requests/s|blocks|times)\b|%)", "\\1\u00a0", text)


def minute_utc(iso_time: str) -> str:
    """Return `2026-11-21 05:00 UTC`; text that is not a time is returned unchanged."""
    try:
        moment = datetime.fromisoformat(iso_time)
    except ValueError:
        return iso_time or "date not recorded"
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment.tzinfo else f"{moment:%Y-%m-%d %H:%M} UTC"

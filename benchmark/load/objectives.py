"""Service level objectives, written as they are said: `p99<100ms`, `errors<0.1%`.

| written | the promise |
|---|---|
| `p99<100ms` | of all requests that are due, 99 % are answered rightly within 100 ms |
| `p50<60ms`, `p99.9<1s` | the same for other shares |
| `errors<0.1%` | of all requests that are due, fewer than so many get a wrong answer or none |
"""

import re
from dataclasses import dataclass
from typing import Final

from benchmark.errors import ObjectiveError

_LATENCY: Final = re.compile(r"p(\d{1,2}(?:\.\d+)?)\s*<=?\s*(\d+(?:\.\d+)?)\s*(ms|s)")
_ERRORS: Final = re.compile(r"errors\s*<=?\s*(\d+(?:\.\d+)?)\s*%")
_LOWEST_PERCENT: Final = 1.0


@dataclass(frozen=True)
class Objective:
    """So large a share of the requests must be good: answered rightly, and within the limit, if there is one."""

    written: str
    share: float  # between 0 and 1
    limit_ms: float | None = None

    @property
    def percent(self) -> float:
        return self.share * 100


def parse_objective(written: str) -> Objective:
    """Return the objective that is written down. Raises ObjectiveError."""
    text = written.strip()
    if match := _LATENCY.fullmatch(text):
        percent, limit, unit = match.groups()
        limit_ms = float(limit) * (1000 if unit == "s" else 1)
        if not _LOWEST_PERCENT <= float(percent) < 100 or not limit_ms:
            raise ObjectiveError(f"the objective {written!r} cannot be kept or broken, expected such as 'p99<100ms'")
        return Objective(text, _share(percent), limit_ms)
    if match := _ERRORS.fullmatch(text):
        if not 0 < float(match[1]) < 100:
            raise ObjectiveError(
                f"the objective {written!r} cannot be shown by any number of requests, "
                "expected a share above 0 % and below 100 %, such as 'errors<0.1%'"
            )
        return Objective(text, 1 - _share(match[1]))
    raise ObjectiveError(f"the objective is {written!r}, expected such as 'p99<100ms' or 'errors<0.1%'")


def _share(percent: str) -> float:
    return round(float(percent) / 100, 9)

"""Reads when requests came from a log: CSV or JSON lines with a column of times, or nginx's combined format."""

import csv
import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmark.errors import ShapeError

_COLUMNS: Final = ("time", "timestamp", "ts", "t", "@timestamp", "date")
_COMBINED: Final = re.compile(r"\[(\d{2}/[A-Z][a-z]{2}/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4})\]")


def read_log_times(path: Path, speed: float = 1.0) -> tuple[float, ...]:
    """Return the seconds since the first request of a log, in order, `speed` times as fast. Raises ShapeError.

    A log that counts whole seconds says nothing about the order within one: its requests are spread evenly there.
    """
    if speed <= 0:
        raise ShapeError(f"a log cannot be replayed at {speed:g}x, expected a number above 0")
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            moments = sorted(_moments(path, lines))
    except (OSError, UnicodeDecodeError) as error:
        raise ShapeError(f"the log {path} cannot be read: {error}") from error
    if len(moments) < 2:
        raise ShapeError(f"the log {path} holds {len(moments)} requests with a time, expected at least two")
    return tuple((moment - moments[0]) / speed for moment in _spread(moments))


def _moments(path: Path, lines: Iterable[str]) -> Iterator[float]:
    if path.suffix in (".jsonl", ".json", ".ndjson"):
        return _of_json(path, lines)
    if path.suffix == ".csv":
        return _of_csv(path, lines)
    return _of_combined(path, lines)


def _of_json(path: Path, lines: Iterable[str]) -> Iterator[float]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
        except ValueError as error:
            raise ShapeError(f"line {number} of {path} is no JSON: {error}") from error
        names = [name for name in _COLUMNS if isinstance(document, dict) and name in document]
        if not names:
            raise ShapeError(f"line {number} of {path} has no time, expected one of the keys {', '.join(_COLUMNS)}")
        yield _moment(document[names[0]], path, number)


def _of_csv(path: Path, lines: Iterable[str]) -> Iterator[float]:
    rows = csv.DictReader(lines)
    names = [name for name in _COLUMNS if name in (rows.fieldnames or ())]
    if not names:
        given = ", ".join(rows.fieldnames or ()) or "nothing"
        raise ShapeError(f"the header of {path} is {given}, expected one of the columns {', '.join(_COLUMNS)}")
    for number, row in enumerate(rows, 2):
        yield _moment(row[names[0]], path, number)


def _of_combined(path: Path, lines: Iterable[str]) -> Iterator[float]:
    for number, line in enumerate(lines, 1):
        match = _COMBINED.search(line)
        if not match:
            raise ShapeError(
                f"line {number} of {path} holds no time such as [28/Nov/2026:12:00:00 +0000]; "
                "expected nginx's combined format, or a name that ends with .csv or .jsonl"
            )
        yield datetime.strptime(match[1], "%d/%b/%Y:%H:%M:%S %z").timestamp()


def _moment(value: object, path: Path, number: int) -> float:
    """Return seconds: of a number as they stand, of a date since 1970."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        return float(str(value))
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError as error:
        wanted = "seconds, or a date such as 2026-11-28T12:00:00Z"
        raise ShapeError(f"line {number} of {path} has the time {str(value)[:40]!r}, expected {wanted}") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _spread(moments: list[float]) -> list[float]:
    """Spread requests of the same whole second over it; times with fractions stay."""
    if any(moment % 1 for moment in moments):
        return moments
    found: list[float] = []
    start = 0
    while start < len(moments):
        end = start
        while end < len(moments) and moments[end] == moments[start]:
            end += 1
        found += [moments[start] + k / (end - start) for k in range(end - start)]
        start = end
    return found

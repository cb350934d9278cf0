"""Reads a log to replay: when its requests came, and what they sent. CSV, JSON lines, or nginx's combined format."""

import csv
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmark.errors import ShapeError

_TIMES: Final = (
    *("time", "timestamp", "ts", "t", "@timestamp", "date", "datetime"),
    *("time_iso8601", "time_local", "msec"),  # nginx's own names
)
_BODIES: Final = ("body", "request_body")  # the second is nginx's
_LOCAL_TIME: Final = r"\d{2}/[A-Z][a-z]{2}/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4}"
_COMBINED: Final = re.compile(rf"\[({_LOCAL_TIME})\]")
_NO_SECONDS_BEYOND: Final = 1e11  # the year 5138: such a number counts thousandths of seconds, or less


@dataclass(frozen=True)
class Log:
    """The requests of a log in the order in which they came: seconds since the first, and bodies if they are sent.

    A request without a body has None.
    """

    at_s: tuple[float, ...]
    bodies: tuple[str | None, ...] = ()


def read_log(path: Path, speed: float = 1.0, with_bodies: bool = False) -> Log:
    """Return the requests of a log, `speed` times as fast. Raises ShapeError.

    A log that counts whole seconds says nothing about the order within one: its requests are spread evenly there, in
    the order of its lines.
    """
    if speed <= 0:
        raise ShapeError(f"a log cannot be replayed at {speed:g}x, expected a number above 0")
    try:
        with path.expanduser().open(newline="", encoding="utf-8-sig") as lines:
            requests = sorted(_requests(path, lines, with_bodies), key=lambda request: request[0])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ShapeError(f"the log {path} cannot be read: {error}") from error
    if len(requests) < 2:
        raise ShapeError(f"the log {path} holds {len(requests)} requests with a time, expected at least two")
    moments = _spread([moment for moment, _ in requests])
    bodies = tuple(body for _, body in requests) if with_bodies else ()
    return Log(tuple((moment - moments[0]) / speed for moment in moments), bodies)


def _requests(path: Path, lines: Iterable[str], with_bodies: bool) -> Iterator[tuple[float, str | None]]:
    if path.suffix in (".jsonl", ".json", ".ndjson"):
        return _of_json(path, lines, with_bodies)
    if path.suffix == ".csv":
        return _of_csv(path, lines, with_bodies)
    if with_bodies:
        raise ShapeError(
            f"the log {path} holds no bodies: nginx's combined format has none; expected a name that ends with .csv "
            f"or .jsonl, with {' or '.join(_BODIES)} in it"
        )
    return _of_combined(path, lines)


def _of_json(path: Path, lines: Iterable[str], with_bodies: bool) -> Iterator[tuple[float, str | None]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
        except ValueError as error:
            raise ShapeError(f"line {number} of {path} is no JSON: {error}") from error
        row = document if isinstance(document, dict) else {}
        time, body = _key(row, _TIMES), _key(row, _BODIES)
        if time is None:
            raise ShapeError(f"line {number} of {path} has no time, expected one of the keys {', '.join(_TIMES)}")
        if with_bodies and body is None:
            raise ShapeError(f"line {number} of {path} has no body, expected one of the keys {', '.join(_BODIES)}")
        yield _moment(row[time], path, number), _text(row[body]) if with_bodies and body else None


def _of_csv(path: Path, lines: Iterable[str], with_bodies: bool) -> Iterator[tuple[float, str | None]]:
    rows = csv.DictReader(lines)
    head = dict.fromkeys(rows.fieldnames or ())
    time, body = _key(head, _TIMES), _key(head, _BODIES)
    given = ", ".join(head) or "nothing"
    if time is None:
        raise ShapeError(f"the header of {path} is {given}, expected one of the columns {', '.join(_TIMES)}")
    if with_bodies and body is None:
        raise ShapeError(f"the header of {path} is {given}, expected one of the columns {', '.join(_BODIES)}, too")
    for row in rows:
        yield _moment(row[time], path, rows.line_num), row[body] if with_bodies and body else None


def _of_combined(path: Path, lines: Iterable[str]) -> Iterator[tuple[float, str | None]]:
    for number, line in enumerate(lines, 1):
        match = _COMBINED.search(line)
        if not match:
            raise ShapeError(
                f"line {number} of {path} holds no time such as [28/Nov/2026:12:00:00 +0000]; "
                "expected nginx's combined format, or a name that ends with .csv or .jsonl"
            )
        yield _moment(match[1], path, number), None


def _key(row: Mapping[str, Any], names: Iterable[str]) -> str | None:
    """Return which key of a row is the first of these names, whatever its case."""
    keys = {key.strip().lower(): key for key in row if key}
    return next((keys[name] for name in names if name in keys), None)


def _text(body: object) -> str | None:
    """Return a body as it is sent: a text as it stands, any other value as JSON; None for null."""
    return body if body is None or isinstance(body, str) else json.dumps(body)


def _moment(value: object, path: Path, number: int) -> float:
    """Return seconds: of a number as they stand, of a date since 1970."""
    text = str(value).strip()
    try:
        seconds = float(text)
    except ValueError:
        seconds = _of_date(text)
    if not math.isfinite(seconds):
        wanted = "seconds, or a date such as 2026-11-28T12:00:00Z"
        raise ShapeError(f"line {number} of {path} has the time {text[:40]!r}, expected {wanted}")
    while abs(seconds) > _NO_SECONDS_BEYOND:
        seconds /= 1000
    return seconds


def _of_date(text: str) -> float:
    """Return the seconds since 1970 of a date; not a number if it is none. Without a zone it is UTC."""
    try:
        if re.fullmatch(_LOCAL_TIME, text):
            return datetime.strptime(text, "%d/%b/%Y:%H:%M:%S %z").timestamp()
        moment = datetime.fromisoformat(text)
    except ValueError:
        return math.nan
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

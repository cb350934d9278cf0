"""Raw samples: one row per request, taken from Locust's request event, never from its rounded statistics."""

import csv
import time
from pathlib import Path
from typing import Any

from benchmark.record.columns import SAMPLE_COLUMNS


class SampleWriter:
    """Collects rows in memory and appends them to a CSV file whenever `flush` is called."""

    def __init__(self, path: Path) -> None:
        self._rows: list[tuple[Any, ...]] = []
        self._file = path.open("w", newline="")
        self._csv = csv.writer(self._file)
        self._csv.writerow(SAMPLE_COLUMNS)
        self._failure: OSError | None = None
        self.users = 0  # the level that is running
        self.answered = 0  # checked answers so far

    def on_request(
        self,
        response_time: float,
        response_length: int,
        exception: BaseException | None,
        context: dict[str, Any],
        response: Any,
        **_: Any,
    ) -> None:
        """Take one request; a listener of Locust's `events.request`."""
        self.answered += exception is None
        start_ns = context.get("start_ns") or time.monotonic_ns() - int(response_time * 1e6)
        scheduled_ns = context.get("scheduled_ns", start_ns)
        latency_ns = int(response_time * 1e6) - (start_ns - scheduled_ns)
        headers = getattr(response, "headers", None) or {}
        self._rows.append(
            (
                self.users,
                scheduled_ns,
                start_ns,
                latency_ns,
                getattr(response, "status_code", 0) or 0,
                response_length,
                int(exception is None),
                context.get("detail_s", ""),
                headers.get("Server-Timing", ""),
                "" if exception is None else f"{type(exception).__name__}: {exception}"[:200],
            )
        )

    def flush(self) -> None:
        """Append what was collected since the last flush. Raises OSError, and from then on again at every call.

        What came after rows that are lost would stand behind a part of one.
        """
        if self._failure:
            raise self._failure
        rows, self._rows = self._rows, []
        try:
            self._csv.writerows(rows)
            self._file.flush()
        except OSError as error:
            self._failure = error
            raise

    def close(self) -> None:
        """Append the rest. Raises OSError if that, or anything before, could not be written."""
        try:
            self.flush()
        finally:
            self._file.close()

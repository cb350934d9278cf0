"""Raw samples: one row per answer, taken from Locust's request event, never from its rounded statistics."""

import csv
from pathlib import Path
from typing import Any

from benchmark.load.protocols import JudgedAnswer
from benchmark.record.columns import SAMPLE_COLUMNS

_NOT_SENT = JudgedAnswer("not sent", None, 0, 0, "", 0, 0, requests=0, items=0)


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
        self, response_time: float, exception: BaseException | None, context: dict[str, Any], **_: Any
    ) -> None:
        """Add one answer or failure; a listener of Locust's `events.request`."""
        self.answered += exception is None
        start_ns, scheduled_ns, answer = context["start_ns"], context["scheduled_ns"], context.get("answer", _NOT_SENT)
        self._rows.append(
            (
                self.users,
                scheduled_ns,
                start_ns,
                int(response_time * 1e6) - (start_ns - scheduled_ns),
                answer.status,
                answer.size,
                int(exception is None),
                "" if exception or answer.value is None else answer.value,
                answer.server_timing,
                "" if exception is None else f"{type(exception).__name__}: {exception}"[:200],
                answer.requests,
                answer.items,
                (answer.first_ns or answer.done_ns) - start_ns if answer.done_ns else 0,
            )
        )

    def flush(self) -> None:
        """Append the rows since the last flush. Raises OSError, and after a failure again at every call.

        Otherwise later rows would follow an incomplete one.
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
        """Append the remaining rows. Raises OSError if these or earlier ones could not be written."""
        try:
            self.flush()
        finally:
            self._file.close()

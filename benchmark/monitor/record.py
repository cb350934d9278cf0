"""The folder of a watch: watch.json (what is watched, and how), and samples.csv, a row for each question.

A row is on its way to the disk as soon as there is an answer, so that nothing is lost whatever ends the watch.
"""

import csv
import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from benchmark.errors import RecordError
from benchmark.monitor.health import Probe
from benchmark.monitor.targets import Target
from benchmark.report.page import write_whole
from contract.secrets import masked

SAMPLES: Final = "samples.csv"
_WATCH: Final = "watch.json"


@dataclass(frozen=True)
class Watch:
    """What is watched, how, and since when, on both clocks."""

    services: dict[str, str]  # name -> URL, without secrets
    every_s: float
    timeout_s: float
    stall_s: float
    started_utc: str
    started_ns: int

    @classmethod
    def begin(cls, targets: Sequence[Target], every_s: float, timeout_s: float, stall_s: float) -> "Watch":
        services = {target.name: masked(target.url) for target in targets}
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        return cls(services, every_s, timeout_s, stall_s, now, time.monotonic_ns())

    def utc(self, at_ns: int) -> datetime:
        """Return the time of day at a moment of the monotonic clock."""
        return datetime.fromisoformat(self.started_utc) + timedelta(microseconds=(at_ns - self.started_ns) / 1e3)

    def time_of_day(self, at_ns: int) -> str:
        return f"{self.utc(at_ns):%H:%M:%S}"


def new_folder(parent: Path, name: str) -> Path:
    """Make a folder and return it; where there is one of this name, it gets a number. Raises RecordError."""
    for number in itertools.count(1):
        path = parent / (name if number == 1 else f"{name}-{number}")
        try:
            parent.mkdir(parents=True, exist_ok=True)
            path.mkdir()
            return path
        except FileExistsError:
            if not parent.is_dir():
                break
        except OSError as error:
            raise RecordError(f"cannot write to {parent}: {error.strerror}") from error
    raise RecordError(f"cannot write to {parent}: it is a file, expected a folder")


class ProbeWriter:
    """Appends probes to a new samples.csv, each at once. Raises RecordError."""

    def __init__(self, folder: Path, watch: Watch) -> None:
        if (folder / SAMPLES).exists():
            raise RecordError(f"{folder} holds a watch already: give another --out, or no URL to draw that one again")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / SAMPLES).open("x", newline="")
        except OSError as error:
            raise RecordError(f"cannot write to {folder}: {error.strerror}") from error
        write_whole(folder / _WATCH, (json.dumps(asdict(watch), indent=2) + "\n").encode())
        self._folder = folder
        self._csv = csv.writer(self._file)
        self._write(Probe._fields)

    def append(self, probe: Probe) -> None:
        rounded = probe._replace(ms=round(probe.ms, 3), late_ms=round(probe.late_ms, 3))
        self._write(rounded)

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            raise RecordError(f"cannot write to {self._folder}: {error.strerror}") from error

    def _write(self, row: Sequence[object]) -> None:
        try:
            self._csv.writerow(row)
            self._file.flush()
        except OSError as error:
            raise RecordError(f"cannot write to {self._folder}: {error.strerror}") from error


def read_watch(folder: Path) -> tuple[Watch, dict[str, list[Probe]]]:
    """Return a recorded watch, and its probes by service. An incomplete last row is skipped. Raises RecordError."""
    try:
        watch = Watch(**json.loads((folder / _WATCH).read_text()))
        rows = csv.DictReader((folder / SAMPLES).read_text().rpartition("\n")[0].splitlines())
        probes: dict[str, list[Probe]] = {name: [] for name in watch.services}
        for row in rows:
            probe = _probe(row)
            probes[probe.service].append(probe)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise RecordError(f"{folder} holds no watch that can be read ({type(error).__name__}: {error})") from error
    return watch, probes


def _probe(row: dict[str, str]) -> Probe:
    return Probe(
        row["service"],
        int(row["scheduled_ns"]),
        int(row["start_ns"]),
        float(row["ms"]),
        int(row["status"]),
        row["error"],
        float(row["late_ms"]),
    )

"""The run directory: the only writer and the only reader of its format.

results/<UTC time>-<command>/
    manifest.json    machine, versions, settings, seed, plan: written before anything is measured; and when it ended
    cells.jsonl      one line per contender and block, appended when it ends
    samples/         one CSV per cell: every answer (columns: benchmark.record.columns.SAMPLE_COLUMNS); of `locust`,
                     beside it when the generator stopped issuing
    resources/       one CSV per cell: CPU and memory by role, ten times a second; and what the machine as a whole did
    locust/          Locust's own HTML and CSV, untouched
    logs/            what every process said
    summary.json     the figures, computed from the above
    report.html      the figures, drawn
results/latest       the newest complete run
"""

import contextlib
import io
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from benchmark.errors import RecordError
from benchmark.record.columns import ONE_OF_EACH, SAMPLE_COLUMNS, ResourceSample
from contract.secrets import masked

SCHEMA, OLDEST_SCHEMA = 2, 1  # written; the oldest that is still read
SUMMARY = "summary.json"
_CELLS = "cells.jsonl"
_FOLDERS = ("samples", "resources", "locust", "logs")
CellStatus = Literal["measured", "failed", "interrupted"]


@dataclass(frozen=True)
class Window:
    """A measured stretch at one number of users, on the monotonic clock."""

    users: int
    start_ns: int
    end_ns: int

    @property
    def seconds(self) -> float:
        return (self.end_ns - self.start_ns) / 1e9


@dataclass
class TrialRecord:
    """One contender in one block, in fresh processes: what became of it."""

    block: int
    contender: str
    seed: int
    status: CellStatus = "measured"
    reason: str = ""  # why it failed, or was interrupted
    windows: list[Window] = field(default_factory=list)
    part: str = ""  # tells several trials of a contender in a block apart
    code: str = ""  # of the reason: that of the error

    @property
    def key(self) -> str:
        """The stem of this cell's files."""
        return f"{self.block}-{self.contender}{self.part and '-'}{self.part}"


class Run:
    """A run directory, for writing while measuring and for reading afterwards."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, results: Path, command: str, manifest: dict[str, Any]) -> "Run":
        """Make a new run directory and write its manifest. Raises RecordError."""
        path = results / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{command}"
        with _writing(path):
            for folder in _FOLDERS:
                (path / folder).mkdir(parents=True)
        run = cls(path)
        run.write_json("manifest.json", {"schema": SCHEMA, "command": command, **manifest})
        return run

    @classmethod
    def open(cls, path: Path) -> "Run":
        """Open a run directory for reading. Raises RecordError if it is none, or of another schema."""
        run = cls(path.resolve())
        schema = run.manifest.get("schema")
        if schema not in range(OLDEST_SCHEMA, SCHEMA + 1):
            raise RecordError(
                f"{path} is of schema {schema}, this program reads schemas {OLDEST_SCHEMA} to {SCHEMA}; "
                "read it with the version that recorded it"
            )
        return run

    @property
    def manifest(self) -> dict[str, Any]:
        return self.read_json("manifest.json")

    @property
    def summary(self) -> dict[str, Any]:
        return self.read_json(SUMMARY)

    @property
    def interrupted(self) -> bool:
        """Whether measuring ended before its time; so it did if nobody has noted its end."""
        return bool(self.manifest.get("interrupted", True))

    def file(self, folder: str, cell: TrialRecord, suffix: str = "") -> Path:
        """Return the path of one of a cell's files."""
        return self.path / folder / f"{cell.key}{suffix}"

    def append_cell(self, cell: TrialRecord) -> None:
        self.append_line(_CELLS, asdict(cell))

    def trials(self) -> list[TrialRecord]:
        """Return every trial that has ended, in the order of measuring."""
        return [TrialRecord(**{**d, "windows": [Window(**w) for w in d["windows"]]}) for d in self.lines(_CELLS)]

    def cells(self) -> list[TrialRecord]:
        """Return those that are all there is of a contender in a block, and no part of it."""
        return [trial for trial in self.trials() if not trial.part]

    def append_line(self, name: str, document: dict[str, Any]) -> None:
        """Add a document to a file of one JSON document per line. Raises RecordError."""
        with _writing(self.path), (self.path / name).open("a") as file:
            file.write(json.dumps(masked(document), allow_nan=False) + "\n")

    def lines(self, name: str) -> list[dict[str, Any]]:
        """Return what `append_line` has written; nothing if there is no such file."""
        path = self.path / name
        if not path.exists():
            return []
        # A line that was cut off, as by a full disk, has no end.
        whole = path.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def cell_samples(self, cell: TrialRecord) -> pd.DataFrame:
        """Return a cell's requests: SAMPLE_COLUMNS, with `latency_ms`, and `measured` for those inside a window.

        A request belongs to the window in which it was answered.
        """
        frame = read_samples(self.file("samples", cell, ".csv"))
        frame["measured"] = False
        for window in cell.windows:
            inside = frame["end_ns"].between(window.start_ns, window.end_ns, inclusive="left")
            frame.loc[inside, ["measured", "users"]] = [True, window.users]
        return frame

    def samples(self) -> pd.DataFrame:
        """Return the requests of all cells, with columns `contender` and `block`."""
        frames = [self.cell_samples(cell).assign(contender=cell.contender, block=cell.block) for cell in self.cells()]
        return (
            pd.concat(frames, ignore_index=True)
            if frames
            else self.cell_samples(TrialRecord(0, "", 0)).assign(contender="", block=0)
        )

    def cell_resources(self, cell: TrialRecord) -> pd.DataFrame:
        """Return a cell's resource samples: the fields of ResourceSample."""
        frame = _read_csv(self.file("resources", cell, ".csv"))
        return pd.DataFrame(columns=list(ResourceSample._fields)) if frame is None else frame

    @contextlib.contextmanager
    def resource_writer(self, cell: TrialRecord) -> Iterator["ResourceWriter"]:
        with _writing(self.path):
            writer = ResourceWriter(self.file("resources", cell, ".csv"))
        try:
            yield writer
        finally:
            writer.close()

    def write_json(self, name: str, document: dict[str, Any]) -> None:
        """Write a document whole or not at all, and without the secrets that its URLs hold."""
        with _writing(self.path):
            part = self.path / f"{name}.part"
            part.write_text(json.dumps(masked(document), indent=2, allow_nan=False) + "\n")
            part.replace(self.path / name)

    def read_json(self, name: str) -> dict[str, Any]:
        """Return a document of the run. Raises RecordError."""
        try:
            document: dict[str, Any] = json.loads((self.path / name).read_text())
        except (OSError, ValueError) as error:
            raise RecordError(f"{self.path} is not a run directory: {name} cannot be read ({error})") from error
        if not isinstance(document, dict):
            raise RecordError(f"{self.path} is not a run directory: {name} holds no table")
        return document

    def note_end(self, interrupted: bool) -> None:
        """Note in the manifest that measuring has ended now; a report that is made again does not move it."""
        self.write_json("manifest.json", {**self.manifest, "finished_utc": utc_now(), "interrupted": interrupted})

    def point_latest_here(self) -> None:
        """Make results/latest point to this run."""
        link = self.path.parent / "latest"
        with _writing(link):
            part = link.with_name(f"latest.{os.getpid()}")
            part.unlink(missing_ok=True)
            part.symlink_to(self.path.name)
            part.replace(link)


def utc_now() -> str:
    """Return the time as every document of a run has it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_samples(path: Path) -> pd.DataFrame:
    """Return a file of raw samples: SAMPLE_COLUMNS, `end_ns`, `latency_ms` and, from the schedule, `response_ms`."""
    derived = ["end_ns", "latency_ms", "response_ms"]
    frame = _read_csv(path, {"server_timing": "string", "error": "string"})
    if frame is None:
        return pd.DataFrame(columns=[*SAMPLE_COLUMNS, *derived])
    for column in ONE_OF_EACH:
        frame[column] = frame[column].fillna(1).astype("int64") if column in frame else 1
    frame["ok"] = frame["ok"].astype(bool)
    frame["end_ns"] = frame["start_ns"] + frame["latency_ns"]
    frame["latency_ms"] = frame["latency_ns"] / 1e6
    frame["response_ms"] = (frame["end_ns"] - frame["scheduled_ns"]) / 1e6
    return frame


def _read_csv(path: Path, dtype: dict[str, str] | None = None) -> pd.DataFrame | None:
    """Return the whole rows of a file, which a full disk may have cut off anywhere; None if not even its head is."""
    whole = path.read_text().rpartition("\n")[0] if path.exists() else ""
    return pd.read_csv(io.StringIO(whole), dtype=dtype) if whole else None


class ResourceWriter:
    """Appends resource samples to a CSV file; remembers the first failure instead of raising in a thread."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w")
        self._file.write(",".join(ResourceSample._fields) + "\n")
        self.failure: OSError | None = None

    def append(self, sample: ResourceSample) -> None:
        try:
            self._file.write(",".join(map(str, sample)) + "\n")
        except OSError as error:
            self.failure = self.failure or error

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            self.failure = self.failure or error


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RecordError(f"cannot write to {path}: {error.strerror}; what was measured before is kept") from error

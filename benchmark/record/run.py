"""The run directory: all code that writes and reads its format.

results/<UTC time>-<command>/
    manifest.json    machine, versions, settings, seed, plan: written before anything is measured; and when it ended
    cells.jsonl      one line per contender and block, appended when it ends
    samples/         one CSV per trial: every answer (columns: benchmark.record.columns.SAMPLE_COLUMNS); for `locust`
                     also when the generator stopped sending
    resources/       one CSV per trial: CPU and memory by role, ten times per second, and of the whole machine
    locust/          HTML and CSV of Locust, unchanged
    logs/            output of every process
    summary.json     figures, computed from the above
    report.html      the page that shows the figures
results/latest       link to the newest complete run
"""

import contextlib
import io
import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

import pandas as pd

from benchmark.errors import RecordError
from benchmark.record.columns import ONE_OF_EACH, SAMPLE_COLUMNS, ResourceSample
from benchmark.record.damage import WHAT_TO_DO, check_manifest, parse_lines, reading
from contract.secrets import masked

SCHEMA, OLDEST_SCHEMA = 2, 1  # the version written; the oldest version that can be read
SUMMARY = "summary.json"
CELLS = "cells.jsonl"
_FOLDERS = ("samples", "resources", "locust", "logs")
CellStatus = Literal["measured", "failed", "interrupted"]


@dataclass(frozen=True)
class Window:
    """A measured time span at one number of users, on the monotonic clock."""

    users: int
    start_ns: int
    end_ns: int

    @property
    def seconds(self) -> float:
        return (self.end_ns - self.start_ns) / 1e9


@dataclass
class TrialRecord:
    """The outcome of a trial: one contender in one block, in fresh processes."""

    block: int
    contender: str
    seed: int
    status: CellStatus = "measured"
    reason: str = ""  # why it failed or was interrupted
    windows: list[Window] = field(default_factory=list)
    part: str = ""  # distinguishes several trials of a contender in a block
    code: str = ""  # the error's code

    @property
    def text(self) -> tuple[object, ...]:
        """What must be text, whatever a file says."""
        return self.contender, self.reason, self.part, self.code

    @property
    def key(self) -> str:
        """The stem of this trial's files."""
        return f"{self.block}-{self.contender}{self.part and '-'}{self.part}"


class Run:
    """A run directory, for writing while measuring and for reading afterwards."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, results: Path, command: str, manifest: dict[str, Any]) -> "Run":
        """Make a new run directory and write its manifest. Raises RecordError."""
        path = _make_folder(results.absolute(), f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{command}")
        with _writing(path):
            for folder in _FOLDERS:
                (path / folder).mkdir()
        run = cls(path)
        run.write_json("manifest.json", {"schema": SCHEMA, "command": command, **manifest})
        return run

    @classmethod
    def open(cls, path: Path) -> "Run":
        """Open a run directory for reading. Raises RecordError if it is not one, or of an unknown schema."""
        run = cls(path.resolve())
        schema = run.manifest.get("schema")
        if schema not in range(OLDEST_SCHEMA, SCHEMA + 1):
            raise RecordError(
                f"{path} has schema {schema}, but this version reads schemas {OLDEST_SCHEMA} to {SCHEMA}: "
                "use the version that recorded it"
            )
        check_manifest(path, run.manifest)
        return run

    @property
    def manifest(self) -> dict[str, Any]:
        return self.read_json("manifest.json")

    @property
    def summary(self) -> dict[str, Any]:
        return self.read_json(SUMMARY)

    @property
    def interrupted(self) -> bool:
        """Whether measuring ended early. A run without a noted end was interrupted."""
        return bool(self.manifest.get("interrupted", True))

    def file(self, folder: str, cell: TrialRecord, suffix: str = "") -> Path:
        """Return the path of one of a trial's files."""
        return self.path / folder / f"{cell.key}{suffix}"

    def append_cell(self, cell: TrialRecord) -> None:
        self.append_line(CELLS, asdict(cell))

    def trials(self) -> list[TrialRecord]:
        """Return all trials that have ended, in the order of measuring."""
        documents = self.lines(CELLS)
        with reading(self.path / CELLS):
            return [_trial(document) for document in documents]

    def cells(self) -> list[TrialRecord]:
        """Return the trials that cover a contender in a block completely, without those that are a part of it."""
        return [trial for trial in self.trials() if not trial.part]

    def append_line(self, name: str, document: dict[str, Any]) -> None:
        """Append a document to a file with one JSON document per line. Raises RecordError."""
        with _writing(self.path), (self.path / name).open("a") as file:
            file.write(json.dumps(masked(document), allow_nan=False) + "\n")

    def lines(self, name: str) -> list[dict[str, Any]]:
        """Return the documents of a file that `append_line` has written; an empty list if there is no file."""
        path = self.path / name
        with reading(path):
            if not path.exists():
                return []
            # An incomplete last line, as after a full disk, is skipped.
            return parse_lines(path, path.read_text().rpartition("\n")[0])

    def cell_samples(self, cell: TrialRecord) -> pd.DataFrame:
        """Return a trial's samples: SAMPLE_COLUMNS, `latency_ms`, and `measured` for those inside a window.

        A sample belongs to the window in which the answer came. Raises RecordError.
        """
        path = self.file("samples", cell, ".csv")
        if cell.status == "measured" and cell.windows and not _has_head(path):
            raise RecordError(f"{path} is missing or empty, but {cell.contender} was measured: {WHAT_TO_DO}")
        return mark_measured(read_samples(path), cell)

    def samples(self) -> pd.DataFrame:
        """Return the samples of all trials, with columns `contender` and `block`."""
        frames = [self.cell_samples(cell).assign(contender=cell.contender, block=cell.block) for cell in self.cells()]
        return (
            pd.concat(frames, ignore_index=True)
            if frames
            else self.cell_samples(TrialRecord(0, "", 0)).assign(contender="", block=0)
        )

    def cell_resources(self, cell: TrialRecord) -> pd.DataFrame:
        """Return a trial's resource samples: the fields of ResourceSample."""
        path = self.file("resources", cell, ".csv")
        with reading(path):
            frame = _read_csv(path)
            if frame is None:
                return pd.DataFrame(columns=list(ResourceSample._fields))
            numbers = ["t_ns", "cpu_ns", "rss_bytes"]
            return frame.astype({**dict.fromkeys(numbers, "int64"), "role": "string"}).astype({"role": object})

    @contextlib.contextmanager
    def resource_writer(self, cell: TrialRecord) -> Iterator["ResourceWriter"]:
        with _writing(self.path):
            writer = ResourceWriter(self.file("resources", cell, ".csv"))
        try:
            yield writer
        finally:
            writer.close()

    def write_json(self, name: str, document: dict[str, Any]) -> None:
        """Write a document atomically, with the secrets in its URLs masked."""
        with _writing(self.path / name):
            part = self.path / f"{name}.part"
            part.write_text(json.dumps(masked(document), indent=2, allow_nan=False) + "\n")
            part.replace(self.path / name)

    def read_json(self, name: str) -> dict[str, Any]:
        """Return a document of the run. Raises RecordError."""
        try:
            document: dict[str, Any] = json.loads((self.path / name).read_text())
        except (OSError, ValueError, RecursionError) as error:
            raise RecordError(f"{self.path} is not a run directory: {name} cannot be read ({error})") from error
        if not isinstance(document, dict):
            raise RecordError(f"{self.path} is not a run directory: {name} is not a JSON object")
        return document

    def note_end(self, interrupted: bool) -> None:
        """Note in the manifest that measuring has ended now. Re-rendering the report does not change it."""
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
    """Return the current time in the format of all documents of a run."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def samples_suffix(number: int) -> str:
    """Return how the file name of a generator's samples ends."""
    return f".{number + 1}.csv" if number else ".csv"


def mark_measured(samples: pd.DataFrame, trial: TrialRecord) -> pd.DataFrame:
    """Return samples of a trial with `measured`, for those inside a window, and the `users` of that window."""
    frame = samples.assign(measured=False)
    for window in trial.windows:
        inside = frame["end_ns"].between(window.start_ns, window.end_ns, inclusive="left")
        frame.loc[inside, ["measured", "users"]] = [True, window.users]
    return frame


def read_samples(path: Path) -> pd.DataFrame:
    """Return raw samples: SAMPLE_COLUMNS, `end_ns`, `latency_ms`, and two times since the scheduled one.

    `response_ms` is until the answer, `accepted_ms` until the first response to its request. Raises RecordError.
    """
    with reading(path):
        return _read_samples(path)


def _read_samples(path: Path) -> pd.DataFrame:
    derived = ["end_ns", "latency_ms", "response_ms", "accepted_ms"]
    frame = _read_csv(path, {"server_timing": "string", "error": "string"})
    if frame is None:
        return pd.DataFrame(columns=[*SAMPLE_COLUMNS, *derived])
    for column in ONE_OF_EACH:
        frame[column] = frame[column].fillna(1).astype("int64") if column in frame else 1
    first_ns = frame["first_ns" if "first_ns" in frame else "latency_ns"]
    frame["first_ns"] = first_ns.fillna(frame["latency_ns"]).astype("int64")
    whole = ["users", "scheduled_ns", "start_ns", "latency_ns", "status", "bytes"]
    frame = frame.astype({**dict.fromkeys(whole, "int64"), "detail_s": "float64"})
    frame["ok"] = frame["ok"].astype("int64").astype(bool)
    frame["end_ns"] = frame["start_ns"] + frame["latency_ns"]
    frame["latency_ms"] = frame["latency_ns"] / 1e6
    frame["response_ms"] = (frame["end_ns"] - frame["scheduled_ns"]) / 1e6
    frame["accepted_ms"] = (frame["start_ns"] + frame["first_ns"] - frame["scheduled_ns"]) / 1e6
    return frame


def _read_csv(path: Path, dtype: dict[str, str] | None = None) -> pd.DataFrame | None:
    """Return the complete rows of a file, which a full disk may have cut off; None without a complete header."""
    whole = path.read_text().rpartition("\n")[0] if path.exists() else ""
    return pd.read_csv(io.StringIO(whole), dtype=dtype) if whole else None


class ResourceWriter:
    """Appends resource samples to a CSV file. Stores the first failure, since it is called in a thread."""

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


def _has_head(path: Path) -> bool:
    with reading(path):
        if not path.exists():
            return False
        with path.open("rb") as file:
            return file.readline().endswith(b"\n")


def _trial(document: dict[str, Any]) -> TrialRecord:
    trial = TrialRecord(**{**document, "windows": [Window(**window) for window in document["windows"]]})
    if trial.status not in get_args(CellStatus) or not all(isinstance(each, str) for each in trial.text):
        raise ValueError(f"a trial that a run does not write: {document}")
    return trial


def _make_folder(results: Path, name: str) -> Path:
    """Make the folder of a run and return it; another run that began within the same second has a number behind it."""
    for number in itertools.count(1):
        path = results / (name if number == 1 else f"{name}-{number}")
        with _writing(path), contextlib.suppress(FileExistsError):
            results.mkdir(parents=True, exist_ok=True)
            path.mkdir()
            return path
        if not results.is_dir():
            break
    raise RecordError(f"cannot write to {results}: it is a file, expected a folder")


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RecordError(f"cannot write to {path}: {error.strerror}. Earlier measurements are kept.") from error

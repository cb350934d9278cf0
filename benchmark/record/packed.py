"""A run packed for a repository: what its windows hold of samples and resources, in one compressed file each.

`load` reads such a folder as it reads a run directory: manifest.json, summary.json, cells.jsonl (only the trials and
windows that were kept), and in place of the folders samples/ and resources/ one CSV each.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import pandas as pd

from benchmark.record.columns import ResourceSample
from benchmark.record.damage import reading
from benchmark.record.run import CELLS, Run, TrialRecord

# What the figures are computed from; the other columns take most of the room.
COLUMNS: Final = {
    "samples": ("block", "contender", "part", "users", "start_ns", "latency_ns", "ok"),
    "resources": ("block", "contender", "part", *ResourceSample._fields),
}
_TEXT: Final = dict.fromkeys(("contender", "part", "role"), "str")
_AROUND_NS: Final = 10**9  # CPU time is interpolated between samples, of which one lies before and one after a window


def pack(run: Run, trials: Sequence[TrialRecord], target: Path, used: Sequence[str]) -> None:
    """Write the samples inside the windows of these trials, and, of the contenders in `used`, what they used."""
    target.mkdir(parents=True, exist_ok=True)
    (target / CELLS).write_text("".join(json.dumps(asdict(trial)) + "\n" for trial in trials))
    resources = [trial for trial in trials if trial.contender in used]
    for name, rows in (("samples", _samples(run, trials)), ("resources", _resources(run, resources))):
        frame = pd.concat(rows, ignore_index=True)
        frame.to_csv(_path(target, name), index=False, columns=list(COLUMNS[name]))


def holds(folder: Path, name: str) -> bool:
    """Whether a run has its `samples` or `resources` packed."""
    return _path(folder, name).exists()


def read(folder: Path, name: str) -> pd.DataFrame:
    """Return the packed samples, with `end_ns` and `latency_ms`, or resources. Raises RecordError."""
    path = _path(folder, name)
    with reading(path):
        frame = pd.read_csv(path, dtype=_TEXT, keep_default_na=False)[list(COLUMNS[name])]
        if name == "samples":
            frame["ok"] = frame["ok"].astype(bool)
            frame["end_ns"] = frame["start_ns"] + frame["latency_ns"]
            frame["latency_ms"] = frame["latency_ns"] / 1e6
        return frame


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}.csv.xz"


def _samples(run: Run, trials: Sequence[TrialRecord]) -> Iterator[pd.DataFrame]:
    for trial in trials:
        samples = run.cell_samples(trial)
        kept = pd.Series(False, index=samples.index)
        for window in trial.windows:
            kept |= (samples["end_ns"] >= window.start_ns) & (samples["start_ns"] < window.end_ns)
        yield _of(trial, samples[kept]).assign(ok=samples["ok"].astype(int))


def _resources(run: Run, trials: Sequence[TrialRecord]) -> Iterator[pd.DataFrame]:
    for trial in trials:
        frame = run.cell_resources(trial)
        kept = pd.Series(False, index=frame.index)
        for window in trial.windows:
            kept |= frame["t_ns"].between(window.start_ns - _AROUND_NS, window.end_ns + _AROUND_NS)
        yield _of(trial, frame[kept])


def _of(trial: TrialRecord, frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(block=trial.block, contender=trial.contender, part=trial.part)

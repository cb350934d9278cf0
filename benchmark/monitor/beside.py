"""The load of a run on the clock of a watch: how many answers per second were good, and how many were not."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import RecordError
from benchmark.monitor.record import Watch
from benchmark.record.run import Run, read_samples


@dataclass(frozen=True)
class Load:
    """What a run's load generators got per second, in each second since the watch began."""

    run: str
    seconds: NDArray[np.float64]
    good_rps: NDArray[np.float64]
    failed_rps: NDArray[np.float64]


def load_beside(folder: Path, watch: Watch, end_ns: int) -> Load:
    """Return the load of a run while a watch lasted. Raises RecordError, also if both have no second in common."""
    run = Run.open(folder)
    last = max(int((end_ns - watch.started_ns) / 1e9), 0) + 1
    good, failed = np.zeros(last), np.zeros(last)
    for path in sorted((run.path / "samples").glob("*.csv")) if _same_time(run, watch, end_ns) else ():
        frame = read_samples(path)
        second = ((frame["end_ns"] - watch.started_ns) // 1_000_000_000).astype("int64")
        inside = (second >= 0) & (second < last)
        for counted, rows in ((good, frame["ok"]), (failed, ~frame["ok"].astype(bool))):
            np.add.at(counted, second[inside & rows].to_numpy(), 1)
    if not (good.any() or failed.any()):
        raise RecordError(f"{run.path.name} had no load while this watch lasted: both must run at the same time, here")
    return Load(run.path.name, np.arange(last, dtype=np.float64) + 0.5, good, failed)


def _same_time(run: Run, watch: Watch, end_ns: int) -> bool:
    """Whether both were at the same time by the calendar: the monotonic clock begins anew when a machine starts."""
    try:
        began = datetime.fromisoformat(str(run.manifest["started_utc"]))
        ended = run.manifest.get("finished_utc")
        over = bool(ended) and datetime.fromisoformat(str(ended)) < watch.utc(watch.started_ns)
        return not over and began <= watch.utc(end_ns)
    except (KeyError, ValueError, TypeError):
        return False

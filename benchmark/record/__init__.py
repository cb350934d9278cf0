"""The record of a run: a directory of raw data from which everything else can be computed again.

`from benchmark.record import load; run = load("results/latest")` has its tables as pandas frames: doc/record.md.
"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmark.record.frames import Frames


class Target(StrEnum):
    """What a run's data can be exported as."""

    PARQUET = "parquet"
    CSV = "csv"
    PROMETHEUS = "prometheus"


def load(path: str | Path) -> "Frames":
    """Return the data of a run directory: `samples`, `resources`, `windows`, `trials`, `summary` as pandas frames.

    Raises RecordError if it is not a run directory, or one that was damaged, with a sentence that names the file.
    """
    from benchmark.record.frames import Frames

    return Frames(Path(path))

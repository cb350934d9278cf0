"""`repeats.csv`, every timing as it was measured, and `timeit.csv`, their means as a table."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from benchmark.errors import RecordError
from benchmark.record.damage import reading

REPEATS_NAME, TABLE_NAME = "repeats.csv", "timeit.csv"
COLUMNS = ("repeat", "n", "contender", "seconds")  # repeats count from 0; seconds for all n calls together


class RepeatsFile:
    """Appends timings; each is on disk before the next one starts. Raises RecordError."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / REPEATS_NAME
        self._write(",".join(COLUMNS))

    def append(self, repeat: int, n: int, contender: str, seconds: float) -> None:
        self._write(f"{repeat},{n},{contender},{seconds:.9f}")

    def _write(self, line: str) -> None:
        with _naming(self._path), self._path.open("a") as file:
            file.write(line + "\n")


def read_repeats(folder: Path) -> pd.DataFrame:
    """Return every timing of a run, in the order of measuring: COLUMNS. Raises RecordError."""
    path = folder / REPEATS_NAME
    kinds = dict(zip(COLUMNS, ("int64", "int64", "string", "float64"), strict=True))
    with reading(path):
        if not path.exists():
            return pd.DataFrame(columns=list(COLUMNS)).astype(kinds)
        whole = path.read_text().rpartition("\n")[0]  # a row that was cut off, as by a full disk, is no timing
        # Without the defaults, which would take a contender named `null` for a missing value.
        return pd.read_csv(io.StringIO(whole), usecols=list(COLUMNS), dtype=kinds, keep_default_na=False)


def write_table(folder: Path, repeats: pd.DataFrame, labels: Sequence[str]) -> None:
    """Write `n` and one column per contender: mean seconds of n calls, empty where nothing was measured."""
    table = repeats.pivot_table(index="n", columns="contender", values="seconds", aggfunc="mean")
    path = folder / TABLE_NAME
    with _naming(path):
        table.reindex(columns=list(labels)).rename_axis(columns=None).to_csv(path, float_format="%.6f")


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RecordError(f"cannot write to {path}: {error.strerror}; what was measured before is kept") from error

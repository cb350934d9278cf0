"""A run's data in the formats of other tools: CSV, Parquet, and the text format of Prometheus."""

import contextlib
import importlib.util
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import pandas as pd

from benchmark.errors import RecordError
from benchmark.record import Target
from benchmark.record.damage import readable
from benchmark.record.frames import FRAMES, Frames

FIGURES: Final = "figures.prom"
_NEEDS: Final = {Target.PARQUET: "pyarrow"}
_BOUNDS: Final = (("low", "ci95_low"), ("high", "ci95_high"))


def export(run: Frames, target: Target, folder: Path) -> Iterator[Path]:
    """Write a run's data into a folder and yield the files, each when it is whole. Raises RecordError."""
    needed = _NEEDS.get(target)
    if needed and not importlib.util.find_spec(needed):
        raise RecordError(
            f"{target} needs {needed}, which is not installed: .venv/bin/python -m pip install {needed}, or --to csv"
        )
    if target is Target.PROMETHEUS:
        with readable(run.path):
            text = "".join(prometheus(run))
        yield _written(folder / FIGURES, lambda path: path.write_text(text))
        return
    for name in FRAMES:
        frame: pd.DataFrame = getattr(run, name)
        write = frame.to_csv if target is Target.CSV else frame.to_parquet
        yield _written(folder / f"{name}.{target}", partial(write, index=False))


def prometheus(run: Frames) -> Iterator[str]:
    """Yield the figures of a run in the text exposition format, for a textfile collector or a Pushgateway.

    Without times: neither of the two takes them. When the run ended is a figure of its own.
    """
    of_run = {"command": run.manifest["command"], "run": run.path.name}
    rows: list[dict[str, Any]] = run.summary.to_dict("records")  # type: ignore[assignment]  # its keys are texts
    figures = [(row, {**of_run, **{name: row[name] for name in ("contender", "figure")}}) for row in rows]
    yield from _family("benchmark_figure", "A figure of a contender, in its unit.")
    for row, labels in figures:
        yield _line("benchmark_figure", {**labels, "unit": row["unit"]}, row["value"])
    yield from _family("benchmark_figure_ci95", "The ends of the figure's 95 % interval.")
    for row, labels in figures:
        for bound, column in _BOUNDS:
            if pd.notna(value := row[column]):
                yield _line("benchmark_figure_ci95", {**labels, "bound": bound}, value)
    yield from _family("benchmark_figure_valid", "Whether the figure is VALID: 1, or 0.")
    for row, labels in figures:
        yield _line("benchmark_figure_valid", labels, int(row["valid"]))
    yield from _family("benchmark_run_valid", "Whether the run is VALID: 1, or 0.")
    yield _line("benchmark_run_valid", of_run, int(bool(run.document.get("valid"))))
    if (ended := run.manifest.get("finished_utc")) is not None:
        yield from _family("benchmark_run_finished_timestamp_seconds", "When the run ended, in seconds since 1970.")
        moment = datetime.fromisoformat(ended).timestamp()
        yield _line("benchmark_run_finished_timestamp_seconds", of_run, int(moment))


def _family(name: str, about: str) -> Iterator[str]:
    yield f"# HELP {name} {about}\n# TYPE {name} gauge\n"


def _line(name: str, labels: dict[str, Any], value: float) -> str:
    escaped = (f'{label}="{_escaped(str(text))}"' for label, text in labels.items())
    return f"{name}{{{','.join(escaped)}}} {value!r}\n"


def _escaped(text: str) -> str:
    return re.sub(r'["\\]', r"\\\g<0>", text).replace("\n", "\\n")


def _written(path: Path, write: Callable[[Path], object]) -> Path:
    """Write a file beside its place and move it there when it is whole; return its path. Raises RecordError."""
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(part)
        part.replace(path)
    except OSError as error:
        raise RecordError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return path

"""The data of a run as pandas frames, each read when it is first asked for. doc/record.md explains the columns."""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pandas as pd

from benchmark.record import packed
from benchmark.record.columns import SAMPLE_COLUMNS, ResourceSample
from benchmark.record.damage import readable
from benchmark.record.run import Run, TrialRecord, mark_measured, read_samples, samples_suffix

OF_A_TRIAL: Final = ("block", "contender", "part")
TRIAL_COLUMNS: Final = (*OF_A_TRIAL, "seed", "status", "reason", "code")
WINDOW_COLUMNS: Final = (*OF_A_TRIAL, "users", "start_ns", "end_ns", "seconds")
DERIVED_COLUMNS: Final = ("end_ns", "latency_ms", "response_ms", "accepted_ms", "measured")
SUMMARY_COLUMNS: Final = (
    *("question", "contender", "figure", "unit", "value", "ci95_low", "ci95_high"),
    *("versus", "ratio", "ratio_ci95_low", "ratio_ci95_high", "shown", "valid", "reasons", "text"),
)
FRAMES: Final = ("samples", "resources", "windows", "trials", "summary")


class Frames:
    """A run's tables as pandas frames. Each raises RecordError, naming the file, where a run was damaged."""

    def __init__(self, path: Path) -> None:
        self._run = Run.open(path)
        self.path = self._run.path
        self.manifest: Mapping[str, Any] = self._run.manifest  # machine, versions, settings, seed, plan

    def __repr__(self) -> str:
        return f"<run of {self.manifest['command']!r} in {self.path}>"

    @cached_property
    def samples(self) -> pd.DataFrame:
        """Every answer, or failure to get one, with the trial that it belongs to; warm-up has `measured` False."""
        with readable(self.path):
            if packed.holds(self.path, "samples"):
                frame = packed.read(self.path, "samples")
                return pd.concat(_marked(frame, self._run.trials()), ignore_index=True)
            columns = (*OF_A_TRIAL, "generator", *SAMPLE_COLUMNS, *DERIVED_COLUMNS)
            return _joined(self._samples(), columns)

    @cached_property
    def resources(self) -> pd.DataFrame:
        """CPU time and memory of each role, ten times a second, with the trial that it belongs to."""
        with readable(self.path):
            if packed.holds(self.path, "resources"):
                return packed.read(self.path, "resources")
            return _joined(self._of_trials(self._run.cell_resources), (*OF_A_TRIAL, *ResourceSample._fields))

    @cached_property
    def windows(self) -> pd.DataFrame:
        """The measured time spans of every trial."""
        with readable(self.path):
            rows = [
                (*_trial(trial), each.users, each.start_ns, each.end_ns, each.seconds)
                for trial in self._run.trials()
                for each in trial.windows
            ]
            return pd.DataFrame(rows, columns=list(WINDOW_COLUMNS))

    @cached_property
    def trials(self) -> pd.DataFrame:
        """Every trial that has ended, in the order of measuring, and the reason where one failed."""
        with readable(self.path):
            rows = [(*_trial(each), each.seed, each.status, each.reason, each.code) for each in self._run.trials()]
            return pd.DataFrame(rows, columns=list(TRIAL_COLUMNS))

    @cached_property
    def summary(self) -> pd.DataFrame:
        """The run's findings, a figure of a contender in each row. `document` holds all of summary.json."""
        with readable(self.path):
            rows = [_finding(each) for each in self.document.get("findings") or ()]
            return pd.DataFrame(rows, columns=list(SUMMARY_COLUMNS))

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """All of summary.json."""
        return self._run.summary

    def _samples(self) -> Iterator[pd.DataFrame]:
        yield from (frame.assign(generator=0) for frame in self._of_trials(self._run.cell_samples))
        for trial in self._run.trials():
            number = 1
            while (path := self._run.file("samples", trial, samples_suffix(number))).exists():
                yield _of(trial, mark_measured(read_samples(path), trial)).assign(generator=number)
                number += 1

    def _of_trials(self, read: Callable[[TrialRecord], pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for trial in self._run.trials():
            yield _of(trial, read(trial))


def _trial(trial: TrialRecord) -> tuple[int, str, str]:
    return trial.block, trial.contender, trial.part


def _of(trial: TrialRecord, frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(block=trial.block, contender=trial.contender, part=trial.part)


def _joined(frames: Iterator[pd.DataFrame], columns: tuple[str, ...]) -> pd.DataFrame:
    """Return one frame of all; those of trials without a sample have no types, and are left out."""
    found = [frame for frame in frames if len(frame)]
    return pd.concat(found, ignore_index=True)[list(columns)] if found else pd.DataFrame(columns=list(columns))


def _marked(frame: pd.DataFrame, trials: list[TrialRecord]) -> Iterator[pd.DataFrame]:
    by_trial = dict(iter(frame.groupby(list(OF_A_TRIAL), sort=False)))
    for trial in trials:
        if (found := by_trial.get(_trial(trial))) is not None:
            yield mark_measured(found, trial)


def _finding(finding: Mapping[str, Any]) -> dict[str, Any]:
    ends = {
        f"{name}_{end}": bound
        for name in ("ci95", "ratio_ci95")
        for end, bound in zip(("low", "high"), finding.get(name) or (None, None), strict=True)
    }
    return {**finding, **ends, "reasons": ", ".join(finding.get("reasons") or ())}

"""What is kept of the recorded run's raw data: enough to compute every figure of the README again.

Of the four contenders every level, with the CPU time of their processes; of the other cells, which the shares of the
gap are computed from, one user and the level with their highest rate. The rest would be a hundred megabytes.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmark.analysis.level_figures import LOW_USERS
from benchmark.record import packed
from benchmark.record.run import Run, TrialRecord


def keep(run: Run, target: Path) -> None:
    """Keep in a folder what the figures of the README are computed from. Takes a run of `explain`."""
    contenders = [cell["label"] for cell in run.summary["cells"] if cell["contender"]]
    packed.pack(run, list(_kept(run, contenders)), target, used=contenders)


def _kept(run: Run, contenders: list[str]) -> Iterator[TrialRecord]:
    peaks = {cell["label"]: cell["peak_rps"] for cell in run.summary["cells"]}
    for trial in run.cells():
        if trial.contender in contenders:
            yield trial
        elif trial.contender in peaks:
            peak = peaks[trial.contender]
            levels = {LOW_USERS, peak["users"] if peak else LOW_USERS}
            yield replace(trial, windows=[window for window in trial.windows if window.users in levels])

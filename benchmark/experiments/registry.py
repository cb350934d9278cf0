"""All experiments, in reading order. A new experiment is a folder and a row here."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmark.errors import RecordError

if TYPE_CHECKING:
    from benchmark.experiments.experiment import Experiment


@dataclass(frozen=True)
class ExperimentRow:
    """A command and its package: `command.py` holds the options and examples, `experiment.py` the rest."""

    name: str
    package: str

    @property
    def command(self) -> Callable[..., None]:
        """The function behind the command line. It imports nothing heavy, so that `--help` is fast."""
        command: Callable[..., None] = importlib.import_module(f"{self.package}.command").command
        return command

    @property
    def examples(self) -> str:
        """The examples at the end of the command's `--help`, from EXAMPLES in its `command.py`."""
        return getattr(importlib.import_module(f"{self.package}.command"), "EXAMPLES", "")

    @property
    def experiment(self) -> "Experiment[Any]":
        experiment: Experiment[Any] = importlib.import_module(f"{self.package}.experiment").EXPERIMENT
        return experiment


REGISTRY = [
    ExperimentRow("bench", "benchmark.experiments.bench"),
    ExperimentRow("profile", "benchmark.experiments.profiling"),
    ExperimentRow("timeit", "benchmark.experiments.timeit"),
    ExperimentRow("locust", "benchmark.experiments.breaking_point"),
    ExperimentRow("explain", "benchmark.experiments.gap"),
    ExperimentRow("promise", "benchmark.experiments.promise"),
    ExperimentRow("selftest", "benchmark.experiments.selftest"),
    ExperimentRow("capacity", "benchmark.experiments.capacity"),
    ExperimentRow("plan", "benchmark.experiments.sizing"),
    ExperimentRow("strategies", "benchmark.experiments.strategies"),
    ExperimentRow("under-fire", "benchmark.experiments.under_fire"),
    ExperimentRow("versus", "benchmark.experiments.versus"),
    ExperimentRow("gate", "benchmark.experiments.gate"),
]


def experiment_of(command: str) -> "Experiment[Any]":
    """Return the experiment of a command. Raises RecordError for an unknown one."""
    for row in REGISTRY:
        if row.name == command:
            return row.experiment
    raise RecordError(f"the run's command is {command!r}, expected one of {', '.join(row.name for row in REGISTRY)}")

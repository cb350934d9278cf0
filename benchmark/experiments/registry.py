"""All experiments, in the order in which a reader meets them. A new one is a folder and a row."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmark.errors import RecordError

if TYPE_CHECKING:
    from benchmark.experiments.experiment import Experiment


@dataclass(frozen=True)
class ExperimentRow:
    """A command, and the package that carries it out: `command.py` holds the options, `experiment.py` the rest."""

    name: str
    package: str

    @property
    def command(self) -> Callable[..., None]:
        """The function behind the command line. Light: nothing is imported that `--help` does not need."""
        command: Callable[..., None] = importlib.import_module(f"{self.package}.command").command
        return command

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
]


def experiment_of(command: str) -> "Experiment[Any]":
    """Return the experiment that recorded a run. Raises RecordError for a command that is none."""
    for row in REGISTRY:
        if row.name == command:
            return row.experiment
    raise RecordError(f"the run is one of {command!r}, expected one of {', '.join(row.name for row in REGISTRY)}")

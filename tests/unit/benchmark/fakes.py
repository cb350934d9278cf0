"""Measuring without processes: sessions, trials, blocks and experiments are real, what they would start is not."""

import contextlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from benchmark.contenders.discovery import Contender
from benchmark.experiments import experiment
from benchmark.load.plan import LoadPlan
from benchmark.measure import levels, session
from benchmark.measure.progress import Progress
from benchmark.measure.session import Session
from benchmark.measure.trial import Trial
from benchmark.record import provenance
from benchmark.record.run import Run
from tests.unit.benchmark.synthetic import Held, write_files

Measure = Callable[[Trial, LoadPlan], None]


def measuring(latency_ms: float, errors: int = 0) -> Measure:
    """Return a way to measure which records that every answer took so long, and how many failed, at every level."""

    def measure(trial: Trial, load: LoadPlan) -> None:
        held = [Held(level.users, latency_ms, errors=errors) for level in (*load.levels, *load.climb)]
        write_files(trial.session.run, trial.cell, *held)

    return measure


measure_well = measuring(50)


def measure_nothing(trial: Trial, load: LoadPlan) -> None:
    pass


def failing(label: str, error: BaseException, block: int = 0, measure: Measure = measure_well) -> Measure:
    """Return a way to measure in which one cell raises, and all others are measured."""

    def measure_or_fail(trial: Trial, load: LoadPlan) -> None:
        if (trial.cell.contender, trial.cell.block) == (label, block):
            raise error
        measure(trial, load)

    return measure_or_fail


def nothing(_: Any) -> None:
    pass


def refusing(label: str, error: BaseException) -> Callable[[Contender], None]:
    """Return what raises for one contender: in place of its start, or of its parity."""

    def refuse(contender: Contender) -> None:
        if contender.label == label:
            raise error

    return refuse


@dataclass
class FakeStack:
    """What stands for every contender's processes, for its parity and for the load generator; remembers all of it."""

    measure: Measure = measure_well  # in place of the load generator
    start: Callable[[Contender], None] = nothing  # may raise, as services that do not start
    parity: Callable[[Contender], None] = nothing  # may raise, as a contender that answers otherwise
    started: list[Contender] = field(default_factory=list)  # with all settings that they would have run with
    stopped: list[str] = field(default_factory=list)  # labels
    checked: list[str] = field(default_factory=list)  # labels whose parity was asked
    measured: list[tuple[int, str]] = field(default_factory=list)  # (block, label)
    loads: dict[str, LoadPlan] = field(default_factory=dict)  # by label, the last
    contenders: dict[str, Contender] = field(default_factory=dict)  # the same

    @contextlib.contextmanager
    def running(self, contender: Contender, *_: Any) -> Iterator[SimpleNamespace]:
        self.started.append(contender)
        self.start(contender)
        try:
            yield SimpleNamespace(
                contender=contender,
                base_url=f"http://{contender.name}.invalid",
                receiver_url="",
                processes=(),
                check_alive=lambda: None,
                port=lambda role: 1,
            )
        finally:
            self.stopped.append(contender.label)

    def check_parity(self, stack: SimpleNamespace) -> None:
        self.checked.append(stack.contender.label)
        self.parity(stack.contender)

    @contextlib.contextmanager
    def generator(
        self, _: Session, __: Contender, load: levels.Levels, ___: Any
    ) -> Iterator[Callable[[Trial], SimpleNamespace]]:
        yield lambda trial: SimpleNamespace(pid=0, returncode=0, plan=levels._plan(trial, load))

    def follow(
        self,
        generator: SimpleNamespace,
        trial: Trial,
        _: Any,
        on_event: levels.OnEvent = lambda *_: None,
    ) -> None:
        label = trial.cell.contender
        self.measured.append((trial.cell.block, label))
        self.loads[label], self.contenders[label] = generator.plan, trial.contender
        self.measure(trial, generator.plan)
        for _load in generator.plan.loads:
            for event in ("measuring", "tick", "window", "waiting"):
                on_event(trial, event)

    @property
    def started_labels(self) -> list[str]:
        return [contender.label for contender in self.started]


@contextlib.contextmanager
def _unwatched(*_: Any) -> Iterator[SimpleNamespace]:
    yield SimpleNamespace(sample_soon=lambda: None)


def fake_stack(patch: pytest.MonkeyPatch, measure: Measure = measure_well) -> FakeStack:
    """Let nothing be started any more, and `measure` record what comes of every cell."""
    fake = FakeStack(measure)
    patch.setattr(session, "running_stack", fake.running)
    patch.setattr(session, "check_parity_of", fake.check_parity)
    patch.setattr(Trial, "resources", _unwatched)
    patch.setattr(levels, "_generator", fake.generator)
    patch.setattr(levels, "_follow", fake.follow)
    patch.setattr(experiment, "Guard", lambda: SimpleNamespace(close=lambda: None))
    patch.setattr(provenance, "busy_share", lambda: 0.01)
    patch.setattr(experiment, "refuse_taken_by_others", nothing)
    return fake


def make_session(run: Run, **changes: Any) -> Session:
    """Return a session of a run that is watched by nobody."""
    anybody: Any = None
    return Session(run, anybody, make_progress(), **changes)


def make_progress(output: io.StringIO | None = None) -> Progress:
    return Progress(Console(file=output or io.StringIO()))

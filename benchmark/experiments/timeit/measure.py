"""`timeit`: every contender in fresh processes for each repeat, all beside each other, asked in random order."""

import os
import time
import timeit
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field

from rich.markup import escape

from benchmark.errors import BenchmarkError, LoadError, StackError
from benchmark.experiments.experiment import Assignment
from benchmark.experiments.timeit.client import PersistentClient
from benchmark.experiments.timeit.plan import LONG_S, TimeitPlan
from benchmark.experiments.timeit.repeats import RepeatsFile
from benchmark.experiments.timeit.summarise import WATCHED
from benchmark.load.scenario_requests import ask_contender
from benchmark.measure.machine_load import Watch
from benchmark.measure.session import Session
from benchmark.measure.trial import ParityError, Trial
from benchmark.record.run import TrialRecord
from benchmark.stack.processes import log_tail

_LAST_WORDS_S = 0.3  # that a process which has just lost its sockets may take to be gone
EVERYBODY = "all contenders"


@dataclass
class _Timing:
    """A run that goes on, and who has dropped out."""

    session: Session
    assignment: Assignment[TimeitPlan]
    file: RepeatsFile
    lost: set[str] = field(default_factory=set)  # labels of which nothing further is timed

    def lose(self, label: str, error: BenchmarkError) -> None:
        self.lost.add(label)
        # A log may hold what looks like the console's markup.
        self.session.progress.say(escape(f"{label} drops out, the others go on: {error}"))


@dataclass(frozen=True)
class _Ready:
    """A contender that waits to be asked."""

    trial: Trial
    client: PersistentClient


def measure(session: Session, assignment: Assignment[TimeitPlan]) -> None:
    """Time every number of calls with every contender in every repeat. Raises RecordError."""
    if assignment.trials * assignment.trial_s > LONG_S:
        session.progress.say(
            "That is long: Ctrl-C reports what was measured by then, `--scale 0.1` takes under three minutes."
        )
    timing = _Timing(session, assignment, RepeatsFile(session.run.path))
    for repeat in range(assignment.plan.repeats):
        if len(timing.lost) == len(assignment.contenders):
            break
        _measure_repeat(timing, repeat)
        session.progress.cell_done(TrialRecord(repeat, EVERYBODY, seed=session.seed))


def _measure_repeat(timing: _Timing, repeat: int) -> None:
    """Time every number of calls with every contender once."""
    watches: dict[str, Watch] = {}  # by label, all timings of this repeat together: some are shorter than a tick
    try:
        with ExitStack() as started:
            ready = _start_all(timing, started, repeat)
            watches.update({label: Watch(os.getpid()) for label in ready})
            for n, label in timing.assignment.plan.pairs(repeat, [c.label for c in timing.assignment.contenders]):
                if label not in timing.lost:
                    _time_one(timing, ready[label], watches[label], repeat, n)
    finally:
        for label, watch in watches.items():
            row = {"repeat": repeat, "contender": label, **asdict(watch.disturbance)}
            timing.session.run.append_line(WATCHED, row)


def _start_all(timing: _Timing, started: ExitStack, repeat: int) -> dict[str, _Ready]:
    """Start contenders that `started` will stop, and return those that are ready by label."""
    ready = {}
    for contender in timing.assignment.contenders:
        if contender.label in timing.lost:
            continue
        try:
            trial = started.enter_context(timing.session.trial(contender, repeat))
        except (StackError, ParityError) as error:
            timing.lose(contender.label, error)
        else:
            asked = ask_contender(trial.contender, trial.law, trial.cell.seed, receiver=trial.stack.receiver_url)
            client = PersistentClient(trial.stack.base_url, asked)
            ready[contender.label] = _Ready(trial, started.enter_context(closing(client)))
    return ready


def _time_one(timing: _Timing, ready: _Ready, watch: Watch, repeat: int, n: int) -> None:
    label = ready.trial.cell.contender
    ready.trial.phase(f"{n} calls")
    try:
        with watch:
            seconds = _time(ready, n)
        timing.file.append(repeat, n, label, seconds)
    except (StackError, LoadError) as error:
        ready.trial.fail(error)
        timing.lose(label, error)


def _time(ready: _Ready, n: int) -> float:
    """Return the seconds of n calls. Raises BenchmarkError, with the end of a log, if one of them failed."""
    stack = ready.trial.stack
    try:
        ready.client.wake()
        seconds = timeit.Timer(ready.client.call).repeat(repeat=1, number=n)[0]
        ready.client.check()
    except LoadError as error:
        time.sleep(_LAST_WORDS_S)
        stack.check_alive()
        log = next(running.log for running in stack.processes if running.role == "scoring")
        raise LoadError(f"{error}; the log of scoring ends:\n{log_tail(log)}") from error
    stack.check_alive()  # a worker may go on answering for a while without the process that was started
    return seconds

"""A trial under load: a separate load generator process applies one load after the other."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from benchmark.contenders.answer_law import scoring_settings
from benchmark.contenders.discovery import Contender
from benchmark.errors import LoadError
from benchmark.load.checks import Expected
from benchmark.load.plan import Arrivals, Level, Load, LoadPlan, Waves
from benchmark.measure.session import Session
from benchmark.measure.trial import Trial
from benchmark.record.columns import GENERATOR_ROLE
from benchmark.record.run import TrialRecord, Window, samples_suffix
from benchmark.scenarios.discovery import scenario_of
from benchmark.stack.processes import log_tail, own_environment, start_process, stop_processes

_HELPERS_PATIENCE_S: Final = 60.0  # after the first generator has ended


@dataclass(frozen=True)
class Levels:
    """The loads of a trial: closed-loop levels in ascending order, then `climb` levels for as long as the rate still
    grows, then further `loads`. Where one generator would be saturated, several share the arrivals of `loads`."""

    levels: tuple[Level, ...]
    climb: tuple[Level, ...] = ()
    stage_clock: bool = True
    loads: tuple[Load, ...] = ()
    generators: int = 1
    expected: Expected | None = None  # answers: other ones are wrong
    room: int = 0  # requests that the service lets in at once, at least; 0: as many as the loads need

    @property
    def at_once(self) -> int:
        """How many requests a closed loop or a wave has under way at most; an open loop asks for no room."""
        levels = [*self.levels, *self.climb, *(load for load in self.loads if isinstance(load, Level))]
        waves = [load.size for load in self.loads if isinstance(load, Waves)]
        return max((self.room, *(level.users for level in levels), *waves))


OnEvent = Callable[[Trial, str], None]  # called with the name of each event of the load generator


def hold(
    session: Session,
    contender: Contender,
    load: Levels,
    block: int = 0,
    part: str = "",
    on_event: OnEvent = lambda *_: None,
) -> TrialRecord:
    """Apply the loads once in a new trial. Its windows are recorded as they end.

    Raises StackError, LoadError, ParityError or RecordError; earlier measurements are on disk.
    """
    log = session.logs(TrialRecord(block, contender.label, 0, part=part)) / f"{contender.label}-{GENERATOR_ROLE}.log"
    with (
        _helpers(session, contender, load, log) as helpers,
        session.trial(
            contender,
            block,
            part,
            stage_clock=load.stage_clock,
            at_once=load.at_once,
            companion=_generator(session, contender, load, log),
        ) as trial,
    ):
        generator = trial.companion(trial)
        others = {generator_role(number): begin(trial) for number, begin in helpers.items()}
        with trial.resources({GENERATOR_ROLE: generator.pid, **{role: p.pid for role, p in others.items()}}) as sampler:
            _follow(generator, trial, sampler.sample_soon, on_event)
            _await_helpers(others.values())
        if generator.returncode or any(process.returncode for process in others.values()):
            raise LoadError(f"the load generator failed; its log ends:\n{log_tail(log)}")
    return trial.cell


def generator_role(number: int) -> str:
    """Return the role of one of several load generators, counted from 0."""
    return f"{GENERATOR_ROLE}-{number + 1}" if number else GENERATOR_ROLE


@contextlib.contextmanager
def _helpers(
    session: Session, contender: Contender, load: Levels, log: Path
) -> Iterator[dict[int, Callable[[Trial], subprocess.Popen[bytes]]]]:
    """Start the load generators besides the first, by number. They wait for nobody between their loads."""
    with contextlib.ExitStack() as opened:
        logs = {number: log.with_suffix(f".{number + 1}.log") for number in range(1, load.generators)}
        yield {
            number: opened.enter_context(_generator(session, contender, load, own_log, number))
            for number, own_log in logs.items()
        }


def _await_helpers(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):  # `_generator` ends it
            process.wait(_HELPERS_PATIENCE_S)


def _follow(
    generator: subprocess.Popen[bytes],
    trial: Trial,
    sample_soon: Callable[[], None],
    on_event: OnEvent = lambda *_: None,
) -> None:
    """Read the generator's events until it ends, and sample CPU when a window ends."""
    assert generator.stdout is not None
    for line in generator.stdout:
        event: dict[str, Any] = json.loads(line)
        if event["event"] == "window":
            sample_soon()
            trial.cell.windows.append(Window(event["users"], event["start_ns"], event["end_ns"]))
        if "users" in event:
            trial.phase(f"{event['users']} users")
        on_event(trial, event["event"])
        trial.stack.check_alive()
        if event["event"] == "waiting":
            _go_on(generator)
    generator.wait()


def _go_on(generator: subprocess.Popen[bytes]) -> None:
    """Let a waiting generator go on."""
    assert generator.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # the process died; `hold` checks its exit status
        generator.stdin.write(b"go\n")
        generator.stdin.flush()


@contextlib.contextmanager
def _generator(
    session: Session, contender: Contender, load: Levels, log: Path, number: int = 0
) -> Iterator[Callable[[Trial], subprocess.Popen[bytes]]]:
    """Start a load generator while the contender starts; the yielded function makes it begin."""
    plan_file = log.with_suffix(".plan.json")
    argv = [sys.executable, "-m", "benchmark.load.runner", str(plan_file.resolve())]
    env = {**own_environment(), **scenario_of(contender).secrets()}
    process = start_process(argv, log, session.guard, env, talking=True)

    def begin(trial: Trial) -> subprocess.Popen[bytes]:
        plan_file.write_text(json.dumps(_plan(trial, load, number).to_json()))
        _go_on(process)
        if number and process.stdin:  # nobody will tell it to go on, so it does at once
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        return process

    try:
        yield begin
    finally:
        stop_processes([process], session.guard)
        for pipe in (process.stdin, process.stdout):
            if pipe:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def _plan(trial: Trial, load: Levels, number: int = 0) -> LoadPlan:
    run, contender = trial.session.run, trial.contender
    return LoadPlan(
        url=trial.stack.base_url,
        endpoint=contender.endpoint,
        scenario=scenario_of(contender),
        seed=trial.cell.seed + number,
        stage_clock=scoring_settings(contender).stage_clock,
        levels=load.levels,
        climb=() if contender.harness_floor else load.climb,
        answer_bounds_s=trial.law.bounds_s,
        samples=run.file("samples", trial.cell, samples_suffix(number)),
        locust=run.file("locust", trial.cell, f".{number + 1}" if number else ""),
        loads=tuple(share_of(each, number, load.generators) for each in load.loads),
        receiver=trial.stack.receiver_url,
        expected=load.expected,
    )


def share_of(load: Load, number: int, generators: int) -> Load:
    """Return one generator's share of a load: Poisson arrivals of several are those of the whole rate together."""
    if generators == 1 or not isinstance(load, Arrivals):
        return load
    later = tuple((from_s, rate_rps / generators) for from_s, rate_rps in load.later)
    return replace(load, rate_rps=load.rate_rps / generators, seed=load.seed * generators + number, later=later)

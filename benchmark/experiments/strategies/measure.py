"""Puts every contender of the strategies under its loads, in fresh processes, and keeps what the services say."""

import contextlib
import http.client
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from typing import Any, Final, NoReturn

import psutil

from benchmark.contenders.discovery import Contender
from benchmark.errors import BenchmarkError, LoadError, RecordError
from benchmark.experiments.experiment import Assignment
from benchmark.experiments.strategies.law import Computation, Kill, Strategy
from benchmark.experiments.strategies.plan import Job, StrategiesPlan
from benchmark.measure.levels import Levels, hold
from benchmark.measure.sampling import processes_of
from benchmark.measure.session import Session
from benchmark.measure.trial import Trial
from benchmark.record.run import TrialRecord
from benchmark.stack.processes import log_tail, own_environment, start_process, stop_processes
from benchmark.stack.uninterrupted import temporary_folder

STATISTICS: Final = "statistics.jsonl"  # what services and computations said, a line each
STATISTICS_PATH: Final = "/api/v1/stats"
NOT_THE_STRATEGY: Final = ("redis", "model")  # roles of which neither CPU nor memory counts
_PATIENCE_S: Final = 20.0
_ROOM: Final = 1024  # requests that a service lets in: the laws are about queues, which a refusal would cut off
_NO_KILL: Final = Kill(0)


def measure(session: Session, assignment: Assignment[StrategiesPlan]) -> None:
    """Carry out all jobs of all blocks; one that fails is recorded, the others go on. Raises RecordError."""
    plan = assignment.plan
    contenders = {contender.label: contender for contender in assignment.contenders}
    for block in range(plan.blocks):
        for job in plan.order(block):
            strategy = plan.strategies[job.strategy]
            if job.subject in strategy.computations:
                cell = _compute(session, job, strategy.computations[job.subject], block)
            else:
                cell = _load(session, contenders[job.subject], job, strategy, block)
            session.progress.cell_done(cell, plan.job_s(job))


def _load(session: Session, contender: Contender, job: Job, strategy: Strategy, block: int) -> TrialRecord:
    """Put a contender under all its loads."""
    names = strategy.loads_of(job.subject)
    watcher = _Watcher(job, names, strategy)
    loads = Levels((), loads=tuple(strategy.loads[name] for name in names), room=_ROOM)
    try:
        hold(session, contender, loads, block, job.strategy, watcher)
    except RecordError:
        raise
    except BenchmarkError:
        pass  # the trial is recorded as failed
    return session.cells[-1]


class _Watcher:
    """Follows the load generator: reads the service's statistics at both ends of each window, and kills helpers.

    Under a load that is watched it also reads them twice a second in between.
    """

    def __init__(self, job: Job, loads: list[str], strategy: Strategy) -> None:
        self._job, self._loads, self._strategy = job, iter(loads), strategy
        self._load, self._kill = "", _NO_KILL
        self._is_watched = False
        self._killed, self._due_s = 0, 0.0

    def __call__(self, trial: Trial, event: str) -> None:
        match event:
            case "measuring":
                self._load = next(self._loads)
                self._killed = 0
                self._write(trial, "before", _statistics(trial))
                self._is_watched = self._load in self._strategy.watched
                self._kill = self._strategy.kills.get(self._load, _NO_KILL)
                self._due_s = time.monotonic() + self._kill.every_s
            case "window":
                self._kill, self._is_watched = _NO_KILL, False
                said = _statistics(trial)  # at once: the memory takes longer to read
                self._write(trial, "after", said, pss_mb=_pss_mb(trial), killed=self._killed)
            case "tick":
                if self._is_watched:
                    self._write(trial, "during", _statistics(trial), t_ns=time.monotonic_ns())
                if self._killed < self._kill.times and time.monotonic() >= self._due_s:
                    self._kill_one(trial)

    def _kill_one(self, trial: Trial) -> None:
        """Kill one of the helper processes, each in turn."""
        own = [process for process in _helpers(trial, self._kill) if _lives(process)]
        if own:
            with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended by itself
                own[self._killed % len(own)].kill()
                self._killed += 1
        self._due_s += self._kill.every_s

    def _write(self, trial: Trial, when: str, said: Mapping[str, Any], **more: Any) -> None:
        row = {"block": trial.cell.block, **self._job._asdict(), "load": self._load, "when": when, **more}
        trial.session.run.append_line(STATISTICS, {**row, "said": said})


def _helpers(trial: Trial, kill: Kill) -> list[psutil.Process]:
    """Return the processes that may be killed: those below a role, or those that the service names and has started."""
    if kill.role:
        roots = [running.pid for running in trial.stack.processes if running.role == kill.role]
        return [process for root in roots for process in _below(root, kill.depth)]
    helpers = {each.pid: each for running in trial.stack.processes for each in processes_of(running.pid)[1:]}
    return [helpers[pid] for pid in _statistics(trial).get("pids") or [] if pid in helpers]


def _below(root: int, depth: int) -> list[psutil.Process]:
    """Return the processes so many generations below one, or all of them at depth 0."""
    if not depth:
        return processes_of(root)[1:]
    generation = processes_of(root)[:1]
    for _ in range(depth):
        generation = [child for process in generation for child in _children(process)]
    return generation


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children()
    except psutil.NoSuchProcess:
        return []


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _statistics(trial: Trial) -> dict[str, Any]:
    """Return what the service says of itself; nothing if it has no statistics, or does not answer."""
    try:
        with urllib.request.urlopen(trial.stack.base_url + STATISTICS_PATH, timeout=_PATIENCE_S) as response:
            return _json_object(response.read())
    except (http.client.HTTPException, OSError, ValueError):
        return {}


def _json_object(text: bytes) -> dict[str, Any]:
    """Return a JSON object of finite numbers, which a record can hold. Raises ValueError."""
    document: object = json.loads(text, parse_constant=_refuse)
    if not isinstance(document, dict):
        raise ValueError(f"{document!r:.80} is not an object")
    return document


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _pss_mb(trial: Trial) -> float | None:
    """Return the memory of the strategy's processes, pages that several share counted in proportion."""
    total_bytes = 0
    try:
        for running in trial.stack.processes:
            if running.role not in NOT_THE_STRATEGY:
                total_bytes += sum(process.memory_full_info().pss for process in processes_of(running.pid))
    except (psutil.Error, AttributeError):  # a process has just ended, or the system does not know
        return None
    return total_bytes / 1e6


def _compute(session: Session, job: Job, computation: Computation, block: int) -> TrialRecord:
    """Run a computation in a fresh process and keep the JSON object that it prints."""
    cell = TrialRecord(block, job.subject, session.seed * 1000 + block, part=job.strategy)
    session.progress.phase(job.subject, "compute")
    try:
        said = _run(session, cell, computation)
        row = {"block": block, **job._asdict(), "load": "", "when": "after", "said": said}
        session.run.append_line(STATISTICS, row)
    except RecordError:
        raise
    except BenchmarkError as error:
        cell.status, cell.code, cell.reason = "failed", error.code, str(error)
    session.cells.append(cell)
    session.run.append_cell(cell)
    return cell


def _run(session: Session, cell: TrialRecord, computation: Computation) -> dict[str, Any]:
    log = session.logs(cell) / f"{cell.contender}.log"
    argv = [sys.executable, "-m", computation.module, *computation.args]
    # The folder is the harness's, since what is stopped in the middle cannot be trusted to clean up.
    with temporary_folder() as folder:
        env = {**own_environment(), "TMPDIR": str(folder)}
        with start_process(argv, log, session.guard, env, talking=True) as process:
            try:
                output, _ = process.communicate(timeout=computation.timeout_s)
                if process.returncode:
                    raise LoadError(f"{computation.module} failed; its log ends:\n{log_tail(log)}")
                return _json_object(output)
            except subprocess.TimeoutExpired:
                raise LoadError(f"{computation.module} took longer than {computation.timeout_s:g} s") from None
            except ValueError as error:
                raise LoadError(f"{computation.module} printed no JSON object: {error}") from error
            finally:
                stop_processes([process], session.guard)

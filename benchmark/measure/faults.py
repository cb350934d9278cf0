"""Faults: planned events of a trial, during which something that the contender needs is killed, stopped or spoilt.

A fault is recorded with its true start and end, and leaves the rest of the trial VALID. Processes that are started
again belong to the trial from then on; what began them stops them.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import psutil

from benchmark.contenders.discovery import Contender, Process
from benchmark.contenders.variant import with_settings
from benchmark.errors import StackError
from benchmark.measure import fault_proxy
from benchmark.measure.sampling import processes_of
from benchmark.measure.session import Session
from benchmark.measure.trial import Trial
from benchmark.stack.processes import HOST, Running, Stack, await_ready, start_role
from feature_store.keys import META_KEY

FAULTS: Final = "faults.jsonl"  # a line for each fault that was inflicted
Kind = Literal["kill", "stop", "end", "kill-worker", "proxy"]
_ENDS_WITHIN_S: Final = 40.0  # after SIGTERM; a drain takes 30 s at most by default
_LEFT_AFTER_S: Final = 1.0  # for which processes may outlive the one that has started them
_PATIENCE_S: Final = 15.0  # for a worker to be replaced, for a store to be filled
_POLL_S: Final = 0.02


@dataclass(frozen=True)
class Fault:
    """What happens to the processes of a role, and for how many seconds.

    kill         SIGKILL to all of them, and started again so much later
    stop         SIGSTOP, and SIGCONT so much later
    end          SIGTERM, and started again as soon as the role has ended
    kill-worker  SIGKILL to one of its workers, which it replaces by itself
    proxy        what stands before the role spoils answers: see benchmark.measure.fault_proxy for the modes
    """

    kind: Kind
    role: str
    seconds: float = 0.0
    mode: str = ""  # of the proxy
    ms: float = 0.0  # of the proxy


@dataclass
class Inflicted:
    """A fault as it was: when it began and was over, on the monotonic clock, and what it left behind."""

    start_ns: int = 0
    end_ns: int = 0
    orphans: int = 0  # processes that were left behind by what had ended


@dataclass
class Inflictor:
    """Inflicts faults on one trial; at its end, stops what was started again, and counts what lives all the same."""

    session: Session
    orphans: int = 0
    _started: list[Running] = field(default_factory=list)
    _groups: set[int] = field(default_factory=set)  # sessions of processes that were started for the trial

    def __enter__(self) -> "Inflictor":
        return self

    def __exit__(self, *_: object) -> None:
        self.session.launcher.stop(self._started, self.session.guard)
        self.orphans = len(list(_living(self._groups)))

    def inflict(self, trial: Trial, fault: Fault) -> Inflicted:
        """Inflict a fault now and return when it is over. Raises StackError if what is started again does not come."""
        self._groups |= {running.pid for running in trial.stack.processes}
        done = Inflicted(start_ns=time.monotonic_ns())
        _KINDS[fault.kind](self, trial, fault, done)
        done.end_ns = done.end_ns or time.monotonic_ns()
        return done

    def start_again(self, trial: Trial, gone: Running) -> None:
        """Start a role of the contender again, on the same port, and wait until it is ready."""
        ports = {running.role: running.port for running in trial.stack.processes}
        rest = tuple(running for running in trial.stack.processes if running.role != gone.role)
        process = _process(trial.contender, gone.role)
        logs, guard = self.session.logs(trial.cell), self.session.guard
        again = start_role(trial.contender, process, ports, logs, guard, None, self.session.launcher)
        self._started.append(again)
        self._groups.add(again.pid)
        if trial.sampler:
            trial.sampler.follow(gone.role, again.pid)
        trial.stack = replace(trial.stack, processes=(*rest, again))
        await_ready(Stack(trial.contender, (again,)))
        if gone.role == "redis":
            _await_seeded(again.port)


def behind_proxy(contender: Contender, role: str) -> Contender:
    """Return a contender whose scoring handler reaches a role through a proxy: one more process."""
    behind = _process(contender, role)
    name = f"{role}-proxy"
    # A model law is read from whom the handler asks, so the proxy bears the settings of the model.
    proxy = Process(
        role=name,
        module="benchmark.measure.fault_proxy",
        args=("{port}", f"{{{role}}}"),
        port=behind.port + 10_000,
        env={variable: value for variable, value in behind.env.items() if variable != "SERVING_PORT"},
        ready="tcp",
    )
    scoring = _process(contender, "scoring")
    through = {variable: value.replace(f"{{{role}}}", f"{{{name}}}") for variable, value in scoring.env.items()}
    changed = with_settings(contender, {"scoring": through})
    before = [each for each in changed.process if each.role != "scoring"]
    after = [each for each in changed.process if each.role == "scoring"]
    return changed.model_copy(update={"process": (*before, proxy, *after)})


def kill_tree(pid: int) -> None:
    """Kill a process and its descendants. It is stopped first, lest it replace a worker that it sees die."""
    for root in processes_of(pid)[:1]:
        _signal(root, signal.SIGSTOP)
    for process in processes_of(pid):
        _signal(process, signal.SIGKILL)


def _kill(inflictor: Inflictor, trial: Trial, fault: Fault, _: Inflicted) -> None:
    gone = _running(trial, fault.role)
    due_s = time.monotonic() + fault.seconds
    kill_tree(gone.pid)
    gone.popen.wait()
    _sleep_until(due_s)
    inflictor.start_again(trial, gone)


def _stop(_: Inflictor, trial: Trial, fault: Fault, __: Inflicted) -> None:
    due_s = time.monotonic() + fault.seconds
    tree = processes_of(_running(trial, fault.role).pid)
    try:
        for process in tree:
            _signal(process, signal.SIGSTOP)
        _sleep_until(due_s)
    finally:
        for process in tree:
            _signal(process, signal.SIGCONT)


def _end(inflictor: Inflictor, trial: Trial, fault: Fault, done: Inflicted) -> None:
    gone = _running(trial, fault.role)
    gone.popen.terminate()
    try:
        gone.popen.wait(_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        raise StackError(
            f"{fault.role} of {trial.contender.name} still runs {_ENDS_WITHIN_S:g} s after SIGTERM"
        ) from None
    until_s = time.monotonic() + _LEFT_AFTER_S
    while (left := list(_living({gone.pid}))) and time.monotonic() < until_s:
        time.sleep(_POLL_S)
    done.orphans = len(left)
    for process in left:
        _signal(process, signal.SIGKILL)
    inflictor.start_again(trial, gone)


def _kill_worker(_: Inflictor, trial: Trial, fault: Fault, __: Inflicted) -> None:
    root = _running(trial, fault.role).pid
    before = _workers(root)
    if not before:
        raise StackError(f"{fault.role} of {trial.contender.name} has no worker process that could be killed")
    _signal(before[0], signal.SIGKILL)
    known, until_s = {process.pid for process in before}, time.monotonic() + _PATIENCE_S
    while not {process.pid for process in _workers(root)} - known:
        if time.monotonic() > until_s:
            raise StackError(f"{fault.role} of {trial.contender.name} has not replaced its worker")
        time.sleep(_POLL_S)


def _spoil(_: Inflictor, trial: Trial, fault: Fault, __: Inflicted) -> None:
    port = trial.stack.port(f"{fault.role}-proxy")
    due_s = time.monotonic() + fault.seconds
    try:
        fault_proxy.command(port, fault.mode, fault.ms)
        _sleep_until(due_s)
        fault_proxy.command(port, "pass")
    except OSError as error:
        raise StackError(f"the proxy before {fault.role} does not answer: {error}") from error


_KINDS: Final[Mapping[Kind, Callable[[Inflictor, Trial, Fault, Inflicted], None]]] = {
    "kill": _kill,
    "stop": _stop,
    "end": _end,
    "kill-worker": _kill_worker,
    "proxy": _spoil,
}


def _running(trial: Trial, role: str) -> Running:
    return next(running for running in trial.stack.processes if running.role == role)


def _process(contender: Contender, role: str) -> Process:
    found = [process for process in contender.process if process.role == role]
    if not found:
        raise StackError(f"{contender.name} has no process of the role {role!r}, so nothing can happen to it")
    return found[0]


def _workers(root: int) -> Sequence[psutil.Process]:
    """Return the workers of a server, the largest first: Python starts a small process of its own beside them."""
    sized: list[tuple[int, psutil.Process]] = []
    for process in processes_of(root)[1:]:
        with contextlib.suppress(psutil.Error):
            if not any("resource_tracker" in argument for argument in process.cmdline()):
                sized.append((process.memory_info().rss, process))
    return [process for _, process in sorted(sized, key=lambda each: -each[0])]


def _living(groups: Iterable[int]) -> Iterator[psutil.Process]:
    """Yield the processes that live in these sessions, each of which began with a process that was started."""
    wanted = set(groups)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError, PermissionError):
            if os.getsid(process.pid) in wanted and process.status() != psutil.STATUS_ZOMBIE:
                yield process


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _sleep_until(due_s: float) -> None:
    time.sleep(max(due_s - time.monotonic(), 0))


def _await_seeded(port: int) -> None:
    import redis  # noqa: PLC0415 - takes a while to load, and only a fault of the store needs it

    until_s = time.monotonic() + _PATIENCE_S
    with redis.Redis(host=HOST, port=port) as client:
        while time.monotonic() < until_s:
            with contextlib.suppress(redis.RedisError):
                if client.exists(META_KEY):
                    return
            time.sleep(_POLL_S)
    raise StackError("the store was started again, and not filled")

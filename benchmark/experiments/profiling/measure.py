"""`profile`: each contender under load, with and without the sampler, and call by call under every profiler."""

import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmark.contenders.discovery import Contender
from benchmark.errors import BenchmarkError, LoadError, RecordError, StackError
from benchmark.experiments.experiment import Assignment
from benchmark.experiments.profiling import export
from benchmark.experiments.profiling.calls import CallPlan
from benchmark.experiments.profiling.libraries import kind_of
from benchmark.experiments.profiling.plan import ProfilePlan
from benchmark.experiments.profiling.recorders import CPU_SAMPLER, GO, STACKS_SUFFIX
from benchmark.experiments.profiling.stacks import Growth, count_shares, fold
from benchmark.experiments.profiling.summarise import CALLS, PLAIN, SAMPLED, SHARES, CallsRow
from benchmark.experiments.profiling.under_profiler import under_profiler
from benchmark.measure.levels import Levels, hold
from benchmark.measure.session import Session
from benchmark.measure.trial import Trial
from benchmark.record.run import Run, TrialRecord
from benchmark.scenarios.discovery import scenario_of
from benchmark.stack.processes import log_tail, own_environment, start_process, stop_processes

PROFILED_ROLES: Final = ("scoring", "model")
SAMPLED_ROLES: Final = ("scoring",)
# Of five attempts at threads, two ended in a crash: six leave one failure in a hundred or two.
SAMPLING_ATTEMPTS: Final = 6


def measure(session: Session, assignment: Assignment[ProfilePlan]) -> None:
    """Profile every contender; one that fails is left, the others go on. Raises RecordError."""
    for contender in assignment.contenders:
        try:
            _profile_one(session, assignment.plan, contender)
        except RecordError:
            raise
        except BenchmarkError:
            pass  # it is in the record
        finally:
            _tidy_up(profiles_of(session.run, contender.label))
        session.progress.cell_done(session.cells[-1])


def _profile_one(session: Session, plan: ProfilePlan, contender: Contender) -> None:
    if "server" in plan.sides:
        hold(session, contender, Levels(plan.levels()), PLAIN)
        _hold_sampled(session, plan, contender)
    _call_without(session, plan, contender)
    if "server" in plan.sides:
        for profiler in plan.runs:
            _call_profiled_services(session, plan, contender, profiler)


def _tidy_up(folder: Path) -> None:
    """Turn what the profilers wrote into what people open."""
    (folder / GO).unlink(missing_ok=True)
    export.export_sessions(folder)


def profiles_of(run: Run, label: str) -> Path:
    """Return the folder of a contender's profiles."""
    folder = run.path.resolve() / "profiles" / label  # services run in a directory of their own
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _hold_sampled(session: Session, plan: ProfilePlan, contender: Contender) -> None:
    """Hold the levels under the CPU sampler, and record the shares of the libraries.

    An interruption may meet the interpreter between two instructions that belong together, and reading
    the stack then ends the process: about once in a thousand stacks. Such an attempt does not count,
    nor does one in which a request failed, and it is made again.
    """
    for attempt in range(SAMPLING_ATTEMPTS):
        folder, is_last = profiles_of(session.run, contender.label), attempt + 1 == SAMPLING_ATTEMPTS
        sampled = under_profiler(contender, CPU_SAMPLER, SAMPLED_ROLES, folder)
        try:
            with Growth(folder) as growth:
                cell = hold(session, sampled, Levels(plan.levels(sampled=True)), SAMPLED + attempt)
        except (StackError, LoadError):
            if is_last:
                raise
        else:
            if is_last or session.run.cell_samples(cell)["ok"].all():
                _record_shares(session.run, contender, cell, growth)
                return
        finally:
            for raw in folder.glob(f"*{STACKS_SUFFIX}"):  # some 5 KB per stack; the folded form holds the same
                raw.unlink()
        session.progress.say(f"{contender.label}: the sampler ended its process or failed a request; measured again")


def _record_shares(run: Run, contender: Contender, cell: TrialRecord, growth: Growth) -> None:
    folder = profiles_of(run, contender.label)
    for window in cell.windows:
        stacks = list(growth.stacks_between(window.start_ns, window.end_ns))
        (folder / f"scoring-{CPU_SAMPLER}-{window.users}-users.folded").write_text(fold(stacks))
        rows = [
            (contender.label, window.users, share.library, kind_of(share.library), share.stage, share.samples)
            for share in count_shares(stacks)
        ]
        _append_csv(run.path / SHARES.file, SHARES.columns, rows)


def _call_without(session: Session, plan: ProfilePlan, contender: Contender) -> None:
    """Call services that are not profiled: without any profiler, and with the client under each."""
    with session.trial(contender, part="calls") as trial:
        _call(trial, plan, side="", profiler=None)
        if "client" in plan.sides:
            for profiler in plan.runs:
                _call(trial, plan, side="client", profiler=profiler)


def _call_profiled_services(session: Session, plan: ProfilePlan, contender: Contender, profiler: str) -> None:
    """Call services of which the scoring handler and the model are under a profiler."""
    folder = profiles_of(session.run, contender.label)
    profiled = under_profiler(contender, profiler, PROFILED_ROLES, folder)
    (folder / GO).unlink(missing_ok=True)
    with session.trial(profiled, part=f"calls-{profiler}") as trial:
        _call(trial, plan, side="server", profiler=profiler)


def _call(trial: Trial, plan: ProfilePlan, side: str, profiler: str | None) -> None:
    """Make the calls in a process of their own, and record what they took. Raises StackError or LoadError."""
    trial.phase(f"{side or 'no profiler'} {profiler or ''}")
    run, label = trial.session.run, trial.cell.contender
    calls = CallPlan(
        url=trial.stack.base_url,
        endpoint=trial.contender.endpoint,
        scenario=scenario_of(trial.contender),
        warmup=plan.warmup_calls,
        requests=plan.requests,
        seed=trial.cell.seed,
        answer_bounds_s=trial.law.bounds_s,
        least_times_answer=trial.law.least_times_answer,
        pids={running.role: running.pid for running in trial.stack.processes},
        folder=str(profiles_of(run, label)),
        profiler=profiler if side == "client" else None,
    )
    log = trial.log(f"{side or 'plain'}-{profiler or 'none'}")
    printed = _run_calls(trial, calls, log)
    trial.stack.check_alive()
    if printed is None:
        raise LoadError(f"the client failed; its log ends:\n{log_tail(log)}")
    row: CallsRow = {"contender": label, "side": side, "profiler": profiler, **json.loads(printed)}
    run.append_line(CALLS, row)


def _run_calls(trial: Trial, plan: CallPlan, log: Path) -> bytes | None:
    """Run a client process to its end; returns what it printed, or None if it failed."""
    plan_file = log.resolve().with_suffix(".plan.json")
    plan_file.write_text(json.dumps(plan.to_json()))
    argv = [sys.executable, "-m", "benchmark.experiments.profiling.calls", str(plan_file)]
    guard, env = trial.session.guard, {**own_environment(), **plan.scenario.secrets()}
    process: subprocess.Popen[bytes] = start_process(argv, log, guard, env, talking=True)
    try:
        printed, _ = process.communicate()
    finally:
        stop_processes([process], guard)
    return None if process.returncode else printed


def _append_csv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow(columns)
        writer.writerows(rows)

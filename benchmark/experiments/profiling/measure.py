"""`profile`: each contender under load, with and without the sampler, and call by call under every profiler."""

import contextlib
import csv
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from benchmark.contenders.discovery import Contender
from benchmark.contenders.law import law_of, scoring_settings
from benchmark.contenders.service_settings import SEED, with_overrides
from benchmark.errors import BenchmarkError, LoadError, SettingRefused, StackError
from benchmark.experiments.profiling import export
from benchmark.experiments.profiling import page as plot
from benchmark.experiments.profiling.calls import CallPlan
from benchmark.experiments.profiling.libraries import kind_of
from benchmark.experiments.profiling.recorders import (
    CPU_SAMPLER,
    GO,
    PYINSTRUMENT,
    SAMPLE_EVERY_S,
    STACKS_SUFFIX,
    YAPPI_CLOCKS,
)
from benchmark.experiments.profiling.stacks import Growth, count_shares, fold
from benchmark.experiments.profiling.summarise import CALLS, PLAIN, SAMPLED, SHARES, CallsRow, summarise
from benchmark.experiments.profiling.under_profiler import under_profiler
from benchmark.load.plan import Level
from benchmark.measure.progress import Progress
from benchmark.measure.session import measuring
from benchmark.measure.trial import CellPlan, check_parity_of, measure_cell
from benchmark.record.manifest import make_manifest
from benchmark.record.run import Cell, Run
from benchmark.scenarios.discovery import scenario_of
from benchmark.stack.processes import Stack, log_tail, own_environment, running_stack, start_process, stop_processes
from benchmark.stack.watchdog import Guard

PROFILED_ROLES: Final = ("scoring", "model")
SAMPLED_ROLES: Final = ("scoring",)
PROFILERS: Final = ("pyinstrument", "yappi")
SIDES: Final = ("client", "server")
_RUNS: Final = {"pyinstrument": (PYINSTRUMENT,), "yappi": tuple(YAPPI_CLOCKS)}  # yappi has one clock at a time
# Of five attempts at threads, two ended in a crash: six leave one failure in a hundred or two.
SAMPLING_ATTEMPTS: Final = 6
_WARMUP_CALLS: Final = 10
# What a shortened run keeps.
_FEWEST_CALLS, _FEWEST_WARMUP_CALLS = 10, 3
_SHORTEST_S, _SHORTEST_WARMUP_S = 3.0, 1.5
# The profiling timer counts CPU in ticks of 4 ms or more, by who runs when one comes. By chance the sum of n ticks
# is off by up to their square root: of one second by 6 %, and it is to be right within 10 %.
_SHORTEST_SAMPLED_S = 8.0
_CALL_S: Final = 0.11  # only the progress display relies on it
_STACK_S: Final = 4.0  # to start and stop a contender; the same


@dataclass(frozen=True)
class ProfilePlan:
    """How much is measured."""

    requests: int = 40  # profiled calls, one after the other, per profiler
    users: int = 16  # for CPU by library
    seconds: float = 10.0  # how long these users are kept up
    warmup_s: float = 4.0  # before that; the pool of httpx takes seconds to become as slow as it stays
    profilers: tuple[str, ...] = PROFILERS
    sides: tuple[str, ...] = SIDES
    seed: int = 1
    free_ports: bool = False
    warmup_calls: int = _WARMUP_CALLS
    sample_every_ms: float = SAMPLE_EVERY_S * 1e3
    scale: float = 1.0  # other than 1, the numbers of calls and the times above have been scaled by it

    def scaled(self, scale: float) -> "ProfilePlan":
        """Return the plan with less of all that takes time, but not less than a figure is made of."""

        def at_least(planned: float, least: float) -> float:
            return round(max(planned * scale, min(planned, least)), 2)

        return replace(
            self,
            requests=round(at_least(self.requests, _FEWEST_CALLS)),
            seconds=at_least(self.seconds, _SHORTEST_S),
            warmup_s=at_least(self.warmup_s, _SHORTEST_WARMUP_S),
            warmup_calls=round(at_least(self.warmup_calls, _FEWEST_WARMUP_CALLS)),
            scale=scale,
        )

    @property
    def runs(self) -> list[str]:
        """Each profiler with each of its clocks."""
        return [run for profiler in self.profilers for run in _RUNS[profiler]]

    @property
    def sampled_s(self) -> float:
        """How long many users are kept up under the CPU sampler."""
        return max(self.seconds, min(_SHORTEST_SAMPLED_S, self.seconds / self.scale))

    def levels(self, sampled: bool = False) -> tuple[Level, ...]:
        """Return one user, to split the wall clock of a request; and many, for the CPU that it takes."""
        many_s = self.sampled_s if sampled else self.seconds
        return (Level(1, 0.5, round(0.6 * self.seconds, 2)), Level(self.users, self.warmup_s, many_s))

    @property
    def contender_s(self) -> float:
        """About how long one contender takes."""
        levels = (*self.levels(), *self.levels(sampled=True))
        held_s = sum(level.warmup_s + level.measure_s for level in levels) + 2 * _STACK_S
        calls_s = (self.requests + self.warmup_calls) * _CALL_S
        client = (1 + len(self.runs) * ("client" in self.sides)) * calls_s + _STACK_S
        server = len(self.runs) * (calls_s + _STACK_S) + held_s if "server" in self.sides else 0.0
        return client + server


@dataclass(frozen=True)
class Setting:
    """What all steps of a run have in common."""

    run: Run
    plan: ProfilePlan
    cells: CellPlan
    guard: Guard
    progress: Progress


def run_profile(
    results: Path,
    contenders: Sequence[Contender],
    plan: ProfilePlan,
    service_settings: Mapping[str, str],
    progress: Progress,
) -> Run:
    """Measure, and write record, profiles, summary and report, also when interrupted. Raises BenchmarkError."""
    contenders = with_overrides(contenders, service_settings)
    for contender in contenders:
        if not scoring_settings(contender).stage_clock:
            raise SettingRefused(f"stage_clock=false: profiling {contender.name} needs the stage clock; leave it out")
    planned = {**asdict(plan), "sampled_s": plan.sampled_s}
    run = Run.create(results, "profile", make_manifest(contenders, plan.seed, planned, service_settings))
    failures: dict[str, str] = {}

    def finish(interrupted: bool) -> None:
        report(run, contenders, failures, interrupted)

    with measuring(run, progress, len(contenders), plan.contender_s, finish) as guard:
        cells = CellPlan(levels=plan.levels(), climb=(), stage_clock=True, free_ports=plan.free_ports)
        setting = Setting(run, plan, cells, guard, progress)
        for contender in contenders:
            failures.update(_profile_one(setting, contender))
    return run


def report(run: Run, contenders: Sequence[Contender], failures: Mapping[str, str], interrupted: bool) -> None:
    """Compute the summary from the record, and draw the report."""
    run.write_json("summary.json", summarise(run, contenders, failures, interrupted))
    plot.write_report(run)


def _profile_one(setting: Setting, contender: Contender) -> dict[str, str]:
    """Profile one contender; returns why that failed, by label, if it did."""
    cell = Cell(0, contender.label, setting.plan.seed)
    try:
        if "server" in setting.plan.sides:
            _hold(setting, contender, PLAIN)
            _hold_sampled(setting, contender)
        _call_without(setting, contender)
        if "server" in setting.plan.sides:
            for profiler in setting.plan.runs:
                _call_profiled_services(setting, contender, profiler)
    except BenchmarkError as error:
        cell.status, cell.reason = "failed", str(error)
    finally:
        _tidy_up(profiles_of(setting.run, contender.label))
    setting.progress.cell_done(cell)
    return {contender.label: cell.reason} if cell.reason else {}


def _tidy_up(folder: Path) -> None:
    """Turn what the profilers wrote into what people open."""
    (folder / GO).unlink(missing_ok=True)
    export.export_sessions(folder)


def profiles_of(run: Run, label: str) -> Path:
    """Return the folder of a contender's profiles."""
    folder = run.path.resolve() / "profiles" / label  # services run in a directory of their own
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _hold(setting: Setting, contender: Contender, block: int) -> Cell:
    """Hold the levels once; the cell is in the record whatever became of it."""
    cell = Cell(block, contender.label, setting.plan.seed * 1000)
    what = "load" if block == PLAIN else "sampled"
    cells = replace(setting.cells, levels=setting.plan.levels(sampled=block != PLAIN))
    try:
        measure_cell(
            setting.run,
            contender,
            cell,
            cells,
            setting.guard,
            lambda phase: setting.progress.phase(contender.label, f"{what}: {phase}"),
            check_parity=block == PLAIN,
        )
    except KeyboardInterrupt:
        cell.status, cell.reason = "interrupted", "interrupted"
        raise
    except BenchmarkError as error:
        cell.status, cell.reason = "failed", str(error)
        raise
    finally:
        setting.run.append_cell(cell)
    return cell


def _hold_sampled(setting: Setting, contender: Contender) -> None:
    """Hold the levels under the CPU sampler, and record the shares of the libraries.

    An interruption may meet the interpreter between two instructions that belong together, and reading
    the stack then ends the process: about once in a thousand stacks. Such an attempt does not count,
    nor does one in which a request failed, and it is made again.
    """
    for attempt in range(SAMPLING_ATTEMPTS):
        folder = profiles_of(setting.run, contender.label)
        sampled = under_profiler(contender, CPU_SAMPLER, SAMPLED_ROLES, folder)
        try:
            with Growth(folder) as growth:
                cell = _hold(setting, sampled, SAMPLED + attempt)
        except (StackError, LoadError):
            if attempt + 1 == SAMPLING_ATTEMPTS:
                raise
        else:
            if setting.run.cell_samples(cell)["ok"].all() or attempt + 1 == SAMPLING_ATTEMPTS:
                _record_shares(setting, contender, cell, growth)
                return
        finally:
            for raw in folder.glob(f"*{STACKS_SUFFIX}"):  # some 5 KB per stack; the folded form holds the same
                raw.unlink()
        setting.progress.say(f"{contender.label}: the sampler ended its process or failed a request; measured again")


def _record_shares(setting: Setting, contender: Contender, cell: Cell, growth: Growth) -> None:
    folder = profiles_of(setting.run, contender.label)
    for window in cell.windows:
        stacks = list(growth.stacks_between(window.start_ns, window.end_ns))
        (folder / f"scoring-{CPU_SAMPLER}-{window.users}-users.folded").write_text(fold(stacks))
        rows = [
            (contender.label, window.users, share.library, kind_of(share.library), share.stage, share.samples)
            for share in count_shares(stacks)
        ]
        _append_csv(setting.run.path / SHARES.file, SHARES.columns, rows)


def _call_without(setting: Setting, contender: Contender) -> None:
    """Call services that are not profiled: without any profiler, and with the client under each."""
    with _stack(setting, contender, "plain") as stack:
        if "server" not in setting.plan.sides:  # else it was asked before it was put under load
            check_parity_of(stack)
        _call(setting, contender, stack, side="", profiler=None)
        if "client" in setting.plan.sides:
            for profiler in setting.plan.runs:
                _call(setting, contender, stack, side="client", profiler=profiler)


def _call_profiled_services(setting: Setting, contender: Contender, profiler: str) -> None:
    """Call services of which the scoring handler and the model are under a profiler."""
    folder = profiles_of(setting.run, contender.label)
    profiled = under_profiler(contender, profiler, PROFILED_ROLES, folder)
    (folder / GO).unlink(missing_ok=True)
    with _stack(setting, profiled, profiler) as stack:
        _call(setting, profiled, stack, side="server", profiler=profiler)


@contextlib.contextmanager
def _stack(setting: Setting, contender: Contender, name: str) -> Iterator[Stack]:
    logs = setting.run.path / "logs" / f"calls-{name}"
    logs.mkdir(exist_ok=True)
    env = {SEED: str(setting.plan.seed)}
    setting.progress.phase(contender.label, name)
    with running_stack(contender, logs, setting.guard, env, setting.plan.free_ports) as stack:
        yield stack


def _call(setting: Setting, contender: Contender, stack: Stack, side: str, profiler: str | None) -> None:
    """Make the calls in a process of their own, and record what they took. Raises StackError or LoadError."""
    setting.progress.phase(contender.label, f"{side or 'no profiler'} {profiler or ''}")
    name, law = f"{contender.label}-{side or 'plain'}-{profiler or 'none'}", law_of(contender)
    plan = CallPlan(
        url=stack.base_url,
        endpoint=contender.endpoint,
        scenario=scenario_of(contender),
        warmup=setting.plan.warmup_calls,
        requests=setting.plan.requests,
        seed=setting.plan.seed,
        answer_bounds_s=law.bounds_s,
        least_times_answer=law.least_times_answer,
        pids={running.role: running.pid for running in stack.processes},
        folder=str(profiles_of(setting.run, contender.label)),
        profiler=profiler if side == "client" else None,
    )
    printed = _run_calls(setting, plan, name)
    stack.check_alive()
    if printed is None:
        log = setting.run.path / "logs" / f"{name}.log"
        raise LoadError(f"the client failed; its log ends:\n{log_tail(log)}")
    row: CallsRow = {"contender": contender.label, "side": side, "profiler": profiler, **json.loads(printed)}
    setting.run.append_line(CALLS, row)


def _run_calls(setting: Setting, plan: CallPlan, name: str) -> bytes | None:
    """Run a client process to its end; returns what it printed, or None if it failed."""
    plan_file = setting.run.path.resolve() / "logs" / f"{name}.plan.json"
    plan_file.write_text(json.dumps(plan.to_json()))
    argv = [sys.executable, "-m", "benchmark.experiments.profiling.calls", str(plan_file)]
    log = setting.run.path / "logs" / f"{name}.log"
    env = {**own_environment(), **plan.scenario.secrets()}
    process: subprocess.Popen[bytes] = start_process(argv, log, setting.guard, env, talking=True)
    try:
        printed, _ = process.communicate()
    finally:
        stop_processes([process], setting.guard)
    return None if process.returncode else printed


def _append_csv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow(columns)
        writer.writerows(rows)

"""One cell: one contender in one block, from starting its processes to stopping them."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from benchmark.contenders.discovery import Contender
from benchmark.contenders.law import law_of, scoring_settings
from benchmark.contenders.service_settings import SEED, STAGE_CLOCK, with_variables
from benchmark.errors import BenchmarkError, LoadError, RecordError
from benchmark.load import parity
from benchmark.load.plan import Level, LoadPlan
from benchmark.measure.machine import SURROUNDINGS
from benchmark.measure.sampling import Sampler
from benchmark.record.columns import GENERATOR_ROLE
from benchmark.record.run import Cell, Run, Window
from benchmark.scenarios.discovery import scenario_of
from benchmark.stack.processes import (
    Launcher,
    ProcessLauncher,
    Stack,
    log_tail,
    own_environment,
    running_stack,
    start_process,
    stop_processes,
)
from benchmark.stack.watchdog import Guard
from feature_store.seed import DEFAULT_INFO

OnPhase = Callable[[str], None]


@dataclass(frozen=True)
class CellPlan:
    """What every cell of a run has in common."""

    levels: tuple[Level, ...]
    climb: tuple[Level, ...]
    stage_clock: bool
    free_ports: bool
    launcher: Launcher = ProcessLauncher()  # noqa: RUF009 - it has no state


class ParityError(BenchmarkError):
    """A contender answers something else than the contract says; it is not measured."""


def measure_cell(
    run: Run, contender: Contender, cell: Cell, plan: CellPlan, guard: Guard, on_phase: OnPhase, check_parity: bool
) -> None:
    """Measure a contender once; the cell's windows grow while it goes on.

    Raises StackError, LoadError, ParityError or RecordError; what was measured before is on disk.
    """
    on_phase("start")
    logs = run.path / "logs" / f"block-{cell.block + 1}"
    logs.mkdir(exist_ok=True)
    clock = plan.stage_clock and scoring_settings(contender).stage_clock
    contender = with_variables(contender, {SEED: str(cell.seed), STAGE_CLOCK: str(clock).lower()})
    with (
        _generator(run, contender, cell, plan, guard) as begin,
        running_stack(contender, logs, guard, None, plan.free_ports, plan.launcher) as stack,
    ):
        if check_parity:
            on_phase("parity")
            check_parity_of(stack)
        generator = begin(stack)
        sources = {running.role: running.usage_source for running in stack.processes} | {GENERATOR_ROLE: generator.pid}
        sources |= SURROUNDINGS
        with run.resource_writer(cell) as resources, Sampler(sources, resources.append) as sampler:
            _follow(generator, stack, cell, on_phase, sampler.sample_soon)
        if resources.failure:
            raise RecordError(f"cannot write resource samples: {resources.failure.strerror}")
    if generator.returncode:
        raise LoadError(f"the load generator failed; its log ends:\n{log_tail(_generator_log(run, cell))}")


def _follow(
    generator: subprocess.Popen[bytes],
    stack: Stack,
    cell: Cell,
    on_phase: OnPhase,
    sample_soon: Callable[[], None],
) -> None:
    """Read what the generator says until it ends; CPU is sampled where a window ends."""
    assert generator.stdout is not None
    for line in generator.stdout:
        event: dict[str, Any] = json.loads(line)
        if event["event"] == "window":
            sample_soon()
            cell.windows.append(Window(event["users"], event["start_ns"], event["end_ns"]))
        if "users" in event:
            on_phase(f"{event['users']} users")
        stack.check_alive()
    generator.wait()


@contextlib.contextmanager
def _generator(
    run: Run, contender: Contender, cell: Cell, plan: CellPlan, guard: Guard
) -> Iterator[Callable[[Stack], subprocess.Popen[bytes]]]:
    """Start a load generator beside the contender; the function that is yielded lets it begin."""
    plan_file = run.file("locust", cell, ".plan.json")
    argv = [sys.executable, "-m", "benchmark.load.runner", str(plan_file)]
    env = {**own_environment(), **scenario_of(contender).secrets()}
    process = start_process(argv, _generator_log(run, cell), guard, env, talking=True)

    def begin(stack: Stack) -> subprocess.Popen[bytes]:
        load_plan = LoadPlan(
            url=stack.base_url,
            endpoint=contender.endpoint,
            scenario=scenario_of(contender),
            seed=cell.seed,
            stage_clock=scoring_settings(contender).stage_clock,
            levels=plan.levels,
            climb=() if contender.harness_floor else plan.climb,
            answer_bounds_s=law_of(contender).bounds_s,
            samples=run.file("samples", cell, ".csv"),
            locust=run.file("locust", cell),
        )
        plan_file.write_text(json.dumps(load_plan.to_json()))
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has died; its exit status says so below
            process.stdin.write(b"go\n")
            process.stdin.flush()
        return process

    try:
        yield begin
    finally:
        stop_processes([process], guard)
        for pipe in (process.stdin, process.stdout):
            if pipe:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def _generator_log(run: Run, cell: Cell) -> Any:
    return run.path / "logs" / f"block-{cell.block + 1}" / f"{cell.contender}-{GENERATOR_ROLE}.log"


def check_parity_of(stack: Stack) -> None:
    """Ask a contender everything that the contract says. Raises ParityError, or StackError if it has died."""
    contender = stack.contender
    cases = parity.cases(DEFAULT_INFO.entities, scoring_settings(contender).max_body_bytes)
    wanted = [case for case in cases if case.basic or not contender.harness_floor]
    differences = parity.find_differences(stack.base_url, contender.endpoint, wanted, law_of(contender).bounds_s)
    found = list(islice(differences, 3))  # of one that is silent each takes a timeout
    if found:
        stack.check_alive()
        raise ParityError(f"not measured, it answers otherwise than the contract says: {'; '.join(found)}")

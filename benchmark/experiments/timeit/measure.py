"""`timeit`: n calls in a row over one connection, for every contender, in random order, several times.

In each repeat all contenders are started anew and wait side by side, so that neighbouring timings
meet the same machine. Waiting costs next to nothing: four idle contenders were seen to use 1 % of a core.
"""

import os
import time
import timeit
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.markup import escape

from benchmark.contenders.discovery import Contender
from benchmark.contenders.law import law_of
from benchmark.contenders.service_settings import SEED, with_overrides
from benchmark.errors import BenchmarkError, LoadError, StackError
from benchmark.experiments.timeit.client import PersistentClient
from benchmark.experiments.timeit.page import write_report
from benchmark.experiments.timeit.plan import TimeitPlan
from benchmark.experiments.timeit.repeats import RepeatsFile, read_repeats, write_table
from benchmark.experiments.timeit.summarise import WATCHED, summarise
from benchmark.experiments.timeit.verdict import write_headline
from benchmark.load.asks import ask_contender
from benchmark.measure.machine import Watch
from benchmark.measure.progress import Progress
from benchmark.measure.session import measuring
from benchmark.measure.trial import ParityError, check_parity_of
from benchmark.record.manifest import make_manifest
from benchmark.record.run import Cell, Run
from benchmark.stack.processes import Stack, log_tail, running_stack
from benchmark.stack.watchdog import Guard

START_S = 3.0  # to start and stop a contender; only the progress display relies on it
LONG_S = 600.0
_LAST_WORDS_S = 0.3  # that a process which has just lost its sockets may take to be gone
EVERYBODY = "all contenders"


@dataclass
class _Session:
    """A run that goes on: what all repeats have in common, and who has dropped out."""

    run: Run
    contenders: Sequence[Contender]
    plan: TimeitPlan
    guard: Guard
    progress: Progress
    file: RepeatsFile
    lost: dict[str, str] = field(default_factory=dict)  # by label, why nothing further is timed

    def lose(self, label: str, error: BenchmarkError) -> None:
        self.lost[label] = str(error)
        # A log may hold what looks like the console's markup.
        self.progress.say(escape(f"{label} drops out, the others go on: {error}"))


@dataclass(frozen=True)
class _Ready:
    """A contender that waits to be asked."""

    stack: Stack
    client: PersistentClient


def run_timeit(
    results: Path,
    contenders: Sequence[Contender],
    plan: TimeitPlan,
    service_settings: Mapping[str, str],
    progress: Progress,
) -> Run:
    """Measure, and write record, summary and page, also when interrupted. Raises BenchmarkError."""
    contenders = with_overrides(contenders, service_settings)
    run = Run.create(results, "timeit", make_manifest(contenders, plan.seed, asdict(plan), service_settings))
    repeat_s = plan.expected_s(floors_ms(contenders), START_S)
    # A cell of the display is a repeat.
    with measuring(run, progress, plan.repeats, repeat_s, lambda _: report(run, contenders)) as guard:
        if plan.repeats * repeat_s > LONG_S:
            progress.say(
                "That is long: Ctrl-C reports what was measured by then, `--scale 0.1` takes under three minutes."
            )
        session = _Session(run, contenders, plan, guard, progress, RepeatsFile(run.path))
        for repeat in range(plan.repeats):
            if len(session.lost) == len(contenders):
                break
            _measure_repeat(session, repeat)
            progress.cell_done(Cell(repeat, EVERYBODY, seed=plan.seed))
    return run


def report(run: Run, contenders: Sequence[Contender]) -> None:
    """Compute the summary of a run from its record and draw its page."""
    floors = floors_ms(contenders)
    repeats = read_repeats(run.path)
    summary = summarise(run.manifest, run.cells(), repeats, contenders, floors, run.lines(WATCHED))
    run.write_json("summary.json", {**summary, "verdict": write_headline(summary)})
    write_table(run.path, repeats, [contender.label for contender in contenders])
    write_report(run)


def floors_ms(contenders: Sequence[Contender]) -> dict[str, float]:
    """Return each contender's latency floor in ms by label."""
    return {contender.label: law_of(contender).floor_ms for contender in contenders}


def _measure_repeat(session: _Session, repeat: int) -> None:
    """Time every number of calls with every contender once; each contender's cell is recorded, however it ends."""
    seed = session.plan.seed * 1000 + repeat
    cells = {c.label: Cell(repeat, c.label, seed) for c in session.contenders if c.label not in session.lost}
    watches: dict[str, Watch] = {}  # by label, all timings of this repeat together: some are shorter than a tick
    try:
        with ExitStack() as started:
            ready = _start_all(session, started, list(cells), repeat, seed)
            watches.update({label: Watch(os.getpid()) for label in ready})
            for n, label in session.plan.pairs(repeat, [contender.label for contender in session.contenders]):
                if label in session.lost:
                    continue
                session.progress.phase(label, f"{n} calls")
                try:
                    with watches[label]:
                        seconds = _time(ready[label], n)
                    session.file.append(repeat, n, label, seconds)
                except (StackError, LoadError) as error:
                    session.lose(label, error)
    except BaseException:
        for cell in cells.values():
            cell.status, cell.reason = "interrupted", "interrupted"
        raise
    finally:
        for label, cell in cells.items():
            if label in session.lost:
                cell.status, cell.reason = "failed", session.lost[label]
            session.run.append_cell(cell)
        for label, watch in watches.items():
            session.run.append_line(WATCHED, {"repeat": repeat, "contender": label, **asdict(watch.disturbance)})


def _start_all(session: _Session, started: ExitStack, labels: list[str], repeat: int, seed: int) -> dict[str, _Ready]:
    """Start contenders that `started` will stop, and return those that are ready by label."""
    logs = session.run.path / "logs" / f"repeat-{repeat + 1}"
    logs.mkdir(exist_ok=True)
    ready = {}
    for contender in session.contenders:
        if contender.label not in labels:
            continue
        session.progress.phase(contender.label, "start")
        try:
            stack = started.enter_context(
                running_stack(contender, logs, session.guard, {SEED: str(seed)}, free_ports=True)
            )
            if repeat == 0:
                check_parity_of(stack)
        except (StackError, ParityError) as error:
            session.lose(contender.label, error)
        else:
            asked = ask_contender(contender, law_of(contender), seed)
            client = PersistentClient(stack.base_url, asked)
            ready[contender.label] = _Ready(stack, started.enter_context(closing(client)))
    return ready


def _time(ready: _Ready, n: int) -> float:
    """Return the seconds of n calls. Raises BenchmarkError, with the end of a log, if one of them failed."""
    try:
        ready.client.wake()
        seconds = timeit.Timer(ready.client.call).repeat(repeat=1, number=n)[0]
        ready.client.check()
    except LoadError as error:
        time.sleep(_LAST_WORDS_S)
        ready.stack.check_alive()
        log = next(running.log for running in ready.stack.processes if running.role == "scoring")
        raise LoadError(f"{error}; the log of scoring ends:\n{log_tail(log)}") from error
    ready.stack.check_alive()  # a worker may go on answering for a while without the process that was started
    return seconds

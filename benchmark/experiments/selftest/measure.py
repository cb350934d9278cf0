"""`selftest`: the absorber under each law, and the ceiling, which is looked for below the fastest closed loop."""

import contextlib
import json
import subprocess
import time
import urllib.request
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from benchmark.contenders.absorber.serve import TRUTH_PATH
from benchmark.contenders.discovery import Contender
from benchmark.errors import BenchmarkError, LoadError, RecordError
from benchmark.experiments.experiment import Assignment
from benchmark.experiments.selftest.others import OTHERS, Asked, read_output
from benchmark.experiments.selftest.plan import ALONE, CEILING, FASTEST, SelftestPlan, other_part
from benchmark.load.plan import Arrivals
from benchmark.measure.levels import hold
from benchmark.measure.session import Session
from benchmark.measure.trial import Trial
from benchmark.record.columns import GENERATOR_ROLE
from benchmark.record.run import Run, TrialRecord, Window, read_samples
from benchmark.stack.processes import own_environment, start_process, stop_processes

TRUTH: Final = "truth.jsonl"  # what the absorber says at the end of each trial
OFFERED: Final = "offered.jsonl"  # the rates on the way to the ceiling
SAID: Final = "others.jsonl"  # what other generators were asked to do, and what they said
_PATIENCE_S: Final = 20.0


def measure(session: Session, assignment: Assignment[SelftestPlan]) -> None:
    """Carry out all trials; one that fails is recorded, the others go on. Raises RecordError."""
    plan = assignment.plan
    absorber, at_once = assignment.contenders
    for part, load in plan.loads.items():
        _recorded(session, partial(hold, session, plan.absorber(absorber, part), load, part=part, on_event=_ask))
    if _recorded(session, partial(hold, session, at_once, plan.fastest, part=FASTEST)):
        ceiling = plan.ceiling(fastest_rps(session.run, session.cells[-1]))
        session.run.append_line(
            OFFERED, {"rates_rps": [load.rate_rps for load in ceiling.loads if isinstance(load, Arrivals)]}
        )
        _recorded(session, partial(hold, session, at_once, ceiling, part=CEILING))
    for name in plan.others:
        for is_alone in (True, False):
            contender = plan.absorber(absorber, ALONE if is_alone else other_part(name, is_alone))
            _recorded(session, partial(_other, session, plan, contender, name, is_alone))


def fastest_rps(run: Run, cell: TrialRecord) -> float:
    """Return the rate of a closed loop, of the window of a trial."""
    (window,) = cell.windows
    ended = read_samples(run.file("samples", cell, ".csv"))["end_ns"]
    return float(ended.between(window.start_ns, window.end_ns, inclusive="left").sum() / window.seconds)


def _recorded(session: Session, trial: Callable[[], object]) -> bool:
    """Carry out a trial, and return whether it was measured."""
    try:
        trial()
    except RecordError:
        raise
    except BenchmarkError:
        pass  # it is recorded as failed
    session.progress.cell_done(session.cells[-1])
    return session.cells[-1].status == "measured"


def _ask(trial: Trial, event: str) -> None:
    """Ask the absorber for its moments when a window ends."""
    if event == "window":
        _note_truth(trial)


def _note_truth(trial: Trial) -> None:
    trial.session.run.append_line(TRUTH, {"part": trial.cell.part, **_truth(trial)})


def _truth(trial: Trial) -> dict[str, Any]:
    """Return what the absorber says of its moments. Raises LoadError."""
    try:
        with urllib.request.urlopen(trial.stack.base_url + TRUTH_PATH, timeout=_PATIENCE_S) as response:
            said: dict[str, Any] = json.loads(response.read())
            return said
    except (OSError, ValueError) as error:
        raise LoadError(f"the absorber does not say what it did: {error}") from error


def _other(session: Session, plan: SelftestPlan, contender: Contender, name: str, is_alone: bool) -> None:
    """Let another generator ask the absorber, and keep what it says."""
    other, part = OTHERS[name], other_part(name, is_alone)
    with session.trial(contender, part=part) as trial:
        asked = Asked(
            url=trial.url,
            seconds=plan.alone_s if is_alone else plan.around_s + plan.warmup_s,
            connections=1 if is_alone else plan.users,
            rate_rps=None if is_alone else plan.stall_rps,
            script=trial.log(name).with_suffix(".js"),
        )
        if other.script:
            asked.script.write_text(other.script(asked))
        trial.phase(name)
        start_ns = time.monotonic_ns()
        output = _output(trial, name, other.command(asked), asked.seconds)
        trial.cell.windows.append(Window(asked.connections, start_ns, time.monotonic_ns()))
        _note_truth(trial)
        row = {"generator": name, "alone": is_alone, "seconds": asked.seconds, "output": output}
        session.run.append_line(SAID, row)
        read_output(name, output)


def _output(trial: Trial, name: str, argv: list[str], seconds: float) -> str:
    """Run a generator to its end, and return what it says. Raises LoadError."""
    try:
        process = start_process(argv, trial.log(name), trial.session.guard, own_environment(), talking=True)
    except OSError as error:
        raise LoadError(f"{name} cannot be started: {error.strerror}") from error
    try:
        with trial.resources({GENERATOR_ROLE: process.pid}):
            output, _ = process.communicate(timeout=seconds + _PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise LoadError(f"{name} was still running {_PATIENCE_S:g} s after its end") from None
    finally:
        stop_processes([process], trial.session.guard)
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if pipe:
                    pipe.close()
    said = output.decode(errors="replace")
    if process.returncode:
        last = (trial.log(name).read_text(errors="replace") + said).strip().splitlines()[-1:]
        raise LoadError(f"{name} ended with exit status {process.returncode}: {''.join(last) or 'it said nothing'}")
    return said

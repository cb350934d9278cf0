"""Runs Locust as a process against one contender: start it, sample its CPU, wait for its end."""

import contextlib
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.contenders.answer_law import AnswerLaw
from benchmark.contenders.discovery import ROOT, Contender
from benchmark.errors import LoadError
from benchmark.load.early_stop import PlanWatch
from benchmark.load.shapes import END_SIGNAL, Example
from benchmark.measure.trial import Trial
from benchmark.record.columns import GENERATOR_ROLE
from benchmark.record.resources import disturbance_between
from benchmark.record.run import Run, TrialRecord, read_samples
from benchmark.scenarios.discovery import scenario_of
from benchmark.stack.processes import log_tail, own_environment, start_process, stop_processes

LOCUSTFILE = ROOT / "benchmark" / "load" / "locustfile.py"
STOP_GRACE_S = 20.0  # more than the Locust file gives requests in flight
LATE_MS = 10.0  # an arrival that is sent this long after its scheduled time counts as late
# Locust's own time limit is this much longer than the plan, because its clock starts before the first request, while
# Locust is still loading. This module ends Locust when the planned time is over.
RUN_ON_S = 10
_POLL_S = 0.2
_GRACE_S = 60.0  # after the planned duration, until a generator that does not end is stopped


@dataclass(frozen=True)
class Issued:
    """The result of one Locust run."""

    samples: pd.DataFrame
    start_ns: int  # of the first request
    generator_cpu: float  # cores, mean while it sent requests
    seconds: float
    # Shares of all cores from the first request to the last answer.
    foreign_share: float | None = None  # used by other programs
    steal_share: float | None = None  # used by other virtual machines
    stopped_ns: int | None = None  # when the generator told its users to stop; None if unknown
    law: AnswerLaw | None = None  # that the answers follow; None if unknown

    def counted_until_s(self, planned_s: float) -> float:
        """Return until when samples count, in seconds since the first request.

        That is the end of the plan, or earlier if the generator stopped earlier. A service that hangs does not
        change it: a generator whose users are all waiting has not stopped.
        """
        if self.stopped_ns is None:
            return planned_s
        return min(planned_s, (self.stopped_ns - self.start_ns) / 1e9)


def late_arrivals(samples: pd.DataFrame) -> int:
    """Return how many arrivals were sent more than LATE_MS after their scheduled time."""
    sent = samples[samples["status"] != 0]
    return int(((sent["start_ns"] - sent["scheduled_ns"]) / 1e6 > LATE_MS).sum())


def dropped_arrivals(samples: pd.DataFrame) -> int:
    """Return how many arrivals were never sent."""
    return int(samples["error"].fillna("").str.startswith("Dropped").sum())


def issue(
    trial: Trial,
    env: Mapping[str, str],
    options: list[str],
    duration_s: float,
    until: Callable[[], bool] = lambda: False,
) -> Issued:
    """Run headless Locust against a contender, with extra environment variables and options.

    It sends requests until `duration_s` after the first one, or until `until` returns True. Locust's own time limit
    must be later, see `time_limit`. Raises StackError if the contender dies, LoadError if Locust fails.
    """
    run, cell, log = trial.session.run, trial.cell, trial.log(GENERATOR_ROLE)
    samples = run.file("samples", cell, ".csv")
    issuing, plan = run.file("samples", cell, ".issuing.json"), PlanWatch(samples, duration_s)
    argv = [
        sys.executable,
        "-m",
        "benchmark.load.locust_without_config",
        "-f",
        str(LOCUSTFILE),
        "--host",
        trial.stack.base_url,
        "--headless",
        "--only-summary",
        "--exit-code-on-error",
        "0",
        "--csv",
        str(run.file("locust", cell)),
        "--csv-full-history",
        "--html",
        str(run.file("locust", cell, ".html")),
        *options,
    ]
    settings = {
        **own_environment(),
        **scenario_of(trial.contender).secrets(),
        "CONTENDERS": trial.contender.name,
        "HOST_URL": trial.stack.base_url,
        "ANSWER_BOUNDS_S": ",".join(map(repr, trial.law.bounds_s)),
        "BENCHMARK_SAMPLES": str(samples),
        "BENCHMARK_ISSUING": str(issuing),
        **env,
    }

    def is_over() -> bool:
        return until() or plan.is_over(time.monotonic_ns())

    process = start_process(argv, log, trial.session.guard, settings)
    try:
        with trial.resources({GENERATOR_ROLE: process.pid}):
            seconds = _wait(process, trial, duration_s, is_over)
    finally:
        stop_processes([process], trial.session.guard, grace_s=STOP_GRACE_S)
    if process.returncode:
        raise LoadError(f"Locust failed; its log ends:\n{log_tail(log)}")
    return replace(_issued(run, cell, samples, seconds, _stopped_ns(issuing)), law=trial.law)


def samples_file(run: Run, contender: Contender, part: str) -> Path:
    """Return the file to which `issue` writes the samples of a contender's part."""
    return run.file("samples", TrialRecord(block=0, contender=contender.label, seed=0, part=part), ".csv")


def class_name(contender: str, open_loop: bool = False) -> str:
    """Return the user class of a contender in the Locust file."""
    return "".join(part.capitalize() for part in contender.split("-")) + ("OpenLoop" if open_loop else "")


def example_environment(example: Example) -> dict[str, str]:
    """Return the environment variables that make the Locust file follow an example exactly."""
    return {
        "EXAMPLE": example.name,
        "USERS": str(example.users),
        "USERS_PER_S": str(example.users_per_s),
        "DURATION_S": str(example.duration_s + RUN_ON_S),
        "SCALE": "1",
        "PACING_S": f"{example.pacing_s:g}",
    }


def time_limit(seconds: float) -> list[str]:
    """Return Locust's time limit for a plan of this length, in whole seconds as Locust requires."""
    return ["-t", f"{math.ceil(seconds) + RUN_ON_S}s"]


def _wait(process: subprocess.Popen[bytes], trial: Trial, duration_s: float, until: Callable[[], bool]) -> float:
    trial.phase(trial.cell.part)
    started_s = time.monotonic()
    while process.poll() is None and not until():
        trial.stack.check_alive()
        elapsed_s = time.monotonic() - started_s
        if elapsed_s > duration_s + _GRACE_S:
            raise LoadError(f"Locust was still running {_GRACE_S:g} s after its planned end")
        time.sleep(_POLL_S)
    if process.poll() is None:
        _end(process)
    return time.monotonic() - started_s


def _end(process: subprocess.Popen[bytes]) -> None:
    """End Locust with END_SIGNAL: it writes its report first, which it would not after SIGTERM."""
    process.send_signal(END_SIGNAL)
    with contextlib.suppress(subprocess.TimeoutExpired):  # `issue` terminates it
        process.wait(STOP_GRACE_S)


def _stopped_ns(issuing: Path) -> int | None:
    """Return when the generator stopped sending requests, as noted by the Locust file."""
    return int(json.loads(issuing.read_text())["stopped_ns"]) if issuing.exists() else None


def _issued(run: Run, cell: TrialRecord, samples: Path, seconds: float, stopped_ns: int | None) -> Issued:
    frame = read_samples(samples)
    if frame.empty:
        raise LoadError("Locust sent no request")
    start_ns, end_ns = int(frame["start_ns"].min()), int(frame["end_ns"].max())
    end_ns = min(end_ns, stopped_ns or end_ns)
    resources = run.cell_resources(cell)
    others = disturbance_between(resources, start_ns, end_ns)
    usage = resources[(resources["role"] == GENERATOR_ROLE) & resources["t_ns"].between(start_ns, end_ns)]
    spent_ns, passed_ns = (float(np.ptp(usage[column])) if len(usage) > 1 else 0.0 for column in ("cpu_ns", "t_ns"))
    return Issued(
        frame,
        start_ns,
        generator_cpu=spent_ns / passed_ns if passed_ns else 0.0,
        seconds=seconds,
        foreign_share=others.foreign_share,
        steal_share=others.steal_share,
        stopped_ns=stopped_ns,
    )

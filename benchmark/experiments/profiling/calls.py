"""`python -m benchmark.experiments.profiling.calls PLAN.json`: real calls, one after the other, and what they took.

The client of this experiment: requests with one session, the same for every contender. It is the
load while a service is profiled, and can be profiled itself. Prints one JSON document, `Calls`.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import requests

from benchmark.experiments.profiling.recorders import PYINSTRUMENT, YAPPI_CLOCKS, Sessions, Yappi, let_go
from benchmark.load.bodies import check_answer, early_reasons, request_bodies
from benchmark.measure.machine import Watch
from contract.errors import BadModelAnswer
from contract.limits import raise_open_files
from contract.schema import JSON_CONTENT_TYPE
from contract.timing import request_start_header

CLIENT_ROLE = "client"
_TIMEOUT_S = 15.0


@dataclass(frozen=True)
class CallPlan:
    """What a client process is told to do."""

    url: str
    warmup: int
    requests: int
    seed: int
    answer_bounds_s: tuple[float, float]
    least_times_answer: float  # an answer of d seconds takes at least so many times d
    pids: Mapping[str, int]  # by role: the services whose CPU is read before and after
    folder: str  # where profiles are written; those of services wait there for the warm-up to end
    profiler: str | None = None  # the client's own

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "CallPlan":
        return cls(**{**document, "answer_bounds_s": tuple(document["answer_bounds_s"])})


@dataclass(frozen=True)
class Calls:
    """What some calls took, without the warm-up."""

    latencies_ms: list[float]  # of checked answers
    errors: list[str]
    cpu_ms: dict[str, float]  # by role, children included, as the operating system counts it: all calls together
    foreign_share: float | None = None  # of all cores meanwhile: other programs than those of the whole run
    steal_share: float | None = None  # the same: other virtual machines


def make_calls(plan: CallPlan) -> Calls:
    """Warm up, let the profiles begin, and make the calls."""
    bodies = request_bodies(plan.seed)
    profiler = _own_profiler(plan)
    with requests.Session() as session:
        session.trust_env = False
        for _ in range(plan.warmup):
            _call(session, plan, next(bodies))
        let_go(Path(plan.folder))
        with Watch(os.getppid()) as watch:  # the harness, which has started the services and this client
            before_ms = _cpu_ms(plan.pids)
            taken = [_profiled_call(session, plan, next(bodies), profiler) for _ in range(plan.requests)]
            after_ms = _cpu_ms(plan.pids)
    if profiler:
        profiler.write()
    return Calls(
        latencies_ms=[one for one in taken if isinstance(one, float)],
        errors=[one for one in taken if isinstance(one, str)],
        cpu_ms={role: after_ms[role] - before_ms[role] for role in after_ms},
        **asdict(watch.disturbance),
    )


def _own_profiler(plan: CallPlan) -> Sessions | Yappi | None:
    """Return the client's own profiler, or None if it is not profiled."""
    folder, stem = Path(plan.folder), f"{CLIENT_ROLE}-{plan.profiler}"
    if plan.profiler == PYINSTRUMENT:
        return Sessions(folder, stem)
    return Yappi(folder, stem, YAPPI_CLOCKS[plan.profiler]) if plan.profiler else None


def _profiled_call(
    session: requests.Session, plan: CallPlan, body: str, profiler: Sessions | Yappi | None
) -> float | str:
    if not profiler:
        return _call(session, plan, body)
    begun = profiler.begin()
    try:
        return _call(session, plan, body)
    finally:
        profiler.end(begun)


def _call(session: requests.Session, plan: CallPlan, body: str) -> float | str:
    """Return the latency in ms, or what went wrong."""
    headers = {"Content-Type": JSON_CONTENT_TYPE, **request_start_header()}
    start_ns = time.perf_counter_ns()
    try:
        response = session.post(plan.url, data=body, headers=headers, timeout=_TIMEOUT_S)
    except requests.RequestException as error:
        return f"{type(error).__name__}: {error}"
    latency_ms = (time.perf_counter_ns() - start_ns) / 1e6
    if response.status_code != 200:
        return f"status {response.status_code}"
    try:
        answer_s = check_answer(response.content, plan.answer_bounds_s)
    except BadModelAnswer as error:
        return error.detail
    return "; ".join(early_reasons(latency_ms - plan.least_times_answer * answer_s * 1e3)) or latency_ms


def _cpu_ms(pids: Mapping[str, int]) -> dict[str, float]:
    """Return the CPU time that each role's processes, and this one, have used so far."""
    used = {role: sum(_clock_ns(process.pid) for process in _tree(pid)) / 1e6 for role, pid in pids.items()}
    return {**used, CLIENT_ROLE: time.process_time_ns() / 1e6}


def _tree(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def _clock_ns(pid: int) -> int:
    """Return the CPU time of a process by the clock that benchmark.measure.sampling reads, too."""
    return time.clock_gettime_ns((~pid << 3) | 2)


if __name__ == "__main__":
    raise_open_files()
    print(json.dumps(asdict(make_calls(CallPlan.from_json(json.loads(Path(sys.argv[1]).read_text()))))))

"""`python -m benchmark.experiments.profiling.calls PLAN.json`: real calls, one after the other, and what they took.

The client of this experiment: requests with one session, the same for every contender, as client code
would use it. It is the load while a service is profiled, and can be profiled itself. Prints one JSON
document, `Calls`.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import requests

from benchmark.experiments.profiling.recorders import PYINSTRUMENT, YAPPI_CLOCKS, Sessions, Yappi, let_go
from benchmark.load.plain_clients import TIMEOUT_S, obtain
from benchmark.load.protocols import Ask, JudgedAnswer, Request, Response, no_answer
from benchmark.load.scenario_requests import ask_of
from benchmark.measure.machine_load import Watch
from benchmark.scenarios.spec import Scenario
from contract.limits import raise_open_files

CLIENT_ROLE = "client"


@dataclass(frozen=True)
class CallPlan:
    """What a client process is told to do."""

    url: str
    endpoint: str
    scenario: Scenario
    warmup: int
    requests: int
    seed: int
    answer_bounds_s: tuple[float, float]
    least_times_answer: float  # an answer of d seconds takes at least so many times d
    pids: Mapping[str, int]  # by role: the services whose CPU is read before and after
    folder: str  # where profiles are written; those of services wait there for the warm-up to end
    profiler: str | None = None  # the client's own

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "scenario": self.scenario.to_json()}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "CallPlan":
        bounds_s, scenario = tuple(document["answer_bounds_s"]), Scenario(**document["scenario"])
        return cls(**{**document, "answer_bounds_s": bounds_s, "scenario": scenario})


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
    asked = ask_of(
        *(plan.scenario, plan.endpoint, plan.seed, plan.answer_bounds_s, plan.least_times_answer), stage_clock=True
    )
    profiler = _own_profiler(plan)
    with requests.Session() as session:
        session.trust_env = False
        send = partial(_send, session, plan.url)
        for _ in range(plan.warmup):
            obtain(asked.flow(), send)
        let_go(Path(plan.folder))
        with Watch(os.getppid()) as watch:  # the harness, which has started the services and this client
            before_ms = _cpu_ms(plan.pids)
            answers = [_profiled_answer(asked, send, profiler) for _ in range(plan.requests)]
            after_ms = _cpu_ms(plan.pids)
    if profiler:
        profiler.write()
    return Calls(
        latencies_ms=[(one.done_ns - one.sent_ns) / 1e6 for one in answers if not one.error],
        errors=[one.error for one in answers if one.error],
        cpu_ms={role: after_ms[role] - before_ms[role] for role in after_ms},
        **asdict(watch.disturbance),
    )


def _own_profiler(plan: CallPlan) -> Sessions | Yappi | None:
    """Return the client's own profiler, or None if it is not profiled."""
    folder, stem = Path(plan.folder), f"{CLIENT_ROLE}-{plan.profiler}"
    if plan.profiler == PYINSTRUMENT:
        return Sessions(folder, stem)
    return Yappi(folder, stem, YAPPI_CLOCKS[plan.profiler]) if plan.profiler else None


def _profiled_answer(
    asked: Ask, send: Callable[[Request], Response], profiler: Sessions | Yappi | None
) -> JudgedAnswer:
    if not profiler:
        return obtain(asked.flow(), send)
    begun = profiler.begin()
    try:
        return obtain(asked.flow(), send)
    finally:
        profiler.end(begun)


def _send(session: requests.Session, url: str, request: Request) -> Response:
    sent_ns = time.monotonic_ns()
    try:
        response = session.request(
            *(request.method, url + request.path),
            data=request.body,
            headers=request.headers,
            timeout=TIMEOUT_S,
            allow_redirects=False,
        )
    except requests.RequestException as error:
        return Response(0, {}, b"", sent_ns, time.monotonic_ns(), no_answer(error))
    return Response(response.status_code, response.headers, response.content, sent_ns, time.monotonic_ns())


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

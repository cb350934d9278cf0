"""The load of experiment 3 against real services: what a stall does to an open and to a closed loop."""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest

from benchmark.contenders import discover
from benchmark.experiment3_locust import check
from benchmark.experiment3_locust.examples import held
from benchmark.experiment3_locust.findings import LocustRun, of_kind, read_findings
from benchmark.experiment3_locust.issue import Issued, class_name, example_environment, issue, samples_file
from benchmark.experiment3_locust.run import TRY_WARMUP_S, Experiment, Plan
from benchmark.guard import Guard
from benchmark.law import law_of
from benchmark.load.arrivals import arrivals_until
from benchmark.record import Run
from benchmark.stack import Stack
from tests.conftest import Stacks

pytestmark = pytest.mark.integration

CONTENDER = "async-aiohttp"
STALL_S = 2.0
OPEN_S, OPEN_RPS = 12, 60  # the stall meets 120 of 720 arrivals
CLOSED_S, CLOSED_USERS = 20, 3  # and 3 of some 1,000 requests of users who wait for their answers
RATES = {"OPEN_RPS": str(OPEN_RPS), "PACING_S": "0"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run.create(tmp_path_factory.mktemp("results"), "locust", {})


@pytest.fixture(scope="module")
def issued(run: Run, stacks: Stacks, guard: Guard) -> dict[str, Issued]:
    """Both loops against a contender whose scoring handler stands still for two seconds in mid-run."""
    stack = stacks.get(CONTENDER)
    found = {}
    for name, open_loop, users, seconds in (("open", True, 1, OPEN_S), ("closed", False, CLOSED_USERS, CLOSED_S)):
        options = ["-u", str(users), "-r", "100", "-t", f"{seconds}s", class_name(CONTENDER, open_loop)]
        stall = stalling(stack, run.path / "samples" / f"0-{name}.csv")
        found[name] = issue(run, stack, name, RATES, options, seconds, guard, stall)
    return found


def stalling(stack: Stack, samples: Path) -> Callable[[float], None]:
    """Return what stops the scoring handler once for STALL_S, when a hundred requests have been answered."""
    done = False

    def stall_once(_: float) -> None:
        nonlocal done
        if done or not samples.exists() or len(samples.read_text().splitlines()) < 100:
            return
        done = True
        with stopped(next(running.pid for running in stack.processes if running.role == "scoring")):
            time.sleep(STALL_S)

    return stall_once


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    leader = psutil.Process(pid)
    everybody = [leader, *leader.children(recursive=True)]
    try:
        for process in everybody:
            process.send_signal(signal.SIGSTOP)
        yield
    finally:
        for process in everybody:
            process.send_signal(signal.SIGCONT)


def p99_ms(issued: Issued) -> float:
    good = issued.samples[issued.samples["ok"]]
    return float(np.percentile(good["response_ms"], 99))


def test_a_stall_shows_in_the_p99_of_an_open_loop_and_not_in_that_of_a_closed_one(issued: dict[str, Issued]) -> None:
    opened, closed = p99_ms(issued["open"]), p99_ms(issued["closed"])
    assert opened > 0.6 * STALL_S * 1e3
    assert closed < opened / 2


def test_both_loops_have_met_the_stall(issued: dict[str, Issued]) -> None:
    for name, each in issued.items():
        waited = each.samples["response_ms"] > 0.9 * STALL_S * 1e3
        assert waited.any(), f"the {name} loop has not met the stall"


def test_arrivals_of_an_open_loop_come_on_while_the_service_stands_still(issued: dict[str, Issued]) -> None:
    gaps_ns = np.diff(np.sort(issued["open"].samples["scheduled_ns"]))
    assert gaps_ns.max() < 0.5 * STALL_S * 1e9
    assert np.diff(np.sort(issued["closed"].samples["start_ns"])).max() > 0.9 * STALL_S * 1e9


def test_what_others_had_of_the_machine_is_observed(issued: dict[str, Issued]) -> None:
    for each in issued.values():
        assert each.foreign_share is not None
        assert each.steal_share is not None
        assert 0 <= each.foreign_share <= 1
        assert 0 <= each.steal_share <= 1
        assert each.generator_cpu > 0


def test_what_locust_writes_itself_is_kept(run: Run, issued: dict[str, Issued]) -> None:
    for name in issued:
        assert "<title>Locust" in (run.path / "locust" / f"0-{name}.html").read_text()
        assert (run.path / "locust" / f"0-{name}_stats_history.csv").exists()


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN], ids=["foreground", "background"])
def start(request: pytest.FixtureRequest) -> Iterator[None]:
    """As from a terminal, or as in the background of a script: what starts there inherits that Ctrl-C is ignored."""
    before = signal.signal(signal.SIGINT, request.param)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("start")
@pytest.mark.parametrize(
    ("env", "load"),
    [(RATES, ["-u", "5", "-r", "100", "-t", "120s"]), (example_environment(held(5)), [])],
    ids=["rate", "shape"],
)
def test_a_run_that_has_lost_its_purpose_ends_early_and_keeps_its_samples(
    tmp_path: Path, stacks: Stacks, guard: Guard, env: dict[str, str], load: list[str]
) -> None:
    run = Run.create(tmp_path, "locust", {})
    samples = samples_file(run, "early")
    seen: list[float] = []

    def until() -> bool:
        return samples.exists() and len(samples.read_text().splitlines()) > 20

    options = [*load, class_name(CONTENDER)]
    issued = issue(run, stacks.get(CONTENDER), "early", env, options, 120, guard, seen.append, until)
    assert len(issued.samples) >= 20
    assert max(seen) < 100
    assert (run.path / "locust" / "0-early.html").exists()


def test_a_rate_that_is_easily_carried_is_sustained_and_an_absurd_one_is_not(run: Run, guard: Guard) -> None:
    """Every arrival of the schedule is accounted for: those that Locust does not report were not answered."""
    progress: Any = SimpleNamespace(phase=lambda *_: None)
    plan = Plan(("load-test",), scale=0.01, free_ports=True)
    experiment = Experiment(run, plan, guard, progress)
    contender = discover()[CONTENDER]
    assert experiment.try_rate(contender, 20.0, 0, limit_ms=1000.0).sustained
    lost = experiment.try_rate(contender, 4500.0, 1, limit_ms=100.0)
    assert lost.in_time < 0.9
    easy, absurd = (found for found in of_kind(read_findings(run), LocustRun))
    due = sum(t_s >= TRY_WARMUP_S for t_s in arrivals_until(20.0, plan.seed, plan.try_s))
    assert easy.n > 0.9 * due
    assert absurd.n < 4500 * (plan.try_s - TRY_WARMUP_S)


def test_the_independent_generator_sees_an_easy_rate_sustained(stacks: Stacks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "TRY_WARMUP_S", 0.5)
    monkeypatch.setattr(check, "TRY_COUNTED_S", 3.0)
    stack = stacks.get(CONTENDER)
    url, law = stack.base_url + stack.contender.endpoint, law_of(stack.contender)
    outcome = asyncio.run(check.offer(url, law, 20.0, seed=1, limit_ms=1000.0))
    assert outcome.sustained

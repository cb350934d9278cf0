"""The load of experiment 3 against real services: what a stall does to an open and to a closed loop."""

import asyncio
import http.server
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from rich.console import Console

from benchmark.contenders.answer_law import law_of
from benchmark.contenders.discovery import discover
from benchmark.experiments.breaking_point import check
from benchmark.experiments.breaking_point.measure import Examples
from benchmark.experiments.breaking_point.observations import LocustRun, of_kind, read_observations
from benchmark.experiments.breaking_point.plan import TRY_WARMUP_S, BreakingPointPlan
from benchmark.load.arrivals import arrivals_until
from benchmark.load.scenario_requests import ask_contender
from benchmark.load.shapes import held, until_all_ask_s
from benchmark.load.slo import BreakingPoint
from benchmark.measure.locust_process import Issued, class_name, example_environment, issue
from benchmark.measure.progress import Progress
from benchmark.measure.session import Session
from benchmark.measure.trial import ParityError, Trial
from benchmark.record.run import Run, TrialRecord, read_samples
from benchmark.stack.processes import Stack
from benchmark.stack.watchdog import Guard
from tests.conftest import Stacks

pytestmark = pytest.mark.integration

CONTENDER = "async-aiohttp"
STALL_S = 2.0
OPEN_S, OPEN_RPS = 8, 60  # the stall meets 120 of 480 arrivals
CLOSED_S, CLOSED_USERS = 14, 3  # and 3 of some 700 requests of users who wait for their answers
RATES = {"OPEN_RPS": str(OPEN_RPS), "PACING_S": "0"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run.create(tmp_path_factory.mktemp("results"), "locust", {})


def make_session(run: Run, guard: Guard) -> Session:
    return Session(run, guard, Progress(Console(quiet=True)), free_ports=True)


@pytest.fixture
def session(run: Run, guard: Guard) -> Session:
    return make_session(run, guard)


def trial_of(session: Session, stack: Stack, part: str) -> Trial:
    """Return a trial of a contender that goes on after it."""
    return Trial(session, stack.contender, stack, TrialRecord(0, CONTENDER, 0, part=part), law_of(stack.contender))


def samples_of(trial: Trial) -> Path:
    return trial.session.run.file("samples", trial.cell, ".csv")


@pytest.fixture(scope="module")
def issued(run: Run, stacks: Stacks, guard: Guard) -> dict[str, Issued]:
    """Both loops against a contender whose scoring handler stands still for two seconds in mid-run."""
    stack = stacks.get(CONTENDER)
    found = {}
    for name, open_loop, users, seconds in (("open", True, 1, OPEN_S), ("closed", False, CLOSED_USERS, CLOSED_S)):
        options = ["-u", str(users), "-r", "100", "-t", f"{seconds}s", class_name(CONTENDER, open_loop)]
        trial = trial_of(make_session(run, guard), stack, name)
        found[name] = issue(trial, RATES, options, seconds, stalling(trial))
    return found


def stalling(trial: Trial) -> Callable[[], bool]:
    """Return what stops the scoring handler once for STALL_S, when a hundred requests have been answered.

    It never says that the load is to end.
    """
    done, samples = False, samples_of(trial)

    def stall_once() -> bool:
        nonlocal done
        if done or not samples.exists() or len(samples.read_text().splitlines()) < 100:
            return False
        done = True
        with stopped(next(running.pid for running in trial.stack.processes if running.role == "scoring")):
            time.sleep(STALL_S)
        return False

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
        assert "<title>Locust" in (run.path / "locust" / f"0-{CONTENDER}-{name}.html").read_text()
        assert (run.path / "locust" / f"0-{CONTENDER}-{name}_stats_history.csv").exists()


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
    trial = trial_of(make_session(run, guard), stacks.get(CONTENDER), "early")
    samples = samples_of(trial)

    def until() -> bool:
        return samples.exists() and len(samples.read_text().splitlines()) > 20

    options = [*load, class_name(CONTENDER)]
    issued = issue(trial, env, options, 120, until)
    assert len(issued.samples) >= 20
    assert issued.seconds < 100
    assert (run.path / "locust" / f"0-{CONTENDER}-early.html").exists()


def test_a_rate_that_is_easily_carried_is_sustained_and_an_absurd_one_is_not(run: Run, session: Session) -> None:
    """Every arrival of the schedule is accounted for: those that Locust does not report were not answered."""
    plan = BreakingPointPlan(("load-test",), scale=0.01)
    examples = Examples(session, plan)
    contender = discover()[CONTENDER]
    assert examples.try_rate(contender, 20.0, 0, limit_ms=1000.0).sustained
    lost = examples.try_rate(contender, 4500.0, 1, limit_ms=100.0)
    assert lost.in_time < 0.9
    easy, absurd = (found for found in of_kind(read_observations(run), LocustRun))
    due = sum(t_s >= TRY_WARMUP_S for t_s in arrivals_until(20.0, plan.seed, plan.try_s))
    assert easy.n > 0.9 * due
    assert absurd.n < 4500 * (plan.try_s - TRY_WARMUP_S)


def test_the_independent_generator_sees_an_easy_rate_sustained(stacks: Stacks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "TRY_WARMUP_S", 0.5)
    monkeypatch.setattr(check, "TRY_COUNTED_S", 3.0)
    stack = stacks.get(CONTENDER)
    asked = ask_contender(stack.contender, law_of(stack.contender), seed=1)
    outcome = asyncio.run(check.offer(stack.base_url, asked, 20.0, seed=1, limit_ms=1000.0))
    assert outcome.sustained


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """The address of a server that nobody should ask, and the paths that it was asked for."""
    asked: list[str] = []

    class Elsewhere(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.send_error(503)

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


def test_what_a_user_sets_for_locust_reaches_no_generator(
    session: Session,
    stacks: Stacks,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    elsewhere: tuple[str, list[str]],
) -> None:
    url, asked = elsewhere
    (tmp_path / ".locust.conf").write_text(f"host = {url}\nrun-time = 1\ntags = none\nusers = 9\ncsv = mine\n")
    (tmp_path / ".netrc").write_text("default login somebody password anything\n")
    for name, value in (
        *(("HOME", str(tmp_path)), ("LOCUST_HOST", url), ("LOCUST_RUN_TIME", "1"), ("LOCUST_TAGS", "none")),
        *(("HTTP_PROXY", url), ("http_proxy", url), ("ALL_PROXY", url)),
    ):
        monkeypatch.setenv(name, value)
    example = replace(held(2), duration_s=3.0, warmup_s=0.0, pacing_s=0.2)
    trial = trial_of(session, stacks.get(CONTENDER), "configured")
    issued = issue(trial, example_environment(example), [class_name(CONTENDER)], example.duration_s)
    assert asked == []
    assert issued.samples["ok"].all()
    assert issued.samples["users"].max() == 2
    assert issued.counted_until_s(3.0) == 3.0  # a run time of one second did not end it
    assert not (tmp_path / "mine_stats.csv").exists()


def test_the_rate_of_a_shortened_run_is_that_of_the_schedule_within_what_is_counted(run: Run, session: Session) -> None:
    """Counted is from the first request to the planned end, and the generator issues all that time."""
    plan = BreakingPointPlan(("open-loop",), scale=0.01, seed=3)
    before = len(read_observations(run))
    broke = BreakingPoint(75.0, 75.0, 75.0, broke=True, reason="p95")
    Examples(session, plan)._open_loop(discover()[CONTENDER], broke)
    closed, opened = of_kind(read_observations(run)[before:], LocustRun)
    rate_rps = opened.rate_rps
    assert rate_rps == 60
    assert opened.until_s == 6.0
    due_s = arrivals_until(rate_rps, plan.seed, 10.0)
    due = sum(TRY_WARMUP_S <= t_s - due_s[0] < opened.until_s for t_s in due_s)
    # At both ends some are in flight: at 60 requests/s of 50 ms, three.
    assert opened.rps * (opened.until_s - TRY_WARMUP_S) == pytest.approx(due, abs=9)
    assert closed.until_s == pytest.approx(until_all_ask_s(60) + 4, abs=0.001)
    assert closed.rps == pytest.approx(rate_rps, rel=0.04)


def test_a_log_is_replayed_with_every_request_at_its_time(run: Run, session: Session, tmp_path: Path) -> None:
    log, at_s = tmp_path / "log.csv", [0.0, 0.1, 0.1, 0.35, 0.9, 1.25]
    log.write_text("time,body\n" + "".join(f'{t_s},"[{k},1,1,1]"\n' for k, t_s in enumerate(at_s)))
    before = len(read_observations(run))
    plan = BreakingPointPlan((), shape=f"replay {log} with bodies at 2x")
    Examples(session, plan).measure(discover()[CONTENDER])
    (found,) = of_kind(read_observations(run)[before:], LocustRun)
    assert (found.n, found.errors) == (len(at_s), 0)
    scheduled_ns = read_samples(run.path / "samples" / f"0-{found.stem}.csv")["scheduled_ns"].sort_values()
    assert ((scheduled_ns - scheduled_ns.min()) / 1e9).tolist() == pytest.approx([t_s / 2 for t_s in at_s], abs=1e-6)


def test_a_contender_that_answers_otherwise_is_not_measured(run: Run, session: Session) -> None:
    before = len(read_observations(run))
    examples = Examples(session, BreakingPointPlan(("response-time",), scale=0.01))
    elsewhere = discover()[CONTENDER].model_copy(update={"endpoint": "/nowhere"})
    with pytest.raises(ParityError, match="Excluded: its answers violate the contract"):
        examples.measure(elsewhere)
    assert len(read_observations(run)) == before

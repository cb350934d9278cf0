"""`profile` without processes: nothing is profiled that has not shown to answer rightly, and who fails is left."""

from pathlib import Path

import pytest

from benchmark.contenders.discovery import choose, discover
from benchmark.errors import LoadError, StackError
from benchmark.experiments.profiling.measure import SAMPLING_ATTEMPTS
from benchmark.experiments.profiling.summarise import SAMPLED
from benchmark.load.plan import LoadPlan
from benchmark.measure.trial import ParityError, Trial
from tests.unit.benchmark.experiments.profiling.synthetic import Profiling
from tests.unit.benchmark.fakes import Measure, measuring, refusing
from tests.unit.said import said

SYNC, ASYNC = choose(["sync", "async"], discover())


@pytest.fixture
def profiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profiling:
    return Profiling(tmp_path / "results", monkeypatch)


def test_the_client_alone_calls_nobody_who_fails_parity(profiling: Profiling) -> None:
    profiling.fake.parity = refusing("sync", ParityError("it answers otherwise"))
    run = profiling.run([SYNC], sides=("client",))
    assert profiling.fake.checked == ["sync"]
    assert profiling.calls == []
    assert said(run.summary["contenders"]["sync"]["faults"]) == ["it answers otherwise"]


def test_parity_is_asked_once(profiling: Profiling) -> None:
    profiling.run([SYNC], profilers=("yappi",))
    assert profiling.fake.checked == ["sync"]
    assert profiling.fake.started_labels == ["sync"] * 5  # two loads, calls without a profiler, and with either clock


def test_services_are_called_without_a_profiler_then_from_under_each_and_then_below_each(profiling: Profiling) -> None:
    profiling.run([SYNC])
    assert [how for _, how in profiling.calls] == [
        *("calls", "pyinstrument", "yappi-cpu", "yappi-wall"),
        *("calls-pyinstrument", "calls-yappi-cpu", "calls-yappi-wall"),
    ]


def test_one_that_fails_is_named_and_the_others_are_profiled(profiling: Profiling) -> None:
    profiling.fails["sync"] = LoadError("the client failed")
    run = profiling.run([SYNC, ASYNC])
    entries = run.summary["contenders"]
    assert (entries["sync"]["valid"], said(entries["sync"]["faults"])) == (False, ["the client failed"])
    assert (entries["async"]["faults"], len(entries["async"]["profiler_cost"])) == ([], 8)
    assert (run.summary["complete"], run.summary["valid"]) == (True, False)


def test_ctrl_c_reports_what_was_profiled(profiling: Profiling) -> None:
    profiling.fails["async"] = KeyboardInterrupt()
    run = profiling.run([SYNC, ASYNC])
    assert (run.summary["complete"], run.summary["valid"]) == (False, False)
    assert run.summary["contenders"]["sync"]["cpu_by_library"]
    assert (run.path / "report.html").exists()
    assert not (profiling.results / "latest").exists()


def sampled_badly(error: Exception | None, attempts: int) -> Measure:
    """Return a way to measure in which so many attempts to sample raise, or have a request that fails."""

    def measure(trial: Trial, load: LoadPlan) -> None:
        is_spoilt = SAMPLED <= trial.cell.block < SAMPLED + attempts
        if is_spoilt and error:
            raise error
        measuring(100, errors=int(is_spoilt))(trial, load)

    return measure


@pytest.mark.parametrize("error", [None, StackError("scoring has died"), LoadError("no answer")])
def test_an_attempt_that_the_sampler_spoilt_does_not_count_and_is_made_again(
    profiling: Profiling, error: Exception | None
) -> None:
    profiling.fake.measure = sampled_badly(error, attempts=2)
    summary = profiling.run([SYNC]).summary
    assert summary["contenders"]["sync"]["sampling_attempts"] == 3
    assert summary["contenders"]["sync"]["faults"] == []
    assert summary["contenders"]["sync"]["cpu_reasons"] == []


def test_when_no_attempt_is_left_the_contender_has_failed(profiling: Profiling) -> None:
    profiling.fake.measure = sampled_badly(StackError("scoring has died"), SAMPLING_ATTEMPTS)
    summary = profiling.run([SYNC]).summary
    assert summary["contenders"]["sync"]["sampling_attempts"] == SAMPLING_ATTEMPTS
    assert said(summary["contenders"]["sync"]["faults"]) == ["scoring has died"]
    assert profiling.calls == []

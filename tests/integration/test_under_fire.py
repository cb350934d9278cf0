"""A short run under fire against real services: what was done to them, what is recorded, and that nothing is left."""

from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from benchmark.contenders.discovery import choose
from benchmark.experiments.experiment import carry_out
from benchmark.experiments.under_fire.experiment import EXPERIMENT
from benchmark.experiments.under_fire.measure import OFFERED
from benchmark.experiments.under_fire.plan import OVERLOAD, PEAK, TROUBLES, UnderFirePlan, assign
from benchmark.experiments.under_fire.schema import TroubleResult, UnderFireSummary
from benchmark.load.plan import Level
from benchmark.measure.faults import FAULTS
from benchmark.measure.progress import Progress
from benchmark.record.run import Run
from tests.conftest import CONTENDERS
from tests.unit.said import said

pytestmark = pytest.mark.integration

# Each with another way to do harm; how services stand it is measured by the experiment, not here.
SHORT = {"redis-killed": 0.2, "redis-nonsense": 0.5, "sigterm": 0.0}  # seconds
PLAN = UnderFirePlan(
    troubles=tuple(
        replace(each, fault=replace(each.fault, seconds=SHORT[each.name])) for each in TROUBLES if each.name in SHORT
    ),
    warmup_s=0.5,
    before_s=1.0,
    after_s=3.0,  # a machine that stands still for a second delays the fault
    rate_rps=30.0,
    levels=(Level(4, 0.2, 0.5),),
    overload_s=1.0,
    rest_s=1.0,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    results = tmp_path_factory.mktemp("results")
    contenders = choose(["async-aiohttp"], CONTENDERS)
    return carry_out(EXPERIMENT, assign(contenders, PLAN, {}), results, Progress(Console(quiet=True)))


@pytest.fixture(scope="module")
def summary(run: Run) -> UnderFireSummary:
    return UnderFireSummary.model_validate(run.summary)


def result_of(summary: UnderFireSummary, name: str) -> TroubleResult:
    ((result,),) = (trouble.results for trouble in summary.troubles if trouble.name == name)
    return result


def test_every_trial_was_measured_and_every_fault_recorded(run: Run) -> None:
    assert {trial.part: trial.status for trial in run.trials()} == dict.fromkeys((*SHORT, PEAK, OVERLOAD), "measured")
    rows = {row["part"]: row for row in run.lines(FAULTS)}
    assert set(rows) == set(SHORT)
    for name, row in rows.items():
        assert row["end_ns"] - row["start_ns"] >= SHORT[name] * 1e9
        assert row["orphans"] == 0


@pytest.mark.parametrize(("name", "status"), [("redis-killed", "503"), ("redis-nonsense", "503")])
def test_a_fault_is_seen_in_the_answers_and_right_ones_come_before_and_after(
    summary: UnderFireSummary, name: str, status: str
) -> None:
    result = result_of(summary, name)
    assert result.answers.get(status, 0) > 0, result
    assert result.before_rps
    assert result.after_rps


def test_while_nobody_listens_connections_are_refused_and_counted_as_such(summary: UnderFireSummary) -> None:
    assert result_of(summary, "sigterm").no_answers.get("refused", 0) > 0


def test_overload_is_offered_on_top_of_what_was_found(run: Run, summary: UnderFireSummary) -> None:
    (row,) = run.lines(OFFERED)
    (overload,) = summary.overload
    assert overload.is_measured, said(summary.reasons)
    assert row["load"]["later"][0][1] == pytest.approx(3 * row["peak_rps"])
    assert overload.answers["200"] > 0


def test_nothing_is_left_and_the_page_is_there(run: Run) -> None:
    left = [each for each in psutil.Process().children(recursive=True) if "fault_proxy" in " ".join(each.cmdline())]
    assert left == []
    page: Path = run.path / "report.html"
    assert "Redis is killed, and comes back" in page.read_text()

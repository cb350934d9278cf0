"""What was foretold stands beside what was measured: the truth is found between the rates that were kept and broken."""

from pathlib import Path
from typing import Any

import pytest

from benchmark.contenders.discovery import choose, discover
from benchmark.experiments.experiment import carry_out
from benchmark.experiments.sizing import measure as sizing_measure
from benchmark.experiments.sizing.answers import answers
from benchmark.experiments.sizing.experiment import EXPERIMENT
from benchmark.experiments.sizing.page import render_page
from benchmark.experiments.sizing.plan import LADDER, assign
from benchmark.experiments.sizing.schema import PlanSummary, SourceRow
from benchmark.load.plan import LoadPlan
from benchmark.measure.trial import Trial
from benchmark.record.run import Run
from tests.unit.benchmark.experiments.sizing.synthetic import foretold, plan_of, write_trial
from tests.unit.benchmark.fakes import FakeStack, fake_stack, make_progress

ASYNC, SYNC = choose(["async", "sync"], discover())


def verified(results: Path, patch: pytest.MonkeyPatch, limit_rps: float) -> tuple[PlanSummary, FakeStack]:
    def measure(trial: Trial, plan: LoadPlan) -> None:
        write_trial(trial.session.run, trial.cell, plan.loads, limit_rps)

    found: dict[str, Any] = {
        "contenders": {"async": foretold(deployment="async"), "sync": foretold(rps=0.0) | {"here": []}},
        "refused": {"strange": "nothing is known of it"},
    }
    patch.setattr(sizing_measure, "foretell", lambda *_: found)
    stack = fake_stack(patch, measure)
    run = carry_out(EXPERIMENT, assign(plan_of([ASYNC, SYNC]), False), results, make_progress())
    return PlanSummary.model_validate(run.summary), stack


def here(cpu_model: str, cores: int) -> dict[str, Any]:
    return {"machine": {"cpu_model": cpu_model, "cores": cores}}


def there(machine: str, cores: int) -> SourceRow:
    return SourceRow(path="run", machine=machine, cores=cores)


def test_a_capacity_lies_between_the_rates_that_were_kept_and_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary, stack = verified(tmp_path, monkeypatch, limit_rps=105.0)
    few, many = summary.contenders["async"].verified
    assert (few.threads, few.workers, few.kept_rps) == (8, 1, 100.0)
    assert few.broken_rps == pytest.approx(110.0)
    assert few.error == pytest.approx(100 / 105 - 1)
    # Of the other, which was to carry 200, even the lowest rate was broken: its capacity was not measured.
    assert (many.kept_rps, many.error) == (None, None)
    assert many.broken_rps == pytest.approx(LADDER[0] * 200)
    assert (summary.within, summary.verified) == (1, 1)
    assert summary.valid, summary.reasons
    started = [each.process[-1].env for each in stack.started]
    assert [env["SERVING_WORKERS"] for env in started] == ["1", "2"]
    assert [env["SERVING_THREADS"] for env in started] == ["8", "32"]


def test_what_was_foretold_is_written_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: list[bool] = []

    def measure(trial: Trial, plan: LoadPlan) -> None:
        there.append((trial.session.run.path / sizing_measure.PREDICTION).exists())
        write_trial(trial.session.run, trial.cell, plan.loads, 1000.0)

    monkeypatch.setattr(sizing_measure, "foretell", lambda *_: {"contenders": {"async": foretold()}, "refused": {}})
    fake_stack(monkeypatch, measure)
    run = carry_out(EXPERIMENT, assign(plan_of([ASYNC]), False), tmp_path, make_progress())
    assert there == [True, True]
    rows = PlanSummary.model_validate(run.summary).contenders["async"].verified
    assert [row.kept_rps for row in rows] == pytest.approx([LADDER[-1] * 100, LADDER[-1] * 200])
    assert [(row.broken_rps, row.error) for row in rows] == [(None, None)] * 2


def test_the_answers_name_the_cheapest_who_cannot_and_how_good_the_prediction_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary, _ = verified(tmp_path, monkeypatch, limit_rps=105.0)
    summary = summary.model_copy(update={"environment": here("Intel", 2), "source": there("Intel", 2)})
    texts = [each.text for each in answers(summary)]
    assert texts[0].startswith("async keeps the promise for the least: 2 pods and 2 of its models")
    assert "sync cannot keep p99<100ms at any rate: alone it takes 50.0 ms on average." in texts
    assert "1 of 1 predicted capacities were within 15 % of what was then measured." in texts
    assert "From no pod, 12 % of the requests to async miss the promise; with 2 kept ready, almost none." in texts
    page = next(tmp_path.glob("*-plan/report.html")).read_text()
    assert "strange: nothing is known of it" in page
    assert all(what in page for what, _ in summary.assumptions)


@pytest.mark.parametrize(
    ("source", "measured", "elsewhere"),
    [
        (there("AMD", 2), here("Intel", 2), "Intel, 2 cores"),
        (there("Intel", 8), here("Intel", 2), "Intel, 2 cores"),
        (there("Intel", 2), here("Intel", 2), ""),
        (there("unknown", 2), here("Intel", 2), ""),
        (there("Intel", 2), {}, ""),
    ],
)
def test_a_prediction_that_was_verified_on_another_machine_is_said_to_be(
    source: SourceRow, measured: dict[str, Any], elsewhere: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary, _ = verified(tmp_path, monkeypatch, limit_rps=105.0)
    summary = summary.model_copy(update={"environment": measured, "source": source})
    assert summary.measured_elsewhere == elsewhere
    said = any("on another machine than the run" in each.text for each in answers(summary))
    page = render_page(Run(next(tmp_path.glob("*-plan"))), summary)
    assert (said, "was recorded on another machine" in page) == (bool(elsewhere), bool(elsewhere))

"""A promise of a contender that answers now and works later, measured once: every request is accounted for."""

from pathlib import Path

import pytest
from rich.console import Console

from benchmark.contenders.discovery import choose, discover
from benchmark.experiments import experiment
from benchmark.experiments.promise.experiment import EXPERIMENT
from benchmark.experiments.promise.plan import assign, make_plan
from benchmark.experiments.promise.schema import PromiseSummary
from benchmark.load.rates import parse_shape
from benchmark.measure.progress import Progress

pytestmark = pytest.mark.integration


def test_first_answers_and_results_are_told_apart_and_every_request_of_the_shape_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experiment, "report", experiment.write_summary)  # pages have tests of their own
    plan = make_plan(parse_shape("20 -> 40 in 1s, hold 500ms"), ["p50<10s"], seed=3, required=())
    assignment = assign(choose(["job-huey"], discover()), plan, {}, free_ports=True)
    run = experiment.carry_out(EXPERIMENT, assignment, tmp_path, Progress(Console(quiet=True)))
    (entry,) = PromiseSummary.model_validate(run.summary).contenders.values()
    (result,), (first,) = entry.outcomes, entry.accepted
    assert result.requests == first.requests == len(plan.shape.arrivals_s(3)) == sum(s.due for s in entry.seconds)
    assert (result.bad, first.bad) == (0, 0), entry.first_error
    assert first.measured_ms is not None
    assert result.measured_ms is not None
    assert first.measured_ms < result.measured_ms

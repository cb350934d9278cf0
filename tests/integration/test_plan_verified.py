"""A plan that is held against real services: what was foretold, what they were offered, and that it is judged."""

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmark.experiments.experiment import carry_out
from benchmark.experiments.sizing import measure
from benchmark.experiments.sizing.choose import Price
from benchmark.experiments.sizing.experiment import EXPERIMENT
from benchmark.experiments.sizing.outlook import Assumed
from benchmark.experiments.sizing.plan import LADDER, WARMUP_WINDOWS, assign, make_plan
from benchmark.experiments.sizing.schema import PlanSummary
from benchmark.experiments.sizing.source import RECORDED, read_source
from benchmark.measure.progress import Progress
from benchmark.record.run import read_samples
from tests.unit.benchmark.experiments.sizing.synthetic import foretold

pytestmark = pytest.mark.integration

RPS = 60.0  # so few that every service keeps them; what is predicted has tests of its own


def test_a_configuration_is_offered_every_rate_and_judged_by_real_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = [{"threads": 8, "workers": 2, "rps": RPS, "bound_rps": 90.0, "binds": "threads", "cpu_ms": 2.0}]
    found = {"contenders": {"sync": foretold() | {"here": here}}, "refused": {}}
    monkeypatch.setattr(measure, "foretell", lambda *_: found)
    source = read_source(RECORDED, ["sync"])
    plan = make_plan(source, 50.0, ["p50<5s"], Price(0.04), "", (), Assumed(), verify=True, quick=True)
    plan = replace(plan, window_s=0.3, samples=1, settle_s=0.1)
    run = carry_out(EXPERIMENT, assign(plan, True), tmp_path, Progress(Console(quiet=True)))

    (trial,) = run.trials()
    assert (trial.status, trial.part, len(trial.windows)) == ("measured", "t8w2", WARMUP_WINDOWS + len(LADDER))
    assert read_samples(run.file("samples", trial, ".csv"))["ok"].all()
    ((row,),) = (entry.verified for entry in PlanSummary.model_validate(run.summary).contenders.values())
    # A machine with something else to do may make arrivals late: then that is said, and nothing is claimed.
    assert row.reasons or row.kept_rps == pytest.approx(LADDER[-1] * RPS)
    assert row.broken_rps is None

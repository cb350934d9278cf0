"""`explain` without processes: cells are recorded with figures that follow from the factors."""

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmark.contenders.discovery import Contender, choose, discover
from benchmark.contenders.service_settings import with_overrides
from benchmark.experiments.experiment import carry_out
from benchmark.experiments.gap.experiment import EXPERIMENT
from benchmark.experiments.gap.factors import Design, read_factors
from benchmark.experiments.gap.measure import assign
from benchmark.experiments.gap.plan import ExplainPlan, Phase, adjust
from benchmark.experiments.prediction import model as prediction
from benchmark.experiments.prediction.what_ifs import read_what_ifs
from benchmark.load.plan import Level, LoadPlan
from benchmark.measure.trial import Trial
from benchmark.record.run import Run, TrialRecord
from benchmark.report.charts import picture
from tests.unit.benchmark.conftest import NO_DRAWING
from tests.unit.benchmark.fakes import Measure, failing, fake_stack, make_progress
from tests.unit.benchmark.synthetic import CPU, SECOND_NS, START_NS, Held, write_files

KNOWN = {name: contender for name, contender in discover().items() if contender.default and not contender.harness_floor}


def levels(*users: int) -> tuple[Level, ...]:
    return tuple(Level(each, 0.1, 0.2) for each in users)


PLAN = ExplainPlan(
    light=Phase(1, levels(1, 2)),
    cell=Phase(3, levels(1, 8)),
    clock=Phase(3, levels(1, 8)),
    lag=None,
    whatif=Phase(1, levels(8)),
    map=Phase(2, levels(1, 8)),
    burst_s=0.1,
    cpu_ms=(2, 20),
)
# Four cells in place of sixteen, for tests to which it does not matter how many there are.
SMALL: dict[str, Any] = {
    "factors": ("runtime", "fan_out"),
    "clock": None,
    "map": Phase(1, levels(1, 8)),
    "cpu_ms": (2,),
}
# All sixteen cells, and as little as there can be beside them.
CELLS_ONLY: dict[str, Any] = {"clock": None, "what_ifs": 0, "map": Phase(1, levels(1)), "cpu_ms": (2,)}


def latency_ms(contender: Contender, block: int) -> float:
    """The sum of what the factors do: 45 ms by fan-out, 2 by the client, 1 by the runtime, and block by block more."""
    env = next(process.env for process in contender.process if process.role == "scoring")
    concurrent = env.get("SERVING_FAN_OUT", "concurrent" if "/async/" in contender.endpoint else "sequential")
    lean = env.get("SERVING_HTTP_CLIENT", "") in {"urllib3", "aiohttp"}
    return 100.0 - 45.0 * (concurrent == "concurrent") - 2.0 * lean - 1.0 * ("/async/" in contender.endpoint) + block


def measure_well(trial: Trial, load: LoadPlan) -> None:
    """Record what `latency_ms` says at every level; the stage clock costs half a millisecond."""
    run, contender, cell = trial.session.run, trial.contender, trial.cell
    each_ms = latency_ms(contender, cell.block) + 0.5 * load.stage_clock
    held = [Held(level.users, each_ms, cpu={**CPU, "scoring": 0.3}) for level in (*load.levels, *load.climb)]
    write_files(run, cell, *held)
    if load.stage_clock:
        _add_stages(run, cell, (40.0, 46.0 + 2 / 3) if contender.floor == "max" else (45.0, 45.0))


def _add_stages(run: Run, cell: TrialRecord, drawn_ms: tuple[float, float]) -> None:
    """Have all answers name the stages of the server, a few milliseconds less than the client has seen."""
    path = run.file("samples", cell, ".csv")
    samples = pd.read_csv(path)
    models_ms = samples["latency_ns"] / 1e6 - 5
    stages = "queue;dur=0.4, parse;dur=0.2, features;dur=1.0, models;dur=" + models_ms.map("{:.3f}".format)
    drawn = "".join(f", drawn;desc={i};dur={ms:.6f}" for i, ms in enumerate(drawn_ms, 1))
    samples.assign(server_timing=stages + drawn + ", respond;dur=0.2").to_csv(path, index=False)


def stopping(label: str, error: BaseException, block: int = 0) -> Measure:
    """Return a way to measure that raises at one cell, and measures all others."""
    return failing(label, error, block, measure_well)


class Explain:
    """`explain` on a stack that is none."""

    def __init__(self, results: Path, patch: pytest.MonkeyPatch) -> None:
        self.results, self.output = results, io.StringIO()
        self.fake = fake_stack(patch)
        self.told_ns = START_NS - 5 * SECOND_NS  # when predictions are written down; all cells begin at START_NS
        self.last: Run
        patch.setattr("benchmark.experiments.prediction.measure.monotonic_ns", lambda: self.told_ns)
        patch.setattr(picture, "svg_file", lambda draw, layout: NO_DRAWING)
        # Neither bursts on real processes nor a minute of simulation; both have tests of their own.
        patch.setattr("benchmark.experiments.prediction.measure.measure_bursts", lambda *_: None)
        for name, nothing in (("calibrated", None), ("predict", {}), ("predict_map", [])):
            patch.setattr(prediction, name, lambda *_, nothing=nothing: nothing)

    def run(
        self,
        measure: Measure = measure_well,
        from_: str = "sync",
        to: str = "async-aiohttp",
        settings: dict[str, str] | None = None,
        factors: Sequence[str] = (),
        **changes: Any,
    ) -> Run:
        self.fake.measure = measure
        known = {c.name: c for c in with_overrides(KNOWN.values(), settings or {})}
        design = Design(read_factors().model_copy(update={"from_": from_, "to": to}), known, factors)
        plan = adjust(replace(PLAN, **changes), design, None, 1, free_ports=True)
        assignment = assign(design, choose(known, known), read_what_ifs(known), plan, settings or {})
        self.last = carry_out(EXPERIMENT, assignment, self.results, make_progress(self.output))
        return self.last

    @property
    def measured(self) -> list[tuple[str, int]]:
        """What was measured by now: label and block."""
        return [(label, block) for block, label in self.fake.measured]

    @property
    def contenders(self) -> dict[str, Contender]:
        """Contenders as they were measured last, by label."""
        return self.fake.contenders

    @property
    def summary(self) -> dict[str, Any]:
        """The summary of the last run."""
        return self.last.summary


@pytest.fixture
def explaining(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Explain:
    return Explain(tmp_path / "results", monkeypatch)

"""`explain` without processes: cells are recorded with figures that follow from the factors."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from benchmark.contenders.discovery import Contender, choose, discover
from benchmark.contenders.service_settings import with_overrides
from benchmark.experiments.gap.factors import Design, read_factors
from benchmark.experiments.gap.measure import run_explain
from benchmark.experiments.gap.plan import ExplainPlan, Phase, adjust
from benchmark.experiments.prediction import model as prediction
from benchmark.experiments.prediction.what_ifs import read_what_ifs
from benchmark.load.plan import Level
from benchmark.measure import blocks
from benchmark.measure.progress import Progress
from benchmark.measure.trial import CellPlan
from benchmark.record import provenance
from benchmark.record.run import Cell, Run
from benchmark.report.charts import picture
from tests.unit.benchmark.synthetic import CPU, SECOND_NS, START_NS, Held, write_files
from tests.unit.conftest import NO_DRAWING

KNOWN = {name: contender for name, contender in discover().items() if contender.default and not contender.harness_floor}
Measure = Callable[[Run, Contender, Cell, CellPlan], None]


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


def latency_ms(contender: Contender, block: int) -> float:
    """The sum of what the factors do: 45 ms by fan-out, 2 by the client, 1 by the runtime, and block by block more."""
    env = next(process.env for process in contender.process if process.role == "scoring")
    concurrent = env.get("SERVING_FAN_OUT", "concurrent" if "/async/" in contender.endpoint else "sequential")
    lean = env.get("SERVING_HTTP_CLIENT", "") in {"urllib3", "aiohttp"}
    return 100.0 - 45.0 * (concurrent == "concurrent") - 2.0 * lean - 1.0 * ("/async/" in contender.endpoint) + block


def measure_well(run: Run, contender: Contender, cell: Cell, plan: CellPlan) -> None:
    """Record what `latency_ms` says at every level; the stage clock costs half a millisecond."""
    each_ms = latency_ms(contender, cell.block) + 0.5 * plan.stage_clock
    held = [Held(level.users, each_ms, cpu={**CPU, "scoring": 0.3}) for level in (*plan.levels, *plan.climb)]
    write_files(run, cell, *held)
    if plan.stage_clock:
        _add_stages(run, cell, (40.0, 46.0 + 2 / 3) if contender.floor == "max" else (45.0, 45.0))


def _add_stages(run: Run, cell: Cell, drawn_ms: tuple[float, float]) -> None:
    """Have all answers name the stages of the server, a few milliseconds less than the client has seen."""
    path = run.file("samples", cell, ".csv")
    samples = pd.read_csv(path)
    models_ms = samples["latency_ns"] / 1e6 - 5
    stages = "queue;dur=0.4, parse;dur=0.2, features;dur=1.0, models;dur=" + models_ms.map("{:.3f}".format)
    drawn = "".join(f", drawn;desc={i};dur={ms:.6f}" for i, ms in enumerate(drawn_ms, 1))
    samples.assign(server_timing=stages + drawn + ", respond;dur=0.2").to_csv(path, index=False)


def stopping(label: str, error: BaseException, block: int = 0) -> Measure:
    """Return a way to measure that raises at one cell, and measures all others."""

    def measure(run: Run, contender: Contender, cell: Cell, plan: CellPlan) -> None:
        if (cell.contender, cell.block) == (label, block):
            raise error
        measure_well(run, contender, cell, plan)

    return measure


class Explain:
    """`explain` with another way to measure a cell; remembers what was measured, and with which plan."""

    def __init__(self, results: Path, patch: pytest.MonkeyPatch) -> None:
        self.results, self._patch = results, patch
        self.measured: list[tuple[str, int]] = []
        self.plans: dict[str, CellPlan] = {}
        self.contenders: dict[str, Contender] = {}
        self.output = io.StringIO()
        self.told_ns = START_NS - 5 * SECOND_NS  # when predictions are written down; all cells begin at START_NS
        self.last: Run
        patch.setattr(provenance, "busy_share", lambda: 0.01)
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
        **changes: Any,
    ) -> Run:
        def measure_cell(run: Run, contender: Contender, cell: Cell, plan: CellPlan, *_: Any) -> None:
            self.measured.append((cell.contender, cell.block))
            self.plans[cell.contender], self.contenders[cell.contender] = plan, contender
            measure(run, contender, cell, plan)

        self._patch.setattr(blocks, "measure_cell", measure_cell)
        known = {c.name: c for c in with_overrides(KNOWN.values(), settings or {})}
        design = Design(read_factors().model_copy(update={"from_": from_, "to": to}), known)
        plan = adjust(replace(PLAN, **changes), design, None, 1, free_ports=True)
        mains, progress = choose(known, known), Progress(Console(file=self.output))
        self.last = run_explain(self.results, design, mains, read_what_ifs(known), plan, settings or {}, progress)
        return self.last

    @property
    def summary(self) -> dict[str, Any]:
        """The summary of the last run."""
        return self.last.summary


@pytest.fixture
def explaining(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Explain:
    return Explain(tmp_path / "results", monkeypatch)

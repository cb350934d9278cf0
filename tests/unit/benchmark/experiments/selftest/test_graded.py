"""Other generators are held to what requests at their rate met."""

from dataclasses import replace
from typing import Any

import pytest

from benchmark.experiments.selftest import measure as selftest_measure
from benchmark.experiments.selftest.page import render_page
from benchmark.experiments.selftest.plan import QUICK
from benchmark.experiments.selftest.schema import SelftestSummary
from benchmark.record.run import Run
from tests.unit.benchmark.experiments.selftest.synthetic import record
from tests.unit.said import said

# Of 1.4 s, half a second stalls: requests that are due evenly wait 0.18 s longer on average.
TRUE_MEAN_MS = 50 + 1000 * (0.5**2 / 2 + 0.05 * 0.5) / 1.4
HEY = "  Average:\t{mean:.4f} secs\n  50% in 0.0505 secs\n  99% in 0.0521 secs\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    def output(_: Any, name: str, argv: list[str], __: float) -> str:
        return HEY.format(mean=0.0053 if "-q" not in argv else 0.0625) if name == "hey" else "unable to connect"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selftest_measure, "_output", output)
        plan = replace(QUICK, others=("hey", "wrk"))
        return record(tmp_path_factory.mktemp("results"), patch, plan=plan)


def test_a_generator_is_graded_by_what_it_says_and_what_it_adds(run: Run) -> None:
    hey = SelftestSummary.model_validate(run.summary).others[0]
    assert hey.truth
    assert hey.truth.mean_ms == pytest.approx(TRUE_MEAN_MS, rel=0.01)
    assert hey.said == pytest.approx((62.5, 50.5, 52.1))
    assert hey.errors
    assert hey.errors.mean_pct == pytest.approx(100 * (62.5 / TRUE_MEAN_MS - 1), rel=0.02)
    assert hey.errors.p99_pct
    assert hey.errors.p99_pct < -85
    assert hey.overhead_p50_ms == pytest.approx(45.5)


def test_one_that_says_nothing_is_named_with_its_output_and_speaks_against_nobody_else(run: Run) -> None:
    summary = SelftestSummary.model_validate(run.summary)
    wrk = summary.others[1]
    assert "it ends: unable to connect" in wrk.failed
    assert (wrk.said, wrk.errors) == (None, None)
    assert summary.valid, said(summary.reasons)
    page = render_page(run, summary)
    assert "closed loop, slowed down to the rate" in page
    assert "unable to connect" in page

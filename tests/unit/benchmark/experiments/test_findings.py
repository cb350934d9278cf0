"""Findings say what the figures of a summary carry, and nothing else."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmark.analysis.findings import Finding, finding
from benchmark.analysis.reasons import because
from benchmark.analysis.summary import summarise
from tests.unit.benchmark.synthetic import Held, make_contender, make_run, record

A, B = make_contender("a"), make_contender("b")
ANSWERED = 4  # blocks


def found(summary: dict[str, Any], contender: str, figure: str) -> Finding:
    (each,) = [f for f in summary["findings"] if (f["contender"], f["figure"]) == (contender, figure)]
    return Finding.model_validate(each)


def two(tmp_path: Path, failing: Sequence[str] = ()) -> dict[str, Any]:
    """Return the summary of two contenders, b at half the latency of a; who fails has errors at every level."""
    run = make_run(tmp_path, [A, B], blocks=ANSWERED)
    for block in range(ANSWERED):
        for label, ms in (("a", 100.0 + block), ("b", 50.0 + block)):
            errors = 3 if label in failing else 0
            levels = (Held(1, ms, errors=errors), Held(4, ms, errors=errors), Held(8, 2 * ms, errors=errors))
            record(run, block, label, *levels)
    return summarise(run, [A, B])


def test_a_finding_is_the_figure_of_the_summary_and_its_ratio_to_the_baseline(tmp_path: Path) -> None:
    summary = two(tmp_path)
    mean = found(summary, "b", "low_load_mean_ms")
    assert mean.value == summary["contenders"]["b"]["low_load"]["mean_ms"]
    assert (mean.versus, mean.shown, mean.valid, mean.reasons) == ("a", True, True, ())
    assert mean.ratio == pytest.approx(0.5, rel=0.03)
    assert mean.ratio is not None
    assert mean.ratio_ci95 is not None
    assert mean.ratio_ci95[0] < mean.ratio < mean.ratio_ci95[1]
    assert "times a's" in mean.text
    assert found(summary, "b", "peak_rps").ratio == pytest.approx(2.0, rel=0.03)
    assert found(summary, "a", "low_load_mean_ms").versus is None


def test_an_invalid_figure_says_why_and_shows_nothing(tmp_path: Path) -> None:
    mean = found(two(tmp_path, failing=["b"]), "b", "low_load_mean_ms")
    assert (mean.valid, mean.shown, mean.reasons) == (False, False, ("errors",))
    assert mean.text.endswith("INVALID.")


def test_nothing_is_compared_with_an_invalid_baseline(tmp_path: Path) -> None:
    mean = found(two(tmp_path, failing=["a"]), "b", "low_load_mean_ms")
    assert (mean.valid, mean.versus, mean.ratio, mean.shown) == (True, None, None, False)


def test_a_rate_that_may_rise_further_is_no_peak(tmp_path: Path) -> None:
    run = make_run(tmp_path, [A], blocks=2)
    for block in range(2):
        record(run, block, "a", Held(1, 50.0), Held(4, 50.0))
    figures = {each["figure"] for each in summarise(run, [A])["findings"]}
    assert "highest_rps" in figures
    assert "peak_rps" not in figures


def test_an_invalid_finding_is_never_shown_whatever_is_said_of_it() -> None:
    each = finding("?", "b", "x_ms", "ms", 1.0, [because("not_measured")], versus="a", ratio=0.5, shown=True)
    assert (each.shown, each.valid) == (False, False)

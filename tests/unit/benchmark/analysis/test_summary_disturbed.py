"""What others did on the machine while a level was measured, in the summary."""

from pathlib import Path

import pytest

from benchmark.analysis.summary import summarise
from benchmark.record.resources import BUSY, HARNESS, IDLE, STEAL
from tests.unit.benchmark.synthetic import CPU, Held, make_contender, make_run, record
from tests.unit.said import said


def beside(foreign: float, steal: float = 0.0) -> dict[str, float]:
    """Return cores by role on a machine of two of which others use so many."""
    busy = sum(CPU.values()) + 0.05 + foreign
    return {**CPU, HARNESS: 0.05, BUSY: busy, STEAL: steal, IDLE: 2 - busy - steal}


@pytest.mark.parametrize("label", ["a", "null"])
def test_a_level_that_was_disturbed_is_invalid_and_says_by_whom(tmp_path: Path, label: str) -> None:
    contender = make_contender(label, floor="none" if label == "null" else "max", harness_floor=label == "null")
    run = make_run(tmp_path, [contender], blocks=4)
    for block, foreign in enumerate((0.0, 0.0, 0.02, 0.8)):
        record(run, block, label, Held(1, 50), Held(4, 50, cpu=beside(foreign)), Held(8, 50, cpu=beside(0.0, 0.5)))
    run.write_json("summary.json", summarise(run, [contender]))
    summary = run.summary
    assert not summary["valid"]
    assert said(summary["reasons"]) == [
        f"{label}: other programs used 40 % of the machine in the worst of 4 blocks (limit 20 %) at 4 users: "
        "stop them and measure again",
        f"{label}: the hypervisor gave 25 % of the machine to other virtual machines (limit 10 %) at 8 users: "
        "measure again",
    ]
    alone, four, eight = summary["contenders"][label]["levels"]
    assert [level["valid"] for level in (alone, four, eight)] == [True, False, False]
    assert (alone["foreign_share"], alone["steal_share"]) == (None, None)
    assert (four["foreign_share"], eight["steal_share"]) == pytest.approx((0.1025, 0.25), abs=1e-3)
    assert set(four["cpu_ms_per_request"]) == set(CPU)
    assert set(summary["contenders"][label]["rss_mb"]) == set(CPU)

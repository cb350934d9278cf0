"""What several calibrations say together."""

from typing import Any

import pytest

from benchmark.experiments.prediction.measure import combined


def told(rps: float, calibrated: bool = True, **changes: Any) -> dict[str, Any]:
    known = {
        "written_utc": f"2026-11-21T05:{rps:02.0f}:00Z",
        "contenders": {
            "sync": [
                {"users": 1, "calibrated": True, "rps": 10.0, "p50_ms": 95.0, "cpu_ms": {"scoring": 10.0}},
                {"users": 8, "calibrated": calibrated, "rps": rps, "p50_ms": 1e4 / rps, "cpu_ms": {}},
            ]
        },
        "what_if": [{"what_if": 0, "users": 8, "rps": 2 * rps, "p50_ms": 50.0}],
        "crossover": [{"cpu_ms": 2, "users": 1, "ratio": rps / 10}],
    }
    return {**known, **changes}


def test_several_predictions_of_a_contender_are_geometric_means() -> None:
    found = combined([told(20.0), told(45.0)])
    alone, eight = found["contenders"]["sync"]
    assert (alone["rps"], alone["p50_ms"]) == pytest.approx((10.0, 95.0))
    assert (eight["rps"], eight["p50_ms"]) == pytest.approx((30.0, 1e4 / 30))
    assert found["peaks"] == {"sync": {"users": 8, "rps": eight["rps"]}}
    assert found["what_if"][0]["rps"] == pytest.approx(60.0)
    assert found["crossover"][0]["ratio"] == pytest.approx(3.0)
    assert found["written_utc"] == "2026-11-21T05:20:00Z"


def test_the_peak_is_that_of_the_means() -> None:
    """One sees it at 8 users, the other at one."""
    found = combined([told(20.0), told(4.0)])
    assert found["peaks"]["sync"] == {"users": 1, "rps": pytest.approx(10.0)}


def test_what_was_learnt_from_in_any_block_is_not_called_predicted() -> None:
    found = combined([told(20.0, calibrated=False), told(20.0), told(20.0, calibrated=False)])
    assert [row["calibrated"] for row in found["contenders"]["sync"]] == [True, True]
    never = combined([told(20.0, calibrated=False), told(20.0, calibrated=False)])
    assert [row["calibrated"] for row in never["contenders"]["sync"]] == [True, False]


def test_contenders_are_told_one_by_one_and_the_map_apart() -> None:
    sync, map_ = (
        told(20.0),
        {"written_utc": "2026-11-21T05:30:00Z", "crossover": [{"cpu_ms": 2, "users": 4, "ratio": 3}]},
    )
    other = told(45.0)
    other = {**other, "contenders": {"async": other["contenders"]["sync"]}, "what_if": [], "crossover": []}
    found = combined([sync, other, map_])
    assert {name: peak["rps"] for name, peak in found["peaks"].items()} == pytest.approx({"sync": 20.0, "async": 45.0})
    assert {row["users"]: row["ratio"] for row in found["crossover"]} == pytest.approx({1: 2.0, 4: 3.0})
    assert found["parts"] == [sync, other, map_]


def test_a_contender_that_could_not_be_calibrated_once_is_told_from_the_other_time() -> None:
    found = combined([{"written_utc": "2026-11-21T05:10:00Z", "not_calibrated": {"sync": "why"}}, told(45.0)])
    assert found["peaks"]["sync"]["rps"] == pytest.approx(45.0)
    assert found["what_if"][0]["rps"] == pytest.approx(90.0)


def test_nothing_but_failures_predicts_nothing() -> None:
    found = combined([{"written_utc": "2026-11-21T05:10:00Z", "not_calibrated": {"sync": "why"}}])
    assert (found["contenders"], found["peaks"], found["what_if"], found["crossover"]) == ({}, {}, [], [])

"""Rounds of prediction: which blocks are theirs, and what several of them say together."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.experiment4_gap.rounds import blocks_of_round, combined


@given(blocks=st.integers(0, 12), rounds=st.integers(1, 4))
def test_every_block_is_in_one_round_in_order_and_none_has_two_more(blocks: int, rounds: int) -> None:
    shared = [blocks_of_round(blocks, number, rounds) for number in range(rounds)]
    assert [block for each in shared for block in each] == list(range(blocks))
    assert max(map(len, shared)) - min(map(len, shared)) <= 1


def told(rps: float, calibrated: bool = True, **changes: Any) -> dict[str, Any]:
    known = {
        "written_utc": f"2026-11-21T05:{rps:02.0f}:00Z",
        "contenders": {
            "sync": [
                {"users": 1, "calibrated": True, "rps": 10.0, "p50_ms": 95.0, "utilisation": {"scoring": 0.1}},
                {"users": 8, "calibrated": calibrated, "rps": rps, "p50_ms": 1e4 / rps, "utilisation": {}},
            ]
        },
        "peaks": {"sync": {"users": 8, "rps": rps}},
        "what_if": [{"what_if": 0, "users": 8, "rps": 2 * rps, "p50_ms": 50.0}],
        "crossover": [{"cpu_ms": 2, "users": 1, "ratio": rps / 10}],
    }
    return {**known, **changes}


def test_several_rounds_are_geometric_means() -> None:
    found = combined([told(20.0), told(45.0)])
    alone, eight = found["contenders"]["sync"]
    assert (alone["rps"], alone["p50_ms"]) == pytest.approx((10.0, 95.0))
    assert (eight["rps"], eight["p50_ms"]) == pytest.approx((30.0, 1e4 / 30))
    assert found["peaks"] == {"sync": {"users": 8, "rps": eight["rps"]}}
    assert found["what_if"][0]["rps"] == pytest.approx(60.0)
    assert found["crossover"][0]["ratio"] == pytest.approx(3.0)
    assert found["written_utc"] == "2026-11-21T05:20:00Z"


def test_the_peak_is_that_of_the_means() -> None:
    """One round sees it at 8 users, the other at one."""
    found = combined([told(20.0), told(4.0)])
    assert found["peaks"]["sync"] == {"users": 1, "rps": pytest.approx(10.0)}


def test_calibrated_is_what_every_round_has_learnt_from() -> None:
    found = combined([told(20.0), told(20.0, calibrated=False)])
    assert [row["calibrated"] for row in found["contenders"]["sync"]] == [True, False]


def test_a_contender_that_one_round_could_not_calibrate_is_told_from_the_other() -> None:
    found = combined([told(20.0, contenders={}, peaks={}, what_if=[], crossover=[]), told(45.0)])
    assert found["peaks"]["sync"]["rps"] == pytest.approx(45.0)
    assert found["what_if"][0]["rps"] == pytest.approx(90.0)


def test_one_round_is_itself() -> None:
    one = told(20.0)
    found = combined([one])
    assert found["rounds"] == [one]
    assert found["peaks"]["sync"]["rps"] == pytest.approx(20.0)

"""The breaking point on ramps whose truth is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmark.experiments.breaking_point.ramp import Ramp, bin_ramp, find_breaking_point

LOW_P95_MS = 50.0


def ramp(capacity_rps: float, slow_from_rps: float = np.inf, noise: float = 0.0, highest_rps: int = 300) -> Ramp:
    """Return a ramp whose goodput follows the offer up to a capacity, and whose p95 leaves the limit at a rate."""
    offered = np.arange(1, highest_rps + 1, dtype=float)
    wobble = np.random.default_rng(7).normal(0, 1, offered.size)
    goodput = np.minimum(offered, capacity_rps) * (1 + noise * wobble)
    p95 = np.where(offered > slow_from_rps, 400.0, 55.0)
    return Ramp(1.0, offered, goodput, p95 * 0.9, p95)


@pytest.mark.parametrize("capacity", [60.0, 150.0, 240.0])
def test_goodput_that_stops_following_is_found_where_it_stops(capacity: float) -> None:
    found = find_breaking_point(ramp(capacity, noise=0.03), LOW_P95_MS)
    assert found.broke
    assert found.reason == "goodput"
    assert found.rps == pytest.approx(capacity, rel=0.06)
    assert found.low_rps <= found.rps <= found.high_rps


def test_latency_that_leaves_its_limit_breaks_first() -> None:
    found = find_breaking_point(ramp(capacity_rps=200, slow_from_rps=120), LOW_P95_MS)
    assert found.reason == "p95"
    assert found.rps == pytest.approx(120, abs=1)


def test_one_slow_second_is_no_break() -> None:
    calm = ramp(capacity_rps=np.inf)
    calm.p95_ms[100] = 900.0
    found = find_breaking_point(calm, LOW_P95_MS)
    assert not found.broke
    assert found.rps == calm.offered_rps.max()


def test_a_ramp_that_never_breaks_says_so() -> None:
    found = find_breaking_point(ramp(capacity_rps=np.inf, noise=0.03), LOW_P95_MS)
    assert (found.broke, found.reason) == (False, "not reached")


@pytest.mark.parametrize("behind_s", [-0.5, 0.5])
@pytest.mark.parametrize("capacity", [np.inf, 300.0])
def test_a_steep_ramp_whose_users_ask_later_than_they_are_started_is_followed(behind_s: float, capacity: float) -> None:
    # Fifty more users every second, as in a shortened stress test.
    offered = np.arange(26, 1026, 50, dtype=float)
    goodput = np.minimum(offered - behind_s * 50, capacity)
    found = find_breaking_point(Ramp(50.0, offered, goodput, np.full(20, 50.0), np.full(20, 55.0)), LOW_P95_MS)
    assert found.broke is (capacity < np.inf)
    assert found.rps == pytest.approx(min(capacity, 976.0), abs=75)  # a bin and a half


def test_a_short_steep_ramp_whose_first_user_began_early_did_not_break() -> None:
    """As measured: every answer came within 60 ms, and each second brought as many as had been started half a second
    before; without room for that the fit breaks at the first bin."""
    offered = np.arange(26, 427, 50, dtype=float)
    goodput = np.array([3, 55, 104, 156, 205, 256, 306, 354, 408], dtype=float)
    steady = Ramp(50.0, offered, goodput, np.full(9, 50.0), np.full(9, 55.0))
    assert not find_breaking_point(steady, LOW_P95_MS).broke
    assert find_breaking_point(replace(steady, step_rps=0.0), LOW_P95_MS).rps == 26


def test_how_much_the_offer_grows_in_one_pacing_is_read_off_the_plan() -> None:
    rows = [{"ok": True, "end_ns": 1, "latency_ms": 50.0}]
    assert bin_ramp(pd.DataFrame(rows), np.array([1.0, 51, 101, 101]), pacing_s=1.0, start_ns=0).step_rps == 50
    assert bin_ramp(pd.DataFrame(rows), np.array([100.0, 100]), pacing_s=1.0, start_ns=0).step_rps == 0


def test_seconds_in_which_the_plan_had_already_ended_are_not_taken_for_a_break() -> None:
    # One user more every second; the last second of the plan is cut off, as it is when users start late.
    users = np.arange(1, 41, dtype=float)
    rows = [
        {"ok": True, "end_ns": int((second + k / n) * 1e9), "latency_ms": 50.0}
        for second, n in enumerate(users.astype(int)[:-1])
        for k in range(n)
    ]
    found = bin_ramp(pd.DataFrame(rows), users, pacing_s=1.0, start_ns=0)
    assert found.offered_rps.tolist() == users[:-1].tolist()
    assert found.goodput_rps.tolist() == users[:-1].tolist()
    assert not find_breaking_point(found, LOW_P95_MS).broke

"""The interval holds the capacity of servers of which it is known; `tests/capacity` says how often."""

import numpy as np
import pytest

from benchmark.experiments.capacity.search import Standing
from benchmark.load.arrivals import arrivals_until
from tests.capacity.laws import LAWS, latencies_s
from tests.capacity.simulate import search
from tests.capacity.truths import late_mmc, true_capacity_rps


@pytest.mark.parametrize("name", ["M/M/4", "limit"])
def test_a_search_finds_a_known_capacity_within_six_minutes(name: str) -> None:
    truth = true_capacity_rps(name)
    found, minutes = search(name, seed=2)
    assert found.standing is Standing.FOUND
    assert found.estimate is not None
    assert found.estimate.low_rps <= truth <= found.estimate.high_rps
    assert found.estimate.half_width < 0.12
    assert minutes <= 6


@pytest.mark.parametrize("name", ["M/M/4", "limit"])
def test_a_simulated_server_misses_its_promise_as_often_as_theory_says(name: str) -> None:
    law = LAWS[name]
    latency_s, refused = latencies_s(law, arrivals_until(true_capacity_rps(name), 3, 900.0), seed=3)
    assert np.mean(refused | (latency_s * 1e3 >= law.limit_ms)) == pytest.approx(law.allowed, rel=0.25)


def test_with_one_server_the_sojourn_time_is_exponential() -> None:
    """M/M/1: P(T > t) = exp(-(mu - lambda) t)."""
    assert late_mmc(80.0, 100.0, 1, 0.1) == pytest.approx(np.exp(-2.0), rel=1e-6)

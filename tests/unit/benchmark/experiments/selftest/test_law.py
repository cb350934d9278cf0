"""The absorber's times are known: by law, by seed, and through a stall."""

import json
from itertools import islice

import numpy as np
import pytest

from benchmark.contenders.absorber.law import STRATA, Stall, service_times_ms
from benchmark.contenders.absorber.serve import Absorber
from benchmark.errors import ContenderError


@pytest.mark.parametrize(
    ("law", "mean_ms", "p50_ms"),
    [("constant 50", 50.0, 50.0), ("exponential 50", 50.0, 34.66), ("bimodal 30 150 0.1", 42.0, 30.0)],
)
def test_the_draws_have_the_mean_and_the_median_of_their_law(law: str, mean_ms: float, p50_ms: float) -> None:
    drawn = list(islice(service_times_ms(law, 1), STRATA))
    assert np.mean(drawn) == pytest.approx(mean_ms, rel=0.005)
    assert np.median(drawn) == pytest.approx(p50_ms, rel=0.005)


def test_a_seed_draws_the_same_again_in_an_order_of_its_own() -> None:
    one, again, other = (list(islice(service_times_ms("exponential 50", seed), STRATA)) for seed in (1, 1, 2))
    assert one == again != other
    assert sorted(one) == sorted(other)


@pytest.mark.parametrize("law", ["", "constant", "gamma 3", "constant fast"])
def test_what_is_no_law_is_refused(law: str) -> None:
    with pytest.raises(ContenderError, match="expected such as 'constant 50'"):
        service_times_ms(law, 1)


@pytest.mark.parametrize(
    ("arrival", "latency"),
    [
        (9.0, 0.5),  # answered before the stall
        (9.8, 2.5),  # under way when it begins: all of it, and the rest of the time
        (10.0, 2.5),
        (11.5, 1.0),
        (12.0, 0.5),  # it is over
    ],
)
def test_in_a_stall_nothing_goes_on(arrival: float, latency: float) -> None:
    assert Stall(10.0, 12.0).latency(arrival, 0.5) == pytest.approx(latency)


def test_the_first_request_decides_when_the_stall_is_and_the_absorber_says_so() -> None:
    absorber = Absorber(service_times_ms("constant 50", 1), stall_after_s=4.0, stall_s=2.0)
    assert json.loads(absorber.truth()) == {
        "first_ns": None, "stall_start_ns": None, "stall_end_ns": None, "requests": 0,
    }  # fmt: skip
    assert absorber.due(100.0) == pytest.approx((50.0, 100.05))
    assert absorber.due(105.0) == pytest.approx((50.0, 106.05))
    assert json.loads(absorber.truth()) == {
        "first_ns": 100 * 10**9, "stall_start_ns": 104 * 10**9, "stall_end_ns": 106 * 10**9, "requests": 2,
    }  # fmt: skip

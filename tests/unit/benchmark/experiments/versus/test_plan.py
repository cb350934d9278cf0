"""How much is asked: the same of both, within what is polite on a machine of others."""

import pytest

from benchmark.errors import SidesRefused
from benchmark.experiments.versus.plan import QUICK, USUAL, Size, make_plan
from benchmark.experiments.versus.sides import POLITE_REQUESTS, Side, request_limit
from tests.unit.benchmark.experiments.versus.synthetic import url_side

FAST, SLOW = {"A": 2.0, "B": 3.0}, {"A": 90.0, "B": 2_000.0}


@pytest.mark.parametrize("size", [USUAL, QUICK], ids=["usual", "quick"])
@pytest.mark.parametrize("latency_ms", [FAST, SLOW], ids=["fast", "slow"])
def test_another_machine_gets_at_most_ten_requests_a_second_and_a_thousand_in_all(
    size: Size, latency_ms: dict[str, float]
) -> None:
    pair = [url_side("A", "private network"), url_side("B", "private network")]
    limit = request_limit(pair, None)
    assert limit == POLITE_REQUESTS  # each has a host of its own
    plan = make_plan(size, latency_ms, 10.0, limit, is_polite=True)
    assert plan.requests <= limit
    assert plan.one_user.every_s == 0.1
    assert plan.blocks == size.blocks


def test_two_services_of_one_host_share_its_requests() -> None:
    one, other = url_side("A", "elsewhere"), url_side("B", "elsewhere")
    same = Side(other.contender.model_copy(update={"url": f"{one.contender.url}/b"}), other.where)
    assert request_limit([one, same], None) == POLITE_REQUESTS // 2
    assert request_limit([one, same], 5_000) == 2_500


def test_this_machine_is_asked_as_fast_as_it_answers() -> None:
    assert request_limit([url_side("A"), url_side("B")], None) is None
    plan = make_plan(USUAL, FAST, 10.0, None, is_polite=False)
    assert plan.one_user.every_s == 0
    assert plan.one_user.count == 1_000  # three seconds of the slower one


def test_more_than_is_allowed_is_refused_with_what_to_do() -> None:
    with pytest.raises(SidesRefused, match=r"8 blocks take .* and 50 are allowed: give fewer --blocks, a lower --rate"):
        make_plan(USUAL, FAST, 10.0, 50, is_polite=True)


def test_both_are_asked_at_the_very_same_times_in_every_block() -> None:
    plan = make_plan(QUICK, FAST, 10.0, None, is_polite=False)
    assert plan.arrivals(0) == plan.arrivals(0)
    assert plan.arrivals(0) != plan.arrivals(1)

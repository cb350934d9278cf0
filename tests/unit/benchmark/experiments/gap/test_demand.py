"""Demands from light levels and bursts: what is learnt, and what is left out."""

from dataclasses import replace

import numpy as np
import pytest

from benchmark.analysis.level_figures import LevelFigures
from benchmark.experiments.prediction.bursts import Burst
from benchmark.experiments.prediction.demand import NotCalibrated, learn, learn_generator


def level(users: int, scoring_ms: float, busy: float, mean_ms: float = 95.0, load_ms: float = 0.5) -> LevelFigures:
    rps = busy / scoring_ms * 1e3
    cpu_ms = {"scoring": scoring_ms, "model": 1.0, "redis": 0.1, "load": load_ms}
    return LevelFigures(
        block=0,
        users=users,
        rps=rps,
        mean_ms=mean_ms,
        latencies_ms=np.full(100, mean_ms),
        errors=0,
        first_error="",
        fastest_excess_ms=1.0,
        cpu_share={role: ms * rps / 1e3 for role, ms in cpu_ms.items()},
        rss_mb={},
        drift=0.0,
    )


def burst(size: int, scoring_ms: float, busy: float = 0.3, seldom_ms: float = 0.0, requests: int = 100) -> Burst:
    cpu_ms = {"scoring": scoring_ms, "model": 0.8, "redis": 0.05, "load": 0.3}
    seldom = {**dict.fromkeys(cpu_ms, 0.0), "scoring": seldom_ms}
    return Burst("sync", size, requests, 2.0, cpu_ms, seldom, {"scoring": busy}, last_ms=100.0 + size)


def test_without_a_backlog_it_is_the_highest_light_level_and_with_one_the_burst() -> None:
    found = learn([level(1, 3.0, 0.03), level(8, 2.0, 0.3)], [burst(4, 1.9), burst(16, 2.5)])
    assert found.scoring_ms == pytest.approx(2.0)
    assert (found.sizes, found.levels) == ([4, 16], (1, 8))
    assert [found.in_burst(size, "scoring") for size in (4, 16)] == pytest.approx([1.9, 2.5])
    assert found.model_ms == pytest.approx(0.8)


def test_without_bursts_all_is_as_at_the_highest_light_level() -> None:
    found = learn([level(1, 3.0, 0.03), level(8, 2.0, 0.3)], [])
    assert (found.scoring_ms, found.model_ms, found.store_ms) == pytest.approx((2.0, 1.0, 0.1))


def test_what_kept_more_than_half_a_core_busy_is_not_looked_at() -> None:
    found = learn([level(1, 3.0, 0.03), level(16, 9.0, 0.6)], [burst(4, 1.9), burst(32, 9.0, busy=0.7)])
    assert (found.levels, found.sizes) == ((1,), [4])
    assert found.in_burst(4, "scoring") == pytest.approx(1.9)


def test_bursts_of_a_size_are_averaged_over_the_blocks() -> None:
    found = learn([level(1, 3.0, 0.03)], [burst(4, 1.0), burst(4, 2.0)])
    assert found.in_burst(4, "scoring") == pytest.approx(1.5)


def test_what_comes_seldom_is_spread_over_the_requests_of_all_sizes() -> None:
    # 30 ms of garbage collection in 100 small requests and none in 200 others: 0.1 ms each.
    rows = [burst(4, 1.0, seldom_ms=0.3, requests=100), burst(16, 2.0, requests=200)]
    found = learn([level(1, 3.0, 0.03)], rows)
    assert [found.in_burst(size, "scoring") for size in (4, 16)] == pytest.approx([1.1, 2.1])
    assert found.in_burst(4, "model") == pytest.approx(0.8)


def test_without_a_single_user_nothing_is_learnt() -> None:
    with pytest.raises(NotCalibrated, match="single user"):
        learn([level(8, 2.0, 0.3)], [])


def test_the_generators_demand_falls_with_the_rate() -> None:
    found = learn_generator([level(1, 1.0, 0.01, load_ms=1.0), level(8, 1.0, 0.1, load_ms=0.6)])
    assert found.at(10).at(0) == pytest.approx(1.0)
    assert found.at(100).at(0) == pytest.approx(0.6)
    assert found.at(1e9).at(0) == pytest.approx(0.3)


def test_a_generator_that_seems_to_become_dearer_with_the_rate_costs_the_mean() -> None:
    found = learn_generator([level(1, 1.0, 0.01, load_ms=0.7), level(8, 1.0, 0.1, load_ms=0.8)])
    assert [found.at(rps).at(0) for rps in (1, 100, 1e6)] == pytest.approx([0.75] * 3)


def test_a_contender_without_a_store_spends_nothing_there() -> None:
    bare = burst(4, 1.9)
    bare = replace(
        bare,
        cpu_ms={role: ms for role, ms in bare.cpu_ms.items() if role != "redis"},
        seldom_ms={role: ms for role, ms in bare.seldom_ms.items() if role != "redis"},
    )
    found = learn([level(1, 3.0, 0.03)], [bare])
    assert (found.store_ms, found.model_ms) == pytest.approx((0.0, 0.8))


def test_a_generator_that_was_seen_once_is_not_known() -> None:
    with pytest.raises(NotCalibrated, match="fewer than two"):
        learn_generator([level(1, 3.0, 0.03)])

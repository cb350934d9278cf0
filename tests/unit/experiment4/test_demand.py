"""Demands from light levels and bursts: what is learnt, and what is left out."""

import numpy as np
import pytest

from benchmark.experiment4_gap.bursts import Burst
from benchmark.experiment4_gap.demand import NotCalibrated, learn, learn_generator
from benchmark.levels import LevelFigures


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


def burst(size: int, scoring_ms: float, busy: float = 0.3, model_ms: float = 0.8) -> Burst:
    cpu_ms = {"scoring": scoring_ms, "model": model_ms, "redis": 0.05, "load": 0.3}
    return Burst("sync", size, 100, 2.0, cpu_ms, {"scoring": busy}, last_ms=100.0 + size)


def test_without_a_backlog_it_is_the_highest_light_level_and_with_one_the_burst() -> None:
    found = learn([level(1, 3.0, 0.03), level(8, 2.0, 0.3)], [burst(4, 1.9), burst(16, 2.5)])
    assert found.scoring.at(0) == pytest.approx(2.0)
    assert found.scoring.at(2) == pytest.approx(1.9)
    assert found.scoring.at(8) == pytest.approx(2.5)
    assert found.scoring.at(5) == pytest.approx(2.2)
    assert found.scoring.at(100) == pytest.approx(2.5)
    assert found.model.at(0) == pytest.approx(0.8)
    assert found.levels == (1, 8)


def test_what_kept_more_than_half_a_core_busy_is_not_looked_at() -> None:
    found = learn([level(1, 3.0, 0.03), level(16, 9.0, 0.6)], [burst(4, 1.9), burst(32, 9.0, busy=0.7)])
    assert found.levels == (1,)
    assert found.scoring.at(100) == pytest.approx(1.9)
    assert [each.size for each in found.bursts] == [4]


def test_bursts_of_a_size_are_averaged_over_the_blocks() -> None:
    assert learn([level(1, 3.0, 0.03)], [burst(4, 1.0), burst(4, 2.0)]).scoring.at(2) == pytest.approx(1.5)


def test_without_a_single_user_nothing_is_learnt() -> None:
    with pytest.raises(NotCalibrated, match="single user"):
        learn([level(8, 2.0, 0.3)], [])


def test_the_generators_demand_falls_with_the_rate() -> None:
    found = learn_generator([level(1, 1.0, 0.01, load_ms=1.0), level(8, 1.0, 0.1, load_ms=0.6)])
    assert found.at(10).at(0) == pytest.approx(1.0)
    assert found.at(100).at(0) == pytest.approx(0.6)
    assert found.at(1e9).at(0) == pytest.approx(0.3)


def test_a_generator_that_was_seen_once_is_not_known() -> None:
    with pytest.raises(NotCalibrated, match="fewer than two"):
        learn_generator([level(1, 3.0, 0.03)])

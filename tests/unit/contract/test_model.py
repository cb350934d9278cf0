"""The fake model: the law of its durations, its CPU time, and the floor that follows from them."""

import math
import os
import random
import time
from statistics import NormalDist, fmean, median, stdev
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from contract.model import FakeModel, QuantileFunction, latency_floor_ms, quantile_function
from contract.settings import Settings

DRAWS = 20_000
MODEL_URL = "http://127.0.0.1:1/"


def settings(**values: Any) -> Settings:
    return Settings(role="model", **values)


def draw(count: int, **values: Any) -> list[float]:
    model = FakeModel(settings(**values))
    return [model.draw_s() for _ in range(count)]


def test_the_same_seed_draws_the_same_sequence() -> None:
    assert draw(100, model_seed=7) == draw(100, model_seed=7)


def test_another_seed_draws_another_sequence() -> None:
    assert draw(100, model_seed=7) != draw(100, model_seed=8)


def test_a_model_has_a_sequence_of_its_own() -> None:
    random.seed(1)
    first = draw(10)
    random.seed(2)
    assert draw(10) == first


def test_several_workers_draw_different_sequences_and_one_worker_the_known_one(monkeypatch: pytest.MonkeyPatch) -> None:
    sequences = []
    for pid in (100, 101):
        monkeypatch.setattr(os, "getpid", lambda pid=pid: pid)
        sequences.append((draw(10, workers=1), draw(10, workers=2)))
    (alone, one_of_two), (alone_again, other_of_two) = sequences
    assert alone == alone_again
    assert one_of_two != other_of_two


def test_uniform_durations_follow_the_uniform_law() -> None:
    assert stats.kstest(draw(DRAWS), stats.uniform(0.040, 0.010).cdf).pvalue > 0.01


def test_uniform_durations_do_not_follow_a_law_one_percent_beside() -> None:
    shifted = stats.uniform(0.0402, 0.010)
    assert stats.kstest(draw(DRAWS), shifted.cdf).pvalue < 0.001


def test_successive_durations_are_independent() -> None:
    durations = draw(DRAWS)
    assert stats.spearmanr(durations[:-1], durations[1:]).pvalue > 0.01


def test_lognormal_durations_have_the_median_and_the_sigma_of_the_settings() -> None:
    logarithms = [math.log(s) for s in draw(DRAWS, model_law="lognormal", model_sigma=0.3)]
    # Two-sided 99.9 % intervals of the median and the standard deviation of a normal sample.
    assert median(logarithms) == pytest.approx(math.log(0.045), abs=3.3 * 0.3 * math.sqrt(math.pi / 2 / DRAWS))
    assert stdev(logarithms) == pytest.approx(0.3, rel=3.3 / math.sqrt(2 * DRAWS))
    assert stats.kstest(logarithms, stats.norm(math.log(0.045), 0.3).cdf).pvalue > 0.01


def test_constant_durations_lie_halfway_between_min_and_max() -> None:
    assert set(draw(100, model_law="constant")) == {0.045}


def test_min_equal_to_max_is_one_duration() -> None:
    assert set(draw(100, model_min_ms=900, model_max_ms=900)) == {0.9}


def test_durations_of_nothing_are_allowed() -> None:
    assert set(draw(100, model_min_ms=0, model_max_ms=0)) == {0.0}


def test_durations_are_whole_microseconds() -> None:
    assert all(duration_s == round(duration_s, 6) for duration_s in draw(1_000))


@given(
    st.sampled_from(["uniform", "constant", "lognormal"]),
    st.floats(min_value=0, max_value=60),
    st.floats(min_value=0, max_value=60),
    st.floats(min_value=0, max_value=3),
    st.floats(min_value=0, max_value=1, exclude_max=True),
)
def test_every_duration_lies_within_the_bounds(law: str, a: float, b: float, sigma: float, u: float) -> None:
    quantile = QuantileFunction(law, min(a, b), max(a, b), sigma)
    low_s, high_s = quantile.bounds_s
    assert 0 <= low_s <= quantile(u) <= high_s * (1 + 1e-12)


@pytest.mark.parametrize("law", ["uniform", "lognormal"])
def test_a_quantile_function_rises(law: str) -> None:
    quantile = quantile_function(settings(model_law=law))
    values = [quantile(step / 1000) for step in range(1001)]
    assert values == sorted(values)
    assert values[500] == pytest.approx(0.045)


@pytest.mark.parametrize("draws", [1, 2, 3, 10])
def test_the_expected_largest_of_uniform_draws_is_n_of_n_plus_one_of_the_width(draws: int) -> None:
    quantile = QuantileFunction("uniform", 0.040, 0.050, 0.0)
    assert quantile.expected_max_s(draws) == pytest.approx(0.040 + 0.010 * draws / (draws + 1), rel=1e-6)


@pytest.mark.parametrize("draws", [1, 2, 5])
def test_the_expected_largest_of_constant_draws_is_the_constant(draws: int) -> None:
    assert QuantileFunction("constant", 0.040, 0.050, 0.0).expected_max_s(draws) == pytest.approx(0.045, rel=1e-6)


@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.0])
def test_the_expected_largest_of_two_lognormal_draws_has_its_closed_form(sigma: float) -> None:
    quantile = QuantileFunction("lognormal", 0.040, 0.050, sigma)
    mean_s = 0.045 * math.exp(sigma**2 / 2)
    assert quantile.expected_max_s(1) == pytest.approx(mean_s, rel=1e-3)
    # E[max(X, Y)] = 2 mean Phi(sigma / sqrt 2) for independent lognormal X and Y.
    assert quantile.expected_max_s(2) == pytest.approx(2 * mean_s * NormalDist().cdf(sigma / math.sqrt(2)), rel=2e-3)


def test_the_expected_largest_agrees_with_what_is_drawn() -> None:
    drawn = draw(DRAWS)
    pairs = [max(pair) for pair in zip(drawn[::2], drawn[1::2], strict=True)]
    expected_s = quantile_function(settings()).expected_max_s(2)
    assert fmean(pairs) == pytest.approx(expected_s, abs=3.3 * stdev(pairs) / math.sqrt(len(pairs)))


def test_the_floors_are_90_and_46_67_ms() -> None:
    assert latency_floor_ms(Settings(), "sum") == pytest.approx(90.0, abs=1e-6)
    assert latency_floor_ms(Settings(), "max") == pytest.approx(46.667, abs=5e-4)
    assert latency_floor_ms(Settings(), "none") == 0


def test_the_floor_counts_the_models_and_their_cpu_time() -> None:
    three = Settings(model_urls=(MODEL_URL,) * 3, model_cpu_ms=2.0)
    assert latency_floor_ms(three, "sum") == pytest.approx(3 * 47.0, abs=1e-6)
    assert latency_floor_ms(three, "max") == pytest.approx(47.5 + 2.0, abs=1e-3)


def test_an_unknown_floor_names_what_was_expected() -> None:
    with pytest.raises(ValueError, match="floor is 'min', expected 'sum', 'max' or 'none'"):
        latency_floor_ms(Settings(), "min")


def test_burning_takes_the_cpu_time_of_the_settings_from_this_thread() -> None:
    model = FakeModel(settings(model_cpu_ms=20.0))
    before_s = time.thread_time()
    model.burn_cpu()
    assert time.thread_time() - before_s >= 0.020


def test_burning_counts_cpu_time_and_not_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds_of_cpu = iter([5.0, 5.004, 5.0099, 5.010, 5.02])
    monkeypatch.setattr(time, "thread_time", lambda: next(seconds_of_cpu))
    FakeModel(settings(model_cpu_ms=10.0)).burn_cpu()
    assert next(seconds_of_cpu) == 5.02  # it stopped at the first reading that was late enough


def test_a_model_without_cpu_time_does_not_look_at_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    model = FakeModel(settings(model_cpu_ms=0.0))
    monkeypatch.delattr(time, "thread_time")
    model.burn_cpu()

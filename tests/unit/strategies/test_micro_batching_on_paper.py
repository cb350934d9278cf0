"""Micro-batching on paper: the sizes that adapt, and what the rule does with given arrivals."""

import math
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.experiments.strategies.discovery import load_strategy
from benchmark.load.arrivals import poisson_arrivals
from strategies.micro_batching import sizing_figures
from strategies.micro_batching.parameters import LARGEST, batch_rate_rps, cost_ms
from strategies.micro_batching.simulation import aimd_in_the_long_run, batched, greedy_batch_size
from strategies.micro_batching.sizing import Aimd, QuantileRegression, quantile_line


@pytest.mark.parametrize(("slo_ms", "size"), [(60, 7), (100, 15), (200, 33)])
def test_aimd_stays_within_its_band_and_never_misses_the_objective(slo_ms: float, size: int) -> None:
    batches = sizing_figures.drive(Aimd(slo_ms, LARGEST), 100, cost_ms)
    assert batches[-1][0] == size
    assert all(took_ms <= slo_ms for _, took_ms in batches)


def test_aimd_follows_the_size_of_the_batches_that_run() -> None:
    sizing = Aimd(1_000, LARGEST)
    for _ in range(10):
        sizing.note(1, 1.0)  # a light load: what waits is never more than one
    assert sizing.limit == 3


def test_aimd_never_falls_below_one_nor_rises_above_the_largest() -> None:
    sizing = Aimd(100, largest=4)
    for _ in range(5):
        sizing.note(sizing.limit, 1_000)
    assert sizing.limit == 1
    for _ in range(5):
        sizing.note(sizing.limit, 1)
    assert sizing.limit == 4


@pytest.mark.parametrize(("slo_ms", "mean", "late"), [(60, 7.65, 0.326), (100, 15.0, 0.0), (200, 33.58, 0.103)])
def test_aimd_in_the_long_run(slo_ms: float, mean: float, late: float) -> None:
    assert aimd_in_the_long_run(slo_ms, cost_ms, 0.05, LARGEST) == pytest.approx((mean, late), abs=0.005)


@given(st.floats(1, 100), st.floats(0.5, 20))
def test_a_quantile_line_through_exact_times_is_their_line(fixed_ms: float, item_ms: float) -> None:
    sizes = [1, 3, 5, 7, 7, 7, 9]
    found = quantile_line(sizes, [fixed_ms + item_ms * size for size in sizes], 0.99)
    assert found == pytest.approx((fixed_ms, item_ms), rel=1e-4, abs=1e-4)


def test_a_quantile_line_leaves_its_share_of_the_points_above_it() -> None:
    sizes = [1 + i % 10 for i in range(1_000)]
    took_ms = [20 + 5 * size + (i * 37 % 101) / 10 for i, size in enumerate(sizes)]
    fixed_ms, item_ms = quantile_line(sizes, took_ms, 0.9)
    above = sum(ms > fixed_ms + item_ms * size + 1e-9 for size, ms in zip(sizes, took_ms, strict=True))
    assert above == pytest.approx(100, abs=3)


def test_the_regression_fits_once_and_never_again() -> None:
    sizing = QuantileRegression(200, LARGEST, samples=50)
    sizing_figures.drive(sizing, 51, cost_ms)
    assert (sizing.fitted, sizing.limit) == (True, 36)
    sizing_figures.drive(sizing, 100, lambda size: 1_000.0)
    assert sizing.limit == 36


def test_the_regression_leaves_out_the_first_batch_which_warms_up() -> None:
    sizing = QuantileRegression(1_000, LARGEST, samples=3)
    for size, took_ms in ((4, 900.0), (1, cost_ms(1)), (2, cost_ms(2)), (3, cost_ms(3))):
        sizing.note(size, took_ms)
    assert (sizing.fitted, sizing.limit) == (True, LARGEST)


def test_the_regression_goes_on_exploring_while_all_batches_have_one_size() -> None:
    sizing = QuantileRegression(100, LARGEST, samples=5)
    for _ in range(20):
        sizing.note(1, cost_ms(1))
    assert not sizing.fitted


def test_a_batch_that_has_room_takes_who_comes_before_it_starts() -> None:
    found = batched([0.0, 0.010, 0.015, 0.100], lambda n: 20.0 * n, max_batch_size=2, timeout_ms=20)
    assert [size for _, size in found.batches] == [2, 1, 1]
    assert [start_s for start_s, _ in found.batches] == pytest.approx([0.010, 0.050, 0.120])
    assert found.latencies_ms == pytest.approx([50, 40, 55, 40])


def test_who_finds_the_queue_full_is_refused() -> None:
    found = batched([0.0, 0.001, 0.002, 0.003], lambda _: 10.0, max_batch_size=2, places=2)
    assert found.latencies_ms[3] is None
    assert (found.refused([0.0, 0.001, 0.002, 0.003]), len(found.batches)) == (1, 2)


# Mean latency of Poisson arrivals: one at a time, timeout 0, 10 ms, 20 ms.
CROSSOVER = {
    5: (26.8, 26.6, 35.8, 45.1),
    20: (37.4, 32.1, 38.6, 46.1),
    30: (60.9, 35.8, 40.7, 47.2),
    60: (None, 47.4, 49.1, 52.7),
    100: (None, 67.6, 67.8, 69.0),
}


@pytest.mark.parametrize(("rate_rps", "expected"), CROSSOVER.items())
def test_the_mean_latency_of_many_arrivals(rate_rps: int, expected: tuple[float | None, ...]) -> None:
    arrivals_s = list(islice(poisson_arrivals(rate_rps, seed=3), 40_000))
    forms = ((1, 0), (32, 0), (32, 10), (32, 20))
    for (size, timeout_ms), mean_ms in zip(forms, expected, strict=True):
        if mean_ms is not None:
            found = batched(arrivals_s, cost_ms, size, timeout_ms)
            assert found.mean_ms(arrivals_s) == pytest.approx(mean_ms, rel=0.04)


@pytest.mark.parametrize(("rate_rps", "size"), [(100, 4.0), (150, 12.0)])
def test_greedy_batches_are_as_large_as_what_arrives_meanwhile(rate_rps: float, size: float) -> None:
    arrivals_s = list(islice(poisson_arrivals(rate_rps, seed=1), 40_000))
    assert greedy_batch_size(rate_rps, 20, 5) == pytest.approx(size)
    assert batched(arrivals_s, cost_ms, 64).mean_size() == pytest.approx(size, rel=0.05)


def test_nobody_waits_longer_than_two_batches_with_one_in_the_queue() -> None:
    arrivals_s = list(islice(poisson_arrivals(300, seed=1), 5_000))
    found = batched(arrivals_s, cost_ms, 8, places=8)
    assert max(ms for ms in found.latencies_ms if ms is not None) <= 2 * cost_ms(8) + 1e-9
    assert found.refused(arrivals_s) > 0


def test_the_laws_of_the_strategy_are_the_figures_of_its_rule() -> None:
    laws = {(law.subject, law.load, law.figure.name): law for law in load_strategy("micro_batching").laws}
    for users, rate_rps in ((2, 40), (8, 100), (32, 160)):
        assert laws["micro-batching-greedy", f"{users} users", "rate_rps"].expected == pytest.approx(rate_rps)
    assert laws["micro-batching-bounded", "200/s", "worst_ms"].expected == 120
    assert [batch_rate_rps(n) for n in (1, 4, 16)] == pytest.approx([40, 100, 160])
    computed = sizing_figures.figures()
    for (subject, _, name), law in laws.items():
        if subject == "adaptive-sizes":
            assert law.at_least <= computed[name] <= law.at_most, name


def test_a_cost_is_a_line() -> None:
    assert [cost_ms(n) for n in (0, 1, 16)] == [20, 25, 100]
    assert math.isclose(batch_rate_rps(10**9), 200, rel_tol=1e-6)

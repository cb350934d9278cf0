import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmark.errors import ShapeError
from benchmark.load.rates import Bursts, Line, RateShape, Sine, expected_counts, parse_shape


@pytest.mark.parametrize(
    ("written", "phases"),
    [
        ("200 for 30s", [Line(200, 200, 30)]),
        ("200", [Line(200, 200, 10)]),
        ("12000/min for 1min", [Line(200, 200, 60)]),
        ("0 -> 12000/min in 1min, hold 1min", [Line(0, 200, 60), Line(200, 200, 60)]),
        ("200 -> 1000 for 10s -> 200", [Line(200, 200, 10), Line(1000, 1000, 10), Line(200, 200, 10)]),
        ("50 for 5s -> 100 in 2s -> 0 in 500ms", [Line(50, 50, 5), Line(50, 100, 2), Line(100, 0, 0.5)]),
        ("sine 50 to 200 every 2min for 4min", [Sine(50, 200, 120, 240)]),
        ("bursts 50 to 400, 8s and 2s, for 1min, hold 5s", [Bursts(50, 400, 8, 2, 60), Line(50, 50, 5)]),
    ],
)
def test_a_line_says_the_rate_over_time(written: str, phases: list[object]) -> None:
    assert list(parse_shape(written).phases) == phases


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "empty step"),
        ("200 for 3s,", "empty step"),
        ("-5 for 3s", "below zero"),
        ("100 -> -5 in 3s", "below zero"),
        ("hold 3s", "no rate yet"),
        ("200 in 3s", "needs a rate to come from"),
        ("200 for 0s", "lasts 0 s"),
        ("0 for 10s", "no request at all"),
        ("fast", "'fast' in the step 'fast' is no rate"),
        ("200 for 3 weeks", "is no rate with its time"),
        ("sine 50 to 200", "is no rate with its time"),
        ("replay nowhere.csv", "cannot be read"),
        ("replay nowhere.csv with bodies at 2x", "nowhere.csv cannot be read"),
        ("1000 -> 9000 in 1h", "asks for 18,000,000 requests, expected at most 2,000,000"),
    ],
)
def test_what_is_no_shape_is_refused_with_a_sentence(written: str, said: str) -> None:
    with pytest.raises(ShapeError, match=said):
        parse_shape(written)


_SHAPES = [
    "150 for 20s",
    "0 -> 300 in 20s, hold 5s",
    "100 for 5s -> 800 for 4s -> 100 for 8s",
    "sine 20 to 400 every 10s for 25s",
    "bursts 40 to 500, 3s and 1s, for 25s",
]


@pytest.mark.parametrize("written", _SHAPES)
def test_the_counts_of_each_second_follow_poissons_law(written: str) -> None:
    """By the sum of Pearson's terms over forty schedules, at the level of one in a million."""
    shape, statistic, terms = parse_shape(written), 0.0, 0
    for seed in range(40):
        expected = np.array(expected_counts(shape.pieces(seed)))
        counts = np.bincount(np.array(shape.arrivals_s(seed)).astype(int), minlength=expected.size)
        many = expected >= 5
        statistic += float((((counts - expected) ** 2)[many] / expected[many]).sum())
        terms += int(many.sum())
    assert stats.chi2.cdf(statistic, terms) < 1 - 1e-6
    assert stats.chi2.sf(statistic, terms) < 1 - 1e-6


@pytest.mark.parametrize("written", _SHAPES)
def test_the_count_of_every_single_second_lies_within_poissons_bounds(written: str) -> None:
    """Of ten schedules, at the level of one in a million for all seconds together."""
    shape, seeds = parse_shape(written), range(10)
    expected = np.concatenate([expected_counts(shape.pieces(seed)) for seed in seeds])
    due_s = (np.array(shape.arrivals_s(seed)) for seed in seeds)
    counts = np.concatenate([np.bincount(times.astype(int), minlength=math.ceil(shape.seconds)) for times in due_s])
    chance = 0.5e-6 / counts.size
    assert (counts <= stats.poisson.isf(chance, expected)).all()
    assert (counts >= stats.poisson.ppf(chance, expected)).all()


@pytest.mark.parametrize("written", _SHAPES)
def test_a_seed_gives_the_same_times_again_and_another_seed_gives_others(written: str) -> None:
    shape = parse_shape(written)
    assert shape.arrivals_s(7) == parse_shape(written).arrivals_s(7) != shape.arrivals_s(8)


@given(st.sampled_from(_SHAPES), st.integers(0, 1000))
def test_times_rise_and_lie_within_the_shape(written: str, seed: int) -> None:
    shape = parse_shape(written)
    times = shape.arrivals_s(seed)
    assert times == sorted(times)
    assert all(0 <= t_s < shape.seconds for t_s in times)


@pytest.mark.parametrize("written", _SHAPES)
def test_the_expected_counts_are_the_area_below_the_rate(written: str) -> None:
    pieces = parse_shape(written).pieces(3)
    area = sum(
        piece.rate_rps((k + 0.5) * piece.seconds / 2000) * piece.seconds / 2000 for piece in pieces for k in range(2000)
    )
    assert math.fsum(expected_counts(pieces)) == pytest.approx(area, rel=1e-4)


def test_a_shape_with_a_log_can_be_read_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a log.csv").write_text("time,body\n1,a\n2,b\n")
    monkeypatch.chdir(tmp_path)
    shape = parse_shape("50 for 1s, replay a log.csv with bodies at 2x")
    monkeypatch.chdir("/")
    assert parse_shape(shape.from_anywhere).arrivals_s(1) == shape.arrivals_s(1)
    assert [logged.log for logged in shape.logged_bodies(1)] == [str(tmp_path / "a log.csv")]


def test_what_a_shape_says_of_itself_is_readable() -> None:
    shape = parse_shape("0 -> 12000/min in 1min, hold 30s")
    assert [phase.words for phase in shape.phases] == ["0 to 200/s in 60 s", "200/s for 30 s"]
    assert isinstance(shape, RateShape)
    assert shape.seconds == 90

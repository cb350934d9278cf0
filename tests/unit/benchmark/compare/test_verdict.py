"""Verdicts: none without a difference, the right sign with one, and rarely one by chance."""

import numpy as np
import pytest
from scipy import stats

from benchmark.analysis.comparable import Comparable
from benchmark.compare.verdict import ComparedFigure, compare_figures, sentence, welch_p_value, welch_ratio

LATENCY = Comparable("mean latency", "ms", True, (50.0, 50.4, 49.7, 50.2))
RATE = Comparable("rate", "requests/s", False, (300.0, 306.0, 297.0, 303.0))


def times(figure: Comparable, factor: float, valid: bool = True) -> Comparable:
    values = tuple(value * factor for value in figure.values)
    return Comparable(figure.name, figure.unit, figure.lower_is_better, values, valid)


def compare(*pairs: tuple[Comparable, Comparable]) -> list[ComparedFigure]:
    ours, theirs = ({pair[i].name: pair[i] for pair in pairs} for i in (0, 1))
    return compare_figures([("a", ours, theirs)])


def test_the_same_data_shows_no_difference() -> None:
    found = compare((LATENCY, LATENCY), (RATE, RATE))
    assert [each.verdict for each in found] == ["no difference shown"] * 2
    assert [each.ratio.value for each in found] == [pytest.approx(1.0)] * 2
    assert sentence(found) == "No significant difference in 2 figures."


@pytest.mark.parametrize(("factor", "verdicts"), [(1.2, ["slower", "faster"]), (0.8, ["faster", "slower"])])
def test_a_shift_is_shown_with_the_right_sign(factor: float, verdicts: list[str]) -> None:
    found = compare((LATENCY, times(LATENCY, factor)), (RATE, times(RATE, factor)))
    assert [each.verdict for each in found] == verdicts
    for each in found:
        assert each.ratio.low is not None
        assert each.ratio.high is not None
        assert each.ratio.low < factor < each.ratio.high
        assert (each.slower_by > 0) == (each.verdict == "slower")
    assert sentence(found).startswith("B is faster in 1 and slower in 1 of 2 figures.")


def test_how_much_slower_is_counted_in_time_for_rates_too() -> None:
    found = compare((LATENCY, times(LATENCY, 1.25)), (RATE, times(RATE, 0.8)))
    assert [each.slower_by for each in found] == pytest.approx([0.25, 0.25])


def test_less_than_two_percent_is_not_claimed() -> None:
    steady = Comparable("mean latency", "ms", True, (50.0, 50.001, 49.999, 50.0))
    assert compare((steady, times(steady, 1.015)))[0].verdict == "no difference shown"
    assert compare((steady, times(steady, 1.025)))[0].verdict == "slower"


def test_what_is_invalid_is_not_counted() -> None:
    found = compare((LATENCY, times(LATENCY, 2.0, valid=False)), (RATE, RATE))
    assert [each.verdict for each in found] == ["INVALID", "no difference shown"]
    assert "1 INVALID left out" in sentence(found)
    assert "Nothing was compared" in sentence(found[:1])


def test_a_single_block_shows_nothing() -> None:
    single = Comparable("mean latency", "ms", True, (50.0,))
    found = compare((single, times(single, 2.0)))[0]
    assert (found.verdict, found.ratio.low) == ("no difference shown", None)


def test_only_what_both_have_is_compared() -> None:
    assert compare_figures([("a", {"rate": RATE}, {"mean latency": LATENCY})]) == []


def test_one_value_that_is_no_time_is_not_compared() -> None:
    assert compare((LATENCY, Comparable("mean latency", "ms", True, (50.0, -1.0)))) == []


@pytest.mark.parametrize("sizes", [(2, 2), (2, 7), (4, 4), (10, 3)])
def test_interval_and_p_value_are_those_of_a_reference(sizes: tuple[int, int]) -> None:
    draw = np.random.default_rng(5)
    a, b = (np.exp(spread * draw.standard_normal(n)) for n, spread in zip(sizes, (0.02, 0.3), strict=True))
    reference = stats.ttest_ind(np.log(b), np.log(a), equal_var=False)
    ends = reference.confidence_interval(0.99)
    assert welch_p_value(list(a), list(b)) == pytest.approx(reference.pvalue)
    assert welch_ratio(list(a), list(b), 0.99).as_list() == pytest.approx(list(np.exp([ends.low, ends.high])))


def test_blocks_that_are_all_alike_differ_or_do_not() -> None:
    alike = Comparable("mean latency", "ms", True, (50.0, 50.0))
    assert [compare((alike, times(alike, factor)))[0].verdict for factor in (1.0, 1.01, 1.5)] == [
        "no difference shown",
        "no difference shown",
        "slower",
    ]
    assert compare((alike, times(alike, 1.5)))[0].ratio.as_list() == pytest.approx([1.5, 1.5])


def test_the_interval_beside_a_verdict_is_the_one_that_decides_it() -> None:
    """Over many figures, some of which differ: 1 lies outside exactly where a difference is shown, or is too small."""
    draw = np.random.default_rng(3)
    seen = set()
    for _ in range(100):
        ours = {
            str(i): Comparable(str(i), "ms", True, tuple(50 * np.exp(0.03 * draw.standard_normal(4)))) for i in range(9)
        }
        factors = np.exp(0.1 * draw.standard_normal(9) * (draw.random(9) > 0.5))
        theirs = {str(i): times(figure, factors[int(i)] * 1.001) for i, figure in ours.items()}
        for each in compare_figures([("a", ours, theirs)]):
            assert each.ratio.low is not None
            assert each.ratio.high is not None
            without_1 = not each.ratio.low <= 1 <= each.ratio.high
            assert without_1 == (each.verdict != "no difference shown" or each.too_small)
            seen.add(without_1)
    assert seen == {True, False}


def test_a_difference_that_is_too_small_to_claim_is_told_from_none() -> None:
    steady = Comparable("mean latency", "ms", True, (50.0, 50.001, 49.999, 50.0))
    small, none = compare((steady, times(steady, 1.015)))[0], compare((LATENCY, LATENCY))[0]
    assert (small.verdict, small.too_small) == ("no difference shown", True)
    assert (none.verdict, none.too_small) == ("no difference shown", False)


def test_what_decides_nothing_has_no_interval() -> None:
    found = compare((LATENCY, times(LATENCY, 2.0, valid=False)), (RATE, RATE))
    assert found[0].ratio.as_list() is None
    assert found[1].confidence == pytest.approx(0.95)  # only what counts is adjusted for


def test_unequal_scatter_and_numbers_of_blocks_are_allowed() -> None:
    interval = welch_ratio([50.0, 50.1, 50.2], [55.0, 65.0, 60.0, 70.0])
    assert interval.low is not None
    assert interval.low < interval.value == pytest.approx(1.242, abs=0.01)
    assert welch_p_value([50.0, 50.1, 50.2], [55.0, 65.0, 60.0, 70.0]) < 0.05


def test_two_runs_of_the_same_rarely_differ_by_chance() -> None:
    """Of comparisons of twelve figures over four blocks, at most about one in twenty shows any difference."""
    draw = np.random.default_rng(1)
    wrong = 0
    for _ in range(200):
        ours, theirs = (
            {
                str(i): Comparable(str(i), "ms", True, tuple(50 * np.exp(0.05 * draw.standard_normal(4))))
                for i in range(12)
            }
            for _ in range(2)
        )
        wrong += any(each.verdict != "no difference shown" for each in compare_figures([("a", ours, theirs)]))
    assert wrong / 200 <= 0.09

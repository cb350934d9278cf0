"""The gate: 0 only if every figure of A was seen and none can be too slow."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.analysis.comparable import Comparable
from benchmark.compare.gate import GateOutcome, answer, blocks_needed, cannot_tell, judge, unseen
from benchmark.compare.verdict import ComparedFigure, compare_figures, welch_ratio

STEADY = (50.0, 50.2, 49.9, 50.1)
NOISY = (50.0, 54.0, 46.0, 51.0)


def latency(*values: float, name: str = "mean latency", valid: bool = True) -> Comparable:
    return Comparable(name, "ms", True, values, valid)


def rate(*values: float, name: str = "peak rate", valid: bool = True) -> Comparable:
    return Comparable(name, "requests/s", False, values, valid)


def times(figure: Comparable, factor: float) -> Comparable:
    return dataclasses.replace(figure, values=tuple(value * factor for value in figure.values))


def compare(*pairs: tuple[Comparable, Comparable]) -> list[ComparedFigure]:
    ours, theirs = ({pair[i].name: pair[i] for pair in pairs} for i in (0, 1))
    return compare_figures([("async", ours, theirs)])


def gate(limit: float, *pairs: tuple[Comparable, Comparable]) -> GateOutcome:
    return judge(compare(*pairs), [], limit)


def kind(outcome: GateOutcome) -> str:
    return "slower" if outcome.slower else "passes" if outcome.passes else "cannot tell"


@pytest.mark.parametrize(
    ("base", "factor", "limit", "expected"),
    [
        (STEADY, 1.0, 0.05, "passes"),
        (STEADY, 1.03, 0.05, "passes"),  # it is slower, but not by more
        (STEADY, 1.10, 0.05, "slower"),
        (STEADY, 0.50, 0.05, "passes"),
        (STEADY, 1.05, 0.05, "cannot tell"),  # the interval holds the limit
        (NOISY, 1.0, 0.05, "cannot tell"),
        (NOISY, 1.0, 0.50, "passes"),
        (NOISY, 1.5, 0.05, "slower"),
        (NOISY, 1.06, 0.05, "cannot tell"),
        (NOISY, 0.96, 0.05, "cannot tell"),  # faster, and yet perhaps slower by more
        (STEADY, 1.0, 0.0, "passes"),  # less than 2 % is not claimed
        (STEADY, 1.015, 0.0, "passes"),
        (STEADY, 1.03, 0.0, "slower"),
        (STEADY, 1.021, 0.02, "cannot tell"),
        (NOISY, 1.0, 0.0, "cannot tell"),
    ],
)
def test_a_gate_has_three_answers(base: tuple[float, ...], factor: float, limit: float, expected: str) -> None:
    assert kind(gate(limit, (latency(*base), times(latency(*base), factor)))) == expected
    assert kind(gate(limit, (rate(*base), times(rate(*base), 1 / factor)))) == expected


def test_a_loss_of_57_percent_over_two_blocks_does_not_pass() -> None:
    outcome = gate(0.05, (rate(340.0, 250.0), rate(140.0, 114.0)), (latency(50.0, 52.0), latency(50.5, 51.0)))
    assert not outcome.passes
    assert any(
        text.startswith("cannot tell: async, peak rate: these runs can detect a loss of ") for text in outcome.sentences
    )


def test_one_figure_that_cannot_be_told_is_enough_and_one_that_is_slower_comes_first() -> None:
    fine, unclear, slower = (
        (latency(*STEADY, name="one"), latency(*STEADY, name="one")),
        (latency(*NOISY, name="two"), latency(*NOISY, name="two")),
        (latency(*STEADY, name="three"), times(latency(*STEADY, name="three"), 2.0)),
    )
    assert kind(gate(0.05, fine)) == "passes"
    assert kind(gate(0.05, fine, unclear)) == "cannot tell"
    assert kind(gate(0.05, fine, unclear, slower)) == "slower"
    assert [text.split(":")[0] for text in gate(0.05, fine, unclear, slower).sentences] == ["too slow", "cannot tell"]


def test_what_passes_says_what_was_ruled_out() -> None:
    pair = (latency(*STEADY), latency(*STEADY))
    assert gate(0.05, pair).sentences == ["not too slow: all of 1 figure, none by more than 5 %"]
    assert gate(0.0, pair).sentences == ["not too slow: all of 1 figure, none by more than 2 %"]


def test_a_pair_that_cannot_tell_says_what_it_can_show_and_how_many_blocks_it_takes() -> None:
    comparison = compare((rate(*NOISY), rate(*NOISY)))[0]
    interval = welch_ratio(NOISY, NOISY)
    assert interval.high is not None
    blocks = blocks_needed(NOISY, NOISY, math.log(1.05), 0.95)
    expected = f"a loss of {100 * (interval.high - 1):.3g} %, but not of 5 %; measure about {blocks} blocks in each run"
    assert cannot_tell(comparison, 0.05) == f"cannot tell: async, peak rate: these runs can detect {expected}"


def test_a_loss_at_the_limit_takes_the_blocks_that_tell_it_from_the_limit() -> None:
    figure = latency(*STEADY)
    text = cannot_tell(compare((figure, times(figure, 1.0501)))[0], 0.05)
    assert "the loss of 5.01 % is too close to the limit of 5 %; measure more than 1,000 blocks in each run" in text


def test_single_blocks_cannot_tell() -> None:
    for ours, theirs in [((50.0,), (50.0,)), ((50.0,), STEADY), (STEADY, (50.0,)), ((50.0,), (500.0,))]:
        outcome = gate(0.05, (latency(*ours), latency(*theirs)))
        assert kind(outcome) == "cannot tell"
        assert "one block is too few; measure 2 blocks or more in each run" in outcome.sentences[0]


def test_blocks_that_are_all_alike_can_tell() -> None:
    assert kind(gate(0.05, (latency(50.0, 50.0), latency(50.0, 50.0)))) == "passes"
    assert kind(gate(0.05, (latency(50.0, 50.0), latency(60.0, 60.0)))) == "slower"


def test_two_blocks_whose_interval_no_number_holds_cannot_tell() -> None:
    outcome = gate(0.05, *((rate(9.0, 100.0, name=str(i)), rate(7.0, 120.0, name=str(i))) for i in range(90)))
    assert kind(outcome) == "cannot tell"
    assert "a loss of more than 1,000 %, but not of 5 %; measure more than 1,000 blocks" in outcome.sentences[0]


def test_many_figures_are_not_a_sentence_each() -> None:
    outcome = gate(0.05, *((rate(*NOISY, name=str(i)), rate(*NOISY, name=str(i))) for i in range(20)))
    assert len(outcome.sentences) == 8
    assert outcome.sentences[-2] == "cannot tell: 14 other figures"
    one = outcome.sentences[0].partition("; measure ")[2]
    assert outcome.sentences[-1] == f"to decide all of them, measure {one}"


def test_the_largest_loss_is_named_first_and_the_largest_number_of_blocks_last() -> None:
    noisy, noisier = (30.0, 80.0, 50.0), (2.0, 400.0, 50.0)
    outcome = gate(
        0.05,
        (latency(*noisier, name="noisier"), latency(*noisier, name="noisier")),
        (latency(*noisy, name="slower"), times(latency(*noisy, name="slower"), 1.3)),
    )
    assert "slower: these runs can detect" in outcome.sentences[0]
    assert "noisier: these runs can detect" in outcome.sentences[1]
    assert outcome.sentences[2] == "to decide all of them, measure more than 1,000 blocks in each run"


def test_single_blocks_beside_others_take_as_many_blocks_as_the_others_or_more() -> None:
    single = (latency(50.0, name="single"), latency(50.0, name="single"))
    noisy = (latency(*NOISY, name="noisy"), latency(*NOISY, name="noisy"))
    assert gate(0.05, single).sentences[-1].endswith("measure 2 blocks or more in each run")
    assert gate(0.05, single, noisy).sentences[-1].endswith(" blocks or more in each run")


def test_nothing_at_all_does_not_pass() -> None:
    assert kind(judge([], [], 0.05)) == "cannot tell"


def test_what_was_not_compared_does_not_pass() -> None:
    outcome = judge(compare((latency(*STEADY), latency(*STEADY))), ["async: B has no figures"], 0.05)
    assert kind(outcome) == "cannot tell"
    assert outcome.sentences == ["cannot tell: async: B has no figures"]


@pytest.mark.parametrize(
    ("ours", "theirs", "reason"),
    [
        (rate(*STEADY), rate(*STEADY), None),
        (rate(*STEADY), None, "async, peak rate: not measured in B"),
        (rate(*STEADY, valid=False), rate(*STEADY), "async, peak rate: INVALID in A"),
        (rate(*STEADY), rate(*STEADY, valid=False), "async, peak rate: INVALID in B"),
        (rate(*STEADY, valid=False), rate(*STEADY, valid=False), "async, peak rate: INVALID in A and B"),
        (rate(valid=False), rate(*STEADY), "async, peak rate: INVALID in A"),
        (rate(*STEADY), rate(1.0, 0.0), "async, peak rate: no value above zero in every block of B"),
        (rate(*STEADY), rate(), "async, peak rate: no value above zero in every block of B"),
    ],
)
def test_what_a_gate_cannot_see_is_named(ours: Comparable, theirs: Comparable | None, reason: str | None) -> None:
    other = latency(*STEADY)
    found = unseen(
        [("async", {"rate": ours, "l": other}, {"l": other} if theirs is None else {"rate": theirs, "l": other})]
    )
    assert found == ([reason] if reason else [])


def test_a_contender_without_figures_is_named_once() -> None:
    figures = {"rate": rate(*STEADY), "latency": latency(*STEADY)}
    assert unseen([("async", figures, {}), ("sync", {}, figures)]) == [
        "async: B has no figures",
        "sync: A has no figures",
    ]


def test_figures_that_are_missing_for_one_reason_are_one_sentence() -> None:
    figures = {str(i): rate(*STEADY, name=f"figure {i}") for i in range(5)}
    invalid = {key: dataclasses.replace(figure, valid=False) for key, figure in figures.items()}
    assert unseen([("a", figures, invalid)]) == ["a, figure 0, figure 1, figure 2 and 2 others: INVALID in B"]


def test_what_only_b_has_was_not_asked_about() -> None:
    assert unseen([("a", {"rate": rate(*STEADY)}, {"rate": rate(*STEADY), "more": rate(*STEADY)})]) == []


@settings(deadline=None)
@given(
    a=st.lists(st.floats(20, 80), min_size=1, max_size=6),
    b=st.lists(st.floats(20, 80), min_size=1, max_size=6),
    limit=st.sampled_from([0.0, 0.01, 0.05, 0.5]),
    lower_is_better=st.booleans(),
)
def test_what_passes_holds_no_larger_loss_and_what_is_too_slow_holds_no_smaller_one(
    a: list[float], b: list[float], limit: float, lower_is_better: bool
) -> None:
    figure = Comparable("a figure", "", lower_is_better, tuple(a))
    comparison = compare((figure, dataclasses.replace(figure, values=tuple(b))))[0]
    interval, said = comparison.slower_interval, answer(comparison, limit)
    if said == "not slower":
        assert interval.high is not None
        assert interval.high <= max(limit, 0.02)
    elif said == "slower":
        assert interval.low is not None
        assert interval.low > limit
    else:
        assert cannot_tell(comparison, limit).startswith("cannot tell: async, a figure: ")


@pytest.mark.parametrize("half_width", [0.02, 0.05, 0.2])
def test_the_blocks_that_are_needed_are_the_fewest_whose_interval_is_so_narrow(half_width: float) -> None:
    draw = np.random.default_rng(7)
    a, b = (np.exp(spread * draw.standard_normal(6)) for spread in (0.03, 0.06))
    blocks = blocks_needed(list(a), list(b), half_width, 0.99)
    assert blocks is not None

    def width_of(n: int) -> float:
        """Half of the width of the interval over n blocks with exactly the scatter of those above."""
        made = [np.exp(_scattered(n, float(np.std(np.log(values), ddof=1)))) for values in (a, b)]
        ends = welch_ratio(list(made[0]), list(made[1]), 0.99).as_list()
        assert ends is not None
        return (math.log(ends[1]) - math.log(ends[0])) / 2

    assert width_of(blocks) <= half_width * (1 + 1e-9)
    assert blocks == 2 or width_of(blocks - 1) > half_width


def _scattered(n: int, spread: float) -> np.ndarray:
    """Return n numbers with this standard deviation."""
    numbers = np.arange(n, dtype=float)
    scattered: np.ndarray = numbers / np.std(numbers, ddof=1) * spread
    return scattered


def test_a_number_of_blocks_that_is_no_advice_is_not_given() -> None:
    assert blocks_needed([1.0, 10.0], [1.0, 12.0], 0.01, 0.95) is None

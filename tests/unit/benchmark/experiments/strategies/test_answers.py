"""The answers say what the summary shows, and not a word more."""

from pathlib import Path

import pytest

from benchmark.errors import NotAvailable
from benchmark.experiments.strategies.answers import answers
from benchmark.experiments.strategies.schema import StrategiesSummary
from tests.unit.benchmark.experiments.recorders import KINDS, Kind, record_strategies
from tests.unit.benchmark.experiments.strategies.conftest import Begin
from tests.unit.benchmark.experiments.strategies.synthetic import POOLS, make_strategy, other_strategy
from tests.unit.plain import faults

ONCE = "Every figure was measured once, so nothing is said about its noise."


def said(summary: StrategiesSummary) -> list[str]:
    """Return the answers of a run, each of which is short and plain."""
    found = [answer.text for answer in answers(summary)]
    assert [fault for text in found for fault in faults(text)] == []
    return found


def test_where_all_laws_held_that_is_said(record: Begin) -> None:
    recorded = record(blocks=2)
    recorded.whole(0)
    recorded.whole(1)
    assert said(recorded.summary()) == ["All 8 laws held: what the strategies do was predicted before it was measured."]


def test_a_single_block_says_nothing_about_noise(record: Begin) -> None:
    recorded = record()
    recorded.whole()
    assert said(recorded.summary())[-1] == ONCE


def test_laws_that_missed_are_counted_and_those_that_cannot_be_told_are_not_among_them(record: Begin) -> None:
    recorded = record()
    recorded.measure("two", latency_ms=54)  # three are off by less than a tenth, the rate by more than a twentieth
    recorded.compute()
    laws, untold, *_ = said(recorded.summary())
    assert laws == "6 of 7 laws held within their tolerance; the tables name the others."
    assert untold == "1 law cannot be told: what was measured is INVALID, or missing."


def test_the_least_and_the_largest_gain_are_named_where_there_are_several(record: Begin) -> None:
    recorded = record(strategies={POOLS: make_strategy(), "cache": other_strategy()})
    recorded.whole()
    recorded.measure("one", strategy="cache")
    recorded.measure("two", strategy="cache", latency_ms=10)
    assert said(recorded.summary())[1] == (
        "For the trouble that it is made for, each strategy gained: from 2.0 times (pools) to 10 times (cache)."
    )


def test_a_strategy_that_gains_nothing_is_not_called_a_gain(record: Begin) -> None:
    recorded = record(strategies={POOLS: make_strategy(), "cache": other_strategy()})
    recorded.whole()
    recorded.measure("one", strategy="cache")
    recorded.measure("two", strategy="cache", latency_ms=200)
    assert "For the trouble that it is made for, 1 of 2 strategies gained." in said(recorded.summary())


def test_an_invalid_gain_is_not_named(record: Begin) -> None:
    recorded = record(strategies={POOLS: make_strategy(), "cache": other_strategy()})
    recorded.whole()
    recorded.measure("one", strategy="cache")
    recorded.measure("two", strategy="cache", latency_ms=10, failed=1)
    assert not [text for text in said(recorded.summary()) if "gained" in text]


def test_a_run_that_is_invalid_as_a_whole_supports_no_claim(record: Begin) -> None:
    recorded = record(busy_before_start=0.5)
    recorded.whole()
    assert said(recorded.summary()) == [
        "The run as a whole is INVALID and supports no claim.",
        "No law could be told, so nothing is claimed.",
    ]


def test_where_nothing_was_measured_nothing_is_claimed(record: Begin) -> None:
    assert said(record().summary())[-1] == "No law could be told, so nothing is claimed."


def test_who_was_not_available_is_counted(record: Begin) -> None:
    recorded = record()
    recorded.whole(without=["two"])
    recorded.fail("two", NotAvailable.code, "no network")
    found = said(recorded.summary())
    assert "1 contender was not available on this machine, and the rest was measured." in found


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_was_carried_out_has_plain_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    found = said(StrategiesSummary.model_validate(record_strategies(tmp_path, monkeypatch, kind).summary))
    assert any(text.startswith("The run was interrupted") for text in found) is (kind == "interrupted")

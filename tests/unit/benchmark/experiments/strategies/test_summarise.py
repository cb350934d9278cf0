"""From a record to summary.json: each law beside what was measured, held or missed, or why it cannot be told."""

import json
from dataclasses import replace

import pytest

from benchmark.errors import NotAvailable
from benchmark.experiments.strategies.figure_kinds import CORE_SHARE, MEMORY, said
from benchmark.experiments.strategies.law import Gain, Law, Seen, at_most, exactly
from benchmark.experiments.strategies.schema import LawResult, StrategySummary
from benchmark.experiments.strategies.summarise import summarise
from benchmark.load.plan import Arrivals
from benchmark.record.resources import BUSY, IDLE
from benchmark.record.run import SUMMARY, TrialRecord
from tests.unit.benchmark.experiments.strategies.conftest import Begin
from tests.unit.benchmark.experiments.strategies.synthetic import (
    ALL,
    CALLS,
    CORES,
    POOLS,
    law_of,
    make_strategy,
    other_strategy,
)
from tests.unit.said import said as texts

LOOP, POOL = "four calls in a loop take 100 ms", "four calls on two workers take 50 ms"
COUNT, NONE_FAILS, TOTAL = "each call counts once", "none fails", "all are added up"


def codes(law: LawResult) -> list[str]:
    return [reason.code for reason in law.reasons]


def held(strategy: StrategySummary) -> dict[str, bool | None]:
    return {law.says: law.held for law in strategy.laws}


def test_laws_that_are_met_are_held_and_the_run_is_valid(record: Begin) -> None:
    recorded = record(blocks=2)
    for block in range(2):
        recorded.whole(block)
    summary = recorded.summary()
    assert (summary.complete, summary.valid, texts(summary.reasons)) == (True, True, [])
    assert set(held(summary.strategies[POOLS]).values()) == {True}
    assert len(summary.held) == len(make_strategy().laws)
    assert set(summary.contenders) == set(ALL)
    json.dumps(summary.model_dump(mode="json"), allow_nan=False)


def test_each_figure_is_that_of_the_record(record: Begin) -> None:
    recorded = record()
    recorded.whole()
    strategy = recorded.pools()
    measured = {law.says: law.value for law in strategy.laws}
    assert measured[LOOP] == pytest.approx(100)
    assert measured[POOL] == pytest.approx(50)
    assert measured[COUNT] == CALLS
    assert measured["a request takes 50 ms"] == pytest.approx(50)
    assert measured["two users make 2 / 50 ms"] == pytest.approx(40)
    assert measured[TOTAL] == 12
    assert strategy.seen[0].value == CALLS


def test_a_law_that_is_missed_says_how_far_off_it_is_and_leaves_the_run_valid(record: Begin) -> None:
    recorded = record()
    recorded.measure("one")
    recorded.measure("two", latency_ms=80)
    recorded.compute()
    summary = recorded.summary()
    law = law_of(summary.strategies[POOLS], POOL)
    assert law.held is False
    assert law.value == pytest.approx(80)
    assert law.off == pytest.approx(0.6)
    assert law in summary.missed
    assert summary.valid


def test_a_figure_is_the_median_of_the_blocks(record: Begin) -> None:
    recorded = record(blocks=3)
    for block, latency_ms in enumerate((50, 52, 90)):
        recorded.measure("two", block, latency_ms=latency_ms)
        recorded.whole(block, without=["two"])
    law = law_of(recorded.pools(), POOL)
    assert law.value == pytest.approx(52)
    assert (law.by_block, law.held) == ((50, 52, 90), True)
    assert law.ends == (50, 90)


def test_a_count_that_must_be_exact_is_judged_by_its_worst_block(record: Begin) -> None:
    recorded = record(blocks=3)
    for block in range(3):
        recorded.measure("two", block, calls=CALLS + (block == 1))
        recorded.whole(block, without=["two"])
    law = law_of(recorded.pools(), COUNT)
    assert (law.value, law.held, law.by_block) == (CALLS + 1, False, (CALLS, CALLS + 1, CALLS))


def test_failures_in_one_block_are_not_hidden_by_the_others(record: Begin) -> None:
    recorded = record(blocks=3)
    for block, failed in enumerate((0, 0, 3)):
        recorded.measure("two", block, failed=failed)
    law = law_of(recorded.pools(), NONE_FAILS)
    assert (law.value, law.held) == (3, False)


def test_a_count_is_judged_before_it_is_rounded(record: Begin) -> None:
    recorded = record(strategies={POOLS: make_strategy(laws=(
        Law("so many", "sum", "", said("total"), **exactly(1_234_567)),
    ), seen=(), charts=(), gain=None)})  # fmt: skip
    recorded.compute(total=1_234_567)
    law = law_of(recorded.pools(), "so many")
    assert (law.held, law.value) == (True, 1_234_570)


def test_failures_that_no_law_is_about_make_the_figures_of_their_load_invalid(record: Begin) -> None:
    recorded = record()
    recorded.whole(without=["one"])
    recorded.measure("one", failed=2)
    summary = recorded.summary()
    law = law_of(summary.strategies[POOLS], LOOP)
    assert (law.held, law.valid, codes(law)) == (None, False, ["errors"])
    assert "2 requests failed in block 1, for instance: status 500" in law.reasons[0].text
    assert not summary.valid
    assert "one, pools, four at once: 2 requests failed" in " ".join(texts(summary.reasons))
    assert law_of(summary.strategies[POOLS], POOL).held


def test_failures_that_a_law_is_about_leave_the_other_figures_of_that_load_valid(record: Begin) -> None:
    recorded = record()
    recorded.measure("two", failed=1)
    strategy = recorded.pools()
    rate = law_of(strategy, "two users make 2 / 50 ms")
    assert (rate.held, rate.reasons) == (True, ())
    assert law_of(strategy, NONE_FAILS).held is False


def test_a_service_that_answers_nothing_is_not_one_without_failures(record: Begin) -> None:
    recorded = record()
    recorded.measure("two")
    path = recorded.run.file("samples", recorded.run.trials()[0], ".csv")
    path.write_text(path.read_text().splitlines()[0] + "\n")
    law = law_of(recorded.pools(), NONE_FAILS)
    assert (law.held, codes(law)) == (None, ["silent"])


def test_arrivals_that_were_sent_late_support_no_law(record: Begin) -> None:
    recorded = record()
    recorded.whole()
    path = recorded.run.file("samples", next(t for t in recorded.run.trials() if t.contender == "two"), ".csv")
    head, *rows = path.read_text().splitlines()
    late = [_late(row) if row.startswith("0,") else row for row in rows]  # users 0: an open loop
    path.write_text("\n".join([head, *late]) + "\n")
    strategy = recorded.pools()
    assert codes(law_of(strategy, "a request takes 50 ms")) == ["late_arrivals"]
    assert law_of(strategy, POOL).held


def _late(row: str) -> str:
    users, scheduled_ns, start_ns, *others = row.split(",")
    return ",".join([users, scheduled_ns, str(int(start_ns) + 50_000_000), *others])


def test_a_generator_at_its_limit_supports_no_law_of_that_load(record: Begin) -> None:
    recorded = record()
    recorded.whole(without=["two"])
    recorded.measure("two", cores={**CORES, "load": 0.97})
    strategy = recorded.pools()
    assert codes(law_of(strategy, "two users make 2 / 50 ms")) == ["generator_saturated"]
    assert law_of(strategy, POOL).held  # its window is too short to say


def test_other_programs_make_all_of_a_contender_invalid_and_nothing_of_another(record: Begin) -> None:
    recorded = record()
    recorded.whole(without=["one"])
    recorded.measure("one", cores={**CORES, BUSY: 1.6, IDLE: 0.4})
    strategy = recorded.pools()
    assert codes(law_of(strategy, LOOP)) == ["foreign_load"]
    assert law_of(strategy, POOL).held
    assert strategy.gain is not None
    assert not strategy.gain.valid


def test_where_the_machine_was_busy_before_the_start_no_law_is_told(record: Begin) -> None:
    recorded = record(busy_before_start=0.5)
    recorded.whole()
    summary = recorded.summary()
    assert set(held(summary.strategies[POOLS]).values()) == {None}
    assert codes(summary.strategies[POOLS].laws[0]) == ["run_invalid"]
    assert [reason.code for reason in summary.reasons] == ["machine_busy"]
    assert not summary.findings


def test_a_contender_that_is_not_available_is_said_and_the_rest_counts(record: Begin) -> None:
    recorded = record()
    recorded.whole(without=["two"])
    recorded.fail("two", NotAvailable.code, "the environment of a.txt cannot be built; pip says:\n    no network")
    summary = recorded.summary()
    strategy = summary.strategies[POOLS]
    assert (summary.complete, summary.valid) == (True, True)
    assert list(summary.not_available) == ["two"]
    assert (law_of(strategy, POOL).held, law_of(strategy, POOL).value) == (None, None)
    assert law_of(strategy, LOOP).held
    assert strategy.gain is not None
    assert strategy.gain.times is None


def test_a_trial_that_failed_makes_its_contender_invalid_and_is_quoted(record: Begin) -> None:
    recorded = record(blocks=2)
    recorded.whole(0)
    recorded.whole(1, without=["two"])
    recorded.fail("two", "stack", "scoring of two died:\n    its log", block=1)
    summary = recorded.summary()
    law = law_of(summary.strategies[POOLS], POOL)
    assert law.value == pytest.approx(50)
    assert (law.held, codes(law)) == (None, ["stack"])
    assert summary.complete
    assert "two, pools, block 2: scoring of two died:\n    its log" in texts(summary.reasons)


def test_a_computation_that_failed_leaves_the_contenders_valid(record: Begin) -> None:
    recorded = record()
    recorded.whole(without=["sum"])
    recorded.fail("sum", "load", "no.module failed")
    strategy = recorded.pools()
    assert codes(law_of(strategy, TOTAL)) == ["load"]
    assert law_of(strategy, POOL).held


def test_an_interrupted_trial_counts_with_the_loads_that_it_came_to(record: Begin) -> None:
    recorded = record(blocks=2)
    recorded.whole(0)
    recorded.measure("two", 1, only=2, status="interrupted", code="interrupted")
    summary = recorded.summary()
    strategy = summary.strategies[POOLS]
    assert not summary.complete
    assert texts(summary.reasons) == ["interrupted: 4 of 6 trials were measured"]
    assert law_of(strategy, POOL).by_block == (50, 50)
    assert law_of(strategy, "two users make 2 / 50 ms").by_block == (40,)
    assert len(summary.held) == len(make_strategy().laws)


def test_what_an_interrupted_run_did_not_come_to_is_not_measured(record: Begin) -> None:
    recorded = record()
    recorded.measure("one")
    summary = recorded.summary()
    law = law_of(summary.strategies[POOLS], POOL)
    assert (law.held, law.value, codes(law)) == (None, None, ["not_measured"])
    assert law_of(summary.strategies[POOLS], LOOP).held


def test_a_run_of_which_nothing_was_measured_has_a_summary(record: Begin) -> None:
    summary = record().summary()
    assert (summary.complete, summary.valid, summary.judged) == (False, False, [])
    assert not summary.strategies[POOLS].charts[0].points


def test_a_figure_that_one_block_lacks_does_not_rest_on_the_others(record: Begin) -> None:
    recorded = record(blocks=2)
    recorded.whole(0)
    recorded.whole(1, without=["two"])
    recorded.measure("two", 1, calls=None)
    law = law_of(recorded.pools(), COUNT)
    assert (law.held, law.by_block) == (None, (CALLS, None))
    assert texts(law.reasons) == ["not measured in block 2"]


def test_a_gain_is_of_the_same_block_on_both_sides(record: Begin) -> None:
    recorded = record(blocks=3)
    for block, (one, two) in enumerate(((100, 50), (300, 50), (100, 25))):
        if block != 1:
            recorded.measure("two", block, latency_ms=two)
        recorded.measure("one", block, latency_ms=one)
    gain = recorded.pools().gain
    assert gain is not None
    assert [gain.low, gain.high, gain.times] == pytest.approx([2, 4, 3])


def test_a_gain_where_more_is_better_is_the_other_way_round(record: Begin) -> None:
    gain = Gain("times the calls", said("calls"), "four at once", "two", "one", less_is_better=False)
    recorded = record(strategies={POOLS: make_strategy(gain=gain)})
    recorded.measure("one", calls=5)
    recorded.measure("two", calls=25)
    found = recorded.pools().gain
    assert found is not None
    assert found.times == pytest.approx(30 / 10)


def test_a_chart_has_a_point_for_each_load_with_the_law_where_there_is_one(record: Begin) -> None:
    recorded = record(blocks=2)
    recorded.whole(0)
    recorded.whole(1, without=["two"])
    recorded.measure("two", 1, latency_ms=60)
    points = {(point.subject, point.x): point for point in recorded.pools().charts[0].points}
    assert set(points) == {(name, x) for name in ("one", "two") for x in (1, 4)}
    assert points["one", 1].expected is None
    assert points["one", 4].expected == 100
    two = points["two", 4]
    assert [two.value, two.low, two.high, two.expected] == pytest.approx([55, 50, 60, 50])


def test_a_law_stands_in_a_chart_of_the_same_figure_though_each_was_made_anew(record: Begin) -> None:
    law = Law("so many", "two", "four at once", said("calls"), **at_most(20))
    chart = replace(make_strategy().charts[0], figure=said("calls"))
    recorded = record(strategies={POOLS: make_strategy(laws=(law,), charts=(chart,))})
    recorded.measure("two")
    assert [point.expected for point in recorded.pools().charts[0].points if point.x == 4] == [20]


def test_a_contender_of_two_strategies_keeps_the_reasons_of_both(record: Begin) -> None:
    strategies = {POOLS: make_strategy(), "cache": other_strategy()}
    recorded = record(strategies=strategies)
    recorded.measure("one", failed=1)
    recorded.measure("one", strategy="cache")
    recorded.measure("two", strategy="cache")
    recorded.whole(without=["one"])
    summary = recorded.summary()
    assert not summary.contenders["one"].valid
    assert all(reason.startswith("one, pools, ") for reason in texts(summary.reasons))
    assert summary.strategies["cache"].laws[0].held


def test_memory_and_kills_are_what_was_seen_at_the_end_of_the_window(record: Begin) -> None:
    seen = (Seen("memory", "two", "busy", MEMORY),)
    laws = (Law("both are killed", "two", "random", said("killed", "processes"), **exactly(2)),)
    recorded = record(strategies={POOLS: make_strategy(laws=laws, seen=seen)})
    recorded.measure("two")
    strategy = recorded.pools()
    assert strategy.seen[0].value == 60
    assert strategy.laws[0].held


def test_cpu_is_that_of_the_contender_without_redis_generator_and_harness(record: Begin) -> None:
    recorded = record(strategies={POOLS: make_strategy(seen=(Seen("CPU", "two", "idle", CORE_SHARE),))})
    recorded.measure("two")
    assert recorded.pools().seen[0].value == pytest.approx(100 * CORES["scoring"])


def test_of_an_open_loop_all_that_was_due_counts_and_of_a_closed_one_what_was_answered(record: Begin) -> None:
    recorded = record()
    recorded.measure("two", failed=0, latency_ms=600)
    strategy = recorded.pools()
    load = make_strategy().loads["random"]
    assert isinstance(load, Arrivals)
    assert law_of(strategy, "a request takes 50 ms").value == pytest.approx(600)
    assert law_of(strategy, "two users make 2 / 50 ms").value == pytest.approx(2 / 0.6, rel=1e-3)


def test_a_finding_is_a_law_that_was_told(record: Begin) -> None:
    recorded = record()
    recorded.measure("one")
    summary = recorded.summary()
    assert [(each.contender, each.figure, each.value) for each in summary.findings] == [
        ("one", "makespan_ms_four at once", 100)
    ]


def test_trials_of_no_strategy_are_passed_over(record: Begin) -> None:
    recorded = record()
    recorded.whole()
    once = summarise(recorded.run)[SUMMARY]
    recorded.run.append_cell(TrialRecord(0, "three", seed=1, part="another"))
    assert summarise(recorded.run)[SUMMARY] == once

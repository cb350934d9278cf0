"""The page of a run of strategies: complete for every kind of run, self-contained, and the same each time."""

import re
from collections import Counter

import pytest
from rich.console import Console

from benchmark.errors import NotAvailable
from benchmark.experiments.experiment import report
from benchmark.experiments.strategies.experiment import EXPERIMENT
from benchmark.experiments.strategies.figure_kinds import MAKESPAN
from benchmark.experiments.strategies.figures import gains_picture, headline, strategy_pictures
from benchmark.experiments.strategies.law import Chart, OverTime, Stages
from benchmark.experiments.strategies.page import write_report
from benchmark.experiments.strategies.schema import StrategiesSummary, StrategySummary
from benchmark.record.run import SUMMARY
from benchmark.report.alt_text import LONGEST
from benchmark.report.charts.picture import Picture
from tests.unit.benchmark.conftest import SheetsOf
from tests.unit.benchmark.experiments.strategies.conftest import Begin
from tests.unit.benchmark.experiments.strategies.synthetic import (
    FOUR,
    POOLS,
    Recorded,
    make_strategy,
    other_strategy,
)
from tests.unit.benchmark.report.looks import struck, unreadable, words

PARTS = ("which", POOLS, "method", "doubts", "reproduce")


def page_of(recorded: Recorded) -> str:
    recorded.summary()
    return write_report(recorded.run).read_text(encoding="utf-8").replace("\u00a0", " ")


def pictures(summary: StrategiesSummary) -> list[Picture]:
    found = [picture for name, each in summary.strategies.items() for picture in strategy_pictures(name, each)]
    gains = gains_picture(summary)
    return [gains, *found] if gains else found


def whole(record: Begin, blocks: int = 2) -> Recorded:
    recorded = record(blocks=blocks)
    for block in range(blocks):
        recorded.whole(block)
    return recorded


def test_it_names_each_strategy_with_its_trouble_its_gain_and_its_laws(record: Begin) -> None:
    page = page_of(whole(record))
    assert page.count("<figure ") == page.count('role="img" aria-label="') == page.count("<figcaption>") == 3
    strategy = make_strategy()
    for text in (strategy.title, strategy.trouble, strategy.claim, strategy.source, strategy.use_when):
        assert text in page
    assert all(law.says in page for law in strategy.laws)
    assert "2.0 times as fast as a loop" in page
    assert "8 of 8" in page
    assert all(f'id="{part}"' in page for part in PARTS)
    assert "Laws that missed" not in page
    assert "<script" not in page


def test_a_law_that_missed_is_named_at_the_top_with_what_was_measured(record: Begin) -> None:
    recorded = record()
    recorded.measure("one")
    recorded.measure("two", latency_ms=80)
    recorded.compute()
    page = page_of(recorded)
    assert "two four at once, four calls on two workers take 50 ms: 80.0 ms, expected 50.0 (49.7 … 55.0)" in page
    assert page.index("Laws that missed") < page.index(f'<h2 id="{POOLS}">')


def test_a_measurement_is_off_a_law_and_below_a_bound(record: Begin) -> None:
    recorded = record()
    recorded.measure("two", latency_ms=47.5)
    recorded.compute()
    page = page_of(recorded)
    assert page.count('<td class="value">−5.0 %</td>') == 2  # the makespan, and the latency of the open loop
    assert "−80.0 %" not in page  # of the computation, which takes 2 ms of 10


def test_the_law_of_a_mistake_is_marked_as_one(record: Begin) -> None:
    page = page_of(whole(record))
    assert page.count("(for contrast)") == 1
    assert "four calls in a loop take 100 ms (for contrast)" in page


def test_who_is_not_available_is_named_with_the_first_line_of_why(record: Begin) -> None:
    recorded = record()
    recorded.whole(without=["two"])
    recorded.fail("two", NotAvailable.code, "no environment; pip says:\n    no network")
    page = page_of(recorded)
    assert "two is not available:</strong> no environment; pip says" in page
    assert "no network" not in page
    assert page.count('<td class="state">not available</td>') == 5


def test_ids_are_unique_and_what_is_referred_to_exists(record: Begin) -> None:
    page = page_of(whole(record))
    ids = Counter(re.findall(r'\bid="([^"]+)"', page))
    assert [name for name, count in ids.items() if count > 1] == []
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', page)) <= set(ids)


def test_a_report_that_is_made_again_is_the_same_byte_for_byte(record: Begin) -> None:
    recorded = whole(record)
    names = (SUMMARY, "report.html", "headline.svg", "headline-narrow.svg")
    report(EXPERIMENT, recorded.run)
    once = {name: (recorded.run.path / name).read_bytes() for name in names}
    report(EXPERIMENT, recorded.run)
    assert {name: (recorded.run.path / name).read_bytes() for name in names} == once


@pytest.mark.parametrize("measured", [(), ("one",), ("sum",), ("one", "two")])
def test_an_unfinished_run_has_a_page(record: Begin, measured: tuple[str, ...]) -> None:
    recorded = record()
    recorded.whole(without=[name for name in ("one", "two", "sum") if name not in measured])
    page = page_of(recorded)
    assert page.rstrip().endswith("</html>")
    text = re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL)
    assert not {"nan", "None", "inf"} & set(text.split())


def test_a_run_that_is_invalid_as_a_whole_says_why_once(record: Begin) -> None:
    recorded = record(busy_before_start=0.5)
    recorded.whole()
    page = page_of(recorded)
    assert page.count("machine was 50 % busy before the start") == 1
    assert "the whole run is INVALID" not in page
    assert page.count('<td class="state">INVALID</td>') == 8


def test_what_is_invalid_is_struck_through_and_nothing_else_is(record: Begin, sheets_of: SheetsOf) -> None:
    recorded = record(strategies={POOLS: make_strategy(), "cache": other_strategy()})
    recorded.whole()
    recorded.measure("one", strategy="cache")
    recorded.measure("two", strategy="cache", failed=1)
    gains, *_ = sheets_of(pictures(recorded.summary())[:1])
    assert any("cache" in text for text in struck(gains))
    assert not any(POOLS in text for text in struck(gains))


def test_every_text_of_every_picture_can_be_read(record: Begin, sheets_of: SheetsOf) -> None:
    drawn = sheets_of(pictures(whole(record).summary()))
    assert len(drawn) == 6
    for sheet in drawn:
        assert unreadable(sheet) == [], sheet.name


def test_a_chart_names_its_contenders_and_its_law(record: Begin, sheets_of: SheetsOf) -> None:
    summary = whole(record).summary()
    chart = strategy_pictures(POOLS, summary.strategies[POOLS])[0]
    assert ",law" not in (chart.data or "")
    assert '"one, law",4' in (chart.data or "")
    for sheet in sheets_of([chart]):
        assert {"one", "two", "law"} <= words(sheet)


def test_pictures_leave_out_what_the_names_of_all_contenders_begin_with(record: Begin, sheets_of: SheetsOf) -> None:
    summary = whole(record).summary()
    named = summary.strategies[POOLS].model_dump_json().replace('"subject":"two"', '"subject":"pools-two"')
    strategy = StrategySummary.model_validate_json(named)
    for sheet in sheets_of(strategy_pictures(POOLS, strategy)):
        assert not any("pools-" in text for text in words(sheet))
        assert any(text.startswith("two") for text in words(sheet))


@pytest.mark.parametrize("is_log", [True, False])
def test_a_chart_of_a_single_place_can_be_drawn(record: Begin, sheets_of: SheetsOf, is_log: bool) -> None:
    chart = Chart("One place", MAKESPAN, ("one", "two"), "requests", {"one at once": 1}, is_log)
    recorded = record(strategies={POOLS: make_strategy(charts=(chart,))})
    recorded.whole()
    drawn = sheets_of(strategy_pictures(POOLS, recorded.pools()))
    assert all(unreadable(sheet) == [] for sheet in drawn)


def test_text_alternatives_are_short_enough_to_be_listened_to(record: Begin) -> None:
    found = pictures(whole(record).summary())
    assert len(found) == 3
    assert all(len(picture.alt) <= LONGEST and picture.alt.endswith(".") for picture in found)


def test_without_a_gain_there_is_no_headline(record: Begin) -> None:
    recorded = record()
    recorded.measure("one")
    assert headline(recorded.summary()) is None


def test_the_console_has_a_line_for_each_strategy_and_for_each_law_that_missed(record: Begin) -> None:
    recorded = record(strategies={POOLS: make_strategy(), "cache": other_strategy()})
    recorded.whole(without=["two"])
    recorded.measure("two", latency_ms=80)
    recorded.measure("one", strategy="cache")
    recorded.fail("two", NotAvailable.code, "no environment; pip says:\n    no network")
    lines = printed(recorded)
    assert sum(line.startswith(POOLS) for line in lines) == sum(line.startswith("cache") for line in lines) == 1
    assert any(line.startswith("missed: two four at once, four calls") for line in lines)
    assert "not available: two: no environment; pip says" in lines


def printed(recorded: Recorded) -> list[str]:
    recorded.summary()
    console = Console(width=300)
    with console.capture() as capture:
        console.print(EXPERIMENT.table(recorded.run.summary))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_a_strategy_that_answers_later_shows_its_backlog_and_its_stages(record: Begin) -> None:
    strategy = make_strategy(
        watched=("busy",),
        over_time=(OverTime("The backlog stays", "backlog", "jobs", ("two",), "busy", {0.0: 0.0, 2.0: 4.0}),),
        stages=(Stages("Where the time goes", ("two",), FOUR, (("wave", MAKESPAN),)),),
    )
    recorded = record(strategies={POOLS: strategy})
    recorded.whole()
    start_ns = recorded.run.trials()[1].windows[-2].start_ns
    for t_s in range(3):
        recorded.say_during("two", "busy", start_ns + t_s * 10**9, backlog=t_s)
    page = page_of(recorded)
    assert "The backlog stays" in page
    assert "Where the time goes" in page
    assert "***" not in page, "nothing of it is a secret"
    assert "Dotted: the law, computed before the run." in page

"""What the pages say of the recorded run: plain sentences, and no claim that the run does not show."""

import re
from dataclasses import replace
from typing import Any

import pytest

from benchmark.analysis.schema import LevelSummary, Summary
from doc import facts
from doc.facts import RecordedRun, Sweep, recorded_run
from tests.unit.plain import faults

RUN = recorded_run()


def with_comparisons(shown: bool) -> RecordedRun:
    compared = [each.model_copy(update={"difference_shown": shown}) for each in RUN.contenders.comparisons]
    return RecordedRun(RUN.contenders.model_copy(update={"comparisons": tuple(compared)}), RUN.explained)


def changed(name: str, **what: Any) -> Summary:
    contenders = {**RUN.contenders.contenders, name: RUN.contenders.contenders[name].model_copy(update=what)}
    return RUN.contenders.model_copy(update={"contenders": contenders})


def with_worker(**what: Any) -> str:
    explained = RUN.explained
    rows = [each.model_copy(update=what) for each in explained.what_if if each.title.startswith("a second worker")]
    assert rows
    return facts.workers(explained.model_copy(update={"what_if": tuple(rows)}))


@pytest.mark.parametrize("run", [RUN, with_comparisons(True), with_comparisons(False)])
def test_each_sentence_is_plain(run: RecordedRun) -> None:
    blocks = [text for page in facts.blocks(run).values() for text in page.values()]
    lines = [line for text in blocks for line in text.splitlines() if line and not line.startswith(("|", "Recorded"))]
    sentences = [each for line in lines for each in re.split(r"(?<=\.) (?=[A-Z])", line.removeprefix("- "))]
    assert len(sentences) >= 6
    assert [fault for each in sentences for fault in faults(each)] == []


def test_where_no_difference_is_shown_none_is_claimed() -> None:
    said = facts.move(with_comparisons(False))
    assert not [each for each in said if "times the requests" in each or "of the difference" in each]
    assert [each for each in said if "no difference between FastAPI with httpx and Flask is shown" in each]


def test_where_a_difference_is_shown_it_is_that_of_the_run() -> None:
    said = " ".join(facts.move(with_comparisons(True)))
    compared = RUN.contenders.comparison("peak_rps", "async-aiohttp")
    assert compared
    assert compared.ratio
    assert f"FastAPI with aiohttp carries {compared.ratio:.3g} times" in said


def test_a_second_worker_is_said_to_help_only_if_that_is_shown() -> None:
    change = RUN.explained.what_if[0].rps_change
    assert change
    assert "with two" in with_worker(rps_change=change.model_copy(update={"ci95": (1.2, 1.5)}))
    assert "not shown" in with_worker(rps_change=change.model_copy(update={"ci95": (0.9, 1.5)}))
    assert "not shown" in with_worker(rps_change=None)
    assert "did not measure" in with_worker(rps_measured=None)


def test_what_is_invalid_has_no_figures_in_a_table() -> None:
    levels = tuple(each.model_copy(update={"valid": False}) for each in RUN.contenders.contenders["async"].levels)
    summary = changed("async", levels=levels)
    for table in (facts.rate_table(summary), facts.cost_table(summary)):
        row = next(line for line in table.splitlines() if line.startswith("| `async` "))
        assert "INVALID" in row
        assert not re.search(r"\d", row)


@pytest.mark.parametrize("sweep", facts.sweeps(), ids=lambda each: each.block)
def test_a_pool_is_said_to_matter_only_if_the_intervals_do_not_overlap(sweep: Sweep) -> None:
    def with_interval(low: float, high: float) -> str:
        def around(level: LevelSummary) -> LevelSummary:
            return level.model_copy(update={"ci95_rps": (low * level.rps, high * level.rps)})

        values = {
            value: each.model_copy(update={"levels": tuple(map(around, each.levels))})
            for value, each in sweep.by_value.items()
        }
        return facts.pool(replace(sweep, by_value=values))

    assert "the best one" in with_interval(0.99, 1.01)
    assert "no difference" in with_interval(0.01, 100)
    assert "did not measure" in facts.pool(replace(sweep, by_value={}))


def test_an_invalid_level_of_a_pool_has_no_figure() -> None:
    sweep, *_ = facts.sweeps()
    first, *_ = sweep.by_value
    levels = tuple(each.model_copy(update={"valid": False}) for each in sweep.by_value[first].levels)
    values = {**sweep.by_value, first: sweep.by_value[first].model_copy(update={"levels": levels})}
    row = facts.pool_table(replace(sweep, by_value=values)).splitlines()[2]
    assert set(row.strip("| ").split(" | ")[1:]) == {"INVALID"}


def test_a_table_has_as_many_cells_in_each_row() -> None:
    summary = RUN.contenders
    for table in (facts.rate_table(summary), facts.cost_table(summary), *map(facts.pool_table, facts.sweeps())):
        assert len({line.count("|") for line in table.splitlines()}) == 1

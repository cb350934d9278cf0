"""What makes a figure, a contender or a whole run INVALID."""

from typing import Any

import pytest
from pydantic import ValidationError

from benchmark.analysis.schema import ContenderSummary, LevelSummary, in_order, parse_summary
from benchmark.record.run import OLDEST_SCHEMA, SCHEMA


def test_an_invalid_level_leaves_the_other_levels_valid() -> None:
    contender = ContenderSummary(
        valid=False,
        reasons=("64 users: the rate changed",),
        levels=(LevelSummary(users=8, rps=1.0), LevelSummary(users=64, rps=2.0, valid=False)),
    )
    assert contender.faults == []
    assert contender.stands(8)
    assert not contender.stands(64)


@pytest.mark.parametrize("reasons", [("block 2: its process ended",), ()])
def test_any_other_reason_condemns_the_contender(reasons: tuple[str, ...]) -> None:
    contender = ContenderSummary(valid=False, reasons=reasons, levels=(LevelSummary(users=8, rps=1.0),))
    assert contender.faults
    assert not contender.stands(8)


def test_a_reason_about_a_contender_does_not_condemn_the_run(summaries: dict[str, Any]) -> None:
    assert parse_summary(summaries["invalid_contender"]).faults == ()
    assert parse_summary(summaries["interrupted"]).faults == ()


def test_a_name_is_not_taken_for_the_beginning_of_another_word(summaries: dict[str, Any]) -> None:
    summary = summaries["valid"]
    summary.update(valid=False, reasons=["synchronised clocks were lost"])
    assert [fault.text for fault in parse_summary(summary).faults] == ["synchronised clocks were lost"]


def test_what_could_not_be_computed_is_missing(summaries: dict[str, Any]) -> None:
    level = summaries["valid"]["contenders"]["sync"]["levels"][0]
    level.update(ci95_rps=[None, 3.0], cpu_ms_per_request={"scoring": None, "model": 2.0}, mean_ms=None)
    parsed = parse_summary(summaries["valid"]).contenders["sync"].levels[0]
    assert parsed.ci95_rps is None
    assert parsed.cpu_ms_per_request == {"model": 2.0}


@pytest.mark.parametrize("schema", [OLDEST_SCHEMA - 1, SCHEMA + 1])
def test_another_schema_is_refused(summaries: dict[str, Any], schema: int) -> None:
    with pytest.raises(ValidationError, match="schema"):
        parse_summary({**summaries["valid"], "schema": schema})


@pytest.mark.parametrize("schema", range(OLDEST_SCHEMA, SCHEMA + 1))
def test_every_schema_of_which_runs_can_be_read_is_read(summaries: dict[str, Any], schema: int) -> None:
    assert parse_summary({**summaries["valid"], "schema": schema}).schema_version == schema


def test_the_highest_level_is_one_that_all_were_measured_at(summaries: dict[str, Any]) -> None:
    assert parse_summary(summaries["climbed"]).high_users == 64
    assert parse_summary(summaries["interrupted"]).high_users == 8


def test_processes_stand_along_the_way_of_a_request() -> None:
    assert in_order(["load", "redis", "batcher", "scoring", "model", "model"]) == [
        "scoring", "model", "redis", "batcher", "load",
    ]  # fmt: skip

"""The answers say what the intervals carry, and not a word more."""

import copy
from typing import Any

import pytest

from benchmark.analysis.schema import parse_summary
from benchmark.experiments.bench.answers import answers
from benchmark.experiments.bench.notes import doubts, excluded
from tests.unit.plain import faults


def said(summary: dict[str, Any], topic: str) -> str:
    (text,) = [answer.text for answer in answers(parse_summary(summary)) if answer.topic == topic]
    return text


def state(summary: dict[str, Any]) -> list[str]:
    return [answer.text for answer in answers(parse_summary(summary)) if answer.topic in ("State", "")]


@pytest.fixture
def summary(summaries: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(summaries["climbed"])


def test_every_answer_is_short_and_plain_whatever_the_run(summaries: dict[str, Any]) -> None:
    for name, each in summaries.items():
        for answer in answers(parse_summary(each)):
            assert faults(answer.text) == [], name


def test_the_best_and_the_baseline_are_named(summary: dict[str, Any]) -> None:
    assert said(summary, "Latency") == "Alone, async-aiohttp answers in 50.8 ms; sync takes 101.2 ms."
    assert said(summary, "Throughput") == ("Under load, async-aiohttp carries most, 830 requests/s; sync carries 147.")
    assert said(summary, "CPU") == "A request costs async-aiohttp 2.99 ms of CPU, and sync 8.99 ms."


def test_the_models_are_named_where_they_make_most_of_the_difference(summary: dict[str, Any]) -> None:
    assert said(summary, "Why") == (
        "The models make most of the difference: 46.7 ms as async-aiohttp asks them, 90.0 ms as sync does."
    )


def test_that_models_are_asked_at_once_is_said(summary: dict[str, Any]) -> None:
    summary["contenders"]["async-aiohttp"]["asked"], summary["contenders"]["sync"]["asked"] = "max", "sum"
    assert said(summary, "Why") == (
        "Most of the difference: async-aiohttp asks both models at once (46.7 ms), sync one after the other (90.0 ms)."
    )


def test_the_models_are_not_named_where_both_ask_them_alike(summary: dict[str, Any]) -> None:
    summary["contenders"]["async-aiohttp"]["floor_ms"] = summary["contenders"]["sync"]["floor_ms"]
    summary["contenders"]["async"]["floor_ms"] = summary["contenders"]["sync"]["floor_ms"]
    assert not [answer for answer in answers(parse_summary(summary)) if answer.topic == "Why"]


def test_a_peak_at_the_last_level_ranks_nowhere(summaries: dict[str, Any]) -> None:
    assert "async-aiohttp" not in said(summaries["valid"], "Throughput")


def test_where_no_peak_is_shown_nothing_is_ranked(summaries: dict[str, Any]) -> None:
    """At one user and 8, whoever has not met its ceiling may lie above or far below its own peak."""
    summary = summaries["valid"]
    for contender in summary["contenders"].values():
        contender["levels"] = [level for level in contender["levels"] if level["users"] in (1, 8)]
        contender["peak"] = {**contender["peak"], "users": 8, "rps": contender["levels"][-1]["rps"]}
    assert said(summary, "Throughput").startswith("The levels measured show no peak")


def test_who_was_driven_less_hard_is_not_called_slower(summaries: dict[str, Any]) -> None:
    assert said(summaries["interrupted"], "Throughput") == "Under load, sync carries most, 147 requests/s."


def test_without_intervals_nobody_is_called_fastest(summaries: dict[str, Any]) -> None:
    assert said(summaries["one_block"], "Latency") == (
        "Alone, async-aiohttp answered in 50.8 ms and sync in 101.2 ms, but the run is too short to rule out chance."
    )
    assert state(summaries["one_block"]) == ["One block shows no difference: intervals take two or more."]


def test_equals_of_the_best_are_named_beside_it(summary: dict[str, Any]) -> None:
    summary["contenders"]["async"]["low_load"].update(mean_ms=52.9, ci95_mean_ms=[50.7, 55.0])
    assert said(summary, "Latency") == "Alone, async-aiohttp and async answer in about 52 ms; sync takes 101.2 ms."


def test_the_figure_of_equals_is_the_middle_of_theirs(summary: dict[str, Any]) -> None:
    for value, words in ((51.0, "about 51 ms"), (54.8, "about 53 ms")):
        summary["contenders"]["async"]["low_load"].update(mean_ms=value, ci95_mean_ms=[50.7, 55.0])
        assert f"async-aiohttp and async answer in {words};" in said(summary, "Latency")


def test_differences_too_small_to_matter_are_not_claimed(summary: dict[str, Any]) -> None:
    summary["contenders"]["async"]["low_load"].update(mean_ms=51.0, ci95_mean_ms=[50.99, 51.01])
    summary["contenders"]["async-aiohttp"]["low_load"]["ci95_mean_ms"] = [50.79, 50.81]
    assert "async-aiohttp and async answer" in said(summary, "Latency")


def test_more_than_four_equals_are_counted(summaries: dict[str, Any]) -> None:
    summary = summaries["twelve"]
    for entry in summary["contenders"].values():
        if entry["low_load"]:
            entry["low_load"].update(mean_ms=51.0, ci95_mean_ms=[10.0, 500.0])
    summary["baseline"], summary["comparisons"] = None, []
    assert " contenders answer in about " in said(summary, "Latency")


def test_figures_far_apart_are_not_called_about_the_same_because_no_difference_is_shown(
    summary: dict[str, Any],
) -> None:
    """Two blocks have wide intervals."""
    for entry in summary["contenders"].values():
        if entry["low_load"]:
            entry["low_load"]["ci95_mean_ms"] = [10.0, 500.0]
            entry["peak"]["ci95_rps"] = [10.0, 5000.0]
    summary["baseline"], summary["comparisons"] = None, []
    assert " answer in 50.8 ms to 101.2 ms; no difference between them is shown." in said(summary, "Latency")
    assert " requests/s; no difference between them is shown." in said(summary, "Throughput")
    assert "about" not in said(summary, "Throughput")


def test_the_record_decides_on_a_difference_to_the_baseline(summary: dict[str, Any]) -> None:
    """Its interval is widened for many comparisons, so it may show nothing although ci95 leaves out 1."""
    for comparison in summary["comparisons"]:
        comparison["difference_shown"] = False
    assert said(summary, "Latency").startswith("Alone, async-aiohttp answered in 50.8 ms and sync in 101.2 ms, but ")
    assert said(summary, "Throughput").endswith(
        " requests/s and sync 147, but the run is too short to rule out chance."
    )
    assert said(summary, "CPU").endswith(" ms of CPU and sync 8.99 ms, but the run is too short to rule out chance.")


def test_of_what_is_nearly_equal_nothing_is_shown_to_be_better(summary: dict[str, Any]) -> None:
    for comparison in summary["comparisons"]:
        comparison["difference_shown"] = False
    summary["contenders"]["sync"]["low_load"]["mean_ms"] = 54.0
    assert said(summary, "Latency").startswith("Alone, nothing is shown to answer faster than sync (54.0 ms)")


def undecided_after(summary: dict[str, Any], minutes: int, low: float, high: float) -> str:
    summary.update(started_utc="2026-11-27T10:00:00+00:00", finished_utc=f"2026-11-27T10:{minutes:02}:00+00:00")
    for comparison in summary["comparisons"]:
        comparison.update(ci=[low, high], confidence=0.99, ci95=[low, high], difference_shown=False)
    return said(summary, "Latency")


def test_what_is_not_shown_is_said_with_what_would_show_it(summary: dict[str, Any]) -> None:
    """An interval of 1 / 1.1025 to 1.1025 is twice as wide as one that shows 5 %: it takes four times as long."""
    text = undecided_after(summary, 10, 1 / 1.05**2, 1.05**2)
    assert text.endswith("to rule out chance; about 30 more minutes would show a difference of 5 %.")


@pytest.mark.parametrize("ends", [(0.99, 1.01), (1e-9, 1e9)])
def test_no_advice_where_the_run_is_long_enough_or_no_time_would_be(
    summary: dict[str, Any], ends: tuple[float, float]
) -> None:
    assert undecided_after(summary, 10, *ends).endswith("to rule out chance.")


def test_an_invalid_contender_supports_no_answer_and_is_listed_with_its_reason(summaries: dict[str, Any]) -> None:
    parsed = parse_summary(summaries["invalid_contender"])
    assert all("async-aiohttp" not in answer.text for answer in answers(parsed))
    assert "async-aiohttp is INVALID: 12 of 13,100 answers were wrong." in excluded(parsed)


def test_an_invalid_peak_falls_back_to_the_best_valid_level(summaries: dict[str, Any]) -> None:
    """The comparison with the baseline was made of the INVALID peak, so the intervals decide: they overlap."""
    assert said(summaries["invalid_contender"], "Throughput").startswith(
        "Under load, nothing is shown to carry more than sync (147 requests/s)"
    )


def test_there_is_no_comparison_with_a_baseline_that_did_not_reach_its_peak(summary: dict[str, Any]) -> None:
    """sync was still growing at 8 users, its last level; the leader was driven further."""
    sync = summary["contenders"]["sync"]
    sync["levels"] = [level for level in sync["levels"] if level["users"] <= 8]
    sync["peak"] = {**sync["peak"], "users": 8, "rps": sync["levels"][-1]["rps"]}
    assert said(summary, "Throughput") == "Under load, async-aiohttp carries most, 830 requests/s."


def test_an_invalid_baseline_is_compared_with_nothing(summary: dict[str, Any]) -> None:
    summary["contenders"]["sync"].update(valid=False, reasons=["block 2: its process ended"])
    assert said(summary, "Latency") == "Alone, async-aiohttp answers fastest, in 50.8 ms."
    assert "sync is INVALID: block 2: its process ended." in excluded(parse_summary(summary))


def test_an_interrupted_run_says_so_and_names_who_is_missing(summaries: dict[str, Any]) -> None:
    summary = summaries["interrupted"]
    assert state(summary) == ["The run was interrupted: the figures rest on what was measured by then."]
    assert excluded(parse_summary(summary)) == [
        "sync-concurrent was not measured: its process ended before it was ready.",
        "async-aiohttp was not measured: failed parity: a malformed body answered 500, expected 400.",
    ]


def test_a_run_that_is_invalid_as_a_whole_claims_nothing(summaries: dict[str, Any]) -> None:
    assert state(summaries["busy_machine"]) == [
        "The run as a whole is INVALID and supports no claim.",
        "No contender has a VALID figure, so nothing is claimed.",
    ]


def test_an_invalid_run_without_a_reason_claims_nothing(summaries: dict[str, Any]) -> None:
    summaries["valid"]["valid"] = False
    assert state(summaries["valid"])[-1] == "No contender has a VALID figure, so nothing is claimed."
    assert "the record does not say why" in excluded(parse_summary(summaries["valid"]))[0]


def test_cpu_is_held_apart_by_intervals_of_its_own_and_not_by_those_of_ratios_to_the_baseline(
    summary: dict[str, Any],
) -> None:
    """A noisy baseline makes all ratios to it wide; two others are as far apart as they were."""
    for compared in summary["comparisons"]:
        if compared["figure"] == "cpu_ms_per_request":
            compared.update(ci95=[0.1, 9.0], difference_shown=False)
    for entry in summary["contenders"].values():
        total_ms = sum(ms for role, ms in entry["cpu_ms_per_request"].items() if role != "load")
        entry["ci95_cpu_ms"] = [0.95 * total_ms, 1.05 * total_ms]
    del summary["contenders"]["sync"]
    assert said(summary, "CPU") == "A request costs async-aiohttp least CPU, 2.99 ms."


def test_services_that_run_elsewhere_are_not_called_cheap(summaries: dict[str, Any]) -> None:
    summaries["valid"]["contenders"]["async-aiohttp"]["cpu_ms_per_request"] = {"load": 0.9}
    assert "async-aiohttp" not in said(summaries["valid"], "CPU")


def test_nothing_measured_claims_nothing(summaries: dict[str, Any]) -> None:
    assert "No contender was measured, so nothing is claimed." in state(summaries["nothing"])


def test_what_was_not_asked_is_said_to_be_unmeasured(summaries: dict[str, Any]) -> None:
    for contender in summaries["valid"]["contenders"].values():
        contender["low_load"] = None
    assert said(summaries["valid"], "Latency") == "This was not measured."


def test_a_busy_generator_is_warned_of(summaries: dict[str, Any]) -> None:
    found = doubts(parse_summary(summaries["valid"]))
    assert found[0].startswith("The load generator itself reaches 1,080 requests/s here (null).")
    assert "At the highest rate it used 0.58 of a core for async-aiohttp." in found[1]


def test_there_is_always_a_doubt(summaries: dict[str, Any]) -> None:
    assert all(doubts(parse_summary(summary)) for summary in summaries.values())


def test_a_log_in_a_reason_stays_out_of_the_sentence(summaries: dict[str, Any]) -> None:
    lost = summaries["interrupted"]["contenders"]["sync-concurrent"]
    lost["reasons"] = ["block 1: not ready after 30 s; its log ends:\nTraceback\nAssertionError"]
    assert "sync-concurrent was not measured: block 1: not ready after 30 s; its log ends." in excluded(
        parse_summary(summaries["interrupted"])
    )

"""The verdict says what the intervals carry, and not a word more."""

import copy
from typing import Any

from benchmark.analysis.schema import parse_summary
from benchmark.experiments.bench.verdict import write_verdict
from benchmark.report.answers import Answer


def texts(summary: dict[str, Any], topic: str) -> list[str]:
    return [sentence.text for sentence in write_verdict(parse_summary(summary)) if sentence.topic == topic]


def test_the_best_is_named_with_its_interval_and_its_ratio_to_the_baseline(summaries: dict[str, Any]) -> None:
    assert texts(summaries["valid"], "Latency") == [
        "async-aiohttp answers fastest at one user: 50.8 ms on average (95 % interval 50.6 to 51.0 ms), 1.09 times "
        "its floor. Its 50.8 ms are 0.502 times the 101.2 ms of sync, the baseline (95 % interval 0.492 to 0.512). "
        "Faster than sync: async (0.520 times, 95 % interval 0.509 to 0.530) and sync-concurrent (0.535 times, "
        "95 % interval 0.524 to 0.545)."
    ]
    assert texts(summaries["climbed"], "Throughput") == [
        "async-aiohttp carries the highest rate at the levels measured: 830 requests/s at 256 users (95 % interval "
        "805 to 855 requests/s). Its 830 requests/s are 5.41 times the 147 requests/s of sync, the baseline "
        "(95 % interval 5.30 to 5.52). A higher rate than sync: sync-concurrent (1.06 times, 95 % interval 1.03 to "
        "1.08). A lower rate than sync: async (0.701 times, 95 % interval 0.687 to 0.715)."
    ]
    assert texts(summaries["valid"], "CPU") == [
        "async-aiohttp needs the least CPU per request: 2.99 ms in all its processes at 64 users. "
        "Its 2.99 ms are 0.333 times the 8.99 ms of sync, the baseline (95 % interval 0.326 to 0.339). "
        "Less CPU than sync: sync-concurrent (0.967 times, 95 % interval 0.947 to 0.986). "
        "More CPU than sync: async (1.57 times, 95 % interval 1.54 to 1.60)."
    ]


def test_a_peak_at_the_last_level_may_lie_higher(summaries: dict[str, Any]) -> None:
    (sentence,) = texts(summaries["valid"], "Throughput")
    assert "644 requests/s at 64 users (95 % interval 624 to 663 requests/s), still rising at its last" in sentence


def test_no_difference_to_the_baseline_is_said(summaries: dict[str, Any]) -> None:
    (sentence,) = texts(summaries["twelve"], "Latency")
    assert sentence.endswith(
        "No difference to sync is shown for sync-gevent (0.986 times, 95 % interval 0.966 to 1.01) "
        "and sync#2 (1.00 times, 95 % interval 0.980 to 1.02)."
    )


def test_without_intervals_nobody_is_called_fastest(summaries: dict[str, Any]) -> None:
    assert texts(summaries["one_block"], "State") == [
        "No figure has an interval, since that takes two blocks: they are readings that show no difference."
    ]
    assert texts(summaries["one_block"], "Latency") == [
        "The lowest mean latency measured at one user is that of async-aiohttp, 50.8 ms on average (no interval), "
        "1.09 times its floor, but no difference is shown between it and async (52.6 ms), sync-concurrent (54.1 ms) "
        "and sync (101.2 ms). Its 50.8 ms are 0.502 times the 101.2 ms of sync, the baseline (no interval)."
    ]


def test_overlapping_intervals_show_no_difference(summaries: dict[str, Any]) -> None:
    summary = summaries["valid"]
    summary["contenders"]["async"]["low_load"]["ci95_mean_ms"] = [50.9, 54.0]
    (sentence,) = texts(summary, "Latency")
    assert sentence.startswith("The lowest mean latency measured at one user is that of async-aiohttp, 50.8 ms")
    assert "no difference is shown between it and async (52.6 ms)." in sentence


def test_the_record_decides_on_a_difference_to_the_baseline(summaries: dict[str, Any]) -> None:
    """Its interval is widened for many comparisons, so it may show nothing although ci95 leaves out 1."""
    summary = summaries["valid"]
    for comparison in summary["comparisons"]:
        comparison["difference_shown"] = False
    (sentence,) = texts(summary, "Latency")
    assert "no difference is shown between it and sync (101.2 ms)." in sentence
    assert "(95 % interval 0.492 to 0.512, too wide for one of 9 comparisons)." in sentence


def test_differences_too_small_to_matter_are_not_claimed(summaries: dict[str, Any]) -> None:
    summary = summaries["valid"]
    summary["contenders"]["async"]["low_load"].update(mean_ms=51.0, ci95_mean_ms=[50.99, 51.01])
    summary["contenders"]["async-aiohttp"]["low_load"]["ci95_mean_ms"] = [50.79, 50.81]
    (sentence,) = texts(summary, "Latency")
    assert "no difference is shown between it and async (51.0 ms)" in sentence


def test_an_invalid_contender_supports_no_claim_and_is_struck(summaries: dict[str, Any]) -> None:
    sentences = write_verdict(parse_summary(summaries["invalid_contender"]))
    assert all("async-aiohttp" not in sentence.text for sentence in sentences if not sentence.struck)
    assert (
        Answer(
            "async-aiohttp: 50.8 ms at low load, at most 644 requests/s at 64 users, 2.99 ms of CPU per request.",
            struck=True,
            note="INVALID: 12 of 13,100 answers were wrong.",
            topic="Excluded",
        )
        in sentences
    )
    assert sentences[0].text.startswith("Of those with VALID figures, async answers fastest at one user: 52.6 ms")


def test_an_invalid_peak_falls_back_to_the_best_valid_level(summaries: dict[str, Any]) -> None:
    """The comparison with the baseline was made of the INVALID peak, so the intervals decide."""
    assert texts(summaries["invalid_contender"], "Throughput") == [
        "Of those with VALID figures, the highest rate measured is that of sync-concurrent, 155 requests/s at "
        "32 users (95 % interval 150 to 159 requests/s), but no difference is shown between it and sync "
        "(147 requests/s). A lower rate than sync: async (0.701 times, 95 % interval 0.687 to 0.715)."
    ]


def test_who_was_driven_less_hard_is_not_called_slower(summaries: dict[str, Any]) -> None:
    assert texts(summaries["interrupted"], "Throughput") == [
        "Only sync has a peak at the levels measured, 147 requests/s at 64 users (95 % interval 142 to 151 "
        "requests/s). sync is the baseline. Not ranked, since the levels measured show no peak: async, at least "
        "98.2 requests/s at 8 users (95 % interval 95.3 to 101 requests/s), still rising at its last VALID level."
    ]


def test_there_is_no_ratio_to_a_baseline_that_did_not_reach_its_peak(summaries: dict[str, Any]) -> None:
    """sync was still growing at 8 users, its last level; the leader was driven further."""
    summary = copy.deepcopy(summaries["climbed"])
    sync = summary["contenders"]["sync"]
    sync["levels"] = [level for level in sync["levels"] if level["users"] <= 8]
    sync["peak"] = {**sync["peak"], "users": 8, "rps": sync["levels"][-1]["rps"]}
    (sentence,) = texts(summary, "Throughput")
    assert sentence.startswith("Of those with a peak, async-aiohttp carries the highest rate at the levels measured")
    assert "The baseline, sync, shows no peak, so there is no ratio." in sentence
    assert "Not ranked, since the levels measured show no peak: sync, at least 77.5 requests/s at 8 users" in sentence
    assert "times" not in sentence


def test_where_no_peak_is_shown_nothing_is_ranked(summaries: dict[str, Any]) -> None:
    """At one user and 32, whoever has not met its ceiling may lie above or far below its own peak."""
    summary = copy.deepcopy(summaries["valid"])
    for contender in summary["contenders"].values():
        contender["levels"] = [level for level in contender["levels"] if level["users"] in (1, 8)]
        contender["peak"] = {**contender["peak"], "users": 8, "rps": contender["levels"][-1]["rps"]}
    (sentence,) = texts(summary, "Throughput")
    assert sentence.startswith("The levels measured show no peak, so nothing is ranked. Not ranked, since ")
    assert sentence.count("at least") == sentence.count("still rising at its last VALID level") == 4
    assert "times" not in sentence


def decided(summary: dict[str, Any], figure: str, contender: str, ratio: float, low: float, high: float) -> None:
    """Let the record decide on a comparison by an interval that is adjusted for all of them."""
    shown = not low <= 1 <= high
    for each in summary["comparisons"]:
        each.setdefault("ci", each["ci95"])
        each.setdefault("confidence", 0.95)
        if (each["figure"], each["contender"]) == (figure, contender):
            each.update(ratio=ratio, ci=[low, high], ci95=[0.568, 0.877], confidence=0.994, difference_shown=shown)


def test_every_contender_that_differs_from_the_baseline_is_named_the_losers_too(summaries: dict[str, Any]) -> None:
    decided(summaries["climbed"], "peak_rps", "async", 0.655, 0.552, 0.777)
    (sentence,) = texts(summaries["climbed"], "Throughput")
    assert "A lower rate than sync: async (0.655 times, 0.552 to 0.777 when adjusted for 9 comparisons)." in sentence
    decided(summaries["climbed"], "low_load_mean_ms", "async", 1.31, 1.12, 1.53)
    (sentence,) = texts(summaries["climbed"], "Latency")
    assert "Slower than sync: async (1.31 times, 1.12 to 1.53 when adjusted for 9 comparisons)." in sentence


def test_where_no_difference_is_shown_the_interval_that_decides_is_quoted(summaries: dict[str, Any]) -> None:
    decided(summaries["climbed"], "peak_rps", "async", 0.706, 0.45, 1.11)
    (sentence,) = texts(summaries["climbed"], "Throughput")
    assert sentence.endswith(
        "No difference to sync is shown for async (0.706 times, 0.450 to 1.11 when adjusted for 9 comparisons)."
    )


def test_the_names_in_a_sentence_are_those_of_the_record_whatever_it_shows(summaries: dict[str, Any]) -> None:
    figures = {"Latency": "low_load_mean_ms", "Throughput": "peak_rps", "CPU": "cpu_ms_per_request"}
    for topic, figure in figures.items():
        (sentence,) = texts(summaries["climbed"], topic)
        shown = [c for c in summaries["climbed"]["comparisons"] if c["figure"] == figure and c["difference_shown"]]
        assert shown
        assert all(each["contender"] in sentence for each in shown)


def test_an_interrupted_run_says_so_and_names_who_is_missing(summaries: dict[str, Any]) -> None:
    summary = summaries["interrupted"]
    assert texts(summary, "State") == ["The run was interrupted: what follows rests on what had been measured by then."]
    assert texts(summary, "Excluded") == [
        "sync-concurrent was not measured: its process ended before it was ready.",
        "async-aiohttp was not measured: failed parity: a malformed body answered 500, expected 400.",
    ]


def test_a_run_that_is_invalid_as_a_whole_claims_nothing(summaries: dict[str, Any]) -> None:
    sentences = write_verdict(parse_summary(summaries["busy_machine"]))
    assert [sentence.text for sentence in sentences if not sentence.struck][:2] == [
        "The run as a whole is INVALID and supports no claim: the machine was 38 % busy before the start.",
        "No contender has a VALID figure, so nothing is claimed.",
    ]
    assert sum(sentence.struck for sentence in sentences) == 5


def test_an_invalid_run_without_a_reason_claims_nothing(summaries: dict[str, Any]) -> None:
    summaries["valid"]["valid"] = False
    assert "the record does not say why" in texts(summaries["valid"], "State")[0]


def test_an_invalid_baseline_gives_no_ratio(summaries: dict[str, Any]) -> None:
    summaries["valid"]["contenders"]["sync"].update(valid=False, reasons=["block 2: its process ended"])
    (sentence,) = texts(summaries["valid"], "Latency")
    assert sentence.endswith("The baseline, sync, has no VALID figure here, so there is no ratio.")
    assert "times the" not in sentence


def test_cpu_is_held_apart_by_intervals_of_its_own_and_not_by_those_of_ratios_to_the_baseline(
    summaries: dict[str, Any],
) -> None:
    """A noisy baseline makes all ratios to it wide; two others are as far apart as they were."""
    summary = summaries["valid"]
    for compared in summary["comparisons"]:
        if compared["figure"] == "cpu_ms_per_request":
            compared.update(ci95=[0.1, 9.0], difference_shown=False)
    (before,) = texts(summary, "CPU")
    assert "no difference is shown between it and" in before
    for entry in summary["contenders"].values():
        total_ms = sum(ms for role, ms in entry["cpu_ms_per_request"].items() if role != "load")
        entry["ci95_cpu_ms"] = [0.95 * total_ms, 1.05 * total_ms]
    (after,) = texts(summary, "CPU")
    assert "sync-concurrent" not in after.partition("no difference is shown between it and ")[2].partition(". ")[0]
    assert "2.99 ms in all its processes at 64 users (95 % interval 2.84 to 3.14 ms)" in after


def test_services_that_run_elsewhere_are_not_called_cheap(summaries: dict[str, Any]) -> None:
    summaries["valid"]["contenders"]["async-aiohttp"]["cpu_ms_per_request"] = {"load": 0.9}
    (sentence,) = texts(summaries["valid"], "CPU")
    assert "async-aiohttp" not in sentence


def test_nothing_measured_claims_nothing(summaries: dict[str, Any]) -> None:
    sentences = write_verdict(parse_summary(summaries["nothing"]))
    assert "No contender was measured, so nothing is claimed." in [sentence.text for sentence in sentences]


def test_what_was_not_asked_is_said_to_be_unmeasured(summaries: dict[str, Any]) -> None:
    for contender in summaries["valid"]["contenders"].values():
        contender["low_load"] = None
    assert texts(summaries["valid"], "Latency") == ["This was not measured."]


def test_a_busy_generator_is_warned_of(summaries: dict[str, Any]) -> None:
    assert texts(summaries["valid"], "Harness") == [
        "Against null, which answers at once, the load generator reached 1,080 requests/s: "
        "a rate near that would be its own ceiling, not a contender's.",
        "The load generator shares the machine with the services and used, at the highest rate, 0.58 of a core "
        "for async-aiohttp: with a machine of its own for the load, these rates may be higher.",
    ]


def test_there_is_always_a_doubt(summaries: dict[str, Any]) -> None:
    (doubt,) = texts(summaries["interrupted"], "Where this could be wrong")
    assert doubt.startswith("These are the figures of at most 2 blocks of one run on one machine")


def test_a_log_in_a_reason_stays_out_of_the_sentence(summaries: dict[str, Any]) -> None:
    lost = summaries["interrupted"]["contenders"]["sync-concurrent"]
    lost["reasons"] = ["block 1: not ready after 30 s; its log ends:\nTraceback\nAssertionError"]
    assert "sync-concurrent was not measured: block 1: not ready after 30 s; its log ends." in texts(
        summaries["interrupted"], "Excluded"
    )

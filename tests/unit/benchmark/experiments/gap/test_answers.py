"""The answers: each short and plain, and no claim without an interval that carries it."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.contenders.discovery import ROOT
from benchmark.experiments.gap.answers import answers, customary_answers
from benchmark.experiments.gap.schema import Explained, parse
from tests.unit.benchmark.experiments.gap.synthetic import Summary, make_manifest, make_summary, variants
from tests.unit.plain import faults

RECORDED: Path = ROOT / "doc" / "recorded" / "explain"
LATENCY, RATE, CPU = "Latency at one user", "Peak rate", "CPU per request"


def read(summary: Summary) -> Explained:
    return parse(summary, make_manifest())


def told(summary: Summary, topic: str) -> str:
    (text,) = [answer.text for answer in answers(read(summary)) if answer.topic == topic]
    return text


def state(summary: Summary) -> list[str]:
    return [answer.text for answer in answers(read(summary)) if answer.topic == "State"]


def recorded() -> Explained:
    return parse(*(json.loads((RECORDED / name).read_text()) for name in ("summary.json", "manifest.json")))


@pytest.mark.parametrize("variant", list(variants()))
def test_every_answer_is_short_and_plain_whatever_the_run(variant: str) -> None:
    data = read(variants()[variant]())
    for answer in [*answers(data), *customary_answers(data)]:
        assert faults(answer.text) == []


@pytest.mark.skipif(not (RECORDED / "summary.json").exists(), reason="no run is recorded yet")
def test_every_answer_of_the_recorded_run_is_short_and_plain() -> None:
    found = [*answers(recorded()), *customary_answers(recorded())]
    assert len(found) >= 8
    for answer in found:
        assert faults(answer.text) == []


def test_each_question_has_one_sentence() -> None:
    assert [answer.text for answer in answers(read(make_summary()))] == [
        "Asking both models at once makes 43.4 of the 45.7 ms by which async-aiohttp answers faster than sync.",
        "Under load, async-aiohttp carries 3.70 times the rate of sync, above all through the HTTP client "
        "(1.90 times).",
        "The HTTP client makes 1.05 of the 2.14 ms by which async-aiohttp needs less CPU per request than sync.",
        "The peak rates of 4 contenders were predicted within 13 %, from light load only.",
        "At 32 users, async-aiohttp carries more until a model uses about 15 ms of CPU per answer (predicted); beyond "
        "that, sync does.",
    ]


def test_the_gap_to_the_customary_contender_has_the_same_sentences() -> None:
    assert [answer.text for answer in customary_answers(read(make_summary()))] == [
        "Asking both models at once makes 43.4 of the 44.9 ms by which async answers faster than sync.",
        "Under load, async carries 1.95 times the rate of sync, mostly through the runtime of the scoring handler "
        "(1.62 times).",
        "The runtime of the scoring handler makes 0.780 of the 1.09 ms by which async needs less CPU per request than "
        "sync.",
    ]


@pytest.mark.parametrize("variant", ["no_difference", "one_block"])
def test_without_an_interval_that_leaves_out_none_nothing_is_attributed(variant: str) -> None:
    summary = variants()[variant]()
    for topic, what in ((LATENCY, "latency at one user"), (RATE, "peak rate"), (CPU, "CPU per request")):
        assert told(summary, topic) == f"No difference in {what} between sync and async-aiohttp is shown."
    assert told(summary, "Models that compute").endswith("no difference is shown at any of 9 measured points.")
    assert state(summary) == (["One block shows no effect: intervals take two or more."] * (variant == "one_block"))


def undecided(response: str, ci95: list[float], blocks: int) -> Summary:
    summary = make_summary()
    summary["attribution"][response].update(ci95=ci95, blocks=blocks)
    return summary


@pytest.mark.parametrize(
    ("response", "topic", "ci95"),
    [
        ("peak_rps", RATE, [1 / 1.05**2, 1.05**2]),
        ("latency_ms", LATENCY, [-0.1 * 94.8, 0.1 * 94.8]),
    ],
)
def test_what_is_not_shown_is_said_with_what_would_show_it(response: str, topic: str, ci95: list[float]) -> None:
    """The interval is twice as wide as one that shows 5 %: it takes four times as many blocks."""
    assert told(undecided(response, ci95, 4), topic).endswith("; about 16 blocks instead of 4 would show 5 %.")


@pytest.mark.parametrize("half", [0.01, 5.0])
def test_no_advice_where_the_run_is_long_enough_or_it_would_take_days(half: float) -> None:
    summary = undecided("latency_ms", [-half * 94.8, half * 94.8], 4)
    assert told(summary, LATENCY) == "No difference in latency at one user between sync and async-aiohttp is shown."


def test_two_blocks_whose_adjusted_interval_shows_nothing_are_too_few() -> None:
    summary = make_summary()
    summary["attribution"]["latency_ms"].update(ci95=[-58.6, -37.3], ci=[-175.9, 80.0], confidence=0.9958, blocks=2)
    assert told(summary, LATENCY) == (
        "Two blocks are too few to show a difference in latency at one user between sync and async-aiohttp: "
        "measure without --quick."
    )


def with_share(response: str, name: str, **share: Any) -> Summary:
    summary = make_summary()
    summary["attribution"][response]["shares"][name].update(share)
    return summary


def test_a_factor_is_named_only_if_its_own_interval_shows_an_effect() -> None:
    summary = with_share("latency_ms", "fan_out", ci95=[-90.0, 3.0])
    assert told(summary, LATENCY).startswith("The runtime of the scoring handler makes 0.900 of the 45.7 ms")


def test_where_no_factor_shows_an_effect_the_gap_is_told_without_one() -> None:
    summary = make_summary()
    for response in ("latency_ms", "peak_rps"):
        none = 1.0 if response == "peak_rps" else 0.0
        for share in summary["attribution"][response]["shares"].values():
            share["ci95"] = [none - 100, none + 100]
    unexplained = "no single factor is shown to make it."
    assert told(summary, LATENCY) == f"async-aiohttp answers faster than sync by 45.7 ms; {unexplained}"
    assert told(summary, RATE) == f"Under load, async-aiohttp carries 3.70 times the rate of sync; {unexplained}"


def test_a_share_beyond_the_gap_says_that_others_reduce_it() -> None:
    summary = with_share("latency_ms", "fan_out", value=-50.0, ci95=[-51.0, -49.0])
    assert told(summary, LATENCY) == (
        "Asking both models at once makes more than the 45.7 ms by which async-aiohttp answers faster than sync; "
        "others reduce it."
    )
    summary = with_share("peak_rps", "http_client", value=5.0, ci95=[4.0, 6.0])
    assert told(summary, RATE).endswith(", mostly through the HTTP client (5.00 times, others reduce it).")


def test_a_share_against_the_gap_does_not_lead() -> None:
    summary = with_share("latency_ms", "http_client", value=90.0, ci95=[89.0, 91.0])
    assert told(summary, LATENCY).startswith("Asking both models at once makes 43.4 of the 45.7 ms")


def test_the_other_way_round_is_slower() -> None:
    summary = variants()["slower"]()
    assert told(summary, LATENCY).endswith("by which async-aiohttp answers slower than sync.")
    assert told(summary, RATE).startswith("Under load, async-aiohttp carries 0.270 times the rate of sync")
    assert told(summary, CPU).endswith("by which async-aiohttp needs more CPU per request than sync.")


def test_where_the_leading_factor_does_the_opposite_as_the_first_change_it_is_said() -> None:
    worse = {"value": 0.75, "ci95": [0.6, 0.9]}
    assert told(with_share("peak_rps", "http_client", first=worse), RATE).endswith(
        "through the HTTP client (1.90 times, unless changed first)."
    )
    better = {"value": 1.2, "ci95": [0.9, 1.6]}
    assert "changed first" not in told(with_share("peak_rps", "http_client", first=better), RATE)


def test_the_longest_sentence_is_no_longer_than_an_answer() -> None:
    title, to = "runtime of the scoring handler", {"value": -1.0, "ci95": [-2.0, -0.5]}
    for value, gap in ((-50.0, -45.7), (-40.0, -45.7)):
        for response, topic in (("latency_ms", LATENCY), ("cpu_ms", CPU)):
            summary = make_summary()
            summary["attribution"][response].update(gap=gap, ci95=[gap - 1, gap + 1])
            share = summary["attribution"][response]["shares"]["runtime"]
            share.update(value=value, ci95=[value - 1, value + 1], first={"value": 1.0, "ci95": to["ci95"]})
            summary["attribution"][response]["shares"]["fan_out"].update(value=-1.0)
            assert title in told(summary, topic)
            assert faults(told(summary, topic)) == []
    for value in (1.9, 5.0):
        summary = with_share("peak_rps", "runtime", value=value * 1.1, ci95=[1.5, 7.0], first={"value": 0.5})
        for cell in summary["cells"]:
            cell["peak_rps"]["bracketed"] = cell["contender"] is not None
        assert faults(told(summary, RATE)) == []


def adjusted(summary: Summary, response: str, low: float, high: float) -> Summary:
    """Let the gap be decided by an interval that is adjusted for twelve comparisons."""
    summary["comparisons"] = [{"figure": "peak_rps", "baseline": "sync", "contender": str(i)} for i in range(12)]
    summary["attribution"][response].update(ci=[low, high], confidence=0.996)
    return summary


def test_a_gap_is_decided_by_the_adjusted_interval() -> None:
    assert "carries 3.70 times" in told(adjusted(make_summary(), "peak_rps", 1.9, 7.2), RATE)
    assert told(adjusted(make_summary(), "cpu_ms", -4.5, 0.2), CPU) == (
        "No difference in CPU per request between sync and async-aiohttp is shown."
    )


def test_of_a_peak_that_the_levels_do_not_show_no_gap_is_stated() -> None:
    summary = make_summary()
    cell = next(each for each in summary["cells"] if each["contender"] == "async-aiohttp")
    cell["peak_rps"]["bracketed"] = False
    assert told(summary, RATE) == (
        "The levels measured show no peak of async-aiohttp, so peak rates are not compared: measure more users."
    )


def test_where_cells_in_between_show_no_peak_the_rate_holds_at_the_levels_measured() -> None:
    summary = make_summary()
    for cell in summary["cells"]:
        if cell["contender"] is None:
            cell["peak_rps"]["bracketed"] = False
    assert told(summary, RATE).startswith("At the levels measured, async-aiohttp carries 3.70 times the rate of sync")


def test_what_is_invalid_supports_no_answer() -> None:
    summary = variants()["invalid_cell"]()
    for topic in (LATENCY, RATE, CPU):
        assert told(summary, topic).endswith("is not explained: a measurement that it rests on is INVALID.")
    assert told(summary, "Prediction").startswith("The peak rates of 4 contenders")


def test_a_run_that_is_invalid_as_a_whole_supports_no_claim() -> None:
    summary = variants()["busy"]()
    assert [answer.text for answer in answers(read(summary))] == [
        "The run as a whole is INVALID and supports no claim."
    ]
    assert customary_answers(read(summary)) == []


def test_a_reason_about_another_level_leaves_the_latency_standing() -> None:
    summary = make_summary()
    cell = summary["cells"][5]
    cell.update(valid=False, reasons=["64 users: the rate drifts by 20 %"])
    summary.update(valid=False, reasons=[f"{cell['label']}: 64 users: the rate drifts by 20 %"])
    said = {topic: "INVALID" in told(summary, topic) for topic in (LATENCY, RATE, CPU)}
    assert said == {LATENCY: False, RATE: True, CPU: False}


def test_an_interrupted_run_says_so_and_what_it_does_not_explain() -> None:
    summary = variants()["interrupted"]()
    assert state(summary) == ["The run was interrupted: the figures rest on what was measured by then."]
    assert told(summary, LATENCY).startswith("Asking both models at once makes")
    assert told(summary, RATE) == "The difference in peak rate was not explained in this run."
    assert told(summary, "Prediction") == "Rates were predicted, but no peak was measured that could check them."
    assert told(summary, "Models that compute") == "Whether the order turns when models compute was not measured."


def test_a_run_without_anything_to_explain_claims_nothing() -> None:
    head = {"schema": 1, "complete": True, "valid": True}
    assert [answer.text for answer in answers(read(head))] == ["Nothing was measured that could be explained."]


def test_a_part_of_the_combinations_is_said_to_be_one() -> None:
    assert state(variants()["quick"]()) == [
        "Only a part of the combinations was measured, so a share may be what other factors do together."
    ]
    assert state(make_summary()) == []


def bounded(bound: float | None) -> Summary:
    summary = make_summary()
    for peak in summary["peaks"].values():
        peak["bound_error"] = bound
    return summary


@pytest.mark.parametrize(
    ("bound", "end"),
    [
        (0.4, "; a simple formula is off by up to 40 %."),
        (-0.4, "; a simple formula is off by up to 40 %."),
        (0.1, "; a simple formula does better, within 10 %."),
        (None, ", from light load only."),
    ],
)
def test_the_simple_bound_stands_beside_the_prediction_even_if_it_is_better(bound: float | None, end: str) -> None:
    assert told(bounded(bound), "Prediction").endswith(end)


def test_the_bound_is_not_compared_on_other_peaks_than_the_prediction() -> None:
    summary = bounded(0.1)
    summary["peaks"]["sync"]["bound_error"] = None
    assert "bound" not in told(summary, "Prediction")


@pytest.mark.parametrize("change", [{"reasons": ["64 users: 3 requests failed"]}, {"bracketed": False}])
def test_a_peak_that_is_invalid_or_not_shown_is_not_counted(change: dict[str, Any]) -> None:
    summary = make_summary()
    summary["peaks"]["async"].update(change)
    assert told(summary, "Prediction") == (
        "The peak rates of 3 contenders were predicted within 9.0 %, from light load only."
    )


def test_a_single_peak_is_named() -> None:
    summary = make_summary()
    summary["peaks"] = {"sync": summary["peaks"]["sync"]}
    assert told(summary, "Prediction") == "The peak rate of sync was predicted within 4.0 %, from light load only."


def test_a_prediction_is_not_called_good_by_what_it_was_fitted_on() -> None:
    summary = {**make_summary(), "peaks": {}}
    assert told(summary, "Prediction") == "Rates were predicted, but no peak was measured that could check them."
    assert told({**summary, "prediction": {}}, "Prediction") == "No rate was predicted in this run."


def only(summary: Summary, cpu_ms: int) -> Summary:
    """Leave of the measured points those at one CPU time."""
    summary["crossover"] = [p for p in summary["crossover"] if not p["measured"] or p["cpu_ms"] == cpu_ms]
    return summary


def test_who_is_ahead_everywhere_is_said_without_a_turn() -> None:
    assert told(only(make_summary(), 2), "Models that compute") == (
        "With models that use CPU, async-aiohttp carries more at all 3 measured points."
    )


def test_a_turn_that_was_not_predicted_is_told_by_what_was_measured() -> None:
    summary = make_summary()
    summary["crossover"] = [{**p, "ratio_predicted": None} for p in summary["crossover"] if p["measured"]]
    assert told(summary, "Models that compute") == (
        "With models that use CPU, async-aiohttp carries more at 7 of 9 measured points, sync at 2."
    )


def test_invalid_points_of_the_map_are_not_counted() -> None:
    summary = only(make_summary(), 2)
    next(point for point in summary["crossover"] if point["measured"])["reasons"] = ["map-to-2ms: 3 requests failed"]
    assert told(summary, "Models that compute").endswith("carries more at all 2 measured points.")


def test_points_without_a_shown_difference_are_not_counted_for_anybody() -> None:
    summary = only(make_summary(), 2)
    next(point for point in summary["crossover"] if point["measured"])["ci95"] = [0.5, 5.0]
    assert told(summary, "Models that compute") == (
        "With models that use CPU, async-aiohttp carries more at 2 of 3 measured points; elsewhere no difference is "
        "shown."
    )

"""The sentences: no claim without an interval that carries it."""

import re
from typing import Any

import pytest

from benchmark.experiments.gap import advice, tables
from benchmark.experiments.gap import text as story
from benchmark.experiments.gap.schema import Explained, parse, saturation
from tests.unit.experiments.gap.synthetic import Summary, make_manifest, make_summary, variants
from tests.unit.said import said


def read(summary: Summary) -> Explained:
    return parse(summary, make_manifest())


def answer(summary: Summary) -> list[str]:
    return [claim.text for claim in story.write_answer(read(summary))]


def test_the_answer_is_five_sentences_with_numbers() -> None:
    latency, rate, cpu, prediction, turn = answer(make_summary())
    assert latency.startswith(
        "Of the 45.7 [45.1, 46.3] ms by which async-aiohttp answers faster than sync (49.1 ms against 94.8 ms at one "
        "user): 43.4 [43.1, 43.7] ms come from the fan-out (both at once instead of one after the other), which by "
        "itself takes sync to 51.4 ms (sync-concurrent); 0.90 [0.60, 1.20] ms come from the runtime"
    )
    assert rate.startswith("async-aiohttp carries 3.70 [3.45, 3.96] times the peak rate of sync")
    assert "no effect is shown for the fan-out (1.02 [0.969, 1.07] times)" in rate
    assert cpu.startswith("A request takes 2.14 [1.54, 2.74] ms less CPU with async-aiohttp than with sync")
    assert (
        "meets the peak rates of 4 contenders within 13 % (worst: async, +13 %, 95 % interval +5.0 % to +22 %) and "
        "the median latency within "
    ) in prediction
    assert "async-aiohttp carries more at 7 and sync carries more at 2" in turn


def test_the_prediction_says_how_far_ahead_it_was_where_the_record_knows() -> None:
    first, ahead = make_summary(), {"prediction_lead_s": {"least": 4.06, "median": 12.34, "n": 25}}
    assert answer(first)[3].endswith(
        "; each prediction was written down before its measurement, the first at 2026-11-21 05:03 UTC."
    )
    assert answer({**first, **ahead})[3].endswith(
        "; each prediction was written down before its measurement began, 4.06 s ahead or more "
        "(12.3 s in the median of 25)."
    )
    assert "written down" not in answer({**first, "predicted_before": None})[3]


@pytest.mark.parametrize("variant", ["no_difference", "one_block"])
def test_without_an_interval_that_leaves_out_none_nothing_is_attributed(variant: str) -> None:
    for sentence in answer(variants()[variant]())[:3]:
        assert sentence.startswith("No difference in ")
        assert "come from" not in sentence
    assert "no difference is shown at 9" in answer(variants()[variant]())[4]


def test_each_share_is_claimed_by_its_own_interval() -> None:
    summary = make_summary()
    share = summary["attribution"]["latency_ms"]["shares"]["fan_out"]
    share["ci95"] = [-90.0, 3.0]
    sentence = answer(summary)[0]
    assert "no effect is shown for the fan-out (−43.4 [−90.0, 3.00] ms)" in sentence
    assert "come from the fan-out" not in sentence
    first = [claim.text for claim in advice.what_to_change_first(read(summary))]
    assert not any(text.startswith("Fan-out") for text in first)


def test_a_share_against_the_gap_is_said_to_be_so() -> None:
    summary = make_summary()
    summary["attribution"]["cpu_ms"]["shares"]["fan_out"]["ci95"] = [0.05, 0.17]
    assert "against it works the fan-out (+0.11 [0.05, 0.17] ms)" in answer(summary)[2]
    (fan_out,) = [c.text for c in advice.what_to_change_first(read(summary)) if c.text.startswith("Fan-out")]
    assert "at the price of CPU per request +0.11 ms [0.05, 0.17]" in fan_out


def test_the_other_way_round_is_slower_and_nothing_is_recommended() -> None:
    summary = variants()["slower"]()
    assert "answers slower than sync" in answer(summary)[0]
    assert "0.270 [0.252, 0.290] times the peak rate" in answer(summary)[1]
    assert "more CPU" in answer(summary)[2]
    first = advice.what_to_change_first(read(summary))
    assert first[0].text.startswith("Leave for last: ")


def measured_settings(**changes: Any) -> list[str]:
    """Return what is said of one setting at two levels; `changes` are those at 8 and at 64 users."""
    summary = make_summary()
    level = next(each for each in summary["what_if"] if each["title"] == "threads doubled")
    summary["what_if"] = [
        {**level, "users": int(users.removeprefix("at_")), "rps_before": 100.0, "rps_measured": 100.0 * change["value"]}
        | {"rps_change": change}
        for users, change in changes.items()
    ]
    return [c.text for c in advice.what_to_change_first(read(summary)) if c.topic == "Measured setting"]


def test_of_a_setting_the_largest_change_is_told_that_is_shown() -> None:
    sure, unsure = {"value": 1.2, "ci95": [1.1, 1.3]}, {"value": 1.5, "ci95": [0.8, 2.8]}
    (said,) = measured_settings(at_8=sure, at_64=unsure)
    # 451 requests/s were foreseen without the change, and 470 with it.
    assert "100 requests/s become 120 at 8 users (+20 %, foreseen +4.2 %)" in said
    assert "× [1.10, 1.30]." in said
    assert "no effect" not in said


def test_a_setting_that_makes_it_worse_comes_last_and_says_so() -> None:
    summary = make_summary()
    summary["what_if"][0]["rps_change"] = {"value": 0.5, "ci95": [0.4, 0.6]}
    summary["what_if"][1]["rps_change"] = {"value": 1.1, "ci95": [1.05, 1.2]}
    worse = advice.what_to_change_first(read(summary))[-1]
    assert (worse.topic, worse.text.partition(":")[0]) == ("Measured setting, for the worse", "sync, threads doubled")


def test_a_setting_that_changes_nothing_is_no_advice() -> None:
    (said,) = measured_settings(at_8={"value": 0.93, "ci95": [0.8, 1.1]})
    assert said.endswith("× [0.800, 1.10]: no effect is shown.")
    (said,) = measured_settings(at_8={"value": 0.99, "ci95": [0.985, 0.995]})  # shown, and too small to be claimed
    assert "no effect is shown" in said
    (said,) = measured_settings(at_8={"value": 0.93, "ci95": None})
    assert said.endswith("a reading without an interval.")


@pytest.mark.parametrize(("n", "told"), [(458, False), (459, True)])
def test_the_tail_of_the_waiting_is_told_where_samples_are_enough(n: int, told: bool) -> None:
    summary = make_summary()
    for row in summary["waiting"]["sync"]:
        row["n"] = n
    sync = advice.write_anatomy(read(summary))[0].text
    assert "In a run of its own at as many users, whoever waited in that process waited 2.56 ms on average" in sync
    assert ("38.4 ms at p99" in sync) is told
    cells = next(row.cells for row in tables.waiting_rows(read(summary)) if row.cells[1] == "128")
    assert (cells[3] == "38.4") is told


def test_it_is_said_how_many_intervals_could_show_something_by_chance() -> None:
    data = read(make_summary())
    count = sum(len(each.shares) + len(each.interactions) for each in data.attribution.values())
    assert count > 12
    assert any(f"Of {count} shares and interactions" in said for said in advice.where_it_could_be_wrong(data, {}))


def test_where_time_goes_is_told_where_waiting_was_sampled() -> None:
    summary = make_summary()
    common = set.intersection(*({row["users"] for row in rows} for rows in summary["anatomy"].values()))
    assert read(summary).high_users == max(common)
    lower = sorted(common)[-2]
    summary["waiting"] = {"sync": [{"users": lower, "kind": "interpreter lock"}]}
    assert read(summary).high_users == lower
    summary["waiting"] = {}
    assert read(summary).high_users == max(common)


def turning(response: str, name: str, value: float, ci95: list[float]) -> Summary:
    """Return a summary in which a factor does something else when it is changed first."""
    summary = make_summary()
    summary["attribution"][response]["shares"][name]["first"] = {"value": value, "ci95": ci95}
    return summary


def test_what_makes_worse_when_it_is_changed_first_comes_after_the_others_and_says_so() -> None:
    first = [c.text for c in advice.what_to_change_first(read(turning("peak_rps", "runtime", 0.75, [0.6, 0.9])))]
    assert [text.partition(",")[0] for text in first[:4]] == [
        "HTTP client",
        "Fan-out",
        "Runtime of the model service",
        "Runtime of the scoring handler",
    ]
    assert first[3].endswith(
        "These are averages over all orders: as the first change it brings peak rate × 0.750 [0.600, 0.900], "
        "which is worse."
    )
    assert not any("averages over all orders" in text for text in first[:3])


def test_a_first_step_that_is_not_shown_to_be_worse_is_no_improvement_either() -> None:
    first = [c.text for c in advice.what_to_change_first(read(turning("peak_rps", "runtime", 0.9, [0.7, 1.1])))]
    assert first[3].startswith("Runtime of the scoring handler")
    assert first[3].endswith("it brings peak rate × 0.900 [0.700, 1.10], which is no improvement.")


def test_a_first_step_that_improves_changes_no_order() -> None:
    usual = [claim.text for claim in advice.what_to_change_first(read(make_summary()))]
    summary = turning("peak_rps", "runtime", 1.2, [0.9, 1.6])
    assert [claim.text for claim in advice.what_to_change_first(read(summary))] == usual


def test_a_share_that_is_no_improvement_is_no_advice_whose_first_step_must_be_told() -> None:
    summary = turning("latency_ms", "model_runtime", 0.4, [-0.2, 1.0])
    summary["attribution"]["latency_ms"]["shares"]["model_runtime"].update(value=-0.1, ci95=[-0.3, 0.1])
    assert not any("averages" in claim.text for claim in advice.what_to_change_first(read(summary)))


def test_the_answer_says_where_a_factor_does_the_opposite_of_its_share_as_the_first_change() -> None:
    rate = answer(turning("peak_rps", "runtime", 0.75, [0.6, 0.9]))[1]
    assert (
        "by the runtime of the scoring handler, on average over all orders (as the first change: 0.750 [0.600, 0.900] "
        "times)"
    ) in rate
    assert "first change" not in answer(make_summary())[1]
    assert "first change" not in answer(turning("peak_rps", "runtime", 1.2, [0.9, 1.6]))[1]


def test_what_to_change_first_goes_by_the_largest_shares() -> None:
    first = [claim.text.partition(",")[0] for claim in advice.what_to_change_first(read(make_summary()))]
    assert first[:4] == ["HTTP client", "Runtime of the scoring handler", "Fan-out", "Runtime of the model service"]


def test_a_confounded_share_says_with_what() -> None:
    summary = variants()["quick"]()
    other = "runtime of the scoring handler × HTTP client × runtime of the model service"
    assert f"the fan-out, not told apart here from {other}" in answer(summary)[0]
    doubts = advice.where_it_could_be_wrong(read(summary), make_manifest())
    assert doubts[0].startswith(f"fan-out is not told apart from {other}")
    assert "QUICK: half of the design" in doubts


def test_where_all_is_confounded_it_is_said_once() -> None:
    summary = variants()["quick"]()
    summary["confounded"] = dict.fromkeys(summary["factors"], "the others")
    data = read(summary)
    assert all("not told apart" not in claim.text for claim in story.write_answer(data))
    assert sum("told apart" in sentence for sentence in story.write_state(data)) == 1
    assert len([d for d in advice.where_it_could_be_wrong(data, make_manifest()) if "not told apart" in d]) == 4


def test_contenders_keep_their_order_whatever_variants_bear_their_names() -> None:
    manifest = make_manifest()
    variant = {"name": "sync", "label": "cell-x", "title": "a variant", "order": 100, "harness_floor": False}
    manifest["contenders"] = {"cell-x": variant, **dict(reversed(manifest["contenders"].items()))}
    data = parse(make_summary(), manifest)
    assert data.contenders == ["sync", "sync-concurrent", "async", "async-aiohttp"]
    assert data.titles["sync"] == "Flask, one model after the other"


def test_what_is_invalid_is_struck_and_supports_no_advice() -> None:
    data = read(variants()["invalid_cell"]())
    claims = story.write_answer(data)
    assert [claim.struck for claim in claims] == [True, True, True, False, False]
    assert claims[0].note == "INVALID: cell-f-t-f-t: 12 of 13,100 answers were wrong."
    assert advice.what_to_change_first(data)[0].text.startswith("Nothing is shown to improve anything")
    assert story.write_headline(data).startswith("No gap was attributed by a VALID measurement")
    assert all(claim.struck for claim in story.write_answer(read(variants()["busy"]())))


def test_a_reason_about_another_level_leaves_the_latency_standing() -> None:
    summary = make_summary()
    cell = summary["cells"][5]
    cell.update(valid=False, reasons=["64 users: the rate drifts by 20 %"])
    summary.update(valid=False, reasons=[f"{cell['label']}: 64 users: the rate drifts by 20 %"])
    assert [claim.struck for claim in story.write_answer(read(summary))] == [False, True, False, False, False]


def test_an_interaction_is_named_only_if_it_is_shown() -> None:
    summary = make_summary()
    assert "No two factors" in story.write_interactions(read(summary))[0].text
    summary["attribution"]["cpu_ms"]["interactions"][0].update(value=-0.4, ci95=[-0.6, -0.2])
    (claim,) = story.write_interactions(read(summary))
    assert "runtime of the scoring handler with fan-out (−0.40 [−0.60, −0.20] ms)" in claim.text


def test_a_share_that_is_known_beforehand_is_held_against_the_sums() -> None:
    (claim,) = story.write_known(read(make_summary()))
    assert "[−43.6, −43.2] ms are the models' sleep, where −43.33 ms must be found." in claim.text
    assert not claim.struck
    assert story.write_known(read({**make_summary(), "latency_parts": {}})) == []
    assert story.write_known(read(variants()["invalid_cell"]()))[0].struck


def test_a_prediction_is_not_called_good_by_what_it_was_fitted_on() -> None:
    summary = make_summary()
    summary["peaks"] = {}
    for rows in summary["prediction"].values():
        for row in rows:
            row.update(p50_measured_ms=row["p50_measured_ms"] if row["calibrated"] else None)
    assert "nothing was measured to hold against them" in answer(summary)[3]


def test_only_levels_below_saturation_count_for_the_median() -> None:
    summary = make_summary()
    for row in summary["prediction"]["sync"]:
        if row["users"] == 128:
            row["p50_predicted_ms"] = row["p50_measured_ms"] * 3
    below, _, beyond = answer(summary)[3].partition("; from 90 % on the median is off by up to ")
    assert beyond.startswith("200 % (sync at 128 users, +200 %)")
    assert "+200 %" not in below


def test_a_contender_without_a_level_between_light_load_and_saturation_is_named() -> None:
    summary = make_summary()
    assert "no such level" not in answer(summary)[3]
    saturated = saturation(read(summary).prediction["async"])
    assert saturated
    for row in summary["prediction"]["async"]:
        row["calibrated"] = row["users"] < saturated
    assert "; async has no such level; from 90 % on" in answer(summary)[3]


def test_a_peak_that_is_invalid_is_not_counted() -> None:
    summary = make_summary()
    summary["peaks"]["async"]["reasons"] = ["64 users: 3 requests failed"]
    assert "meets the peak rates of 3 contenders within 9.0 % (worst: async-aiohttp, +9.0 %" in answer(summary)[3]
    (row,) = [row for row in tables.peak_rows(read(summary)) if row.invalid]
    assert (row.name, said(row.why)) == ("async", ["64 users: 3 requests failed"])


def test_invalid_places_of_the_map_are_not_counted() -> None:
    summary = make_summary()
    for point in [point for point in summary["crossover"] if point["measured"]][:2]:
        point["reasons"] = ["map-to-2ms: 3 requests failed"]
    turn = answer(summary)[4]
    assert turn.startswith("Of 7 measured places on the map of users and CPU of the models (2 more are INVALID")


def test_a_measured_setting_that_is_invalid_is_struck_and_says_why() -> None:
    summary = make_summary()
    summary["what_if"][0]["reasons"] = ["64 users: 3 requests failed"]
    found = {claim.struck: claim for claim in advice.what_to_change_first(read(summary)) if claim.topic}
    assert set(found) == {False, True}
    assert found[True].text.startswith("sync, threads doubled")
    assert found[True].note == "INVALID: 64 users: 3 requests failed."


@pytest.mark.parametrize("variant", list(variants()))
def test_every_kind_of_run_has_sentences_without_gaps(variant: str) -> None:
    data = read(variants()[variant]())
    claims = [*story.write_answer(data), *story.write_customary(data), *story.write_interactions(data)]
    claims += [*story.write_known(data), *advice.what_to_change_first(data), *advice.write_anatomy(data)]
    for claim in claims:
        assert claim.text.endswith(".")
        assert not re.search(r"None|nan|\(\)|\[\]|  | ,|–", claim.text), claim.text


def test_the_anatomy_names_the_longest_stages_and_strikes_what_does_not_fit() -> None:
    summary = make_summary()
    sync = advice.write_anatomy(read(summary))[0]
    assert sync.text.startswith(
        "At 128 users the median request of sync takes 286.6 ms: 90.0 ms are the models' sleep; then come 117.4 ms "
        "queued before the handler and 78.3 ms around the models' sleep."
    )
    assert not sync.struck
    summary["anatomy"]["sync"][-2]["reasons"] = ["the server's stages are 4.7% longer than the client's latency"]
    assert advice.write_anatomy(read(summary))[0].struck


def adjusted(summary: Summary, response: str, low: float, high: float) -> Summary:
    """Let the gap be decided by an interval that is adjusted for twelve comparisons."""
    summary["comparisons"] = [{"figure": "peak_rps", "baseline": "sync", "contender": str(i)} for i in range(12)]
    summary["attribution"][response].update(ci=[low, high], confidence=0.996)
    return summary


def test_a_gap_is_decided_by_the_interval_that_is_quoted() -> None:
    latency, rate, cpu, *_ = answer(adjusted(make_summary(), "peak_rps", 1.9, 7.2))
    assert rate.startswith(
        "async-aiohttp carries 3.70 times the peak rate of sync (1.90 to 7.20 when adjusted for 12 comparisons; "
    )
    latency, *_ = answer(adjusted(make_summary(), "latency_ms", -46.9, -44.5))
    assert latency.startswith(
        "Of the 45.7 ms (44.5 to 46.9 ms when adjusted for 12 comparisons) by which async-aiohttp answers faster"
    )
    _, _, cpu, *_ = answer(adjusted(make_summary(), "cpu_ms", -4.5, 0.2))
    assert cpu == (
        "No difference in CPU per request between sync and async-aiohttp is shown "
        "(−2.14 ms, −4.50 to 0.20 ms when adjusted for 12 comparisons)."
    )


def test_the_row_of_a_gap_says_by_which_interval_it_is_decided() -> None:
    data = read(adjusted(make_summary(), "cpu_ms", -4.5, 0.2))
    (row,) = [r for r in tables.share_rows(data, data.attribution) if r.name == "all: the gap" and "CPU" in r.cells[0]]
    assert row.cells[2:4] == ("[−4.50, 0.20], adjusted for 12 comparisons", "no")


def test_of_a_peak_that_the_levels_do_not_show_no_gap_is_stated() -> None:
    summary = make_summary()
    cell = next(each for each in summary["cells"] if each["contender"] == "async-aiohttp")
    cell["peak_rps"]["bracketed"] = False
    rate = answer(summary)[1]
    assert rate.startswith("The levels measured show no peak of async-aiohttp (at least ")
    assert "so nothing is said about the gap in peak rate between sync and async-aiohttp." in rate
    first = [claim.text for claim in advice.what_to_change_first(read(summary))]
    assert not any("peak rate" in text for text in first)
    row = next(r for r in tables.cell_rows(read(summary)) if r.name == "async-aiohttp")
    assert any(text.startswith("≥ ") for text in row.cells)


def test_cells_in_between_whose_peak_is_not_shown_are_counted() -> None:
    summary = make_summary()
    for cell in summary["cells"]:
        if cell["contender"] is None:
            cell["peak_rps"]["bracketed"] = False
    assert answer(summary)[1].endswith("; the levels measured show no peak of 12 cells that these shares rest on.")

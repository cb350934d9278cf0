"""A synthetic record -> summary.json: the form that DESIGN promises, and figures that are known."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmark.analysis.summary import MIN_CLAIM, summarise
from benchmark.contenders.discovery import Contender
from benchmark.record.run import SCHEMA, Run
from tests.unit.benchmark.form import assert_summary_form
from tests.unit.benchmark.synthetic import CPU, DETAIL_S, RSS_BYTES, Held, make_contender, make_run, record
from tests.unit.said import said

FIGURES = {"low_load_mean_ms", "peak_rps", "cpu_ms_per_request"}
FLOOR_MS = 46.667
A, B = make_contender("a"), make_contender("b")
NULL = make_contender("null", floor="none", harness_floor=True)


def summary_of(run: Run, contenders: Sequence[Contender]) -> dict[str, Any]:
    """Return a run's summary as a reader of summary.json gets it."""
    run.write_json("summary.json", summarise(run, contenders))
    return run.summary


def two(tmp_path: Path, latencies: Sequence[tuple[float, float]], **changes: Any) -> dict[str, Any]:
    """Return the summary of two contenders at one and four users, from their latencies by block in ms.

    With twice the users everything takes twice as long: the peak is at four.
    """
    run = make_run(tmp_path, [A, B], blocks=len(latencies), **changes)
    for block, pair in enumerate(latencies):
        for contender, latency_ms in zip([A, B], pair, strict=True):
            record(run, block, contender.label, Held(1, latency_ms), Held(4, latency_ms), Held(8, 2 * latency_ms))
    return summary_of(run, [A, B])


def comparisons(summary: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {found["figure"]: found for found in summary["comparisons"]}


def shown(summary: dict[str, Any]) -> dict[str, bool]:
    return {figure: found["difference_shown"] for figure, found in comparisons(summary).items()}


def test_the_summary_has_the_form_that_the_design_gives(tmp_path: Path) -> None:
    run = make_run(tmp_path, [A], blocks=2)
    for block in range(2):
        record(run, block, "a", Held(1, 50, seconds=20), Held(16, 60, seconds=20))
    summary = summary_of(run, [A])
    assert_summary_form(summary)
    entry = summary["contenders"]["a"]
    assert [level["users"] for level in entry["levels"]] == [1, 16]
    assert set(entry["cpu_ms_per_request"]) == set(CPU)
    assert set(entry["rss_mb"]) >= {"scoring", "model"}
    assert (summary["schema"], summary["command"], summary["valid"], said(summary["reasons"])) == (
        SCHEMA,
        "bench",
        True,
        [],
    )
    assert summary["complete"] is True


def test_the_figures_are_those_of_the_record(tmp_path: Path) -> None:
    run = make_run(tmp_path, [A], blocks=1)
    record(run, 0, "a", Held(1, 50), Held(16, 80))
    entry = summary_of(run, [A])["contenders"]["a"]
    low, level = entry["low_load"], entry["levels"][1]
    assert entry["floor_ms"] == pytest.approx(FLOOR_MS, abs=1e-3)
    assert (low["mean_ms"], low["p50_ms"], low["n"]) == (pytest.approx(50), pytest.approx(50), 40)
    assert low["over_floor"] == pytest.approx(50 / FLOOR_MS, rel=1e-4)
    assert (level["users"], level["n"], level["errors"]) == (16, 400, 0)
    assert (level["rps"], level["p50_ms"]) == (pytest.approx(200), pytest.approx(80))
    assert entry["peak"]["users"] == 16
    assert entry["peak"]["rps"] == pytest.approx(200)
    for role, share in CPU.items():
        assert entry["cpu_ms_per_request"][role] == pytest.approx(share * 1e3 / 200, rel=1e-3)
        assert entry["rss_mb"][role] == RSS_BYTES / 1e6


def test_a_percentile_is_null_until_there_are_samples_enough_in_all_blocks_together(tmp_path: Path) -> None:
    run = make_run(tmp_path, [A], blocks=2)
    for block in range(2):
        record(run, block, "a", Held(1, 50), Held(8, 60))  # 40 and 266 answers
    low, level = summary_of(run, [A])["contenders"]["a"]["levels"]
    assert (low["n"], low["p95_ms"], low["p99_ms"]) == (80, None, None)
    assert low["p50_ms"] == pytest.approx(50)
    assert level["n"] >= 459
    assert level["p99_ms"] == pytest.approx(60)


def test_one_block_gives_no_interval_and_shows_no_difference(tmp_path: Path) -> None:
    summary = two(tmp_path, [(50, 100)])
    for entry in summary["contenders"].values():
        assert entry["low_load"]["ci95_mean_ms"] is None
        assert entry["peak"]["ci95_rps"] is None
    assert {found["ci95"] for found in summary["comparisons"]} == {None}
    assert not any(shown(summary).values())


def test_cpu_per_request_has_an_interval_of_its_own(tmp_path: Path) -> None:
    entry = two(tmp_path, [(50, 60), (52, 61), (54, 62)])["contenders"]["a"]
    total_ms = sum(ms for role, ms in entry["cpu_ms_per_request"].items() if role != "load")
    low_ms, high_ms = entry["ci95_cpu_ms"]
    assert low_ms < total_ms < high_ms
    assert high_ms / low_ms < 1.3
    (alone,) = (two(tmp_path / "alone", [(50, 60)])["contenders"][name]["ci95_cpu_ms"] for name in ("a",))
    assert alone is None


def test_an_interval_holds_its_mean(tmp_path: Path) -> None:
    entry = two(tmp_path, [(50, 60), (52, 61), (54, 62)])["contenders"]["a"]
    low, high = entry["low_load"]["ci95_mean_ms"]
    assert entry["low_load"]["mean_ms"] == pytest.approx(52)
    assert low < 52 < high


def test_a_clear_difference_is_shown_with_its_ratio(tmp_path: Path) -> None:
    summary = two(tmp_path, [(50, 100), (51, 102.5), (52, 103)])
    assert set(comparisons(summary)) == FIGURES
    assert all(shown(summary).values())
    for figure, ratio in {"low_load_mean_ms": 2, "peak_rps": 0.5, "cpu_ms_per_request": 2}.items():
        found = comparisons(summary)[figure]
        assert (found["baseline"], found["contender"]) == ("a", "b")
        assert found["ratio"] == pytest.approx(ratio, rel=0.02)
        assert found["ci95"][0] <= found["ratio"] <= found["ci95"][1]


def test_identical_data_under_two_labels_shows_no_difference(tmp_path: Path) -> None:
    summary = two(tmp_path, [(50, 50), (53, 53), (51, 51), (58, 58)])
    assert shown(summary) == dict.fromkeys(FIGURES, False)
    assert {found["ratio"] for found in summary["comparisons"]} == {1.0}


def test_noise_without_a_direction_shows_no_difference(tmp_path: Path) -> None:
    summary = two(tmp_path, [(50, 55), (55, 50), (52, 53), (53, 52)])
    assert shown(summary) == dict.fromkeys(FIGURES, False)


def test_a_difference_too_small_to_matter_is_not_claimed_however_narrow_its_interval(tmp_path: Path) -> None:
    ratio = 1 + MIN_CLAIM / 2
    summary = two(tmp_path, [(50, 50 * ratio), (52, 52 * ratio), (54, 54 * ratio)])
    low, high = comparisons(summary)["low_load_mean_ms"]["ci95"]
    assert 1 < low < high or low == pytest.approx(high)
    assert shown(summary) == dict.fromkeys(FIGURES, False)


# Nine comparisons: some differences are clear, some would be shown by themselves only, some are none.
LATENCIES = {
    "a": [(50, 50), (52, 51), (51, 49), (50, 52)],
    "b": [(61, 65), (57, 60), (66, 70), (55, 58)],
    "c": [(52, 80), (50, 76), (53, 81), (51, 90)],
    "d": [(50, 51), (52, 50), (52, 50), (50, 52)],
}


def several(tmp_path: Path, latencies: dict[str, list[tuple[int, int]]] = LATENCIES) -> dict[str, Any]:
    """Return the summary of several contenders, from their latencies in ms at one user and at four, by block."""
    contenders = [make_contender(name) for name in latencies]
    run = make_run(tmp_path, contenders, blocks=4)
    for name, by_block in latencies.items():
        for block, (alone_ms, loaded_ms) in enumerate(by_block):
            record(run, block, name, Held(1, alone_ms), Held(4, loaded_ms), Held(8, 2 * loaded_ms))
    return summary_of(run, contenders)


def test_the_interval_of_a_comparison_is_the_one_that_decides(tmp_path: Path) -> None:
    found = several(tmp_path)["comparisons"]
    assert len(found) == 3 * len(FIGURES)
    for each in found:
        leaves_out_1 = not each["ci"][0] <= 1 <= each["ci"][1]
        matters = abs(each["ratio"] - 1) >= MIN_CLAIM
        assert each["difference_shown"] == (leaves_out_1 and matters), each
        assert 0.95 <= each["confidence"] <= 1 - 0.05 / len(found)
        assert each["ci"][0] <= each["ci95"][0] <= each["ratio"] <= each["ci95"][1] <= each["ci"][1]
    # By themselves more would be shown: that is what the other interval must not be quoted for.
    assert any(not each["difference_shown"] and not each["ci95"][0] <= 1 <= each["ci95"][1] for each in found)
    assert any(each["difference_shown"] for each in found)


def test_the_ratio_of_two_rates_is_that_of_the_rates_that_are_printed(tmp_path: Path) -> None:
    summary = several(tmp_path)
    peaks = {name: entry["peak"]["rps"] for name, entry in summary["contenders"].items()}
    for each in summary["comparisons"]:
        if each["figure"] == "peak_rps":
            assert each["ratio"] == pytest.approx(peaks[each["contender"]] / peaks["a"], rel=1e-5)


@pytest.mark.parametrize(
    ("levels", "bracketed"),
    [
        ([(1, 50), (16, 57), (32, 316), (128, 1330)], True),  # httpx: its pool collapses
        ([(1, 50), (32, 316)], False),
        ([(1, 100), (64, 163), (128, 321)], True),
        ([(1, 50), (64, 54), (128, 88)], False),
        ([(32, 316), (64, 727)], False),
    ],
)
def test_a_peak_says_whether_the_levels_bracket_it(
    tmp_path: Path, levels: list[tuple[int, float]], bracketed: bool
) -> None:
    run = make_run(tmp_path, [A])
    record(run, 0, "a", *(Held(users, latency_ms, seconds=8) for users, latency_ms in levels))
    entry = summary_of(run, [A])["contenders"]["a"]
    assert entry["peak"]["bracketed"] is bracketed
    assert any("No peak was found" in note for note in entry["notes"]) is not bracketed


def test_a_level_that_is_invalid_brackets_nothing(tmp_path: Path) -> None:
    run = make_run(tmp_path, [A])
    record(run, 0, "a", Held(1, 50), Held(4, 50), Held(8, 200, errors=1))
    peak = summary_of(run, [A])["contenders"]["a"]["peak"]
    assert (peak["users"], peak["bracketed"]) == (4, False)


def test_rates_whose_peak_is_not_shown_are_shown_to_differ_by_nothing(tmp_path: Path) -> None:
    run = make_run(tmp_path, [A, B], blocks=3)
    for block in range(3):
        record(run, block, "a", Held(1, 100), Held(4, 100), Held(8, 200))
        record(run, block, "b", Held(1, 50 + block), Held(4, 50 + block))
    found = comparisons(summary_of(run, [A, B]))
    assert found["low_load_mean_ms"]["difference_shown"]
    assert found["peak_rps"]["ratio"] > 1.9
    assert not found["peak_rps"]["difference_shown"]


def test_contenders_are_compared_over_the_blocks_that_both_have(tmp_path: Path) -> None:
    run = make_run(tmp_path, [A, B], blocks=4)
    latencies_ms: dict[str, list[float | None]] = {"a": [500, 50, 52, None], "b": [None, 50, 52, 500]}
    for block in range(4):
        for label, by_block in latencies_ms.items():
            latency_ms = by_block[block]
            if latency_ms is None:
                record(run, block, label, status="failed", reason="it died")
            else:
                record(run, block, label, Held(1, latency_ms))
    found = comparisons(summary_of(run, [A, B]))["low_load_mean_ms"]
    assert found["ratio"] == pytest.approx(1)


def test_every_contender_is_compared_with_the_first(tmp_path: Path) -> None:
    third = make_contender("c")
    run = make_run(tmp_path, [A, B, third], blocks=2)
    for block in range(2):
        for contender in (A, B, third):
            record(run, block, contender.label, Held(1, 50), Held(4, 55))
    found = summary_of(run, [A, B, third])["comparisons"]
    assert {(each["baseline"], each["contender"]) for each in found} == {("a", "b"), ("a", "c")}
    assert len(found) == 2 * len(FIGURES)


def test_what_shows_the_harness_is_in_the_summary_but_in_no_comparison(tmp_path: Path) -> None:
    run = make_run(tmp_path, [A, NULL, B], blocks=2)
    for block in range(2):
        for contender in (A, NULL, B):
            record(run, block, contender.label, Held(1, 50), Held(4, 50))
    summary = summary_of(run, [A, NULL, B])
    assert summary["contenders"]["null"]["harness_floor"] is True
    assert {each["contender"] for each in summary["comparisons"]} == {"b"}


def test_the_baseline_is_the_one_that_others_are_compared_with(tmp_path: Path) -> None:
    run = make_run(tmp_path, [NULL, A, B], blocks=2)
    for block in range(2):
        for contender in (NULL, A, B):
            record(run, block, contender.label, Held(1, 50), Held(4, 50))
    summary = summary_of(run, [NULL, A, B])
    assert {each["baseline"] for each in summary["comparisons"]} == {summary["baseline"]} == {"a"}


def test_only_the_harness_can_be_measured(tmp_path: Path) -> None:
    run = make_run(tmp_path, [NULL])
    record(run, 0, "null", Held(1, 0.2), Held(2, 0.3))
    summary = summary_of(run, [NULL])
    assert (summary["valid"], summary["comparisons"]) == (True, [])


def test_an_interrupted_run_is_incomplete_and_invalid_and_keeps_its_figures(tmp_path: Path) -> None:
    run = make_run(tmp_path, [A, B])
    record(run, 0, "a", Held(1, 50), Held(4, 50))
    record(run, 0, "b", Held(1, 60), status="interrupted", reason="interrupted")
    summary = summary_of(run, [A, B])
    assert (summary["complete"], summary["valid"]) == (False, False)
    assert any("interrupted" in reason and "1 of 2" in reason for reason in said(summary["reasons"]))
    assert summary["contenders"]["a"]["valid"] is True
    assert summary["contenders"]["a"]["peak"]["users"] == 4
    assert summary["contenders"]["b"]["low_load"]["mean_ms"] == pytest.approx(60)


def test_a_run_that_was_killed_is_incomplete_and_names_what_was_not_measured(tmp_path: Path) -> None:
    run = make_run(tmp_path, [A, B])
    record(run, 0, "a", Held(1, 50))
    summary = summary_of(run, [A, B])
    assert (summary["complete"], summary["valid"]) == (False, False)
    missing = summary["contenders"]["b"]
    assert (missing["valid"], missing["levels"], missing["low_load"], missing["peak"]) == (False, [], None, None)
    assert any(reason.startswith("b") for reason in said(summary["reasons"]))


def test_a_run_of_which_nothing_was_measured_has_a_summary(tmp_path: Path) -> None:
    summary = summary_of(make_run(tmp_path, [A, B]), [A, B])
    assert (summary["complete"], summary["valid"], summary["comparisons"]) == (False, False, [])


def test_a_failed_contender_is_named_with_its_reason_and_the_others_stand(tmp_path: Path) -> None:
    run = make_run(tmp_path, [A, B], blocks=2)
    for block in range(2):
        record(run, block, "a", Held(1, 50))
    record(run, 0, "b", Held(1, 50))
    record(run, 1, "b", status="failed", reason="scoring of b died")
    summary = summary_of(run, [A, B])
    assert (summary["complete"], summary["valid"]) == (True, False)
    assert any(reason.startswith("b, block ") and "scoring of b died" in reason for reason in said(summary["reasons"]))
    assert [summary["contenders"][label]["valid"] for label in ("a", "b")] == [True, False]


def test_a_level_that_breaks_a_rule_is_shown_and_marked(tmp_path: Path) -> None:
    run = make_run(tmp_path, [A])
    record(run, 0, "a", Held(1, 50), Held(4, 60, errors=2))
    summary = summary_of(run, [A])
    good, bad = summary["contenders"]["a"]["levels"]
    assert (good["valid"], said(good["reasons"])) == (True, [])
    assert (bad["valid"], bad["errors"]) == (False, 2)
    assert bad["p50_ms"] == pytest.approx(60)
    assert summary["valid"] is False
    assert any(reason.startswith("a: ") and "status 500" in reason for reason in said(summary["reasons"]))


def test_an_answer_sooner_than_its_models_took_makes_the_run_invalid(tmp_path: Path) -> None:
    run = make_run(tmp_path, [A])
    record(run, 0, "a", Held(1, DETAIL_S * 1e3 - 5))
    assert summary_of(run, [A])["valid"] is False


def test_a_level_that_one_contender_lacks_is_missing_there_and_nowhere_else(tmp_path: Path) -> None:
    run = make_run(tmp_path, [A, B])
    record(run, 0, "a", Held(1, 50), Held(4, 50), Held(8, 50))
    record(run, 0, "b", Held(4, 50))
    summary = summary_of(run, [A, B])
    assert summary["levels"] == [1, 4, 8]
    b = summary["contenders"]["b"]
    assert [level["users"] for level in b["levels"]] == [4]
    assert b["low_load"] is None
    assert set(comparisons(summary)) == {"peak_rps", "cpu_ms_per_request"}


def test_a_run_on_a_busy_machine_is_invalid(tmp_path: Path) -> None:
    summary = two(tmp_path, [(50, 50)], busy_before_start=0.5)
    assert summary["valid"] is False
    assert [entry["valid"] for entry in summary["contenders"].values()] == [True, True]
    assert len(summary["reasons"]) == 1


def test_a_level_at_which_nothing_was_answered_is_invalid_and_has_no_number_made_up(tmp_path: Path) -> None:
    run = make_run(tmp_path, [A])
    record(run, 0, "a", Held(1, 5_000, seconds=1), Held(4, 50))  # the one request is answered after the window
    entry = summary_of(run, [A])["contenders"]["a"]
    silent = entry["levels"][0]
    assert (silent["n"], silent["valid"], silent["mean_ms"], silent["p50_ms"]) == (0, False, None, None)
    assert entry["low_load"] is None
    assert entry["peak"]["users"] == 4


@pytest.mark.parametrize("resources", [True, False])
def test_a_summary_is_json_without_nan_even_when_figures_are_missing(tmp_path: Path, resources: bool) -> None:
    run = make_run(tmp_path, [A, B, NULL], blocks=2)
    for block in range(2):
        record(run, block, "a", Held(1, 50), Held(4, 50), resources=resources)
        record(run, block, "null", status="failed", reason="it did not start")
    record(run, 0, "b", Held(1, 50), Held(4, 50), resources=resources)
    record(run, 1, "b", status="failed", reason="it died")
    summary_of(run, [A, B, NULL])
    text = (run.path / "summary.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text


def test_cpu_that_was_not_sampled_is_missing_and_not_zero(tmp_path: Path) -> None:
    run = make_run(tmp_path, [A], blocks=1)
    record(run, 0, "a", Held(1, 50), resources=False)
    level = summary_of(run, [A])["contenders"]["a"]["levels"][0]
    assert level["cpu_ms_per_request"] in ({}, None)
    assert level["generator_cpu"] is None


def test_the_same_record_gives_the_same_summary(tmp_path: Path) -> None:
    run = make_run(tmp_path, [A])
    record(run, 0, "a", Held(1, 50), Held(4, 50))
    once, again = summary_of(run, [A]), summary_of(run, [A])
    assert once == again

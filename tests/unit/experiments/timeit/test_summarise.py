"""From a record to summary.json: figures, what is shown, and why a figure is INVALID."""

import json
import re
from typing import Any

import pytest

from benchmark.experiments.timeit.repeats import read_repeats, write_table
from benchmark.experiments.timeit.schema import parse
from benchmark.experiments.timeit.summarise import summarise
from benchmark.experiments.timeit.verdict import write_headline, write_verdict
from benchmark.record.run import SCHEMA, Run, TrialRecord
from tests.unit.experiments.timeit.synthetic import FLOORS_MS, MS_PER_CALL, Recorder, make_contender, summary_of
from tests.unit.said import said


def test_the_figures_are_those_of_the_data(record: Recorder) -> None:
    summary = summary_of(record())
    assert (summary["schema"], summary["command"], summary["baseline"]) == (SCHEMA, "timeit", "one")
    assert (summary["valid"], summary["complete"], said(summary["reasons"])) == (True, True, [])
    for name, entry in summary["contenders"].items():
        figures = entry["timeit"]
        low, high = figures["ci95"]
        assert low < figures["ms_per_call"] < high
        assert figures["ms_per_call"] == pytest.approx(MS_PER_CALL[name], rel=0.01)
        assert figures["over_floor"] == pytest.approx(MS_PER_CALL[name] / FLOORS_MS[name], rel=0.01)
        assert figures["repeats"] == 10
    assert summary["contenders"]["one"]["timeit"]["faster_than_baseline_pct"] == 0
    two = summary["contenders"]["two"]["timeit"]
    assert two["ci95_pct"][0] < two["faster_than_baseline_pct"] < two["ci95_pct"][1]
    assert two["faster_than_baseline_pct"] == pytest.approx(100, abs=2)
    assert two["difference_shown"]
    json.dumps(summary, allow_nan=False)


def test_equals_show_no_difference(record: Recorder) -> None:
    summary = summary_of(record({"two": 50.0, "three": 50.0}))
    assert not summary["contenders"]["three"]["timeit"]["difference_shown"]
    assert "no difference to two is shown" in write_headline({**summary})


@pytest.mark.parametrize("noise", [0.01, 0.03, 0.06])
@pytest.mark.parametrize("repeats", [4, 10])
def test_the_interval_of_a_percentage_is_the_one_that_decides(record: Recorder, repeats: int, noise: float) -> None:
    """By themselves more would be shown; the interval that is quoted is at Holm's level."""
    times = {"one": 50.0, "two": 51.5, "three": 53.0, "four": 47.5}
    for seed in range(5):
        run = record(times, repeats=repeats, noise=noise, seed=seed, folder=f"run-{seed}")
        summary = summary_of(run, dict.fromkeys(times, 45.0))
        for name, entry in summary["contenders"].items():
            each = entry["timeit"]
            if name != "one":
                low, high = each["ci_pct"]
                matters = abs(each["faster_than_baseline_pct"]) >= 2
                assert each["difference_shown"] == (not low <= 0 <= high and matters)
                assert 0.95 <= each["confidence"] <= 1 - 0.05 / 3
                said = next(s.text for s in write_verdict(parse(summary)) if s.text.startswith(f"{name} takes"))
                assert "when adjusted for 3 comparisons" in said
                assert ("no difference to one is shown" in said) == (not each["difference_shown"])


def test_the_headline_names_the_fastest(record: Recorder) -> None:
    headline = write_headline(summary_of(record({"one": 100.0, "two": 60.0, "three": 50.0})))
    assert re.match(r"three takes (49|50)\.\d ms per call \(95 % interval ", headline)
    assert re.search(r"% faster than one \(\d+(\.\d)? to \d+(\.\d)? % when adjusted for 2 comparisons\)", headline)


def test_a_slower_one_is_called_slower(record: Recorder) -> None:
    headline = write_headline(summary_of(record({"two": 50.0, "one": 100.0})))
    assert re.search(r"(49|50)\.\d % slower than two \(95 % interval (49|50)\.", headline)
    assert "−" not in headline


def test_who_drops_out_is_invalid_and_the_others_are_complete(record: Recorder) -> None:
    run = record({"one": 100.0, "two": 50.0}, repeats=5)
    lines = (run.path / "cells.jsonl").read_text().splitlines()[:-2]  # the last repeat of both
    (run.path / "cells.jsonl").write_text("\n".join(lines) + "\n")
    run.append_cell(TrialRecord(4, "one", seed=1))
    run.append_cell(TrialRecord(4, "two", seed=1, status="failed", reason="scoring of two died:\n    its log"))
    summary = summary_of(run)
    assert (summary["complete"], summary["valid"]) == (True, False)
    assert summary["contenders"]["one"]["valid"]
    two = summary["contenders"]["two"]
    assert said(two["reasons"]) == ["repeat 5: scoring of two died:\n    its log"]
    assert two["timeit"]["repeats"] == 4
    assert said(summary["reasons"]) == [f"two, {said(two['reasons'])[0]}"]


def test_an_interrupted_run_counts_its_complete_repeats(record: Recorder) -> None:
    run = record(repeats=4, calls=(1, 10, 20, 30))
    manifest = {**run.manifest, "plan": {**run.manifest["plan"], "repeats": 10}}
    contenders = [make_contender(name) for name in manifest["contenders"]]
    summary = summarise(manifest, run.cells(), read_repeats(run.path), contenders, FLOORS_MS)
    assert not summary["complete"]
    assert said(summary["reasons"]) == ["interrupted: 4 of 10 repeats were measured completely"]
    assert summary["contenders"]["two"]["valid"]
    assert summary["contenders"]["two"]["timeit"]["ci95"]


def test_a_mean_below_the_floor_is_invalid(record: Recorder) -> None:
    summary = summary_of(record(), {**FLOORS_MS, "two": 51.0})
    assert not summary["contenders"]["two"]["valid"]
    assert "below the floor of 51.00 ms" in said(summary["reasons"])[0]
    assert "two takes" not in write_headline(summary)


def test_a_busy_machine_is_invalid(record: Recorder) -> None:
    summary = summary_of(record(busy_before_start=0.5))
    assert not summary["valid"]
    assert write_headline(summary) == "No contender has a VALID figure, so nothing is claimed."


def test_nothing_measured_is_no_figure(record: Recorder) -> None:
    summary = summary_of(record(repeats=0))
    assert summary["contenders"]["one"]["timeit"]["ms_per_call"] is None
    assert summary["contenders"]["one"]["timeit"]["faster_than_baseline_pct"] is None
    assert "one: not measured" in said(summary["reasons"])
    json.dumps(summary, allow_nan=False)


def test_the_table_has_a_column_for_each_contender(record: Recorder) -> None:
    run = record(repeats=3)
    write_table(run.path, read_repeats(run.path), ["one", "two", "three"])
    lines = (run.path / "timeit.csv").read_text().splitlines()
    assert lines[0] == "n,one,two,three"
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "10", "20", "30"]
    assert float(lines[-1].split(",")[1]) == pytest.approx(3.0, rel=0.02)


def test_a_contender_may_be_named_null(record: Recorder) -> None:
    run = record({"null": 50.0}, repeats=3)
    assert set(read_repeats(run.path)["contender"]) == {"null"}


def test_a_row_that_was_cut_off_is_no_timing(record: Recorder) -> None:
    run = record(repeats=3)
    whole = len(read_repeats(run.path))
    with (run.path / "repeats.csv").open("a") as file:
        file.write("3,30,on")
    assert len(read_repeats(run.path)) == whole


def watched(run: Run, **by_contender: tuple[float, ...]) -> dict[str, Any]:
    """Return the summary of a run beside which others had so much of the machine, by contender and repeat."""
    rows = [
        {"repeat": repeat, "contender": name, "foreign_share": share, "steal_share": 0.0}
        for name, shares in by_contender.items()
        for repeat, share in enumerate(shares)
    ]
    contenders = [make_contender(name) for name in run.manifest["contenders"]]
    return summarise(run.manifest, run.cells(), read_repeats(run.path), contenders, FLOORS_MS, rows)


def test_timings_that_were_disturbed_are_invalid(record: Recorder) -> None:
    summary = watched(record(repeats=3), one=(0.01, 0.0, 0.02), two=(0.2, 0.2, 0.2), three=(0.0, 0.3, 0.0))
    assert {name: entry["valid"] for name, entry in summary["contenders"].items()} == {
        "one": True, "two": False, "three": False
    }  # fmt: skip
    assert said(summary["reasons"]) == [
        "two: other programs used 20 % of the machine (limit 15 %): stop them and measure again",
        "three: other programs used 30 % of the machine in the worst of 3 repeats (limit 20 %): "
        "stop them and measure again",
    ]


def test_a_repeat_that_does_not_count_may_have_been_disturbed(record: Recorder) -> None:
    assert watched(record(repeats=3), one=(0.0, 0.0, 0.0, 0.9))["valid"]


def test_a_record_that_does_not_tell_of_the_machine_is_not_disturbed(record: Recorder) -> None:
    assert watched(record(repeats=3))["valid"]

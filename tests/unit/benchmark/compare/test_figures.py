"""The figures of a recorded `bench`, by block."""

from pathlib import Path
from typing import Any

import pytest

from benchmark.analysis.comparable import Comparable
from benchmark.compare.figures import figures_of, pair_of
from benchmark.compare.run_pairs import circumstances
from benchmark.compare.verdict import compare_figures
from benchmark.experiments.bench.experiment import EXPERIMENT
from benchmark.experiments.experiment import write_summary
from benchmark.record.run import Run
from tests.unit.benchmark.synthetic import Held, make_contender, make_run, record

CONTENDERS = [make_contender("a"), make_contender("b")]
BLOCKS = (1.0, 1.004, 0.997, 1.002)


def recorded(results: Path, slower: float = 1.0, **changes: Any) -> Run:
    """Return a run of four blocks at 1 and 8 users, in which b takes 3 times as long as a at 8 users."""
    run = make_run(results, CONTENDERS, blocks=len(BLOCKS), **changes)
    for block, factor in enumerate(BLOCKS):
        for label, ms in (("a", 60.0), ("b", 180.0)):
            record(run, block, label, Held(1, 50.0 * factor * slower), Held(8, ms * factor * slower))
    write_summary(EXPERIMENT, run)
    return run


def by_name(run: Run, label: str) -> dict[str, Comparable]:
    return {figure.name: figure for figure in figures_of(run, label).values()}


def test_every_figure_of_a_bench_is_there(tmp_path: Path) -> None:
    found = by_name(recorded(tmp_path), "a")
    assert list(found) == [
        "low-load mean latency",
        "low-load p50 latency",
        "peak rate",
        "CPU per request",
        "rate at 8 users",
        "mean latency at 8 users",
        "p50 latency at 8 users",
        "p95 latency at 8 users",
    ]
    assert found["mean latency at 8 users"].values == pytest.approx([60.0 * factor for factor in BLOCKS], rel=0.01)
    assert all(len(figure.values) == len(BLOCKS) and figure.valid for figure in found.values())


def test_the_same_commit_twice_shows_no_difference(tmp_path: Path) -> None:
    one, other = recorded(tmp_path / "one"), recorded(tmp_path / "other")
    found = compare_figures([(label, figures_of(one, label), figures_of(other, label)) for label in ("a", "b")])
    assert {each.verdict for each in found} == {"no difference shown"}


def test_two_contenders_of_one_run_differ_with_the_right_sign(tmp_path: Path) -> None:
    run = recorded(tmp_path)
    found = {c.figure.name: c for c in compare_figures([("a → b", figures_of(run, "a"), figures_of(run, "b"))])}
    assert found["low-load mean latency"].verdict == "no difference shown"
    assert found["rate at 8 users"].verdict == found["mean latency at 8 users"].verdict == "slower"
    assert found["mean latency at 8 users"].ratio.value == pytest.approx(3.0, rel=0.01)


def test_a_slower_run_is_slower(tmp_path: Path) -> None:
    fast, slow = recorded(tmp_path / "fast"), recorded(tmp_path / "slow", slower=1.1)
    found = compare_figures([("a", figures_of(fast, "a"), figures_of(slow, "a"))])
    verdicts = {each.figure.name: each.verdict for each in found}
    assert verdicts["low-load mean latency"] == verdicts["rate at 8 users"] == "slower"


def test_peaks_of_different_climbs_are_not_compared(tmp_path: Path) -> None:
    levels = [{"users": 1}, {"users": 8}]
    one = recorded(tmp_path / "one", plan={"blocks": 4, "levels": levels, "climb": []})
    other = recorded(tmp_path / "other", plan={"blocks": 4, "levels": levels, "climb": [{"users": 16}]})
    found = compare_figures([("a", figures_of(one, "a"), figures_of(other, "a"))])
    assert [each.figure.name for each in found] == [
        "low-load mean latency",
        "low-load p50 latency",
        "rate at 8 users",
        "mean latency at 8 users",
        "p50 latency at 8 users",
        "p95 latency at 8 users",
    ]
    assert "users: 1, 8, then 1, 8, 16; so peaks are not compared" in circumstances(one.manifest, other.manifest)


def test_percentiles_are_those_at_the_peak_of_a_in_both_runs(tmp_path: Path) -> None:
    runs = []
    for name, at_8, at_16 in (("a", 60.0, 200.0), ("b", 60.0, 100.0)):  # the one peaks at 8 users, the other at 16
        run = make_run(tmp_path / name, CONTENDERS[:1], blocks=2)
        for block, factor in enumerate(BLOCKS[:2]):
            record(run, block, "a", Held(1, 50.0 * factor), Held(8, at_8 * factor), Held(16, at_16 * factor))
        write_summary(EXPERIMENT, run)
        runs.append(run)
    a, b = pair_of(runs[0], "a", runs[1], "a")
    tails = [[figure.name for figure in side.values() if "p95" in figure.name] for side in (a, b)]
    assert tails == [["p95 latency at 8 users"]] * 2
    b, a = pair_of(runs[1], "a", runs[0], "a")
    tails = [[figure.name for figure in side.values() if "p95" in figure.name] for side in (a, b)]
    assert tails == [["p95 latency at 16 users"]] * 2
    assert by_name(runs[1], "a")["p95 latency at 16 users"].values == pytest.approx([100.0, 100.4], rel=0.01)


def test_a_percentile_takes_samples_enough_in_every_block(tmp_path: Path) -> None:
    run = make_run(tmp_path, CONTENDERS[:1], blocks=2)
    for block, seconds in enumerate((6.0, 1.0)):  # 800 and 133 samples
        record(run, block, "a", Held(1, 50.0, seconds), Held(8, 60.0, seconds))
    write_summary(EXPERIMENT, run)
    found = by_name(run, "a")
    assert ("p95 latency at 8 users" in found, "p99 latency at 8 users" in found) == (True, False)
    assert ("low-load p50 latency" in found, "low-load p95 latency" in found) == (True, False)


def test_a_peak_below_a_higher_rate_that_is_invalid_is_invalid(tmp_path: Path) -> None:
    run = make_run(tmp_path, CONTENDERS[:1], blocks=2)
    for block in range(2):
        record(run, block, "a", Held(1, 50.0), Held(8, 60.0, errors=3))
    write_summary(EXPERIMENT, run)
    assert run.summary["contenders"]["a"]["peak"]["users"] == 1
    found = by_name(run, "a")
    assert (found["peak rate"].valid, found["CPU per request"].valid) == (False, False)
    assert found["low-load mean latency"].valid


def test_a_level_without_an_answer_is_a_figure_that_is_invalid(tmp_path: Path) -> None:
    run = make_run(tmp_path, CONTENDERS[:1], blocks=2)
    for block in range(2):
        record(run, block, "a", Held(1, 50.0), Held(9, 100_000.0))
    write_summary(EXPERIMENT, run)
    found = by_name(run, "a")["rate at 9 users"]
    assert (found.values, found.valid) == ((), False)


@pytest.mark.parametrize("bracketed", [(True, True), (True, False), (False, True), (False, False)])
def test_a_rate_that_may_rise_further_in_either_run_is_called_no_peak(
    tmp_path: Path, bracketed: tuple[bool, bool]
) -> None:
    runs = [recorded(tmp_path / name) for name in ("one", "other")]
    for run, is_peak in zip(runs, bracketed, strict=True):
        summary = run.summary
        summary["contenders"]["a"]["peak"]["bracketed"] = is_peak
        run.write_json("summary.json", summary)
    found = compare_figures([("a", *pair_of(runs[0], "a", runs[1], "a"))])
    names = [each.figure.name for each in found]
    assert ("peak rate" in names, "highest rate" in names) == (all(bracketed), not all(bracketed))
    assert len(names) == 8

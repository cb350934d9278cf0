"""The exit status of `compare --fail-if-slower`, on recorded runs of `bench` and `timeit`."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from benchmark.compare.cli import compare
from benchmark.experiments.bench.experiment import EXPERIMENT
from benchmark.experiments.experiment import write_summary
from tests.unit.benchmark.experiments.timeit.synthetic import Recorder, summarised
from tests.unit.benchmark.synthetic import Held, make_contender, make_run, record

STEADY = (1.0, 1.004, 0.997, 1.002)

app = typer.Typer()
app.command()(compare)


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.cli_options.console.width", 200)


def run_compare(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def bench(
    results: Path,
    blocks: Sequence[float] = STEADY,
    names: Sequence[str] = ("a", "b"),
    slower: float = 1.0,
    failed: str = "",
    unsteady: str = "",
    users: int = 8,
    seconds: float = 2.0,
) -> Path:
    """Record contenders that take 50 ms at one user and 60 ms at 8, times each block's factor.

    The last of them is slower by a factor at 8 users; `failed` did not start in the first block,
    `unsteady` has failing requests at 8 users.
    """
    contenders = [make_contender(name) for name in names]
    run = make_run(results, contenders, blocks=len(blocks))
    for block, factor in enumerate(blocks):
        for name in names:
            if name == failed and block == 0:
                record(run, block, name, status="failed", reason="did not start")
                continue
            by = factor * (slower if name == names[-1] else 1.0)
            errors = 5 if name == unsteady else 0
            record(run, block, name, Held(1, 50.0 * factor, seconds), Held(users, 60.0 * by, seconds, errors))
    write_summary(EXPERIMENT, run)
    return run.path


@pytest.mark.parametrize(("slower", "status"), [(1.0, 0), (1.02, 0), (1.3, 4)])
def test_a_steady_bench_can_be_told(tmp_path: Path, slower: float, status: int) -> None:
    a, b = bench(tmp_path / "a"), bench(tmp_path / "b", slower=slower)
    assert run_compare(a, b, "--fail-if-slower", "5%").exit_code == status


def test_two_blocks_with_57_percent_less_at_the_peak_do_not_pass(tmp_path: Path) -> None:
    a, b = bench(tmp_path / "a", blocks=(1.0, 1.25)), bench(tmp_path / "b", blocks=(1.0, 1.25), slower=1 / 0.43)
    result = run_compare(a, b, "--fail-if-slower", "5%")
    assert "not shown" in result.output
    assert result.exit_code == 3
    assert "cannot tell: b, highest rate: these runs can detect a loss of " in result.output
    assert run_compare(a, b).exit_code == 0  # without a gate nothing is asked


def test_single_blocks_do_not_pass(tmp_path: Path) -> None:
    a, b = bench(tmp_path / "a", blocks=(1.0,)), bench(tmp_path / "b", blocks=(1.0,))
    result = run_compare(a, b, "--fail-if-slower", "5%")
    assert result.exit_code == 3
    assert "one block is too few" in result.output


def test_a_contender_that_b_does_not_have_does_not_pass(tmp_path: Path) -> None:
    a, b = bench(tmp_path / "a"), bench(tmp_path / "b", names=("a",))
    result = run_compare(a, b, "--fail-if-slower", "5%")
    assert result.exit_code == 3
    assert "cannot tell: b: B has no figures" in result.output
    assert "not compared: b: B has no figures" in run_compare(a, b).output
    assert run_compare(f"{a}:a", b, "--fail-if-slower", "5%").exit_code == 0  # b was not asked about
    assert run_compare(b, a, "--fail-if-slower", "5%").exit_code == 0  # it is new


@pytest.mark.parametrize("which", ["A", "B"])
@pytest.mark.parametrize("fault", ["failed", "unsteady"])
def test_what_is_invalid_in_either_run_does_not_pass(tmp_path: Path, which: str, fault: str) -> None:
    runs = {"A": bench(tmp_path / "fine"), "B": bench(tmp_path / "fine too")}
    runs[which] = bench(tmp_path / "faulty", **{fault: "b"})  # type: ignore[arg-type]
    result = run_compare(runs["A"], runs["B"], "--fail-if-slower", "5%")
    assert result.exit_code == 3
    assert "cannot tell: b, " in result.output
    assert f": INVALID in {which}" in result.output
    assert "cannot tell: a" not in result.output
    assert run_compare(runs["A"], runs["B"]).exit_code == 0


def test_a_loss_that_is_shown_counts_more_than_what_cannot_be_told(tmp_path: Path) -> None:
    a, b = bench(tmp_path / "a", names=("a", "b")), bench(tmp_path / "b", names=("b", "a"), slower=1.5, unsteady="b")
    result = run_compare(a, b, "--fail-if-slower", "5%")
    assert result.exit_code == 4
    assert "too slow: a, highest rate: " in result.output
    assert "cannot tell: b, " in result.output


def test_a_contender_that_never_answered_in_b_does_not_pass(tmp_path: Path) -> None:
    a, b = bench(tmp_path / "a"), bench(tmp_path / "b", blocks=(1.0,), failed="b")
    result = run_compare(f"{a}:b", f"{b}:b", "--fail-if-slower", "5%")
    assert result.exit_code == 3
    assert "cannot tell: b: B has no figures" in result.output


def test_a_level_that_b_did_not_hold_does_not_pass(tmp_path: Path) -> None:
    a, b = bench(tmp_path / "a"), bench(tmp_path / "b", users=16)
    result = run_compare(a, b, "--fail-if-slower", "5%")
    assert result.exit_code == 3
    assert "cannot tell: a, rate at 8 users and mean latency at 8 users: not measured in B" in result.output


def test_a_peak_of_another_climb_does_not_pass(tmp_path: Path) -> None:
    a, b = bench(tmp_path / "a"), bench(tmp_path / "b")
    manifest = json.loads((b / "manifest.json").read_text())
    manifest["plan"]["climb"] = [{"users": 16}]
    (b / "manifest.json").write_text(json.dumps(manifest))
    result = run_compare(a, b, "--fail-if-slower", "5%")
    assert result.exit_code == 3
    assert "cannot tell: a, highest rate and CPU per request: none for the same numbers of users in B" in result.output


def test_a_percentile_for_which_b_has_too_few_samples_does_not_pass(tmp_path: Path) -> None:
    a, b = bench(tmp_path / "a", seconds=2.0), bench(tmp_path / "b", seconds=0.6)
    result = run_compare(a, b, "--fail-if-slower", "5%")
    assert result.exit_code == 3
    assert "p95 latency at 8 users: too few samples, or no level in B" in result.output


def test_a_timeit_without_a_contender_or_with_a_failed_one_does_not_pass(record: Recorder) -> None:
    a = summarised(record(folder="a"))
    missing = summarised(record({"one": 100.0, "two": 50.0}, folder="b"))
    result = run_compare(a, missing, "--fail-if-slower", "5%")
    assert result.exit_code == 3
    assert "cannot tell: three: B has no figures" in result.output


def test_a_limit_below_what_is_claimed_still_passes_what_is_steady_and_stops_what_is_slower(tmp_path: Path) -> None:
    a, same, slower = bench(tmp_path / "a"), bench(tmp_path / "b"), bench(tmp_path / "c", slower=1.1)
    result = run_compare(a, same, "--fail-if-slower", "0%")
    assert result.exit_code == 0
    assert "none by more than 2 %" in result.output
    assert run_compare(a, slower, "--fail-if-slower", "0%").exit_code == 4
    assert run_compare(slower, a, "--fail-if-slower", "0%").exit_code == 0  # faster


def test_the_interval_is_headed_by_what_it_is_adjusted_for(tmp_path: Path) -> None:
    a, b = bench(tmp_path / "a"), bench(tmp_path / "b", slower=1.3)
    assert "adjusted for 16" in run_compare(a, b).output
    assert "adjusted for 8" in run_compare(f"{a}:a", f"{b}:b").output


def test_the_table_fits_80_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.cli_options.console.width", 80)
    blocks = (1.0, 1.3, 0.8)
    a = bench(tmp_path / "a", blocks=blocks, users=256, unsteady="a")
    b = bench(tmp_path / "b", blocks=blocks, users=256, slower=3.0)
    rows = [line for line in run_compare(a, b).output.splitlines() if line.startswith("  ") and "[" in line]
    assert len(rows) == 2 * 9
    assert all(len(line) <= 80 for line in rows)
    assert all(line.rstrip().endswith(("faster", "slower", "not shown", "below 2 %", "INVALID")) for line in rows)
    assert "…  " not in "".join(rows)  # nothing is cut off

"""`bench` without processes: order, failures, interruptions, and what becomes of the record."""

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmark.contenders.discovery import Contender
from benchmark.errors import LoadError, RecordError, StackError
from benchmark.experiments.bench import plan as plans
from benchmark.experiments.bench.experiment import EXPERIMENT
from benchmark.experiments.experiment import carry_out, report
from benchmark.load.plan import Level, LoadPlan
from benchmark.measure.trial import ParityError, Trial
from benchmark.record.run import Run
from contract.schema import predict_path
from tests.unit.benchmark.fakes import (
    Measure,
    failing,
    fake_stack,
    make_progress,
    measure_nothing,
    measure_well,
    refusing,
)
from tests.unit.benchmark.synthetic import Held, make_contender, make_run, record, write_files
from tests.unit.said import said

A, B, C = make_contender("a"), make_contender("b"), make_contender("c")
LEVELS = (Level(1, 0.1, 0.2), Level(4, 0.1, 0.2))


def draw(run: Run) -> Path:
    """Write a page that takes no time; the real one has tests of its own."""
    (run.path / "report.html").write_text("drawn")
    return run.path / "report.html"


BENCH = replace(EXPERIMENT, write_page=draw)


class Bench:
    """`bench` on a stack that is none."""

    def __init__(self, results: Path, patch: pytest.MonkeyPatch) -> None:
        self.results, self.output = results, io.StringIO()
        self.fake = fake_stack(patch)

    def run(
        self, contenders: Sequence[Contender], measure: Measure = measure_well, settings: Any = None, **plan: Any
    ) -> Run:
        self.fake.measure = measure
        wanted = plans.BenchPlan(**{"blocks": 1, "levels": LEVELS, **plan})
        assignment = plans.assign(contenders, wanted, settings or {})
        return carry_out(BENCH, assignment, self.results, make_progress(self.output))

    @property
    def measured(self) -> list[tuple[int, str]]:
        return self.fake.measured

    @property
    def only_run(self) -> Run:
        """The run whose measuring has raised."""
        (path,) = (path for path in self.results.iterdir() if not path.is_symlink())
        return Run.open(path)


@pytest.fixture
def benching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path / "results", monkeypatch)


def statuses(run: Run) -> dict[tuple[int, str], str]:
    return {(cell.block, cell.contender): cell.status for cell in run.cells()}


def test_every_contender_is_measured_once_in_every_block(benching: Bench) -> None:
    run = benching.run([A, B, C], blocks=3)
    assert sorted(benching.measured) == [(block, label) for block in range(3) for label in "abc"]
    assert [block for block, _ in benching.measured] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert (run.summary["complete"], run.summary["valid"]) == (True, True)


def test_the_order_is_shuffled_recorded_and_the_same_for_the_same_seed(tmp_path: Path) -> None:
    orders = []
    for folder, seed in (("one", 5), ("same", 5), ("other", 6)):
        with pytest.MonkeyPatch.context() as patch:
            each = Bench(tmp_path / folder, patch)
            run = each.run([A, B, C], measure_nothing, blocks=6, seed=seed)
        assert [label for order in run.manifest["order"] for label in order] == [label for _, label in each.measured]
        orders.append(run.manifest["order"])
    assert orders[0] == orders[1] != orders[2]
    assert len({tuple(order) for order in orders[0]}) > 1


def test_within_a_block_all_contenders_get_the_same_seed_and_each_block_another(benching: Bench) -> None:
    cells = benching.run([A, B], measure_nothing, blocks=3).cells()
    assert len({(cell.block, cell.seed) for cell in cells}) == len({cell.seed for cell in cells}) == 3


@pytest.mark.parametrize("error", [StackError("it died"), LoadError("it broke")])
def test_a_contender_that_fails_is_named_and_the_others_are_measured(benching: Bench, error: Exception) -> None:
    run = benching.run([A, B, C], failing("b", error), blocks=2)
    assert statuses(run).pop((0, "b")) == "failed"
    assert sorted(benching.measured) == [(block, label) for block in range(2) for label in "abc"]
    assert (run.summary["complete"], run.summary["valid"]) == (True, False)
    assert any(reason.startswith("b, block ") and str(error) in reason for reason in said(run.summary["reasons"]))
    assert (run.summary["contenders"]["a"]["valid"], run.summary["contenders"]["c"]["valid"]) == (True, True)


def test_a_contender_that_fails_parity_is_not_measured_again_and_the_run_is_complete(benching: Bench) -> None:
    benching.fake.parity = refusing("b", ParityError("status 500, expected 400"))
    run = benching.run([A, B], blocks=3)
    assert sorted(benching.fake.started_labels) == ["a", "a", "a", "b"]
    assert [label for _, label in benching.measured] == ["a"] * 3
    of_b = [cell for cell in run.cells() if cell.contender == "b"]
    assert [(cell.status, cell.code) for cell in of_b] == [("failed", "parity")] * 3
    assert (run.summary["complete"], run.summary["valid"]) == (True, False)
    assert any("status 500, expected 400" in reason for reason in said(run.summary["reasons"]))
    assert not any("interrupted" in reason for reason in said(run.summary["reasons"]))


def test_parity_is_asked_until_it_was_passed_once(benching: Bench) -> None:
    def dies_at_first(contender: Contender) -> None:
        if contender.label == "b" and benching.fake.checked.count("b") == 1:
            raise StackError("it died of a case")

    benching.fake.parity = dies_at_first
    benching.run([A, B], blocks=3)
    assert sorted(benching.fake.checked) == ["a", "b", "b"]
    assert sorted(benching.measured) == [(0, "a"), (1, "a"), (1, "b"), (2, "a"), (2, "b")]


def test_an_interrupted_run_ends_at_once_and_is_reported(benching: Bench) -> None:
    run = benching.run([A, B], failing("a", KeyboardInterrupt(), block=1), blocks=3)
    assert benching.measured[-1] == (1, "a")
    assert statuses(run)[1, "a"] == "interrupted"
    assert (run.summary["complete"], run.summary["valid"]) == (False, False)
    assert run.summary["contenders"]["a"]["levels"]
    assert (run.path / "report.html").exists()
    assert "interrupted" in benching.output.getvalue()


def test_a_full_disk_ends_a_run_at_once_and_keeps_what_there_is(benching: Bench) -> None:
    with pytest.raises(RecordError, match="no space"):
        benching.run([A, B], failing("a", RecordError("no space"), block=1), blocks=3)
    assert benching.measured[-1] == (1, "a")
    run = benching.only_run
    assert statuses(run)[1, "a"] == "interrupted"
    assert run.summary["complete"] is False


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("not foreseen")])
def test_a_cell_that_ended_in_an_error_of_the_harness_is_not_called_measured(benching: Bench, error: Exception) -> None:
    with pytest.raises(Exception, match=str(error.args[-1])):
        benching.run([A, B], failing("a", error))
    run = benching.only_run
    assert statuses(run)[0, "a"] != "measured"
    assert run.summary["complete"] is False


def test_later_blocks_hold_the_levels_that_the_first_has_climbed(benching: Bench) -> None:
    planned: dict[int, list[int]] = {}

    def measure(trial: Trial, load: LoadPlan) -> None:
        planned[trial.cell.block] = [level.users for level in (*load.levels, *load.climb)]
        write_files(trial.session.run, trial.cell, Held(1, 50), Held(4, 50), Held(8, 50))

    benching.run([A], measure, blocks=3, climb=(Level(8, 0.1, 0.2), Level(16, 0.1, 0.2)))
    assert planned == {0: [1, 4, 8, 16], 1: [1, 4, 8], 2: [1, 4, 8]}


def test_a_complete_run_is_the_latest_and_an_interrupted_one_is_not(benching: Bench, tmp_path: Path) -> None:
    complete = benching.run([A])
    assert (benching.results / "latest").resolve() == complete.path.resolve()
    other = tmp_path / "others"
    with pytest.MonkeyPatch.context() as patch:
        Bench(other, patch).run([A], failing("a", KeyboardInterrupt()))
    assert not (other / "latest").exists()


def test_reporting_an_old_run_again_leaves_latest_at_the_newest(benching: Bench) -> None:
    old = make_run(benching.results, [A])
    record(old, 0, "a", Held(1, 50))
    old = Run(old.path.rename(benching.results / "20200101T000000Z-bench"))
    newest = benching.run([A])
    report(BENCH, old)
    assert old.summary["complete"] is True
    assert (benching.results / "latest").resolve() == newest.path.resolve()


def test_a_run_says_when_its_measuring_ended_and_not_when_it_was_reported(benching: Bench) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmark.record.run.utc_now", lambda: "2026-11-21T05:22:00Z")
        run = benching.run([A])
    report(BENCH, run)
    assert run.summary["finished_utc"] == "2026-11-21T05:22:00Z"


def test_a_run_that_was_interrupted_has_an_end_too(benching: Bench) -> None:
    summary = benching.run([A], failing("a", KeyboardInterrupt())).summary
    assert summary["started_utc"] <= summary["finished_utc"]


def test_settings_reach_the_floor_that_latencies_are_compared_with(benching: Bench) -> None:
    run = benching.run([A], settings={"model_law": "constant"})
    assert run.summary["contenders"]["a"]["floor_ms"] == pytest.approx(45)
    assert run.manifest["settings"]["services"] == {"model_law": "constant"}


def test_a_setting_is_given_to_the_services_as_it_is_recorded(benching: Bench) -> None:
    given = {"stage_clock": "false", "model_cpu_ms": "5"}
    twin = A.model_copy(update={"endpoint": predict_path("async")})
    run = benching.run([twin], settings=given)
    assert run.manifest["settings"]["services"] == given
    (started,) = benching.fake.started
    for name, value in given.items():
        assert started.process[0].env[f"SERVING_{name.upper()}"] == value


def test_settings_of_the_shell_do_not_reach_the_record(benching: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVING_MODEL_MAX_MS", "9000")
    run = benching.run([A])
    assert run.manifest["settings"]["defaults"]["model_max_ms"] == 50.0
    assert run.summary["contenders"]["a"]["floor_ms"] == pytest.approx(46.667)


@pytest.mark.parametrize("make", [plans.default_plan, plans.quick_plan, plans.full_plan])
def test_a_plan_holds_the_users_that_were_asked_for_and_no_others(make: Callable[..., plans.BenchPlan]) -> None:
    plan = make([1, 3, 7])
    assert [level.users for level in (*plan.levels, *plan.climb)] == [1, 3, 7]
    assert all(level.warmup_s > 0 and level.measure_s > 0 for level in plan.levels)


@pytest.mark.parametrize("make", [plans.default_plan, plans.quick_plan, plans.full_plan])
def test_a_plan_ascends_from_one_user(make: Callable[..., plans.BenchPlan]) -> None:
    plan = make()
    users = [level.users for level in (*plan.levels, *plan.climb)]
    assert users[0] == 1
    assert users == sorted(set(users))


def test_the_command_line_goes_before_the_plan() -> None:
    plan = plans.adjust(plans.quick_plan(), blocks=5, seed=9, stage_clock=False, free_ports=True)
    assert (plan.blocks, plan.seed, plan.stage_clock, plan.free_ports) == (5, 9, False, True)
    assert plans.adjust(plans.quick_plan(), None, 1, True, False).blocks == plans.quick_plan().blocks

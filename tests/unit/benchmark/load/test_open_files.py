"""Open files: how many users they allow, what is left out of a plan, and what is refused before anything starts."""

import runpy
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

import benchmark.cli
import benchmark.cli_options
import benchmark.experiments.bench.command
import benchmark.experiments.breaking_point.command
import benchmark.experiments.gap.command
import benchmark.experiments.profiling.command
import feature_store.cli
from benchmark.contenders.discovery import choose
from benchmark.experiments import experiment
from benchmark.experiments.bench import plan as plans
from benchmark.experiments.breaking_point.plan import BreakingPointPlan, most_users
from benchmark.experiments.experiment import Assignment
from benchmark.experiments.gap import plan as explain
from benchmark.experiments.gap.factors import Design, read_factors
from benchmark.load.open_files import TooFewOpenFiles, allowed_users, files_per_user, left_out_note, refuse_beyond
from benchmark.record import provenance
from contract import limits
from contract.limits import OpenFiles
from tests.conftest import CONTENDERS
from tests.unit.benchmark.experiments.gap.conftest import KNOWN

REAL = [contender for contender in CONTENDERS.values() if not contender.harness_floor]
MODELS = 2
SCORING = 1 + 1 + MODELS  # files per user: to the user, to the store, to each model
GENERATOR = 1


@pytest.mark.parametrize(
    ("limit", "per_user", "allowed"),
    [
        (1024, SCORING, 231),
        (256, SCORING, 39),
        (4096, SCORING, 999),
        (100, SCORING, 0),
        (10, SCORING, 0),
        (1024, GENERATOR, 924),
        (None, SCORING, None),
    ],
)
def test_so_many_users_fit_beside_what_a_process_has_open_anyhow(
    limit: int | None, per_user: int, allowed: int | None
) -> None:
    assert allowed_users(limit, per_user) == allowed


def test_the_scoring_handler_is_tightest_with_a_connection_for_each_that_it_asks() -> None:
    assert files_per_user(REAL) == SCORING
    assert files_per_user([CONTENDERS["null"]]) == 2
    three = [
        p.model_copy(update={"env": {**p.env, "SERVING_MODEL_URLS": "http://a/x,http://b/x,http://c/x"}})
        for p in CONTENDERS["async"].process
    ]
    wide = CONTENDERS["async"].model_copy(update={"process": tuple(three)})
    assert files_per_user([*REAL, wide]) == SCORING + 1


def test_services_in_containers_have_limits_of_their_own() -> None:
    assert files_per_user(REAL, in_containers=True) == GENERATOR


@pytest.mark.parametrize(("users", "limit"), [(231, 1024), (39, 256), (10_000, None), (1, 104)])
def test_what_fits_is_not_refused(users: int, limit: int | None) -> None:
    refuse_beyond(users, limit, SCORING)


def test_a_refusal_names_limit_need_and_what_to_do() -> None:
    with pytest.raises(TooFewOpenFiles) as raised:
        refuse_beyond(512, 1024, SCORING)
    for part in ("512 users", "need 2,148 open files", "limit of 1,024", "allows 231", "ulimit -Hn 2148", "fewer"):
        assert part in str(raised.value)
    refuse_beyond(512, 2148, SCORING)  # with what it says that is needed, it is enough


def test_a_note_says_who_was_left_out_and_why() -> None:
    assert left_out_note([1, 512, 256, 512], 1024, 231) == (
        "256, 512 users were left out: the limit of 1,024 open files allows 231 users; raise it with `ulimit -Hn`"
    )
    assert left_out_note([1, 231], 1024, 231) is left_out_note([512], None, None) is None


@pytest.mark.parametrize(
    ("plan", "limit", "levels", "climb", "left_out"),
    [
        (plans.default_plan(), 1024, [1, 8, 16, 32, 64], [128], "256, 512 users"),
        (plans.default_plan(), 256, [1, 8, 16, 32], [], "64, 128, 256, 512 users"),
        (plans.full_plan(), 1024, [1, 8, 16, 32, 64, 128], [], "256, 512 users"),
        (plans.quick_plan(), 200, [1, 16], [], "64, 128, 256 users"),
        (plans.quick_plan(), 1024, [1, 16, 64], [128], "256 users"),
        (plans.default_plan(), 20_000, [1, 8, 16, 32, 64], [128, 256, 512], ""),
        (plans.default_plan(), None, [1, 8, 16, 32, 64], [128, 256, 512], ""),
    ],
)
def test_bench_leaves_out_what_does_not_fit(
    plan: plans.BenchPlan, limit: int | None, levels: list[int], climb: list[int], left_out: str
) -> None:
    fitted = plans.fit(plan, limit, SCORING)
    assert [level.users for level in fitted.levels] == levels
    assert [level.users for level in fitted.climb] == climb
    assert (fitted.left_out or "").partition(" were left out")[0] == left_out
    assert (fitted.blocks, fitted.seed) == (plan.blocks, plan.seed)


@pytest.mark.parametrize("plan", [plans.default_plan(), plans.quick_plan(), plans.full_plan()])
def test_bench_is_refused_where_not_even_one_user_fits(plan: plans.BenchPlan) -> None:
    with pytest.raises(TooFewOpenFiles, match="1 user needs"):
        plans.fit(plan, 103, SCORING)


@pytest.mark.parametrize("plan", [explain.default_plan(), explain.quick_plan()])
@pytest.mark.parametrize("limit", [256, 400, 1024])
def test_explain_leaves_out_what_does_not_fit_in_every_phase(plan: explain.ExplainPlan, limit: int) -> None:
    fitted = explain.fit(plan, limit, SCORING)
    allowed = allowed_users(limit, SCORING)
    assert allowed
    planned, kept = everybody(plan), everybody(fitted)
    assert kept == {where: [users for users in found if users <= allowed] for where, found in planned.items()}
    beyond = sorted({n for where, found in planned.items() for n in found if n > allowed and where != "foretold"})
    expected = f"{', '.join(map(str, beyond))} users were left out" if beyond else ""
    assert (fitted.left_out or "").partition(":")[0] == expected


def everybody(plan: explain.ExplainPlan) -> dict[str, list[int]]:
    """Return all numbers of users of a plan by where they are."""
    phases = {name: getattr(plan, name) for name in ("light", "cell", "clock", "lag", "whatif", "map")}
    found = {f"{name}": [x.users for x in (*p.levels, *p.climb)] for name, p in phases.items() if p}
    return {**found, "bursts": list(plan.burst_sizes), "foretold": list(plan.users)}


def test_explain_with_room_for_all_is_as_it_was() -> None:
    for limit in (20_000, None):
        assert explain.fit(explain.default_plan(), limit, SCORING) == explain.default_plan()


def test_explain_is_refused_without_the_users_at_whom_cpu_is_compared() -> None:
    with pytest.raises(TooFewOpenFiles, match="8 users need"):
        explain.fit(explain.default_plan(), 131, SCORING)


def test_the_record_of_explain_says_what_was_left_out() -> None:
    design = Design(read_factors(), KNOWN)
    plan = explain.adjust(explain.default_plan(), design, 1, 1, free_ports=False)
    fitted = explain.fit(plan, 1024, SCORING)
    described = explain.describe(design, explain.make_variants(design, choose(KNOWN, KNOWN), [], fitted), [], fitted)
    assert described["left_out"].startswith("256 users were left out")
    from benchmark.experiments.gap.summarise import _notes

    row: dict[str, Any] = {
        "half": False,
        "corners_are_contenders": True,
        "cells": [],
        "left_out": fitted.left_out,
    }
    assert _notes(row, {}) == [f"{fitted.left_out}."]
    assert _notes({**row, "left_out": None}, {}) == []


@pytest.mark.parametrize(
    ("examples", "users"),
    [
        (("response-time",), 1),
        (("load-test",), 300),
        (("stress-test",), 500),
        (("max-performance",), 300),  # after the load test
        (("open-loop",), 300),
        (("response-time", "load-test", "stress-test", "open-loop"), 500),
    ],
)
def test_experiment_3_knows_how_many_users_its_examples_have(examples: tuple[str, ...], users: int) -> None:
    assert most_users(BreakingPointPlan(examples)) == users


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which no more than 300 files can be open."""
    monkeypatch.setattr(provenance, "busy_share", lambda: 0.0)
    verbs: list[ModuleType] = [
        benchmark.experiments.bench.command,
        benchmark.experiments.profiling.command,
        benchmark.experiments.breaking_point.command,
        benchmark.experiments.gap.command,
    ]
    for module in verbs:
        monkeypatch.setattr(module, "open_files", lambda: OpenFiles(300, 300))


@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize(
    ("arguments", "users"),
    [
        (["bench", "--levels", "1,512"], 512),
        (["bench", "--quick", "--levels", "51"], 51),
        (["locust"], 500),
        (["locust", "--examples", "load-test"], 300),
        (["profile", "--users", "90"], 90),
    ],
)
def test_what_is_asked_for_by_hand_and_does_not_fit_is_refused_before_anything_starts(
    arguments: list[str], users: int, tmp_path: Path
) -> None:
    answer = CliRunner().invoke(benchmark.cli.app, [*arguments, "--results", str(tmp_path / "results")])
    assert answer.exit_code == 1
    said = " ".join(answer.output.split())
    assert f"error: {users} users need" in said
    assert "limit of 300 allows 50" in said
    assert "ulimit" in said
    assert not (tmp_path / "results").exists()


@pytest.mark.usefixtures("limited")
def test_what_is_planned_by_default_and_does_not_fit_is_left_out_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_out: list[str] = []

    def carry_out(_: Any, assignment: Assignment[Any], *__: Any) -> None:
        left_out.append(assignment.recorded_plan["left_out"])
        raise TooFewOpenFiles("enough")

    monkeypatch.setattr(experiment, "carry_out", carry_out)
    for verb in ("bench", "explain"):
        answer = CliRunner().invoke(benchmark.cli.app, [verb, "--results", str(tmp_path)])
        assert "enough" in answer.output
    assert "64, 128, 256, 512 users were left out" in left_out[0]
    assert "64, 128, 256 users were left out" in left_out[1]


def test_the_record_notes_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "open_files", lambda: OpenFiles(1024, 4096))
    assert provenance.environment()["open_files"] == {"soft": 1024, "hard": 4096}


@pytest.fixture
def raised(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Written to whenever a limit is raised."""
    done: list[str] = []
    for module in (limits, benchmark.cli_options, feature_store.cli):
        monkeypatch.setattr(module, "raise_open_files", lambda: done.append("raised"))
    return done


@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize("verb", ["bench", "explain", "profile", "locust", "timeit"])
def test_the_harness_raises_its_limit_before_it_measures(verb: str, raised: list[str]) -> None:
    CliRunner().invoke(benchmark.cli.app, [verb, "--set", "threads=abc"])
    assert raised == ["raised"]


def test_the_profiling_client_raises_its_limit(raised: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "benchmark.experiments.profiling.calls", raising=False)
    monkeypatch.setattr("sys.argv", ["calls", "/no/such/plan.json"])
    with pytest.raises(FileNotFoundError):
        runpy.run_module("benchmark.experiments.profiling.calls", run_name="__main__")
    assert raised == ["raised"]


def test_the_feature_store_raises_its_limit(raised: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_store.cli, "serve", lambda *_: None)
    assert CliRunner().invoke(feature_store.cli.app, ["serve"]).exit_code == 0
    assert raised == ["raised"]

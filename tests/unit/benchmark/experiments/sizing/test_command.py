"""What cannot be planned is refused in one line, before anything starts."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from benchmark.cli import app
from benchmark.experiments.sizing import measure
from benchmark.experiments.sizing.source import RECORDED, find_source, read_source
from tests.unit.benchmark.experiments.sizing.synthetic import foretold, write_summary

NO_CPU = {"levels": [{"users": 1, "rps": 20.0, "cpu_ms_per_request": {"load": 0.3}}]}


def plan(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["plan", *arguments, "--results", str(folder / "results")])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--price", "0"), "--price is 0, expected the price of a core for an hour, such as 0.04"),
        (("--rate", "0"), "--rate is 0, expected requests per second above 0"),
        (("--slo", "fast"), "the objective is 'fast', expected such as 'p99<100ms'"),
        (("--slo", "errors<1%"), "a plan needs a limit of latency, too, such as 'p99<100ms'"),
        (("--slo", "p99.99<1s"), "expected at most p99.9"),
        (("--shape", "-5 for 3s"), "a rate cannot go below zero"),
        (("--region", "eu=50 for 1h"), "expected two of NAME=SHAPE"),
        (("--contenders", "nobody"), "has no contender 'nobody', expected one of async"),
        (("--quick",), "--quick shortens --verify"),
    ],
)
def test_what_cannot_be_planned_is_wrong_usage_and_nothing_starts(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    run = write_summary(tmp_path / "run", {"async": {}})
    result = plan(tmp_path, str(run), *arguments)
    assert result.exit_code == 2, result.output
    assert said in " ".join(result.output.replace("│", " ").split())
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("entry", "changes", "said"),
    [
        (NO_CPU, {}, "it has no CPU figures, as its processes were not observed"),
        ({"rss_mb": {}}, {}, "it has no memory figures"),
        ({"harness_floor": True}, {}, "nothing can be planned"),
        ({}, {"command": "timeit"}, "is a run of `timeit`, which says nothing of CPU by users"),
        ({}, {"valid": False, "reasons": [{"code": "unsaid"}]}, "it has no VALID level"),
    ],
)
def test_a_run_that_says_too_little_is_refused_with_what_to_do(
    tmp_path: Path, entry: dict[str, Any], changes: dict[str, Any], said: str
) -> None:
    run = write_summary(tmp_path / "run", {"async": entry}, **changes)
    result = plan(tmp_path, str(run))
    assert result.exit_code == 2, result.output
    assert said in " ".join(result.output.split())
    assert "expected a run of `bench` or `explain`" in " ".join(result.output.split())


@pytest.mark.parametrize("content", [None, "no JSON", "[]"])
def test_what_is_no_run_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "summary.json").write_text(content)
    result = plan(tmp_path, str(tmp_path))
    assert result.exit_code == 2, result.output
    assert "expected a run of `bench` or `explain`" in " ".join(result.output.split())


def test_the_newest_complete_run_is_the_default_and_else_the_recorded_one(tmp_path: Path) -> None:
    assert find_source(tmp_path) == RECORDED
    write_summary(tmp_path / "20261128T010000Z-bench", {"async": {}})
    write_summary(tmp_path / "20261128T020000Z-bench", {"async": {}}, complete=False)
    write_summary(tmp_path / "20261128T030000Z-timeit", {"async": {}})
    assert find_source(tmp_path).name == "20261128T010000Z-bench"


def test_the_recorded_run_can_be_planned_from() -> None:
    found = read_source(RECORDED.parent, ())
    assert {each.name for each in found.learnt} >= {"sync", "sync-concurrent", "async", "async-aiohttp"}
    assert all(each.lone_ms > each.floor_ms and each.at_peak.cpu_ms["scoring"] > 0 for each in found.learnt)
    assert dict(found.refused) == {}


def test_a_run_of_explain_is_planned_from_with_its_contenders_as_they_stand(tmp_path: Path) -> None:
    """Its manifest has others of the same name, such as those whose models use CPU."""
    shutil.copy(RECORDED, tmp_path / "contenders.json")
    shutil.copy(RECORDED.parent / "explain" / "manifest.json", tmp_path)
    for each in read_source(tmp_path, ()).learnt:
        assert not any("SERVING_MODEL_CPU_MS" in process.env for process in each.contender.process), each.name


def test_without_verify_the_plan_is_written_and_nothing_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {"contenders": {"async": foretold()}, "refused": {}}
    monkeypatch.setattr(measure, "foretell", lambda *_: found)
    run = write_summary(tmp_path / "run", {"async": {}})
    result = plan(tmp_path, str(run), "--rate", "200")
    assert result.exit_code == 0, result.output
    (planned,) = (path for path in (tmp_path / "results").iterdir() if path.name.endswith("-plan"))
    summary = json.loads((planned / "summary.json").read_text())
    assert (summary["valid"], summary["complete"], summary["verified"]) == (True, True, 0)
    assert not (planned / "cells.jsonl").exists()
    assert "A pod is ready" in result.output
    assert (planned / "kubernetes" / "async" / "kustomization.yaml").exists()


def test_an_interrupted_plan_says_so_and_claims_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(measure, "foretell", interrupted)
    run = write_summary(tmp_path / "run", {"async": {}})
    result = plan(tmp_path, str(run))
    assert result.exit_code == 130, result.output
    assert "The run was interrupted: what was not measured by then is missing." in result.output
    assert next((tmp_path / "results").glob("*-plan/report.html")).exists()

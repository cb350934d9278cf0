"""`explain` on the command line: what is refused, and what its exit status says."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmark import cli
from benchmark.errors import StackError
from benchmark.experiments import experiment
from benchmark.record.run import TrialRecord

SUMMARY: dict[str, Any] = {
    "schema": 1,
    "complete": True,
    "valid": True,
    "reasons": [],
    "notes": ["a note"],
    "attribution": {
        "latency_ms": {
            "from": "sync",
            "to": "async",
            "from_value": 94.0,
            "to_value": 50.0,
            "gap": -44.0,
            "ci95": None,
            "shares": {"fan_out": {"value": -43.5, "ci95": [-43.9, -43.1]}},
        }
    },
}


class _Ran:
    def __init__(self, summary: dict[str, Any]) -> None:
        self.manifest: dict[str, Any] = {}
        self.summary, self.path = summary, Path("results/run")

    def trials(self) -> list[TrialRecord]:
        return [TrialRecord(0, "sync", 1)]


def explain(monkeypatch: pytest.MonkeyPatch, *arguments: str, **changes: Any) -> tuple[int, str, list[Any]]:
    seen: list[Any] = []

    def carry_out(*given: Any) -> _Ran:
        seen.extend(given)
        return _Ran({**SUMMARY, **changes})

    monkeypatch.setattr(experiment, "carry_out", carry_out)
    result = CliRunner().invoke(cli.app, ["explain", *arguments])
    return result.exit_code, result.output, seen


@pytest.mark.parametrize(
    ("changes", "status"),
    [({}, 0), ({"valid": False, "reasons": ["busy"]}, 3), ({"complete": False, "valid": False}, 130)],
)
def test_the_exit_status_says_how_it_went(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], status: int
) -> None:
    assert explain(monkeypatch, **changes)[0] == status


def test_the_shares_are_printed_with_their_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    _, output, _ = explain(monkeypatch)
    assert "-43.50" in output
    assert "-43.90 to -43.10" in output
    assert "VALID" in output
    assert "No difference in latency at one user between sync and async is shown." in output
    assert "a note" in output
    assert "report.html" in output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "nobody"], "no contender 'nobody'"),
        (["--factors", "colour"], "no factor 'colour'"),
        (["--set", "fan_out=concurrent"], "is set by the factor fan_out"),
        (["--from", "null"], "no contender 'null'"),
    ],
)
def test_wrong_usage_is_one_sentence(monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str) -> None:
    status, output, seen = explain(monkeypatch, *arguments)
    assert status == 2
    assert said in " ".join(output.split())
    assert not seen


def test_what_cannot_be_measured_exits_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise StackError("it died")

    monkeypatch.setattr(experiment, "carry_out", fails)
    result = CliRunner().invoke(cli.app, ["explain"])
    assert (result.exit_code, "error: it died" in result.output) == (1, True)


def test_options_reach_the_design_and_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    options = ["--quick", "--from", "async", "--to", "async", "--blocks", "3", "--seed", "7", "--free-ports"]
    options += ["--wait-idle", "60"]
    _, _, seen = explain(monkeypatch, *options, "--factors", "runtime,fan_out")
    assignment = seen[1]
    plan, mains, design = assignment.plan.plan, assignment.plan.mains, assignment.facts["explain"]
    assert seen[4] == 60
    assert (design["from"], design["to"]) == ("async", "async")
    assert list(design["factors"]) == ["runtime", "fan_out"]
    assert (assignment.seed, assignment.free_ports) == (7, True)
    assert (plan.cell.blocks, plan.seed, plan.free_ports, plan.quick, plan.half) == (3, 7, True, True, False)
    assert all(not main.harness_floor and main.label == main.name for main in mains)

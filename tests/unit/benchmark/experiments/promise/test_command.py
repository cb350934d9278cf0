"""What is no promise is refused before anything starts; a required promise that is broken is exit status 4."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from benchmark.cli import app
from benchmark.errors import ShapeError
from benchmark.load.plan import LoadPlan
from benchmark.measure.trial import Trial
from benchmark.record import certificate
from tests.unit.benchmark.experiments.promise.synthetic import Latency, always, write_trial
from tests.unit.benchmark.fakes import fake_stack


def promise(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["promise", "--contenders", "sync,async", "--results", str(folder), *arguments])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--slo", "fast"), "the objective is 'fast', expected such as 'p99<100ms'"),
        (("--shape", "-5 for 3s"), "a rate cannot go below zero"),
        (("--shape", "replay nowhere.log"), "cannot be read"),
        (("--require", "nobody"), "it is not measured, expected one of sync, async"),
        (("--shape", "20 for 5s", "--rate", "5"), "exclude each other"),
    ],
)
def test_what_is_no_promise_is_wrong_usage_and_nothing_starts(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    result = promise(tmp_path, *arguments)
    assert result.exit_code == 2, result.output
    assert said in " ".join(result.output.split())
    assert not list(tmp_path.iterdir())


def test_a_rate_over_the_certified_ceiling_is_wrong_usage_and_nothing_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(rate_rps: float, results: Path) -> None:
        raise ShapeError(f"{rate_rps:g} in {results.name}")

    monkeypatch.setattr(certificate, "refuse_beyond_ceiling", refuse)
    result = promise(tmp_path, "--shape", "20 for 5s -> 900 for 5s -> 50 for 5s")
    assert result.exit_code == 2, result.output
    assert f"900 in {tmp_path.name}" in " ".join(result.output.split())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("latency", "status"), [(always(50.0), 0), (always(150.0), 4)])
def test_a_required_promise_decides_the_exit_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, latency: Latency, status: int
) -> None:
    def measure(trial: Trial, plan: LoadPlan) -> None:
        write_trial(trial.session.run, trial.cell, plan.loads, latency)

    fake_stack(monkeypatch, measure)
    result = promise(tmp_path, "--shape", "200 for 30s", "--slo", "p99<100ms", "--require", "async")
    assert result.exit_code == status, result.output
    assert ("does not keep the promise" in result.output) == bool(status)

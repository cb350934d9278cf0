"""What is no promise is refused before anything starts; a required promise that is broken is exit status 4."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from benchmark.cli import app
from benchmark.cli_options import EXIT_BROKEN, EXIT_INVALID
from benchmark.errors import ShapeError
from benchmark.experiments import experiment
from benchmark.load.plan import LoadPlan
from benchmark.measure.trial import Trial
from benchmark.record import certificate
from tests.unit.benchmark.experiments.promise.synthetic import Latency, always, write_trial
from tests.unit.benchmark.fakes import fake_stack


@pytest.fixture
def no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """No page is drawn: that takes most of the time, and no part in the exit status."""
    monkeypatch.setattr(experiment, "report", experiment.write_summary)


def promise(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["promise", "--contenders", "sync,async", "--results", str(folder), *arguments])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--slo", "fast"), "the objective is 'fast', expected such as 'p99<100ms'"),
        (("--shape", "-5 for 3s"), "a rate cannot go below zero"),
        (("--shape", "replay nowhere.log"), "cannot be read"),
        (("--require", "nobody"), "it is not measured, expected one of sync, async"),
        (("--shape", "20 for 5s", "--quick"), "exclude each other"),
        (("--rate", "20", "--quick"), "exclude each other"),
        (("--slo", "errors<100%"), "expected a share above 0 % and below 100 %"),
        (("--rate", "0"), "asks for no request at all, expected a rate above 0"),
        (("--shape", "0 -> 50 in 5s", "--rate", "60"), "reaches 50 requests/s, but 60 are promised"),
        (("--shape", "100000 for 1h"), "asks for 360,000,000 requests, expected at most 2,000,000"),
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


@pytest.mark.usefixtures("no_page")
@pytest.mark.parametrize(
    ("shape", "latency", "struck", "status", "said"),
    [
        ("200 for 30s", always(50.0), "", 0, ""),
        ("200 for 30s", always(150.0), "", EXIT_BROKEN, "--require: async breaks the promise"),
        ("20 for 5s", always(50.0), "", EXIT_BROKEN, "--require: async is not shown to keep the promise"),
        ("200 for 30s", always(150.0), "sync", EXIT_BROKEN, "--require: async breaks the promise"),
        ("200 for 30s", always(50.0), "sync", EXIT_INVALID, ""),
        ("200 for 30s", always(150.0), "async", EXIT_INVALID, ""),
    ],
    ids=["kept", "broken", "too few", "broken beside an INVALID one", "kept beside an INVALID one", "INVALID itself"],
)
def test_a_required_promise_decides_the_exit_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: str, latency: Latency, struck: str, status: int, said: str
) -> None:
    def measure(trial: Trial, plan: LoadPlan) -> None:
        cores = 0.97 if trial.contender.name == struck else 0.3
        write_trial(trial.session.run, trial.cell, plan.loads, latency, generator_cores=cores)

    fake_stack(monkeypatch, measure)
    result = promise(tmp_path, "--shape", shape, "--slo", "p99<100ms", "--require", "async")
    assert result.exit_code == status, result.output
    assert ("--require" in result.output) == bool(said)
    assert said in result.output


@pytest.mark.usefixtures("no_page")
def test_without_a_requirement_a_broken_promise_is_a_result_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(trial: Trial, plan: LoadPlan) -> None:
        write_trial(trial.session.run, trial.cell, plan.loads, always(150.0))

    fake_stack(monkeypatch, measure)
    assert promise(tmp_path, "--shape", "0 -> 200 in 9s", "--rate", "200").exit_code == 0

"""The exit status says what became of the generator; a certificate is kept where something could be told."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from benchmark.cli import app
from benchmark.experiments.selftest import plan as selftest_plan
from benchmark.record.certificate import FILE
from tests.unit.benchmark.experiments.selftest.synthetic import WHOLE, Generator, fake


def selftest(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["selftest", "--results", str(folder), *arguments])


@pytest.mark.parametrize(("generator", "status"), [(Generator(), 0), (Generator(added_ms=0.4), 4)], ids=["good", "bad"])
def test_the_verdict_is_the_exit_status_and_the_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undrawn: None, generator: Generator, status: int
) -> None:
    fake(monkeypatch, generator)
    monkeypatch.setattr(selftest_plan, "SelftestPlan", lambda: WHOLE)
    result = selftest(tmp_path)
    assert result.exit_code == status, result.output
    kept = json.loads((tmp_path / FILE).read_text())
    assert (kept["passed"], kept["failed"]) == (status == 0, ["added at one user, p50"] if status else [])
    assert f"certificate: {tmp_path / FILE}" in result.output


def test_what_tells_too_little_keeps_no_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undrawn: None
) -> None:
    fake(monkeypatch)
    result = selftest(tmp_path, "--quick")
    assert result.exit_code == 3, result.output
    assert "No certificate: there is too little to tell." in result.output
    assert not (tmp_path / FILE).exists()


def test_an_unknown_generator_is_wrong_usage_and_nothing_starts(tmp_path: Path) -> None:
    result = selftest(tmp_path, "--with", "ab")
    assert result.exit_code == 2, result.output
    assert "expected some of wrk, hey, oha, k6" in " ".join(result.output.split())
    assert not list(tmp_path.iterdir())

"""`gate` on the command line: what is wrong starts nothing, and the exit status says what was shown."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from benchmark.cli import app
from benchmark.contenders.discovery import ROOT
from tests.unit.benchmark.experiments.gate.synthetic import make_light, sides
from tests.unit.benchmark.fakes import fake_stack

SYNC = f"{ROOT}/sync/contender.toml:sync"


@pytest.fixture(autouse=True)
def _without_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    make_light(monkeypatch)


def gate(results: Path, *arguments: str, base: str = SYNC, head: str = SYNC) -> Result:
    return CliRunner().invoke(app, ["gate", "--base", base, "--head", head, "--results", str(results), *arguments])


@pytest.mark.parametrize(
    ("base", "arguments", "said"),
    [
        (SYNC, ["--allow", "p50=2%"], "FIGURE one of mean_ms, p50_ms, p95_ms, p99_ms, rps, cpu_ms, rss_mb"),
        (SYNC, ["--allow", "p50_ms=fast"], "'fast' is no percentage, expected such as 2%"),
        (SYNC, ["--allow", "p50_ms=1%", "--allow", "p50_ms=2%"], "--allow p50_ms is given twice"),
        ("contender.toml", [], "'contender.toml' is no row, expected FILE:NAME"),
        ("nowhere.toml:base", [], "there is no file nowhere.toml"),
        (f"{SYNC}x", [], "has no contender 'syncx'; choose from sync, "),
    ],
    ids=["figure", "percentage", "twice", "no-row", "no-file", "no-such-row"],
)
def test_what_is_wrong_is_one_line_and_nothing_starts(
    tmp_path: Path, base: str, arguments: list[str], said: str
) -> None:
    result = gate(tmp_path, *arguments, base=base)
    assert result.exit_code == 2, result.output
    assert said in " ".join(result.output.split())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("head_ms", "pairs", "status"), [(100.0, 6, 0), (120.0, 6, 4), (104.0, 2, 3)], ids=["same", "worse", "open"]
)
def test_the_exit_status_says_what_was_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head_ms: float, pairs: int, status: int
) -> None:
    fake_stack(monkeypatch, sides({"base": 100.0, "head": head_ms}))
    result = gate(tmp_path, "--allow", "mean_ms=5%", "--pairs", str(pairs))
    assert result.exit_code == status, result.output


def test_github_gets_annotations_a_step_summary_and_junit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_stack(monkeypatch, sides({"base": 100.0, "head": 120.0}))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "step.md"))
    arguments = ("--allow", "mean_ms=5%", "--pairs", "6", "--junit", str(tmp_path / "junit.xml"))
    result = gate(tmp_path / "results", *arguments)
    assert result.exit_code == 4
    assert "\n::error title=mean_ms::" in result.output
    assert "worse than allowed" in (tmp_path / "step.md").read_text()
    assert "<failure" in (tmp_path / "junit.xml").read_text()


def test_what_cannot_be_written_for_ci_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_stack(monkeypatch, sides({"base": 100.0, "head": 100.0}))
    result = gate(tmp_path / "results", "--pairs", "1", "--junit", str(tmp_path / "no" / "junit.xml"))
    assert result.exit_code == 1
    assert "cannot write to" in result.output

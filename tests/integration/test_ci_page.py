"""What doc/ci.md tells people to put into their repository works as it stands: here, for a service of twenty lines."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
import yaml
from typer.testing import CliRunner

from benchmark.cli import app
from benchmark.contenders.discovery import ROOT
from benchmark.experiments.gate.schema import GateSummary
from benchmark.record.run import Run
from tests.unit.doc.pages import blocks_of

pytestmark = pytest.mark.integration

PAGE = ROOT / "doc" / "ci.md"
WORKFLOW = blocks_of(PAGE, "yaml")[0]
INSTALL, GATE = [step["run"] for step in yaml.safe_load(WORKFLOW)["jobs"]["gate"]["steps"] if "run" in step]
PROGRAM = ".suite/.venv/bin/python -P -m benchmark "
SERVICE = """
import http.server, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self): self.answer(b"{}")
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(0.05)
        self.answer(b'{"score": 0.5}')
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
"""
MAKEFILE = f"install:\n\tmkdir -p .venv/bin\n\tln -sf {sys.executable} .venv/bin/python\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository as the page describes it, in a job of GitHub Actions: a pull request that changes nothing."""
    contender, scenario = blocks_of(PAGE, "toml")
    files = {"contender.toml": contender, "scenario.toml": scenario, "my_service.py": SERVICE, "Makefile": MAKEFILE}
    for name, text in {**files, ".gitignore": ".venv\n.suite\n__pycache__\n"}.items():
        (tmp_path / name).write_text(text)
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "a service")):
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True)
    (tmp_path / ".suite").symlink_to(ROOT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "step.md"))
    return tmp_path


def test_the_workflow_has_ten_lines_and_its_first_command_installs_the_suite(repository: Path) -> None:
    assert len(WORKFLOW.splitlines()) <= 10
    words = [*shlex.split(INSTALL), "--dry-run", "--no-print-directory"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env={**os.environ, "PYTHON": "python"})
    assert "requirements/install.py benchmark" in done.stdout or "Nothing to be done" in done.stdout


def test_its_gate_builds_both_measures_a_pair_and_tells_github(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times_s = iter((0.0, 10_000.0))  # the time is over after a pair
    monkeypatch.setattr("benchmark.experiments.gate.measure.now_s", lambda: next(times_s))
    monkeypatch.setattr("benchmark.record.provenance.busy_share", lambda: 0.0)
    assert GATE.startswith(PROGRAM)
    words = [*shlex.split(GATE.removeprefix(PROGRAM)), "--free-ports", "--results", "results"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 3, result.output  # a pair shows nothing
    run = Run.open(repository / "results" / "latest")
    summary = GateSummary.model_validate(run.summary)
    assert [trial.status for trial in run.trials()] == ["measured", "measured"]
    assert {each.name: each.decision for each in summary.figures} == dict.fromkeys(
        ("p50_ms", "cpu_ms"), "cannot be told"
    )
    assert all(each.base and each.head for each in summary.figures)
    assert summary.contenders["head"].revision == "as it is"
    assert len(summary.contenders["base"].revision) == 40
    assert "\n::warning title=" in result.output
    assert "| `p50_ms` |" in (repository / "step.md").read_text()
    assert Xml.parse(run.path / "junit.xml").getroot().get("tests") == "2"
    said = subprocess.run(["git", "status", "--short"], cwd=repository, capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["??", "results/", "??", "step.md"]

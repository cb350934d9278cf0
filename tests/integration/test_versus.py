"""Two services for real, one by its URL and one that is started: what is recorded, observed, and never written."""

import os

import pytest
from rich.console import Console

from benchmark.experiments.experiment import carry_out
from benchmark.experiments.versus.checking import check_sides
from benchmark.experiments.versus.experiment import EXPERIMENT
from benchmark.experiments.versus.observed import AT_RATE, CPU, ONE_USER
from benchmark.experiments.versus.plan import Size, assign, make_plan
from benchmark.experiments.versus.schema import VersusSummary
from benchmark.experiments.versus.sides import parse_sides
from benchmark.measure.progress import Progress
from benchmark.record.run import Run
from benchmark.scenarios.discovery import scenario_named
from tests.unit.benchmark.experiments.versus.double import service

pytestmark = pytest.mark.integration

TOKEN = "open-sesame-7f3a"
SERVER = """
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(json.dumps({"score": 0.5, "key": self.headers["X-API-Key"]}).encode())
    def do_GET(self):
        self.answer(b"")
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Server-Timing", "key;desc=" + str(self.headers["X-API-Key"]))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
    def log_message(self, *_):
        print("key", self.headers["X-API-Key"], file=sys.stderr, flush=True)

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
CONTENDERS = """
[contender.mine]
title = "Mine"
floor = "none"
endpoint = "/score"
[[contender.mine.process]]
role = "scoring"
module = "mine"
args = ["{port}"]
port = 9000
ready = "/"
"""
SCENARIO = """
[scenario.mine]
title = "Score"
path = "/score"
headers = { X-API-Key = "env:VERSUS_TOKEN" }
body = '[1, 2]'
check = { same_as = "mine", ignore = ["$.key"] }
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("mine")
    for name, text in {"mine.py": SERVER, "contender.toml": CONTENDERS, "scenario.toml": SCENARIO}.items():
        (folder / name).write_text(text)
    os.environ["VERSUS_TOKEN"] = TOKEN
    try:
        with service(lambda _: (200, b'{"key": 1, "score": 0.5}', {})) as url:
            file, scenario = scenario_named(str(folder / "scenario.toml"))
            pair = parse_sides(["away=" + url, "mine=mine"], scenario, file, folder / "contender.toml")
            checked = check_sides(pair, scenario, 1_000)
            size = Size(blocks=1, one_user_s=0.2, open_s=1.0)
            plan = make_plan(size, checked.latency_ms, 20.0, None, is_polite=False, expected=checked.expected)
            assignment = assign(pair, plan, checked.latency_ms, free_ports=True)
            return carry_out(EXPERIMENT, assignment, folder / "results", Progress(Console(quiet=True)))
    finally:
        del os.environ["VERSUS_TOKEN"]


def test_both_are_measured_and_only_what_was_started_has_cpu_and_memory(run: Run) -> None:
    summary = VersusSummary.model_validate(run.summary)
    assert [trial.status for trial in run.trials()] == ["measured"] * 2
    away, mine = summary.sides["away"], summary.sides["mine"]
    assert away.figures.keys() == {ONE_USER, AT_RATE}
    assert mine.figures.keys() == {ONE_USER, AT_RATE, CPU}
    assert [each.errors for side in (away, mine) for each in side.figures.values()] == [0] * 5
    assert away.rss_mb is None
    assert mine.rss_mb is not None
    assert run.manifest["plan"]["where"] == {"away": "this machine", "mine": "started here"}


def test_the_token_is_in_no_file_of_the_run_although_the_service_says_it_in_its_log_and_its_answers(run: Run) -> None:
    logs = [path.read_text() for path in run.path.rglob("*.log")]
    assert any("key ***" in text for text in logs)
    assert not [path for path in run.path.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]

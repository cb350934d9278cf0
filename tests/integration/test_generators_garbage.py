"""Load generators set aside what they have loaded before they send: seen in real processes, on the first request."""

import http.server
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark.contenders.discovery import ROOT
from benchmark.load.plan import Level, LoadPlan
from benchmark.load.shapes import END_SIGNAL
from benchmark.measure.locust_process import LOCUSTFILE
from tests.conftest import SCORING

pytestmark = pytest.mark.integration

# Run by the interpreter before anything else: says when something is frozen.
WITNESS = """
import gc, os, pathlib
freeze = gc.freeze
def witnessed():
    freeze()
    pathlib.Path(os.environ["WITNESS"]).write_text(str(gc.get_freeze_count()))
gc.freeze = witnessed
"""
LOADED = 30_000  # objects; Locust alone brings more


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers, and notes whether the generator had been frozen by its first request."""

    witness: Path
    frozen: list[int]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.frozen.append(int(self.witness.read_text()) if self.witness.exists() else 0)
        body = b'{"detail": 0.045}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def handler(tmp_path: Path) -> type[Handler]:
    return type("Noting", (Handler,), {"witness": tmp_path / "frozen", "frozen": []})


@pytest.fixture
def url(handler: type[Handler]) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def env(tmp_path: Path, handler: type[Handler]) -> dict[str, str]:
    (tmp_path / "sitecustomize.py").write_text(WITNESS)
    paths = [str(tmp_path), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "WITNESS": str(handler.witness)}


def test_the_generator_of_bench_is_frozen(
    url: str, handler: type[Handler], env: dict[str, str], tmp_path: Path
) -> None:
    plan = LoadPlan(
        url=url,
        endpoint="/predict",
        scenario=SCORING,
        seed=1,
        stage_clock=False,
        levels=(Level(1, 0.1, 0.1),),
        climb=(),
        answer_bounds_s=(0.04, 0.05),
        samples=tmp_path / "samples.csv",
        locust=tmp_path / "locust",
    )
    (tmp_path / "plan.json").write_text(json.dumps(plan.to_json()))
    argv = [sys.executable, "-m", "benchmark.load.runner", str(tmp_path / "plan.json")]
    subprocess.run(argv, cwd=ROOT, env=env, input="go\n", text=True, check=True, capture_output=True)
    assert handler.frozen[0] > LOADED


def test_the_locust_file_is_frozen(url: str, handler: type[Handler], env: dict[str, str], tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "-u", "1", "-t", "120s", "Async"]
    env["HOST_URL"] = url
    with subprocess.Popen(argv, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as locust:
        while not handler.frozen and locust.poll() is None:
            time.sleep(0.05)
        locust.send_signal(END_SIGNAL)
    assert locust.returncode == 0
    assert handler.frozen[0] > LOADED

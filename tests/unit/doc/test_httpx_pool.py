"""The example of doc/httpx-pool.md runs against any local server."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmark.contenders.discovery import ROOT

EXAMPLE = ROOT / "doc" / "examples" / "httpx_pool.py"


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(EXAMPLE), *arguments], capture_output=True, text=True, check=False)


def test_it_prints_the_rate_of_a_full_pool_and_of_a_large_one(url: str) -> None:
    done = run(url, "8", "0.2")
    assert done.returncode == 0, done.stderr
    rates = re.findall(r"\((\d+) connections, 8 users\): (\d+) requests/s", done.stdout)
    assert [pool for pool, _ in rates] == ["64", "2048"]
    assert all(int(rate) > 0 for _, rate in rates)


def test_a_wrong_answer_is_no_rate(url: str) -> None:
    done = run(f"{url}missing", "1", "0.1")
    assert done.returncode != 0
    assert "requests/s" not in done.stdout


def test_it_is_short() -> None:
    code = [line for line in EXAMPLE.read_text().splitlines() if line.strip()]
    assert len(code) <= 40

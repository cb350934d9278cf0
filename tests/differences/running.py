"""Starts the services, and runs the commands as a user types them."""

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from benchmark.cli_options import EXIT_FAILED, EXIT_USAGE
from benchmark.contenders.discovery import ROOT
from benchmark.record.run import Run
from benchmark.stack.processes import free_port

KEY: Final = secrets.token_hex(12)
_ENV: Final = {**os.environ, "SCORE_API_KEY": KEY, "PYTHONPATH": str(ROOT)}
_START_S = 20.0
_GUNICORN = (str(Path(sys.executable).with_name("gunicorn")), "--worker-class", "gthread", "--threads", "16")
COMMANDS: Final = {
    "fastapi": (sys.executable, "-m", "tests.differences.fastapi_service", "{port}"),
    "flask": (*_GUNICORN, "--bind", "127.0.0.1:{port}", "tests.differences.flask_service:service"),
    "node": ("node", str(ROOT / "tests" / "differences" / "node_service.mjs"), "{port}"),
}


def can_run(kind: str) -> bool:
    """Whether the program that runs this service is installed."""
    return shutil.which(COMMANDS[kind][0]) is not None


@contextlib.contextmanager
def running(kind: str, **env: str) -> Iterator[str]:
    """Run a service and return its URL. Raises RuntimeError if it does not start."""
    port = free_port()
    argv = [word.replace("{port}", str(port)) for word in COMMANDS[kind]]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(argv, cwd=ROOT, env={**_ENV, **env}, stdout=quiet, stderr=quiet) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_ready(url, process)
            yield url
        finally:
            process.terminate()


def benchmark(words: Sequence[str], folder: Path, output: str = "") -> subprocess.CompletedProcess[str]:
    """Run `python -m benchmark`, with the key in the environment.

    Keeps what it prints in `output` if that is named, and the runs in a folder `results`.
    """
    to_results = [] if words[0] == "scenario" else ["--results", "results"]
    argv = [sys.executable, "-m", "benchmark", *words, *to_results]
    done = subprocess.run(argv, cwd=folder, env=_ENV, capture_output=True, text=True, check=False)
    if output:
        (folder / output).write_text(done.stdout)
    return done


def benchmark_read_live(words: Sequence[str], folder: Path) -> tuple[int, int]:
    """Run `python -m benchmark WORDS --live` with a reader of its page; return its exit status and the events read."""
    argv = [sys.executable, "-m", "benchmark", *words, "--live", "--results", "results"]
    with subprocess.Popen(argv, cwd=folder, env=_ENV, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout
        events = 0
        for line in process.stdout:
            said, _, url = line.decode().strip().partition("live: ")
            if url and not said:
                events = _count_events(url)  # until the command has ended
    return process.returncode, events


def _count_events(url: str) -> int:
    with urllib.request.urlopen(f"{url}events") as answer:
        return sum(line.startswith(b"event: ") for line in answer)


def newest(results: Path, status: int) -> Run:
    """Return the run that a command with this exit status made. Raises RuntimeError if it made none."""
    if status in (EXIT_FAILED, EXIT_USAGE):  # the newest would be that of an earlier command
        raise RuntimeError(f"nothing was measured: exit status {status}")
    return Run((results / "latest").resolve())


def files_with_key(folder: Path) -> list[Path]:
    """Return the files that hold the key. There should be none."""
    return [path for path in folder.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    end_s = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < end_s:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/openapi.json", timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} does not answer")

"""BackgroundTasks in a real process: what a kill and what SIGTERM does to those that are pending."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from benchmark.contenders.discovery import ROOT
from benchmark.stack.processes import own_environment
from strategies.background_task.pending import kill, started, terminate
from tests.integration.processes import until

pytestmark = pytest.mark.integration


def test_a_kill_loses_every_pending_task_and_a_new_process_knows_none_of_them(tmp_path: Path) -> None:
    with started(tmp_path / "effects", task_ms=60_000) as running:
        running.await_ready()
        kill(running)
    with started(tmp_path / "effects", task_ms=0) as again:
        again.await_ready()
        again.await_idle()
        assert again.written() == 0


def test_sigterm_waits_for_the_pending_tasks(tmp_path: Path) -> None:
    with started(tmp_path / "effects", task_ms=300) as running:
        running.await_ready()
        assert terminate(running)["lost_at_sigterm"] == 0


def test_its_services_end_with_the_computation_even_if_it_is_killed(tmp_path: Path) -> None:
    env = {**own_environment(), "TMPDIR": str(tmp_path)}
    argv = [sys.executable, "-m", "strategies.background_task.pending"]
    with subprocess.Popen(argv, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        computation = psutil.Process(process.pid)
        until(lambda: len(computation.children()) == 2, "both services are started")
        services = computation.children()
        process.kill()
    assert psutil.wait_procs(services, 30)[1] == []

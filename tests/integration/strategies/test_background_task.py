"""BackgroundTasks in a real process: what a kill and what SIGTERM does to those that are pending."""

from pathlib import Path

import pytest

from strategies.background_task.pending import kill, started, terminate

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

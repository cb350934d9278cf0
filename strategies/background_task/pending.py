"""`python -m strategies.background_task.pending`: what pending BackgroundTasks cost, and what becomes of them.

Prints how long a trivial endpoint takes beside them, and how many are lost when the service is killed or told to end.
"""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmark.stack.parent_death import end_with_parent
from strategies.background_task.parameters import (
    JOBS_PATH,
    KILLED,
    LONG_TASK_MS,
    LOOP_PATH,
    PENDING,
    PLAIN_PATH,
    PROBED_MS,
)
from strategies.web import STATISTICS_PATH

_HOST: Final = "127.0.0.1"
_READY_PATH: Final = "/api/v1/ready"
_BODY: Final = b"[1, 2, 3, 4]"
_PATIENCE_S: Final = 20.0
_POLL_S: Final = 0.02
_LATER_S: Final = 0.3  # after the last of the tasks should have ended, if they were still there
_MODULE: Final = "strategies.background_task.service"


@dataclass(frozen=True)
class Service:
    """The service in a process of its own, and the file of its effects."""

    process: subprocess.Popen[bytes]
    port: int
    effects: Path

    def ask(self, path: str) -> Any:
        """Return the document of an endpoint, over a connection of its own."""
        with contextlib.closing(http.client.HTTPConnection(_HOST, self.port, timeout=_PATIENCE_S)) as connection:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())

    def submit(self, count: int) -> float:
        """Submit tasks one after the other, and return when the first was sent."""
        began_s = time.monotonic()
        with contextlib.closing(http.client.HTTPConnection(_HOST, self.port, timeout=_PATIENCE_S)) as connection:
            for _ in range(count):
                connection.request("POST", JOBS_PATH, _BODY, {"Content-Type": "application/json"})
                response = connection.getresponse()
                response.read()
                if response.status != 202:
                    raise RuntimeError(f"a task was answered {response.status}, expected 202")
        return began_s

    def await_ready(self) -> None:
        until_s = time.monotonic() + _PATIENCE_S
        while True:
            try:
                self.ask(_READY_PATH)
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until_s:
                    raise RuntimeError("the service did not start") from None
                time.sleep(_POLL_S)
            else:
                return

    def await_idle(self) -> None:
        """Wait until no task is pending."""
        until_s = time.monotonic() + _PATIENCE_S
        while self.ask(STATISTICS_PATH)["pending"]:
            if time.monotonic() > until_s:
                raise RuntimeError("tasks are still pending")
            time.sleep(_POLL_S)

    def written(self) -> int:
        """Return how many effects there are."""
        return len(self.effects.read_bytes().splitlines())


@contextlib.contextmanager
def started(effects: Path, task_ms: float) -> Iterator[Service]:
    """Run the service on a free port, and stop it at the end."""
    with socket.create_server((_HOST, 0)) as probe:
        port = probe.getsockname()[1]
    settings = {"SERVING_PORT": str(port), "STRATEGY_TASK_MS": str(task_ms), "STRATEGY_EFFECTS": str(effects)}
    command = [sys.executable, "-m", _MODULE]
    # Its output must not get among ours, which is a JSON document.
    process = subprocess.Popen(
        command,
        env={**os.environ, **settings},
        stdout=sys.stderr,
        preexec_fn=end_with_parent(),  # noqa: PLW1509 - takes no lock
    )
    try:
        yield Service(process, port, effects)
    finally:
        process.kill()
        process.wait()


def delays(service: Service, pending: int) -> dict[str, float]:
    """Return how long the endpoints take beside so many tasks, since they were due: at the same time in every case."""
    due_s = service.submit(pending) + PROBED_MS / 1e3
    _sleep_until(due_s)
    service.ask(LOOP_PATH)
    loop_s = time.monotonic()
    service.ask(PLAIN_PATH)
    plain_s = time.monotonic()
    service.await_idle()
    return {f"loop_{pending}_ms": (loop_s - due_s) * 1e3, f"plain_{pending}_ms": (plain_s - due_s) * 1e3}


def _sleep_until(moment_s: float) -> None:
    time.sleep(max(moment_s - time.monotonic(), 0.0))


def kill(service: Service) -> float:
    """Kill a service with tasks that are pending, and return when they would have ended."""
    began_s = service.submit(KILLED)
    service.process.send_signal(signal.SIGKILL)
    service.process.wait()
    return began_s + 2 * LONG_TASK_MS / 1e3  # on 40 threads they take two rounds


def terminate(service: Service) -> dict[str, float]:
    """Tell a service to end while tasks are pending, and return what it does before it ends."""
    before = service.written()
    began_s = service.submit(KILLED)
    service.process.send_signal(signal.SIGTERM)
    service.process.wait(_PATIENCE_S)
    lost = KILLED - (service.written() - before)
    return {"lost_at_sigterm": float(lost), "sigterm_ms": (time.monotonic() - began_s) * 1e3}


def measure(folder: Path, task_ms: float = LONG_TASK_MS) -> dict[str, float]:
    """Return all figures. The service that is killed runs again while the delays are measured on another one."""
    effects, others = folder / "effects", folder / "others"
    with started(effects, task_ms) as killed, started(others, task_ms) as service:
        killed.await_ready()
        service.await_ready()
        over_s = kill(killed)
        with started(effects, task_ms) as again:
            again.await_ready()
            found = {name: ms for pending in PENDING for name, ms in delays(service, pending).items()}
            _sleep_until(over_s + _LATER_S)
            return {**found, "lost_at_kill": float(KILLED - again.written()), **terminate(again)}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="background-task-") as name:
        print(json.dumps(measure(Path(name))))

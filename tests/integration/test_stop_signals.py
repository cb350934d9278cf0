"""Each signal that stops a service drains it: with one worker or several, in flight or at the door, and ends with 0."""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from benchmark.contenders.discovery import ROOT
from benchmark.stack.processes import HOST, free_port
from contract.schema import HEALTHCHECK_PATH, predict_path
from tests.integration.harness import until

pytestmark = pytest.mark.integration

TWINS = ("sync", "async")
SIGNALS = ("SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP")
WORKERS = (1, 2)
SLEEP_MS = 500  # of the model, so that requests are in flight at the signal
CLIENTS = 6
PATIENCE_S = 30.0  # only a failing test waits that long
ANSWERED, REFUSED = "200", "refused"


@contextmanager
def model(
    twin: str, workers: int, log: Path, sleep_ms: int, open_files: int = 0, **more: str
) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """Run a model service; it depends on nobody."""
    port = free_port()
    settings = {
        "SERVING_PORT": str(port),
        "SERVING_WORKERS": str(workers),
        "SERVING_MODEL_MIN_MS": str(sleep_ms),
        "SERVING_MODEL_MAX_MS": str(sleep_ms),
        **more,
    }
    limited = ["/bin/sh", "-c", f'ulimit -n {open_files}; exec "$0" "$@"'] if open_files else []
    path = f"{ROOT}:{ROOT / 'sync'}:{ROOT / 'async'}"
    with (
        log.open("w") as output,
        subprocess.Popen(
            [*limited, sys.executable, "-m", f"{twin}_api.server", "model"],
            cwd=ROOT,
            env={"PATH": "", "PYTHONPATH": path, **settings},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            until(lambda: ask(port, "GET", HEALTHCHECK_PATH) == ANSWERED, "it answers")
            yield process, port
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def ask(port: int, method: str, path: str) -> str:
    """Return the status of an answer, REFUSED if nobody listens, or what else happened."""
    connection = http.client.HTTPConnection(HOST, port, timeout=PATIENCE_S)
    try:
        connection.connect()
    except OSError:
        return REFUSED
    try:
        connection.request(method, path, b"[1]" if method == "POST" else None, {"Connection": "close"})
        return str(connection.getresponse().status)
    except (OSError, http.client.HTTPException) as error:
        return f"dropped: {error!r}"
    finally:
        connection.close()


@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("twin", TWINS)
def test_each_signal_drains_and_ends_with_0(twin: str, name: str, workers: int, tmp_path: Path) -> None:
    log = tmp_path / "log"
    answers: list[str] = []
    with model(twin, workers, log, SLEEP_MS) as (process, port):
        clients = [
            threading.Thread(target=lambda: answers.append(ask(port, "POST", predict_path(twin))))
            for _ in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        time.sleep(SLEEP_MS / 2e3)  # all are asleep in the model
        process.send_signal(signal.Signals[name])
        for client in clients:
            client.join()
        status = process.wait(PATIENCE_S)
    assert answers == [ANSWERED] * CLIENTS
    assert status == 0
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("twin", TWINS)
def test_who_comes_while_it_stops_is_answered_or_refused_and_hardly_ever_reset(
    twin: str, workers: int, tmp_path: Path
) -> None:
    outcomes: list[str] = []

    def work(port: int) -> None:
        outcome, until_s = ANSWERED, time.monotonic() + PATIENCE_S
        while outcome != REFUSED and time.monotonic() < until_s:
            outcome = ask(port, "POST", predict_path(twin))
            outcomes.append(outcome)

    with model(twin, workers, tmp_path / "log", 0) as (process, port):
        clients = [threading.Thread(target=work, args=(port,)) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        until(lambda: len(outcomes) > 20 * CLIENTS, "all have their answers")
        process.terminate()
        for client in clients:
            client.join()
        process.wait(PATIENCE_S)
    reset = [outcome for outcome in outcomes if outcome not in {ANSWERED, REFUSED}]
    # A connection that comes after the last one was accepted and before the socket is closed: some microseconds.
    assert len(reset) <= 1, reset

"""The apps are started by name, with the usual commands of gunicorn and uvicorn, and answer as the contract says."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmark.contenders.discovery import ROOT
from benchmark.load import parity
from benchmark.stack.processes import HOST, free_port, start_process, stop_processes
from benchmark.stack.watchdog import Guard
from contract.model import quantile_function
from contract.schema import READY_PATH, predict_path
from contract.settings import Settings
from feature_store.seed import DEFAULT_INFO
from tests.conftest import CONTENDERS, Stacks
from tests.integration.processes import until

pytestmark = pytest.mark.integration

COMMANDS = {
    "sync": ["gunicorn", "sync_api.serve:load_scoring()", "--threads", "4", "--no-control-socket", "--bind"],
    "async": ["uvicorn", "async_api.serve:load_scoring", "--factory", "--no-access-log", "--host", HOST, "--port"],
}
GOOD = parity.cases(DEFAULT_INFO.entities, Settings().max_body_bytes)[0]


@contextmanager
def by_name(twin: str, stacks: Stacks, log: Path, guard: Guard) -> Iterator[str]:
    """Start a twin's scoring handler with a server's own command, on the store and the model of a stack; its URL."""
    stack = stacks.get(twin)
    model = f"http://{HOST}:{stack.port('model')}{predict_path(twin)}"
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (CONTENDERS[twin].folder, ROOT))),
        "SERVING_REDIS_URL": f"redis://{HOST}:{stack.port('redis')}/0",
        "SERVING_MODEL_URLS": f"{model},{model}",
    }
    port = free_port()
    program, *arguments = COMMANDS[twin]
    address = f"{HOST}:{port}" if twin == "sync" else str(port)
    process = start_process([str(Path(sys.executable).with_name(program)), *arguments, address], log, guard, env)
    try:
        yield f"http://{HOST}:{port}"
    finally:
        stop_processes([process], guard)


def is_ready(url: str) -> bool:
    try:
        return parity.ask(url, READY_PATH, parity.Case("ready", "GET", READY_PATH, body=b"")).status == 200
    except OSError:
        return False


@pytest.mark.parametrize("twin", COMMANDS)
def test_an_app_that_is_started_by_name_answers(twin: str, stacks: Stacks, tmp_path: Path, guard: Guard) -> None:
    log = tmp_path / "log"
    with by_name(twin, stacks, log, guard) as url:
        until(lambda: is_ready(url), f"{twin} is ready")
        answer = parity.ask(url, predict_path(twin), GOOD)
    assert parity.check(GOOD, answer, quantile_function(Settings()).bounds_s) is None
    said = log.read_text()
    assert "settings: {'architecture'" in said
    assert "expected uvloop's" not in said  # uvicorn takes it by itself where it is installed

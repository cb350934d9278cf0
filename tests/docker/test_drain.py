"""`docker stop` drains: no request that a scoring container has accepted is lost."""

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark.stack.containers import ContainerLauncher
from benchmark.stack.processes import Running
from benchmark.stack.watchdog import Guard
from docker import engine
from tests.conftest import CONTENDERS
from tests.integration.test_drain import ANSWERED, CLIENTS, REFUSED, PatientModel, stop_while_held

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def model() -> Iterator[PatientModel]:
    with PatientModel() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.open.set()
        server.shutdown()


@pytest.mark.parametrize("name", ["sync", "async"])
def test_docker_stop_under_load_loses_no_accepted_request(
    built: str, name: str, model: PatientModel, guard: Guard, tmp_path: Path
) -> None:
    stopping: list[subprocess.Popen[bytes]] = []

    def stop(running: Running) -> None:
        command = [*engine.engine(), "stop", "--time", "35", str(running.container)]
        stopping.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))

    seen = stop_while_held(CONTENDERS[name], model, guard, tmp_path, stop, ContainerLauncher())
    assert seen.in_flight == [ANSWERED] * CLIENTS
    assert len(seen.later) > CLIENTS
    assert set(seen.later) <= {ANSWERED, REFUSED}
    assert seen.exit_status == 0
    assert [process.wait(60) for process in stopping] == [0]

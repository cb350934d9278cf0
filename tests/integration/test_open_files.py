"""Open files in real processes: they raise their soft limits, and where the hard one is too low, they say so."""

import json
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pandas as pd
import psutil
import pytest

from benchmark.contenders.discovery import ROOT
from benchmark.load.plan import Level, LoadPlan
from benchmark.measure.locust_process import LOCUSTFILE
from benchmark.record.run import read_samples
from benchmark.stack.processes import running_stack
from benchmark.stack.watchdog import Guard
from tests.conftest import CONTENDERS, SCORING

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(sys.platform != "linux", reason="limits of other processes are read as Linux has them"),
]

LOW, USERS = 40, 60  # open files: fewer than there are users, and more than Locust has by itself
SYSTEM_HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
BODY = b'{"detail": 0.045}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


def limit_to(soft: int, hard: int) -> Callable[[], None]:
    """Return what a child does before it becomes a program."""
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def low_soft_limit() -> Iterator[None]:
    """What this process starts has a soft limit far below the hard one."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(before[0], 256), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("low_soft_limit")
@pytest.mark.parametrize("name", ["sync", "async", "null"])
def test_every_process_of_a_contender_has_as_many_files_as_the_system_allows(
    name: str, guard: Guard, tmp_path: Path
) -> None:
    with running_stack(CONTENDERS[name], tmp_path, guard, free_ports=True) as stack:
        trees = [psutil.Process(process.pid) for process in stack.processes]
        trees += [child for root in trees for child in root.children(recursive=True)]
        softs = {process.rlimit(psutil.RLIMIT_NOFILE)[0] for process in trees}
    assert softs == {SYSTEM_HARD}


@pytest.fixture
def url() -> Iterator[str]:
    """A service that answers everybody at once, one thread per connection."""
    with socket.create_server(("127.0.0.1", 0), backlog=2 * USERS) as listener, ExitStack() as accepted:

        def answer(connection: socket.socket) -> None:
            buffered = b""
            while received := connection.recv(65_536):
                buffered += received
                while b"]" in buffered:  # the end of a request's body
                    buffered = buffered.partition(b"]")[2]
                    connection.sendall(ANSWER)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                accepted.enter_context(connection)
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def generate(url: str, tmp_path: Path, soft: int, hard: int) -> pd.DataFrame:
    """Run a generator of `bench` under limits and return its samples."""
    plan = LoadPlan(
        url=url,
        endpoint="/predict",
        scenario=SCORING,
        seed=1,
        stage_clock=False,
        levels=(Level(USERS, 0.1, 0.1),),
        climb=(),
        answer_bounds_s=(0.04, 0.05),
        samples=tmp_path / "samples.csv",
        locust=tmp_path / "locust",
    )
    (tmp_path / "plan.json").write_text(json.dumps(plan.to_json()))
    argv = [sys.executable, "-m", "benchmark.load.runner", str(tmp_path / "plan.json")]
    subprocess.run(
        argv,
        cwd=ROOT,
        input="go\n",
        text=True,
        check=False,
        capture_output=True,
        preexec_fn=limit_to(soft, hard),
    )
    return read_samples(plan.samples)


def test_a_generator_whose_soft_limit_is_low_raises_it(url: str, tmp_path: Path) -> None:
    samples = generate(url, tmp_path, LOW, SYSTEM_HARD)
    assert len(samples) >= USERS
    assert samples["ok"].all()


def test_a_generator_whose_hard_limit_is_too_low_names_the_cause(url: str, tmp_path: Path) -> None:
    samples = generate(url, tmp_path, LOW, LOW)
    failed = samples[~samples["ok"]]
    assert len(failed)
    assert set(failed["status"]) == {0}
    assert failed["error"].str.contains("Too many open files").all()
    assert samples["ok"].any()


def test_the_locust_file_raises_its_limit(tmp_path: Path) -> None:
    code = "import resource, runpy, sys; runpy.run_path(sys.argv[1]); print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    said = subprocess.run(
        [sys.executable, "-c", code, str(LOCUSTFILE)],
        cwd=ROOT,
        text=True,
        check=True,
        capture_output=True,
        preexec_fn=limit_to(256, SYSTEM_HARD),
    )
    assert said.stdout.strip() == f"({SYSTEM_HARD}, {SYSTEM_HARD})"

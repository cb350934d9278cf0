"""The receiver of callbacks as a process: killed while callbacks come, it has every one that it has acknowledged."""

import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from benchmark.contenders.discovery import ROOT
from benchmark.stack.processes import free_port
from benchmark.stack.watchdog import Guard
from contract.schema import HEALTHCHECK_PATH
from feature_store.server import embedded_server
from strategies.callbacks import DeliveryError, deliver
from strategies.receiver import CALLBACKS_PATH
from strategies.web import STATISTICS_PATH
from tests.integration.processes import until

pytestmark = pytest.mark.integration

SECRET = "a secret of the test"
ALLOWED = ("127.0.0.1",)
JOBS = 60


class Receiver:
    """A receiver that is started, killed, and started again on the same port."""

    def __init__(self, guard: Guard) -> None:
        self._guard, self.port = guard, free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    @contextmanager
    def running(self, redis_url: str) -> Iterator[subprocess.Popen[bytes]]:
        env = {**os.environ, "CALLBACK_SECRET": SECRET, "STRATEGY_REDIS_URL": redis_url}
        command = [sys.executable, "-m", "strategies.receiver", "--port", str(self.port)]
        process = subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True)
        self._guard.watch(process.pid)
        try:
            until(self._answers, "the receiver answers")
            yield process
        finally:
            process.kill()
            process.wait()

    def _answers(self) -> bool:
        with suppress(OSError):
            return self.get(HEALTHCHECK_PATH)[0] == 200
        return False

    def get(self, path: str) -> tuple[int, bytes]:
        with urllib.request.urlopen(self.url + path, timeout=20) as answer:
            return answer.status, answer.read()

    def deliver(self, job_id: str, body: bytes) -> None:
        deliver(f"{self.url}{CALLBACKS_PATH}", job_id, body, SECRET.encode(), 5.0, ALLOWED)


@pytest.fixture
def redis_url() -> Iterator[str]:
    with embedded_server() as url:
        yield url


def body_of(number: int) -> bytes:
    return json.dumps({"total": number}).encode()


def test_what_it_has_acknowledged_outlives_kill_9(guard: Guard, redis_url: str) -> None:
    receiver = Receiver(guard)
    acknowledged: set[int] = set()
    half = threading.Event()

    def send(number: int) -> None:
        if number == JOBS // 2:
            half.set()
        with suppress(DeliveryError):
            receiver.deliver(f"job-{number}", body_of(number))
            acknowledged.add(number)

    with ThreadPoolExecutor(4) as pool:
        with receiver.running(redis_url) as process:
            sent = pool.map(send, range(JOBS))
            assert half.wait(20)
            process.kill()
            process.wait()
        list(sent)
    assert len(acknowledged) < JOBS, "the receiver was killed too late to show anything"
    with receiver.running(redis_url):
        for number in acknowledged:
            assert receiver.get(f"{CALLBACKS_PATH}/job-{number}") == (200, body_of(number))
        for number in range(JOBS):  # as a sender does that has no acknowledgement, or lost it
            receiver.deliver(f"job-{number}", body_of(number))
        said = json.loads(receiver.get(STATISTICS_PATH)[1])
    # One may have been kept, and its acknowledgement killed, so there may be more duplicates than acknowledgements.
    assert said["received"] == JOBS
    assert said["duplicates"] >= len(acknowledged)
    assert said["rejected"] == 0


def test_who_waits_over_a_socket_is_told(guard: Guard, redis_url: str) -> None:
    receiver = Receiver(guard)
    with receiver.running(redis_url), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(receiver.get, f"{CALLBACKS_PATH}/job-1?wait_s=15")
        receiver.deliver("job-1", b"{}")
        assert waiting.result() == (200, b"{}")
        assert receiver.get(f"{CALLBACKS_PATH}/job-2?wait_s=0.01")[0] == 202


def test_while_redis_is_away_nothing_is_acknowledged(guard: Guard) -> None:
    receiver = Receiver(guard)
    with embedded_server() as url, receiver.running(url):
        receiver.deliver("job-1", b"{}")
    with receiver.running(url), pytest.raises(DeliveryError, match="answered 503"):
        receiver.deliver("job-2", b"{}")

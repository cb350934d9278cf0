"""Both twins in operation, with several workers: API keys over real sockets, and logs in files of each process."""

import http.client
import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmark.contenders.discovery import ROOT
from benchmark.stack.processes import HOST, free_port, start_process, stop_processes
from benchmark.stack.watchdog import Guard
from contract import schema
from contract.api_keys import new_key
from contract.errors import Forbidden, MethodNotAllowed, ServiceError, Unauthorized, UnknownPath
from contract.schema import predict_path
from tests.conftest import CONTENDERS, Stacks
from tests.integration.processes import until

pytestmark = pytest.mark.integration

WORKERS = 2
SERVERS = {
    "sync": ("sync_api.server", "sync", {"sync_api", "gunicorn.error"}),
    "async": ("async_api.server", "async", {"async_api", "uvicorn.error"}),
    "sync-gevent": ("sync_api.gevent_server", "sync", {"sync_api", "gunicorn.error"}),
    "async-granian": ("async_api.granian_server", "async", {"async_api", "_granian"}),
}
ASKS, _asks = new_key("asks", ["predict"])
READS, _reads = new_key("reads", ["read"])
UNKNOWN, _ = new_key("unknown", ["predict"])
BODY, JSON = b"[5.1, 3.5, 1.4, 0.2]", {"Content-Type": schema.JSON_CONTENT_TYPE}
NONE = Unauthorized("This path needs an API key, in X-API-Key or as Authorization: Bearer.")
WRONG = Unauthorized("The API key is unknown.")
PREDICT = "predict"
# Method, path, headers, and the error; None is a 200.
CASES: list[tuple[str, str, dict[str, str], ServiceError | None]] = [
    ("GET", schema.HEALTHCHECK_PATH, {}, None),
    ("GET", schema.INDEX_PATH, {}, None),
    ("GET", schema.READY_PATH, {}, NONE),
    ("GET", schema.READY_PATH, {"X-API-Key": READS}, None),
    ("GET", schema.READY_PATH, {"X-API-Key": ASKS}, Forbidden("read")),
    ("GET", schema.DOCS_PATH, {"Authorization": f"Bearer {UNKNOWN}"}, WRONG),
    ("GET", schema.DOCS_PATH, {"Authorization": f"bearer {READS}"}, None),
    ("GET", schema.OPENAPI_PATH, {}, NONE),
    ("HEAD", schema.DOCS_PATH, {}, NONE),
    ("GET", "/nowhere", {}, NONE),
    ("GET", "/nowhere", {"X-API-Key": READS}, UnknownPath()),
    ("GET", "/%2e%2e/docs", {}, NONE),
    ("GET", schema.HEALTHCHECK_PATH + "?a=b", {}, None),
    ("POST", PREDICT, {}, NONE),
    ("POST", PREDICT, {"X-API-Key": UNKNOWN}, WRONG),
    ("POST", PREDICT, {"X-API-Key": ""}, NONE),
    ("POST", PREDICT, {"X-API-Key": "a\xffb"}, WRONG),
    ("POST", PREDICT, {"X-API-Key": f"  {ASKS} "}, None),
    ("POST", PREDICT, {"X_API_Key": ASKS}, NONE),
    ("POST", PREDICT, {"X-API-Key": READS}, Forbidden("predict")),
    ("POST", PREDICT, {"X-API-Key": ASKS}, None),
    ("POST", PREDICT, {"Authorization": f"Bearer {ASKS}"}, None),
    ("POST", PREDICT, {"Authorization": f"Basic {ASKS}"}, NONE),
    ("GET", PREDICT, {"X-API-Key": ASKS}, MethodNotAllowed(["POST"])),
]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Service:
    """A scoring handler with keys and a log, and where both are."""

    twin: str
    port: int
    stderr: Path
    folder: Path

    def ask(self, method: str, path: str, headers: dict[str, str]) -> Answer:
        with closing(http.client.HTTPConnection(HOST, self.port, timeout=20)) as connection:
            target = predict_path(self.twin) if path == PREDICT else path
            body = BODY if method == "POST" else None
            connection.request(method, target, body, {**headers, **(JSON if body else {})})
            answer = connection.getresponse()
            kept = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, kept, answer.read())

    def answers(self, path: str, headers: dict[str, str]) -> bool:
        try:
            return self.ask("GET", path, headers).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def log(self) -> dict[Path, list[dict[str, Any]]]:
        """Return all lines by file. One that is no JSON fails the test."""
        return {path: [json.loads(line) for line in path.read_text().splitlines()] for path in self.folder.iterdir()}


class Services:
    """Starts a service when it is first asked for, and keeps it for the module."""

    def __init__(self, stacks: Stacks, guard: Guard, folder: Path, exit_stack: ExitStack) -> None:
        self._stacks, self._guard, self._folder, self._exit_stack = stacks, guard, folder, exit_stack
        self._started: dict[str, Service] = {}

    def get(self, name: str) -> Service:
        if name not in self._started:
            self._started[name] = self._start(name)
        return self._started[name]

    def _start(self, name: str) -> Service:
        module, twin, _ = SERVERS[name]
        stack = self._stacks.get(twin)
        model = f"http://{HOST}:{stack.port('model')}{predict_path(twin)}"
        service = Service(twin, free_port(), self._folder / f"{name}.stderr", self._folder / name)
        keys = self._folder / "keys"
        keys.write_text(f"# of the test\n{_asks.line()}\n{_reads.line()}\n")
        env = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, (CONTENDERS[twin].folder, ROOT))),
            "SERVING_PORT": str(service.port),
            "SERVING_WORKERS": str(WORKERS),
            "SERVING_REDIS_URL": f"redis://{HOST}:{stack.port('redis')}/0",
            "SERVING_MODEL_URLS": f"{model},{model}",
            "SERVING_API_KEYS": str(keys),
            "SERVING_LOG_FORMAT": "json",
            "SERVING_LOG_FILE": str(service.folder / "{service}.log"),
            "SERVING_LOG_REQUESTS": "true",
        }
        process = start_process([sys.executable, "-m", module, "scoring"], service.stderr, self._guard, env)
        self._exit_stack.callback(stop_processes, [process], self._guard)
        until(lambda: service.answers(schema.READY_PATH, {"X-API-Key": READS}), f"{name} is ready")
        return service


@pytest.fixture(scope="module")
def services(stacks: Stacks, guard: Guard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with ExitStack() as exit_stack:
        yield Services(stacks, guard, tmp_path_factory.mktemp("operations"), exit_stack)


@pytest.mark.parametrize(("method", "path", "headers", "error"), CASES)
def test_both_twins_answer_a_key_with_the_same_bytes(
    services: Services, method: str, path: str, headers: dict[str, str], error: ServiceError | None
) -> None:
    ours, theirs = (services.get(twin).ask(method, path, headers) for twin in ("sync", "async"))
    assert ours.status == theirs.status == (int(error.status) if error else 200)
    if error:
        body = b"" if method == "HEAD" else error.body()
        assert ours.body == theirs.body == body
        for name in ("content-type", "content-length", "www-authenticate"):
            assert ours.headers.get(name) == theirs.headers.get(name), name
        assert ours.headers.get("www-authenticate") == error.headers().get("WWW-Authenticate")


@pytest.mark.parametrize("twin", ["sync", "async"])
def test_a_connection_on_which_a_request_was_refused_stays_usable(services: Services, twin: str) -> None:
    with closing(http.client.HTTPConnection(HOST, services.get(twin).port, timeout=20)) as connection:
        for headers, status in (({}, 401), ({"X-API-Key": READS}, 403), ({"X-API-Key": ASKS}, 200)) * 2:
            connection.request("POST", predict_path(twin), BODY, {**JSON, **headers})
            answer = connection.getresponse()
            assert (answer.status, answer.will_close) == (status, False)
            answer.read()


@pytest.mark.parametrize("name", SERVERS)
def test_every_process_logs_json_into_a_file_of_its_own_with_the_lines_of_its_server(
    services: Services, name: str
) -> None:
    service, loggers = services.get(name), SERVERS[name][2]
    before = len(predicts(service))
    for _ in range(5):
        assert service.ask("POST", PREDICT, {"X-API-Key": ASKS}).status == 200
    assert service.ask("POST", PREDICT, {"X-API-Key": READS}).status == 403
    until(lambda: len(predicts(service)) >= before + 6, "the requests are logged")
    found = predicts(service)[before:]
    assert sorted(each["status"] for each in found) == [200] * 5 + [403]
    assert {tuple(each["stages"]) for each in found if each["status"] == 200} == {
        ("parse", "features", "models", "model", "drawn", "respond")
    }
    log = service.log()
    assert len(log) >= WORKERS + 1
    for path, lines in log.items():
        assert {(each["service"], f"{each['service']}.{each['pid']}") for each in lines} == {
            (f"{service.twin}-scoring", ".".join(path.name.split(".")[:2]))
        }
    found_loggers = {each["logger"] for lines in log.values() for each in lines}
    assert loggers <= found_loggers
    assert [name for name in found_loggers if "access" in name] == []
    assert service.stderr.read_text() == ""


def predicts(service: Service) -> list[dict[str, Any]]:
    lines = [each for lines in service.log().values() for each in lines]
    return sorted((each for each in lines if "stages" in each), key=lambda each: str(each["time"]))


@pytest.mark.parametrize("name", ["sync", "async"])
def test_no_log_shows_a_key_or_its_hash(services: Services, name: str) -> None:
    service = services.get(name)
    for key in (ASKS, READS, UNKNOWN):
        service.ask("POST", PREDICT, {"X-API-Key": key, "Cookie": key})
    text = "".join(path.read_text() for path in service.folder.iterdir()) + service.stderr.read_text()
    assert "'api_keys': '***'" in text
    for secret in (ASKS, READS, UNKNOWN, _asks.digest.hex(), _reads.digest.hex()):
        assert secret not in text


# Without gevent's, whose patched interpreter prints a traceback of its own when it ends.
@pytest.mark.parametrize("workers", [1, WORKERS])
@pytest.mark.parametrize("name", ["sync", "async", "async-granian"])
def test_a_log_of_json_on_stderr_is_nothing_but_json_from_start_to_stop(
    name: str, workers: int, tmp_path: Path, guard: Guard
) -> None:
    module, twin, loggers = SERVERS[name]
    service = Service(twin, free_port(), tmp_path / "stderr", tmp_path)
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (CONTENDERS[twin].folder, ROOT))),
        "SERVING_PORT": str(service.port),
        "SERVING_WORKERS": str(workers),
        "SERVING_LOG_FORMAT": "json",
    }
    process = start_process([sys.executable, "-m", module, "model"], service.stderr, guard, env)
    try:
        until(lambda: service.stderr.read_text().count("settings: ") == workers, f"{name} has its workers")
        until(lambda: service.answers(schema.HEALTHCHECK_PATH, {}), f"{name} is alive")
    finally:
        stop_processes([process], guard)
    lines = [json.loads(line) for line in service.stderr.read_text().splitlines()]
    assert loggers <= {each["logger"] for each in lines}
    assert {each["service"] for each in lines} == {f"{twin}-model"}

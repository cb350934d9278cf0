"""A dependency that is down, slow, silent or lying: the same answers from every contender."""

import contextlib
import http.client
import http.server
import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import redis

from benchmark.contenders.discovery import Contender
from benchmark.load.parity import Case, ask
from benchmark.stack.processes import Stack
from contract import errors
from contract.errors import ServiceError
from contract.schema import HEALTHCHECK_PATH, READY_PATH
from feature_store.keys import META_KEY, feature_key
from tests.conftest import CONTENDERS, REAL, Stacks
from tests.integration.api.asking import TWINS

pytestmark = pytest.mark.integration

PREDICT = Case("predict", query="?entity_id=17")
READY = Case("ready", "GET", READY_PATH, body=b"")
HEALTH = Case("health", "GET", HEALTHCHECK_PATH, body=b"")
TIMEOUT_MS = 400
HASTY = {"SERVING_MODEL_TIMEOUT_MS": str(TIMEOUT_MS), "SERVING_REDIS_TIMEOUT_MS": "400"}


@pytest.fixture(params=REAL, scope="module")
def contender(request: pytest.FixtureRequest) -> Contender:
    return CONTENDERS[request.param]


@pytest.fixture(scope="module")
def stack(contender: Contender, stacks: Stacks) -> Stack:
    """A contender; every test leaves it working."""
    return stacks.start(contender)


@pytest.fixture(scope="module")
def hasty(contender: Contender, stacks: Stacks) -> Stack:
    """A contender with timeouts so short that it answers 504 or 503 even if only the machine was slow."""
    return stacks.start(contender, HASTY)


@pytest.fixture
def store(stack: Stack) -> Iterator["redis.Redis"]:
    with redis.Redis(port=stack.port("redis")) as client:
        yield client


def expect(stack: Stack, case: Case, error: ServiceError | None) -> None:
    """Assert that a contender answers a case with a 200 or with exactly this error."""
    response = ask(stack.base_url, stack.contender.endpoint, case)
    if error is None:
        assert response.status == 200, response
        return
    expected = {"content-type": errors.PROBLEM_CONTENT_TYPE, **{k.lower(): v for k, v in error.headers().items()}}
    assert (response.status, response.body) == (int(error.status), error.body())
    assert {name: response.headers.get(name) for name in expected} == expected


@contextlib.contextmanager
def stopped(stack: Stack, role: str) -> Iterator[None]:
    """Stall the processes of a role: they keep their connections and say nothing."""
    import psutil

    root = psutil.Process(next(running.pid for running in stack.processes if running.role == role))
    tree = [*root.children(recursive=True), root]
    for process in tree:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in reversed(tree):
            process.send_signal(signal.SIGCONT)


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline_s, "did not recover"
        time.sleep(0.05)


def test_all_is_well(stack: Stack) -> None:
    for case in (PREDICT, READY, HEALTH):
        expect(stack, case, None)


def test_a_stalled_store_answers_503_and_health_stays_up(hasty: Stack) -> None:
    with stopped(hasty, "redis"):
        expect(hasty, PREDICT, errors.StoreUnreachable())
        expect(hasty, READY, errors.StoreUnreachable())
        expect(hasty, HEALTH, None)
    until(lambda: ask(hasty.base_url, hasty.contender.endpoint, PREDICT).status == 200)


def test_a_store_that_is_not_seeded_answers_503(stack: Stack, store: "redis.Redis") -> None:
    meta, features = store.get(META_KEY), store.get(feature_key(17))
    assert isinstance(meta, bytes)
    assert isinstance(features, bytes)
    store.delete(META_KEY, feature_key(17))
    try:
        expect(stack, PREDICT, errors.StoreNotSeeded())
        expect(stack, READY, errors.StoreNotSeeded())
    finally:
        store.set(META_KEY, meta)
        store.set(feature_key(17), features)
    expect(stack, PREDICT, None)


@pytest.mark.parametrize("broken", [b"", b"short", b"\xff" * 128], ids=["empty", "short", "not finite"])
def test_unreadable_features_answer_503(stack: Stack, store: "redis.Redis", broken: bytes) -> None:
    features = store.get(feature_key(17))
    assert isinstance(features, bytes)
    store.set(feature_key(17), broken)
    try:
        response = ask(stack.base_url, stack.contender.endpoint, PREDICT)
        assert response.status == 503
        assert b"unreadable" in response.body
    finally:
        store.set(feature_key(17), features)
    expect(stack, PREDICT, None)


def test_a_missing_entity_of_a_seeded_store_answers_503(stack: Stack, store: "redis.Redis") -> None:
    features = store.get(feature_key(17))
    assert isinstance(features, bytes)
    store.delete(feature_key(17))
    try:
        expect(stack, PREDICT, errors.StoreCorrupt("entity 17 is missing"))
    finally:
        store.set(feature_key(17), features)


def test_a_store_that_was_seeded_anew_is_noticed(stack: Stack, store: "redis.Redis") -> None:
    meta = store.get(META_KEY)
    assert isinstance(meta, bytes)
    grown = json.loads(meta)
    grown["entities"] += 1
    store.set(feature_key(grown["entities"] - 1), store.get(feature_key(17)) or b"")
    store.set(META_KEY, json.dumps(grown))
    try:
        expect(stack, Case("new", query=f"?entity_id={grown['entities'] - 1}"), None)
    finally:
        store.set(META_KEY, meta)
        store.delete(feature_key(grown["entities"] - 1))
    expect(stack, PREDICT, None)


def test_a_stalled_model_answers_504(hasty: Stack) -> None:
    with stopped(hasty, "model"):
        expect(hasty, PREDICT, errors.ModelTimeout(1, TIMEOUT_MS))
        expect(hasty, READY, errors.ModelNotReady(1))
    until(lambda: ask(hasty.base_url, hasty.contender.endpoint, PREDICT).status == 200)


LIES = {
    "not JSON": (200, b"<html>", "answered something else than a duration"),
    "another shape": (200, b'{"result": 1}', "answered something else than a duration"),
    "a string": (200, b'{"detail": "0.04"}', "answered something else than a duration"),
    "NaN": (200, b'{"detail": NaN}', "answered something else than a duration"),
    "a negative duration": (200, b'{"detail": -1.0}', "answered something else than a duration"),
    "an empty body": (200, b"", "answered something else than a duration"),
    "an error": (500, b'{"detail": 0.045}', "answered with status 500"),
    "a refusal": (429, b"", "answered with status 429"),
    "a redirect": (302, b"", "answered with status 302"),
}


class LyingModel(http.server.BaseHTTPRequestHandler):
    """Answers whatever it is told to; closes the connection without an answer if told nothing."""

    protocol_version = "HTTP/1.1"
    lie: tuple[int, bytes] | None = None

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.lie is None:
            self.close_connection = True
            return
        status, body = self.lie
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def lying_model() -> Iterator[tuple[type[LyingModel], int]]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), LyingModel)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield LyingModel, server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def deceived(contender: Contender, stacks: Stacks, lying_model: tuple[type[LyingModel], int]) -> Stack:
    """A contender whose models are the lying one."""
    return stacks.start(asking(contender, lying_model[1]))


def asking(contender: Contender, port: int) -> Contender:
    """Return a contender whose two models listen on another port; it is ready when it accepts connections."""
    url = f"http://127.0.0.1:{port}{contender.endpoint}"
    processes = tuple(
        p.model_copy(update={"env": {**p.env, "SERVING_MODEL_URLS": f"{url},{url}"}, "ready": HEALTHCHECK_PATH})
        if p.role == "scoring"
        else p
        for p in contender.process
        if p.role != "model"
    )
    return contender.model_copy(update={"process": processes})


@pytest.mark.parametrize("name", LIES)
def test_a_lying_model_answers_502(deceived: Stack, lying_model: tuple[type[LyingModel], int], name: str) -> None:
    status, body, complaint = LIES[name]
    lying_model[0].lie = (status, body)
    until_seeded(deceived)
    expect(deceived, PREDICT, errors.BadModelAnswer(f"Model 1 {complaint}."))


def test_a_model_that_is_busy_answers_503(deceived: Stack, lying_model: tuple[type[LyingModel], int]) -> None:
    lying_model[0].lie = (503, b"")
    until_seeded(deceived)
    expect(deceived, PREDICT, errors.ModelBusy(1, None))


def test_a_model_that_hangs_up_answers_502(deceived: Stack, lying_model: tuple[type[LyingModel], int]) -> None:
    lying_model[0].lie = None
    until_seeded(deceived)
    expect(deceived, PREDICT, errors.BadModelAnswer("Model 1 cannot be reached."))


@pytest.mark.parametrize(
    "name", [name for name in REAL if name not in TWINS]
)  # api/test_error_handling.py has the twins
def test_a_model_that_is_down_answers_502_and_a_store_that_is_down_503(name: str, stacks: Stacks) -> None:
    contender = CONTENDERS[name]
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        stack = stacks.start(asking(contender, nobody.getsockname()[1]))
        until_seeded(stack)
        expect(stack, PREDICT, errors.BadModelAnswer("Model 1 cannot be reached."))
        expect(stack, READY, errors.ModelNotReady(1))
        redis_process = next(running for running in stack.processes if running.role == "redis")
        redis_process.popen.terminate()
        redis_process.popen.wait()
        expect(stack, PREDICT, errors.StoreUnreachable())
        expect(stack, READY, errors.StoreUnreachable())


def until_seeded(stack: Stack) -> None:
    """The stack of a deceived contender is not asked for readiness, so wait for its store here."""
    with redis.Redis(port=stack.port("redis")) as client:
        until(lambda: client.get(META_KEY) is not None)


def test_a_body_of_unannounced_length_is_counted(stack: Stack) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", stack.port("scoring"), timeout=10)
    chunks = iter([b"[" + b" " * 9000, b" " * 9000, b"1]"])
    headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    connection.request("POST", stack.contender.endpoint, chunks, headers, encode_chunked=True)
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (413, errors.BodyTooLarge(16384).body())
    connection.close()


def test_a_chunked_body_within_the_limit_is_answered(stack: Stack) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", stack.port("scoring"), timeout=10)
    headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    connection.request("POST", stack.contender.endpoint, iter([b"[5.1,", b"3.5]"]), headers, encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()

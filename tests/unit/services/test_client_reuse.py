"""One HTTP client per process, or one per request: what a model sees of it, and that nothing stays behind."""

import asyncio
import contextlib
import gc
import http.server
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import async_api.model_client
import sync_api.model_client
from contract.errors import BadModelAnswer, ModelNotReady, ServiceError
from contract.settings import Architecture, Settings, load_settings
from tests.unit.services.test_model_client import PATIENCE_S, every_fan_out
from tests.unit.services.test_model_client_sockets import every_client, every_reuse

pytestmark = pytest.mark.integration

REQUESTS = 3
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n{"detail": 0.041}'
REFUSAL = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"


class Model(http.server.ThreadingHTTPServer):
    """A model that keeps its connections, and counts those that were opened and closed."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.answer = ANSWER
        self.answers = threading.Event()
        self.answers.set()
        self.arrived = threading.Event()
        self.opened = self.closed = 0
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/predict"

    def all_are_closed(self) -> bool:
        """Wait until no connection is open; False if one stays so."""
        until_s = time.monotonic() + PATIENCE_S
        while self.closed < self.opened and time.monotonic() < until_s:
            time.sleep(0.01)
        return self.closed == self.opened


class _Answering(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Model

    def setup(self) -> None:
        super().setup()
        with self.server.lock:
            self.server.opened += 1

    def finish(self) -> None:
        with self.server.lock:
            self.server.closed += 1
        with contextlib.suppress(OSError):
            super().finish()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.arrived.set()
        self.server.answers.wait(PATIENCE_S)
        self.wfile.write(self.server.answer)

    do_GET = do_POST  # noqa: N815 - of the health check

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def make_model() -> Iterator[Callable[[], Model]]:
    with contextlib.ExitStack() as running:

        def make() -> Model:
            model = running.enter_context(Model())
            threading.Thread(target=model.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
            running.callback(model.shutdown)
            return model

        yield make


def use(
    settings: Settings,
    call: Callable[[Any], Any],
    look: Callable[[], object],
    look_again: Callable[[], object] = lambda: None,
) -> list[object]:
    """Make a model client, call it some times, look before and after it is closed; return what came of the calls."""
    if settings.architecture == "sync":
        with contextlib.closing(sync_api.model_client.ModelClient(settings)) as models:
            outcomes = [outcome_of(lambda: call(models)) for _ in range(REQUESTS)]
            look()
        look_again()  # while `models` still lives: what is closed now was not closed by the garbage collector
        return outcomes

    async def use_async() -> list[object]:
        outcomes = []
        async with async_api.model_client.ModelClient(settings) as models:
            for _ in range(REQUESTS):
                try:
                    outcomes.append(await call(models))
                except ServiceError as error:
                    outcomes.append(error)
            await asyncio.to_thread(look)
        await asyncio.to_thread(look_again)
        return outcomes

    return asyncio.run(use_async())


def outcome_of(call: Callable[[], object]) -> object:
    try:
        return call()
    except ServiceError as error:
        return error


def settings_for(twin: Architecture, client: str, reuse: str, *models: Model, **others: object) -> Settings:
    urls = tuple(model.url for model in models)
    return load_settings(twin, "scoring", http_client=client, client_reuse=reuse, model_urls=urls, **others)


@every_client
@every_fan_out
def test_a_pooled_client_keeps_its_connections(
    twin: Architecture, client: str, fan_out: str, make_model: Callable[[], Model]
) -> None:
    one, two = make_model(), make_model()
    settings = settings_for(twin, client, "pooled", one, two, fan_out=fan_out)
    seen: list[tuple[int, int]] = []
    closed: list[bool] = []
    use(
        settings,
        ask_all,
        lambda: seen.extend((model.opened, model.closed) for model in (one, two)),
        lambda: closed.extend(model.all_are_closed() for model in (one, two)),
    )
    assert seen == [(1, 0), (1, 0)]
    assert closed == [True, True]


@every_client
@every_fan_out
def test_a_client_per_request_opens_a_connection_to_each_model_and_closes_it(
    twin: Architecture, client: str, fan_out: str, make_model: Callable[[], Model]
) -> None:
    one, two = make_model(), make_model()
    settings = settings_for(twin, client, "per-request", one, two, fan_out=fan_out)
    closed: list[bool] = []
    replies = use(settings, ask_all, lambda: closed.extend(model.all_are_closed() for model in (one, two)))
    assert [[reply.detail_s for reply in request] for request in replies] == [[0.041, 0.041]] * REQUESTS  # type: ignore[attr-defined]
    assert (one.opened, two.opened) == (REQUESTS, REQUESTS)
    assert closed == [True, True]


@every_client
def test_both_models_of_one_request_are_asked_by_the_same_client(
    twin: Architecture, client: str, make_model: Callable[[], Model]
) -> None:
    """One after the other at one address: the second is asked over the connection of the first."""
    model = make_model()
    settings = settings_for(twin, client, "per-request", model, model, fan_out="sequential")
    use(settings, ask_all, lambda: None)
    assert model.opened == REQUESTS


@every_client
@every_fan_out
def test_a_client_per_request_is_closed_after_a_failure_too(
    twin: Architecture, client: str, fan_out: str, make_model: Callable[[], Model]
) -> None:
    one, two = make_model(), make_model()
    two.answer = REFUSAL
    settings = settings_for(twin, client, "per-request", one, two, fan_out=fan_out)
    closed: list[bool] = []
    failures = use(settings, ask_all, lambda: closed.extend(model.all_are_closed() for model in (one, two)))
    assert [type(failure) for failure in failures] == [BadModelAnswer] * REQUESTS
    assert two.opened == REQUESTS
    assert closed == [True, True]


@every_client
@pytest.mark.parametrize(("answer", "expected"), [(ANSWER, type(None)), (REFUSAL, ModelNotReady)])
def test_a_readiness_check_without_a_pool_leaves_no_connection(
    twin: Architecture, client: str, answer: bytes, expected: type, make_model: Callable[[], Model]
) -> None:
    model = make_model()
    model.answer = answer
    closed: list[bool] = []
    outcomes = use(
        settings_for(twin, client, "per-request", model), check, lambda: closed.append(model.all_are_closed())
    )
    assert [type(outcome) for outcome in outcomes] == [expected] * REQUESTS
    assert model.opened == REQUESTS
    assert closed == [True]


@every_client
@every_reuse
def test_no_library_complains_of_what_was_left_open(
    twin: Architecture, client: str, reuse: str, make_model: Callable[[], Model]
) -> None:
    model = make_model()
    gc.collect()  # what other tests left behind is not ours
    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        use(settings_for(twin, client, reuse, model, model), ask_all, lambda: None)
        gc.collect()
    assert [str(complaint.message) for complaint in complaints if complaint.category is ResourceWarning] == []


@pytest.mark.parametrize("client", ["requests", "urllib3"])
def test_a_thread_that_still_waits_when_its_request_has_failed_closes_its_connection_itself(
    client: str, make_model: Callable[[], Model]
) -> None:
    """An event loop waits for both models; a pool of threads does not, and the client is closed meanwhile."""
    failing, slow = make_model(), make_model()
    failing.answer = REFUSAL
    failing.answers = slow.arrived  # it fails once the other one is asked
    slow.answers.clear()
    settings = settings_for("sync", client, "per-request", failing, slow, fan_out="concurrent")
    with contextlib.closing(sync_api.model_client.ModelClient(settings)) as models:
        with pytest.raises(BadModelAnswer):
            models.ask_all([1.0])
        assert (slow.opened, slow.closed) == (1, 0)
        slow.answers.set()
        assert slow.all_are_closed()
        assert failing.all_are_closed()


def ask_all(models: Any) -> Any:
    return models.ask_all([1.0])


def check(models: Any) -> Any:
    return models.check()

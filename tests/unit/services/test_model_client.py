"""Asking the models: at once or one after the other, and what each library's failures become."""

import asyncio
import contextlib
import gc
import itertools
import threading
import warnings
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

import async_api.model_client
import async_api.transports
import sync_api.model_client
import sync_api.transports
from contract.errors import BadModelAnswer, ModelBusy, ModelNotReady, ModelTimeout, ServiceError
from contract.model_answer import ModelAnswer
from contract.scoring import ModelReply
from contract.settings import Architecture, load_settings
from tests.unit.services.conftest import TWINS

ONE, TWO = "http://one:1/predict", "http://two:2/predict"
PATIENCE_S = 30  # only a failing test waits that long
TIMEOUT_MS = 300  # of a model that never answers: reached by every machine, however busy

every_twin = pytest.mark.parametrize("twin", TWINS)
every_fan_out = pytest.mark.parametrize("fan_out", ["sequential", "concurrent"])


class Slow(TimeoutError):
    """What the transport here raises for a model that does not answer in time."""


class Broken(Exception):
    """What the transport here raises for a model that cannot be reached."""


@dataclass
class Wire:
    """What the models answer, by URL (an exception is raised), and what they were sent."""

    answers: dict[str, Exception | tuple[int, bytes]] = field(
        default_factory=lambda: {ONE: (200, b'{"detail": 0.041}'), TWO: (200, b'{"detail": 0.047}')}
    )
    sent: list[tuple[str, str, bytes | None]] = field(default_factory=list)
    retried: tuple[str, ...] = ()
    most_at_once: int = 0
    at_once: int = 0
    wait: Callable[[str], None] = lambda _: None
    wait_async: Callable[[str], Awaitable[object]] = lambda _: asyncio.sleep(0)

    def begin(self, method: str, url: str, body: bytes | None) -> None:
        self.sent.append((method, url, body))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)

    def end(self, url: str) -> ModelAnswer:
        self.at_once -= 1
        answer = self.answers[url]
        if isinstance(answer, Exception):
            raise answer
        return ModelAnswer(*answer, retry_after="5", retried=url in self.retried)


class Models:
    """The model client of a twin over a wire, asked without `await` whichever it is."""

    def __init__(self, twin: Architecture, wire: Wire, monkeypatch: pytest.MonkeyPatch, **settings: object) -> None:
        class SyncTransport:
            timeouts: ClassVar[tuple[type[Exception], ...]] = (Slow,)
            failures: ClassVar[tuple[type[Exception], ...]] = (Broken,)

            def send(self, method: str, url: str, body: bytes | None, timeout_s: float) -> ModelAnswer:
                wire.begin(method, url, body)
                wire.wait(url)
                return wire.end(url)

            def close(self) -> None: ...

        class AsyncTransport:
            failures: ClassVar[tuple[type[Exception], ...]] = (Broken,)

            async def send(self, method: str, url: str, body: bytes | None = None) -> ModelAnswer:
                wire.begin(method, url, body)
                await wire.wait_async(url)
                return wire.end(url)

            async def close(self) -> None: ...

        monkeypatch.setitem(sync_api.transports.TRANSPORTS, "requests", lambda _: SyncTransport())
        monkeypatch.setitem(async_api.transports.TRANSPORTS, "httpx", lambda _: AsyncTransport())
        self._twin = twin
        self._settings = load_settings(twin, "scoring", **{"model_urls": (ONE, TWO), **settings})

    def ask_all(self, numbers: Sequence[float] = (1.0,)) -> list[ModelReply]:
        if self._twin == "async":
            return asyncio.run(self._use_async(lambda models: models.ask_all(numbers)))
        with contextlib.closing(sync_api.model_client.ModelClient(self._settings)) as client:
            return client.ask_all(numbers)

    def check(self) -> None:
        if self._twin == "async":
            asyncio.run(self._use_async(lambda models: models.check()))
        else:
            sync_api.model_client.ModelClient(self._settings).check()

    async def _use_async(self, call: Callable[[async_api.model_client.ModelClient], Awaitable[Any]]) -> Any:
        async with async_api.model_client.ModelClient(self._settings) as models:
            return await call(models)


@every_twin
@every_fan_out
def test_every_model_is_asked_with_the_same_numbers(
    twin: Architecture, fan_out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire()
    replies = Models(twin, wire, monkeypatch, fan_out=fan_out).ask_all([1.0, 0.5])
    assert sorted(wire.sent) == [("POST", ONE, b"[1.0,0.5]"), ("POST", TWO, b"[1.0,0.5]")]
    assert [reply.detail_s for reply in replies] == [0.041, 0.047]


@every_twin
def test_concurrent_means_that_both_models_are_in_flight_at_once(
    twin: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads, tasks = threading.Barrier(2, timeout=PATIENCE_S), asyncio.Barrier(2)
    wire = Wire(
        wait=lambda _: void(threads.wait()),
        wait_async=lambda _: asyncio.wait_for(tasks.wait(), PATIENCE_S),
    )
    Models(twin, wire, monkeypatch, fan_out="concurrent").ask_all()  # neither is answered before both are asked
    assert wire.most_at_once == 2


@every_twin
def test_sequential_means_one_model_after_the_other(twin: Architecture, monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire()
    Models(twin, wire, monkeypatch, fan_out="sequential").ask_all()
    assert wire.most_at_once == 1
    assert [url for _, url, _ in wire.sent] == [ONE, TWO]


@every_twin
def test_replies_come_in_the_order_of_the_models_and_not_of_their_answers(
    twin: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread_done, task_done = threading.Event(), asyncio.Event()

    def wait(url: str) -> None:
        if url == ONE:
            thread_done.wait(PATIENCE_S)
        thread_done.set()

    async def wait_async(url: str) -> None:
        if url == ONE:
            await asyncio.wait_for(task_done.wait(), PATIENCE_S)
        task_done.set()

    wire = Wire(wait=wait, wait_async=wait_async)
    replies = Models(twin, wire, monkeypatch, fan_out="concurrent").ask_all()
    assert [reply.detail_s for reply in replies] == [0.041, 0.047]


@every_twin
def test_a_reply_says_how_long_its_model_took(twin: Architecture, monkeypatch: pytest.MonkeyPatch) -> None:
    models = Models(twin, Wire(), monkeypatch, fan_out="sequential")
    ticks_s = itertools.chain([10.0, 10.042, 20.0, 20.0475], itertools.repeat(0.0))
    monkeypatch.setattr(f"{twin}_api.model_client.time.perf_counter", lambda: next(ticks_s))
    assert [reply.took_ms for reply in models.ask_all()] == pytest.approx([42.0, 47.5])


@every_twin
def test_a_reply_says_whether_its_model_was_asked_twice(twin: Architecture, monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(retried=(TWO,))
    assert [reply.retried for reply in Models(twin, wire, monkeypatch).ask_all()] == [False, True]


@every_twin
@every_fan_out
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Slow(), ModelTimeout(2, TIMEOUT_MS)),
        (Broken(), BadModelAnswer("Model 2 cannot be reached.")),
        ((500, b""), BadModelAnswer("Model 2 answered with status 500.")),
        ((503, b""), ModelBusy(2, "5")),
        ((200, b"{}"), BadModelAnswer("Model 2 answered something else than a duration.")),
        ((204, b'{"detail": 0.04}'), BadModelAnswer("Model 2 answered with status 204.")),
    ],
    ids=["slow", "broken", "refusal", "busy", "nonsense", "another success"],
)
def test_a_failure_names_the_model_that_failed(
    twin: Architecture,
    fan_out: str,
    answer: Exception | tuple[int, bytes],
    expected: ServiceError,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wire = Wire()
    wire.answers[TWO] = answer
    models = Models(twin, wire, monkeypatch, fan_out=fan_out, model_timeout_ms=TIMEOUT_MS)
    with pytest.raises(type(expected)) as raised:
        models.ask_all()
    assert raised.value.body() == expected.body()


@every_twin
@every_fan_out
def test_of_two_failures_the_first_model_is_named(
    twin: Architecture, fan_out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = Models(twin, Wire({ONE: Slow(), TWO: Broken()}), monkeypatch, fan_out=fan_out)
    with pytest.raises(ModelTimeout, match="Model 1 did not answer within 2000 ms"):
        models.ask_all()


@every_twin
@every_fan_out
def test_a_failure_leaves_nothing_unfinished_behind(
    twin: Architecture, fan_out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire({ONE: Broken(), TWO: (200, b'{"detail": 0.047}')})
    models = Models(twin, wire, monkeypatch, fan_out=fan_out)
    gc.collect()  # what other tests left behind is not ours
    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        with pytest.raises(BadModelAnswer):
            models.ask_all()
        gc.collect()
    assert [str(complaint.message) for complaint in complaints] == []
    assert wire.at_once == 0


@every_twin
def test_a_bug_is_not_taken_for_a_failing_model(twin: Architecture, monkeypatch: pytest.MonkeyPatch) -> None:
    models = Models(twin, Wire({ONE: ZeroDivisionError(), TWO: ZeroDivisionError()}), monkeypatch)
    with pytest.raises(ZeroDivisionError):
        models.ask_all()


@every_twin
def test_a_check_asks_each_model_for_its_health(twin: Architecture, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = "http://one:1/api/v1/healthcheck", "http://two:2/api/v1/healthcheck"
    wire = Wire({one: (200, b""), two: (200, b"")})
    Models(twin, wire, monkeypatch).check()
    assert wire.sent == [("GET", one, None), ("GET", two, None)]
    for failure in (Slow(), Broken(), (503, b"")):
        wire.answers[two] = failure
        with pytest.raises(ModelNotReady, match="Model 2 does not answer"):
            Models(twin, wire, monkeypatch).check()


def void(_: object) -> None:
    """Take a value that nobody wants."""


# --- the libraries themselves, against a model that listens on loopback


def test_an_async_client_whose_app_was_not_started_says_so_and_opens_none_for_each_request() -> None:
    models = async_api.model_client.ModelClient(load_settings("async", "scoring"))
    with pytest.raises(RuntimeError, match="the lifespan of its app has not started"):
        asyncio.run(models.ask_all([1.0]))

"""What a service has opened it closes: the models' clients first, the store last, whichever way it ends."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

import async_api.serve
import sync_api.model_client
import sync_api.server
from contract.settings import Architecture, Settings, load_settings

every_twin = pytest.mark.parametrize("twin", ["sync", "async"])


class Failure(Exception):
    pass


class Opened:
    """Takes the place of a twin's store and clients, and writes down what is closed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, twin: Architecture) -> None:
        self.twin = twin
        self.closed: list[str] = []
        self.failing: set[str] = set()
        for name, path in (("store", "features.FeatureStore"), ("models", "model_client.ModelClient")):
            monkeypatch.setattr(f"{twin}_api.{path}", self._maker(name))

    def _maker(self, name: str) -> Callable[[Settings], Any]:
        failing = self.failing

        def close() -> None:
            self.closed.append(name)
            if name in self.failing:
                raise Failure(name)

        def make(_: Settings) -> Any:
            if f"make {name}" in self.failing:
                raise Failure(name)
            return SimpleNamespace(close=close) if self.twin == "sync" else AsyncClient()

        class AsyncClient:
            async def __aenter__(self) -> None:
                if f"open {name}" in failing:
                    raise Failure(name)

            async def __aexit__(self, *_: object) -> None:
                close()

            async def close(self) -> None:
                close()

        return make

    def live(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Start a service, let something happen, and end it as its server does."""
        settings = load_settings(self.twin, "scoring", gc_freeze=False)
        if self.twin == "sync":
            self._live_sync(settings, meanwhile)
        else:
            asyncio.run(self._live_async(settings, meanwhile))

    def _live_sync(self, settings: Settings, meanwhile: Callable[[], None]) -> None:
        server = sync_api.server.Server(settings)
        try:  # as gunicorn's arbiter does in the process of a worker
            server.wsgi()
            meanwhile()
        finally:
            server.cfg.worker_exit(None, SimpleNamespace(app=server))

    async def _live_async(self, settings: Settings, meanwhile: Callable[[], None]) -> None:
        app = async_api.serve.create_app(settings)
        async with app.router.lifespan_context(app):
            meanwhile()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, twin: Architecture) -> Opened:
    return Opened(monkeypatch, twin)


@every_twin
def test_clients_are_closed_first_and_the_store_last(opened: Opened) -> None:
    opened.live(meanwhile=lambda: opened.closed.append("served"))
    assert opened.closed == ["served", "models", "store"]


@every_twin
@pytest.mark.parametrize("failing", ["models", "store"])
def test_what_cannot_be_closed_keeps_nothing_else_open(opened: Opened, failing: str) -> None:
    opened.failing.add(failing)
    with pytest.raises(Failure, match=failing):
        opened.live()
    assert opened.closed == ["models", "store"]


@every_twin
def test_all_is_closed_when_a_service_ends_by_an_error(opened: Opened) -> None:
    def fail() -> None:
        raise Failure("while it served")

    with pytest.raises(Failure, match="while it served"):
        opened.live(fail)
    assert opened.closed == ["models", "store"]


@pytest.mark.parametrize(("twin", "step"), [("sync", "make models"), ("async", "open models")])
def test_what_was_opened_is_closed_when_the_next_cannot_be_opened(opened: Opened, step: str) -> None:
    opened.failing.add(step)
    with pytest.raises(Failure, match="models"):
        opened.live()
    assert opened.closed == ["store"]


def test_the_lag_sampler_of_the_async_twin_is_stopped_when_a_service_ends_by_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []

    async def stop() -> None:
        done.append("stop")

    made = SimpleNamespace(start=lambda: done.append("start"), stop=stop)
    monkeypatch.setattr("async_api.lag.LagSampler", lambda _: made)

    async def live() -> None:
        app = async_api.serve.create_app(load_settings("async", "model", gc_freeze=False, lag_sample_ms=7))
        async with app.router.lifespan_context(app):
            raise Failure

    with pytest.raises(Failure):
        asyncio.run(live())
    assert done == ["start", "stop"]


def test_a_pool_of_threads_that_cannot_be_ended_does_not_keep_connections_open(monkeypatch: pytest.MonkeyPatch) -> None:
    client = sync_api.model_client.ModelClient(load_settings("sync", "scoring", fan_out="concurrent"))
    closed: list[str] = []

    def fail() -> None:
        raise Failure

    monkeypatch.setattr(client, "_fan_out", SimpleNamespace(shutdown=fail))
    monkeypatch.setattr(client, "_shared", SimpleNamespace(close=lambda: closed.append("connections")))
    with pytest.raises(Failure):
        client.close()
    assert closed == ["connections"]


def test_a_model_service_has_nothing_to_close() -> None:
    server = sync_api.server.Server(load_settings("sync", "model", gc_freeze=False))
    server.wsgi()
    server.cfg.worker_exit(None, SimpleNamespace(app=server))

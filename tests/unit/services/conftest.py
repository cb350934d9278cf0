"""Both twins in this process, without sockets: their store and their models do as they are told."""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, get_args

import httpx
import pytest
from fastapi import FastAPI
from flask import Flask

from benchmark.load.parity import Case, ParityResponse
from contract.schema import predict_path
from contract.scoring import ModelReply, choose_entity
from contract.settings import PREFIX, Architecture, Role, Settings, load_settings

TWINS: tuple[Architecture, ...] = get_args(Architecture)
ENTITIES = 10_000
FEATURES = (0.25, -1.0)
REPLIES = (ModelReply(0.041, 42.0), ModelReply(0.047, 48.5))


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)


@dataclass
class World:
    """What is around a scoring handler: whatever is set as a failure is raised, what it was asked is kept."""

    store_failure: Exception | None = None
    models_failure: Exception | None = None
    made: list[str] = field(default_factory=list)
    entity_ids: list[str | None] = field(default_factory=list)
    model_inputs: list[list[float]] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    def fetch(self, entity_id: str | None, body: bytes) -> tuple[float, ...]:
        self.entity_ids.append(entity_id)
        choose_entity(entity_id, body, ENTITIES)
        if self.store_failure:
            raise self.store_failure
        return FEATURES

    def ask_all(self, numbers: Sequence[float]) -> list[ModelReply]:
        self.model_inputs.append(list(numbers))
        if self.models_failure:
            raise self.models_failure
        return list(REPLIES)

    def check(self, who: str) -> None:
        self.checked.append(who)
        failure = self.store_failure if who == "store" else self.models_failure
        if failure:
            raise failure


@dataclass(frozen=True)
class Service:
    """A service in this process."""

    settings: Settings
    app: Any
    ask: Callable[[Case], ParityResponse]


class Services:
    """Makes services of either twin, whose surroundings are one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._loop = asyncio.Runner()
        self._running = AsyncExitStack()

    def make(self, twin: Architecture, role: Role, **settings: object) -> Service:
        return self.compose(twin, role, "serve", **settings)

    def compose(self, twin: Architecture, role: Role, module: str, **settings: object) -> Service:
        """Make a service that is composed by another module of its twin than `serve`."""
        # To freeze the objects of all tests before would only take time.
        loaded = load_settings(twin, role, **{"gc_freeze": False, **settings})
        app = import_module(f"{twin}_api.{module}").create_app(loaded)
        return self._start_sync(loaded, app) if twin == "sync" else self._start_async(loaded, app)

    def stop(self) -> None:
        """End the lifespan of every service that has one."""
        self._loop.run(self._running.aclose())

    def close(self) -> None:
        self.stop()
        self._loop.close()

    def _start_sync(self, settings: Settings, app: Flask) -> Service:
        client = app.test_client()

        def ask(case: Case) -> ParityResponse:
            target = case.target(predict_path("sync"))
            answer = client.open(target, method=case.method, data=case.body, headers=case.headers)
            return ParityResponse(answer.status_code, _lower(answer.headers.items()), answer.data)

        return Service(settings, app, ask)

    def _start_async(self, settings: Settings, app: FastAPI) -> Service:
        self._loop.run(self._running.enter_async_context(app.router.lifespan_context(app)))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://twin")

        def ask(case: Case) -> ParityResponse:
            target = case.target(predict_path("async"))
            asked = client.request(case.method, target, content=case.body, headers=case.headers)
            answer = self._loop.run(asked)
            return ParityResponse(answer.status_code, _lower(answer.headers.items()), answer.content)

        return Service(settings, app, ask)


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers}


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    world = World()

    class SyncStore:
        def __init__(self, settings: Settings) -> None:
            world.made.append("store")

        def fetch(self, entity_id: str | None, body: bytes) -> tuple[float, ...]:
            return world.fetch(entity_id, body)

        def check(self) -> None:
            world.check("store")

    class SyncModels:
        def __init__(self, settings: Settings) -> None:
            world.made.append("models")

        def ask_all(self, numbers: Sequence[float]) -> list[ModelReply]:
            return world.ask_all(numbers)

        def check(self) -> None:
            world.check("models")

    class AsyncStore:
        def __init__(self, settings: Settings) -> None:
            world.made.append("store")

        async def fetch(self, entity_id: str | None, body: bytes) -> tuple[float, ...]:
            return world.fetch(entity_id, body)

        async def check(self) -> None:
            world.check("store")

        async def close(self) -> None:
            world.closed.append("store")

    class AsyncModels:
        def __init__(self, settings: Settings) -> None:
            pass

        async def ask_all(self, numbers: Sequence[float]) -> list[ModelReply]:
            return world.ask_all(numbers)

        async def check(self) -> None:
            world.check("models")

        async def __aenter__(self) -> None:
            world.made.append("models")

        async def __aexit__(self, *_: object) -> None:
            await self.close()

        async def close(self) -> None:
            world.closed.append("models")

    monkeypatch.setattr("sync_api.features.FeatureStore", SyncStore)
    monkeypatch.setattr("sync_api.model_client.ModelClient", SyncModels)
    monkeypatch.setattr("async_api.features.FeatureStore", AsyncStore)
    monkeypatch.setattr("async_api.model_client.ModelClient", AsyncModels)
    services = Services(world)
    yield services
    services.close()

"""A model that stalls leaves many connections behind. Each request must then cost what it cost before."""

import asyncio
import contextlib
import time

import pytest

import async_api.model_client
from contract.settings import load_settings
from tests.stubs import faulty_model as stub
from tests.stubs.faulty_model import FaultyModel

pytestmark = pytest.mark.integration

AT_ONCE = 160  # as many as ask within a stall of three seconds, at 50 requests/s
REQUESTS = 320


@pytest.mark.parametrize("client", ["httpx", "httpx2", "aiohttp"])
def test_a_request_among_many_that_were_held_up_costs_no_more_cpu_than_one_among_few(client: str) -> None:
    with contextlib.closing(FaultyModel()) as model:
        settings = load_settings("async", "scoring", http_client=client, model_urls=(model.url,) * 2)

        async def cpu_s_per_request(models: async_api.model_client.ModelClient, at_once: int) -> float:
            turn = asyncio.Semaphore(at_once)

            async def ask() -> None:
                async with turn:
                    await models.ask_all([1.0])

            started_s = time.thread_time()  # of the event loop only: the model has a thread of its own
            await asyncio.gather(*(ask() for _ in range(REQUESTS)))
            return (time.thread_time() - started_s) / REQUESTS

        async def use() -> tuple[float, float]:
            async with async_api.model_client.ModelClient(settings) as models:
                models._timeout_ms = 60_000  # only a failing test waits that long
                model.mode = stub.waits(0.02)
                few = await cpu_s_per_request(models, 8)
                model.mode = stub.waits(0.3)
                await asyncio.gather(*(models.ask_all([1.0]) for _ in range(AT_ONCE)))  # all are held up at once
                return few, await cpu_s_per_request(models, AT_ONCE)

        few_s, many_s = asyncio.run(use())
    assert many_s < 2.5 * few_s, (few_s, many_s)

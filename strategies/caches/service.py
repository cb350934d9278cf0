"""`python -m strategies.caches.service`: predictions cached on an event loop, in the form of STRATEGY_FORM."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from async_lru import alru_cache
from cachetools import LRUCache
from fastapi import APIRouter, FastAPI, Request, Response

from async_api.web import answer, read_body
from contract.schema import parse_scoring_numbers
from contract.settings import Settings
from strategies.caches.keys import Key, key_of
from strategies.caches.model import CacheSettings, Counts, encode, score
from strategies.caches.parameters import MODEL_MS, VERSION
from strategies.web import SCORE_PATH, create_app, serve

Predict = Callable[[Key], Coroutine[Any, Any, float]]


def calling(counts: Counts) -> Predict:
    """Return what calls the model."""

    async def call(key: Key) -> float:
        counts.called(key)
        await asyncio.sleep(MODEL_MS / 1e3)
        return score(key)

    return call


def caching(call: Predict, chosen: CacheSettings) -> Predict:
    """Return the same with a cache before it."""
    if not chosen.caches:
        return call
    if chosen.form == "naive":
        return check_then_call(call, chosen.capacity)
    return alru_cache(maxsize=chosen.capacity)(call)


def check_then_call(call: Predict, capacity: int) -> Predict:
    """Look it up, else call: whoever asks for the same during the call makes a call, too."""
    kept: LRUCache[Key, float] = LRUCache(capacity)

    async def predict(key: Key) -> float:
        if key in kept:
            return kept[key]
        kept[key] = value = await call(key)
        return value

    return predict


def make_app(settings: Settings) -> FastAPI:
    """Create the service."""
    counts = Counts()
    predict = caching(calling(counts), CacheSettings())
    routes = APIRouter()

    @routes.post(SCORE_PATH)
    async def scored(request: Request) -> Response:
        key = key_of(VERSION, parse_scoring_numbers(await read_body(request, settings.max_body_bytes)))
        counts.asked()
        return answer(encode(await predict(key)))

    return create_app(routes, statistics=counts.read)


if __name__ == "__main__":
    serve(make_app)

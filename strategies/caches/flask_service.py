"""`python -m strategies.caches.flask_service`: predictions cached in threads, in the form of STRATEGY_FORM."""

import time
from collections.abc import Callable
from threading import Condition, Lock

from cachetools import TLRUCache, cached
from flask import Blueprint, Flask, Response, request

from contract.errors import ServiceError, UnknownEntity
from contract.schema import parse_scoring_numbers
from contract.settings import Settings
from strategies.caches.keys import Key, key_of
from strategies.caches.model import CacheSettings, Counts, encode, score
from strategies.caches.parameters import FAILURE_TTL_S, MODEL_MS, TTL_S, UNKNOWN_TTL_S, VERSION
from strategies.flask_web import SCORE_PATH, create_app, serve
from sync_api.web import answer, read_body

Predict = Callable[[Key], float]
Outcome = float | ServiceError


def calling(counts: Counts) -> Predict:
    """Return what calls the model."""

    def call(key: Key) -> float:
        counts.called(key)
        time.sleep(MODEL_MS / 1e3)
        return score(key)

    return call


def lifetime_s(outcome: Outcome) -> float:
    """Return how long an outcome is kept. Errors are entries, too: without one, those who wait would fail in turn."""
    if isinstance(outcome, UnknownEntity):
        return UNKNOWN_TTL_S
    return FAILURE_TTL_S if isinstance(outcome, ServiceError) else TTL_S


def caching(call: Predict, chosen: CacheSettings, timer: Callable[[], float] = time.monotonic) -> Predict:
    """Return the same with a cache before it."""
    if not chosen.caches:
        return call  # with a condition and no room, those who ask for the same would wait for each other, for nothing

    def outcome(key: Key) -> Outcome:
        try:
            return call(key)
        except ServiceError as error:
            return error

    kept: TLRUCache[object, Outcome, float] = TLRUCache(
        chosen.capacity, lambda _, found, now_s: now_s + lifetime_s(found), timer
    )
    # A lock guards the entries alone and is open during the call; with a condition, others wait for its end.
    ask = cached(kept, lock=Lock()) if chosen.form == "naive" else cached(kept, condition=Condition())
    remembered = ask(outcome)

    def predict(key: Key) -> float:
        found = remembered(key)
        if isinstance(found, ServiceError):
            raise found.with_traceback(None)  # or each raise would add to the traceback of the one that is kept
        return found

    return predict


def make_app(settings: Settings) -> Flask:
    """Create the service."""
    counts = Counts()
    predict = caching(calling(counts), CacheSettings())
    routes = Blueprint("caches", __name__)

    @routes.post(SCORE_PATH)
    def scored() -> Response:
        key = key_of(VERSION, parse_scoring_numbers(read_body(request, settings.max_body_bytes)))
        counts.asked()
        return answer(encode(predict(key)))

    return create_app(routes, counts.read)


if __name__ == "__main__":
    serve(make_app)

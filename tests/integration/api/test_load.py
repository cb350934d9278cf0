"""Load: many clients at once, every request is answered, and with its own answer.

The last of the four kinds of tests of an ML API (doc/testing.md). It says nothing about how long that takes: a busy
machine would fail it. Speed is measured by `make bench`, and held by `compare --fail-if-slower`.
"""

import json

import pytest

from benchmark.stack.processes import Stack
from tests.integration.api.asking import Asked, ask_all

pytestmark = pytest.mark.integration

REQUESTS, CLIENTS = 384, 32
LOW_S, HIGH_S = 0.004, 0.005  # what the models can draw, see FAST


def test_all_are_answered_and_none_wrongly(twin: Stack) -> None:
    requests = [Asked(f"[{number}, 0.5]".encode(), f"?entity_id={number % 100}") for number in range(REQUESTS)]
    answers = ask_all(twin, requests, CLIENTS)
    assert len(answers) == REQUESTS
    assert {answered.body for answered in answers if answered.status != 200} == set()
    assert all(LOW_S <= answered.detail_s <= HIGH_S for answered in answers)


def test_each_client_gets_the_answer_to_its_own_request(twin: Stack) -> None:
    unknown = 10**9
    requests = [
        Asked(b"[1]", f"?entity_id={unknown + number}") if number % 3 else Asked(b"[1]") for number in range(REQUESTS)
    ]
    for number, answered in enumerate(ask_all(twin, requests, CLIENTS)):
        if number % 3:
            assert answered.status == 404
            assert str(unknown + number) in json.loads(answered.body)["detail"]
        else:
            assert answered.status == 200


def test_bad_requests_do_not_harm_the_good_ones_between_them(twin: Stack) -> None:
    requests = [Asked(b"[1, " if number % 2 else b"[1, 2]") for number in range(REQUESTS)]
    statuses = [answered.status for answered in ask_all(twin, requests, CLIENTS)]
    assert statuses == [400 if number % 2 else 200 for number in range(REQUESTS)]

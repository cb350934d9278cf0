"""Micro-batching over real connections: clients that leave, and those that stay."""

import http.client
import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from benchmark.stack.processes import HOST, Stack
from strategies.web import SCORE_PATH, STATISTICS_PATH
from tests.conftest import CONTENDERS, Stacks
from tests.integration.processes import until

pytestmark = pytest.mark.integration

PATIENCE_S = 20.0  # only a failing test waits that long
AN_HOUR = {"STRATEGY_BATCH_TIMEOUT_MICROS": "3600000000"}  # a window that only a full batch ends
BATCH = 4


@pytest.fixture(scope="module")
def stack(stacks: Stacks) -> Stack:
    """Return a service whose batches begin when they are full, and not before."""
    row = CONTENDERS["micro-batching-window"]
    env = {**row.process[0].env, **AN_HOUR, "STRATEGY_MAX_BATCH_SIZE": str(BATCH)}
    return stacks.start(row.model_copy(update={"process": (row.process[0].model_copy(update={"env": env}),)}))


def said(stack: Stack) -> dict[str, Any]:
    with urllib.request.urlopen(stack.base_url + STATISTICS_PATH, timeout=PATIENCE_S) as answer:
        document: dict[str, Any] = json.load(answer)
        return document


def send(stack: Stack, body: bytes) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(HOST, stack.port("scoring"), timeout=PATIENCE_S)
    connection.request("POST", SCORE_PATH, body, {"Content-Type": "application/json"})
    return connection


def receive(connection: http.client.HTTPConnection) -> tuple[int, Any]:
    answer = connection.getresponse()
    return answer.status, json.load(answer)


def test_clients_that_leave_take_their_items_with_them_and_the_others_are_answered(stack: Stack) -> None:
    leave = [send(stack, b"[100]") for _ in range(BATCH - 1)]
    until(lambda: said(stack)["waiting"] == BATCH - 1, "all wait")
    for connection in leave:
        connection.close()
    until(lambda: said(stack)["waiting"] == 0, "all have left")
    stay = [send(stack, b"[%d]" % i) for i in range(BATCH)]
    assert [receive(connection) for connection in stay] == [(200, {"total": 2.0 * i}) for i in range(BATCH)]
    found = said(stack)
    assert (found["abandoned"], found["items"], found["batches"]) == (BATCH - 1, BATCH, 1)


def test_one_connection_is_used_for_many_items(stack: Stack) -> None:
    """Watching for a client's leave must not end its connection."""

    def ask_often(number: int) -> list[tuple[int, Any]]:
        connection = send(stack, b"[%d]" % number)
        found = [receive(connection)]
        connection.request("POST", SCORE_PATH, b"[%d]" % number, {"Content-Type": "application/json"})
        return [*found, receive(connection)]

    with ThreadPoolExecutor(BATCH) as pool:
        answers = list(pool.map(ask_often, range(BATCH)))
    assert answers == [[(200, {"total": 2.0 * i})] * 2 for i in range(BATCH)]

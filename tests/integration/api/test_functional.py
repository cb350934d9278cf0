"""Functional tests: every contender gives the contract's answers, byte for byte, over real sockets.

The first of the four kinds of tests of an ML API (doc/testing.md). Also of this kind: test_openapi.py, which holds the
services to their OpenAPI documents.
"""

import json
import re
from statistics import mean

import psutil
import pytest

from benchmark.load import parity
from benchmark.scenarios.discovery import scenario_of
from benchmark.stack.processes import Stack
from contract.model import quantile_function
from contract.settings import Settings
from feature_store.seed import DEFAULT_INFO
from tests.conftest import CONTENDERS, Stacks
from tests.integration.api.asking import Asked, ask_all

SETTINGS = Settings()
BOUNDS_S = quantile_function(SETTINGS).bounds_s
# A contender that only shows the harness's floor answers the basic cases.
CASES = [
    pytest.param(name, case, id=f"{name}: {case.name}")
    for name, contender in CONTENDERS.items()
    if scenario_of(contender).check.law  # the others are asked other requests
    for case in parity.cases(DEFAULT_INFO.entities, SETTINGS.max_body_bytes)
    if case.basic or not contender.harness_floor
]

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(("name", "case"), CASES)
def test_a_contender_answers_as_the_contract_says(name: str, case: parity.Case, stacks: Stacks) -> None:
    response = parity.ask(stacks.get(name).base_url, CONTENDERS[name].endpoint, case)
    assert parity.check(case, response, BOUNDS_S) is None


def test_a_score_is_the_mean_of_what_the_models_answered(twin: Stack) -> None:
    for answered in ask_all(twin, [Asked(b"[5.1,3.5,1.4,0.2]")] * 20, clients=1):
        drawn = re.findall(r"drawn;desc=\d+;dur=([0-9.]+)", answered.headers["server-timing"])
        assert len(drawn) == 2
        assert answered.detail_s == pytest.approx(mean(map(float, drawn)) / 1e3, abs=1e-6)


def test_an_answer_is_json_with_one_number_and_nothing_else(twin: Stack) -> None:
    (answered,) = ask_all(twin, [Asked(b"[1]")], clients=1)
    assert list(json.loads(answered.body)) == ["detail"]
    assert answered.headers["content-type"] == "application/json"


def test_every_process_listens_on_loopback_and_nowhere_else(twin: Stack) -> None:
    for running in twin.processes:
        root = psutil.Process(running.pid)
        listening = {
            connection.laddr.ip
            for process in [root, *root.children(recursive=True)]
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening == {"127.0.0.1"}, running.role

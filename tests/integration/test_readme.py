"""The calls of the README answer as it says."""

import json
import re
import shlex
import subprocess

import pytest

from benchmark.contenders.discovery import ROOT
from tests.conftest import CONTENDERS, Stacks

pytestmark = pytest.mark.integration

CALLS = re.findall(r"^curl .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
# Which process of which contender listens on a port of the README.
BY_PORT = {
    str(process.port): (name, process.role)
    for name in ("sync", "async")
    for process in CONTENDERS[name].process
    if process.role != "redis"
}


def test_the_readme_calls_health_and_predict_on_four_ports() -> None:
    assert len(CALLS) == 8


@pytest.mark.parametrize("call", CALLS)
def test_a_call_of_the_readme_answers(call: str, stacks: Stacks) -> None:
    port = re.search(r":(\d+)/", call)
    assert port
    name, role = BY_PORT[port[1]]
    here = call.replace(port[0], f":{stacks.get(name).port(role)}/")
    answer = subprocess.run([*shlex.split(here), "--silent", "--fail"], check=True, capture_output=True, text=True)
    body = json.loads(answer.stdout)
    if "healthcheck" in call:
        assert body == {"status": "OK"}
    else:
        assert 0.04 <= body["detail"] <= 0.05

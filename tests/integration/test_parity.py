"""Every contender gives the contract's answers, byte for byte, over real sockets."""

import pytest

from benchmark.load import parity
from benchmark.scenarios.discovery import scenario_of
from contract.model import quantile_function
from contract.settings import Settings
from feature_store.seed import DEFAULT_INFO
from tests.conftest import CONTENDERS, Stacks

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

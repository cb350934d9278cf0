"""What the four kinds of tests share: each twin, started once for a module, with models that take 4 to 5 ms."""

import pytest

from benchmark.stack.processes import Stack
from tests.conftest import CONTENDERS, Stacks
from tests.integration.api.asking import FAST, TWINS
from tests.integration.test_faults import until_seeded


@pytest.fixture(scope="module", params=TWINS)
def twin(request: pytest.FixtureRequest, stacks: Stacks) -> Stack:
    """One of the twins; a test that uses it runs against each."""
    stack = stacks.start(CONTENDERS[request.param], FAST)
    until_seeded(stack)
    return stack

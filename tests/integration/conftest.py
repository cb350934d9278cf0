"""What the tests of this folder share."""

from collections.abc import Iterator

import pytest

from tests.integration.processes import Watching, members


@pytest.fixture
def watching() -> Iterator[Watching]:
    watching = Watching()
    yield watching
    watching.close()
    assert members(watching.groups) == []

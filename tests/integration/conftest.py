"""What the tests of this folder share."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark.stack.watchdog import stop_groups
from tests.integration.processes import Watching, members


@pytest.fixture
def watching() -> Iterator[Watching]:
    watching = Watching()
    yield watching
    watching.close()
    assert members(watching.groups) == []


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where `up` keeps its state; whatever is up at the end is stopped."""
    run = tmp_path / "run"
    seen: set[int] = set()
    yield run
    if (run / "services.json").is_file():
        seen = {service["pid"] for service in json.loads((run / "services.json").read_text())}
    stop_groups(seen)

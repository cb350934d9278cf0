"""What the tests of this folder share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.benchmark.experiments.strategies.synthetic import Recorded, begin

Begin = Callable[..., Recorded]


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Begin:
    """Begins a run of the strategy whose laws are known."""

    def begin_run(**changes: Any) -> Recorded:
        return begin(tmp_path, monkeypatch, **changes)

    return begin_run

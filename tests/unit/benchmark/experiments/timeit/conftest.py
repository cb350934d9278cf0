"""What the tests of this folder share."""

from pathlib import Path

import pytest

from tests.unit.benchmark.experiments.timeit.synthetic import Recorder, recorder


@pytest.fixture
def record(tmp_path: Path) -> Recorder:
    """Records timeit runs."""
    return recorder(tmp_path)

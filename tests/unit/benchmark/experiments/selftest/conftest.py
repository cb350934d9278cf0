"""Pictures that are not drawn."""

from dataclasses import replace

import pytest

from benchmark.experiments.selftest import experiment


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command draw no page, which costs most of the time."""
    plain = replace(experiment.EXPERIMENT, write_page=lambda run: run.path, headline=lambda _: None)
    monkeypatch.setattr(experiment, "EXPERIMENT", plain)

"""No test of the contract depends on the shell that it runs in, or on how busy the machine is."""

import os

import pytest
from hypothesis import HealthCheck, settings

from contract.settings import PREFIX

settings.register_profile("patient", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)

"""Both twins set aside what they have loaded, once it is loaded and before they serve; or not, if told so."""

import gc

import pytest

import sync_api.server
from contract.settings import Architecture, Role, load_settings
from tests.unit.services.conftest import TWINS, Services

every_twin = pytest.mark.parametrize("twin", TWINS)
every_role = pytest.mark.parametrize("role", ["scoring", "model"])


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch, services: Services) -> list[list[str]]:
    """Return what the scoring handler had made by each time that something was frozen."""
    found: list[list[str]] = []
    monkeypatch.setattr(gc, "collect", lambda: 0)
    monkeypatch.setattr(gc, "freeze", lambda: found.append(list(services.world.made)))
    return found


def serve(twin: Architecture, role: Role, services: Services, gc_freeze: bool) -> None:
    """Load a service as its server does."""
    if twin == "sync":
        sync_api.server.Server(load_settings(twin, role, gc_freeze=gc_freeze)).load()
    else:
        services.make(twin, role, gc_freeze=gc_freeze)


@every_twin
@every_role
def test_a_service_is_frozen_once_its_clients_are_made(
    twin: Architecture, role: Role, services: Services, frozen: list[list[str]]
) -> None:
    serve(twin, role, services, gc_freeze=True)
    assert frozen == [["store", "models"] if role == "scoring" else []]


@every_twin
def test_a_service_is_left_alone_if_told_so(twin: Architecture, services: Services, frozen: list[list[str]]) -> None:
    serve(twin, "scoring", services, gc_freeze=False)
    assert services.world.made == ["store", "models"]
    assert frozen == []

"""The Locust file: which classes its web UI ticks, and how it names the rows of the statistics."""

import importlib
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


@pytest.fixture(scope="module")
def locustfile() -> Iterator[ModuleType]:
    """The module for two contenders, imported without replacing the sockets of this process or raising its limits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")
        patch.setenv("CONTENDERS", "sync,async")
        patch.setattr("contract.limits.raise_open_files", lambda: None)
        yield importlib.import_module("benchmark.load.locustfile")


class Page:
    """The web UI as Locust makes it: it offers all classes, and ticks all of them."""

    def __init__(self, names: list[str]) -> None:
        self.names, self.template_args = names, dict[str, Any]()

    def update_template_args(self) -> None:
        self.template_args = {"users": dict.fromkeys(self.names), "available_user_classes": sorted(self.names)}


@pytest.mark.parametrize(("named", "ticked"), [([], ["Sync"]), (["AsyncOpenLoop"], ["AsyncOpenLoop"])])
def test_the_picker_offers_all_classes_and_ticks_the_first_closed_loop_or_those_that_were_named(
    locustfile: ModuleType, named: list[str], ticked: list[str]
) -> None:
    page = Page(list(locustfile.USERS))
    options = SimpleNamespace(user_classes=named)
    locustfile.tick_one_class(SimpleNamespace(web_ui=page, parsed_options=options))
    page.update_template_args()
    assert page.template_args["available_user_classes"] == ticked
    assert list(page.template_args["users"]) == ["Sync", "SyncOpenLoop", "Async", "AsyncOpenLoop"]


def test_a_headless_run_has_nothing_to_tick(locustfile: ModuleType) -> None:
    locustfile.tick_one_class(SimpleNamespace(web_ui=None, parsed_options=None))


def test_both_loops_of_every_contender_have_a_row_of_their_own(locustfile: ModuleType) -> None:
    rows = {name: users.row for name, users in locustfile.USERS.items()}
    assert rows["Sync"] == "/api/v1/ml/sync/predict (sync, closed loop)"
    assert rows["AsyncOpenLoop"] == "/api/v1/ml/async/predict (async, open loop)"
    assert len(set(rows.values())) == len(rows)

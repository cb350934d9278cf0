"""Nothing is profiled that has not shown to answer rightly, whichever side is asked about."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmark.contenders.discovery import choose, discover
from benchmark.errors import SettingRefused
from benchmark.experiments.profiling import measure as module
from benchmark.experiments.profiling.measure import Setting
from benchmark.experiments.profiling.plan import ProfilePlan
from benchmark.measure.trial import CellPlan, ParityError
from benchmark.record.run import Run

CONTENDER = choose(["sync"], discover())[0]


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done with a contender that fails parity, in order."""
    found: list[str] = []

    @contextmanager
    def stack(*_: Any) -> Iterator[None]:
        yield None

    def refuse(_: Any) -> None:
        found.append("parity")
        raise ParityError("it answers otherwise")

    monkeypatch.setattr(module, "_stack", stack)
    monkeypatch.setattr(module, "check_parity_of", refuse)
    monkeypatch.setattr(module, "_call", lambda *_, **__: found.append("call"))
    return found


def setting(tmp_path: Path, *sides: str) -> Setting:
    plan = ProfilePlan(sides=sides, profilers=("yappi",))
    anything: Any = None
    return Setting(Run.create(tmp_path, "profile", {}), plan, CellPlan((), (), True, True), anything, anything)


def test_the_client_alone_calls_nobody_who_fails_parity(tmp_path: Path, done: list[str]) -> None:
    with pytest.raises(ParityError):
        module._call_without(setting(tmp_path, "client"), CONTENDER)
    assert done == ["parity"]


def test_parity_is_asked_once(tmp_path: Path, done: list[str]) -> None:
    module._call_without(setting(tmp_path, "client", "server"), CONTENDER)
    assert "parity" not in done
    assert "call" in done


def test_a_setting_that_profiling_cannot_do_with_is_refused(tmp_path: Path) -> None:
    progress: Any = None
    with pytest.raises(SettingRefused, match="stage_clock"):
        module.run_profile(tmp_path, [CONTENDER], ProfilePlan(), {"stage_clock": "false"}, progress)
    assert not list(tmp_path.iterdir())

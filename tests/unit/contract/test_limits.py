"""Open files: the soft limit is raised to the hard one, wherever that can be done, and never lowered."""

from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from contract import limits
from contract.limits import OpenFiles

INFINITE = -1


class FakeResource(SimpleNamespace):
    """The module `resource` of a system with these limits, which refuses soft ones above `most`."""

    RLIMIT_NOFILE, RLIM_INFINITY = 7, INFINITE

    def __init__(self, soft: int, hard: int, most: int = 10**9, error: type[Exception] = ValueError) -> None:
        super().__init__(now=(soft, hard), most=most, error=error, asked=[])

    def getrlimit(self, which: int) -> Sequence[int]:
        assert which == self.RLIMIT_NOFILE
        return tuple(self.now)

    def setrlimit(self, which: int, wanted: tuple[int, int]) -> None:
        assert which == self.RLIMIT_NOFILE
        self.asked.append(wanted)
        if wanted[0] > self.most:
            raise self.error("current limit exceeds maximum limit")
        self.now = wanted


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        (FakeResource(1024, 4096), OpenFiles(4096, 4096)),
        (FakeResource(4096, 4096), OpenFiles(4096, 4096)),
        (FakeResource(1024, INFINITE), OpenFiles(65_536, None)),
        (FakeResource(256, INFINITE, most=10_240), OpenFiles(10_240, None)),
        (FakeResource(256, INFINITE, most=256), OpenFiles(256, None)),
        (FakeResource(100_000, INFINITE), OpenFiles(100_000, None)),
        (FakeResource(INFINITE, INFINITE), OpenFiles(None, None)),
        (FakeResource(256, 1024, most=512), OpenFiles(256, 1024)),
        (FakeResource(256, 1024, most=512, error=PermissionError), OpenFiles(256, 1024)),
    ],
)
def test_the_soft_limit_is_raised_as_far_as_the_system_lets_it(
    system: FakeResource, expected: OpenFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    hard_before = system.now[1]
    monkeypatch.setattr(limits, "resource", system)
    assert limits.raise_open_files() == limits.open_files() == expected
    assert system.now[1] == hard_before


@pytest.mark.parametrize("soft", [4096, INFINITE])
def test_nothing_is_asked_for_where_there_is_nothing_to_raise(soft: int, monkeypatch: pytest.MonkeyPatch) -> None:
    system = FakeResource(soft, 4096 if soft > 0 else INFINITE)
    monkeypatch.setattr(limits, "resource", system)
    limits.raise_open_files()
    assert system.asked == []


def test_a_system_without_such_limits_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "resource", None)
    assert limits.raise_open_files() == limits.open_files() == OpenFiles(None, None)

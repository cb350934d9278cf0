"""Whoever waits for a moment goes on when it has come, and lets others have their turn meanwhile."""

import sys
import time
from collections.abc import Iterator

import gevent
import psutil
import pytest

from benchmark.load.alarm import Alarm

MS_NS = 10**6


@pytest.fixture(params=["linux", "elsewhere"])
def alarm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Alarm]:
    if request.param != "linux":
        monkeypatch.setattr(sys, "platform", request.param)
    made = Alarm()
    yield made
    made.close()


def test_nobody_goes_on_before_the_moment_has_come(alarm: Alarm) -> None:
    for left_ns in (3 * MS_NS, MS_NS // 5, 1):
        moment_ns = time.monotonic_ns() + left_ns
        alarm.wait_until(moment_ns)
        assert time.monotonic_ns() >= moment_ns - MS_NS // 10  # gevent's own timer may be a little early


@pytest.mark.parametrize("left_ns", [5 * MS_NS, -5 * MS_NS], ids=["to come", "past"])
def test_others_have_their_turn_meanwhile(alarm: Alarm, left_ns: int) -> None:
    turns: list[str] = []
    gevent.spawn(turns.append, "other")
    alarm.wait_until(time.monotonic_ns() + left_ns)
    assert turns == ["other"]


def test_it_leaves_no_open_file() -> None:
    Alarm().close()  # whatever is opened once
    before = open_files()
    for _ in range(5):
        Alarm().close()
    assert open_files() == before


def open_files() -> int:
    return psutil.Process().num_fds()

"""What others had of the machine, from what it says of itself and from what our processes used."""

import contextlib
import os
from collections import namedtuple
from types import SimpleNamespace
from typing import Any, cast

import psutil
import pytest

from benchmark.contenders.discovery import Process
from benchmark.measure import machine_load
from benchmark.measure.machine_load import SURROUNDINGS, Watch, machine_times
from benchmark.record import resources
from benchmark.record.columns import GENERATOR_ROLE
from benchmark.record.resources import Disturbance, MachineTimes, disturbance
from tests.conftest import CONTENDERS

SECOND_NS = 10**9


def test_guests_are_part_of_the_user_time_and_a_disk_is_waited_for_in_idleness(monkeypatch: pytest.MonkeyPatch) -> None:
    linux = namedtuple("linux", "user nice system idle iowait irq softirq steal guest guest_nice")
    monkeypatch.setattr(psutil, "cpu_times", lambda **_: [linux(10.0, 1.0, 4.0, 50.0, 5.0, 0.5, 0.25, 3.0, 7.0, 0.75)])
    assert machine_times() == MachineTimes(15.75 * SECOND_NS, 55.0 * SECOND_NS, 3.0 * SECOND_NS)


def test_a_system_that_knows_no_steal_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    other = namedtuple("other", "user nice system idle")
    monkeypatch.setattr(psutil, "cpu_times", lambda **_: [other(10.0, 1.0, 4.0, 50.0)])
    assert machine_times() == MachineTimes(15.0 * SECOND_NS, 50.0 * SECOND_NS, 0.0)


def test_cores_that_this_run_may_not_use_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = namedtuple("cpu", "user idle")
    monkeypatch.setattr(psutil, "cpu_times", lambda **_: [cpu(1.0, 9.0), cpu(2.0, 8.0), cpu(4.0, 6.0)])
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2})
    assert machine_times() == MachineTimes(5.0 * SECOND_NS, 15.0 * SECOND_NS, 0.0)


@pytest.mark.parametrize(
    ("spent", "own", "expected"),
    [
        ((60, 30, 10), 20, Disturbance(0.4, 0.1)),
        ((60, 40, 0), 60, Disturbance(0.0, 0.0)),
        ((60, 40, 0), 65, Disturbance(0.0, 0.0)),  # ticks are coarse: never less than nothing
        ((60, 45, -5), 0, Disturbance(0.6, 0.0)),
        ((0, 0, 0), 0, Disturbance(None, None)),  # shorter than a tick
    ],
)
def test_what_is_not_ours_is_others(spent: tuple[int, int, int], own: int, expected: Disturbance) -> None:
    assert disturbance(MachineTimes(*spent), own) == expected


@pytest.mark.parametrize("role", SURROUNDINGS)
def test_no_contender_can_have_a_role_of_the_machine(role: str) -> None:
    assert role not in {GENERATOR_ROLE, *(p.role for c in CONTENDERS.values() for p in c.process)}
    with pytest.raises(ValueError, match="role"):
        Process(role=role, module="nothing", port=1)


def test_all_that_surrounds_a_contender_is_counted() -> None:
    used = {role: counters.read() for role, counters in SURROUNDINGS.items()}
    assert all(cpu_ns >= 0 for cpu_ns, _ in used.values())
    assert used[resources.BUSY][0] > 0
    assert used[resources.IDLE][0] > 0
    assert used[resources.HARNESS][0] > 0
    assert used[resources.HARNESS][1] > 0


class Clocks:
    """The machine's times and those of processes, in ns, as a test sets them."""

    def __init__(self, patch: pytest.MonkeyPatch, *pids: int) -> None:
        self.machine, self.used = MachineTimes(0, 0, 0), dict.fromkeys(pids, 0)
        patch.setattr(machine_load, "machine_times", lambda: self.machine)
        patch.setattr(machine_load, "processes_of", lambda _: [SimpleNamespace(pid=pid) for pid in pids])
        patch.setattr(machine_load, "cpu_ns_of", self._cpu_ns_of)

    def _cpu_ns_of(self, process: Any) -> int:
        if process.pid not in self.used:
            raise psutil.NoSuchProcess(process.pid)
        return self.used[process.pid]

    def pass_by(self, busy: int, idle: int, steal: int = 0, **used: int) -> None:
        spent = (busy, idle, steal)
        self.machine = MachineTimes(*(mine + more for mine, more in zip(self.machine, spent, strict=True)))
        for name, ns in used.items():
            self.used[int(name.removeprefix("of_"))] += ns


def test_a_watch_adds_up_its_blocks_and_leaves_out_what_is_between(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = Clocks(monkeypatch, 1, 2)
    watch = Watch(1)
    assert watch.disturbance == Disturbance(None, None)
    with watch:
        clocks.pass_by(60, 40, of_1=30, of_2=20)
    assert watch.disturbance == Disturbance(0.1, 0.0)
    clocks.pass_by(1000, 0)
    with watch:
        clocks.pass_by(50, 40, 10, of_2=10)
    assert watch.disturbance == Disturbance(0.25, 0.05)


def test_a_block_that_ends_with_an_error_is_watched_too(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = Clocks(monkeypatch, 1)
    watch = Watch(1)
    with contextlib.suppress(OSError), watch:
        clocks.pass_by(50, 50)
        raise OSError("gone")
    assert watch.disturbance == Disturbance(0.5, 0.0)


def test_a_process_of_ours_that_has_ended_does_not_end_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = Clocks(monkeypatch, 1, 2)
    watch = Watch(1)
    with watch:
        clocks.pass_by(60, 40, of_1=60)
        del clocks.used[2]
    with watch:
        clocks.pass_by(60, 40, of_1=60)
    assert watch.disturbance == Disturbance(0.0, 0.0)


def test_a_watch_on_a_process_that_is_gone_finds_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(pid: int) -> psutil.Process:
        raise psutil.NoSuchProcess(pid)

    monkeypatch.setattr(psutil, "Process", cast(Any, gone))
    with Watch(1) as watch:
        pass
    assert watch.disturbance.foreign_share is None or watch.disturbance.foreign_share >= 0

"""Before a run: a busy machine is named with who keeps it busy, and can be waited for. Time is a list of numbers."""

import io
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmark.experiments.bench import plan as plans
from benchmark.experiments.bench.experiment import EXPERIMENT
from benchmark.experiments.experiment import carry_out
from benchmark.load.plan import Level
from benchmark.measure import preflight
from benchmark.measure.preflight import BusyProcess, MachineBusy, Use, await_idle, busiest
from benchmark.record import provenance
from tests.integration.processes import BUSY
from tests.unit.benchmark.fakes import FakeStack, fake_stack, make_progress
from tests.unit.benchmark.synthetic import make_contender

BENCH = replace(EXPERIMENT, write_page=lambda run: run.path)  # the real page has tests of its own
LIMIT = 0.15
IDLE = Use(0.02)
COMPILING = Use(0.34, [BusyProcess("cc1", 12, 0.61), BusyProcess("chromium", 88, 0.07)])


class Machine:
    """A machine that is found so at each look, and stays as it was found last; a look takes a second."""

    def __init__(self, *found: Use) -> None:
        self.found, self.time_s, self.said = list(found), 0.0, list[str]()

    def look(self, limit: float) -> Use:
        assert limit == LIMIT
        self.time_s += 1
        return self.found.pop(0) if len(self.found) > 1 else self.found[0]

    def await_idle(self, wait_s: float) -> float:
        return await_idle(LIMIT, wait_s, self.said.append, self.look, lambda: self.time_s)


@pytest.mark.parametrize("wait_s", [0, 60])
def test_an_idle_machine_is_not_spoken_of(wait_s: float) -> None:
    machine = Machine(IDLE)
    assert machine.await_idle(wait_s) == 0.02
    assert machine.said == []
    assert machine.time_s == 1


def test_without_a_time_to_wait_a_busy_machine_is_warned_of_with_who_uses_it() -> None:
    machine = Machine(COMPILING)
    assert machine.await_idle(0) == 0.34
    (warning,) = machine.said
    for word in ("34% busy", "15%", "cc1 (pid 12) uses 61% of a core", "chromium (pid 88)", "INVALID", "--wait-idle"):
        assert word in warning


def test_a_machine_that_becomes_idle_in_time_is_waited_for() -> None:
    machine = Machine(*[COMPILING] * 5, IDLE)
    assert machine.await_idle(60) == 0.02
    assert machine.time_s == 6
    assert "59 s left" in machine.said[0]


def test_the_wait_is_told_of_again_and_again_but_not_at_every_look() -> None:
    machine = Machine(*[COMPILING] * 25, IDLE)
    machine.await_idle(60)
    assert [said.rpartition("; ")[2] for said in machine.said] == [
        "waiting, 59 s left",
        "waiting, 49 s left",
        "waiting, 39 s left",
    ]


def test_a_machine_that_stays_busy_ends_the_wait_with_an_error_that_names_who_uses_it() -> None:
    machine = Machine(COMPILING)
    with pytest.raises(MachineBusy, match=r"cc1 \(pid 12\).*nothing was started after 20 s"):
        machine.await_idle(20)


def test_where_no_process_accounts_for_it_that_is_said() -> None:
    machine = Machine(Use(0.5))
    machine.await_idle(0)
    assert "no process accounts for it" in machine.said[0]
    assert "virtual machines" in machine.said[0]


@pytest.fixture
def busy_process() -> Iterator[psutil.Process]:
    with subprocess.Popen([sys.executable, "-c", BUSY]) as popen:
        yield psutil.Process(popen.pid)
        popen.kill()


def test_a_process_that_computes_is_found_by_name_and_id(
    busy_process: psutil.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Others may be busier on the machine of this test.
    monkeypatch.setattr(preflight, "_SHOWN", 10_000)
    monkeypatch.setattr(preflight, "_LEAST", 0.0)

    def until_it_has_computed(_: float) -> None:
        before_s = busy_process.cpu_times().user
        while busy_process.cpu_times().user < before_s + 0.2:
            pass

    found = {process.pid: process for process in busiest(sleep=until_it_has_computed)}
    assert found[busy_process.pid].name == busy_process.name()
    assert found[busy_process.pid].cores > 0
    assert psutil.Process().pid not in found


class Bench:
    """`bench` of one contender on a machine of which a share is in use."""

    def __init__(self, results: Path, patch: pytest.MonkeyPatch, share: float) -> None:
        self.results, self.output = results, io.StringIO()
        self.stack: FakeStack = fake_stack(patch)
        patch.setattr(provenance, "busy_share", lambda: share)
        patch.setattr(preflight, "busiest", lambda: [BusyProcess("cc1", 12, 0.61)])

    def run(self, wait_idle_s: float = 0) -> dict[str, Any]:
        assignment = plans.assign([make_contender("a")], plans.BenchPlan(1, (Level(1, 0.1, 0.2),)), {})
        return carry_out(BENCH, assignment, self.results, make_progress(self.output), wait_idle_s).manifest


def test_the_record_holds_how_busy_the_machine_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path / "results", monkeypatch, 0.07)
    assert bench.run()["busy_before_start"] == 0.07
    assert "% busy" not in bench.output.getvalue()


def test_a_run_on_a_busy_machine_goes_on_with_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path / "results", monkeypatch, 0.4)
    assert bench.run()["busy_before_start"] == 0.4
    assert "the machine is 40% busy" in bench.output.getvalue()
    assert "cc1 (pid 12)" in bench.output.getvalue()


def test_nothing_is_started_or_written_on_a_machine_that_stays_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path / "results", monkeypatch, 0.4)
    with pytest.raises(MachineBusy):
        bench.run(wait_idle_s=1e-9)
    assert bench.stack.started == []
    assert not bench.results.exists()


def test_only_the_busiest_are_named_and_none_that_does_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    spent_s = {f"p{i}": 0.3 * i for i in range(8)}
    readings = [dict.fromkeys(enumerate(spent_s), 10.0)]
    readings.append({(i, name): 10.0 + used_s for i, (name, used_s) in enumerate(spent_s.items())})
    readings[1][99, "new"] = 5.0
    monkeypatch.setattr(preflight, "_cpu_s", lambda: readings.pop(0))
    clock_s = iter((100.0, 103.0))
    found = busiest(sleep=lambda _: None, now_s=lambda: next(clock_s))
    assert [(process.name, round(process.cores, 2)) for process in found] == [
        ("p7", 0.7),
        ("p6", 0.6),
        ("p5", 0.5),
        ("p4", 0.4),
        ("p3", 0.3),
    ]
    readings.extend([{(1, "idle"): 10.0}, {(1, "idle"): 10.01}])
    clock_s = iter((100.0, 103.0))
    assert busiest(sleep=lambda _: None, now_s=lambda: next(clock_s)) == []

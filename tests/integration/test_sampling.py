"""CPU and memory of real processes, as the sampler counts them."""

import os
import signal
import sys
import time
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from benchmark.measure.machine_load import SURROUNDINGS, Watch
from benchmark.measure.sampling import Sampler
from benchmark.record import resources
from benchmark.record.columns import ResourceSample
from benchmark.record.resources import disturbance_between
from benchmark.stack.processes import running_stack
from tests.conftest import CONTENDERS, REAL
from tests.integration.processes import BUSY, IDLE, Watching, started, until

pytestmark = pytest.mark.integration


@pytest.fixture
def samples() -> list[ResourceSample]:
    return []


def growing(samples: list[ResourceSample]) -> bool:
    """Whether there are some samples by now, with 100 ms of CPU time in between."""
    return len(samples) > 5 and samples[-1].cpu_ns > samples[0].cpu_ns + 10**8


def test_a_busy_process_uses_more_and_more_cpu_as_the_system_counts_it(
    tmp_path: Path, watching: Watching, samples: list[ResourceSample]
) -> None:
    with started([sys.executable, "-c", BUSY], tmp_path / "log", watching) as process:
        before_ns = cpu_ns(process.pid)
        with Sampler({"busy": process.pid}, samples.append):
            until(lambda: growing(samples), "CPU time grows")
        after_ns = cpu_ns(process.pid)
        count = len(samples)
        time.sleep(0.3)
        assert len(samples) == count, "a sampler that has ended samples no more"
    assert {sample.role for sample in samples} == {"busy"}
    assert all(sample.t_ns < later.t_ns for sample, later in pairwise(samples))
    assert all(sample.cpu_ns <= later.cpu_ns for sample, later in pairwise(samples))
    tick_ns = 2 * 10**9 // os.sysconf("SC_CLK_TCK")
    assert before_ns - tick_ns <= samples[0].cpu_ns
    assert samples[-1].cpu_ns <= after_ns + tick_ns
    assert 10**6 < samples[-1].rss_bytes < 10**9


def test_samples_are_taken_at_once_when_asked_for_and_again_when_they_are_due(
    tmp_path: Path, watching: Watching, samples: list[ResourceSample], monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(count: int) -> bool:
        return len(samples) == count

    monkeypatch.setattr("benchmark.measure.sampling.INTERVAL_S", 3600.0)
    with (
        started([sys.executable, "-c", BUSY], tmp_path / "log", watching) as process,
        Sampler({"busy": process.pid}, samples.append) as sampler,
    ):
        for count in (1, 2, 3):
            until(partial(taken, count), f"sample {count} is taken")
            time.sleep(0.1)
            assert len(samples) == count, "nobody asked for more"
            sampler.sample_soon()
        until(partial(taken, 4), "the last is taken")
        monkeypatch.setattr("benchmark.measure.sampling.INTERVAL_S", 0.01)
        sampler.sample_soon()
        until(lambda: len(samples) > 6, "samples are due again")


def test_cpu_of_a_child_counts_for_its_parent(
    tmp_path: Path, watching: Watching, samples: list[ResourceSample]
) -> None:
    program = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BUSY!r}])"
    with started([sys.executable, "-c", program], tmp_path / "log", watching) as process:
        until(psutil.Process(process.pid).children, "the child runs")
        with Sampler({"parent": process.pid}, samples.append):
            until(lambda: growing(samples), "CPU time grows")
    assert {sample.role for sample in samples} == {"parent"}


def cpu_ns(pid: int) -> int:
    times = psutil.Process(pid).cpu_times()
    return int((times.user + times.system) * 1e9)


def test_an_idle_process_uses_no_cpu_to_speak_of(
    tmp_path: Path, watching: Watching, samples: list[ResourceSample]
) -> None:
    with (
        started([sys.executable, "-c", IDLE], tmp_path / "log", watching) as process,
        Sampler({"idle": process.pid}, samples.append),
    ):
        until(lambda: len(samples) > 12, "it is sampled")
    late = samples[-8:]
    assert late[-1].cpu_ns - late[0].cpu_ns < (late[-1].t_ns - late[0].t_ns) / 10


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_sampling_goes_on_for_others_when_a_process_dies(
    tmp_path: Path, watching: Watching, samples: list[ResourceSample]
) -> None:
    command = [sys.executable, "-c", IDLE]
    with (
        started(command, tmp_path / "one", watching) as mortal,
        started(command, tmp_path / "two", watching) as other,
        Sampler({"mortal": mortal.pid, "other": other.pid}, samples.append),
    ):
        until(lambda: {sample.role for sample in samples} == {"mortal", "other"}, "both are sampled")
        mortal.kill()
        mortal.wait()
        ended_ns = time.monotonic_ns()
        until(lambda: sum(sample.t_ns > ended_ns for sample in samples) > 12, "the other one is sampled on")
    # The one that may have been under way when the process was collected is half a sample later at most.
    assert {sample.role for sample in samples if sample.t_ns > ended_ns + 50_000_000} == {"other"}


def test_a_process_that_has_ended_and_was_not_collected_yet_is_not_sampled(
    tmp_path: Path, watching: Watching, samples: list[ResourceSample]
) -> None:
    with started([sys.executable, "-c", IDLE], tmp_path / "log", watching) as process:
        os.kill(process.pid, signal.SIGKILL)
        until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE, "it has ended")
        with Sampler({"mortal": process.pid}, samples.append):
            time.sleep(0.3)
    assert samples == []


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_sampler_ends_cleanly_when_all_processes_are_dead(
    tmp_path: Path, watching: Watching, samples: list[ResourceSample]
) -> None:
    with (
        started([sys.executable, "-c", IDLE], tmp_path / "log", watching) as process,
        Sampler({"mortal": process.pid}, samples.append),
    ):
        until(lambda: samples, "it is sampled")
        process.kill()
        process.wait()
    count = len(samples)
    time.sleep(0.3)
    assert len(samples) == count


def test_what_we_do_not_know_as_ours_is_foreign_by_as_much_as_it_used(
    tmp_path: Path, watching: Watching, samples: list[ResourceSample]
) -> None:
    ignorant = Watch(os.getpid())
    with started([sys.executable, "-c", BUSY], tmp_path / "log", watching) as process:
        knowing = Watch(os.getpid())
        with Sampler({"busy": process.pid, **SURROUNDINGS}, samples.append), ignorant, knowing:
            before_ns = cpu_ns(process.pid)
            until(lambda: cpu_ns(process.pid) > before_ns + 5 * 10**8, "it is busy for half a second")
    frame = pd.DataFrame(samples, columns=list(ResourceSample._fields))
    span_ns = int(frame["t_ns"].min()), int(frame["t_ns"].max())
    used_ns = frame.groupby("role")["cpu_ns"].agg(np.ptp)
    share = used_ns["busy"] / used_ns[[resources.BUSY, resources.IDLE, resources.STEAL]].sum()
    sampled = [disturbance_between(each, *span_ns) for each in (frame, frame[frame["role"] != "busy"])]
    for known, unknown in (sampled, (knowing.disturbance, ignorant.disturbance)):
        assert known.foreign_share is not None
        assert unknown.foreign_share is not None
        # The machine counts in ticks, and no share is below 0.
        assert unknown.foreign_share - known.foreign_share == pytest.approx(share, abs=0.05)


def test_a_real_stack_is_sampled_by_role(tmp_path: Path, watching: Watching, samples: list[ResourceSample]) -> None:
    with running_stack(CONTENDERS[REAL[0]], tmp_path, watching, free_ports=True) as stack:
        pids = {each.role: each.pid for each in stack.processes}
        with Sampler(pids, samples.append):
            until(lambda: {sample.role for sample in samples} == set(pids), "every role is sampled")
    assert all(sample.cpu_ns > 0 for sample in samples)


def test_cpu_of_children_that_came_and_went_between_two_samples_counts(
    tmp_path: Path, watching: Watching, samples: list[ResourceSample]
) -> None:
    spin = "import time\nwhile time.process_time() < 0.1: pass"
    program = f"import subprocess, sys\nwhile True: subprocess.run([sys.executable, '-c', {spin!r}])"
    with started([sys.executable, "-c", program], tmp_path / "log", watching) as process:
        parent = psutil.Process(process.pid)
        with Sampler({"parent": process.pid}, samples.append):
            until(lambda: parent.cpu_times().children_user > 0.5, "children have ended")
    assert samples[-1].cpu_ns - samples[0].cpu_ns > 3e8

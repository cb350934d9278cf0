"""The Locust file on several workers: together they issue the whole rate, and each its own schedule."""

import csv
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.contenders.discovery import ROOT
from benchmark.load.arrivals import poisson_arrivals
from benchmark.load.rates import parse_shape
from benchmark.measure.locust_process import LOCUSTFILE, class_name
from benchmark.record.run import read_samples
from benchmark.stack.processes import HOST, Stack, free_port, log_tail, start_process, stop_processes
from benchmark.stack.watchdog import Guard
from tests.conftest import Stacks

pytestmark = pytest.mark.integration

CONTENDER = "async-aiohttp"
RATE_RPS, SECONDS, SEED, WORKERS = 60, 6, 7, 2
SWARM = ["--headless", "--only-summary", "-u", str(WORKERS), "-r", "10", "-t", f"{SECONDS}s"]
OPEN_LOOP = class_name(CONTENDER, open_loop=True)


def environment(stack: Stack, folder: Path, rate_rps: float = RATE_RPS) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "CONTENDERS": CONTENDER,
        "HOST_URL": stack.base_url,
        "BENCHMARK_SAMPLES": str(folder / "samples.csv"),
        "OPEN_RPS": str(rate_rps),
        "OPEN_USERS": str(WORKERS),
        "SEED": str(SEED),
    }


def locust(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), *arguments]


def master_and_workers(folder: Path) -> list[list[str]]:
    port = str(free_port())
    master = ["--master", "--expect-workers", str(WORKERS), "--master-bind-host", HOST, "--master-bind-port", port]
    worker = ["--worker", "--master-host", HOST, "--master-port", port]
    return [locust(*master, *SWARM, "--csv", str(folder / "stats"), OPEN_LOOP), *[locust(*worker)] * WORKERS]


def one_command(folder: Path) -> list[list[str]]:
    port = str(free_port())
    return [
        locust(
            *("--processes", str(WORKERS), "--master-bind-host", HOST, "--master-bind-port", port),
            *("--master-host", HOST, "--master-port", port, *SWARM, "--csv", str(folder / "stats"), OPEN_LOOP),
        )
    ]


def swarm(folder: Path, guard: Guard, commands: list[list[str]], env: dict[str, str]) -> None:
    """Run a distributed swarm to its end."""
    log = folder / "log"
    started: list[subprocess.Popen[bytes]] = []
    try:
        started.extend(start_process(argv, log, guard, env) for argv in commands)
        for process in started:
            assert process.wait(timeout=60) == 0, log_tail(log)
    finally:
        stop_processes(started, guard)


@pytest.fixture(scope="module", params=[master_and_workers, one_command], ids=["workers", "processes"])
def folder(
    request: pytest.FixtureRequest, stacks: Stacks, guard: Guard, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with what a distributed swarm has left: a file of samples per worker, and the master's statistics."""
    folder = tmp_path_factory.mktemp("swarm")
    swarm(folder, guard, request.param(folder), environment(stacks.get(CONTENDER), folder))
    return folder


def samples_of(folder: Path) -> list[pd.DataFrame]:
    return [read_samples(path).sort_values("scheduled_ns") for path in sorted(folder.glob("samples*.csv"))]


def test_every_worker_writes_samples_of_its_own(folder: Path) -> None:
    assert sorted(path.name for path in folder.glob("samples*")) == ["samples.0.csv", "samples.1.csv"]
    assert all(frame["ok"].all() for frame in samples_of(folder))


def test_the_workers_together_issue_the_whole_rate(folder: Path) -> None:
    scheduled_ns = pd.concat([frame["scheduled_ns"] for frame in samples_of(folder)])
    seconds = (scheduled_ns.max() - scheduled_ns.min()) / 1e9
    # Five times the standard deviation of a count that follows Poisson's law.
    assert len(scheduled_ns) == pytest.approx(RATE_RPS * seconds, abs=5 * np.sqrt(RATE_RPS * seconds))


def test_each_worker_follows_a_schedule_of_its_own_without_a_gap(folder: Path) -> None:
    for worker, frame in enumerate(samples_of(folder)):
        planned_s = list(islice(poisson_arrivals(RATE_RPS / WORKERS, SEED + 1000 * worker), len(frame)))
        seconds = (frame["scheduled_ns"] - frame["scheduled_ns"].iloc[0]) / 1e9
        assert seconds.tolist() == pytest.approx([t_s - planned_s[0] for t_s in planned_s], abs=1e-6)


def master_saw(folder: Path) -> tuple[int, int]:
    """Return requests and failures in the master's statistics."""
    with (folder / "stats_stats.csv").open() as file:
        total = list(csv.DictReader(file))[-1]
    assert total["Name"] == "Aggregated"
    return int(total["Request Count"]), int(total["Failure Count"])


def test_no_request_is_lost_on_the_way_to_the_master(folder: Path) -> None:
    assert master_saw(folder) == (sum(len(frame) for frame in samples_of(folder)), 0)


def test_the_master_waits_for_workers_that_take_long_to_stop(stacks: Stacks, guard: Guard, tmp_path: Path) -> None:
    # A user stops with its next arrival, which at this rate is two seconds away; Locust's own waits half a second.
    swarm(tmp_path, guard, master_and_workers(tmp_path), environment(stacks.get(CONTENDER), tmp_path, rate_rps=1))
    assert master_saw(tmp_path) == (sum(len(frame) for frame in samples_of(tmp_path)), 0)


def test_the_workers_deal_the_arrivals_of_a_shape_out_and_end_with_it(
    stacks: Stacks, guard: Guard, tmp_path: Path
) -> None:
    """Each of them follows every second arrival of the schedule that `promise` follows for the same seed."""
    shape, port = "20 -> 90 in 1s, bursts 20 to 90, 300ms and 300ms, for 1s", str(free_port())
    addresses = ["--master-bind-host", HOST, "--master-bind-port", port, "--master-host", HOST, "--master-port", port]
    command = locust(
        "--headless", "--only-summary", "--processes", str(WORKERS), *addresses, "--shape", shape, OPEN_LOOP
    )
    swarm(tmp_path, guard, [command], environment(stacks.get(CONTENDER), tmp_path))
    due_s = parse_shape(shape).arrivals_s(SEED)
    shares = samples_of(tmp_path)
    for frame, own_s in zip(sorted(shares, key=len), sorted((due_s[0::2], due_s[1::2]), key=len), strict=True):
        since_s = (frame["scheduled_ns"] - frame["scheduled_ns"].iloc[0]) / 1e9
        assert since_s.tolist() == pytest.approx([t_s - own_s[0] for t_s in own_s], abs=1e-6)

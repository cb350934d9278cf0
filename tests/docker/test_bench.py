"""`make docker-bench`: the comparison of `make bench` with containers, and nothing left of them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmark.contenders.discovery import ROOT
from benchmark.errors import EngineError
from benchmark.stack.cgroups import ControlGroup, EngineApi
from benchmark.stack.containers import ContainerLauncher
from benchmark.stack.images import PROJECT
from benchmark.stack.processes import running_stack
from benchmark.stack.watchdog import Guard
from tests.conftest import CONTENDERS
from tests.docker.conftest import containers, environment, make

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

BENCH = f"{PROJECT}=bench"
VALID, INVALID = 0, 3
# What only says that the machine had something else to do.
NOISE = (
    "the machine was",
    "rate x latency",
    "the rate changed",
    "the load generator was saturated",
    "other programs",
    "the hypervisor",
)


def until(condition: object, what: str, seconds: float = 60) -> None:
    until_s = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < until_s, f"{what}: not within {seconds:g} s"
        time.sleep(0.1)


def test_a_quick_docker_bench_writes_a_report_of_containers(built: str, tmp_path: Path) -> None:
    arguments = f"--contenders sync,async,null --free-ports --results {tmp_path}"
    done = make("docker-bench", QUICK="1", BENCH_ARGS=arguments)
    assert done.returncode == 0 or "Error 3" in done.stdout, done.stdout[-5000:]
    run = (tmp_path / "latest").resolve()
    manifest, summary = (json.loads((run / name).read_text()) for name in ("manifest.json", "summary.json"))
    assert summary["complete"]
    noise = [reason for reason in summary["reasons"] if any(word in reason["text"] for word in NOISE)]
    assert summary["reasons"] == noise
    for name in ("sync", "async"):
        entry = summary["contenders"][name]
        assert [level["errors"] for level in entry["levels"]] == [0, 0]
        assert entry["cpu_ms_per_request"]["scoring"] > 0
        assert entry["rss_mb"]["model"] > 10
    page = (run / "report.html").read_text()
    assert "ran as containers" in page
    assert "on the host network" in page
    assert manifest["containers"]["plain_processes"] == ["null scoring"]
    assert all(image["id"].startswith("sha256:") for image in manifest["containers"]["images"].values())
    assert containers(BENCH) == []


def test_a_contender_as_containers_is_counted_by_the_engine_and_stopped(
    built: str, guard: Guard, tmp_path: Path
) -> None:
    with running_stack(CONTENDERS["sync"], tmp_path, guard, free_ports=True, launcher=ContainerLauncher()) as stack:
        assert len(containers(BENCH)) == len(stack.processes)
        groups = [running.counters for running in stack.processes]
        for running, group in zip(stack.processes, groups, strict=True):
            assert isinstance(group, ControlGroup)
            before, (told_ns, told_bytes), after = group.read(), EngineApi(str(running.container)).read(), group.read()
            assert before[0] <= told_ns <= after[0]
            assert told_bytes == pytest.approx(before[1], rel=0.2)
    assert containers(BENCH) == []
    with pytest.raises(OSError):  # noqa: PT011 - gone, whatever the system calls it
        groups[0].read()  # type: ignore[union-attr]


def test_a_killed_harness_leaves_no_container(built: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmark", "bench", "--containers", "--quick", "--free-ports"]
    with (tmp_path / "log").open("wb") as log:
        harness = subprocess.Popen(
            [*command, "--contenders", "async", "--results", str(tmp_path)], cwd=ROOT, stdout=log, stderr=log
        )
    until(lambda: len(containers(BENCH)) >= 2 or harness.poll() is not None, "containers are there")
    assert harness.poll() is None, (tmp_path / "log").read_text()
    os.kill(harness.pid, signal.SIGKILL)
    harness.wait()
    until(lambda: not containers(BENCH), "no container is there")
    time.sleep(1)  # one that was being made would be there by now
    assert containers(BENCH) == []


def test_a_missing_image_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGE_TAG", "never-built")
    with pytest.raises(EngineError, match=r"no image sync-or-async/\w+:never-built; build it: make docker-build"):
        ContainerLauncher().facts([CONTENDERS["sync"]])


def test_an_engine_that_does_not_answer_is_a_sentence() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmark", "bench", "--containers"], cwd=ROOT,
        env=environment(DOCKER_HOST="unix:///nowhere.sock"), check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "the container engine does not answer" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr

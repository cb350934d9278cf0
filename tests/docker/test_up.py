"""`make docker-up`, `docker-run-...` and `docker-stop`: everything healthy, answering, and gone afterwards."""

import json
import re
import shlex
import shutil
import subprocess

import pytest
import yaml

from benchmark.contenders.discovery import ROOT
from benchmark.stack.images import PROJECT
from docker import engine
from docker.up import PROFILES
from tests.docker.conftest import containers, make
from tests.integration.test_readme import CALLS

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

SERVICES = ("sync-model", "sync-scoring", "async-model", "async-scoring")


def check_call(call: str) -> None:
    """Ask as the README says, and check the answer."""
    answer = subprocess.run([*shlex.split(call), "--silent", "--fail"], check=True, capture_output=True, text=True)
    body = json.loads(answer.stdout)
    if "healthcheck" in call:
        assert body == {"status": "OK"}
    else:
        assert 0.04 <= body["detail"] <= 0.05


def test_docker_up_ends_with_every_container_healthy(up: str) -> None:
    states = dict(line.split()[:2] for line in up.splitlines() if line.split()[0] in {*SERVICES, "redis", "seed"})
    assert states == {**dict.fromkeys((*SERVICES, "redis"), "healthy"), "seed": "done"}


@pytest.mark.parametrize("call", CALLS)
def test_a_call_of_the_readme_answers(call: str, up: str) -> None:
    check_call(call)


def test_ports_are_those_of_the_contract_on_loopback_only(up: str) -> None:
    published = engine.ask("ps", "--filter", f"label={PROJECT}", "--format", "{{.Ports}}").split()
    assert sorted(p for p in published if "->" in p) == [
        f"127.0.0.1:{port}->{port}/tcp" for port in (5000, 5001, 6379, 8000, 8001)
    ]


def test_cpu_and_memory_are_limited(up: str) -> None:
    names = [name for name in containers() if "scoring" in name]
    limits = [json.loads(engine.ask("inspect", "--format", "{{json .HostConfig}}", name)) for name in names]
    assert [(limit["NanoCpus"], limit["Memory"]) for limit in limits] == [(10**9, 512 * 2**20)] * 2


def test_docker_stop_leaves_no_container_and_no_network(up: str) -> None:
    done = make("docker-stop")
    assert done.returncode == 0, done.stdout
    assert containers() == []
    assert engine.ask("network", "ls", "--quiet", "--filter", f"name=^{PROJECT}$") == ""


def test_each_service_runs_as_a_container_of_its_own(built: str) -> None:
    try:
        runs = [f"docker-run-{role}-{name}" for name in ("sync", "async") for role in ("model", "scoring")]
        done = make("docker-run-redis", *runs)
        assert done.returncode == 0, done.stdout
        for call in CALLS:
            check_call(f"{call} --retry 50 --retry-connrefused --retry-all-errors --retry-delay 1 --retry-max-time 60")
        refused = make("docker-up")
        assert refused.returncode != 0
        assert "make docker-stop" in refused.stdout
    finally:
        stopped = make("docker-stop")
    assert stopped.returncode == 0, stopped.stdout
    assert containers() == []


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="docker-compose 1.29 is not installed")
def test_the_compose_file_is_read_by_docker_compose_1_29() -> None:
    version = subprocess.run(
        ["docker-compose", "version", "--short"], check=True, capture_output=True, text=True
    ).stdout
    profiles = [word for name in PROFILES for word in ("--profile", name)]
    command = ["docker-compose", "-f", "docker/compose.yaml", *profiles, "config", "--services"]
    services = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert set(yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())["services"]) == set(services), version
    assert {*SERVICES, "redis", "seed"} < set(services)


def test_a_service_that_falls_ill_makes_docker_up_fail_and_say_which(built: str) -> None:
    try:
        done = make("docker-up", SYNC_FAN_OUT="sideways")
    finally:
        make("docker-stop")
    assert done.returncode != 0
    found = re.search("^error: not all services are healthy: .*\\bsync-scoring is ", done.stdout, re.MULTILINE)
    assert found, done.stdout

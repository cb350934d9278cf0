"""`make docker-up PROFILE=jobs`: jobs and summaries are answered later, told, and still there afterwards."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from benchmark.contenders.discovery import ROOT
from benchmark.stack.images import PROJECT, image_name
from docker import engine
from tests.docker.conftest import containers, make
from tests.docker.test_images import MAX_ADDED_MB, size_mb

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

JOBS = "http://127.0.0.1:8010/api/v1/jobs"
SUMMARIES = "http://127.0.0.1:8020/api/v1/summaries"
RECEIVER = "http://127.0.0.1:8019/callbacks"
VOLUMES = [f"{PROJECT}_jobs-redis", f"{PROJECT}_jobs-database"]
WORKING = {"job-rq-worker-1", "job-rq-worker-2", "job-rq-callbacks", "push-dispatcher"}
ASKED = {"jobs-redis", "database", "job-rq", "receiver", "push-api", "push-worker"}


def remove_volumes() -> None:
    listed = engine.ask("volume", "ls", "--quiet").split()
    for name in set(VOLUMES).intersection(listed):
        engine.ask("volume", "rm", name)


@pytest.fixture(scope="module")
def jobs(built: str) -> Iterator[str]:
    """Everything with what answers later, on new volumes; yields what `make docker-up` said."""
    command = [sys.executable, "-m", "docker.verbs", "build", "jobs"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    make("docker-stop")
    remove_volumes()
    done = make("docker-up", PROFILE="jobs")
    try:
        assert done.returncode == 0, done.stdout[-5000:]
        yield done.stdout
    finally:
        make("docker-stop")
        remove_volumes()


def ask(url: str, body: bytes | None = None, **headers: str) -> tuple[int, dict[str, str], Any]:
    """Return status, headers and document of an answer."""
    given = {"Content-Type": "application/json"} | {name.replace("_", "-"): each for name, each in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, given), timeout=30) as answer:
            content = answer.read()
            found = {name.lower(): value for name, value in answer.headers.items()}
            return answer.status, found, json.loads(content) if content else None
    except urllib.error.HTTPError as error:
        return error.code, {}, json.loads(error.read())


def result(url: str, patience_s: float = 30) -> Any:
    """Return what a URL answers once it is 200."""
    until_s = time.monotonic() + patience_s
    while (answer := ask(url))[0] != 200:
        assert time.monotonic() < until_s, answer
        time.sleep(0.1)
    return answer[2]


def path_of(headers: dict[str, str]) -> str:
    """Return the id at the end of Location."""
    return headers["location"].rpartition("/")[2]


def test_everything_is_healthy_or_running(jobs: str) -> None:
    states = dict(
        line.split()[:2] for line in jobs.splitlines() if line.split()[:1] and line.split()[0] in WORKING | ASKED
    )
    assert states == {**dict.fromkeys(WORKING, "running"), **dict.fromkeys(ASKED, "healthy")}


def test_the_image_adds_no_more_than_the_others(jobs: str, built: str) -> None:
    assert size_mb(image_name("jobs")) - size_mb(built) <= MAX_ADDED_MB


def test_a_job_is_answered_later_and_told_to_the_receiver(jobs: str) -> None:
    status, headers, _ = ask(JOBS, b"[1, 2, 3, 4]", Callback_URL="http://receiver:8019/callbacks")
    assert status == 202
    assert result(f"{JOBS}/{path_of(headers)}")["total"] == 20.0
    assert ask(f"{RECEIVER}/{path_of(headers)}?wait_s=20")[2]["total"] == 20.0


def test_no_callback_goes_to_a_container_that_is_not_named(jobs: str) -> None:
    status, _, problem = ask(JOBS, b"[1]", Callback_URL="http://jobs-redis:6379/")
    assert (status, "not a public address" in problem["detail"]) == (400, True)


def test_a_summary_is_answered_later_and_then_at_once(jobs: str) -> None:
    status, headers, _ = ask(SUMMARIES, b"[5, 6]")
    assert status == 202
    assert result(f"{SUMMARIES}/{path_of(headers)}")["total"] == 22.0
    assert ask(SUMMARIES, b"[5, 6]")[0] == 200


def test_what_was_accepted_outlives_kills_and_docker_down(jobs: str) -> None:
    workers = [name for name in containers() if "worker" in name]
    engine.ask("stop", "--time", "35", *workers)
    _, job, _ = ask(JOBS, b"[7, 8]")
    _, summary, _ = ask(SUMMARIES, b"[9, 10]")
    engine.ask("kill", *[name for name in containers() if "jobs-redis" in name or "database" in name])
    for target in ("docker-down", "docker-up"):
        done = make(target, PROFILE="jobs")
        assert done.returncode == 0, done.stdout[-5000:]
    assert result(f"{JOBS}/{path_of(job)}")["total"] == 30.0
    assert result(f"{SUMMARIES}/{path_of(summary)}")["total"] == 38.0

"""The commands of the README, typed in the order in which a reader meets them, on the usual ports."""

import http.client
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from benchmark.contenders.discovery import ROOT
from benchmark.stack.ports import is_free
from benchmark.stack.processes import HOST, start_process, stop_processes
from tests.conftest import CONTENDERS, IN_CI
from tests.integration.processes import Watching, until

pytestmark = pytest.mark.integration

PAGES = [*ROOT.glob("*.md"), *(ROOT / "doc").glob("*.md"), *(ROOT / "benchmark").glob("*/README.md")]
WEB_UI = f"http://{HOST}:8089"
LOCUST_PORTS = (8089, 5557)
SERVICES = {p.port: (c.name, p.role) for n in ("sync", "async") for c in [CONTENDERS[n]] for p in c.process}
# They take minutes, or need a container engine; each has tests of its own.
NOT_TYPED_HERE = {
    "bench",
    "explain",
    "strategies",
    "promise",
    "capacity",
    "plan",
    "under-fire",
    "versus",
    "selftest",
    "experiments",
    "docker-build",
    "docker-up",
    "docker-bench",
}


def typed(page: Path) -> list[str]:
    """Return the commands in the blocks of a page that are for a shell, without comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    lines = (shlex.split(line, comments=True) for block in blocks for line in block.splitlines())
    return [shlex.join(words) for words in lines if words]


def verbs(command: str) -> list[str]:
    """Return the targets of a `make` command, none of any other command."""
    program, *words = takewhile(lambda word: word not in {"&&", "|", ";"}, shlex.split(command))
    return [word for word in words if "=" not in word] if program == "make" else []


def makefile_verbs() -> set[str]:
    makefile = (ROOT / "Makefile").read_text()
    return {verb for line in re.findall(r"^([a-z][a-z0-9 -]*):(?!=)", makefile, re.MULTILINE) for verb in line.split()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_verb_that_is_written_for_a_reader_exists(page: Path) -> None:
    inline = [found for found in re.findall(r"`(make [^`]*)`", page.read_text()) if "..." not in found]
    asked = {verb for command in (*typed(page), *inline) for verb in verbs(command)}
    assert asked - makefile_verbs() == set()


def test_every_command_of_the_readme_is_typed_here_or_takes_too_long() -> None:
    commands = typed(ROOT / "README.md")
    asked = {verb for command in commands for verb in verbs(command)}
    assert asked - NOT_TYPED_HERE == {"up", "locust-ui"}
    assert {shlex.split(command)[0] for command in commands} == {"make", "curl"}


# Typing them


def make(*words: str) -> list[str]:
    """Return a `make` command that takes this Python's programs, and installs nothing."""
    return [
        "make",
        "--no-print-directory",
        "--old-file=.venv/installed-benchmark",
        f"BIN={Path(sys.executable).parent}",
        *words,
    ]


def done(*words: str) -> str:
    """Run a `make` command to its end and return what it said."""
    ended = subprocess.run(
        make(*words), cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture
def usual_ports() -> Iterator[None]:
    """The ports that the README names; where they are taken, tests are skipped on a laptop and fail in CI."""
    taken = [port for port in (*SERVICES, *LOCUST_PORTS) if not is_free(port)]
    if taken:
        reason = f"the ports {taken} are in use; stop what listens there (`make down`?)"
        if IN_CI:
            pytest.fail(reason)
        pytest.skip(reason)
    yield
    subprocess.run(make("down"), cwd=ROOT, check=False, capture_output=True)
    assert [port for port in (*SERVICES, *LOCUST_PORTS) if not is_free(port)] == []


@contextmanager
def until_ctrl_c(verb: str, log: Path, watching: Watching) -> Iterator[None]:
    """Type a command that goes on, and then Ctrl-C, which reaches all of its processes."""
    process = start_process(make(verb), log, watching, {**os.environ, "WEB_HOST": HOST})
    try:
        yield
        if process.poll() is None:  # a worker ends with its master
            os.killpg(process.pid, signal.SIGINT)
        process.wait(30)
    finally:
        stop_processes([process], watching)


def answers(path: str) -> Any:
    """Return what the web UI answers, or None if it does not."""
    try:
        with urllib.request.urlopen(WEB_UI + path, timeout=5) as answer:
            return answer.read().decode()
    except (OSError, http.client.HTTPException):
        return None


def check_call(call: str) -> None:
    answer = subprocess.run([*shlex.split(call), "--silent", "--fail"], check=True, capture_output=True, text=True)
    body = json.loads(answer.stdout)
    assert body == {"status": "OK"} if "healthcheck" in call else 0.04 <= body["detail"] <= 0.05


def urls(said: str) -> list[str]:
    return sorted(re.findall(r"http://\S+", said))


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("usual_ports")
def test_the_commands_of_the_readme_work_in_the_order_in_which_they_stand_there(
    tmp_path: Path, watching: Watching
) -> None:
    expected = sorted(f"http://{HOST}:{port}" for port in SERVICES)
    for command in typed(ROOT / "README.md"):
        if verbs(command) == ["up"]:
            assert urls(done("up")) == expected
            again = done("up")
            assert urls(again) == expected
            assert again.count("already up") == len(SERVICES)
        elif verbs(command) == ["locust-ui"]:
            with until_ctrl_c("locust-ui", tmp_path / "ui", watching):
                until(lambda: answers("/"), "the web UI answers", 60)
        elif command.startswith("curl"):
            check_call(command)
    assert done("down") == f"stopped {len(SERVICES)} services\n"
    assert done("down") == "nothing to stop\n"


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("usual_ports")
def test_a_master_and_a_worker_start_on_what_is_up(tmp_path: Path, watching: Watching) -> None:
    done("up")
    with (
        until_ctrl_c("locust-worker", tmp_path / "worker", watching),  # it waits for its master
        until_ctrl_c("locust-master", tmp_path / "master", watching),
    ):
        until(lambda: (answers("/stats/requests") or "").count('"ready"') >= 1, "the worker has joined", 60)
    assert done("down") == f"stopped {len(SERVICES)} services\n"

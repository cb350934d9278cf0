"""How Locust is started, without one: command line, environment, and what is read of what it leaves."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmark.contenders.answer_law import law_of
from benchmark.measure import locust_process as module
from benchmark.measure.trial import Trial
from benchmark.record.columns import ResourceSample
from benchmark.record.run import Run, TrialRecord
from benchmark.stack.processes import Stack, own_environment
from tests.unit.benchmark.experiments.breaking_point.synthetic import START_NS, write_samples
from tests.unit.benchmark.fakes import make_session
from tests.unit.benchmark.synthetic import make_contender

ONE = make_contender("one")


class Started(Exception):
    """Nothing is started in these tests."""


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[list[str], dict[str, str]]:
    """The command line and the environment that Locust would have been started with, from a user's shell full of it."""
    for name in (
        *("LOCUST_HOST", "LOCUST_RUN_TIME", "LOCUST_TAGS", "LOCUST_USER_CLASSES", "LOCUST_SKIP_MONKEY_PATCH"),
        *("HTTP_PROXY", "http_proxy", "ALL_PROXY", "NETRC", "GEVENT_LOOP", "GEVENT_RESOLVER"),
        *("PYTHONHASHSEED", "PYTHONOPTIMIZE", "PYTHONSTARTUP", "EXAMPLE", "SCALE", "OPEN_RPS", "HOST_URL"),
    ):
        monkeypatch.setenv(name, "the user's")
    found: list[tuple[list[str], dict[str, str]]] = []

    def start_process(argv: list[str], _: Path, __: Any, env: dict[str, str]) -> None:
        found.append((argv, env))
        raise Started

    monkeypatch.setattr(module, "start_process", start_process)
    monkeypatch.setattr(Stack, "base_url", "http://127.0.0.1:4321")
    session = make_session(Run.create(tmp_path, "locust", {}))
    trial = Trial(session, ONE, Stack(ONE, ()), TrialRecord(0, "one", 0, part="x"), law_of(ONE))
    with pytest.raises(Started):
        module.issue(trial, {}, ["One"], 5.0)
    return found[0]


def test_nothing_of_the_users_shell_reaches_the_generator(start: tuple[list[str], dict[str, str]]) -> None:
    _, env = start
    assert [name for name, value in env.items() if value == "the user's"] == []
    assert [name for name in env if name.startswith(("LOCUST_", "GEVENT_"))] == []
    assert env["HOST_URL"] == "http://127.0.0.1:4321"


def test_the_generator_is_told_whom_to_ask_and_reads_no_configuration(
    start: tuple[list[str], dict[str, str]],
) -> None:
    argv, _ = start
    assert argv[1:3] == ["-m", "benchmark.load.locust_without_config"]
    assert argv[argv.index("--host") + 1] == "http://127.0.0.1:4321"
    assert "--config" not in argv


# Importing Locust changes the interpreter.
READ_OPTIONS = """
import json, locust.main
from locust import argument_parser
from benchmark.load import locust_without_config
read = lambda: print(json.dumps(vars(argument_parser.get_parser().parse_args([]))))
read()
locust_without_config.run_locust = read
locust_without_config.main()
"""
CONFIGURATION = """
host = http://127.0.0.1:9
run-time = 1
users = 7
tags = none
headless = true
loglevel = CRITICAL
csv = elsewhere
processes = 4
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("home/.locust.conf", CONFIGURATION),
        ("locust.conf", CONFIGURATION),
        ("pyproject.toml", '[tool.locust]\nhost = "http://127.0.0.1:9"\nusers = 7\n'),
    ],
)
def test_configuration_files_are_not_read(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / name).write_text(text)
    configured, unconfigured = options_read(tmp_path)
    assert (configured["host"], configured["num_users"]) == ("http://127.0.0.1:9", 7)  # the control
    for key in ("host", "num_users", "run_time", "tags", "csv_prefix", "processes"):
        assert unconfigured[key] is None, key
    assert (unconfigured["headless"], unconfigured["loglevel"]) == (False, "INFO")


def options_read(folder: Path) -> list[dict[str, Any]]:
    """Return the options that Locust has there by itself, and as it is started here: in an interpreter of its own."""
    env = {**own_environment(), "HOME": str(folder / "home")}
    argv = [sys.executable, "-c", READ_OPTIONS]
    said = subprocess.run(argv, cwd=folder, env=env, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in said.splitlines()]


@pytest.mark.parametrize(("stopped_s", "cores"), [(4.0, 0.8), (None, 0.8 * 4 / 8)])
def test_the_cpu_of_the_generator_is_that_of_the_time_in_which_it_issued(
    tmp_path: Path, stopped_s: float | None, cores: float
) -> None:
    """It spends 0.8 cores for 4 s, and then waits for answers for as long."""
    run, cell = Run.create(tmp_path, "locust", {}), TrialRecord(0, "one", 0, part="x")
    write_samples(module.samples_file(run, ONE, "x"), requests=80, every_ms=100)
    with run.resource_writer(cell) as resources:
        for tenth in range(90):
            spent_ns = int(min(tenth, 40) * 0.08e9)
            resources.append(ResourceSample(START_NS + tenth * 10**8, "load", spent_ns, 1))
    stopped_ns = None if stopped_s is None else START_NS + int(stopped_s * 1e9)
    issued = module._issued(run, cell, module.samples_file(run, ONE, "x"), 9.0, stopped_ns)
    assert issued.generator_cpu == pytest.approx(cores, rel=0.03)


def test_when_the_generator_stopped_is_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "said.json").write_text(json.dumps({"stopped_ns": 17}))
    assert module._stopped_ns(tmp_path / "said.json") == 17
    assert module._stopped_ns(tmp_path / "nothing.json") is None

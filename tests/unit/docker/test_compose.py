"""docker/compose.yaml and its profiles: what is started when, with which image, and what it is told."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from benchmark.contenders.discovery import ROOT
from contract.settings import settings_from
from docker import engine, up
from docker.engine import DockerError
from docker.up import PROFILES, profiles
from tests.unit.docker.jobs_settings import names_read

FILE = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
JOBS = {name: each for name, each in SERVICES.items() if "jobs" in each.get("profiles", [])}
OURS = {name: each for name, each in JOBS.items() if "JOBS_IMAGE" in each["image"]}
DEFAULT = re.compile(r"\$\{(\w+):-([^}]*)\}")


def filled(text: str) -> str:
    """Return a text with the defaults of its variables."""
    return DEFAULT.sub(lambda found: found[2], text)


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    """What compose is told, and with which variables, by an engine that has no container."""
    told: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(engine, "check_engine", lambda: None)
    monkeypatch.setattr(engine, "ask", lambda *_: "")
    monkeypatch.setattr(engine, "has_image", lambda _: False)
    monkeypatch.setattr(engine, "compose", lambda: ["compose"])
    monkeypatch.setattr(engine, "run_command", lambda command, env: told.append((list(command), dict(env))))
    for name in ("PROFILE", "CALLBACK_SECRET", "POSTGRES_IMAGE", "REDIS_IMAGE", "IMAGE_PREFIX", "IMAGE_TAG"):
        monkeypatch.delenv(name, raising=False)
    return told


def profiles_told(command: list[str]) -> list[str]:
    return [after for before, after in pairwise(command) if before == "--profile"]


def test_the_profiles_are_those_of_the_file() -> None:
    assert {profile for each in SERVICES.values() for profile in each.get("profiles", [])} == set(PROFILES)


@pytest.mark.parametrize(
    ("given", "started"), [("", []), ("jobs", ["jobs"]), ("bench,jobs", ["bench", "jobs"]), (" jobs , ", ["jobs"])]
)
def test_up_starts_the_profiles_that_are_named(
    given: str, started: list[str], commands: list[tuple[list[str], dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROFILE", given)
    assert profiles() == started
    up.up()
    assert profiles_told(commands[0][0]) == started


def test_an_unknown_profile_is_named_with_those_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROFILE", "jobs,job")
    with pytest.raises(DockerError, match="PROFILE names job, expected bench or jobs"):
        profiles()


def test_down_stops_all_profiles(commands: list[tuple[list[str], dict[str, str]]]) -> None:
    up.down()
    assert profiles_told(commands[0][0]) == list(PROFILES)
    assert "--volumes" not in commands[0][0], "what was accepted is kept"


def test_every_image_has_a_variable_that_up_sets_to_the_same_default(
    commands: list[tuple[list[str], dict[str, str]]],
) -> None:
    up.up()
    for service in SERVICES.values():
        found = DEFAULT.fullmatch(service["image"])
        assert found is not None
        assert commands[0][1][found[1]] == found[2]


def test_the_secret_of_callbacks_is_the_one_that_is_given_else_one_that_nobody_knows(
    commands: list[tuple[list[str], dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    up.up()
    up.up()
    monkeypatch.setenv("CALLBACK_SECRET", "mine")
    up.up()
    first, second, third = (variables["CALLBACK_SECRET"] for _, variables in commands)
    assert len({first, second, third}) == 3
    assert len(first) == 64
    assert third == "mine"


def test_nothing_of_a_profile_is_waited_for_by_what_is_always_started() -> None:
    for name, service in SERVICES.items():
        for other in service.get("depends_on", {}):
            assert set(SERVICES[other].get("profiles", service.get("profiles", []))) == set(
                service.get("profiles", SERVICES[other].get("profiles", []))
            ), f"{name} waits for {other}"


def test_a_port_is_published_once_and_only_on_the_given_address() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert all(port.startswith("${HOST_ADDRESS:-127.0.0.1}:") for port in ports)
    assert len(set(ports)) == len(ports)


# The profile jobs


def test_what_a_container_runs_is_a_module_that_can_be_run() -> None:
    modules = {service["command"][0] for service in OURS.values()}
    assert len(modules) == 6
    for module in modules:
        text = (ROOT / Path(*module.split("."))).with_suffix(".py").read_text()
        assert 'if __name__ == "__main__":' in text, module


@pytest.mark.parametrize("name", OURS)
def test_a_variable_that_a_container_is_given_is_read_by_it(name: str) -> None:
    assert set(OURS[name]["environment"]) <= names_read(OURS[name]["command"][0])


@pytest.mark.parametrize("name", OURS)
def test_a_container_with_a_port_is_asked_whether_it_is_healthy(name: str) -> None:
    service = OURS[name]
    assert ("SERVING_PORT" in service["environment"]) == ("healthcheck" in service)
    published = {port.rpartition(":")[2] for port in service.get("ports", [])}
    assert published <= {service["environment"].get("SERVING_PORT")}


def test_a_url_leads_to_a_service_of_the_profile_that_is_waited_for() -> None:
    for name, service in OURS.items():
        for variable, value in service["environment"].items():
            if variable.endswith("_URL"):
                assert urlsplit(filled(value)).hostname in service["depends_on"], f"{variable} of {name}"


def test_the_database_has_the_user_whom_the_services_name() -> None:
    given = {key: filled(value) for key, value in JOBS["database"]["environment"].items()}
    for name in ("push-api", "push-worker"):
        url = urlsplit(filled(OURS[name]["environment"]["PUSH_DATABASE_URL"]))
        assert (url.username, url.password) == (given["POSTGRES_USER"], given["POSTGRES_PASSWORD"])
        assert url.path == f"/{given['POSTGRES_DB']}"


def test_the_receiver_may_be_called_and_has_the_same_secret() -> None:
    receiver = OURS["receiver"]["environment"]
    for name in ("job-rq", "job-rq-callbacks"):
        given = OURS[name]["environment"]
        assert "receiver" in filled(given["CALLBACK_ALLOW"]).split(",")
        assert given["CALLBACK_SECRET"] == receiver["CALLBACK_SECRET"]
        assert filled(given["CALLBACK_SECRET"]) == "", "a secret that is written down is none"


def test_what_is_accepted_is_in_a_volume_that_belongs_to_the_services() -> None:
    named = {volume.split(":")[0] for service in JOBS.values() for volume in service.get("volumes", [])}
    assert named == set(FILE["volumes"])
    folders = JOBS["jobs-folders"]
    targets = [volume.split(":")[1] for volume in folders["volumes"]]
    assert folders["entrypoint"] == ["chown", JOBS["database"]["user"], *targets]
    for name in ("jobs-redis", "database"):
        assert JOBS[name]["depends_on"]["jobs-folders"] == {"condition": "service_completed_successfully"}
        assert JOBS[name]["volumes"][0].endswith(":nocopy")


def test_redis_has_on_disk_what_it_has_acknowledged() -> None:
    command = JOBS["jobs-redis"]["command"]
    assert command[command.index("--appendonly") + 1] == "yes"
    assert command[command.index("--appendfsync") + 1] == "always"
    assert command[command.index("--dir") + 1] == JOBS["jobs-redis"]["volumes"][0].split(":")[1]


@pytest.mark.parametrize("name", JOBS)
def test_a_container_may_do_nothing_that_it_need_not(name: str) -> None:
    service = JOBS[name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["labels"] == {"sync-or-async": "up"}
    assert "mem_limit" in service
    if name != "jobs-folders":
        assert service["user"] == "10001:10001"


# Operations


@pytest.mark.parametrize("name", ["sync-scoring", "sync-model", "async-scoring", "async-model"])
def test_a_service_is_told_of_log_and_keys_from_outside_and_its_own_defaults_otherwise(name: str) -> None:
    given = {key: filled(value) for key, value in SERVICES[name]["environment"].items()}
    asked = {"SERVING_LOG_FORMAT", "SERVING_LOG_REQUESTS"} | ({"SERVING_API_KEYS"} if "scoring" in name else set())
    assert asked <= set(given)
    defaults = settings_from({})
    told = settings_from({key: value for key, value in given.items() if key in asked})
    assert told == defaults

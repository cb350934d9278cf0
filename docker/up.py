"""`make docker-up` and `make docker-down`: start and stop all services through docker/compose.yaml."""

import json
import os
import secrets
import time
from collections.abc import Iterable
from typing import Any

from benchmark.stack.images import PROJECT, image_name
from docker import engine
from docker.engine import DockerError

HEALTHY_TIMEOUT_S = 120.0
PROFILES = ("bench", "jobs")  # of docker/compose.yaml: what is started only if PROFILE names it
_FILE = "docker/compose.yaml"


def up() -> None:
    """Start all services and wait until those with a health check are healthy. Raises DockerError."""
    engine.check_engine()
    single = engine.ask("ps", "--filter", f"label={PROJECT}=run", "--format", "{{.Names}}").split()
    if single:
        raise DockerError(f"the ports are used by {', '.join(single)}: run `make docker-stop` first")
    engine.run_command([*_compose(profiles()), "up", "--detach"], _variables())
    _await_health()
    for container in _containers():
        ports = ", ".join(sorted({p[0]["HostIp"] + ":" + p[0]["HostPort"] for p in _ports(container) if p}))
        print(f"{_service(container):<16} {_state(container):<10} {ports}")


def down() -> None:
    """Stop and remove everything that `up` started. Raises DockerError."""
    engine.check_engine()
    engine.run_command([*_compose(PROFILES), "down", "--remove-orphans"], _variables())


def profiles() -> list[str]:
    """Return the profiles that the variable PROFILE names, separated by commas. Raises DockerError."""
    names = [name.strip() for name in os.environ.get("PROFILE", "").split(",") if name.strip()]
    if unknown := sorted(set(names) - set(PROFILES)):
        raise DockerError(f"PROFILE names {', '.join(unknown)}, expected {' or '.join(PROFILES)}")
    return names


def _compose(wanted: Iterable[str]) -> list[str]:
    options = [word for profile in wanted for word in ("--profile", profile)]
    return [*engine.compose(), "--project-name", PROJECT, "--file", _FILE, *options]


def _variables() -> dict[str, str]:
    """Return what compose puts into the file: the names of images, and a secret that nobody else knows."""
    names = {f"{name.upper()}_IMAGE": image_name(name) for name in ("sync", "async", "store", *PROFILES)}
    secret = os.environ.get("CALLBACK_SECRET") or secrets.token_hex(32)
    others = {"REDIS_IMAGE": engine.redis_image(), "POSTGRES_IMAGE": engine.postgres_image()}
    return {**names, **others, "CALLBACK_SECRET": secret}


def _await_health() -> None:
    until_s = time.monotonic() + HEALTHY_TIMEOUT_S
    while True:
        states = {_service(container): _state(container) for container in _containers()}
        bad = {name: state for name, state in states.items() if state not in {"healthy", "running", "done"}}
        if not bad:
            return
        final = [name for name, state in bad.items() if state in {"unhealthy", "failed"}]
        if final or time.monotonic() > until_s:
            found = ", ".join(f"{name} is {state}" for name, state in bad.items())
            raise DockerError(f"not all services are healthy: {found}; see `{engine.engine()[0]} logs {PROJECT}-...`")
        time.sleep(0.5)


def _containers() -> list[dict[str, Any]]:
    names = engine.ask("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={PROJECT}").split()
    containers: list[dict[str, Any]] = json.loads(engine.ask("inspect", *names)) if names else []
    return sorted(containers, key=_service)


def _service(container: dict[str, Any]) -> str:
    return str(container["Config"]["Labels"].get("com.docker.compose.service", container["Name"]))


def _state(container: dict[str, Any]) -> str:
    """Return healthy, unhealthy, starting, running (no health check), done (ended with 0) or failed."""
    state = container["State"]
    if state["Status"] == "exited":
        return "done" if state["ExitCode"] == 0 else "failed"
    return str((state.get("Health") or {}).get("Status") or state["Status"])


def _ports(container: dict[str, Any]) -> list[Any]:
    return list((container["NetworkSettings"].get("Ports") or {}).values())

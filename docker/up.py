"""`make docker-up` and `make docker-down`: start and stop all services through docker/compose.yaml."""

import json
import os
import time
from typing import Any

from benchmark.stack.images import PROJECT, image_name
from docker import engine
from docker.engine import DockerError

HEALTHY_TIMEOUT_S = 120.0
_FILE = "docker/compose.yaml"


def up() -> None:
    """Start all services and wait until those with a health check are healthy. Raises DockerError."""
    engine.check_engine()
    single = engine.ask("ps", "--filter", f"label={PROJECT}=run", "--format", "{{.Names}}").split()
    if single:
        raise DockerError(f"the ports are used by {', '.join(single)}: run `make docker-stop` first")
    engine.run_command([*_compose(), "up", "--detach"], _images())
    _await_health()
    for container in _containers():
        ports = ", ".join(sorted({p[0]["HostIp"] + ":" + p[0]["HostPort"] for p in _ports(container) if p}))
        print(f"{_service(container):<14} {_state(container):<10} {ports}")


def down() -> None:
    """Stop and remove everything that `up` started. Raises DockerError."""
    engine.check_engine()
    engine.run_command([*_compose("bench"), "down", "--remove-orphans"], _images())


def _compose(profile: str = "") -> list[str]:
    wanted = profile or os.environ.get("PROFILE", "")
    command = [*engine.compose(), "--project-name", PROJECT, "--file", _FILE]
    return [*command, "--profile", wanted] if wanted else command


def _images() -> dict[str, str]:
    names = {f"{name.upper()}_IMAGE": image_name(name) for name in ("sync", "async", "store", "bench")}
    return {**names, "REDIS_IMAGE": engine.redis_image()}


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

"""Starts a contender's processes as containers on the host's network.

`docker run` stays in the foreground as a child of the harness: it forwards signals and returns the container's exit
status, so the stack monitors and stops it like any process. CPU and memory come from the engine's counters, not from
that child.
"""

import contextlib
import itertools
import json
import os
import secrets
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterable, Sequence
from typing import Any

from benchmark.contenders.discovery import Contender, Process
from benchmark.errors import EngineError, StackError
from benchmark.stack.cgroups import ControlGroup, EngineApi, counters_of
from benchmark.stack.images import PROJECT, image_name
from benchmark.stack.processes import (
    HOST,
    Launch,
    ProcessLauncher,
    Running,
    command,
    log_tail,
    start_process,
    stop_processes,
)
from benchmark.stack.watchdog import Guard

NETWORK = "host"
START_TIMEOUT_S = 30.0
_POLL_S = 0.02


class ContainerLauncher:
    """Starts processes with an image as containers, and the others as plain processes."""

    def __init__(self) -> None:
        self._engine = shlex.split(os.environ.get("DOCKER") or "docker")
        self._plain = ProcessLauncher()
        self._run = secrets.token_hex(4)
        self._count = itertools.count(1)

    def facts(self, contenders: Iterable[Contender]) -> dict[str, Any]:
        """Return engine and images for the record. Raises EngineError if the engine or an image is missing."""
        processes = [(contender, process) for contender in contenders for process in contender.process]
        names = {image_name(process.image) for _, process in processes if process.image}
        return {
            "engine": self._version(),
            "network": NETWORK,
            "images": {name: self._image(name) for name in sorted(names)},
            "plain_processes": sorted({f"{c.label or c.name} {p.role}" for c, p in processes if not p.image}),
        }

    def launch(self, launch: Launch, guard: Guard | None) -> Running:
        """Start a container and wait until it runs. Raises StackError."""
        process = launch.process
        if not process.image:
            return self._plain.launch(launch, guard)
        name = f"{PROJECT}-bench-{self._run}-{next(self._count)}-{process.role}"
        if guard:
            guard.undo(self._removal(name))
        popen = start_process(self._command(name, process, process.image, launch), launch.log, guard, os.environ)
        running = Running(process.role, popen, launch.log, launch.port, container=name)
        try:
            counters = self._await_counters(running, launch)
        except BaseException:
            if guard:
                self.stop([running], guard)
            raise
        return Running(process.role, popen, launch.log, launch.port, counters, name)

    def stop(self, started: Sequence[Running], guard: Guard) -> None:
        """Stop containers and plain processes. A container that ignores SIGTERM is removed."""
        stop_processes([running.popen for running in started], guard)
        for running in started:
            if running.container:
                removal = self._removal(running.container)
                subprocess.run(removal, check=False, capture_output=True)
                guard.forget(removal)

    def _command(self, name: str, process: Process, image: str, launch: Launch) -> list[str]:
        settings = {**launch.settings, "SERVING_HOST": HOST}
        entrypoint, *arguments = command(process, launch.ports, python="python")
        return [
            *self._engine, "run", "--rm", "--name", name, "--label", f"{PROJECT}=bench",
            "--network", NETWORK, "--read-only", "--cap-drop", "ALL", "--no-healthcheck",
            *(word for variable, value in settings.items() for word in ("--env", f"{variable}={value}")),
            "--entrypoint", entrypoint, image_name(image), *arguments,
        ]  # fmt: skip

    def _await_counters(self, running: Running, launch: Launch) -> ControlGroup | EngineApi:
        until_s = time.monotonic() + START_TIMEOUT_S
        while running.popen.poll() is None and time.monotonic() < until_s:
            pid = self._pid(str(running.container))
            if pid:
                with contextlib.suppress(OSError):  # it has just ended
                    return counters_of(str(running.container), pid)
            time.sleep(_POLL_S)
        status = running.popen.poll()
        what = "did not start in time" if status is None else f"exited at start with status {status}"
        raise StackError(f"the container of {launch.where} {what}; its log ends:\n{log_tail(running.log)}")

    def _pid(self, name: str) -> int:
        """Return the pid of a container's first process on the host; 0 while there is none."""
        inspect = [*self._engine, "inspect", "--format", "{{.State.Pid}}", name]
        answer = subprocess.run(inspect, check=False, capture_output=True, text=True).stdout.strip()
        return int(answer) if answer.isdigit() else 0

    def _removal(self, name: str) -> list[str]:
        return [*self._engine, "rm", "--force", "--volumes", name]

    def _version(self) -> str:
        if not shutil.which(self._engine[0]):
            raise EngineError(
                f"DOCKER is {self._engine[0]!r}, but there is no such program: install Docker Engine or Podman"
            )
        answer = subprocess.run(
            [*self._engine, "info", "--format", "{{json .}}"], check=False, capture_output=True, text=True
        )
        with contextlib.suppress(ValueError, AttributeError):
            info = json.loads(answer.stdout)
            version = info.get("ServerVersion") or info.get("version", {}).get("Version")
            if version:
                return f"{self._engine[0]} {version}"
        reason = answer.stderr.strip().splitlines()
        raise EngineError(f"the container engine does not answer: {reason[-1] if reason else 'no message'}")

    def _image(self, name: str) -> dict[str, Any]:
        answer = subprocess.run([*self._engine, "image", "inspect", name], check=False, capture_output=True, text=True)
        if answer.returncode:
            raise EngineError(f"there is no image {name}: build it with `make docker-build`")
        image = json.loads(answer.stdout)[0]
        labels = image["Config"].get("Labels") or {}
        tell = [*self._engine, "run", "--rm", "--network", "none", "--entrypoint", "python", name, "--version"]
        version = subprocess.run(tell, check=False, capture_output=True, text=True).stdout
        return {
            "id": image["Id"],
            "commit": labels.get("org.opencontainers.image.revision"),
            "python": version.strip().removeprefix("Python "),
        }

"""Runs the container engine's command line: docker, or the program in the variable DOCKER."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark.stack.images import PROJECT

ROOT = Path(__file__).resolve().parent.parent
LOCAL_BASE = f"{PROJECT}-base:local"  # built by `make docker-base`
LOCAL_POSTGRES = f"{PROJECT}-postgres:local"  # built by `make docker-base PROFILE=jobs`
DEFAULT_BASE = "python:3.13-slim-bookworm"
DEFAULT_REDIS = "redis:7-alpine"
DEFAULT_POSTGRES = "postgres:17-bookworm"


class DockerError(Exception):
    """The message says what was given, what was expected and what to do."""


def engine() -> list[str]:
    """Return the command line of the engine. Raises DockerError if there is no such program."""
    command = shlex.split(os.environ.get("DOCKER") or "docker")
    if not shutil.which(command[0]):
        raise DockerError(
            f"DOCKER is {command[0]!r}, but there is no such program. Install Docker Engine (Debian, Ubuntu: "
            "apt-get install docker.io) or Podman (make DOCKER=podman ...)"
        )
    return command


def compose() -> list[str]:
    """Return the command line of compose: the engine's plugin, else the separate program. Raises DockerError."""
    command = engine()
    if subprocess.run([*command, "compose", "version"], check=False, capture_output=True).returncode == 0:
        return [*command, "compose"]
    alone = f"{Path(command[0]).name}-compose"
    if not shutil.which(alone):
        raise DockerError(
            f"neither `{command[0]} compose` nor {alone} works: install one of them (Debian: apt-get install {alone})"
        )
    return [alone]


def run(arguments: Sequence[str], env: Mapping[str, str] | None = None) -> None:
    """Run the engine with these arguments and show its output. Raises DockerError if it fails."""
    run_command([*engine(), *arguments], env)


def run_command(command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
    """Run a command in the repository and show its output. Raises DockerError if it fails."""
    status = subprocess.run(command, check=False, cwd=ROOT, env={**os.environ, **(env or {})}).returncode
    if status:
        raise DockerError(f"`{shlex.join(command[:3])} ...` ended with status {status}; its message is above")


def ask(*arguments: str) -> str:
    """Return the engine's output. Raises DockerError with the last line of its message if it fails."""
    command = [*engine(), *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise DockerError(last_line(done.stderr) or f"`{shlex.join(command)}` ended with status {done.returncode}")
    return done.stdout.strip()


def check_engine() -> None:
    """Raise DockerError unless the engine answers."""
    try:
        ask("version", "--format", "{{.Server.Version}}" if "podman" not in engine()[0] else "{{.Client.Version}}")
    except DockerError as error:
        raise DockerError(f"the container engine does not answer: {error}") from error


def has_image(name: str) -> bool:
    """Whether the engine has an image."""
    try:
        ask("image", "inspect", "--format", "{{.Id}}", name)
    except DockerError:
        return False
    return True


def base_image() -> str:
    """Return BASE_IMAGE, else the image of `make docker-base`, else the official slim Python image."""
    return os.environ.get("BASE_IMAGE") or (LOCAL_BASE if has_image(LOCAL_BASE) else DEFAULT_BASE)


def redis_image() -> str:
    """Return REDIS_IMAGE, else the image of `make docker-base`, else the official Redis image."""
    return os.environ.get("REDIS_IMAGE") or (LOCAL_BASE if has_image(LOCAL_BASE) else DEFAULT_REDIS)


def postgres_image() -> str:
    """Return POSTGRES_IMAGE, else the image of `make docker-base PROFILE=jobs`, else the official PostgreSQL image."""
    return os.environ.get("POSTGRES_IMAGE") or (LOCAL_POSTGRES if has_image(LOCAL_POSTGRES) else DEFAULT_POSTGRES)


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""

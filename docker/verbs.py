"""`python3 -m docker.verbs VERB`: the commands behind the docker targets of the Makefile. Standard library only.

Variables: DOCKER, BASE_IMAGE, REDIS_IMAGE, IMAGE_PREFIX, IMAGE_TAG, PROFILE, HOST_ADDRESS, and all SERVING_...
settings, which are passed to the containers of `run`.
"""

import argparse
import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from typing import Any

from benchmark.stack.images import PROJECT, image_name
from docker import engine
from docker.base import make_base
from docker.engine import ROOT, DockerError
from docker.sizes import write_sizes
from docker.up import PROFILES, down, profiles, up
from docker.wheels import provide_wheels

ARCHITECTURES = ("sync", "async")
IMAGES = (*ARCHITECTURES, "store")  # without those that only a profile needs
_LISTS = {"store": "store", "bench": "benchmark", "jobs": "jobs"}
_CHECK_BASE = "import sys, venv, ensurepip; sys.exit(0 if sys.version_info >= (3, 11) else 'Python is too old')"
_STOP_TIMEOUT_S = 35  # above SERVING_DRAIN_TIMEOUT_S


def build(names: Sequence[str]) -> None:
    """Build images, with the unit tests of the services as a stage: a failing test fails the build.

    Raises DockerError.
    """
    base = _checked_base()
    names = names or IMAGES
    lists = [_LISTS.get(name, name) for name in names]
    provide_wheels([*lists, "test"] if set(ARCHITECTURES).intersection(names) else lists, base)
    for name in names:
        if name in ARCHITECTURES:
            _build(name, "service.Dockerfile", base, f"ARCHITECTURE={name}")
        else:
            _build(name, "tools.Dockerfile", base, f"REQUIREMENTS={_LISTS[name]}", "--target", name)


def _build(name: str, dockerfile: str, base: str, argument: str, *options: str) -> None:
    image = image_name(name)
    print(f"building {image} on {base}", flush=True)
    arguments = [argument, f"BASE_IMAGE={base}", f"VERSION={_version()}", f"COMMIT={_commit()}"]
    engine.run(
        ["build", "--force-rm", "--network", "host", "--file", f"docker/{dockerfile}", "--tag", image]
        + [word for given in arguments for word in ("--build-arg", given)]
        + [*options, "."]
    )


def _checked_base() -> str:
    """Return the base image, after pulling it and checking its Python version. Raises DockerError."""
    engine.check_engine()
    base = engine.base_image()
    advice = (
        f"give an image with Python 3.11 or newer and venv, e.g. BASE_IMAGE={engine.DEFAULT_BASE}, "
        "or build one from Debian packages with `make docker-base`"
    )
    if not engine.has_image(base):
        print(f"pulling {base}", flush=True)
        try:
            engine.ask("pull", "--quiet", base)
        except DockerError as error:
            raise DockerError(
                f"BASE_IMAGE is {base!r}, which does not exist here and cannot be pulled ({error}): {advice}"
            ) from error
    try:
        engine.ask("run", "--rm", "--network", "none", "--entrypoint", "python3", base, "-c", _CHECK_BASE)
    except DockerError as error:
        raise DockerError(f"BASE_IMAGE is {base!r}, which is not suitable ({error}): {advice}") from error
    return base


def _version() -> str:
    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return version


def _commit() -> str:
    """Return the commit, with `-dirty` for uncommitted changes; `unknown` outside of git."""
    command = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def run_service(role: str, architecture: str) -> None:
    """Run one service as a container in the project's network. Raises DockerError."""
    contender = _contender(architecture)
    ports = {process["role"]: process["port"] for process in contender["process"]}
    model = f"http://{architecture}-model:{ports['model']}{contender['endpoint']}"
    defaults = {"SERVING_REDIS_URL": "redis://redis:6379/0", "SERVING_MODEL_URLS": f"{model},{model}"}
    settings = {**defaults, **{name: value for name, value in os.environ.items() if name.startswith("SERVING_")}}
    environment = [word for name, value in settings.items() for word in ("--env", f"{name}={value}")]
    image = image_name(architecture)
    _need_image(image)
    _start(f"{architecture}-{role}", ports[role], [*environment, image, role])


def run_redis() -> None:
    """Run and seed the feature store as a container. Raises DockerError."""
    store = image_name("store")
    _need_image(store)
    server = ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", "", "--appendonly", "no"]
    _start("redis", 6379, [engine.redis_image(), *server])
    wait = "until redis-cli ping | grep -q PONG; do sleep 0.1; done"
    engine.ask("exec", f"{PROJECT}-redis", "timeout", "20", "sh", "-c", wait)
    engine.run(["run", "--rm", "--network", PROJECT, store, "seed", "--url", "redis://redis:6379/0"])


def _start(name: str, port: int, image_and_command: Sequence[str]) -> None:
    """Start a container in the background, replacing one of the same name."""
    _make_network()
    full = f"{PROJECT}-{name}"
    if engine.ask("ps", "--all", "--quiet", "--filter", f"name=^{full}$"):
        engine.ask("rm", "--force", full)
    address = os.environ.get("HOST_ADDRESS") or "127.0.0.1"
    engine.ask(
        "run", "--detach", "--name", full, "--label", f"{PROJECT}=run",
        "--network", PROJECT, "--network-alias", name, "--publish", f"{address}:{port}:{port}",
        "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", "10001:10001",
        "--stop-timeout", str(_STOP_TIMEOUT_S), *image_and_command,
    )  # fmt: skip
    print(f"{name:<14} {address}:{port}  log: {engine.engine()[0]} logs {full}", flush=True)


def _make_network() -> None:
    """Create the project's network, with the labels that compose expects of its own networks."""
    if not engine.ask("network", "ls", "--quiet", "--filter", f"name=^{PROJECT}$"):
        labels = (f"com.docker.compose.project={PROJECT}", "com.docker.compose.network=default")
        engine.ask("network", "create", *(word for label in labels for word in ("--label", label)), PROJECT)


def _need_image(image: str) -> None:
    engine.check_engine()
    if not engine.has_image(image):
        raise DockerError(f"there is no image {image}: build it with `make docker-build`")


def _contender(name: str) -> dict[str, Any]:
    row: dict[str, Any] = tomllib.loads((ROOT / name / "contender.toml").read_text())["contender"][name]
    return row


def stop() -> None:
    """Stop and remove all containers of the project, and its network. Raises DockerError."""
    engine.check_engine()
    ours = engine.ask("ps", "--all", "--quiet", "--filter", f"label={PROJECT}").split()
    if ours:
        engine.ask("stop", "--time", str(_STOP_TIMEOUT_S), *ours)
        remaining = engine.ask("ps", "--all", "--quiet", "--filter", f"label={PROJECT}").split()
        if remaining:  # containers started with --rm are already removed
            engine.ask("rm", "--force", *remaining)
    if engine.ask("network", "ls", "--quiet", "--filter", f"name=^{PROJECT}$"):
        engine.ask("network", "rm", PROJECT)
    print(f"stopped {len(ours)} containers" if ours else "nothing to stop")


def main(argv: Sequence[str]) -> int:
    """Run the command and return the exit status."""
    parser = argparse.ArgumentParser(prog="python3 -m docker.verbs")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("build").add_argument("names", nargs="*", choices=[[], *IMAGES, *PROFILES])
    runs = verbs.add_parser("run")
    runs.add_argument("role", choices=("scoring", "model", "redis"))
    runs.add_argument("architecture", nargs="?", choices=ARCHITECTURES, default="sync")
    for name in ("stop", "up", "down", "base", "sizes"):
        verbs.add_parser(name)
    given = parser.parse_args(argv)
    try:
        _do(given)
    except DockerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _do(given: argparse.Namespace) -> None:
    if given.verb == "build":
        build(given.names)
    elif given.verb == "run" and given.role == "redis":
        run_redis()
    elif given.verb == "run":
        run_service(given.role, given.architecture)
    elif given.verb == "up":
        missing = [name for name in _needed() if not engine.has_image(image_name(name))]
        if missing:
            build(missing)
        up()
    else:
        {"stop": stop, "down": down, "base": make_base, "sizes": write_sizes}[given.verb]()


def _needed() -> tuple[str, ...]:
    return (*IMAGES, *profiles())  # the image of a profile bears its name


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

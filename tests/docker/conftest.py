"""Images and containers for tests, made by the make targets that users type. Skipped where no engine runs."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping

import pytest

from benchmark.contenders.discovery import ROOT
from benchmark.stack.images import PROJECT
from docker import engine

MAKE_TIMEOUT_S = 600  # only a hanging test waits that long


def make(*targets: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run make in the repository; both outputs are in stdout."""
    given = [f"{name}={value}" for name, value in variables.items()]
    return subprocess.run(
        ["make", *targets, *given], cwd=ROOT, check=False, text=True, timeout=MAKE_TIMEOUT_S,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def containers(label: str = PROJECT) -> list[str]:
    """Return the names of our containers, stopped ones included."""
    return engine.ask("ps", "--all", "--filter", f"label={label}", "--format", "{{.Names}}").split()


@pytest.fixture(scope="session", autouse=True)
def _an_engine() -> None:
    try:
        engine.check_engine()
    except engine.DockerError as error:
        pytest.skip(f"containers cannot be tested: {error}")


@pytest.fixture(scope="session")
def base(_an_engine: None) -> str:
    """The base image: BASE_IMAGE, else one made here where that can be done, else the default. So with PostgreSQL's."""
    can_make_one = not os.environ.get("BASE_IMAGE") and os.geteuid() == 0 and shutil.which("debootstrap")
    local = (engine.LOCAL_BASE, engine.LOCAL_POSTGRES)
    if can_make_one and (not all(map(engine.has_image, local)) or os.environ.get("CI")):
        made = make("docker-base", PROFILE="jobs")
        assert made.returncode == 0, made.stdout
    return engine.base_image()


@pytest.fixture(scope="session")
def built(base: str) -> str:
    """The images of this working tree; returns their base."""
    done = make("docker-build")
    assert done.returncode == 0, done.stdout[-5000:]
    return base


@pytest.fixture(scope="module")
def up(built: str) -> Iterator[str]:
    """Everything, started by `make docker-up`; yields what it said."""
    done = make("docker-up")
    try:
        assert done.returncode == 0, done.stdout[-5000:]
        yield done.stdout
    finally:
        make("docker-stop")


@pytest.fixture
def started(built: str) -> Iterator["Started"]:
    """Starts containers, and removes them at the end."""
    started = Started()
    yield started
    started.remove()


class Started:
    """Containers of a test."""

    def __init__(self) -> None:
        self._names: list[str] = []

    def run(self, image: str, *command: str, options: tuple[str, ...] = ()) -> str:
        """Start a container in the background and return its id."""
        name = engine.ask("run", "--detach", "--label", f"{PROJECT}=test", *options, image, *command)
        self._names.append(name)
        return name

    def remove(self) -> None:
        if self._names:
            engine.ask("rm", "--force", *self._names)


def environment(**changes: str) -> Mapping[str, str]:
    return {**os.environ, **changes}

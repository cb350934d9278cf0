"""The images: what is in them, what is not, and what stops them from being built."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmark.contenders.discovery import ROOT
from benchmark.stack.images import image_name
from docker import engine
from tests.docker.conftest import Started, environment, make

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

SERVICES = ("sync", "async")
MAX_ADDED_MB = 120
UNWANTED = {"pip", "tests", "installer", "pytest", ".cache", "wheels", "benchmark"}
HEALTHY_TIMEOUT_S = 60.0


def size_mb(image: str) -> float:
    return int(engine.ask("image", "inspect", "--format", "{{.Size}}", image)) / 1e6


def inside(image: str, code: str) -> str:
    """Return what a Python program prints inside an image."""
    return engine.ask("run", "--rm", "--network", "none", "--entrypoint", "python", image, "-c", code)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_image_adds_at_most_120_mb_to_its_base(built: str, name: str) -> None:
    assert size_mb(image_name(name)) - size_mb(built) <= MAX_ADDED_MB


@pytest.mark.parametrize(
    ("name", "has", "has_not"),
    [("sync", {"flask", "gunicorn"}, {"fastapi", "uvicorn"}), ("async", {"fastapi", "uvicorn"}, {"flask", "gunicorn"})],
)
def test_an_image_holds_its_own_framework_and_not_the_other(
    built: str, name: str, has: set[str], has_not: set[str]
) -> None:
    code = f"from importlib.util import find_spec; print(*[n for n in {sorted(has | has_not)} if find_spec(n)])"
    assert set(inside(image_name(name), code).split()) == has


@pytest.mark.parametrize("name", SERVICES)
def test_no_installer_no_tests_and_no_cache_is_added(built: str, name: str) -> None:
    listing = "find /opt /app /root /wheels /tmp /var/tmp -not -type d 2>/dev/null || true"
    files = engine.ask(
        "run", "--rm", "--network", "none", "--user", "0", "--entrypoint", "sh", image_name(name), "-c", listing
    )
    paths = [Path(line) for line in files.splitlines()]
    assert any(path.name == "serve.py" for path in paths)
    # Below a package's own folder there may be tests of its own.
    unwanted = [path for path in paths if UNWANTED.intersection(path.parts) and "site-packages" not in path.parts[:-2]]
    assert [path for path in paths if path.suffix == ".whl"] == []
    assert unwanted == []


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_labelled_with_version_and_commit(built: str, name: str) -> None:
    labels = json.loads(engine.ask("image", "inspect", "--format", "{{json .Config.Labels}}", image_name(name)))
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert labels["org.opencontainers.image.version"] == "0.1.0"
    assert labels["org.opencontainers.image.revision"].removesuffix("-dirty") == head.strip()


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("role", ["scoring", "model"])
def test_a_service_is_healthy_without_a_writable_file_system_a_name_or_a_capability(
    started: Started, name: str, role: str
) -> None:
    options = ("--read-only", "--user", "10001", "--cap-drop", "ALL")
    container = started.run(image_name(name), role, options=options)
    until_s = time.monotonic() + HEALTHY_TIMEOUT_S
    while (health := engine.ask("inspect", "--format", "{{.State.Health.Status}}", container)) == "starting":
        assert time.monotonic() < until_s, engine.ask("logs", container)
        time.sleep(0.2)
    assert health == "healthy", engine.ask("logs", container)
    assert engine.ask("exec", container, "id", "-u") == "10001"
    with pytest.raises(engine.DockerError, match="Read-only file system"):
        engine.ask("exec", container, "touch", "/app/new")


def test_a_dead_service_is_unhealthy(started: Started) -> None:
    """The health check asks the port that the service listens on, and nothing answers on another."""
    container = started.run(image_name("sync"), "model")
    check = ("exec", "--env", "SERVING_PORT=5999", container, "python", "/app/health.py")
    with pytest.raises(engine.DockerError, match="no answer"):
        engine.ask(*check)


def test_a_failing_unit_test_fails_the_build(built: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(
        ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv", "results", "run", "__pycache__", ".*_cache")
    )
    broken = copy / "tests" / "unit" / "contract" / "test_errors.py"
    broken.write_text(broken.read_text() + "\n\ndef test_the_sum_is_wrong() -> None:\n    assert 1 + 1 == 3\n")
    done = subprocess.run(
        [sys.executable, "-m", "docker.verbs", "build", "sync"], cwd=copy, env=environment(IMAGE_TAG="broken"),
        check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "test_the_sum_is_wrong" in done.stdout
    assert not engine.has_image(image_name("sync").replace(":latest", ":broken"))


def test_a_base_image_that_does_not_exist_is_named_with_what_to_do(base: str) -> None:
    done = make("docker-build", BASE_IMAGE="no-such-image:none")
    assert done.returncode != 0
    assert "BASE_IMAGE is 'no-such-image:none', which does not exist here and cannot be pulled" in done.stdout
    assert "make docker-base" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_base_image_without_python_is_named_with_what_to_do(base: str) -> None:
    subprocess.run([*engine.engine(), "import", "-", "sync-or-async-empty:test"], input=bytes(10240), check=True)
    try:
        done = make("docker-build", BASE_IMAGE="sync-or-async-empty:test")
    finally:
        engine.ask("image", "rm", "sync-or-async-empty:test")
    assert done.returncode != 0
    assert "BASE_IMAGE is 'sync-or-async-empty:test', which is not suitable" in done.stdout
    assert "Python 3.11 or newer" in done.stdout

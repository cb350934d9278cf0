"""`make docker-base`: builds a base image from Debian packages, for machines that cannot pull one.

It replaces BASE_IMAGE and REDIS_IMAGE, and trusts the same certificates as this machine. With PROFILE=jobs another one
replaces POSTGRES_IMAGE.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from docker.engine import LOCAL_BASE, LOCAL_POSTGRES, ROOT, DockerError, engine, last_line, run_command
from docker.up import profiles

PACKAGES = ("ca-certificates", "python3", "python3-venv", "redis-server")
POSTGRES_PACKAGES = ("ca-certificates", "postgresql")
_TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")
_NOT_NEEDED = ("var/cache/apt", "var/lib/apt/lists", "var/log", "usr/share/doc", "usr/share/man", "usr/share/locale")


def make_base() -> None:
    """Build the image LOCAL_BASE, and LOCAL_POSTGRES with the profile jobs. Raises DockerError."""
    if os.geteuid() != 0:
        raise DockerError("debootstrap needs root: run `sudo make docker-base`")
    if not shutil.which("debootstrap"):
        raise DockerError("debootstrap is not installed: on Debian or Ubuntu, run `apt-get install debootstrap`")
    _make(LOCAL_BASE, PACKAGES, _python_first)
    if "jobs" in profiles():
        _make(LOCAL_POSTGRES, POSTGRES_PACKAGES, _postgres_first)
    print("later builds and runs use it unless BASE_IMAGE, REDIS_IMAGE or POSTGRES_IMAGE is set")


def _make(image: str, packages: Sequence[str], complete: Callable[[Path], Sequence[str]]) -> None:
    """Build an image. `complete` adds what is missing, and returns instructions such as `CMD [...]`."""
    mirror, suite = _mirror_and_suite()
    print(f"debootstrap of {suite} with {', '.join(packages)}: about a minute", flush=True)
    with tempfile.TemporaryDirectory(prefix="docker-base-") as name:
        root = Path(name) / "root"
        _debootstrap(root, mirror, suite, packages)
        _slim_down(root)
        _import(root, image, complete(root))
    print(f"built {image}")


def _python_first(_: Path) -> Sequence[str]:
    return ['CMD ["python3"]']


def _postgres_first(root: Path) -> Sequence[str]:
    """Make PostgreSQL start as the user of the other containers, who must have a name for it."""
    with (root / "etc" / "passwd").open("a") as passwd:
        passwd.write("service:x:10001:10001::/tmp:/usr/sbin/nologin\n")
    sockets = root / "run" / "postgresql"
    sockets.mkdir(exist_ok=True)
    sockets.chmod(0o1777)  # as in the official image; what is mounted there takes it over
    shutil.copy(ROOT / "docker" / "postgres.sh", root / "postgres.sh")
    (programs,) = (root / "usr" / "lib" / "postgresql").glob("*/bin")
    path = f"/{programs.relative_to(root)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return [f"ENV PATH={path}", 'ENTRYPOINT ["sh", "/postgres.sh"]']


def _mirror_and_suite() -> tuple[str, str]:
    """Return MIRROR and SUITE from the environment, else those of this machine's own packages."""
    mirror, suite = os.environ.get("MIRROR", ""), os.environ.get("SUITE", "")
    if mirror and suite:
        return mirror, suite
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE) $(CODENAME) $(COMPONENT)", "Created-By: Packages"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    release = _codename()
    for line in listed.stdout.splitlines():
        site, codename, component = line.split()
        if component == "main" and codename == (suite or release):
            return mirror or site, codename
    raise DockerError(
        f"apt on this machine has no mirror of {suite or release or 'its release'}: "
        "name one with `make docker-base MIRROR=http://deb.debian.org/debian SUITE=bookworm`"
    )


def _codename() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    return ""


def _debootstrap(root: Path, mirror: str, suite: str, packages: Sequence[str]) -> None:
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", suite, str(root), mirror]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise DockerError(f"debootstrap of {suite} failed: {last_line(done.stdout + done.stderr)}")


def _slim_down(root: Path) -> None:
    """Remove files that only the installation needed, and copy this machine's trusted certificates."""
    for folder in _NOT_NEEDED:
        shutil.rmtree(root / folder, ignore_errors=True)
    if _TRUSTED.exists():
        shutil.copyfile(_TRUSTED, root / _TRUSTED.relative_to("/"))


def _import(root: Path, image: str, instructions: Sequence[str]) -> None:
    archive = root.with_suffix(".tar")
    run_command(["tar", "--numeric-owner", "-C", str(root), "-cf", str(archive), "."])
    changes = [word for each in ("ENV LANG=C.UTF-8", *instructions) for word in ("--change", each)]
    run_command([*engine(), "import", *changes, str(archive), image])

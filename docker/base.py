"""`make docker-base`: builds a base image from Debian packages, for machines that cannot pull one.

It replaces BASE_IMAGE and REDIS_IMAGE, and trusts the same certificates as this machine.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from docker.engine import LOCAL_BASE, DockerError, engine, last_line, run_command

PACKAGES = ("ca-certificates", "python3", "python3-venv", "redis-server")
_TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")
_NOT_NEEDED = ("var/cache/apt", "var/lib/apt/lists", "var/log", "usr/share/doc", "usr/share/man", "usr/share/locale")


def make_base() -> None:
    """Build the image LOCAL_BASE. Raises DockerError."""
    if os.geteuid() != 0:
        raise DockerError("debootstrap needs root: run `sudo make docker-base`")
    if not shutil.which("debootstrap"):
        raise DockerError("debootstrap is not installed: on Debian or Ubuntu, run `apt-get install debootstrap`")
    mirror, suite = _mirror_and_suite()
    print(f"debootstrap of {suite} with {', '.join(PACKAGES)}: about a minute", flush=True)
    with tempfile.TemporaryDirectory(prefix="docker-base-") as name:
        root = Path(name) / "root"
        _debootstrap(root, mirror, suite)
        _slim_down(root)
        _import(root)
    print(f"built {LOCAL_BASE}: later builds and runs use it unless BASE_IMAGE or REDIS_IMAGE is set")


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


def _debootstrap(root: Path, mirror: str, suite: str) -> None:
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", suite, str(root), mirror]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise DockerError(f"debootstrap of {suite} failed: {last_line(done.stdout + done.stderr)}")


def _slim_down(root: Path) -> None:
    """Remove files that only the installation needed, and copy this machine's trusted certificates."""
    for folder in _NOT_NEEDED:
        shutil.rmtree(root / folder, ignore_errors=True)
    if _TRUSTED.exists():
        shutil.copyfile(_TRUSTED, root / _TRUSTED.relative_to("/"))


def _import(root: Path) -> None:
    archive = root.with_suffix(".tar")
    run_command(["tar", "--numeric-owner", "-C", str(root), "-cf", str(archive), "."])
    run_command(
        [*engine(), "import", "--change", "ENV LANG=C.UTF-8", "--change", 'CMD ["python3"]', str(archive), LOCAL_BASE]
    )

"""`make docker-base`: a base image from Debian packages, for machines that cannot pull one.

It takes the place of BASE_IMAGE and REDIS_IMAGE, and trusts what this machine trusts.
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
    """Make the image LOCAL_BASE. Raises DockerError."""
    if os.geteuid() != 0:
        raise DockerError("debootstrap needs root; run: sudo make docker-base")
    if not shutil.which("debootstrap"):
        raise DockerError("debootstrap is not installed; on Debian or Ubuntu: apt-get install debootstrap")
    mirror, suite = _mirror_and_suite()
    print(f"debootstrap of {suite} with {', '.join(PACKAGES)}: about a minute", flush=True)
    with tempfile.TemporaryDirectory(prefix="docker-base-") as name:
        root = Path(name) / "root"
        _debootstrap(root, mirror, suite)
        _slim_down(root)
        _import(root)
    print(f"made {LOCAL_BASE}: what is built and run from now on uses it, unless BASE_IMAGE or REDIS_IMAGE is set")


def _mirror_and_suite() -> tuple[str, str]:
    """Return what MIRROR and SUITE say, else where this machine's own packages come from."""
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
        f"this machine's apt names no mirror of {suite or release or 'its release'}; "
        "give one: make docker-base MIRROR=http://deb.debian.org/debian SUITE=bookworm"
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
    """Remove what only installing needed, and trust what this machine trusts."""
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

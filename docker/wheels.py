"""Downloads wheels for image builds on machines whose pip is configured for another index, certificate or folder.

A build does not see that configuration, and neither images nor this repository may contain the address of an index.
So a container of the base image downloads the wheels with this machine's configuration, and the build installs those
files: docker/wheels/<list>/ contains the wheels, checked against the lock, and files.txt with the hash of each. If pip
is not configured, the folder stays empty and the build uses pip's default index.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from docker.engine import ROOT, run

WHEELS = ROOT / "docker" / "wheels"
LOCKS = ROOT / "requirements"
FILES = "files.txt"
_STAMP = ".made-for"
_FORM = b"files with hashes"  # format of the folder; a change of this text fills all folders again
_KEYS = ("index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "proxy", "cert", "timeout")
_MATTERS = {"index-url", "extra-index-url", "find-links", "no-index", "proxy", "cert"}
_SECTIONS = ("global", "install", "download", ":env:")  # later ones win, as with pip
# For each given name: downloads /lists/<name>.txt into /wheels/<name>.
_DOWNLOAD = """
set -e
python3 -m venv /tmp/installer
for name; do
    /tmp/installer/bin/python -m pip download -qq --no-cache-dir --disable-pip-version-check \\
        --require-hashes --dest "/wheels/$name" -r "/lists/$name.txt"
done
"""


def pip_configuration() -> dict[str, str]:
    """Return the part of this machine's pip configuration that determines where packages come from."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=False, capture_output=True, text=True
    )
    found: dict[str, str] = {}
    for section in _SECTIONS:
        for line in listed.stdout.splitlines():
            name, _, value = line.partition("=")
            where, _, key = name.rpartition(".")
            if where == section and key in _KEYS:
                found[key] = value.strip("'\"").replace("\\n", " ")
    return found


def provide_wheels(names: Sequence[str], base: str) -> None:
    """Fill docker/wheels/<name> for each list, or remove it if pip is not configured. Raises DockerError."""
    configuration = pip_configuration()
    if not _MATTERS.intersection(configuration):
        shutil.rmtree(WHEELS, ignore_errors=True)
        return
    wanted = {name: _stamp(name, base) for name in names}
    missing = [name for name in names if not _is_stamped(name, wanted[name])]
    if not missing:
        return
    print(f"pip is configured here ({', '.join(sorted(configuration))}): downloading wheels through it", flush=True)
    for name in missing:
        shutil.rmtree(WHEELS / name, ignore_errors=True)
        (WHEELS / name).mkdir(parents=True)
    run(["run", "--rm", "--network", "host", *_as_this_user(), *_as_options(configuration),
         "--volume", f"{WHEELS}:/wheels", "--volume", f"{LOCKS}:/lists:ro",
         "--entrypoint", "sh", base, "-c", _DOWNLOAD, "sh", *missing])  # fmt: skip
    for name in missing:
        write_file_list(WHEELS / name)
        (WHEELS / name / _STAMP).write_text(wanted[name])


def write_file_list(folder: Path) -> None:
    """Write the list of the wheels in a folder, with the paths that they have in a build and their hashes."""
    lines = [
        f"/wheels/{wheel.name} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"
        for wheel in sorted(folder.glob("*.whl"))
    ]
    (folder / FILES).write_text("".join(lines))


def _stamp(name: str, base: str) -> str:
    """Return a hash of everything that the wheels of a list depend on."""
    return hashlib.sha256((LOCKS / f"{name}.txt").read_bytes() + base.encode() + _FORM).hexdigest()


def _is_stamped(name: str, wanted: str) -> bool:
    stamp = WHEELS / name / _STAMP
    return stamp.exists() and stamp.read_text() == wanted


def _as_this_user() -> list[str]:
    return ["--user", f"{os.getuid()}:{os.getgid()}", "--env", "HOME=/tmp"]


def _as_options(configuration: dict[str, str]) -> list[str]:
    """Return options of `docker run`: the configuration as variables, and mounts of its folders and files."""
    options: list[str] = []
    for key, value in configuration.items():
        options += ["--env", f"PIP_{key.replace('-', '_').upper()}={value}"]
        for path in _local_paths(value):
            options += ["--volume", f"{path}:{path}:ro"]
    return options


def _local_paths(value: str) -> list[Path]:
    """Return the folders and files of this machine in a value; for a local index the folder that contains it."""
    paths = []
    for word in value.split():
        path = Path(unquote(urlsplit(word).path) if word.startswith("file:") else word)
        if path.is_absolute() and path.exists():
            # The pages of a local index link to files in its parent folder.
            paths.append(path.parent if path.name == "simple" else path)
    return paths

"""Wheels for builds on a machine whose pip is configured for another index, another certificate, or folders.

A build sees nothing of that configuration, and no address of an index belongs into an image or this
repository. So a container of the base image downloads, with this machine's configuration, what the
build then installs from docker/wheels/<list>/ without asking any index. Where pip is not
configured, that folder stays empty, and the build asks where pip looks by default.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from docker.engine import ROOT, run

WHEELS = ROOT / "docker" / "wheels"
_KEYS = ("index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "proxy", "cert", "timeout")
_MATTERS = {"index-url", "extra-index-url", "find-links", "no-index", "proxy", "cert"}
_SECTIONS = ("global", "install", "download", ":env:")  # later ones win, as with pip
_DOWNLOAD = (
    "python3 -m venv /tmp/installer && /tmp/installer/bin/python -m pip download -qq --no-cache-dir "
    "--disable-pip-version-check --require-hashes --dest /wheels -r /list.txt"
)


def pip_configuration() -> dict[str, str]:
    """Return this machine's pip configuration by key, as far as it says where packages come from."""
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


def provide_wheels(name: str, base: str) -> None:
    """Fill docker/wheels/<name>, or empty it where pip is not configured. Raises DockerError."""
    folder = WHEELS / name
    configuration = pip_configuration()
    if not _MATTERS.intersection(configuration):
        shutil.rmtree(folder, ignore_errors=True)
        return
    lock = ROOT / "requirements" / f"{name}.txt"
    stamp = folder / ".made-for"
    wanted = hashlib.sha256(lock.read_bytes() + base.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(
        f"pip is configured here ({', '.join(sorted(configuration))}): downloading requirements/{name}.txt through it"
    )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run(["run", "--rm", "--network", "host", *_as_this_user(), *_as_options(configuration),
         "--volume", f"{folder}:/wheels", "--volume", f"{lock}:/list.txt:ro",
         "--entrypoint", "sh", base, "-c", _DOWNLOAD])  # fmt: skip
    stamp.write_text(wanted)


def _as_this_user() -> list[str]:
    return ["--user", f"{os.getuid()}:{os.getgid()}", "--env", "HOME=/tmp"]


def _as_options(configuration: dict[str, str]) -> list[str]:
    """Return options of `run`: the configuration as variables, and the folders and files that it names."""
    options: list[str] = []
    for key, value in configuration.items():
        options += ["--env", f"PIP_{key.replace('-', '_').upper()}={value}"]
        for path in _local_paths(value):
            options += ["--volume", f"{path}:{path}:ro"]
    return options


def _local_paths(value: str) -> list[Path]:
    """Return the folders and files of this machine that a value names, each as high as an index of files needs."""
    paths = []
    for word in value.split():
        path = Path(unquote(urlsplit(word).path) if word.startswith("file:") else word)
        if path.is_absolute() and path.exists():
            # The pages of an index of files link to files beside it.
            paths.append(path.parent if path.name == "simple" else path)
    return paths

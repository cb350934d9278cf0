"""What a build takes over from this machine's pip, and when."""

import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from docker import wheels
from docker.engine import ROOT


def listed(name: str, value: str) -> str:
    """Return a setting as `pip config list` prints it."""
    return f"{name}='{value}'\n"


LISTED = "".join(
    (
        listed(":env:.find-links", "/opt/mine"),
        listed(":env:.quiet", "1"),
        listed("global.index-url", "https://index.example/simple"),
        listed("global.find-links", "/opt/all"),
        listed("install.index-url", "https://other.example/simple"),
        listed("user.name", "me"),
    )
)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """What the engine was told, with empty folders for wheels and locks."""
    commands: list[list[str]] = []
    (tmp_path / "locks").mkdir()
    for name in ("sync", "test"):
        (tmp_path / "locks" / f"{name}.txt").write_text(f"{name}==1\n")
    monkeypatch.setattr(wheels, "WHEELS", tmp_path / "wheels")
    monkeypatch.setattr(wheels, "LOCKS", tmp_path / "locks")
    monkeypatch.setattr(wheels, "run", commands.append)
    return commands


def configure(monkeypatch: pytest.MonkeyPatch, settings: str) -> None:
    done = subprocess.CompletedProcess([], 0, stdout=settings)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)


def test_only_what_says_where_packages_come_from_is_taken_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configure(monkeypatch, LISTED)
    assert wheels.pip_configuration() == {"index-url": "https://other.example/simple", "find-links": "/opt/mine"}


def test_without_a_configuration_nothing_is_downloaded_and_old_wheels_go(
    monkeypatch: pytest.MonkeyPatch, ran: list[list[str]]
) -> None:
    configure(monkeypatch, "global.quiet='1'\n")
    (wheels.WHEELS / "sync").mkdir(parents=True)
    wheels.provide_wheels(["sync"], "base:1")
    assert ran == []
    assert not wheels.WHEELS.exists()


def test_wheels_are_downloaded_once_for_each_lock_and_base(
    monkeypatch: pytest.MonkeyPatch, ran: list[list[str]]
) -> None:
    configure(monkeypatch, LISTED)
    wheels.provide_wheels(["sync", "test"], "base:1")
    wheels.provide_wheels(["sync", "test"], "base:1")
    assert [command[-2:] for command in ran] == [["sync", "test"]]
    assert "PIP_INDEX_URL=https://other.example/simple" in ran[0]
    (wheels.LOCKS / "sync.txt").write_text("sync==2\n")
    wheels.provide_wheels(["sync", "test"], "base:1")
    assert ran[1][-1] == "sync"
    assert "test" not in ran[1]
    wheels.provide_wheels(["test"], "base:2")
    assert ran[2][-1] == "test"


def test_folders_that_the_configuration_names_are_seen_by_the_container(
    monkeypatch: pytest.MonkeyPatch, ran: list[list[str]], tmp_path: Path
) -> None:
    index = tmp_path / "index" / "simple"
    index.mkdir(parents=True)
    configure(monkeypatch, listed("global.extra-index-url", f"file://{index}"))
    wheels.provide_wheels(["sync"], "base:1")
    assert f"{index.parent}:{index.parent}:ro" in ran[0]


def test_what_is_installed_is_named_file_by_file_with_hashes(tmp_path: Path) -> None:
    (tmp_path / "b-1-py3-none-any.whl").write_bytes(b"b")
    (tmp_path / "a-2-py3-none-any.whl").write_bytes(b"a")
    (tmp_path / "notes.txt").write_text("no wheel")
    wheels.write_file_list(tmp_path)
    assert (tmp_path / wheels.FILES).read_text().splitlines() == [
        f"/wheels/{name} --hash=sha256:{hashlib.sha256(content).hexdigest()}"
        for name, content in (("a-2-py3-none-any.whl", b"a"), ("b-1-py3-none-any.whl", b"b"))
    ]


def test_the_installer_says_nothing_of_where_to_look() -> None:
    """Only whether to look at all: what it may ask of an index is the default, or nothing."""
    options = re.findall(r"(?<![a-z-])--[a-z-]+", (ROOT / "docker" / "install.sh").read_text())
    assert {option for option in options if "index" in option or "link" in option} == {"--no-index"}

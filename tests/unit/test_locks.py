"""Locks: hashes for every package, no address of an index, and one beside every list of a strategy."""

import re
from pathlib import Path

import pytest

from requirements.lock import LOCKS, ROOT, lists

SOURCES = dict(lists())


@pytest.mark.parametrize("target", SOURCES)
def test_a_lock_has_hashes_for_every_package_and_no_address(target: str) -> None:
    lock = (ROOT / target).read_text()
    packages = re.findall(r"^[A-Za-z0-9].*(?:\n    .*)*", lock, re.MULTILINE)
    assert packages
    for package in packages:
        assert re.match(r"[A-Za-z0-9._-]+(\[.*\])?==", package), package
        assert "--hash=sha256:" in package
    assert "://" not in lock
    assert "index" not in re.sub(r"^[A-Za-z0-9].*", "", lock, flags=re.MULTILINE)


def test_every_list_of_pyproject_and_of_a_strategy_is_resolved(tmp_path: Path) -> None:
    folder = tmp_path / "strategies" / "mine"
    folder.mkdir(parents=True)
    (folder / "own.in").write_text("gibbs\n")
    found = dict(lists(tmp_path))
    assert list(found) == [*(f"requirements/{name}.txt" for name in LOCKS), "strategies/mine/own.txt"]
    assert found["strategies/mine/own.txt"] == ["strategies/mine/own.in"]
    assert all("--constraint" in found[f"requirements/{name}.txt"] for name in LOCKS[1:])


def test_a_strategy_of_its_own_is_held_to_no_version_of_ours() -> None:
    own = [source for target, source in SOURCES.items() if target.startswith("strategies/")]
    assert own
    assert all(len(source) == 1 for source in own)

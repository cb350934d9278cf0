"""`make audit`: what is vulnerable is said and fails; what could not be asked is said aloud and does not."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from requirements import audit

VULNERABLE = {
    "name": "flask",
    "version": "0.1",
    "vulns": [{"id": "PYSEC-2018-66", "fix_versions": ["0.12.3"], "aliases": [], "description": ""}],
}
FINE: dict[str, Any] = {"name": "pip", "version": "25.0", "vulns": []}
UNKNOWN = {"name": "pip", "skip_reason": "Dependency not found and could not be audited: pip (25.0)"}
# What pip-audit does: answers into a file and exits with 1 if it found something, or fails without a file.
STUB = """
import json, pathlib, sys
words = sys.argv[1:]
answers = json.loads({answers!r})
name = pathlib.Path(words[words.index("-r") + 1]).name
if name not in answers:
    sys.exit("ERROR: no route to host")
pathlib.Path(words[words.index("--output") + 1]).write_text(json.dumps({{"dependencies": answers[name]}}))
print("found something" if "vulns" in str(answers[name]) else "nothing")
sys.exit(1)
"""


@pytest.fixture
def audited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one lock."""
    lock = tmp_path / "mine.txt"
    lock.write_text("flask==0.1\n")
    monkeypatch.setattr(audit, "ROOT", tmp_path)
    monkeypatch.setattr(audit, "AUDITED", (lock,))
    return tmp_path


def answering(monkeypatch: pytest.MonkeyPatch, folder: Path, **answers: list[dict[str, Any]]) -> None:
    """Put a pip-audit in place that answers about the probe and about the lock."""
    stub = folder / "stub.py"
    stub.write_text(STUB.format(answers=json.dumps({f"{name}.txt": answer for name, answer in answers.items()})))
    monkeypatch.setattr(audit, "install", lambda: [sys.executable, str(stub)])


def test_a_known_vulnerability_is_named_with_its_cure_and_fails(
    audited: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(monkeypatch, audited, probe=[FINE], mine=[FINE, VULNERABLE])
    assert audit.main([]) == 1
    said = capsys.readouterr().out
    assert "mine.txt: flask==0.1: PYSEC-2018-66, fixed in 0.12.3" in said
    assert "1 known vulnerabilities in 1 locks" in said


def test_without_any_it_passes_and_says_how_much_was_audited(
    audited: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(monkeypatch, audited, probe=[FINE], mine=[FINE])
    assert audit.main([]) == 0
    assert capsys.readouterr().out == "0 known vulnerabilities in 1 locks\n"


def test_what_nothing_is_known_of_is_named(
    audited: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(monkeypatch, audited, probe=[FINE], mine=[FINE, {**UNKNOWN, "name": "ours"}])
    assert audit.main([]) == 0
    assert "mine.txt: nothing is known of ours" in capsys.readouterr().out


@pytest.mark.parametrize("answers", [{}, {"probe": [UNKNOWN]}, {"probe": [FINE]}], ids=["nothing", "no index", "gone"])
def test_where_nobody_can_be_asked_it_is_skipped_aloud(
    audited: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answers: dict[str, list[dict[str, Any]]],
) -> None:
    answering(monkeypatch, audited, **answers)
    assert audit.main([]) == 0
    assert capsys.readouterr().out.startswith("SKIPPED: dependencies are not audited: no index of advisories: ")


def test_where_it_cannot_be_installed_it_is_skipped_aloud(
    audited: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit, "VENV", audited / "venv")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert audit.main([]) == 0
    assert capsys.readouterr().out.startswith("SKIPPED: dependencies are not audited: its environment cannot be made")


def test_every_lock_of_what_is_installed_is_audited() -> None:
    names = {path.relative_to(audit.ROOT).as_posix() for path in audit.AUDITED}
    assert {"requirements/dev.txt", "requirements/audit.txt"} <= names
    assert names >= {path.relative_to(audit.ROOT).as_posix() for path in audit.ROOT.glob("strategies/*/*.txt")}
    named = {
        line.split("==")[0] for line in (audit.ROOT / "requirements/dev.txt").read_text().splitlines() if "==" in line
    }
    for lock in audit.ROOT.glob("requirements/*.txt"):
        inside = {line.split("==")[0] for line in lock.read_text().splitlines() if "==" in line}
        assert lock.name == "audit.txt" or inside <= named, lock

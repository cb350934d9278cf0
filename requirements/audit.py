"""`make audit`: ask whether what the locks name has known vulnerabilities. Standard library only.

pip-audit does the work, from an environment of its own, because it would hold our libraries to its versions. Without an
index of advisories nothing can be said: that is printed, and is no failure. What follows `--` goes to pip-audit, such
as `--ignore-vuln ID`.

Exit status: 0 none is known, or it could not be asked; 1 some are.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "audit.txt"
VENV = ROOT / ".venvs" / "audit"
TIMEOUT_S = 300.0
# The first names everything that we install ourselves; the others are held to the same versions.
AUDITED = (ROOT / "requirements" / "dev.txt", LOCK, *sorted(ROOT.glob("strategies/*/*.txt")))
PROBE = "pip==25.0\n"  # asked first, alone: is there an index of advisories at all?


class Unreachable(Exception):
    """Nobody can be asked; the message says why, in a line."""


def main(arguments: Sequence[str]) -> int:
    """Audit every lock; return the exit status."""
    try:
        pip_audit = install()
        probe(pip_audit)
        found = [(lock, name, each) for lock in AUDITED for name, each in audit(pip_audit, lock, arguments)]
    except Unreachable as error:
        print(f"SKIPPED: dependencies are not audited: {error}", flush=True)
        return 0
    for lock, name, vulnerability in found:
        fixed = ", ".join(vulnerability.get("fix_versions", ())) or "no version yet"
        print(f"{lock.relative_to(ROOT)}: {name}: {vulnerability['id']}, fixed in {fixed}")
    print(f"{len(found)} known vulnerabilities in {len(AUDITED)} locks", flush=True)
    return 1 if found else 0


def install() -> list[str]:
    """Make the environment of pip-audit, and return its command. Raises Unreachable."""
    python = VENV / "bin" / "python"
    marker = VENV / "complete"
    if not marker.exists() or marker.read_bytes() != LOCK.read_bytes():
        _run([sys.executable, "-m", "venv", "--clear", str(VENV)], "its environment cannot be made")
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1"]
        _run([*pip, "--require-hashes", "-r", str(LOCK)], "pip-audit cannot be installed")
        marker.write_bytes(LOCK.read_bytes())
    return [str(python), "-m", "pip_audit"]


def probe(pip_audit: Sequence[str]) -> None:
    """Raise Unreachable unless something is known of one package that has existed for long."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "probe.txt"
        path.write_text(PROBE)
        (dependency,) = asked(pip_audit, path, ["--no-deps"])
    if "skip_reason" in dependency:
        raise Unreachable(f"no index of advisories: {dependency['skip_reason']}")


def audit(pip_audit: Sequence[str], lock: Path, arguments: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """Return the vulnerabilities of what a lock names, as `name==version` and the advisory. Raises Unreachable."""
    dependencies = asked(pip_audit, lock, ["--require-hashes", *arguments])
    skipped = [each["name"] for each in dependencies if "skip_reason" in each]
    if skipped:
        print(f"{lock.relative_to(ROOT)}: nothing is known of {', '.join(skipped)}", flush=True)
    return [
        (f"{each['name']}=={each['version']}", vulnerability)
        for each in dependencies
        for vulnerability in each.get("vulns", ())
    ]


def asked(pip_audit: Sequence[str], lock: Path, arguments: Sequence[str]) -> list[dict[str, Any]]:
    """Return what pip-audit says of each package of a list. It writes no file where it could not ask."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        options = ["--disable-pip", "--progress-spinner", "off", "--format", "json", "--output", str(answer)]
        said = _run([*pip_audit, "-r", str(lock), *options, *arguments], "", may_fail=True)
        if not answer.exists():
            raise Unreachable(f"no index of advisories: {said}")
        dependencies: list[dict[str, Any]] = json.loads(answer.read_text())["dependencies"]
        return dependencies


def _run(command: Sequence[str], failure: str, may_fail: bool = False) -> str:
    """Run a command and return the last line that it said. Raises Unreachable if it failed, or never ended."""
    try:
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise Unreachable(f"{Path(command[0]).name} did not end within {TIMEOUT_S:g} s") from None
    last = ((run.stdout + run.stderr).strip().splitlines() or ["it said nothing"])[-1]
    if run.returncode and not may_fail:
        raise Unreachable(f"{failure}: {last}")
    return last


if __name__ == "__main__":
    sys.exit(main([argument for argument in sys.argv[1:] if argument != "--"]))

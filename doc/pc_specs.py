"""`make pc-specs`: write doc/pc_specs.html, what this machine is made of.

From `lshw` where it is installed, else from the provenance that every run records. Serial numbers,
addresses and the name of the machine are left out; git ignores the page.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmark.record.provenance import environment
from benchmark.report.page import templates

PAGE: Final = Path(__file__).resolve().parent / "pc_specs.html"
_TIMEOUT_S: Final = 120.0


class LshwFailed(Exception):
    """lshw is installed and gave no page; the message says why."""


def page() -> tuple[str, str]:
    """Return the page and where it comes from."""
    program = shutil.which("lshw")
    if program is None:
        return recorded_page(), "the provenance of a run; for more, install lshw"
    try:
        return lshw_page(program), "lshw"
    except LshwFailed as error:
        return recorded_page(), f"the provenance of a run, because {error}"


def lshw_page(program: str) -> str:
    """Return what lshw says, without what identifies the machine. Raises LshwFailed."""
    command = [program, "-html", "-sanitize"]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_TIMEOUT_S)
    except (OSError, UnicodeDecodeError, subprocess.TimeoutExpired) as error:
        raise LshwFailed(f"lshw failed: {error}") from error
    if done.returncode or "</html>" not in done.stdout:
        said = (done.stderr.strip() or "no page").splitlines()[-1]
        raise LshwFailed(f"lshw ended with status {done.returncode}: {said}")
    return done.stdout


def recorded_page() -> str:
    """Return a page of what every run records about its machine."""
    return templates().get_template("pc_specs.html.j2").render(environment=environment())


def main() -> int:
    """Write the page and say where it is."""
    text, source = page()
    PAGE.write_text(text, encoding="utf-8")
    print(f"{PAGE}: from {source}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

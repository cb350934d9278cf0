"""`make test` on every supported Python at home, as CI does: `nox`, or one of them: `nox -s tests-3.12`.

Each Python gets an environment of its own under .nox, from the hash-locked list. One that is not
installed is skipped, and nox says so; in CI it is an error. What follows `--` goes to pytest.
"""

import nox

PYTHONS = ("3.11", "3.12", "3.13", "3.14")

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "venv"
nox.options.reuse_venv = "yes"


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Lint, format check, types, architecture contracts, tests."""
    session.install("--require-hashes", "-r", "requirements/dev.txt")
    session.install("--no-deps", "--no-build-isolation", "--editable", ".")
    session.run("python", "-m", "tests", *session.posargs)

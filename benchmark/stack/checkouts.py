"""Where the code of a contender lies that is measured from its own repository: as it is, or at a git revision.

A revision is checked out once as a worktree below `.gate/` of its repository, built by the row's `setup`, and kept:
the same revision and the same command find it again. A `.gitignore` in that folder hides it from git.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmark.contenders.discovery import ROOT, Contender, Place
from benchmark.errors import ContenderError, NotAvailable
from benchmark.stack.uninterrupted import temporary_folder

CACHE: Final = ".gate"
AS_IT_IS: Final = "as it is"
_COMPLETE: Final = "complete"  # a file, the last that is written
_LOG: Final = "setup.log"
_SETUP_TIMEOUT_S: Final = 1800.0
_GIT_TIMEOUT_S: Final = 300.0
_MESSAGE_LINES: Final = 8


def placed(contender: Contender, say: Callable[[str], None]) -> tuple[Contender, str]:
    """Return a contender whose processes run in the right place, built, and which revision that is.

    Raises ContenderError for a revision that does not exist, or NotAvailable if it cannot be built.
    """
    root = _repository_of(contender.folder)
    if not contender.checkout:
        if contender.setup:
            say(f"{contender.name}: {contender.setup}")
            with temporary_folder() as logs:
                _set_up(contender, contender.folder, logs / _LOG)
        outside = not contender.folder.is_relative_to(ROOT)
        place = Place(folder=contender.folder, root=root or contender.folder) if outside else None
        return contender.model_copy(update={"place": place}), AS_IT_IS
    if root is None:
        raise ContenderError(
            f"{_where(contender)} is {contender.checkout!r}, but {contender.folder} is in no git repository"
        )
    commit = _commit_of(contender, root)
    digest = hashlib.sha256(contender.setup.encode()).hexdigest()[:8]
    kept = root / CACHE / f"{contender.name}-{commit[:12]}-{digest}"
    with _alone(root / CACHE):
        if not (kept / _COMPLETE).exists():
            say(f"{contender.name}: checking out {contender.checkout} ({commit[:12]}), once")
            _build(contender, root, commit, kept)
    tree = kept / "tree"
    place = Place(folder=tree / contender.folder.relative_to(root), root=tree)
    return contender.model_copy(update={"place": place}), commit


def _where(contender: Contender) -> str:
    return f"{contender.folder / 'contender.toml'}: contender.{contender.name}.checkout"


def _repository_of(folder: Path) -> Path | None:
    try:
        return Path(_git(folder, "rev-parse", "--show-toplevel"))
    except NotAvailable:
        return None


def _commit_of(contender: Contender, root: Path) -> str:
    """Return the commit of a revision; CI often has a branch only as that of the remote repository."""
    for name in (contender.checkout, f"origin/{contender.checkout}"):
        try:
            return _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        except NotAvailable:
            continue
    raise ContenderError(
        f"{_where(contender)}: there is no revision {contender.checkout!r} in {root}: fetch it first "
        "(of actions/checkout: fetch-depth: 0)"
    )


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Let one process at a time build. The system forgets the lock when its process ends, however it does."""
    cache.mkdir(exist_ok=True)
    (cache / ".gitignore").write_text("*\n")
    handle = os.open(cache, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _build(contender: Contender, root: Path, commit: str, kept: Path) -> None:
    """Check a revision out and build it in its place. What is not complete is removed."""
    tree = kept / "tree"
    shutil.rmtree(kept, ignore_errors=True)  # of a process that was killed
    kept.mkdir(parents=True)
    try:
        _git(root, "worktree", "prune")
        _git(root, "worktree", "add", "--detach", "--force", str(tree), commit)
        folder = tree / contender.folder.relative_to(root)
        if not folder.is_dir():
            raise ContenderError(f"{_where(contender)}: {contender.checkout} has no folder {folder.relative_to(tree)}")
        if contender.setup:
            _set_up(contender, folder, kept / _LOG)
        (kept / _COMPLETE).touch()
    except BaseException:
        shutil.rmtree(tree, ignore_errors=True)
        raise


def _set_up(contender: Contender, folder: Path, log: Path) -> None:
    """Run the command that builds a contender. Raises NotAvailable with the end of what it says."""
    failed = f"{contender.name} cannot be built: `{contender.setup}` in {folder}"
    with log.open("wb") as output:
        try:
            status = subprocess.run(
                ["/bin/sh", "-c", contender.setup],
                cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False,
                timeout=_SETUP_TIMEOUT_S,
            ).returncode  # fmt: skip
        except subprocess.TimeoutExpired:
            raise NotAvailable(f"{failed} took longer than {_SETUP_TIMEOUT_S:.0f} s") from None
    if status:
        lines = log.read_text(errors="replace").strip().splitlines()[-_MESSAGE_LINES:]
        said = "".join(f"\n    {line}" for line in lines)
        raise NotAvailable(f"{failed} ended with status {status}{'; it says:' if said else ''}{said}")


def _git(folder: Path, *arguments: str) -> str:
    """Return what git says. Raises NotAvailable."""
    command = ["git", "-C", str(folder), *arguments]
    # Within a hook of git, these name the repository that the hook is of.
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_TIMEOUT_S, check=False, env=own)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotAvailable(f"git cannot be run: {error}") from error
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise NotAvailable(f"`git {arguments[0]}` failed in {folder}: {said}")
    return done.stdout.strip()

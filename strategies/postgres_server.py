"""A PostgreSQL server of our own: `python -m strategies.postgres_server --port 8219`, until SIGTERM or its parent ends.

It keeps its data in a temporary folder, and every commit is on disk before it is answered. Killed, it is started again
with all of its data. It listens at loopback, for one role that may do nothing outside of its database:
postgresql://serving@127.0.0.1:8219/serving.

PostgresError
├── PostgresNotFound   no server is installed
└── PostgresFailed     it ended, or did not become ready; the message ends with its last output
"""

import contextlib
import ctypes
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

HOST: Final = "127.0.0.1"
ROLE: Final = "serving"

_PROGRAMS: Final = ("initdb", "postgres")
# Where packages put them that do not put them on the PATH: Debian and Ubuntu, Fedora, Homebrew.
_FOLDERS: Final = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
_USERS: Final = ("postgres", "nobody")  # as which root starts it, since it refuses to run as root
_ACCESS: Final = f"host {ROLE} {ROLE} {HOST}/32 trust\n"  # pg_hba.conf: nobody else, and not by another way
_SETUP: Final = f"CREATE ROLE {ROLE} LOGIN;\nCREATE DATABASE {ROLE} OWNER {ROLE};\n"
_READY_TIMEOUT_S: Final = 20.0
_STOP_TIMEOUT_S: Final = 5.0
_POLL_S: Final = 0.02
_PARENT_POLL_S: Final = 0.2
_TAIL_LINES: Final = 10
_PR_SET_PDEATHSIG: Final = 1  # <sys/prctl.h>


class PostgresError(Exception):
    """The server is not available; the message says why and what to do."""


class PostgresNotFound(PostgresError):
    def __init__(self) -> None:
        super().__init__(
            "There is no PostgreSQL server on this machine: `initdb` and `postgres` are neither on the PATH nor in "
            f"{_FOLDERS[0]}. Install one, for instance `apt install postgresql` or `brew install postgresql`; "
            "it need not run."
        )


class PostgresFailed(PostgresError):
    def __init__(self, what: str, output: str) -> None:
        last = "\n".join(output.splitlines()[-_TAIL_LINES:])
        super().__init__(f"The PostgreSQL server {what}. Its last output:\n{last}")


def find_programs() -> Path:
    """Return the folder of the server's programs: on the PATH, else the newest that is installed."""
    on_path = [Path(found).parent for found in [shutil.which(_PROGRAMS[0])] if found]
    installed = [folder for pattern in _FOLDERS for folder in Path("/").glob(pattern[1:])]
    for folder in [*on_path, *sorted(installed, key=_version, reverse=True)]:
        if all((folder / program).is_file() for program in _PROGRAMS):
            return folder
    raise PostgresNotFound


class PostgresServer:
    """A server with its data in a folder. Create it with postgres_server()."""

    def __init__(self, programs: Path, folder: Path, port: int) -> None:
        self.port = port
        self.url = f"postgresql://{ROLE}@{HOST}:{port}/{ROLE}"
        self._programs, self._folder, self._data = programs, folder, folder / "data"
        self._log = folder / "server.log"
        self._as_user = _give_away(folder)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the id of the server's main process."""
        assert self._process is not None
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def create(self) -> None:
        """Create the data, with a role and a database. Raises PostgresFailed."""
        options = ("--username=postgres", "--auth=reject", "--encoding=UTF8", "--locale=C", "--no-sync")
        self._run("initdb", "-D", str(self._data), *options)
        (self._data / "pg_hba.conf").write_text(_ACCESS)
        self._run("postgres", "--single", "-D", str(self._data), "postgres", given=_SETUP)

    def start(self) -> None:
        """Start the server, and wait until it answers. Raises PostgresFailed."""
        deadline_s = time.monotonic() + _READY_TIMEOUT_S
        self._launch()
        while not self._is_ready():
            if time.monotonic() > deadline_s:
                self.stop()
                raise PostgresFailed(f"was not ready within {_READY_TIMEOUT_S:g} s", self._output())
            if self.has_ended:
                # Processes of a server that was killed need a moment to notice it, and no other may start before.
                if "is still in use" not in self._output():
                    raise PostgresFailed(f"cannot be started on port {self.port}", self._output())
                time.sleep(_PARENT_POLL_S)
                self._launch()
            time.sleep(_POLL_S)

    def kill(self) -> None:
        """Kill the server, as a crash would. start() brings it back."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Stop the server: those who are connected lose their connections."""
        if self._process is None:
            return
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            self._process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_TIMEOUT_S)
                return

    def _launch(self) -> None:
        places = ("-D", self._data, "-h", HOST, "-p", str(self.port), "-k", self._folder)
        durable = ("-c", "fsync=on", "-c", "synchronous_commit=on")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", *places, *durable],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_environment(),
                cwd=self._folder,
                preexec_fn=_bind_to_parent(),  # noqa: PLW1509 - takes no lock that another thread could hold
                **self._as_user,
            )

    def _is_ready(self) -> bool:
        """Whether the server says so, in the file that pg_ctl reads, too. It listens a little earlier."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        # It is written line by line: the process id first, what the server is doing eighth.
        return lines[:1] == [str(self.pid)] and [line.strip() for line in lines[7:8]] == ["ready"]

    def _run(self, program: str, *arguments: str, given: str = "") -> None:
        found = subprocess.run(
            [self._programs / program, *arguments],
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            text=True,
            env=_environment(),
            cwd=self._folder,
            **self._as_user,
        )
        if found.returncode:
            raise PostgresFailed(f"cannot be set up: {program} ended with {found.returncode}", found.stdout)

    def _output(self) -> str:
        return self._log.read_text(errors="replace")


@contextlib.contextmanager
def postgres_server(port: int = 0) -> Iterator[PostgresServer]:
    """Run a server until the block ends. Port 0 means a free port. Raises PostgresError.

    On Linux the server also ends if the thread that starts it ends in any way.
    """
    programs = find_programs()
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as folder:
        server = PostgresServer(programs, Path(folder).resolve(), port or _free_port())
        server.create()
        try:
            server.start()
            yield server
        finally:
            server.stop()


def main(port: Annotated[int, typer.Option(min=1, max=65535, help=f"Port to listen on, at {HOST}.")]) -> None:
    """Run a server, and again whenever it ends, until SIGTERM or the end of the parent."""
    stopping, parent = threading.Event(), os.getppid()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        with postgres_server(port) as server:
            while not stopping.wait(_PARENT_POLL_S) and os.getppid() == parent:
                if server.has_ended:
                    server.start()
    except PostgresError as error:
        sys.exit(str(error))


def _version(folder: Path) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", str(folder))))


def _give_away(folder: Path) -> dict[str, Any]:
    """Give a folder to the user as whom the server runs; return what Popen needs for that. Only root has to."""
    if os.geteuid() != 0:
        return {}
    for name in _USERS:
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            os.chown(folder, user.pw_uid, user.pw_gid)
            return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise PostgresError(f"PostgreSQL refuses to run as root, and there is none of the users {', '.join(_USERS)}.")


def _environment() -> dict[str, str]:
    """Return this process's environment with messages in English, and without what would lead to another server."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith("PG")}, "LC_ALL": "C"}


def _bind_to_parent() -> Callable[[], None] | None:
    """Return a preexec function that makes Linux stop the server when this process is killed."""
    if sys.platform != "linux":
        return None
    parent = os.getpid()
    prctl = ctypes.CDLL(None).prctl  # looked up here, to do as little as possible between fork and exec

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGQUIT))  # it leaves no shared memory behind, as SIGKILL would
        if os.getppid() != parent:  # the parent was killed before prctl
            os._exit(1)

    return bind


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


if __name__ == "__main__":
    typer.run(main)

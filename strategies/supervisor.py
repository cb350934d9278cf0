"""Keeps helper processes running, as systemd or Kubernetes would: one that dies is started again.

    python -m strategies.supervisor --port 8190 --count 2 strategies.job_rq.worker jobs

runs `python -m strategies.job_rq.worker jobs` twice, until SIGTERM.
"""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

HOST: Final = "127.0.0.1"
_BRIEF_S: Final = 1.0  # one that dies within this time is started again more and more rarely
_PAUSES_S: Final = (0.1, 5.0)  # at first, and at most
_GRACE_S: Final = 3.0  # for a process to end by itself
_POLL_S: Final = 0.2


class Keeper:
    """Keeps one process running, in a thread of its own."""

    def __init__(self, command: Sequence[str | Path], pause_s: float) -> None:
        self._command, self._pause_s = command, pause_s
        self._stopping = threading.Event()
        self._process = subprocess.Popen(command)
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        """End the process: SIGTERM first, SIGKILL after the grace time."""
        self._stopping.set()
        self._process.terminate()
        self._thread.join(_GRACE_S)
        self._process.kill()
        self._thread.join()

    def _keep(self) -> None:
        backoff_s = 0.0
        while True:
            began_s = time.monotonic()
            self._process.wait()
            lived_s = time.monotonic() - began_s
            backoff_s = min(max(2 * backoff_s, _PAUSES_S[0]), _PAUSES_S[1]) if lived_s < _BRIEF_S else 0.0
            if self._stopping.wait(max(self._pause_s, backoff_s)):
                return
            self._process = subprocess.Popen(self._command)


def keep(commands: Iterable[Sequence[str | Path]], pause_s: float = 0.0, port: int = 0) -> None:
    """Keep a process running for each command until SIGTERM or SIGINT.

    With a port, it accepts connections there once all have been started, to say so.
    """
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    keepers: list[Keeper] = []
    try:
        for command in commands:
            keepers.append(Keeper(command, pause_s))  # noqa: PERF401 - those that run are stopped if one cannot start
        if port:
            _accept(port, stopping)
        stopping.wait()
    finally:
        for keeper in keepers:
            keeper.stop()


def _accept(port: int, stopping: threading.Event) -> None:
    with socket.create_server((HOST, port)) as server:
        server.settimeout(_POLL_S)
        while not stopping.is_set():
            try:
                connection, _ = server.accept()
                connection.close()
            except TimeoutError:
                continue


def main(
    module: Annotated[str, typer.Argument(help="What to run, as python -m MODULE.")],
    args: Annotated[list[str] | None, typer.Argument(help="Its arguments.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port that says that they run; 0: none.")] = 0,
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 1,
    pause_s: Annotated[float, typer.Option(min=0, help="How long one stays away before it is started again.")] = 0.0,
) -> None:
    """Run a module so many times, and again whenever one ends, until SIGTERM."""
    keep([[sys.executable, "-m", module, *(args or [])]] * count, pause_s, port)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})(main)
    app()

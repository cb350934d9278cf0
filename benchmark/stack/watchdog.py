"""Stops the processes of the harness when it cannot do so itself, for instance after `kill -9`.

The guard is a separate process. From its standard input it reads the ids of process groups, and clean-up commands
for what is not a child of the harness, such as containers. When that pipe closes, the harness is gone: the guard
stops the groups and then runs the commands.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import IO

GRACE_S = 2.0
# Of /proc/PID/stat (proc(5)), counted after the command, which may contain blanks.
_STATE_FIELD, _GROUP_FIELD = 0, 2
_ENDED = {"Z", "X"}  # a process that has ended, until its parent collects it
# Repeated, since a container that is being created when the harness ends appears a little later.
_UNDO_AFTER_S = (0.0, 1.0, 2.0)


class Guard:
    """The guard process, seen from the harness: which groups to stop, which commands to run."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-S", __file__], stdin=subprocess.PIPE, start_new_session=True, text=True
        )
        assert self._process.stdin is not None
        self._pipe: IO[str] = self._process.stdin

    def watch(self, group: int) -> None:
        """Stop a process group when this process is gone. Raises BrokenPipeError if the guard has been killed."""
        self._say(f"+{group}")

    def release(self, group: int) -> None:
        """Forget a process group that has ended."""
        with contextlib.suppress(BrokenPipeError):
            self._say(f"-{group}")

    def undo(self, command: list[str]) -> None:
        """Run a command when this process is gone. It must be harmless if there is nothing to undo."""
        self._say(f"+{json.dumps(command)}")

    def forget(self, command: list[str]) -> None:
        """Cancel a command of undo()."""
        self._say(f"-{json.dumps(command)}")

    def close(self) -> None:
        """End the guard, which stops all groups that were not released."""
        with contextlib.suppress(BrokenPipeError):  # of a guard that was killed
            self._pipe.close()
        self._process.wait()

    def _say(self, line: str) -> None:
        self._pipe.write(line + "\n")
        self._pipe.flush()


def stop_groups(groups: set[int], grace_s: float = GRACE_S) -> None:
    """Send SIGTERM to process groups, and SIGKILL to those that remain after the grace time.

    A process that has ended is not waited for, even if its parent has not collected it yet.
    """
    for sent in (signal.SIGTERM, signal.SIGKILL):
        alive = {group for group in groups if _send(group, sent)}
        until_s = time.monotonic() + grace_s
        while alive and time.monotonic() < until_s:
            time.sleep(0.05)
            alive = _running({group for group in alive if _send(group, 0)})
        groups = alive


def _running(groups: set[int]) -> set[int]:
    """Return these process groups without those of which the system shows only processes that have ended."""
    states: dict[int, set[str]] = {}
    for path in Path("/proc").glob("[0-9]*/stat") if groups else ():
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = path.read_text(errors="replace").rpartition(")")[2].split()
            states.setdefault(int(fields[_GROUP_FIELD]), set()).add(fields[_STATE_FIELD])
    return {group for group in groups if group not in states or states[group] - _ENDED}


def _send(group: int, number: int) -> bool:
    """Send a signal to a process group; return whether it exists."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def main() -> None:
    """Run the guard until its standard input closes."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    commands: dict[tuple[str, ...], None] = {}  # in the order in which they came
    for line in sys.stdin:
        with contextlib.suppress(ValueError):
            given = json.loads(line[1:])
            if isinstance(given, int):
                (groups.add if line[0] == "+" else groups.discard)(given)
            elif line[0] == "+":
                commands[tuple(given)] = None
            else:
                commands.pop(tuple(given), None)
    stop_groups(groups)
    _run(commands)


def _run(commands: Collection[tuple[str, ...]]) -> None:
    for wait_s in _UNDO_AFTER_S if commands else ():
        time.sleep(wait_s)
        for command in commands:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(command, check=False, timeout=30, capture_output=True)


if __name__ == "__main__":
    main()

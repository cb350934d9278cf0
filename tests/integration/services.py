"""`up` and `down` on contenders of tests, in a folder of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmark.contenders.discovery import ROOT, Contender, Process
from benchmark.stack.background import up
from benchmark.stack.processes import HOST, free_port
from tests.integration.processes import IDLE, Watching, pair

OK, FAILED, INTERRUPTED = 0, 1, 130
NOTHING = ["nothing to stop"]
LISTEN = f"import os, socket, sys\nserver = socket.create_server(('{HOST}', int(sys.argv[1])))\n"
SILENT = LISTEN + IDLE  # it takes connections and never answers, so that `up` waits
WITH_WORKER = LISTEN + "if os.fork():\n    os.wait()\n" + IDLE  # whose worker outlives it
# The command, on one contender and in a folder of its own.
PROGRAM = """
import sys
from pathlib import Path
from benchmark.stack import background as services
from benchmark import cli
from benchmark.contenders.discovery import Contender

contender = Contender.model_validate_json(sys.argv[3])
services.RUN, services.discover = Path(sys.argv[2]), lambda: {contender.name: contender}
cli.app(sys.argv[1:2])
"""


def two() -> Contender:
    """Return a contender of two processes that are ready at once."""
    return pair(harness_floor=False)


def with_program(program: str, **changes: Any) -> Contender:
    """Return a contender of a process that is ready at once and another one."""
    command = (sys.executable, "-c", program)
    known = {"role": "model", "command": command, "args": ("{port}",), "port": free_port(), **changes}
    return pair(harness_floor=False, process=(two().process[1], Process.model_validate(known)))


def pids(folder: Path) -> list[int]:
    path = folder / "services.json"
    return [service["pid"] for service in json.loads(path.read_text())] if path.exists() else []


def bring_up(folder: Path, contender: Contender) -> list[str]:
    return list(up(folder, {contender.name: contender}))


class Command:
    """`python -m benchmark up` or `down` on a contender of a test."""

    def __init__(self, verb: str, folder: Path, contender: Contender, watching: Watching) -> None:
        argv = [sys.executable, "-c", PROGRAM, verb, str(folder), contender.model_dump_json()]
        self.popen = subprocess.Popen(
            argv,
            cwd=ROOT,
            env={**os.environ, "COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        watching.watch(self.popen.pid)

    def end(self) -> tuple[int, str]:
        """Return the exit status and what was said."""
        said, _ = self.popen.communicate(timeout=60)
        assert "Traceback" not in said, said
        return self.popen.returncode, said

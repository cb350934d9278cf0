"""`python -m benchmark.experiments.profiling.under_profiler MODULE ARGUMENT...`: a service under a profiler.

Runs `MODULE` as `python -m` would, unchanged. The environment says how it is profiled:

PROFILER          cpu-sampler, pyinstrument, yappi-cpu or yappi-wall
PROFILE_FOLDER    where it writes to; the server's setting, never a client's words
PROFILE_STEM      how the names of its files begin
"""

import importlib
import os
import runpy
import signal
import sys
import warnings
from pathlib import Path
from typing import Final

from benchmark.contenders.discovery import Contender
from benchmark.experiments.profiling.recorders import make_recorder

MODULE: Final = "benchmark.experiments.profiling.under_profiler"


def under_profiler(contender: Contender, profiler: str, roles: tuple[str, ...], folder: Path) -> Contender:
    """Return the contender with the processes of these roles under a profiler that writes to a folder."""
    processes = tuple(
        process.model_copy(
            update={
                "module": MODULE,
                "args": (process.module, *process.args),
                "env": {
                    **process.env,
                    "PROFILER": profiler,
                    "PROFILE_FOLDER": str(folder).replace("{", "{{").replace("}", "}}"),
                    "PROFILE_STEM": f"{process.role}-{profiler}",
                },
            }
        )
        if process.role in roles and process.module
        else process
        for process in contender.process
    )
    return contender.model_copy(update={"process": processes})


def main(argv: list[str]) -> None:
    """Attach the profiler and be the service."""
    recorder = make_recorder(os.environ["PROFILER"], Path(os.environ["PROFILE_FOLDER"]), os.environ["PROFILE_STEM"])
    # uvicorn, once drained, sends itself the signal that stopped it: by default that kills, and
    # nothing could be written at exit.
    signal.signal(signal.SIGTERM, _exit)
    importlib.import_module(argv[0])
    recorder.attach()
    sys.argv = argv
    warnings.filterwarnings("ignore", category=RuntimeWarning, module="runpy")  # it has been imported, just above
    runpy.run_module(argv[0], run_name="__main__", alter_sys=True)


def _exit(*_: object) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])

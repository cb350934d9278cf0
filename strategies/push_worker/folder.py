"""A temporary folder for a SQLite file of several processes: `python -m strategies.push_worker.folder --port N`.

Empty at the start, and removed at SIGTERM. The other processes find it by the port, at which it accepts connections
once it is there: PUSH_DATABASE_URL=sqlite://127.0.0.1:N.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer

from strategies.supervisor import HOST, keep

FILE: Final = "summaries.sqlite3"


def folder_of(port: int) -> Path:
    """Return the folder of a port."""
    return Path(tempfile.gettempdir()) / f"push-worker-{os.getuid()}-{port}"


def file_of(address: str) -> Path:
    """Return the file in the folder of HOST:PORT."""
    port = address.rpartition(":")[2]
    return folder_of(int(port) if port.isdecimal() else 0) / FILE


def main(port: Annotated[int, typer.Option(min=1, max=65535, help=f"Port to listen on, at {HOST}.")]) -> None:
    """Keep an empty folder until SIGTERM."""
    folder = folder_of(port)
    shutil.rmtree(folder, ignore_errors=True)  # what one that was killed has left
    folder.mkdir(mode=0o700)  # fails if it is there, so it cannot be somebody else's
    try:
        keep([], port=port)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    typer.run(main)

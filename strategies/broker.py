"""A Redis that keeps what it has accepted: `python -m strategies.broker --port 6380`, until SIGTERM.

Every write is on disk before it is answered (append-only file, fsync always), in a temporary folder. Killed, it is
started again with all of its data.
"""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from contract.limits import raise_open_files
from feature_store.server import find_server
from strategies.supervisor import HOST, keep


def main(port: Annotated[int, typer.Option(min=1, max=65535, help=f"Port to listen on, at {HOST}.")]) -> None:
    """Run a Redis that loses nothing, and again whenever it ends, until SIGTERM."""
    raise_open_files()
    with tempfile.TemporaryDirectory(prefix="broker-") as folder:
        keep([broker_command(port, Path(folder))])


def broker_command(port: int, folder: Path) -> list[str | Path]:
    """Return the command of such a server. Raises feature_store.server.ServerNotFound."""
    durable = ("--save", "", "--appendonly", "yes", "--appendfsync", "always", "--dir", folder)
    return [find_server(), "--port", str(port), "--bind", HOST, *durable]


if __name__ == "__main__":
    typer.run(main)

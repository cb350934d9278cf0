"""Ports of loopback: whether one is free, and who holds it if not."""

import contextlib
import socket
from collections.abc import Iterable
from typing import Final

import psutil

from benchmark.contenders.discovery import Contender
from benchmark.errors import StackError

HOST: Final = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a service can listen on a port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def holder(port: int) -> str:
    """Return who listens on a port, such as `gunicorn (pid 12)`; nothing where the system does not tell."""
    with contextlib.suppress(psutil.Error, OSError):
        for each in psutil.net_connections("tcp"):
            if each.status == psutil.CONN_LISTEN and each.pid and getattr(each.laddr, "port", None) == port:
                return f"{psutil.Process(each.pid).name()} (pid {each.pid})"
    return ""


def refuse_taken(wanted: Iterable[tuple[int, str]]) -> None:
    """Raise StackError, with all ports that are in use, and by whom; `wanted` says what each port is for."""
    taken = [f"port {port} ({purpose}) is in use{_by(port)}" for port, purpose in wanted if not is_free(port)]
    if taken:
        raise StackError(
            f"{', '.join(taken)}: stop the process that listens there (after `make up`: `make down`), "
            "or take free ports with --free-ports"
        )


def refuse_taken_by_others(contenders: Iterable[Contender]) -> None:
    """Raise StackError unless all ports that contenders name are free; they are measured in turn and may share some."""
    purposes: dict[int, str] = {}
    for contender in contenders:
        for process in contender.process:
            purposes.setdefault(process.port, f"{process.role} of {contender.name}")
    refuse_taken(purposes.items())


def _by(port: int) -> str:
    return f" by {who}" if (who := holder(port)) else ""

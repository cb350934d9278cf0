"""The limit of open files of a process. Every connection takes one."""

from typing import NamedTuple

try:
    import resource
except ImportError:  # Windows, which has no such limit
    resource = None  # type: ignore[assignment]

# Tried in this order if the hard limit is infinite; some kernels (macOS) refuse the first.
_IN_PLACE_OF_INFINITE = (65_536, 10_240)
# Files of a process without connections: libraries, logs, listening sockets, pipes; plus headroom.
OWN_FILES = 100


class OpenFiles(NamedTuple):
    """The limits of this process; None if there is no limit."""

    soft: int | None  # in force
    hard: int | None  # up to which a process may raise its own


def open_files() -> OpenFiles:
    """Return the current limits."""
    if resource is None:
        return OpenFiles(None, None)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return OpenFiles(_finite(soft), _finite(hard))


def raise_open_files() -> OpenFiles:
    """Raise the soft limit of this process to the hard limit, and return the new limits. Children inherit them.

    Never lowers it, and never fails: if the system refuses, the limit stays unchanged.
    """
    soft, hard = open_files()
    if resource is not None and soft is not None:
        for wanted in _IN_PLACE_OF_INFINITE if hard is None else (hard,):
            if soft >= wanted or _set(wanted):
                break
    return open_files()


def _set(soft: int) -> bool:
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    except (ValueError, OSError):
        return False
    return True


def _finite(limit: int) -> int | None:
    return None if limit == resource.RLIM_INFINITY else limit

"""The log of a service: text or one JSON object per line, on stderr or in a file of each process.

Every process writes a file of its own, whose name holds its number and the day: `sync-scoring.4711.2026-11-28.log`. So
no two processes share a file, and nothing is renamed at midnight. The handler of the standard library that renames
(TimedRotatingFileHandler) deletes what an earlier process with the same number wrote on that day, and in a container
every first process has the number 1.
"""

import contextlib
import errno
import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from contract.secrets import masked
from contract.settings import PREFIX, Settings, SettingsError

HANDLER: Final = "service"  # the name of our handler, by which it is found and replaced
KEPT_DAYS: Final = 7
# The loggers of the servers; each has handlers of its own unless it is told otherwise.
SERVERS: Final = ("uvicorn", "uvicorn.access", "_granian", "granian.access")
_PID, _SERVICE = "{pid}", "{service}"
_SECONDS_PER_DAY: Final = 86_400
_QUIET_S: Final = 60.0  # between two complaints about a file that cannot be written
_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}
_TEXT_FORMAT: Final = "%(asctime)s %(process)d %(levelname)s:%(name)s:%(message)s"


def set_up(settings: Settings) -> None:
    """Set up the log of this process, anew if it was set up before. Raises SettingsError if it cannot be written.

    With the defaults it is as `logging.basicConfig` would do it.
    """
    root = logging.getLogger()
    for handler in [each for each in root.handlers if each.name == HANDLER]:
        root.removeHandler(handler)
        handler.close()
    if root.handlers and not is_own(settings):
        return
    handler = make_handler(settings.log_format, settings.log_file, service_name(settings))
    if isinstance(handler, DailyFile):
        handler.check()
    root.addHandler(handler)
    root.setLevel(settings.log_level.upper())


def is_own(settings: Settings) -> bool:
    """Whether the log differs from the default, so that the loggers of the servers have to be told, too."""
    return settings.log_format != "text" or bool(settings.log_file)


def config(settings: Settings) -> dict[str, Any]:
    """Return the same log for `logging.config.dictConfig`, which servers take; {} with the defaults."""
    if not is_own(settings):
        return {}
    level = settings.log_level.upper()
    handler = {
        "()": "contract.logs.make_handler",
        "log_format": settings.log_format,
        "log_file": settings.log_file,
        "service": service_name(settings),
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {HANDLER: handler},
        "root": {"level": level, "handlers": [HANDLER]},
        "loggers": {name: {"level": level, "handlers": [], "propagate": True} for name in SERVERS},
    }


def service_name(settings: Settings) -> str:
    """Return the name of a service in its log, such as `sync-scoring`."""
    return f"{settings.architecture}-{settings.role}"


def make_handler(log_format: str, log_file: str, service: str) -> logging.Handler:
    """Return the handler of the log. Its file is opened at the first record."""
    handler = DailyFile(log_file.replace(_SERVICE, service)) if log_file else logging.StreamHandler(sys.stderr)
    handler.name = HANDLER
    if log_format == "json":
        handler.setFormatter(JsonFormatter(service))
    else:
        handler.setFormatter(TextFormatter(_TEXT_FORMAT if log_file else logging.BASIC_FORMAT))
    return handler


class TextFormatter(logging.Formatter):
    """Text with secrets masked; the time, where it is shown, is UTC."""

    def format(self, record: logging.LogRecord) -> str:
        text: str = masked(super().format(record))
        return text

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
        return utc_time(record.created)


class JsonFormatter(logging.Formatter):
    """One JSON object per record, on one line, with secrets masked. What `extra` adds to a record is added to it."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": utc_time(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            "pid": record.process,
            "service": self._service,
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            fields["stack"] = self.formatStack(record.stack_info)
        extra = {name: value for name, value in vars(record).items() if name not in _OWN and name not in fields}
        try:
            return json.dumps(masked({**fields, **extra}), default=str, allow_nan=False)
        except (TypeError, ValueError, RecursionError):  # not a number, an odd key, or a value that holds itself
            return json.dumps(masked({**fields, **{name: repr(value) for name, value in extra.items()}}))


class DailyFile(logging.Handler):
    """Writes to a file of this process and of this day (UTC), and deletes those that are older than seven days.

    Each line is a single write. One that does not fit on a full disk is taken back, so that no line is torn.
    """

    def __init__(self, path: str, now_s: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._given = Path(path)
        self._folder = self._given.parent
        self._stem, self._suffix = _with_pid(self._given.name)
        self._now_s = now_s
        self._file: int | None = None
        self._of: tuple[int, int] | None = None  # the process and the day of the open file
        self._lost, self._complain_at_s = 0, 0.0

    @property
    def path(self) -> Path:
        """The file that this process writes to now."""
        stem = self._stem.replace(_PID, str(os.getpid()))
        return self._folder / f"{stem}.{self._today().isoformat()}{self._suffix}"

    def check(self) -> None:
        """Write a first line. Raises SettingsError with the path and the reason if that fails."""
        record = logging.LogRecord("contract.logs", logging.INFO, __file__, 0, "log to %s", (str(self.path),), None)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if self._given.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            self._write(self._line(record))
        except (OSError, ValueError) as error:  # ValueError: a path with a NUL
            self.close()
            reason = getattr(error, "strerror", None) or error
            raise SettingsError(f"{PREFIX}LOG_FILE: cannot write to {masked(str(self.path))}: {reason}") from error

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._write(self._line(record))
        except Exception:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - of logging
        """Count a line that is lost, and say so on stderr once per minute. Whoever logs goes on."""
        self._lost += 1
        if time.monotonic() < self._complain_at_s:
            return
        self._complain_at_s = time.monotonic() + _QUIET_S
        with contextlib.suppress(OSError, ValueError):
            print(f"log: cannot write to {self.path}: {sys.exc_info()[1]}; lines lost: {self._lost}", file=sys.stderr)

    def close(self) -> None:
        with self._locked():
            self._close_file()
        super().close()

    def _locked(self) -> Any:
        return self.lock or contextlib.nullcontext()

    def _line(self, record: logging.LogRecord) -> bytes:
        return self.format(record).encode("utf-8", "backslashreplace") + b"\n"

    def _write(self, line: bytes) -> None:
        of = os.getpid(), int(self._now_s() // _SECONDS_PER_DAY)
        if self._file is None or of != self._of:
            self._open()
            self._of = of
        assert self._file is not None
        written = os.write(self._file, line)
        if written < len(line):
            os.ftruncate(self._file, os.fstat(self._file).st_size - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _open(self) -> None:
        """Open the file of this process and day. A worker that was forked leaves the file of its parent."""
        self._close_file()
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._delete_old()

    def _close_file(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.close(self._file)
        self._file = None

    def _delete_old(self) -> None:
        """Delete the files of all processes, those that have ended included, that are of more than seven days ago."""
        stem = re.escape(self._stem).replace(re.escape(_PID), "[0-9]+")
        pattern = re.compile(rf"{stem}\.([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}){re.escape(self._suffix)}")
        oldest = (self._today() - timedelta(days=KEPT_DAYS)).isoformat()
        with contextlib.suppress(OSError):
            for path in self._folder.iterdir():
                found = pattern.fullmatch(path.name)
                if found and found[1] < oldest:
                    with contextlib.suppress(OSError):  # another process was faster
                        path.unlink()

    def _today(self) -> date:
        return datetime.fromtimestamp(self._now_s(), UTC).date()


def utc_time(seconds: float) -> str:
    """Return a time as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _with_pid(name: str) -> tuple[str, str]:
    """Return a file's name before and from its suffix on, with the place of the process's number in the former."""
    bare, dot, suffix = name.rpartition(".")
    stem, end = (bare, dot + suffix) if bare and _PID not in suffix else (name, "")
    return (stem if _PID in stem else f"{stem}.{_PID}"), end


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # arguments that do not fit the message: shown as they are, and not lost
        return f"{record.msg} {record.args!r}"

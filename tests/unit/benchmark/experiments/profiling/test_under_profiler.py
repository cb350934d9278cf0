"""A service under a profiler is the same service, started by another hand."""

import asyncio
import sys
from pathlib import Path

import fastapi
import flask
import pytest

from benchmark.experiments.profiling.recorders import hook_requests
from benchmark.experiments.profiling.under_profiler import MODULE, under_profiler
from benchmark.stack.processes import command
from tests.conftest import CONTENDERS, REAL

PORTS = {"redis": 1, "model": 2, "scoring": 3}


@pytest.mark.parametrize("name", REAL)
def test_only_the_chosen_roles_are_started_by_the_wrapper(name: str) -> None:
    plain = CONTENDERS[name]
    profiled = under_profiler(plain, "yappi-cpu", ("scoring",), Path("/folder"))
    for before, after in zip(plain.process, profiled.process, strict=True):
        if before.role != "scoring":
            assert after == before
            continue
        assert command(after, PORTS)[1:] == ["-m", MODULE, *command(before, PORTS)[2:]]
        assert after.env.items() >= before.env.items()
        assert after.env["PROFILER"] == "yappi-cpu"
        assert after.env["PROFILE_FOLDER"] == "/folder"
        assert after.env["PROFILE_STEM"] == "scoring-yappi-cpu"


def test_a_folder_with_braces_is_not_taken_for_a_port() -> None:
    profiled = under_profiler(CONTENDERS[REAL[0]], "pyinstrument", ("scoring",), Path("/a {b}"))
    folder = next(p.env["PROFILE_FOLDER"] for p in profiled.process if p.role == "scoring")
    assert folder.format() == "/a {b}"


def test_posts_are_enclosed_and_other_requests_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flask.Flask, "wsgi_app", flask.Flask.wsgi_app)
    monkeypatch.delitem(sys.modules, "fastapi", raising=False)
    seen: list[object] = []
    hook_requests(lambda: "begun", seen.append)
    app = flask.Flask("test")
    app.add_url_rule("/", view_func=lambda: "", methods=["GET", "POST"])
    client = app.test_client()
    client.get("/")
    assert seen == []
    client.post("/")
    assert seen == ["begun"]


def test_posts_to_a_coroutine_are_enclosed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastapi.FastAPI, "__call__", fastapi.FastAPI.__call__)
    monkeypatch.delitem(sys.modules, "flask", raising=False)
    seen: list[object] = []
    hook_requests(lambda: "begun", seen.append)
    app = fastapi.FastAPI()
    app.add_api_route("/", lambda: {}, methods=["GET", "POST"])

    async def call(method: str) -> None:
        scope = {"type": "http", "method": method, "path": "/", "headers": [], "query_string": b""}

        async def send(_: object) -> None:
            assert seen == []  # not before the answer

        await app(scope, _no_body, send)

    asyncio.run(call("GET"))
    assert seen == []
    asyncio.run(call("POST"))
    assert seen == ["begun"]


async def _no_body() -> dict[str, object]:
    return {"type": "http.request", "body": b"", "more_body": False}


def test_a_process_without_a_known_framework_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for framework in ("flask", "fastapi"):
        monkeypatch.delitem(sys.modules, framework, raising=False)
    with pytest.raises(SystemExit, match="Flask and FastAPI"):
        hook_requests(lambda: None, lambda _: None)

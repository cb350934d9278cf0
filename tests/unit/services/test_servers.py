"""Equal terms: what gunicorn and uvicorn are told comes from the same settings and means the same."""

import asyncio
from typing import Any

import pytest
import uvicorn
import uvloop
from gunicorn.workers.gthread import ThreadWorker
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

import async_api.serve
import async_api.server
import sync_api.serve
import sync_api.server
from contract.limits import OpenFiles
from contract.settings import Settings, load_settings

SETTINGS: dict[str, Any] = {
    "host": "127.0.0.2",
    "port": 6001,
    "workers": 3,
    "backlog": 300,
    "keep_alive_s": 11,
    "drain_timeout_s": 13,
    "log_level": "warning",
}


def gunicorn_terms(settings: Settings) -> dict[str, Any]:
    """Return what gunicorn will do, as its own configuration understands it."""
    cfg = sync_api.server.Server(settings).cfg
    return {
        "address": cfg.address,
        "workers": cfg.workers,
        "backlog": cfg.backlog,
        "keep_alive_s": cfg.keepalive,
        "drain_timeout_s": cfg.graceful_timeout,
        "access_log": cfg.accesslog is not None,
        "log_level": cfg.loglevel,
        "reload": cfg.reload,
    }


def uvicorn_terms(settings: Settings) -> dict[str, Any]:
    """Return what uvicorn will do, as its own configuration understands it."""
    config = uvicorn.Config("async_api.serve:load_scoring", factory=True, **async_api.server.server_options(settings))
    return {
        "address": [(config.host, config.port)],
        "workers": config.workers,
        "backlog": config.backlog,
        "keep_alive_s": config.timeout_keep_alive,
        "drain_timeout_s": config.timeout_graceful_shutdown,
        "access_log": config.access_log,
        "log_level": config.log_level,
        "reload": config.should_reload,
    }


@pytest.mark.parametrize("role", ["scoring", "model"])
@pytest.mark.parametrize("changed", [{}, SETTINGS], ids=["defaults", "all of them changed"])
def test_both_servers_are_told_the_same(role: Any, changed: dict[str, Any]) -> None:
    common = {"port": 6001, **changed}
    ours = gunicorn_terms(load_settings("sync", role, **common))
    theirs = uvicorn_terms(load_settings("async", role, **common))
    assert ours == theirs
    assert ours["access_log"] is False


def test_every_term_comes_from_the_settings() -> None:
    settings = load_settings("sync", "scoring", **SETTINGS)
    terms = gunicorn_terms(settings)
    assert terms["address"] == [("127.0.0.2", 6001)]
    assert {name: terms[name] for name in terms if name in SETTINGS} == {
        name: SETTINGS[name] for name in terms if name in SETTINGS
    }


def test_the_shells_own_settings_of_a_server_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = [load_settings("sync", "scoring"), load_settings("async", "scoring")]
    before = gunicorn_terms(settings[0]), uvicorn_terms(settings[1])
    monkeypatch.setenv("WEB_CONCURRENCY", "7")
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--workers 7 --access-logfile -")
    monkeypatch.setenv("PORT", "7")
    assert (gunicorn_terms(settings[0]), uvicorn_terms(settings[1])) == before


def test_the_sync_server_runs_the_threads_of_the_settings_and_admits_all_that_may_be_in_flight() -> None:
    settings = load_settings("sync", "scoring", threads=16, max_in_flight=100)
    cfg = sync_api.server.Server(settings).cfg
    assert issubclass(cfg.worker_class, ThreadWorker)
    assert cfg.threads == 16
    assert cfg.worker_connections >= 100


GUNICORN_PINS = {
    "http_parser": "python",  # else gunicorn_h1c, where that is installed
    "sendfile": False,  # else SENDFILE
    "forwarded_allow_ips": ["127.0.0.1", "::1"],  # else FORWARDED_ALLOW_IPS
    "proc_name": "sync_api",  # else, with setproctitle, the program's name
    "env": {"SCRIPT_NAME": ""},  # else that of the shell, cut off every path
}
UVICORN_PINS = {
    "loop": "uvloop",
    "ws": "none",
    "interface": "asgi3",
    "lifespan": "on",
    "use_colors": False,  # else by the terminal
    "proxy_headers": False,
    "forwarded_allow_ips": "",  # else FORWARDED_ALLOW_IPS
    "workers": 1,  # else WEB_CONCURRENCY
}


@pytest.mark.parametrize(("name", "value"), GUNICORN_PINS.items())
def test_what_would_depend_on_packages_or_the_shell_is_pinned_for_gunicorn(
    name: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("SENDFILE", "FORWARDED_ALLOW_IPS", "SCRIPT_NAME"):
        monkeypatch.setenv(variable, "yes")
    settings = load_settings("sync", "scoring")
    option = {"proc_name": "default_proc_name", "env": "raw_env"}.get(name, name)
    assert option in sync_api.server.server_options(settings)
    assert getattr(sync_api.server.Server(settings).cfg, name) == value


@pytest.mark.parametrize(("name", "value"), UVICORN_PINS.items())
def test_what_would_depend_on_packages_or_the_shell_is_pinned_for_uvicorn(
    name: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "7")
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    options = async_api.server.server_options(load_settings("async", "scoring"))
    assert name in options
    assert getattr(uvicorn.Config("app", **options), name) == value


def test_uvicorn_reads_no_file_of_variables() -> None:
    assert async_api.server.server_options(load_settings("async", "scoring"))["env_file"] is None


@pytest.mark.parametrize("role", ["scoring", "model"])
def test_flask_is_no_debugger_whatever_the_shell_says(role: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASK_DEBUG", "1")
    assert sync_api.serve.create_app(load_settings("sync", role)).debug is False


@pytest.mark.parametrize("role", ["scoring", "model"])
def test_fastapi_has_no_telemetry_whatever_is_installed_and_the_shell_says(
    role: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from opentelemetry import trace
    from opentelemetry.trace import NoOpTracerProvider

    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    monkeypatch.setattr(trace, "get_tracer_provider", NoOpTracerProvider)  # as if somebody had configured one
    app = async_api.serve.create_app(load_settings("async", role))
    assert not app._native_telemetry.enabled()
    assert not app._telemetry["auto_configure"]


@pytest.mark.parametrize(
    ("role", "files", "connections"),
    [
        ("scoring", 100_000, 65_536),
        ("scoring", 20_000, 20_000 - 100 - 3 * 64),  # without what the store and two models take of each thread
        ("scoring", 1024, 1024 - 100 - 3 * 64),
        ("scoring", 256, 65),
        ("model", 20_000, 20_000 - 100),
        ("model", None, 65_536),
    ],
)
def test_open_files_and_no_number_of_requests_limit_the_connections_of_the_sync_server(
    role: Any, files: int | None, connections: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync_api.server, "open_files", lambda: OpenFiles(files, files))
    assert sync_api.server.Server(load_settings("sync", role)).cfg.worker_connections == connections


@pytest.mark.parametrize("server", [sync_api.server, async_api.server], ids=["sync", "async"])
def test_a_service_raises_its_open_files_before_it_serves(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(server, "raise_open_files", lambda: done.append("raised"))
    assert server.main(["model"], lambda *_: done.append("served")) == 0
    assert done == ["raised", "served"]


@pytest.mark.parametrize("server", [sync_api.server, async_api.server], ids=["sync", "async"])
@pytest.mark.parametrize(
    ("argv", "role", "app"),
    [
        (["scoring"], "scoring", "serve"),
        (["scoring", "idiomatic"], "scoring", "idiomatic"),
        (["model"], "model", "serve"),
    ],
)
def test_a_command_line_names_a_role_and_who_composes_it(server: Any, argv: list[str], role: str, app: str) -> None:
    served: list[tuple[str, str]] = []
    assert server.main(argv, lambda settings, app: served.append((settings.role, app))) == 0
    assert served == [(role, app)]


def test_the_async_server_runs_on_uvloop_and_httptools() -> None:
    options = async_api.server.server_options(load_settings("async", "scoring"))
    assert options["loop"] == "uvloop"
    assert issubclass(options["http"].func, HttpToolsProtocol)


@pytest.mark.parametrize("server", [sync_api.server, async_api.server], ids=["sync", "async"])
@pytest.mark.parametrize("argv", [[], ["nothing"], ["scoring", "model"], ["model", "idiomatic"]])
def test_a_wrong_command_line_is_told_the_right_one(
    server: Any, argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert server.main(argv) == 2
    assert f"usage: python -m {server.__name__} scoring [idiomatic] | model" in capsys.readouterr().err


@pytest.mark.parametrize("server", [sync_api.server, async_api.server], ids=["sync", "async"])
def test_a_bad_setting_ends_with_a_sentence_and_no_stack_trace(
    server: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SERVING_WORKERS", "none")
    assert server.main(["scoring"]) == 2
    assert capsys.readouterr().err.startswith(f"{server.__name__}: SERVING_WORKERS is 'none': ")


@pytest.mark.parametrize(("loop", "warnings"), [(asyncio.new_event_loop, 1), (uvloop.new_event_loop, 0)])
def test_the_async_service_warns_of_another_loop_than_uvloop_when_it_starts(
    loop: Any, warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    app = async_api.serve.create_app(load_settings("async", "model", gc_freeze=False))

    async def live() -> None:
        async with app.router.lifespan_context(app):
            pass

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(live())
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(told) == warnings
    assert all("expected uvloop's" in message for message in told)


@pytest.mark.parametrize("serve", [sync_api.serve, async_api.serve], ids=["sync", "async"])
@pytest.mark.parametrize("role", ["scoring", "model"])
def test_a_service_that_is_loaded_by_name_takes_its_settings_from_the_environment(
    serve: Any, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Settings] = []
    monkeypatch.setenv("SERVING_MAX_IN_FLIGHT", "77")
    monkeypatch.setattr(serve, "create_app", given.append)
    getattr(serve, f"load_{role}")()
    (settings,) = given
    assert (f"{settings.architecture}_api.serve", settings.role) == (serve.__name__, role)
    assert settings.max_in_flight == 77

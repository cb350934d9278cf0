"""Every knob: its default by architecture and role, its variable, and what a bad value is told."""

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from contract.settings import Architecture, Role, Settings, SettingsError, load_settings

ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)
ROLES: tuple[Role, ...] = get_args(Role)


@pytest.mark.parametrize(
    ("architecture", "role", "port"),
    [("sync", "scoring", 5001), ("sync", "model", 5000), ("async", "scoring", 8001), ("async", "model", 8000)],
)
def test_each_of_the_four_services_has_a_port_of_its_own(architecture: Architecture, role: Role, port: int) -> None:
    assert load_settings(architecture, role).port == port


@pytest.mark.parametrize("role", ROLES)
def test_the_twins_differ_in_fan_out_and_client_and_model(role: Role) -> None:
    ours, theirs = (load_settings(architecture, role).model_dump() for architecture in ARCHITECTURES)
    different = {name: (ours[name], theirs[name]) for name in ours if ours[name] != theirs[name]}
    sync_model, async_model = (
        f"http://127.0.0.1:{port}/api/v1/ml/{name}/predict" for name, port in (("sync", 5000), ("async", 8000))
    )
    assert different == {
        "architecture": ("sync", "async"),
        "port": (ours["port"], theirs["port"]),
        "fan_out": ("sequential", "concurrent"),
        "http_client": ("requests", "httpx"),
        "model_urls": ((sync_model, sync_model), (async_model, async_model)),
        # A thread needs one connection to each model; on an event loop, all that is in flight does.
        "model_pool_size": (ours["threads"] * 2, 2048),
        "model_pool_idle": (ours["threads"] * 2, 2048),
        # What is let in beyond that would only wait. A model is called by several.
        **({"max_in_flight": (80, 128)} if role == "scoring" else {}),
    }


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_model_has_twice_the_threads_of_a_scoring_handler(architecture: Architecture) -> None:
    assert load_settings(architecture, "scoring").threads == 64
    assert load_settings(architecture, "model").threads == 128


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_scoring_handler_sheds_early_and_a_model_serves_several_of_them(architecture: Architecture) -> None:
    assert load_settings(architecture, "scoring").max_in_flight == {"sync": 80, "async": 128}[architecture]
    assert load_settings(architecture, "model").max_in_flight == 1024


@pytest.mark.parametrize(("threads", "let_in"), [("1", 2), ("8", 16), (32, 48), ("", 80), (0, 80), (128, 160)])
def test_in_a_sync_scoring_handler_a_few_may_wait_for_a_thread(threads: object, let_in: int) -> None:
    assert load_settings("sync", "scoring", threads=threads).max_in_flight == let_in
    assert load_settings("async", "scoring", threads=threads).max_in_flight == 128


def test_the_defaults_listen_on_loopback_and_draw_40_to_50_ms() -> None:
    settings = load_settings("sync", "model")
    assert settings.host == "127.0.0.1"
    assert (settings.model_law, settings.model_min_ms, settings.model_max_ms) == ("uniform", 40, 50)


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("HOST", "0.0.0.0", "0.0.0.0"),
        ("PORT", "6001", 6001),
        ("WORKERS", "4", 4),
        ("THREADS", "16", 16),
        ("STAGE_CLOCK", "false", False),
        ("STAGE_CLOCK", "0", False),
        ("LOG_LEVEL", "warning", "warning"),
        ("REDIS_URL", "redis://store:6379/0", "redis://store:6379/0"),
        ("FAN_OUT", "concurrent", "concurrent"),
        ("HTTP_CLIENT", "urllib3", "urllib3"),
        ("CLIENT_REUSE", "per-request", "per-request"),
        ("LAG_SAMPLE_MS", "5", 5),
        ("MODEL_LAW", "lognormal", "lognormal"),
        ("MODEL_MIN_MS", "0", 0.0),
        ("MODEL_CPU_MS", "2.5", 2.5),
        ("MODEL_SEED", "-1", -1),
    ],
)
def test_a_variable_of_the_environment_sets_it(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, value: object
) -> None:
    monkeypatch.setenv(f"SERVING_{variable}", text)
    assert getattr(load_settings("sync", "scoring"), variable.lower()) == value


def test_every_setting_can_be_set_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Settings(architecture="async", role="model")
    for name, value in usual.model_dump().items():
        text = ",".join(value) if isinstance(value, tuple) else str(value)
        monkeypatch.setenv(f"SERVING_{name.upper()}", text)
    assert Settings() == usual


def test_a_program_overrides_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVING_ARCHITECTURE", "async")
    monkeypatch.setenv("SERVING_ROLE", "model")
    monkeypatch.setenv("SERVING_WORKERS", "4")
    settings = load_settings("sync", "scoring", workers=2)
    assert (settings.architecture, settings.role, settings.workers) == ("sync", "scoring", 2)


@pytest.mark.parametrize("variable", ["PORT", "THREADS", "MAX_IN_FLIGHT", "FAN_OUT", "HTTP_CLIENT", "MODEL_URLS"])
def test_an_empty_variable_is_the_default(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    usual = load_settings("async", "scoring")
    monkeypatch.setenv(f"SERVING_{variable}", "")
    assert load_settings("async", "scoring") == usual


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("PORT", "x", "integer"),
        ("PORT", "65536", "65535"),
        ("PORT", "-1", "greater"),
        ("WORKERS", "0", "1"),
        ("WORKERS", "two", "integer"),
        ("THREADS", "5000", "4096"),
        ("BACKLOG", "0", "1"),
        ("KEEP_ALIVE_S", "0", "1"),
        ("KEEP_ALIVE_S", "1.5", "integer"),
        ("MAX_IN_FLIGHT", "0", "1"),
        ("MAX_BODY_BYTES", "1", "2"),
        ("STAGE_CLOCK", "maybe", "boolean"),
        ("LOG_LEVEL", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("REDIS_TIMEOUT_MS", "0", "1"),
        ("MODEL_TIMEOUT_MS", "soon", "integer"),
        ("FAN_OUT", "both", "'sequential' or 'concurrent'"),
        ("HTTP_CLIENT", "curl", "'requests', 'urllib3', 'httpx', 'aiohttp' or 'httpx2'"),
        ("HTTP_CLIENT", "httpx", "requests or urllib3"),
        ("CLIENT_REUSE", "never", "'pooled' or 'per-request'"),
        ("LAG_SAMPLE_MS", "-1", "0"),
        ("LAG_SAMPLE_MS", "1001", "1000"),
        ("LAG_SAMPLE_MS", "0.5", "integer"),
        ("MODEL_LAW", "normal", "'uniform', 'constant' or 'lognormal'"),
        ("MODEL_MIN_MS", "nan", "60000"),
        ("MODEL_MAX_MS", "inf", "60000"),
        ("MODEL_MAX_MS", "39", "below model_min_ms 40"),
        ("MODEL_SIGMA", "4", "3"),
        ("MODEL_URLS", "127.0.0.1:5000", "http://"),
    ],
)
def test_a_bad_value_is_told_its_name_itself_and_what_was_expected(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, expected: str
) -> None:
    monkeypatch.setenv(f"SERVING_{variable}", text)
    with pytest.raises(SettingsError) as refused:
        load_settings("sync", "scoring")
    message = str(refused.value)
    assert variable in message.upper()
    assert text in message
    assert expected in message.replace(text, "", 1)


def test_every_bad_value_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVING_WORKERS", "0")
    monkeypatch.setenv("SERVING_BACKLOG", "none")
    with pytest.raises(SettingsError, match=r"SERVING_WORKERS is '0': .*; SERVING_BACKLOG is 'none': "):
        load_settings("sync", "scoring")


def loaded_or_refused() -> Settings | str:
    try:
        return load_settings("sync", "scoring")
    except SettingsError as error:
        return str(error)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("role", ROLES)
def test_clients_are_pooled_and_no_lag_is_sampled_unless_asked_for(architecture: Architecture, role: Role) -> None:
    settings = load_settings(architecture, role)
    assert (settings.client_reuse, settings.lag_sample_ms) == ("pooled", 0)


@pytest.mark.parametrize("setting", ["threads", "port"])
def test_zero_is_the_default_or_refused_but_never_zero(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    usual = load_settings("sync", "scoring")
    monkeypatch.setenv(f"SERVING_{setting.upper()}", "0")
    outcome = loaded_or_refused()
    assert outcome == usual or f"SERVING_{setting.upper()} is '0'" in str(outcome)


@pytest.mark.parametrize("text", [",", " ", " , ,"])
def test_a_list_without_a_model_is_the_default_or_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    usual = load_settings("sync", "scoring")
    monkeypatch.setenv("SERVING_MODEL_URLS", text)
    outcome = loaded_or_refused()
    assert outcome == usual or "SERVING_MODEL_URLS" in str(outcome)


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("http://a/x", ("http://a/x",)),
        ("http://a/x,http://b/y", ("http://a/x", "http://b/y")),
        (" http://a/x , https://b/y ,", ("http://a/x", "https://b/y")),
    ],
)
def test_the_models_are_a_list_separated_by_commas(
    monkeypatch: pytest.MonkeyPatch, text: str, urls: tuple[str, ...]
) -> None:
    monkeypatch.setenv("SERVING_MODEL_URLS", text)
    assert load_settings("async", "scoring").model_urls == urls


@pytest.mark.parametrize(
    ("architecture", "client", "expected"),
    [
        ("sync", "httpx", "requests or urllib3"),
        ("sync", "aiohttp", "requests or urllib3"),
        ("async", "requests", "httpx or aiohttp or httpx2"),
        ("async", "urllib3", "httpx or aiohttp or httpx2"),
    ],
)
def test_a_client_of_the_other_architecture_is_refused(architecture: Architecture, client: str, expected: str) -> None:
    with pytest.raises(SettingsError, match=f"http_client is '{client}', expected {expected}"):
        load_settings(architecture, "scoring", http_client=client)


@pytest.mark.parametrize(("architecture", "client"), [("sync", "urllib3"), ("async", "aiohttp")])
def test_the_other_client_of_an_architecture_is_taken(architecture: Architecture, client: str) -> None:
    assert load_settings(architecture, "scoring", http_client=client).http_client == client


def test_a_setting_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SettingsError, match="SERVING_THREAD is 64: "):
        load_settings("sync", "scoring", thread=64)


def test_settings_do_not_change() -> None:
    settings = Settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1  # type: ignore[misc]


def test_settings_do_not_leak_into_the_next_ones() -> None:
    values: dict[str, Any] = {"architecture": "async", "role": "model"}
    first = Settings(**values)
    assert values == {"architecture": "async", "role": "model"}
    assert Settings(**values) == first

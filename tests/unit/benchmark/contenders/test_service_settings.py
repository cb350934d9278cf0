"""A setting reaches what is measured, or is refused."""

import os

import pytest

from benchmark.contenders.discovery import Contender, discover
from benchmark.contenders.service_settings import settings_of, with_env, with_overrides, with_room_for
from benchmark.errors import SettingRefused
from benchmark.record.manifest import recorded_contenders

KNOWN = discover()


def told(name: str, **settings: str) -> Contender:
    return with_overrides([KNOWN[name]], settings)[0]


def with_row(name: str, role: str, **env: str) -> Contender:
    """Return a contender whose row sets more for one of its processes."""
    processes = tuple(with_env(p, env) if p.role == role else p for p in KNOWN[name].process)
    return KNOWN[name].model_copy(update={"process": processes})


@pytest.mark.parametrize("name", ["sync", "async"])
def test_a_setting_reaches_every_process(name: str) -> None:
    changed = told(name, model_min_ms="8", model_max_ms="12")
    assert all(p.env["SERVING_MODEL_MIN_MS"] == "8" for p in changed.process)
    for role in ("scoring", "model"):
        settings = settings_of(changed, role)
        assert settings is not None
        assert (settings.model_min_ms, settings.model_max_ms) == (8, 12)


@pytest.mark.parametrize(
    ("name", "value"),
    [("redis_url", "redis://elsewhere/0"), ("model_urls", "http://127.0.0.1:1/x"), ("port", "4000")],
)
def test_what_every_row_sets_itself_is_refused(name: str, value: str) -> None:
    with pytest.raises(SettingRefused, match=rf"--set {name}=.*the row of sync sets SERVING_{name.upper()}"):
        told("sync", **{name: value})


def test_a_row_that_sets_it_otherwise_is_not_beaten_in_silence() -> None:
    with pytest.raises(SettingRefused, match="async-aiohttp sets SERVING_HTTP_CLIENT to 'aiohttp' for scoring"):
        told("async-aiohttp", http_client="httpx")
    assert told("async-aiohttp", http_client="aiohttp").process


def test_a_setting_is_held_against_the_twin_that_it_is_for() -> None:
    settings = settings_of(told("async", http_client="aiohttp"), "scoring")
    assert settings is not None
    assert settings.http_client == "aiohttp"
    with pytest.raises(SettingRefused, match=r"sync rejects these settings.*requests or urllib3"):
        told("sync", http_client="aiohttp")


def test_a_misspelt_variable_of_a_row_is_named() -> None:
    with pytest.raises(SettingRefused, match="SERVING_THREAD for scoring, which is not a setting"):
        with_overrides([with_row("sync", "scoring", SERVING_THREAD="8")], {})


def test_a_row_does_not_choose_the_seed() -> None:
    with pytest.raises(SettingRefused, match="derives it from --seed"):
        with_overrides([with_row("sync", "model", SERVING_MODEL_SEED="1")], {})


def test_the_shell_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVING_THREADS", "7")
    settings = settings_of(KNOWN["sync"], "scoring")
    assert settings is not None
    assert settings.threads == 64


def test_no_variable_of_this_process_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVING_THREADS", "7")
    told("sync", threads="8")
    assert os.environ["SERVING_THREADS"] == "7"


def test_an_older_record_has_its_settings_beside_the_rows_and_a_protocol_in_them() -> None:
    row = {**KNOWN["sync"].model_dump(mode="json", exclude={"folder", "scenario"}), "protocol": "predict"}
    manifest = {"contenders": {"sync": row}, "settings": {"services": {"model_cpu_ms": "5"}}}
    (found,) = recorded_contenders(manifest)
    assert all(process.env["SERVING_MODEL_CPU_MS"] == "5" for process in found.process)


@pytest.mark.parametrize(
    ("name", "settings", "pool", "idle"),
    [
        ("sync", {}, 128, 128),
        ("sync", {"threads": "16"}, 32, 32),
        ("sync", {"model_pool_size": "7"}, 7, 7),
        ("async", {}, 2048, 2048),
        ("async", {"model_pool_size": "7"}, 7, 7),
        ("async", {"model_pool_idle": "300"}, 2048, 300),
        ("async-httpx2", {}, 2048, 2048),
        ("async-aiohttp", {}, 2048, 2048),
        ("async-httpx-default", {}, 100, 20),
        ("async-httpx-default", {"model_pool_idle": "300"}, 100, 100),
    ],
)
def test_a_pool_has_the_size_that_serves_its_client(name: str, settings: dict[str, str], pool: int, idle: int) -> None:
    found = settings_of(told(name, **settings), "scoring")
    assert found is not None
    assert found.model_pool_size == pool
    assert found.model_pool_idle == idle


@pytest.mark.parametrize(
    ("name", "at_once", "limit"),
    [
        *(("async", *each) for each in ((0, 128), (40, 128), (64, 128), (65, 130), (512, 1024))),
        *(("sync", *each) for each in ((0, 80), (40, 80), (41, 82), (512, 1024))),
    ],
)
def test_a_closed_loop_is_let_in_whole_and_a_smaller_one_changes_nothing(name: str, at_once: int, limit: int) -> None:
    settings = settings_of(with_room_for(KNOWN[name], at_once), "scoring")
    assert settings is not None
    assert settings.max_in_flight == limit


def test_a_row_that_sets_its_own_limit_keeps_it() -> None:
    contender = with_row("sync", "scoring", SERVING_MAX_IN_FLIGHT="7")
    assert with_room_for(contender, 512) == contender

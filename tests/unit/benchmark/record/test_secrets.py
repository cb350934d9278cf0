"""Secrets are masked by where they stand in a URL, whatever the setting is called."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.record.run import Run
from contract.secrets import masked
from contract.settings import SettingsError, loggable, settings_from

SECRET = "s3cr3t"
URLS = (
    f"redis://:{SECRET}@host:6379/0",
    f"rediss://user:{SECRET}@host/0",
    f"redis://{SECRET}@host/0",
    f"redis://host/0?password={SECRET}&db=1",
    f"http://u:{SECRET}@h/predict,http://{{model}}/predict?token={SECRET}",
    f"redis://:a,{SECRET}@host/0",
    f"redis://:a/b?c#{SECRET}@host/0",
    f"('http://u:{SECRET}@h/x', 'http://h2/y')",
    f"--set redis_url=redis://:{SECRET}@h/0 --quick",
    f"postgresql+psycopg://u:p@{SECRET}@h/db",
)


@pytest.mark.parametrize("text", URLS)
def test_what_a_url_holds_of_secrets_is_masked(text: str) -> None:
    assert SECRET not in masked(text)
    assert "***" in masked(text)


API_KEY = f"soa_{'s3cr3t' * 7}x"  # as long as one, and the same in every process


@pytest.mark.parametrize(
    "text",
    [
        API_KEY,
        f"curl -H 'X-API-Key: {API_KEY}' http://h/",
        f"--set api_keys={API_KEY}",
        f"X-API-Key: {SECRET}",
        f"authorization: Bearer {SECRET}",
        f"Proxy-Authorization: Basic {SECRET}",
        f"Set-Cookie: session={SECRET}; Path=/",
        f"{{'X-API-Key': '{SECRET}'}}",
        f"[(b'authorization', b'Bearer {SECRET}')]",
    ],
)
def test_an_api_key_and_what_a_header_holds_of_secrets_are_masked(text: str) -> None:
    assert SECRET not in masked(text)
    assert API_KEY not in masked(text)


def test_a_record_holds_no_api_key_and_no_list_of_them(tmp_path: Path) -> None:
    run = Run.create(tmp_path, "bench", {"contenders": {"a": {"env": {"SERVING_API_KEYS": "a:read:" + "0" * 64}}}})
    run.append_line("cells.jsonl", {"reason": f"status 401 for {API_KEY}"})
    written = "".join(path.read_text() for path in run.path.rglob("*") if path.is_file())
    assert API_KEY not in written
    assert "a:read:" not in written


@pytest.mark.parametrize("text", ["http://127.0.0.1:5000/v1", "http://{model}/x,http://{model}/y", "a@b.c", "5", ""])
def test_what_holds_no_secret_stays_as_it_is(text: str) -> None:
    assert masked(text) == text


def test_the_number_of_urls_can_still_be_told() -> None:
    assert len(masked(f"http://a:{SECRET}@h/1,http://b:{SECRET}@h/2,http://h/3").split(",")) == 3


@given(st.text(st.characters(exclude_characters=" '\"\t\n\r\x0b\x0c", exclude_categories=("Zs", "Zl", "Zp", "Cc"))))
def test_no_password_survives(password: str) -> None:
    word = f"X{password}X" if "://" not in password else "X"
    assert word not in masked({"any": [f"redis://:{word}@host/0"]})["any"][0]


def test_a_record_holds_no_secret_in_any_document(tmp_path: Path) -> None:
    manifest = {"settings": {"services": {"redis_url": URLS[0]}}, "contenders": {"a": {"env": {"X": URLS[4]}}}}
    run = Run.create(tmp_path, "bench", manifest)
    run.append_line("cells.jsonl", {"reason": f"cannot reach {URLS[1]}"})
    written = "".join(path.read_text() for path in run.path.rglob("*") if path.is_file())
    assert SECRET not in written
    assert json.loads((run.path / "manifest.json").read_text())["contenders"]["a"]["env"]["X"].count(",") == 1


def test_a_log_of_settings_holds_no_secret() -> None:
    variables = {"SERVING_REDIS_URL": URLS[0], "SERVING_MODEL_URLS": f"http://u:{SECRET}@h/x,http://h/y?key={SECRET}"}
    settings = settings_from(variables)
    assert SECRET in settings.redis_url
    assert SECRET not in json.dumps(loggable(settings))
    assert "redis_url" in loggable(settings)


def test_an_error_of_a_setting_holds_no_secret() -> None:
    with pytest.raises(SettingsError) as caught:
        settings_from({"SERVING_MODEL_URLS": f"ftp://u:{SECRET}@h/x", "SERVING_REDIS_TIMEOUT_MS": URLS[0]})
    assert SECRET not in str(caught.value)
    assert "SERVING_REDIS_TIMEOUT_MS" in str(caught.value)


SECRET_NAMES = (
    "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "DB_PASSWORD", "API_KEY", "api-key", "SERVING_API_KEYS", "PGPASSWORD",
    "CLIENT_SECRET", "GITHUB_TOKEN", "SENTRY_DSN", "BASIC_AUTH", "SSH_PASSPHRASE", "Authorization", "key", "token",
)  # fmt: skip


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_value_whose_name_is_that_of_a_secret_is_masked_wherever_it_stands(tmp_path: Path, name: str) -> None:
    process = {"role": "scoring", "env": {name: SECRET, "SERVING_THREADS": "64"}}
    run = Run.create(
        tmp_path, "bench", {"contenders": {"a": {"process": [process]}}, "command_line": f"x {name}={SECRET}"}
    )
    written = (run.path / "manifest.json").read_text()
    assert SECRET not in written
    assert run.manifest["contenders"]["a"]["process"][0]["env"] == {name: "***", "SERVING_THREADS": "64"}


@pytest.mark.parametrize(
    "document",
    [
        {
            "keyboard": "a",
            "SERVING_MODEL_LAW": "uniform",
            "monkey": "b",
            "author": "c",
            "compass": "d",
            "tokenize": "e",
        },
        {"tokens": 5, "key": None, "packages": {"tokenizers": "1.0", "cookiecutter": "2.0"}},
        {"plan": "--set model_cpu_ms=5 --contenders sync,async"},
    ],
)
def test_what_only_looks_like_the_name_of_a_secret_stays(document: dict[str, object]) -> None:
    assert masked(document) == document

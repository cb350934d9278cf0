"""A base URL as people write it is cleaned, or refused with a sentence that says what was expected."""

import importlib
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace

import pytest

from benchmark.errors import LoadError
from benchmark.load.base_url import base_url
from contract.settings import SettingsError, settings_from

ENDPOINT = "/api/v1/ml/async/predict"


@pytest.fixture(scope="module")
def locustfile() -> Iterator[ModuleType]:
    """The module, imported without replacing the sockets of this process or raising its limits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")
        patch.setenv("CONTENDERS", "sync,async")
        patch.setattr("contract.limits.raise_open_files", lambda: None)
        yield importlib.import_module("benchmark.load.locustfile")


CLEANED = [
    ("http://127.0.0.1:8001", "http://127.0.0.1:8001"),
    ("http://127.0.0.1:8001/", "http://127.0.0.1:8001"),
    ("http://127.0.0.1:8001//", "http://127.0.0.1:8001"),
    ("127.0.0.1:8001", "http://127.0.0.1:8001"),
    ("service", "http://service"),
    (" http://service:1 \n", "http://service:1"),
    ("HTTP://service:1", "http://service:1"),
    ("http://service:1/twin/", "http://service:1/twin"),
    (f"http://service:1{ENDPOINT}", "http://service:1"),
    (f"http://service:1/twin{ENDPOINT}/", "http://service:1/twin"),
    ("https://user:word@service", "https://user:word@service"),
    ("http://[::1]:8001/", "http://[::1]:8001"),
]
REFUSED = [
    "", "   ", "http://", "http:///predict", "ftp://service", "http://service:port", "http://service:70000",
    "http://service:0", "http://ser vice", "http://service/?a=1", "service?a=1", "http://service#part", "http://[::1",
    "//",
]  # fmt: skip


@pytest.mark.parametrize(("given", "cleaned"), CLEANED)
def test_what_people_write_is_cleaned(given: str, cleaned: str) -> None:
    assert base_url(given, "HOST_URL", ENDPOINT) == cleaned


@pytest.mark.parametrize("given", REFUSED)
def test_what_is_no_base_url_is_refused_with_a_sentence(given: str) -> None:
    with pytest.raises(LoadError, match=r"HOST_URL is .*expected the base URL of a service") as raised:
        base_url(given, "HOST_URL", ENDPOINT)
    assert "\n" not in str(raised.value)


def test_a_refusal_shows_no_password() -> None:
    with pytest.raises(LoadError) as raised:
        base_url("http://user:s3cr3t@service/?token=s3cr3t", "HOST_URL")
    assert "s3cr3t" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "host"), [("127.0.0.1:8001/", "http://127.0.0.1:8001"), (" http://h:1/a/ ", "http://h:1/a"), (None, None)]
)
def test_locust_s_own_option_is_cleaned_before_it_is_used(
    locustfile: ModuleType, given: str | None, host: str | None
) -> None:
    environment = SimpleNamespace(host=given)
    locustfile.check_host(environment)
    assert environment.host == host


def test_locust_s_own_option_is_refused_with_a_sentence(locustfile: ModuleType) -> None:
    with pytest.raises(SystemExit, match="--host is 'http://a b', expected the base URL"):
        locustfile.check_host(SimpleNamespace(host="http://a b"))


def test_what_is_typed_into_the_web_ui_stops_the_test_with_a_sentence(locustfile: ModuleType) -> None:
    users = type("Typed", (locustfile.USERS["Async"],), {"host": "http://service/?a=1"})
    with pytest.raises(importlib.import_module("locust.exception").StopTest, match="has a query"):
        users(SimpleNamespace())


@pytest.mark.parametrize("given", ["http://{nme}:8001", "http://{0}", "http://{"])
def test_braces_that_mean_nothing_are_refused_with_a_sentence(
    locustfile: ModuleType, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("HOST_URL", given)
    with pytest.raises(SystemExit, match="expected no braces but"):
        locustfile.make_users()


@pytest.mark.parametrize("url", ["127.0.0.1:6379", ":s3cr3t@host:6379", "http://host", "redis://ho st", ""])
def test_what_is_no_url_of_redis_is_refused_without_showing_a_password(url: str) -> None:
    with pytest.raises(SettingsError, match="expected redis://") as raised:
        settings_from({"SERVING_REDIS_URL": url})
    assert "s3cr3t" not in str(raised.value)


@pytest.mark.parametrize("url", ["host:5000/predict", "http://h/a b", "http:///predict"])
def test_what_is_no_url_of_a_model_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="expected http://host:port/path"):
        settings_from({"SERVING_MODEL_URLS": url})

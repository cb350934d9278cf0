"""URLs as people write them become what is asked, and a name without secrets."""

import pytest

from benchmark.errors import LoadError
from benchmark.monitor.targets import targets_of

HEALTH = "/api/v1/healthcheck"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://127.0.0.1:5001", f"http://127.0.0.1:5001{HEALTH}"),
        ("http://127.0.0.1:5001/", f"http://127.0.0.1:5001{HEALTH}"),
        ("127.0.0.1:5001", f"http://127.0.0.1:5001{HEALTH}"),
        ("https://scores.example", f"https://scores.example{HEALTH}"),
        ("http://127.0.0.1:5001/api/v1/ready", "http://127.0.0.1:5001/api/v1/ready"),
        ("http://127.0.0.1:5001/health/", "http://127.0.0.1:5001/health/"),
        (" http://[::1]:5001 ", f"http://[::1]:5001{HEALTH}"),
    ],
)
def test_a_base_url_gets_the_path_of_the_health_check_and_a_path_stays(text: str, url: str) -> None:
    assert [target.url for target in targets_of([text])] == [url]


def test_services_are_named_by_host_and_port_and_by_path_where_that_is_not_enough() -> None:
    urls = ["a.example:1", "b.example:2/health", "b.example:2/ready"]
    assert [target.name for target in targets_of(urls)] == ["a.example:1", "b.example:2/health", "b.example:2/ready"]


def test_the_same_service_is_asked_once() -> None:
    assert len(targets_of(["http://a.example", "a.example/", f"http://a.example{HEALTH}"])) == 1


def test_a_name_has_no_password() -> None:
    (target,) = targets_of(["http://me:hunter2@a.example:80"])
    assert "hunter2" in target.url
    assert "hunter2" not in target.name


@pytest.mark.parametrize(
    "text", ["", "ftp://a.example", "http://", "http://a.example:0", "http://a b", "a.example?q=1"]
)
def test_what_is_no_url_of_a_service_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(LoadError, match=r"URL is .*expected the base URL of a service"):
        targets_of([text])

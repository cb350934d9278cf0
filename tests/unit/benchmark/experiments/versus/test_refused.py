"""What cannot be measured ends before anything is measured: one line that says what was found, where, what to do."""

import json
import ssl
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from benchmark.cli import app
from benchmark.experiments.versus import checking
from tests.unit.benchmark.experiments.versus.double import Answer, scoring, service

NOBODY = "http://127.0.0.1:9"  # the port of `discard`, where nobody listens
SCENARIO = """
[scenario.mine]
title = "Score"
path = "/v2/score"
headers = { Content-Type = "application/json", X-API-Key = "env:VERSUS_TOKEN" }
body = '[1, 2]'
check = { json = "$.score", equals = 0.5 }
"""
CHECK = 'check = { json = "$.score", equals = 0.5 }'


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("VERSUS_TOKEN", "open-sesame")
    return "open-sesame"


def versus(folder: Path, *arguments: str, scenario: str = SCENARIO) -> Result:
    (folder / "mine.toml").write_text(scenario)
    options = ["--scenario", str(folder / "mine.toml"), "--results", str(folder / "results")]
    return CliRunner().invoke(app, ["versus", *arguments, *options])


def refused(folder: Path, *arguments: str, scenario: str = SCENARIO, status: int = 1) -> str:
    """Return what is said of a comparison that nothing was measured for."""
    result = versus(folder, *arguments, scenario=scenario)
    assert result.exit_code == status, result.output
    assert not (folder / "results").exists()
    (line,) = result.output.strip().splitlines()
    return str(line)


def redirecting(to: str) -> Answer:
    return lambda _: (302, b"", {"Location": to})


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (redirecting("https://example.com/"), "redirects to another host, example.com, which is not asked"),
        (redirecting("/v3/score"), "put that path into the scenario"),
        (lambda _: (200, b"<html>", {}), "an answer is not JSON, it begins with '<html>'"),
        (lambda _: (200, bytes(10_000_001), {}), "is larger than 10 MB: ask for less"),
        (lambda _: (401, b"{}", {}), "passes the check of scenario mine (0 of 5): status 401"),
        (scoring(0.7), "$.score is 0.7, expected 0.5: mend the request or the check"),
    ],
    ids=["another host", "another path", "not JSON", "too large", "no key", "wrong"],
)  # fmt: skip
def test_a_service_that_cannot_be_measured_is_named_with_what_to_do(tmp_path: Path, answer: Answer, said: str) -> None:
    with service(answer) as url:
        line = refused(tmp_path, f"A={url}", f"B={url}")
    assert line.startswith("error: A: ")
    assert said in line


def test_a_service_that_is_not_there_is_named(tmp_path: Path) -> None:
    line = refused(tmp_path, f"A={NOBODY}", f"B={NOBODY}")
    assert line == (
        f"error: A: {NOBODY}/v2/score cannot be reached (Connection refused): is it up, and the port right?"
    )


def test_a_certificate_that_is_not_accepted_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exchange(*_: object) -> None:
        error = ssl.SSLCertVerificationError()
        error.verify_message = "self-signed certificate"
        raise error

    monkeypatch.setattr(checking, "_exchange", exchange)
    line = refused(tmp_path, "A=https://127.0.0.1:9", f"B={NOBODY}")
    assert "the certificate of 127.0.0.1:9 is not accepted (self-signed certificate)" in line
    assert "SSL_CERT_FILE" in line


def test_two_services_that_answer_otherwise_are_shown_where(tmp_path: Path) -> None:
    scenario = SCENARIO.replace(CHECK, 'check = { same_as = "B", ignore = ["$.time"] }')
    with service(scoring(0.5, time=1)) as one, service(scoring(0.75, time=2)) as other:
        line = refused(tmp_path, f"A={one}", f"B={other}", scenario=scenario)
    assert "B and A do not answer the same: to request 1, $.score is 0.75 from B and 0.5 from A (1 of 1" in line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("A=http://127.0.0.1:9",), "expected two services, such as A=http://127.0.0.1:9000 B="),
        (("A=http://h", "A=http://h"), "expected two different ones"),
        (("A=base", "B=head"), "A is 'base', expected a URL, or --contenders-file"),
        (("A=http://127.0.0.1:9?x=1", "B=http://h"), "which has a query that would not be sent"),
        (("A=http://me:hush@127.0.0.1:9", "B=http://h"), "holds a password, which would be recorded"),
    ],
    ids=["one", "twice the same name", "a row of no file", "a query", "a password"],
)
def test_what_is_no_pair_of_services_is_wrong_usage(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    line = refused(tmp_path, *arguments, status=2)
    assert said in line
    assert "hush" not in line


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        (SCENARIO + "colour = 'red'", "scenario.mine.colour: there is no such key; expected one of title, method"),
        (SCENARIO.replace('"env:VERSUS_TOKEN"', '"env:NO_SUCH_TOKEN"'), "NO_SUCH_TOKEN, which is not set"),
        (SCENARIO.replace("[1, 2]", "[1, 2"), "request 1 of body is not JSON"),
        (SCENARIO.replace('path = "/v2/score"', ""), "scenario mine has no path, and A is a URL"),
        (SCENARIO.replace(CHECK, 'check = { same_as = "C" }'), "check.same_as is 'C', expected A or B"),
    ],
    ids=["unknown key", "unset token", "no JSON", "no path", "same as nobody"],
)
def test_a_scenario_that_cannot_be_asked_is_wrong_usage(tmp_path: Path, scenario: str, said: str) -> None:
    assert said in refused(tmp_path, f"A={NOBODY}", f"B={NOBODY}", scenario=scenario, status=2)


@pytest.mark.parametrize(
    ("address", "more", "protocol", "said"),
    [
        ("93.184.215.14", (), "predict", "A: api.test is neither this machine nor in a private network"),
        ("10.0.0.7", ("--climb",), "predict", "A: --climb loads api.test as much as it can carry"),
        ("10.0.0.7", (), "poll", "A: the protocol poll asks api.test again and again"),
    ],
    ids=["elsewhere", "climbing in a private network", "polling in a private network"],
)
def test_another_host_is_loaded_only_with_a_word_of_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, more: tuple[str, ...], protocol: str, said: str
) -> None:
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (address, 80))])
    scenario = SCENARIO + f"protocol = '{protocol}'"
    line = refused(tmp_path, "A=http://api.test", "B=http://api.test", *more, scenario=scenario, status=2)
    assert said in line
    assert "--yes-i-may-load api.test" in line


def test_a_host_that_nobody_knows_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", unknown)
    assert "A: there is no host 'nowhere.test'" in refused(tmp_path, "A=http://nowhere.test", f"B={NOBODY}")


def test_no_refusal_shows_the_token(tmp_path: Path, token: str) -> None:
    def echo(_: bytes) -> tuple[int, bytes, dict[str, str]]:
        return 200, json.dumps({"score": f"wrong key {token}"}).encode(), {}

    with service(echo) as url:
        line = refused(tmp_path, f"A={url}", f"B={url}")
    assert "$.score is 'wrong key ***', expected 0.5" in line

"""The command line, as far as it goes without a server."""

import pytest
from typer.testing import CliRunner

from contract.schema import MAX_STORED_FEATURES
from contract.settings import PREFIX, Settings
from feature_store.cli import _URL_VARIABLE, _default_url, _without_password, app
from feature_store.server import DEFAULT_PORT, HOST

runner = CliRunner()


def test_the_variable_is_the_one_that_the_services_read() -> None:
    assert f"{PREFIX}REDIS_URL" == _URL_VARIABLE
    assert "redis_url" in Settings.model_fields


def test_serve_listens_where_seed_and_the_services_look() -> None:
    assert _default_url() == f"redis://{HOST}:{DEFAULT_PORT}/0"


@pytest.mark.parametrize("command", ["seed", "serve"])
def test_the_help_names_limits_and_defaults(command: str) -> None:
    answer = runner.invoke(app, [command, "--help"])
    assert answer.exit_code == 0
    assert f"[default: 32; 1<=x<={MAX_STORED_FEATURES}]" in answer.output
    assert "[default: 10000; x>=1]" in answer.output


@pytest.mark.parametrize("command", ["seed", "serve"])
@pytest.mark.parametrize("option", [["--features", "0"], ["--features", "65"], ["--entities", "0"]])
def test_what_no_store_can_hold_is_a_usage_error(command: str, option: list[str]) -> None:
    answer = runner.invoke(app, [command, *option])
    assert answer.exit_code == 2
    assert option[0] in answer.output


@pytest.mark.parametrize("url", ["127.0.0.1:6379", "http://127.0.0.1"])
def test_a_url_of_something_else_is_named(url: str) -> None:
    answer = runner.invoke(app, ["seed", "--url", url])
    assert answer.exit_code == 1
    assert f"The Redis at {url} cannot be seeded" in answer.output
    assert "redis://" in answer.output


@pytest.mark.parametrize(
    "url", ["redis://user:secret@host:1/0", "redis://:secret@host:1/0", "redis://host:1/0?password=secret"]
)
def test_a_password_is_never_shown(url: str) -> None:
    assert _without_password(url) == "redis://host:1/0"

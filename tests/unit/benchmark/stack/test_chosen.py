"""What `up` starts, and what no command ignores silently."""

import subprocess

import pytest
from typer.testing import CliRunner

from benchmark import cli
from benchmark.contenders.discovery import ROOT
from benchmark.errors import ServicesError, SettingRefused
from benchmark.experiments.registry import REGISTRY
from benchmark.stack.chosen import to_start


def ports(names: str, free_ports: bool = False) -> list[int]:
    return [process.port for each in to_start(names, {}, free_ports).values() for process in each.process]


def test_any_contender_can_be_started_by_its_name() -> None:
    assert ports("async-aiohttp") == [6379, 8000, 8001]
    assert list(to_start("null", {})) == ["null"]


def test_two_that_need_one_port_are_refused_and_free_ports_move_them() -> None:
    with pytest.raises(ServicesError, match="async and async-aiohttp both use port 8001 for their scoring"):
        to_start("async,async-aiohttp", {})
    moved = ports("async,async-aiohttp", free_ports=True)
    assert not {6379, 8000, 8001}.intersection(moved)


def test_a_setting_reaches_every_process_or_is_refused() -> None:
    for each in to_start("", {"model_cpu_ms": "5"}).values():
        assert {process.env["SERVING_MODEL_CPU_MS"] for process in each.process} == {"5"}
    with pytest.raises(SettingRefused, match="http_client"):
        to_start("async-aiohttp", {"http_client": "httpx"})


def test_a_setting_of_the_shell_is_refused_unless_it_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVING_MODEL_CPU_MS", "0.0")
    to_start("", {})
    monkeypatch.setenv("SERVING_MODEL_CPU_MS", "5")
    with pytest.raises(ServicesError, match=r"SERVING_MODEL_CPU_MS is set in the shell or in \.env"):
        to_start("", {})


MEASURING = [row.name for row in REGISTRY]


@pytest.mark.parametrize("name", MEASURING)
def test_a_command_that_measures_says_once_which_settings_of_the_shell_it_ignores(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unusable = {
        "strategies": ["--strategy", "nobody"],
        "explain": ["--from", "nobody"],
        "versus": ["A=nobody", "B=nobody", "--scenario", "nobody.toml"],
        "selftest": ["--with", "nobody"],
        "gate": ["--base", "nobody", "--head", "nobody"],
        "plan": ["--verify", "--contenders", "nobody"],
    }
    asked = [name, *unusable.get(name, ["--contenders", "nobody"])]
    assert "warning" not in CliRunner().invoke(cli.app, asked).stderr
    monkeypatch.setenv("SERVING_THREADS", "4")
    monkeypatch.setenv("SERVING_REDIS_URL", "redis://:secret@127.0.0.1:7000/0")
    said = CliRunner().invoke(cli.app, asked)
    assert said.stderr.count("warning: SERVING_THREADS, SERVING_REDIS_URL of the shell or of .env are ignored") == 1
    assert "--set" in said.stderr
    assert "secret" not in said.output
    assert "nobody" in said.stdout  # the warning stands beside what is said otherwise


@pytest.mark.parametrize("options", [("--quick", "--full"), ("--field", "--contenders", "sync")])
def test_options_of_which_one_would_be_ignored_are_refused(options: tuple[str, ...]) -> None:
    ended = CliRunner().invoke(cli.app, ["bench", *options], env={"COLUMNS": "200"})
    assert ended.exit_code == 2
    assert "exclude each other" in ended.output


@pytest.mark.parametrize("option", ["--contenders", "--contender"])
def test_profile_takes_its_contenders_as_the_others_do(option: str) -> None:
    ended = CliRunner().invoke(cli.app, ["profile", option, "nobody"], env={"COLUMNS": "200"})
    assert "there is no contender 'nobody'" in ended.output


@pytest.mark.parametrize(("given", "status"), [("QUIK=1", 2), ("QUICK=1", 0), ("SERVING_THREADS=4", 0)])
def test_a_variable_that_the_makefile_does_not_know_is_refused(given: str, status: int) -> None:
    ended = subprocess.run(["make", "-n", "help", given], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == status, ended.stderr
    assert ("QUIK is not a variable" in ended.stderr) == bool(status)

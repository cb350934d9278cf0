"""`profile` on the command line: one sentence with the valid choices, exit status 2."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from benchmark.contenders.discovery import discover
from benchmark.experiments.profiling.command import command


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    app = typer.Typer()
    app.command()(command)
    return app


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """Give back the signals that a command takes over."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("arguments", "choices"),
    [
        (["--contender", "nobody"], ", ".join(discover())),
        (["--profiler", "cprofile"], "pyinstrument"),
        (["--profiler", "cprofile"], "yappi"),
        (["--side", "middle"], "client"),
        (["--requests", "-1"], "greater than or equal to 1"),
        (["--requests", "many"], "integer"),
        (["--set", "stage_clock=false"], "profiling sync needs the stage clock"),
    ],
)
def test_bad_input_names_the_valid_choices(
    tmp_path: Path, app: typer.Typer, arguments: list[str], choices: str
) -> None:
    answer = CliRunner().invoke(app, [*arguments, "--results", str(tmp_path / "results")])
    assert answer.exit_code == 2
    assert choices in " ".join(answer.output.replace("│", " ").split())
    assert not (tmp_path / "results").exists()

"""The command line: help, exit status, and one sentence instead of a traceback."""

import io
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner, Result

from benchmark.cli import app
from benchmark.cli_options import PYTHON, conclude, end_on_signals
from benchmark.contenders.discovery import ROOT, discover
from benchmark.experiments.bench.experiment import EXPERIMENT
from benchmark.experiments.registry import REGISTRY, ExperimentRow
from benchmark.record import provenance
from benchmark.record.run import Run
from tests.unit.benchmark.synthetic import Held, make_contender, make_run, record

A = make_contender("a")
USAGE, FAILED = 2, 1


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give back the signals that a command takes over, and do not probe the machine."""
    monkeypatch.setattr(provenance, "busy_share", lambda: 0.0)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def said(answer: Result) -> str:
    """Return what a command said, without frames and line breaks."""
    return " ".join(re.sub("[│╭╮╰╯─]", " ", answer.output).split())


def python(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_run_that_measured_nothing_ends_with_the_status_of_what_could_not_be_measured(tmp_path: Path) -> None:
    run = make_run(tmp_path, [A])
    record(run, 0, "a", status="failed", reason="port 5001 is taken")
    run.note_end(False)
    summary = {"complete": True, "valid": False, "contenders": {}, "reasons": [], "notes": []}
    run.write_json("summary.json", {"schema": 1, **summary})
    with pytest.raises(typer.Exit) as ended:
        conclude(run, ShownNowhere())
    assert ended.value.exit_code == FAILED


class ShownNowhere:
    """An experiment without figures or answers."""

    table = staticmethod(lambda _: None)
    answers = staticmethod(lambda _: ())


def test_the_module_is_the_program_and_names_its_verbs() -> None:
    answer = python("-m", "benchmark", "--help")
    assert answer.returncode == 0
    for verb in ("bench", "report", "contenders"):
        assert verb in answer.stdout


def test_outside_the_virtual_environment_one_line_says_what_to_do() -> None:
    answer = python("-ES", "-m", "benchmark", "bench")  # no installed package is found
    assert answer.returncode == FAILED
    assert answer.stdout == ""
    (line,) = answer.stderr.splitlines()
    assert "is not installed here" in line
    for command in ("`make install`", "`.venv/bin/python -m benchmark`"):
        assert command in line


def test_help_comes_without_loading_what_takes_a_second() -> None:
    slow = "{'pandas', 'matplotlib', 'locust', 'scipy'}"
    answer = python("-c", f"import sys, benchmark.cli; print(sorted({slow} & set(sys.modules)))")
    assert answer.stdout.strip() == "[]"


def test_the_help_of_bench_names_its_options_and_exit_statuses() -> None:
    answer = invoke("bench", "--help")
    assert answer.exit_code == 0
    text = said(answer).lower()
    for option in ("--contenders", "--quick", "--full", "--levels", "--blocks", "--seed", "--set", "--results"):
        assert option in text
    assert "exit status" in text
    for status in ("2", "3", "130"):
        assert re.search(rf"\b{status}\b", text.partition("exit status")[2])


def test_every_command_and_every_option_has_a_help() -> None:
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        assert command.help, name
        for option in command.params:
            assert option.help, f"{name} {option.name}"


def examples_in_help() -> list[list[str]]:
    """Return the arguments of every example at the end of a `--help`."""
    group = typer.main.get_command(app)
    epilogs = [command.epilog or "" for command in (group, *group.commands.values())]  # type: ignore[attr-defined]
    lines = [line for epilog in epilogs for line in epilog.splitlines() if line.startswith(PYTHON)]
    return [shlex.split(line.removeprefix(PYTHON)) for line in lines]


@pytest.mark.parametrize("arguments", examples_in_help(), ids=" ".join)
def test_an_example_in_a_help_is_accepted(arguments: list[str]) -> None:
    name, *options = arguments
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    if options == ["--help"]:
        assert invoke(*arguments).exit_code == 0
    else:
        assert command.make_context(name, options).info_name == name


@pytest.mark.parametrize("row", REGISTRY, ids=lambda row: row.name)
def test_the_help_of_an_experiment_says_how_long_it_takes_and_ends_with_examples(row: ExperimentRow) -> None:
    answer = invoke(row.name, "--help")
    how_long = r"([Aa]bout|[Uu]nder) (a minute|(\d+|five|seven|nine) minutes)"
    assert re.search(how_long, said(answer).partition("Exit status")[0])
    assert f"{PYTHON} {row.name}" in said(answer).partition("Examples")[2]


def test_contenders_lists_all_that_can_be_measured() -> None:
    answer = invoke("contenders")
    assert answer.exit_code == 0
    for contender in discover().values():
        assert contender.name in answer.output


@pytest.mark.parametrize("names", ["nobody", "sync,nobody", "sync,", "[/nobody]", "[nobody]"])
def test_an_unknown_contender_is_a_usage_error_that_lists_the_valid_ones(tmp_path: Path, names: str) -> None:
    answer = invoke("bench", "--contenders", names, "--results", str(tmp_path / "results"))
    assert answer.exit_code == USAGE
    assert repr(names.rpartition(",")[2]) in said(answer)
    assert ", ".join(discover()) in said(answer)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("levels", ["0", "-1", "a", "1.5", "4,1", "1,1", "1,,2", ","])
def test_levels_that_do_not_ascend_from_one_are_a_usage_error_with_an_example(tmp_path: Path, levels: str) -> None:
    answer = invoke("bench", f"--levels={levels}", "--results", str(tmp_path / "results"))
    assert answer.exit_code == USAGE
    assert repr(levels) in said(answer)
    assert "ascending" in said(answer)
    assert "1,16,64" in said(answer)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("pair", ["threads", "nothing=1", "=1", "SERVING_THREADS=1"])
def test_a_setting_that_there_is_not_is_a_usage_error_that_lists_those_that_there_are(
    tmp_path: Path, pair: str
) -> None:
    answer = invoke("bench", "--set", pair, "--results", str(tmp_path / "results"))
    assert answer.exit_code == USAGE
    assert repr(pair) in said(answer)
    assert "name=value" in said(answer)
    for name in ("threads", "model_cpu_ms"):
        assert name in said(answer)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("pair", ["threads=abc", "workers=0", "model_max_ms=1", "model_law=cauchy", "http_client=curl"])
def test_a_setting_of_a_wrong_value_is_a_usage_error_with_what_was_expected(tmp_path: Path, pair: str) -> None:
    answer = invoke("bench", "--set", pair, "--results", str(tmp_path / "results"))
    assert answer.exit_code == USAGE
    name, _, value = pair.partition("=")
    assert name in said(answer).lower()
    assert value in said(answer)
    assert not (tmp_path / "results").exists()


@pytest.fixture
def _handlers_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_handlers_as_before")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_is_like_an_interruption(number: signal.Signals) -> None:
    signal.signal(number, signal.SIG_DFL)
    end_on_signals()
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)


@pytest.mark.usefixtures("_handlers_as_before")
def test_below_nohup_a_command_outlives_its_terminal() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    end_on_signals()
    os.kill(os.getpid(), signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


@pytest.mark.parametrize("option", [["--blocks", "0"], ["--seed", "x"], ["--nothing"]])
def test_an_option_that_makes_no_sense_is_a_usage_error(option: list[str]) -> None:
    answer = invoke("bench", *option)
    assert answer.exit_code == USAGE
    assert option[0] in said(answer)


def test_results_that_cannot_be_written_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = invoke("bench", "--contenders", "null", "--results", str(tmp_path / "file"))
    assert answer.exit_code == FAILED
    assert "error: cannot write to" in said(answer)
    assert "Traceback" not in answer.output


def test_a_report_of_what_is_no_run_is_one_sentence(tmp_path: Path) -> None:
    answer = invoke("report", str(tmp_path / "nothing"))
    assert answer.exit_code == FAILED
    assert "nothing is not a run directory" in said(answer)
    assert "Traceback" not in answer.output


def test_a_report_of_an_unknown_schema_is_one_sentence_that_names_it(tmp_path: Path) -> None:
    run = make_run(tmp_path, [A])
    run.write_json("manifest.json", {**run.manifest, "schema": 99})
    answer = invoke("report", str(run.path))
    assert answer.exit_code == FAILED
    assert "schema 99" in said(answer)


@pytest.mark.parametrize("status", ["measured", "interrupted"])
def test_a_report_is_drawn_from_the_record_alone(tmp_path: Path, status: str) -> None:
    run = make_run(tmp_path, [A])
    record(run, 0, "a", Held(1, 50), Held(4, 55), status=status)
    answer = invoke("report", str(run.path))
    assert answer.exit_code == 0, answer.output
    assert (run.path / "report.html").stat().st_size > 1_000
    assert Run.open(run.path).summary["complete"] is (status == "measured")
    assert ("INVALID" in answer.output) == (status != "measured")


@pytest.mark.parametrize("folder", ["results", "results of [today]", "[b]"])
def test_the_place_of_a_report_is_said_as_it_is(tmp_path: Path, folder: str) -> None:
    run = make_run(tmp_path / folder, [A])
    answer = invoke("report", str(run.path))
    assert f"report: {run.path / 'report.html'}\n" in answer.output


def table_of(**entries: dict[str, Any]) -> str:
    """Return what `bench` prints of these contenders on 80 columns."""
    written = io.StringIO()
    Console(file=written, width=80).print(EXPERIMENT.table({"contenders": entries}))
    return written.getvalue()


def test_the_table_of_a_run_keeps_names_whole_in_80_columns() -> None:
    low, peak = {"mean_ms": 96.41, "over_floor": 1.0712}, {"rps": 10927.4, "users": 256, "p99_ms": 8812.0}
    entry = {"low_load": low, "peak": peak, "cpu_ms_per_request": {"scoring": 3.5, "load": 0.4}, "valid": False}
    names = ("sync-concurrent", "async-aiohttp")
    for name, line in zip(names, table_of(**dict.fromkeys(names, entry)).splitlines()[-2:], strict=True):
        assert line.split() == [name, "96.4", "1.071", "10927", "256", "8812", "3.50", "INVALID"]


def test_a_rate_that_is_no_peak_is_at_least_so_much() -> None:
    peak = {"rps": 410.2, "users": 32, "p99_ms": 88.0, "bracketed": False}
    entry = {"low_load": None, "peak": peak, "cpu_ms_per_request": {}, "valid": True}
    written = table_of(**{"sync": entry, "async": {**entry, "peak": {**peak, "bracketed": True}}})
    open_, bracketed = written.splitlines()[-2:]
    assert open_.split() == ["sync", "-", "-", ">=", "410", "32", "88", "-"]
    assert bracketed.split() == ["async", "-", "-", "410", "32", "88", "-"]
    assert "peak" not in written

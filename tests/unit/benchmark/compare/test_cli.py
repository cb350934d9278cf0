"""The command `compare`, on recorded runs."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from benchmark.compare.cli import compare
from tests.unit.benchmark.experiments.timeit.synthetic import Recorder, summarised

app = typer.Typer()
app.command()(compare)


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.cli_options.console.width", 200)


def run_compare(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_run_does_not_differ_from_itself(record: Recorder) -> None:
    path = summarised(record())
    result = run_compare(path, path, "--fail-if-slower", "0%")
    assert result.exit_code == 0
    assert "No significant difference in 3 figures." in result.output


def test_two_runs_of_the_same_do_not_differ(record: Recorder) -> None:
    a, b = summarised(record(seed=1, folder="a")), summarised(record(seed=2, folder="b"))
    result = run_compare(a, b)
    assert result.exit_code == 0
    assert "No significant difference in 3 figures." in result.output


@pytest.mark.parametrize(("limit", "status"), [("5%", 4), ("5", 4), ("50%", 0), ("", 0)])
def test_a_slower_run_ends_with_status_4(record: Recorder, limit: str, status: int) -> None:
    a = summarised(record(folder="a"))
    b = summarised(record({"one": 100.0, "two": 60.0, "three": 50.0}, seed=2, folder="b"))
    result = run_compare(a, b, "--fail-if-slower", limit)
    assert result.exit_code == status
    assert "B is faster in 0 and slower in 1 of 3 figures." in result.output
    assert ("too slow: two, time per call: " in result.output) == (status == 4)


def test_two_contenders_of_one_run(record: Recorder) -> None:
    path = summarised(record())
    result = run_compare(f"{path}:one", f"{path}:two")
    assert result.exit_code == 0
    assert "one → two" in result.output
    assert "B is faster in 1 and slower in 0 of 1 figure." in result.output
    assert run_compare(f"{path}:two", f"{path}:one", "--fail-if-slower", "5%").exit_code == 4


def test_a_run_on_a_busy_machine_compares_nothing(record: Recorder) -> None:
    path = summarised(record(busy_before_start=0.9))
    assert run_compare(path, path).exit_code == 3


def test_an_unknown_contender_is_one_sentence_with_the_choices(record: Recorder) -> None:
    path = summarised(record())
    result = run_compare(f"{path}:four", path)
    assert result.exit_code == 2
    assert "no contender 'four'; choose from one, two, three" in result.output


def test_what_cannot_be_read_ends_with_status_2(record: Recorder, tmp_path: Path) -> None:
    path = summarised(record())
    assert run_compare(path, tmp_path / "nowhere").exit_code == 2
    assert run_compare(path, path, "--fail-if-slower", "much").exit_code == 2


def test_another_schema_is_refused_with_its_version(record: Recorder) -> None:
    path = summarised(record())
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**manifest, "schema": 7}))
    result = run_compare(path, path)
    assert result.exit_code == 2
    assert "has schema 7" in result.output


def test_runs_of_different_commands_are_refused(record: Recorder) -> None:
    a, b = summarised(record(folder="a")), summarised(record(folder="b"))
    manifest = json.loads((b / "manifest.json").read_text())
    (b / "manifest.json").write_text(json.dumps({**manifest, "command": "bench"}))
    result = run_compare(a, b)
    assert result.exit_code == 2
    assert "choose two runs of the same command" in result.output


def test_other_circumstances_are_named(record: Recorder) -> None:
    a, b = summarised(record(folder="a")), summarised(record(folder="b"))
    manifest = json.loads((b / "manifest.json").read_text())
    manifest["environment"] = {**manifest["environment"], "python": "3.12.0", "packages": {"a": "2"}}
    (b / "manifest.json").write_text(json.dumps(manifest))
    output = run_compare(a, b).output
    assert "they differ in Python: 3.11.0, then 3.12.0" in output
    assert "they differ in packages: a" in output


def test_a_damaged_record_ends_with_status_2(record: Recorder) -> None:
    path = summarised(record())
    (path / "repeats.csv").write_text("repeat,n\n1,2\n")
    result = run_compare(path, path)
    assert result.exit_code == 2
    assert "cannot be read" in result.output

"""`export`: a run's data for other tools, and one sentence where that cannot be."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from benchmark.analysis.findings import finding
from benchmark.analysis.reasons import because
from benchmark.cli import app
from benchmark.record import load
from benchmark.record.frames import FRAMES
from benchmark.record.run import Run
from tests.unit.benchmark.synthetic import Held, make_contender, make_run, record

_LABELS = r'(?:\w+="(?:[^"\\\n]|\\["\\n])*",?)*'
_SAMPLE = re.compile(rf"(\w+)\{{{_LABELS}\}} \S+")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = make_run(tmp_path / "results", [make_contender("a")], finished_utc="1970-01-02T00:00:00Z")
    record(run, 0, "a", Held(1, 50.0), Held(4, 60.0, errors=1))
    findings = [
        finding("Who?", 'a "quoted" \\name', "peak_rps", "rps", 66.5, [], (60.0, 70.0)),
        finding("Who?", "b", "peak_rps", "rps", 1e-07, [because("errors", errors=1, example="status 500")]),
    ]
    run.write_json("summary.json", {"valid": False, "findings": [each.model_dump(mode="json") for each in findings]})
    return run


def run_export(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


def lines_of(run: Run) -> list[str]:
    assert run_export(run.path, "--to", "prometheus").exit_code == 0
    return (run.path / "export" / "figures.prom").read_text().splitlines()


def test_csv_holds_what_load_has(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    answer = run_export(run.path, "--to", "csv", "--out", out)
    assert answer.exit_code == 0, answer.output
    assert answer.output.split() == [str(out / f"{name}.csv") for name in FRAMES]
    assert {path.name for path in out.iterdir()} == {f"{name}.csv" for name in FRAMES}
    data = load(run.path)
    for name in FRAMES:
        frame: pd.DataFrame = getattr(data, name)
        written = pd.read_csv(out / f"{name}.csv", keep_default_na=False)
        assert list(written.columns) == list(frame.columns)
        assert len(written) == len(frame)
    samples = pd.read_csv(out / "samples.csv")
    assert samples.latency_ms.tolist() == data.samples.latency_ms.tolist()
    assert samples.measured.tolist() == data.samples.measured.tolist()


def test_a_run_that_was_exported_can_be_reported_again_and_exported_again(run: Run) -> None:
    for _ in range(2):
        assert run_export(run.path, "--to", "csv").exit_code == 0
    assert len(list((run.path / "export").iterdir())) == len(FRAMES)


def test_parquet_without_pyarrow_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    answer = run_export(run.path, "--to", "parquet")
    assert answer.exit_code == 1
    (line,) = answer.output.splitlines()
    assert line == (
        "error: parquet needs pyarrow, which is not installed: .venv/bin/python -m pip install pyarrow, or --to csv"
    )
    assert not (run.path / "export").exists()


def test_parquet_is_written_frame_by_frame_where_pyarrow_is_installed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def to_parquet(frame: pd.DataFrame, path: Path, **options: Any) -> None:
        path.write_text(",".join(frame.columns))

    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    monkeypatch.setattr(pd.DataFrame, "to_parquet", to_parquet)
    assert run_export(run.path, "--to", "parquet").exit_code == 0
    for name in FRAMES:
        columns = (run.path / "export" / f"{name}.parquet").read_text().split(",")
        assert columns == list(getattr(load(run.path), name).columns)


def test_the_figures_are_metrics_with_escaped_labels(run: Run) -> None:
    lines = lines_of(run)
    of_run = f'command="bench",run="{run.path.name}"'
    first = f'{of_run},contender="a \\"quoted\\" \\\\name",figure="peak_rps"'
    assert f'benchmark_figure{{{first},unit="rps"}} 66.5' in lines
    assert f'benchmark_figure_ci95{{{first},bound="low"}} 60.0' in lines
    assert f'benchmark_figure_ci95{{{first},bound="high"}} 70.0' in lines
    second = f'{of_run},contender="b",figure="peak_rps"'
    assert [line for line in lines if second in line] == [
        f'benchmark_figure{{{second},unit="rps"}} 1e-07',
        f"benchmark_figure_valid{{{second}}} 0",
    ]
    assert f"benchmark_run_valid{{{of_run}}} 0" in lines
    assert f"benchmark_run_finished_timestamp_seconds{{{of_run}}} 86400" in lines


def test_each_metric_is_explained_once_before_its_samples_and_no_sample_comes_twice(run: Run) -> None:
    begun: list[str] = []
    samples = []
    for line in lines_of(run):
        if line.startswith("# HELP"):
            begun.append(line.split()[2])
        elif line.startswith("# TYPE"):
            assert line == f"# TYPE {begun[-1]} gauge"
        else:
            found = _SAMPLE.fullmatch(line)
            assert found, line
            assert found[1] == begun[-1]
            samples.append(line.rpartition(" ")[0])
    assert len(begun) == len(set(begun))
    assert len(samples) == len(set(samples))


def test_an_unknown_format_is_refused_with_those_that_there_are(run: Run) -> None:
    answer = run_export(run.path, "--to", "excel")
    assert answer.exit_code == 2
    assert all(name in answer.output for name in ("excel", "parquet", "csv", "prometheus"))


def test_what_cannot_be_exported_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for arguments, named in (
        ((tmp_path / "missing", "--to", "csv"), "missing is not a run directory"),
        ((run.path, "--to", "csv", "--out", tmp_path / "file"), "cannot write"),
    ):
        answer = run_export(*arguments)
        assert answer.exit_code == 1
        assert len(answer.output.splitlines()) == 1
        assert named in answer.output
    (run.path / "samples" / "0-a.csv").write_text("garbage\n1,2\n")
    answer = run_export(run.path, "--to", "csv")
    assert answer.exit_code == 1
    assert "0-a.csv cannot be read" in answer.output

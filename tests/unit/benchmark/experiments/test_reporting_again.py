"""Everything that a run shows can be computed again from its record, for every experiment that there is."""

from pathlib import Path

import pytest

from benchmark.analysis.findings import Finding
from benchmark.experiments.experiment import report
from benchmark.experiments.registry import REGISTRY, ExperimentRow, experiment_of
from benchmark.record.run import SUMMARY, Run
from tests.unit.benchmark.experiments.recorders import KINDS, RECORDERS, Kind
from tests.unit.said import said


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("row", REGISTRY, ids=lambda row: row.name)
def test_a_report_that_is_made_again_is_the_same_byte_for_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: ExperimentRow, kind: Kind
) -> None:
    recorder = RECORDERS[row.name]
    run = recorder.record(tmp_path, monkeypatch, kind)
    summary, names = run.summary, [*row.experiment.summarise(run), "report.html"]
    assert SUMMARY in names
    assert summary["complete"] is (kind != "interrupted"), said(summary["reasons"])
    assert any("no answer came" in reason for reason in said(summary["reasons"])) is (kind == "failed")
    findings = [Finding.model_validate(each) for each in summary["findings"]]
    assert all(each.question and each.contender and each.text.endswith(".") for each in findings)
    assert findings or kind == "interrupted"
    once = {name: (run.path / name).read_bytes() for name in names}
    for name in names:
        (run.path / name).unlink()
    report(experiment_of(run.manifest["command"]), Run.open(run.path))
    for name in names:
        assert (run.path / name).read_bytes() == once[name], name


def test_of_a_record_of_an_older_schema_only_the_page_is_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RECORDERS["bench"].record(tmp_path, monkeypatch, "whole")
    run.write_json("manifest.json", {**run.manifest, "schema": 1})
    run.write_json(SUMMARY, {**run.summary, "started_utc": "2020-01-01T00:00:00Z"})
    once = (run.path / SUMMARY).read_bytes()
    (run.path / "report.html").write_text("the old page")
    report(experiment_of("bench"), Run.open(run.path))
    assert (run.path / SUMMARY).read_bytes() == once
    assert "2020-01-01" in (run.path / "report.html").read_text()


def test_a_record_of_an_older_schema_without_a_summary_gets_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RECORDERS["bench"].record(tmp_path, monkeypatch, "whole")
    run.write_json("manifest.json", {**run.manifest, "schema": 1})
    once = run.summary
    (run.path / SUMMARY).unlink()
    report(experiment_of("bench"), Run.open(run.path))
    assert run.summary == once

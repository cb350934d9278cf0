"""What every run leaves for its readers: a page that is not heavy, its headline figure, and a share card."""

from pathlib import Path

import pytest

from benchmark.experiments.experiment import report
from benchmark.experiments.index import write_joined_report
from benchmark.experiments.registry import REGISTRY, ExperimentRow, experiment_of
from benchmark.record.run import Run
from tests.unit.benchmark.experiments.recorders import RECORDERS

DRAWN = ("report.html", "headline.svg", "headline-narrow.svg", "share.svg", "share.png")
MOST_BYTES = {"report.html": 1_500_000, "share.svg": 200_000, "share.png": 200_000}


@pytest.mark.usefixtures("cards")
@pytest.mark.parametrize("row", REGISTRY, ids=lambda row: row.name)
def test_a_run_leaves_a_light_page_its_headline_and_a_card_and_its_report_writes_them_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: ExperimentRow
) -> None:
    run = RECORDERS[row.name].record(tmp_path, monkeypatch, "whole")
    once = {name: (run.path / name).read_bytes() for name in DRAWN}
    for name, most in MOST_BYTES.items():
        assert len(once[name]) <= most, name
    for name in DRAWN:
        (run.path / name).unlink()
    report(experiment_of(row.name), Run.open(run.path))
    assert {name: (run.path / name).read_bytes() for name in DRAWN} == once
    page = once["report.html"].decode()
    assert '<meta property="og:image" content="share.png">' in page
    assert 'href="share.svg"' in page


@pytest.mark.usefixtures("cards")
@pytest.mark.parametrize("row", REGISTRY, ids=lambda row: row.name)
def test_the_index_shows_the_headline_of_every_experiment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: ExperimentRow
) -> None:
    RECORDERS[row.name].record(tmp_path, monkeypatch, "whole")
    page = write_joined_report(tmp_path).read_text(encoding="utf-8")
    assert page.count("<figure>") == 1
    assert row.experiment.question in page
    assert "share.png" not in page

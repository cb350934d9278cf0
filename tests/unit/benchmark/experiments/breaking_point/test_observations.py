"""Findings: what is written is read again, and stays JSON."""

import json
from pathlib import Path

import pytest

from benchmark.experiments.breaking_point.observations import (
    FINDINGS,
    LocustRun,
    append_observation,
    of_kind,
    read_locust_runs,
    read_observations,
)
from benchmark.record.run import Run
from tests.unit.benchmark.experiments.breaking_point.synthetic import findings_of, locust_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path, "locust", {})


def test_what_is_written_is_read_again(run: Run) -> None:
    findings = findings_of("one")
    for finding in findings:
        append_observation(run, finding)
    assert read_observations(run) == findings


def test_a_run_without_findings_has_none(run: Run) -> None:
    assert read_observations(run) == []


def test_a_finding_that_was_cut_off_is_none(run: Run) -> None:
    append_observation(run, locust_run())
    with (run.path / FINDINGS).open("a") as file:
        file.write('{"contender": "one", "exam')
    assert read_observations(run) == [locust_run()]


def test_a_missing_percentile_is_null(run: Run) -> None:
    append_observation(run, locust_run(n=0, mean_ms=None, p50_ms=None, p95_ms=None, p99_ms=None))
    (line,) = (run.path / FINDINGS).read_text().splitlines()
    assert json.loads(line)["p95_ms"] is None
    (found,) = of_kind(read_observations(run), LocustRun)
    assert found.p95_ms is None


def test_what_is_no_number_is_refused(run: Run) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        append_observation(run, locust_run(p95_ms=float("nan")))


def test_what_others_had_of_the_machine_is_kept_and_older_findings_do_not_tell() -> None:
    told = locust_run(foreign_share=0.02, steal_share=0.0)
    assert read_locust_runs([told.to_json()]) == (told,)
    older = locust_run().to_json()
    assert not older.keys() & {"foreign_share", "steal_share"}
    (found,) = read_locust_runs([older])
    assert (found.foreign_share, found.steal_share) == (None, None)

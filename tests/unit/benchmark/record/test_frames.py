"""`load`: the data of a run as pandas frames, and one sentence where a run was damaged."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.analysis.findings import finding
from benchmark.analysis.level_figures import level_figures
from benchmark.contenders.answer_law import law_of
from benchmark.errors import RecordError
from benchmark.record import load, packed
from benchmark.record.columns import SAMPLE_COLUMNS, ResourceSample
from benchmark.record.frames import DERIVED_COLUMNS, FRAMES, OF_A_TRIAL, SUMMARY_COLUMNS, WINDOW_COLUMNS
from benchmark.record.run import Run, TrialRecord, samples_suffix
from tests.unit.benchmark.synthetic import Held, make_contender, make_run, record, samples_of

A, B = make_contender("a"), make_contender("b")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Two contenders in two blocks, at one user and at four; a trial of the second has failed."""
    run = make_run(tmp_path, [A, B], blocks=2)
    for block in range(2):
        record(run, block, "a", Held(1, 50.0 + block), Held(4, 60.0, errors=1))
    record(run, 0, "b", Held(1, 90.0), Held(4, 95.0))
    run.append_cell(TrialRecord(1, "b", seed=1, status="failed", reason="it did not start", code="stack"))
    findings = [
        finding("Who?", "a", "low_load_mean_ms", "ms", 50.5, [], (50.0, 51.0)),
        finding("Who?", "b", "low_load_mean_ms", "ms", 90.0, [], versus="a", ratio=1.8, ratio_ci95=(1.7, 1.9)),
    ]
    run.write_json("summary.json", {"findings": [each.model_dump(mode="json") for each in findings]})
    return run


def test_each_sample_stands_with_its_trial_and_says_whether_it_was_measured(run: Run) -> None:
    samples = load(run.path).samples
    assert list(samples.columns) == [*OF_A_TRIAL, "generator", *SAMPLE_COLUMNS, *DERIVED_COLUMNS]
    measured = samples[samples.measured & samples.ok]
    assert measured.groupby(["contender", "block", "users"]).latency_ms.mean().to_dict() == {
        ("a", 0, 1): 50.0,
        ("a", 0, 4): 60.0,
        ("a", 1, 1): 51.0,
        ("a", 1, 4): 60.0,
        ("b", 0, 1): 90.0,
        ("b", 0, 4): 95.0,
    }
    assert len(samples[~samples.measured]) > 0
    assert samples[~samples.ok].error.tolist() == ["status 500"] * 2


def test_the_other_frames_hold_the_rest_of_the_record(run: Run) -> None:
    data = load(str(run.path))
    assert list(data.resources.columns) == [*OF_A_TRIAL, *ResourceSample._fields]
    assert set(data.resources.role) >= {"scoring", "model", "redis", "load"}
    assert list(data.windows.columns) == list(WINDOW_COLUMNS)
    assert data.windows.seconds.tolist() == [2.0] * 6
    assert data.trials.status.tolist() == ["measured"] * 3 + ["failed"]
    assert data.trials.reason.iloc[-1] == "it did not start"
    assert data.manifest["command"] == "bench"
    assert repr(data) == f"<run of 'bench' in {run.path}>"


def test_the_summary_has_a_figure_in_each_row(run: Run) -> None:
    summary = load(run.path).summary
    assert list(summary.columns) == list(SUMMARY_COLUMNS)
    assert summary.value.tolist() == [50.5, 90.0]
    assert summary[["ci95_low", "ci95_high"]].iloc[0].tolist() == [50.0, 51.0]
    assert summary[["versus", "ratio", "ratio_ci95_low", "ratio_ci95_high"]].iloc[1].tolist() == ["a", 1.8, 1.7, 1.9]
    assert load(run.path).document["findings"][1]["contender"] == "b"


def test_samples_of_several_generators_are_told_apart(tmp_path: Path) -> None:
    run = make_run(tmp_path, [A])
    trial = record(run, 0, "a", Held(1, 50.0))
    samples_of([1, 2, 3], 5).to_csv(run.file("samples", trial, samples_suffix(1)), index=False)
    counted = load(run.path).samples.generator.value_counts()
    assert counted[1] == 3
    assert counted[0] > 3


def test_a_run_without_a_single_sample_has_empty_frames_with_all_columns(tmp_path: Path) -> None:
    run = make_run(tmp_path, [A])
    run.write_json("summary.json", {})
    data = load(run.path)
    assert {name: len(getattr(data, name)) for name in FRAMES} == dict.fromkeys(FRAMES, 0)
    assert "latency_ms" in data.samples


DAMAGES: dict[str, tuple[str, str, Callable[[Path], object]]] = {
    "garbage among the samples": ("samples", "samples/0-a.csv", lambda path: path.write_text("gar,bage\n1,2,3\n4\n")),
    "samples that are gone": ("samples", "samples/0-a.csv", lambda path: path.unlink()),
    "resources that are no text": ("resources", "resources/0-a.csv", lambda path: path.write_bytes(b"\xff\xfe\n\n")),
    "a line of another kind": ("windows", "cells.jsonl", lambda path: path.write_text('{"block": "x"}\n')),
    "a summary that was cut off": ("summary", "summary.json", lambda path: path.write_text("{")),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_one_sentence_that_names_it(run: Run, damage: str) -> None:
    frame, file, spoil = DAMAGES[damage]
    spoil(run.path / file)
    with pytest.raises(RecordError) as error:
        getattr(load(run.path), frame)
    assert Path(file).name in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_that_is_no_run_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"not a run directory: manifest\.json"):
        load(tmp_path)


def test_a_packed_run_gives_the_same_figures(run: Run, tmp_path: Path) -> None:
    target, kept = tmp_path / "packed", run.cells()[:3]
    packed.pack(run, kept, target, used=["a"])
    for name in ("manifest.json", "summary.json"):
        (target / name).write_bytes((run.path / name).read_bytes())
    data = load(target)
    assert set(data.resources.contender) == {"a"}
    assert data.windows.equals(load(run.path).windows)
    columns = ["ok", "start_ns", "end_ns", "latency_ms", "users", "measured"]
    for trial in kept:
        samples = data.samples[(data.samples.contender == trial.contender) & (data.samples.block == trial.block)]
        resources = data.resources[data.resources.block == trial.block].astype({"role": object})
        whole = run.cell_samples(trial)
        assert samples[samples.measured][columns].to_numpy().tolist() == (
            whole[whole.measured][columns].to_numpy().tolist()
        )
        found, expected = (
            level_figures(trial, each.assign(detail_s=0.0, error=""), used, law_of(A))
            for each, used in ((samples, resources), (whole, run.cell_resources(trial)))
        )
        for one, other in zip(found, expected, strict=True):
            assert (one.rps, one.mean_ms) == pytest.approx((other.rps, other.mean_ms), rel=1e-12)
            if trial.contender == "a":
                assert one.cpu_share == pytest.approx(other.cpu_share, rel=1e-12)


def test_a_damaged_packed_run_is_one_sentence_that_names_the_file(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "packed"
    packed.pack(run, run.cells()[:1], target, used=["a"])
    (target / "manifest.json").write_bytes((run.path / "manifest.json").read_bytes())
    for name in ("samples", "resources"):
        (target / f"{name}.csv.xz").write_bytes(b"no archive")
        with pytest.raises(RecordError, match=rf"{name}\.csv\.xz cannot be read"):
            getattr(load(target), name)

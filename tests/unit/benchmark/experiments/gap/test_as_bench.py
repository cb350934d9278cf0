"""One run, one rule: what is said of a pair of contenders is the same in the verdict and where the gap is explained."""

import json
import random
import runpy
import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmark.analysis.schema import parse_summary
from benchmark.analysis.wording import significant
from benchmark.contenders.discovery import ROOT
from benchmark.errors import StackError
from benchmark.experiments.bench.answers import answers as bench_answers
from benchmark.experiments.gap.answers import answers, customary_answers
from benchmark.experiments.gap.contenders import COMPARED, summarise_contenders
from benchmark.experiments.gap.experiment import CONTENDERS
from benchmark.experiments.gap.plan import Phase
from benchmark.experiments.gap.schema import parse
from benchmark.load.plan import LoadPlan
from benchmark.measure.trial import Trial
from benchmark.record import load
from benchmark.record.run import Run
from tests.unit.benchmark.experiments.gap.conftest import CELLS_ONLY, Explain, latency_ms, levels
from tests.unit.benchmark.fakes import failing
from tests.unit.benchmark.form import assert_summary_form
from tests.unit.benchmark.synthetic import CPU, Held, write_files

PEAKED = Phase(3, levels(1, 8, 16))


def measure_scattered(trial: Trial, load: LoadPlan) -> None:
    """Record latencies that scatter from block to block; beyond eight users the rate falls a little."""
    draw = random.Random(f"{trial.cell.contender}-{trial.cell.block}")
    each_ms = latency_ms(trial.contender, trial.cell.block) * draw.uniform(1.0, 1.1)
    cpu = {**CPU, "scoring": 0.3 * draw.uniform(0.8, 1.2)}
    held = [
        Held(level.users, each_ms * max(1.05 * level.users / 8 - 0.05, 1), cpu=cpu)
        for level in (*load.levels, *load.climb)
    ]
    write_files(trial.session.run, trial.cell, *held)


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        return Explain(tmp_path_factory.mktemp("explained"), patch).run(measure_scattered, cell=PEAKED)


def test_the_contenders_are_summarised_as_bench_would(explained: Run) -> None:
    found = explained.read_json(CONTENDERS)
    assert_summary_form(found, missing=True)
    assert (found["command"], found["baseline"], found["blocks"], found["levels"]) == ("explain", "sync", 3, [1, 8, 16])
    assert list(found["contenders"]) == ["sync", "sync-concurrent", "async", "async-aiohttp"]
    assert found["contenders"]["sync"]["title"] == "Flask, one model after the other"
    assert (found["complete"], found["valid"]) == (True, True), found["reasons"]
    cells = {cell["contender"]: cell for cell in explained.summary["cells"] if cell["contender"]}
    for name, entry in found["contenders"].items():
        assert entry["peak"]["users"] == cells[name]["peak_rps"]["users"] == 8
        assert entry["peak"]["rps"] == pytest.approx(cells[name]["peak_rps"]["value"], rel=1e-5)
        assert entry["low_load"]["mean_ms"] == pytest.approx(cells[name]["latency_ms"]["value"], rel=1e-5)
        assert entry["peak"]["bracketed"] is cells[name]["peak_rps"]["bracketed"] is True


def assert_one_rule(run: Run, goals: tuple[str, ...] = ("async-aiohttp", "async")) -> None:
    """Assert that the gap to each goal is decided by the comparison, and that its sentence quotes the same ratio."""
    contenders, data = run.read_json(CONTENDERS), parse(run.summary, run.manifest)
    attributions = {"async-aiohttp": data.attribution, "async": data.attribution_customary}
    told = {"async-aiohttp": answers(data), "async": customary_answers(data)}
    compared = {(each["figure"], each["contender"]): each for each in contenders["comparisons"]}
    for goal in goals:
        gap, each = attributions[goal]["peak_rps"], compared["peak_rps", goal]
        assert gap.gap == pytest.approx(each["ratio"], rel=1e-12)
        assert gap.ci == pytest.approx(each["ci"], rel=1e-12)
        for response, figure in COMPARED.items():
            assert attributions[goal][response].confidence == compared[figure, goal]["confidence"]
        (rate,) = [answer.text for answer in told[goal] if answer.topic == "Peak rate"]
        assert (f"{goal} carries {significant(each['ratio'])} times" in rate) is each["difference_shown"]
        assert ("No difference" in rate) is not each["difference_shown"]


def test_a_pair_has_the_same_ratio_and_interval_in_both_places(explained: Run) -> None:
    assert_one_rule(explained)


def test_a_block_that_is_not_attributed_is_not_compared_either(explaining: Explain) -> None:
    """Of a cell that both gaps rest on, one block is missing; the contenders themselves have all of them."""
    run = explaining.run(
        failing("cell-runtime", StackError("it died"), 1, measure_scattered), cell=PEAKED, **CELLS_ONLY
    )
    assert run.summary["attribution"]["peak_rps"]["blocks"] == 2
    assert run.read_json(CONTENDERS)["valid"]
    contenders, data = run.read_json(CONTENDERS), parse(run.summary, run.manifest)
    found = {each["contender"]: each for each in contenders["comparisons"] if each["figure"] == "peak_rps"}
    for goal, attribution in (("async-aiohttp", data.attribution), ("async", data.attribution_customary)):
        assert attribution["peak_rps"].gap == pytest.approx(found[goal]["ratio"], rel=1e-12)
        assert attribution["peak_rps"].ci == pytest.approx(found[goal]["ci"], rel=1e-12)


def test_a_gap_whose_peak_the_levels_do_not_show_is_not_stated(explaining: Explain) -> None:
    run = explaining.run(measure_scattered, cell=Phase(2, levels(1, 8)), **CELLS_ONLY)
    data = parse(run.summary, run.manifest)
    rate = answers(data)[1].text
    assert rate.startswith("The levels measured show no peak of sync")
    assert "peak rates are not compared" in rate
    throughput = [s.text for s in bench_answers(parse_summary(run.read_json(CONTENDERS))) if s.topic == "Throughput"]
    assert "show no peak" in throughput[0]


def test_one_record_of_explain_makes_all_pages(explained: Run, tmp_path: Path) -> None:
    generate: dict[str, Any] = runpy.run_path(str(ROOT / "doc" / "generate.py"))
    recorded = tmp_path / "doc" / "recorded"
    names = generate["take_over"].__globals__
    names.update(ROOT=tmp_path, RECORDED=recorded, EXPLAINED=recorded / "explain")
    recorded.mkdir(parents=True)
    (recorded / "manifest.json").write_text("{}")  # of an earlier record of `bench`
    generate["take_over"](explained.path)
    assert not (recorded / "manifest.json").exists()
    assert not load(recorded / "explain").samples.empty  # for doc/explore.ipynb
    for handler in generate["HANDLERS"]:  # which the README shows
        (tmp_path / handler).parent.mkdir(parents=True)
        shutil.copy(ROOT / handler, tmp_path / handler)
    summary = json.loads((recorded / "summary.json").read_text())
    page = generate["readme"]((ROOT / "README.md").read_text(), summary)
    assert page.count("Recorded with `make explain`") == 2
    assert "make bench` on" not in page
    explained_gap = page.partition("<!-- generated: gap -->")[2].partition("<!-- end -->")[0]
    for each in summary["comparisons"]:
        if each["figure"] == "peak_rps" and each["contender"] != "sync-concurrent":
            words = f"{each['contender']} carries {significant(each['ratio'])} times"
            assert (words in explained_gap) is each["difference_shown"]


def test_cells_of_which_none_is_a_contender_are_compared_with_nobody(explained: Run) -> None:
    found = summarise_contenders(explained, {}, {})
    assert (found["contenders"], found["comparisons"], found["baseline"]) == ({}, [], None)


def test_a_run_of_another_command_is_not_recorded(tmp_path: Path) -> None:
    generate: dict[str, Any] = runpy.run_path(str(ROOT / "doc" / "generate.py"))
    (tmp_path / "manifest.json").write_text('{"schema": 1, "command": "bench"}')
    with pytest.raises(SystemExit, match="expected one of `make record`"):
        generate["take_over"](tmp_path)

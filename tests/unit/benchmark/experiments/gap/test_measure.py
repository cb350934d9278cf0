"""`explain` without processes: phases, their order, what is attributed, and what an interruption leaves."""

import math
from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import pytest

from benchmark.analysis.variant_figures import Measured
from benchmark.contenders.answer_law import law_of
from benchmark.errors import StackError
from benchmark.experiments.gap.plan import Phase
from benchmark.experiments.prediction.summarise import over_users, peaks
from benchmark.load.plan import LoadPlan
from benchmark.measure.trial import ParityError, Trial
from tests.unit.benchmark.experiments.gap.conftest import CELLS_ONLY, SMALL, Explain, levels, measure_well, stopping
from tests.unit.benchmark.fakes import refusing
from tests.unit.benchmark.synthetic import Held, write_files
from tests.unit.said import said


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> Explain:
    """One run of the whole plan, for tests that only look at it."""
    with pytest.MonkeyPatch.context() as patch:
        found = Explain(tmp_path_factory.mktemp("explained"), patch)
        found.run()
    return found


def test_blocks_are_interleaved_and_the_map_comes_last(explained: Explain) -> None:
    kinds = [label.partition("-")[0] for label, _ in explained.measured]
    assert Counter(kinds) == {"light": 4, "cell": 16 * 3, "clock": 2 * 3, "whatif": 3, "map": 4 * 2}
    assert set(kinds[-8:]) == {"map"}
    blocks = [block for label, block in explained.measured if label.startswith(("cell", "clock"))]
    assert blocks == [0] * 18 + [1] * 18 + [2] * 18
    orders = [[label for label, b in explained.measured if b == block and label.startswith("cell")] for block in (0, 1)]
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]


def test_light_load_comes_right_before_its_contender_and_what_ifs_right_after_it(explained: Explain) -> None:
    labels = [label for label, block in explained.measured if block == 0]
    own = {cell["contender"]: cell["label"] for cell in explained.summary["cells"] if cell["contender"]}
    what_ifs = {"sync": "whatif-0-sync", "async-aiohttp": "whatif-1-async-aiohttp"}
    for name, cell in own.items():
        at = labels.index(cell)
        assert labels[at - 1] == f"light-{name}"
        assert labels[at + 1] == what_ifs.get(name, labels[at + 1])
    assert {"sync", "async-aiohttp"} <= set(own)


def test_the_gap_is_attributed_to_the_factors_that_make_it(explained: Explain) -> None:
    summary = explained.summary
    assert (summary["command"], summary["complete"], summary["valid"]) == ("explain", True, True), said(
        summary["reasons"]
    )
    found = summary["attribution"]["latency_ms"]
    assert (found["from"], found["to"], found["blocks"]) == ("sync", "async-aiohttp", 3)
    expected = {"runtime": -1, "fan_out": -45, "http_client": -2, "model_runtime": 0}
    assert {name: share["value"] for name, share in found["shares"].items()} == pytest.approx(expected, abs=1e-3)
    # The interval holds the share, and a whole block being slower does not widen it.
    assert all(high - low < 1e-3 for low, high in (share["ci95"] for share in found["shares"].values()))
    assert found["gap"] == pytest.approx(-48, abs=1e-3)
    assert found["from_value"] == pytest.approx(101.5, abs=1e-3)


def test_the_models_sleep_is_attributed_apart_from_the_rest(explained: Explain) -> None:
    parts = explained.summary["latency_parts"]
    known = {"runtime": 0, "fan_out": -43 - 1 / 3, "http_client": 0, "model_runtime": 0}
    assert parts["expected"] == pytest.approx(known, abs=1e-6)
    assert values(parts["slept_ms"]) == pytest.approx(known, abs=1e-4)
    rest = {"runtime": -1, "fan_out": -45 + 43 + 1 / 3, "http_client": -2, "model_runtime": 0}
    assert values(parts["beyond_sleep_ms"]) == pytest.approx(rest, abs=1e-3)


def test_what_models_compute_is_no_sleep_that_must_be_found(explaining: Explain) -> None:
    parts = explaining.run(settings={"model_cpu_ms": "5"}, **SMALL).summary["latency_parts"]
    assert parts["expected"]["fan_out"] == pytest.approx(-43 - 1 / 3, abs=1e-6)


def values(attribution: dict[str, Any]) -> dict[str, float]:
    return {name: share["value"] for name, share in attribution["shares"].items()}


def test_rates_and_cpu_are_attributed_as_well(explained: Explain) -> None:
    summary = explained.summary
    rates = summary["attribution"]["peak_rps"]
    assert math.prod(share["value"] for share in rates["shares"].values()) == pytest.approx(rates["gap"], rel=1e-12)
    assert rates["gap"] > 1.5
    by_contender = {cell["contender"]: cell for cell in summary["cells"] if cell["contender"]}
    assert rates["to_value"] == pytest.approx(by_contender["async-aiohttp"]["peak_rps"]["value"], rel=1e-12)
    assert by_contender["async-aiohttp"]["peak_rps"]["users"] == 8
    cpu = summary["attribution"]["cpu_ms"]
    assert cpu["gap"] == pytest.approx(sum(share["value"] for share in cpu["shares"].values()), abs=1e-9)
    assert by_contender["sync"]["cpu_ms"]["users"] == 8


def test_the_gap_to_the_customary_client_leaves_the_client_out(explained: Explain) -> None:
    found = explained.summary["attribution_customary"]["latency_ms"]
    assert (found["from"], found["to"]) == ("sync", "async")
    assert set(found["shares"]) == {"runtime", "fan_out", "model_runtime"}
    assert found["gap"] == pytest.approx(-46, abs=1e-3)


def test_half_of_the_cells_find_the_same_and_say_what_they_confound(explaining: Explain) -> None:
    summary = explaining.run(half=True, **CELLS_ONLY).summary
    assert len(summary["cells"]) == 8
    shares = {name: share["value"] for name, share in summary["attribution"]["latency_ms"]["shares"].items()}
    assert shares == pytest.approx({"runtime": -1, "fan_out": -45, "http_client": -2, "model_runtime": 0}, abs=1e-3)
    assert summary["confounded"]["fan_out"] == "runtime x http_client x model_runtime"
    assert summary["attribution_customary"] == {}
    assert any("Half of the cells" in note for note in summary["notes"])
    # Contenders that are no cell of the half are measured beside it.
    assert {label for label, _ in explaining.measured if label.startswith("main-")} == {
        "main-async",
        "main-sync-concurrent",
    }


def test_from_a_contender_to_itself_nothing_is_explained(explaining: Explain) -> None:
    summary = explaining.run(from_="async", to="async", **SMALL).summary
    found = summary["attribution"]["latency_ms"]
    assert found["gap"] == pytest.approx(0, abs=1e-3)
    assert len(summary["cells"]) == 4
    assert summary["attribution_customary"] == {}


def test_the_cost_of_the_stage_clock_is_paired_by_block(explained: Explain) -> None:
    found = explained.summary["clock_cost"]
    assert set(found) == {"sync", "async-aiohttp"}
    assert found["sync"]["latency_ms"]["value"] == pytest.approx(0.5, abs=1e-3)
    assert explained.fake.loads["clock-sync"].stage_clock is False
    assert explained.fake.loads["cell-none"].stage_clock is True


def test_what_ifs_are_measured_with_their_settings_and_checked_by_their_own_law(explaining: Explain) -> None:
    summary = explaining.run(settings={"model_cpu_ms": "1"}, **SMALL).summary
    label = "whatif-1-async-aiohttp"
    model = next(p for p in explaining.contenders[label].process if p.role == "model")
    assert model.env["SERVING_MODEL_MIN_MS"] == "8"
    assert law_of(explaining.contenders[label]).bounds_s == pytest.approx((0.008, 0.012))
    assert law_of(explaining.contenders["cell-none"]).bounds_s == pytest.approx((0.040, 0.050))
    assert model.env["SERVING_MODEL_CPU_MS"] == "1"
    rows = {(row["contender"], row["title"], row["users"]): row for row in summary["what_if"]}
    threads = rows["sync", "16 threads instead of 64", 8]
    assert threads["rps_measured"] == pytest.approx(8 / 0.1005, rel=1e-3)
    assert threads["rps_before"] == pytest.approx(threads["rps_measured"], rel=0.02)
    assert threads["rps_change"]["value"] == pytest.approx(threads["rps_measured"] / threads["rps_before"], rel=0.02)
    assert threads["rps_predicted"] is None
    assert rows["sync", "models of 200 ms", 8]["rps_change"] is None
    assert rows["sync", "models of 200 ms", 8]["rps_measured"] is None


def test_the_map_is_measured_with_the_models_cpu_time(explained: Explain) -> None:
    summary = explained.summary
    assert [(p["cpu_ms"], p["users"], p["measured"]) for p in summary["crossover"]] == [
        (2, 1, True),
        (2, 8, True),
        (20, 1, True),
        (20, 8, True),
    ]
    assert summary["crossover"][0]["ratio"] == pytest.approx(100 / 52, rel=0.02)
    model = next(p for p in explained.contenders["map-to-20ms-async-aiohttp"].process if p.role == "model")
    assert model.env["SERVING_MODEL_CPU_MS"] == "20"


def test_ctrl_c_reports_what_was_measured(explaining: Explain) -> None:
    run = explaining.run(stopping("cell-runtime", KeyboardInterrupt(), block=2), **SMALL)
    summary = run.summary
    assert (summary["complete"], summary["valid"]) == (False, False)
    assert any("interrupted: " in reason for reason in said(summary["reasons"]))
    assert summary["attribution"]["latency_ms"]["blocks"] == 2
    assert any("blocks are not attributed" in note for note in summary["notes"])
    assert not any(label.startswith("map") for label, _ in explaining.measured)
    assert summary["crossover"] == []
    assert not (explaining.results / "latest").exists()


def test_ctrl_c_at_once_reports_that_there_is_nothing(explaining: Explain, explained: Explain) -> None:
    first = explained.last.manifest["order"]["cell"][0][0]  # the same seed measures the same first
    summary = explaining.run(stopping(first, KeyboardInterrupt())).summary
    assert (summary["complete"], summary["attribution"], summary["prediction"]) == (False, {}, {})


def test_a_cell_that_fails_is_named_and_its_block_is_left_out(explaining: Explain) -> None:
    summary = explaining.run(stopping("cell-runtime", StackError("it died"), block=1), **SMALL).summary
    assert summary["complete"] is True
    assert "cell-runtime, block 2: it died" in said(summary["reasons"])
    assert summary["attribution"]["latency_ms"]["blocks"] == 2
    entry = next(cell for cell in summary["cells"] if cell["label"] == "cell-runtime")
    assert entry["valid"] is False


def test_rows_that_rest_on_an_invalid_level_say_why(explaining: Explain) -> None:
    def failing(trial: Trial, load: LoadPlan) -> None:
        if trial.cell.contender in {"whatif-1-async-aiohttp", "map-from-2ms-sync"}:
            write_files(trial.session.run, trial.cell, Held(1, 100.0), Held(8, 100.0, errors=3))
        else:
            measure_well(trial, load)

    summary = explaining.run(failing, **{**SMALL, "cpu_ms": (2, 20)}).summary
    found_by = {(row["title"], row["users"]): said(row["reasons"]) for row in summary["what_if"]}
    assert "3 requests failed" in found_by["models of 10 ms", 8][0]
    assert found_by["16 threads instead of 64", 8] == []
    places = {(row["cpu_ms"], row["users"]): said(row["reasons"]) for row in summary["crossover"] if row["measured"]}
    assert "requests failed" in places[2, 8][0]
    assert places[2, 1] == places[20, 8] == []


def test_a_what_if_whose_contender_is_invalid_without_it_says_why(explaining: Explain) -> None:
    def failing(trial: Trial, load: LoadPlan) -> None:
        if trial.cell.contender == "cell-none":
            write_files(trial.session.run, trial.cell, Held(1, 100.0), Held(8, 100.0, errors=3))
        else:
            measure_well(trial, load)

    rows = explaining.run(failing, **SMALL).summary["what_if"]
    found_by = {(row["title"], row["users"]): said(row["reasons"]) for row in rows}
    assert "requests failed" in found_by["16 threads instead of 64", 8][0]
    assert found_by["models of 10 ms", 8] == []


def test_a_predicted_level_says_why_what_was_measured_there_is_invalid() -> None:
    measured = SimpleNamespace(
        rps={1: {0: 10.0}, 8: {0: 80.0}}.get,
        rate={1: 10.0, 8: 80.0}.get,
        p50_ms={1: 100.0, 8: 100.0}.get,
        reasons_at={1: [], 8: ["8 users: 3 requests failed"]}.get,
    )
    rows = [{"users": users, "calibrated": False, "rps": 9.0, "p50_ms": 99.0} for users in (1, 8, 64)]
    found = over_users({"sync": [cast(Measured, measured)]}, {"contenders": {"sync": rows}}, {})["sync"]
    assert [said(row["reasons"]) for row in found] == [[], ["8 users: 3 requests failed"], []]


def test_a_peak_says_why_what_was_measured_is_invalid() -> None:
    measured = SimpleNamespace(
        peak_users=8,
        rps={8: {0: 80.0}}.get,
        rate={8: 80.0}.get,
        no_peak="",
        cpu_by_role={8: {}}.get,
        reasons_at={8: ["8 users: 3 requests failed"], 64: []}.get,
    )
    told = {"peaks": {"sync": {"users": 64, "rps": 90.0}, "async": {"users": 8, "rps": 9.0}}}
    found = peaks({"sync": [cast(Measured, measured)]}, told, {})
    assert said(found["sync"]["reasons"]) == ["8 users: 3 requests failed"]
    assert (found["async"]["rps_measured"], said(found["async"]["reasons"])) == (None, [])


def test_a_block_counts_for_a_gap_that_does_not_rest_on_the_cell_that_failed(explaining: Explain) -> None:
    few = {**CELLS_ONLY, "cell": Phase(2, levels(1, 8))}
    summary = explaining.run(stopping("cell-http_client", StackError("it died"), block=1), **few).summary
    assert summary["attribution"]["latency_ms"]["blocks"] == 1
    assert summary["attribution_customary"]["latency_ms"]["blocks"] == 2


def test_a_cell_that_fails_parity_is_not_measured_again_and_nothing_is_attributed(explaining: Explain) -> None:
    explaining.fake.parity = refusing("cell-runtime", ParityError("status 500"))
    summary = explaining.run(**SMALL).summary
    assert explaining.fake.started_labels.count("cell-runtime") == 1
    assert "cell-runtime" not in explaining.contenders
    assert summary["attribution"] == {}
    assert summary["complete"] is True


def test_the_estimate_is_printed_before_anything_is_measured(explained: Explain) -> None:
    assert explained.output.getvalue().startswith("measuring 69 trials, about ")

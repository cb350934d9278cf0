"""`explain` without processes: phases, their order, what is attributed, and what an interruption leaves."""

import json
import math
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import Any

import pytest

from benchmark.cell import CellPlan, ParityError
from benchmark.contenders import Contender
from benchmark.errors import LoadError, StackError
from benchmark.experiment4_gap import prediction
from benchmark.experiment4_gap.bursts import RECORD, Burst
from benchmark.experiment4_gap.demand import Demands
from benchmark.experiment4_gap.plan import Phase
from benchmark.experiment4_gap.run import report
from benchmark.record import Cell, Run
from tests.unit.experiment4.conftest import KNOWN, Explain, levels, measure_well

REAL_CALIBRATED, REAL_PREDICT, REAL_PREDICT_MAP = (
    prediction.calibrated,
    prediction.predict,
    prediction.predict_map,
)


def stopping(label: str, error: BaseException, block: int = 0) -> Any:
    def measure(run: Run, contender: Contender, cell: Cell, plan: CellPlan) -> None:
        if (cell.contender, cell.block) == (label, block):
            raise error
        measure_well(run, contender, cell, plan)

    return measure


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
    assert (summary["command"], summary["complete"], summary["valid"]) == ("explain", True, True), summary["reasons"]
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
    summary = explaining.run(half=True).summary
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
    summary = explaining.run(from_="async", to="async").summary
    found = summary["attribution"]["latency_ms"]
    assert found["gap"] == pytest.approx(0, abs=1e-3)
    assert len(summary["cells"]) == 16
    assert summary["attribution_customary"] == {}


def test_the_cost_of_the_stage_clock_is_paired_by_block(explained: Explain) -> None:
    found = explained.summary["clock_cost"]
    assert set(found) == {"sync", "async-aiohttp"}
    assert found["sync"]["latency_ms"]["value"] == pytest.approx(0.5, abs=1e-3)
    assert explained.plans["clock-sync"].stage_clock is False
    assert explained.plans["clock-sync"].service_env["SERVING_STAGE_CLOCK"] == "false"
    assert explained.plans["cell-none"].stage_clock is True


def test_what_ifs_are_measured_with_their_settings_and_checked_by_their_own_law(explaining: Explain) -> None:
    summary = explaining.run(settings={"model_cpu_ms": "1"}).summary
    label = "whatif-1-async-aiohttp"
    model = next(p for p in explaining.contenders[label].process if p.role == "model")
    assert model.env["SERVING_MODEL_MIN_MS"] == "8"
    assert explaining.plans[label].answer_bounds_s == pytest.approx((0.008, 0.012))
    assert explaining.plans["cell-none"].answer_bounds_s == pytest.approx((0.040, 0.050))
    assert explaining.plans[label].service_env["SERVING_MODEL_CPU_MS"] == "1"
    rows = {(row["contender"], row["title"], row["users"]): row for row in summary["what_if"]}
    threads = rows["sync", "twice the threads", 8]
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


TOLD: dict[str, Any] = {
    "contenders": {"sync": [{"users": 8, "calibrated": True, "rps": 80.0, "p50_ms": 101.0}]},
    "what_if": [{"what_if": 0, "users": 8, "rps": 81.0, "p50_ms": 99.0}],
}
MAP = [{"cpu_ms": 2, "users": 1, "ratio": 1.9}, {"cpu_ms": 5, "users": 1, "ratio": 1.5}]


def test_what_was_foretold_stands_beside_what_was_measured_later(
    explaining: Explain, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[prediction.Question] = []
    own = {"sync": TOLD}

    def calibrated(contender: Contender, *_: Any) -> str:
        return contender.name

    def predict(name: Any, question: prediction.Question) -> dict[str, Any]:
        asked.append(question)
        return own.get(name, {"contenders": {}, "what_if": []})

    monkeypatch.setattr(prediction, "calibrated", calibrated)
    monkeypatch.setattr(prediction, "predict", predict)
    monkeypatch.setattr(prediction, "predict_map", lambda *_: MAP)
    run = explaining.run()
    assert {(each.from_.name, each.to.name, each.cpu_ms) for each in asked} == {("sync", "async-aiohttp", (2, 20))}
    summary = run.summary
    assert summary["predicted_before"] == run.read_json("prediction.json")["written_utc"]
    (row,) = summary["prediction"]["sync"]
    assert row["rps_measured"] == pytest.approx(8 / 0.1015, rel=1e-2)
    assert (row["rps_predicted"], row["calibrated"]) == (pytest.approx(80.0), True)
    peak = summary["peaks"]["sync"]
    assert peak["error"] == pytest.approx(80.0 / peak["rps_measured"] - 1)
    # The same CPU in 101.5 ms a request, the mean of three blocks, as in 100.5 when it was learnt.
    assert peak["cpu_change"] == pytest.approx(101.5 / 100.5 - 1, abs=1e-3)
    first = summary["what_if"][0]
    assert (first["rps_predicted"], first["p50_predicted_ms"]) == pytest.approx((81.0, 99.0))
    filled = {(p["cpu_ms"], p["users"]): p for p in summary["crossover"]}
    assert (filled[2, 1]["measured"], filled[2, 1]["ratio_predicted"]) == (True, 1.9)
    assert (filled[5, 1]["measured"], filled[5, 1]["ratio"]) == (False, 1.5)


def test_a_prediction_from_the_record_answers_all_that_is_asked(
    explaining: Explain, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt: list[Any] = []
    asked: list[prediction.Question] = []

    def remember(_: Any, question: prediction.Question) -> dict[str, Any]:
        asked.append(question)
        return {}

    def simulate_here(jobs: dict[Any, prediction.Job]) -> dict[Any, Any]:
        return {key: prediction.steady(job) for key, job in jobs.items()}

    monkeypatch.setattr(prediction, "calibrated", lambda *given: learnt.append(given))
    monkeypatch.setattr(prediction, "predict", remember)
    explaining.run()
    monkeypatch.setattr(prediction, "MAP_CPU_MS", (0, 2))
    monkeypatch.setattr(prediction, "MAP_USERS", (1, 8))
    monkeypatch.setattr(prediction, "simulate_all", simulate_here)
    what_ifs = asked[0].what_ifs
    few = replace(asked[0], what_ifs=[replace(what_if, users=(8,)) for what_if in what_ifs], cpu_ms=(2,), users=(1, 8))
    models = {given[0].name: REAL_CALIBRATED(*given) for given in learnt}
    assert set(models) == {"sync", "sync-concurrent", "async", "async-aiohttp"}
    for name, model in models.items():
        found = REAL_PREDICT(model, few)
        assert set(found["contenders"]) == {name}
        alone, eight = found["contenders"][name]
        assert (alone["users"], alone["calibrated"], eight["calibrated"]) == (1, True, False), name
        assert alone["p50_ms"] > 46
        assert eight["rps"] > alone["rps"]
        its_own = {(number, 8) for number, what_if in enumerate(what_ifs) if what_if.contender == name}
        assert {(row["what_if"], row["users"]) for row in found["what_if"]} == its_own
    crossing = REAL_PREDICT_MAP(models["sync"], models["async-aiohttp"], few)
    assert [(row["cpu_ms"], row["users"]) for row in crossing] == [(0, 1), (0, 8), (2, 1), (2, 8)]
    assert all(row["ratio"] > 0 for row in crossing)


@dataclass
class Calibration:
    """What a prediction was made from, and what had been measured by then."""

    contender: str
    levels: tuple[int, ...]  # users
    bursts: list[int]  # blocks that they say they are of
    measured: list[tuple[str, int]]


@pytest.fixture
def calibrations(explaining: Explain, monkeypatch: pytest.MonkeyPatch) -> list[Calibration]:
    """Every prediction of the runs to come; every one of sync foretells a rate four times as high as the one before."""
    found: list[Calibration] = []

    def bursts(run: Run, contender: Contender, *rest: Any) -> None:
        cpu_ms = dict.fromkeys(("scoring", "model", "redis"), 1.0)
        zero = dict.fromkeys(cpu_ms, 0.0)
        burst = Burst(contender.label, 4, 12, 1.0, cpu_ms, zero, zero, 50.0, block=rest[-1])
        with (run.path / RECORD).open("a") as file:
            file.write(json.dumps(asdict(burst)) + "\n")

    def calibrated(contender: Contender, demands: Demands, *_: Any) -> str:
        blocks = [burst.block for burst in demands.bursts]
        found.append(Calibration(contender.name, demands.levels, blocks, list(explaining.measured)))
        return contender.name

    def predict(name: Any, question: prediction.Question) -> dict[str, Any]:
        before = sum(each.contender == name for each in found)
        row = {**TOLD["contenders"]["sync"][0], "rps": 40.0 * 4**before}
        return {"contenders": {name: [row]}, "what_if": []}

    monkeypatch.setattr("benchmark.experiment4_gap.calibration.measure_bursts", bursts)
    monkeypatch.setattr(prediction, "calibrated", calibrated)
    monkeypatch.setattr(prediction, "predict", predict)
    return found


TWICE: dict[str, Any] = {"light": Phase(2, levels(1, 2)), "cell": Phase(2, levels(1, 8))}


def test_each_calibration_sees_nothing_but_its_own_light_load_and_comes_before_what_it_is_held_against(
    explaining: Explain, calibrations: list[Calibration]
) -> None:
    run = explaining.run(**TWICE)
    cells = {c["contender"]: c["label"] for c in run.summary["cells"]}
    assert Counter(each.contender for each in calibrations) == dict.fromkeys(KNOWN, 2)
    for number, each in enumerate(calibrations):
        block = number // len(KNOWN)
        assert each.measured[-1] == (f"light-{each.contender}", block)
        assert (each.levels, each.bursts) == ((1, 2), [block])
        assert (cells[each.contender], block) not in each.measured
    assert run.summary["complete"]
    assert run.summary["attribution"]["latency_ms"]["blocks"] == 2


def test_several_calibrations_are_shown_as_their_geometric_mean_and_kept_apart_in_the_record(
    explaining: Explain, calibrations: list[Calibration]
) -> None:
    run = explaining.run(**TWICE)
    (row,) = run.summary["prediction"]["sync"]
    assert row["rps_predicted"] == pytest.approx(320.0)  # of 160 and 640
    assert run.summary["calibrations"] == 2
    kept = [part for part in run.read_json("prediction.json")["parts"] if "sync" in part.get("contenders", ())]
    assert [(part["block"], part["contenders"]["sync"][0]["rps"]) for part in kept] == [(0, 160.0), (1, 640.0)]
    assert all(part["written_utc"] for part in kept)


def test_the_map_is_foretold_before_it_is_measured_from_what_was_learnt_last(
    explaining: Explain, calibrations: list[Calibration], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def predict_map(from_: Any, to: Any, _: Any) -> list[dict[str, Any]]:
        asked.append((from_, to, any(label.startswith("map") for label, _ in explaining.measured)))
        return MAP

    monkeypatch.setattr(prediction, "predict_map", predict_map)
    explaining.run(**TWICE)
    assert asked == [("sync", "async-aiohttp", False)]


def test_after_ctrl_c_in_the_second_block_the_first_prediction_is_shown(
    explaining: Explain, calibrations: list[Calibration]
) -> None:
    summary = explaining.run(stopping("light-sync", KeyboardInterrupt(), block=1), **TWICE).summary
    assert summary["prediction"]["sync"][0]["rps_predicted"] == pytest.approx(160.0)
    assert summary["complete"] is False


@pytest.mark.parametrize(
    ("error", "said"), [(StackError("it died"), "it died"), (LoadError("status 503"), "status 503")]
)
def test_a_calibration_that_fails_is_named_and_the_others_are_shown(
    explaining: Explain,
    calibrations: list[Calibration],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    said: str,
) -> None:
    def fail_first(run: Run, contender: Contender, *rest: Any) -> None:
        if (contender.name, rest[-1]) == ("sync", 0):
            raise error

    monkeypatch.setattr("benchmark.experiment4_gap.calibration.measure_bursts", fail_first)
    summary = explaining.run(**TWICE).summary
    assert summary["prediction"]["sync"][0]["rps_predicted"] == pytest.approx(160.0)  # of the second alone
    assert f"sync was not calibrated in block 1: {said}" in summary["notes"]
    assert summary["complete"]


def test_without_light_levels_nothing_is_foretold(explaining: Explain, calibrations: list[Calibration]) -> None:
    summary = explaining.run(stopping("light-sync", StackError("it died")), **TWICE).summary
    assert "sync was not calibrated in block 1: light levels: it died" in summary["notes"]
    assert Counter(each.contender for each in calibrations)["sync"] == 1


def test_ctrl_c_reports_what_was_measured(explaining: Explain) -> None:
    run = explaining.run(stopping("cell-runtime", KeyboardInterrupt(), block=2))
    summary = run.summary
    assert (summary["complete"], summary["valid"]) == (False, False)
    assert any("interrupted: " in reason for reason in summary["reasons"])
    assert summary["attribution"]["latency_ms"]["blocks"] == 2
    assert any("blocks are not attributed" in note for note in summary["notes"])
    assert not any(label.startswith("map") for label, _ in explaining.measured)
    assert summary["crossover"] == []
    assert not (explaining.results / "latest").exists()


def test_ctrl_c_at_once_reports_that_there_is_nothing(explaining: Explain) -> None:
    summary = explaining.run(stopping(_first(explaining), KeyboardInterrupt())).summary
    assert (summary["complete"], summary["attribution"], summary["prediction"]) == (False, {}, {})


def test_a_cell_that_fails_is_named_and_its_block_is_left_out(explaining: Explain) -> None:
    summary = explaining.run(stopping("cell-runtime", StackError("it died"), block=1)).summary
    assert summary["complete"] is True
    assert "cell-runtime: block 2: it died" in summary["reasons"]
    assert summary["attribution"]["latency_ms"]["blocks"] == 2
    entry = next(cell for cell in summary["cells"] if cell["label"] == "cell-runtime")
    assert entry["valid"] is False


def test_a_block_counts_for_a_gap_that_does_not_rest_on_the_cell_that_failed(explaining: Explain) -> None:
    summary = explaining.run(stopping("cell-http_client", StackError("it died"), block=1)).summary
    assert summary["attribution"]["latency_ms"]["blocks"] == 2
    assert summary["attribution_customary"]["latency_ms"]["blocks"] == 3


def test_a_cell_that_fails_parity_is_not_measured_again_and_nothing_is_attributed(explaining: Explain) -> None:
    summary = explaining.run(stopping("cell-runtime", ParityError("status 500"))).summary
    assert explaining.measured.count(("cell-runtime", 1)) == 0
    assert summary["attribution"] == {}
    assert summary["complete"] is True


def test_reporting_again_gives_the_same_summary(explaining: Explain) -> None:
    run = explaining.run()
    once = run.summary
    report(run)
    assert {**run.summary, "finished_utc": ""} == {**once, "finished_utc": ""}


def test_the_estimate_is_printed_before_anything_is_measured(explaining: Explain) -> None:
    explaining.run()
    assert explaining.output.getvalue().startswith("measuring 69 cells, about ")


def _first(explaining: Explain) -> str:
    """Return the label that this seed measures first."""
    with pytest.MonkeyPatch.context() as patch:
        other = Explain(explaining.results.parent / "other", patch)
        run = other.run(stopping("nothing", KeyboardInterrupt()))
    label: str = run.manifest["order"]["cell"][0][0]
    return label

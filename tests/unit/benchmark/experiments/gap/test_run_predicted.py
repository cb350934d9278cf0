"""`explain` without processes: what is calibrated and predicted when, and what stands beside it in the end."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import pytest

from benchmark.analysis.level_figures import LevelFigures
from benchmark.analysis.stats import ratio_interval
from benchmark.contenders.discovery import Contender
from benchmark.errors import LoadError, StackError
from benchmark.experiments.gap.plan import Phase
from benchmark.experiments.prediction import measure as calibration
from benchmark.experiments.prediction import model as prediction
from benchmark.experiments.prediction.bursts import RECORD, Burst
from benchmark.experiments.prediction.demand import Demands, GeneratorDemand, learn_generator
from benchmark.load.plan import LoadPlan
from benchmark.measure.session import Session
from benchmark.measure.trial import Trial
from benchmark.record.columns import ResourceSample
from benchmark.record.resources import BUSY, IDLE, STEAL
from tests.unit.benchmark.experiments.gap.conftest import KNOWN, SMALL, Explain, levels, measure_well, stopping
from tests.unit.benchmark.synthetic import CPU, SECOND_NS, START_NS
from tests.unit.said import said

REAL_CALIBRATED, REAL_PREDICT, REAL_PREDICT_MAP = (
    prediction.calibrated,
    prediction.predict,
    prediction.predict_map,
)


TOLD: dict[str, Any] = {
    "contenders": {"sync": [{"users": 8, "calibrated": True, "rps": 80.0, "p50_ms": 101.0}]},
    "what_if": [{"what_if": 0, "users": 8, "rps": 81.0, "p50_ms": 99.0}],
}
MAP = [{"cpu_ms": 2, "users": 1, "ratio": 1.9}, {"cpu_ms": 5, "users": 1, "ratio": 1.5}]


def test_what_was_predicted_stands_beside_what_was_measured_later(
    explaining: Explain, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[prediction.PredictionQuestion] = []
    own = {"sync": TOLD}

    def calibrated(contender: Contender, *_: Any) -> str:
        return contender.name

    def predict(name: Any, question: prediction.PredictionQuestion) -> dict[str, Any]:
        asked.append(question)
        return own.get(name, {"contenders": {}, "what_if": []})

    monkeypatch.setattr(prediction, "calibrated", calibrated)
    monkeypatch.setattr(prediction, "predict", predict)
    monkeypatch.setattr(prediction, "predict_map", lambda *_: MAP)
    run = explaining.run(**SMALL)
    assert {(each.from_.name, each.to.name, each.cpu_ms) for each in asked} == {("sync", "async-aiohttp", (2,))}
    summary = run.summary
    assert summary["predicted_before"] == run.read_json("prediction.json")["written_utc"]
    (row,) = summary["prediction"]["sync"]
    assert row["rps_measured"] == pytest.approx(8 / 0.1015, rel=1e-2)
    assert (row["rps_predicted"], row["calibrated"]) == (pytest.approx(80.0), True)
    peak = summary["peaks"]["sync"]
    assert peak["error"] == pytest.approx(80.0 / peak["rps_measured"] - 1)
    first = summary["what_if"][0]
    assert (first["rps_predicted"], first["p50_predicted_ms"]) == pytest.approx((81.0, 99.0))
    filled = {(p["cpu_ms"], p["users"]): p for p in summary["crossover"]}
    assert (filled[2, 1]["measured"], filled[2, 1]["ratio_predicted"]) == (True, 1.9)
    assert (filled[5, 1]["measured"], filled[5, 1]["ratio"]) == (False, 1.5)


def test_a_prediction_from_the_record_answers_all_that_is_asked(
    explaining: Explain, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt: list[Any] = []
    asked: list[prediction.PredictionQuestion] = []

    def remember(_: Any, question: prediction.PredictionQuestion) -> dict[str, Any]:
        asked.append(question)
        return {}

    def simulate_here(jobs: dict[Any, prediction.Job]) -> dict[Any, Any]:
        return {key: prediction.steady(job) for key, job in jobs.items()}

    monkeypatch.setattr(prediction, "calibrated", lambda *given: learnt.append(given))
    monkeypatch.setattr(prediction, "predict", remember)
    explaining.run(**SMALL)
    monkeypatch.setattr(prediction, "MAP_CPU_MS", (0, 2))
    monkeypatch.setattr(prediction, "MAP_USERS", (1, 8))
    monkeypatch.setattr(prediction, "simulate_all", simulate_here)
    monkeypatch.setattr(prediction, "_REQUESTS", 400)
    what_ifs = asked[0].what_ifs
    few = replace(asked[0], what_ifs=[replace(what_if, users=(8,)) for what_if in what_ifs], cpu_ms=(2,), users=(1, 8))
    assert {given[0].name for given in learnt} == {"sync", "sync-concurrent", "async", "async-aiohttp"}
    ends = {"sync", "async-aiohttp"}  # the two between which the map lies; a calibration takes seconds
    models = {given[0].name: REAL_CALIBRATED(*given) for given in learnt if given[0].name in ends}
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


class Learnt(str):
    """What stands for a model: its contender's name, and the block that it was learnt in."""

    block: int


@pytest.fixture
def calibrations(explaining: Explain, monkeypatch: pytest.MonkeyPatch) -> list[Calibration]:
    """Every prediction of the runs to come; every one of sync predicts a rate four times as high as the one before."""
    found: list[Calibration] = []

    def bursts(session: Session, contender: Contender, _: Any, block: int) -> None:
        cpu_ms = dict.fromkeys(("scoring", "model", "redis"), 1.0)
        zero = dict.fromkeys(cpu_ms, 0.0)
        burst = Burst(contender.label, 4, 12, 1.0, cpu_ms, zero, zero, 50.0, block=block)
        session.run.append_line(RECORD, asdict(burst))

    def calibrated(contender: Contender, demands: Demands, *_: Any) -> str:
        blocks = [burst.block for burst in demands.bursts]
        found.append(Calibration(contender.name, demands.levels, blocks, list(explaining.measured)))
        learnt = Learnt(contender.name)
        learnt.block = explaining.measured[-1][1]
        return learnt

    def predict(name: Any, question: prediction.PredictionQuestion) -> dict[str, Any]:
        before = sum(each.contender == name for each in found)
        row = {**TOLD["contenders"]["sync"][0], "rps": 40.0 * 4**before}
        return {"contenders": {name: [row]}, "what_if": []}

    monkeypatch.setattr("benchmark.experiments.prediction.measure.measure_bursts", bursts)
    monkeypatch.setattr(prediction, "calibrated", calibrated)
    monkeypatch.setattr(prediction, "predict", predict)
    return found


TWICE: dict[str, Any] = {**SMALL, "light": Phase(2, levels(1, 2)), "cell": Phase(2, levels(1, 8))}


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
        assert (cells.get(each.contender, f"main-{each.contender}"), block) not in each.measured
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


def test_the_error_at_the_peak_is_paired_by_block_and_says_what_became_of_the_cpu(
    explaining: Explain, calibrations: list[Calibration], monkeypatch: pytest.MonkeyPatch
) -> None:
    told_rps = {0: 60.0, 1: 120.0}

    def predict(learnt: Learnt, _: prediction.PredictionQuestion) -> dict[str, Any]:
        # Eight users take 100 ms in the first block and 101 in the second; each process is billed its share of a core.
        costs = {"scoring": 0.3 * 100 / 8 / 2, "model": CPU["model"] * 101 / 8}
        rps = told_rps[learnt.block]
        row = {"users": 8, "calibrated": False, "rps": rps, "p50_ms": 100.0, "cpu_ms": costs}
        # With more users a request is predicted to cost otherwise, and the rate to be a trace higher.
        dear = {role: 10 * ms for role, ms in costs.items()}
        more = {**row, "users": 256, "rps": 1.00001 * rps, "cpu_ms": dear}
        what_if = {"what_if": 0, "users": 8, "rps": rps, "p50_ms": 100.0}
        # What is predicted of another setting, or of more users, must not be taken for it.
        others = [{**what_if, "what_if": 3, "rps": 7 * rps}, {**what_if, "users": 32, "rps": 5 * rps * rps}]
        told = [what_if, *others] if str(learnt) == "sync" else []
        return {"contenders": {str(learnt): [row, more]}, "what_if": told}

    monkeypatch.setattr(prediction, "predict", predict)
    summary = explaining.run(**TWICE, whatif=Phase(2, levels(8))).summary
    peak = summary["peaks"]["sync"]
    ratios = [60.0 / (8 / 0.1005), 120.0 / (8 / 0.1015)]  # the clock takes half a millisecond
    assert peak["error"] == pytest.approx(math.sqrt(ratios[0] * ratios[1]) - 1, rel=1e-2)
    low, high = ratio_interval(ratios, [1.0, 1.0]).as_list() or (0.0, 0.0)
    assert peak["error_ci95"] == pytest.approx([low - 1, high - 1], rel=1e-2)
    assert (peak["users_measured"], peak["users_predicted"]) == (8, 256)
    # It is held against what was predicted for as many users as the measured peak has, not the predicted one.
    assert peak["cpu_off"]["scoring"] == pytest.approx(2 * 101.0 / 100 - 1, abs=0.02)
    assert peak["cpu_off"]["model"] == pytest.approx(0.0, abs=0.01)
    assert "redis" not in peak["cpu_off"]  # nothing was predicted for it
    asked = {(row["title"], row["users"]): row for row in summary["what_if"] if row["contender"] == "sync"}
    threads = asked["16 threads instead of 64", 8]
    assert threads["rps_predicted_before"] == pytest.approx(math.sqrt(60.0 * 120.0))
    assert threads["error"] == pytest.approx(math.sqrt(60.0 * 120.0) / threads["rps_measured"] - 1)
    # Threads change nothing here, so it is off by as much as the contender.
    assert threads["error_ci95"] == pytest.approx([low - 1, high - 1], rel=1e-2)
    for never_measured in (asked["four cores", 8], asked["16 threads instead of 64", 32]):
        assert (never_measured["error"], never_measured["error_ci95"]) == (None, None)


@pytest.mark.parametrize("share", ["foreign_share", "steal_share"])
def test_bursts_that_were_disturbed_calibrate_nothing_and_the_run_says_so(
    explaining: Explain, calibrations: list[Calibration], monkeypatch: pytest.MonkeyPatch, share: str
) -> None:
    def bursts(session: Session, contender: Contender, _: Any, block: int) -> None:
        others = 0.4 if (contender.name, block) == ("sync", 1) else 0.01
        cpu_ms = dict.fromkeys(("scoring", "model", "redis"), 1.0)
        zero = dict.fromkeys(cpu_ms, 0.0)
        burst = Burst(contender.label, 64, 128, 1.0, cpu_ms, zero, zero, 50.0, block=block)
        session.run.append_line(RECORD, {**asdict(burst), share: others})

    monkeypatch.setattr("benchmark.experiments.prediction.measure.measure_bursts", bursts)
    run = explaining.run(**TWICE)
    assert Counter(each.contender for each in calibrations) == {**dict.fromkeys(KNOWN, 2), "sync": 1}
    (note,) = (note for note in run.summary["notes"] if "not calibrated" in note)
    assert note.startswith("sync was not calibrated in block 2: bursts: ")
    assert "40 % of the machine" in note
    assert " at 64 users: " in note
    (row,) = run.summary["prediction"]["sync"]
    assert row["rps_predicted"] == pytest.approx(160.0)  # by the first block alone
    page = (run.path / "report.html").read_text()
    assert "sync was not calibrated in block 2" in page


def test_light_levels_that_were_disturbed_calibrate_nothing(
    explaining: Explain, calibrations: list[Calibration]
) -> None:
    def measure(trial: Trial, load: LoadPlan) -> None:
        measure_well(trial, load)
        run, cell = trial.session.run, trial.cell
        if (cell.contender, cell.block) == ("light-async", 0):
            first, *_, last = cell.windows
            edges_ns, spent = (first.start_ns, last.end_ns), {BUSY: 1, IDLE: 1, STEAL: 0}
            rows = [ResourceSample(t_ns, role, t_ns * share, 0) for t_ns in edges_ns for role, share in spent.items()]
            with run.file("resources", cell, ".csv").open("a") as file:
                file.writelines(",".join(map(str, row)) + "\n" for row in rows)

    summary = explaining.run(measure, **TWICE).summary
    assert Counter(each.contender for each in calibrations) == {**dict.fromkeys(KNOWN, 2), "async": 1}
    (note,) = (note for note in summary["notes"] if "not calibrated" in note)
    assert note.startswith("async was not calibrated in block 1: other programs used ")
    assert not summary["valid"]
    assert any(reason.startswith("async, light-async: other programs used ") for reason in said(summary["reasons"]))


def test_the_record_proves_that_a_prediction_is_older_than_what_it_is_held_against(
    explaining: Explain, calibrations: list[Calibration], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction, "predict_map", lambda *_: MAP)
    run = explaining.run(**TWICE)
    held = [label for label, block in explaining.measured if label.startswith(("cell", "main", "whatif", "map"))]
    contenders = {cell["label"] for cell in run.summary["cells"] if cell["contender"]}
    n = sum(label in contenders or label.startswith(("main", "whatif", "map")) for label in held)
    assert run.summary["prediction_lead_s"] == {"least": 5.0, "median": 5.0, "n": n}
    assert run.summary["valid"], said(run.summary["reasons"])


def test_a_prediction_that_is_younger_than_its_measurement_makes_the_run_invalid(
    explaining: Explain, calibrations: list[Calibration]
) -> None:
    explaining.told_ns = START_NS + 2 * SECOND_NS
    summary = explaining.run(**TWICE).summary
    assert said(summary["reasons"]) == ["a prediction was written 2 s after its measurement began"]
    assert not summary["valid"]


def test_the_map_is_predicted_before_it_is_measured_from_what_was_learnt_last(
    explaining: Explain, calibrations: list[Calibration], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def predict_map(from_: Learnt, to: Learnt, _: Any) -> list[dict[str, Any]]:
        assert (from_.block, to.block) == (1, 1)
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
    def fail_first(_: Session, contender: Contender, __: Any, block: int) -> None:
        if (contender.name, block) == ("sync", 0):
            raise error

    monkeypatch.setattr("benchmark.experiments.prediction.measure.measure_bursts", fail_first)
    summary = explaining.run(**TWICE).summary
    assert summary["prediction"]["sync"][0]["rps_predicted"] == pytest.approx(160.0)  # of the second alone
    assert f"sync was not calibrated in block 1: {said}" in summary["notes"]
    assert summary["complete"]


def test_without_light_levels_nothing_is_predicted(explaining: Explain, calibrations: list[Calibration]) -> None:
    summary = explaining.run(stopping("light-sync", StackError("it died")), **TWICE).summary
    assert "sync was not calibrated in block 1: light levels: it died" in summary["notes"]
    assert Counter(each.contender for each in calibrations)["sync"] == 1


def test_the_generator_is_learnt_from_the_last_light_levels_of_all_contenders(
    explaining: Explain, calibrations: list[Calibration], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def remember(levels: Sequence[LevelFigures]) -> GeneratorDemand:
        seen.append(len(levels))
        return learn_generator(levels)

    monkeypatch.setattr(calibration, "learn_generator", remember)
    explaining.run(**TWICE)
    assert seen == [2, 4, 6, 8, 8, 8, 8, 8]


def test_bursts_meet_services_with_the_settings_of_the_run(
    explaining: Explain, calibrations: list[Calibration], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[dict[str, str]] = []

    def remember(_: Session, contender: Contender, *__: Any) -> None:
        found.extend(process.env for process in contender.process)

    monkeypatch.setattr(calibration, "measure_bursts", remember)
    explaining.run(settings={"model_cpu_ms": "1"}, **TWICE)
    assert len(found) == 2 * sum(len(contender.process) for contender in KNOWN.values())
    assert {env["SERVING_MODEL_CPU_MS"] for env in found} == {"1"}

"""What a right answer of a contender is follows from the settings that its processes run with."""

import math

import numpy as np
import pytest

from benchmark.contenders.answer_law import law_of, scoring_settings
from benchmark.contenders.discovery import Contender, discover
from benchmark.contenders.service_settings import with_env, with_overrides
from contract.model import ModelLaw, expected_max_ms, quantile_function
from tests.unit.benchmark.synthetic import make_contender

KNOWN = discover()
WIDE = {"SERVING_MODEL_MIN_MS": "0", "SERVING_MODEL_MAX_MS": "100"}
URL = "http://{model}/api/v1/ml/sync/predict"


def told(name: str, **settings: str) -> Contender:
    return with_overrides([KNOWN[name]], settings)[0]


def asking(name: str, *urls: str, **settings: str) -> Contender:
    """Return a contender whose row names other models."""
    contender = told(name, **settings)
    processes = tuple(
        with_env(p, {"SERVING_MODEL_URLS": ",".join(urls)}) if p.role == "scoring" else p for p in contender.process
    )
    return contender.model_copy(update={"process": processes})


@pytest.mark.parametrize("name", ["sync", "async", "null"])
def test_who_is_told_to_leave_the_stage_clock_out_is_not_told_otherwise_by_the_harness(name: str) -> None:
    assert scoring_settings(told(name)).stage_clock
    assert not scoring_settings(told(name, stage_clock="false")).stage_clock


@pytest.mark.parametrize(
    ("name", "floor_ms", "least"), [("sync", 90.0, 2.0), ("sync-concurrent", 46.667, 1.0), ("null", 0.0, 0.0)]
)
def test_the_contenders_as_they_are(name: str, floor_ms: float, least: float) -> None:
    law = law_of(KNOWN[name])
    assert law.floor_ms == pytest.approx(floor_ms, abs=1e-3)
    assert law.least_times_answer == least
    assert law.bounds_s == pytest.approx((0.04, 0.05))


@pytest.mark.parametrize("name", list(KNOWN))
def test_set_reaches_bounds_and_floor_of_every_contender(name: str) -> None:
    law = law_of(told(name, model_min_ms="8", model_max_ms="12"))
    assert law.bounds_s == pytest.approx((0.008, 0.012))
    assert law.floor_ms == pytest.approx({"sum": 20.0, "max": 8 + 4 * 2 / 3, "none": 0.0}[law.asked], abs=1e-3)


def test_three_models_have_the_floor_of_three() -> None:
    one_by_one, at_once = (law_of(asking(name, URL, URL, URL)) for name in ("sync", "sync-concurrent"))
    assert one_by_one.floor_ms == pytest.approx(135)
    assert one_by_one.least_times_answer == 3
    assert at_once.floor_ms == pytest.approx(47.5, abs=1e-3)
    assert (one_by_one.models, at_once.models) == (3, 3)


def test_one_model_has_the_floor_of_one() -> None:
    law = law_of(asking("sync", URL))
    assert law.floor_ms == pytest.approx(45)
    assert law.least_times_answer == 1


def test_how_the_models_are_asked_is_what_the_settings_say() -> None:
    assert law_of(told("sync", fan_out="concurrent")).asked == "max"
    assert law_of(told("async", fan_out="sequential")).asked == "sum"


def test_models_of_different_processes_follow_laws_of_their_own() -> None:
    rows = [
        {"role": "model-a", "module": "m", "port": 1, "env": {"SERVING_MODEL_LAW": "constant"}},
        {
            "role": "model-b",
            "module": "m",
            "port": 2,
            "env": WIDE,
        },
        {
            "role": "scoring",
            "module": "m",
            "port": 3,
            "env": {"SERVING_MODEL_URLS": "http://{model-a}/p,http://127.0.0.1:2/p"},
        },
    ]
    law = law_of(Contender.model_validate({**make_contender("mine").model_dump(), "process": rows}))
    assert law.bounds_s == pytest.approx((0.0225, 0.0725))
    # E max(45, U(0, 100)) = 45 * 0.45 + (100^2 - 45^2) / 200
    assert law.floor_ms == pytest.approx(45 * 0.45 + (100**2 - 45**2) / 200, abs=0.02)


@pytest.mark.parametrize("law", ["uniform", "constant", "lognormal"])
def test_the_slowest_of_unlike_models_is_that_of_a_simulation(law: str) -> None:
    models = [ModelLaw(law, 40, 50, 0.2, 0), ModelLaw(law, 30, 55, 0.1, 3)]
    draw = np.random.default_rng(1)
    draws = [
        [quantile_function(model)(u) * 1e3 + model.model_cpu_ms for u in draw.uniform(size=40_000)] for model in models
    ]
    assert expected_max_ms(models) == pytest.approx(np.max(draws, axis=0).mean(), rel=5e-3)


def test_models_alike_are_an_order_statistic_either_way() -> None:
    alike = [ModelLaw("uniform", 40, 50, 0.1, 0)] * 2
    almost = [alike[0], alike[0]._replace(model_sigma=0.2)]  # uniform has no sigma
    assert expected_max_ms(almost) == pytest.approx(expected_max_ms(alike), abs=0.01)
    assert math.isclose(expected_max_ms(alike), 46.6667, abs_tol=1e-3)

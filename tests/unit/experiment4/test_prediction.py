"""Predictions: what a contender's settings say of its network."""

from dataclasses import replace

import pytest

from benchmark.contenders import Contender, discover
from benchmark.errors import ContenderError
from benchmark.experiment4_gap.demand import Demands, GeneratorDemand
from benchmark.experiment4_gap.prediction import Model, network_settings
from benchmark.experiment4_gap.simulation import Network, constant

KNOWN = discover()
DEMANDS = Demands(constant(2.0), constant(1.0), constant(0.1), mean_ms=95.0, bursts=(), levels=(1, 2))


def model(name: str) -> Model:
    network = Network(
        load=constant(0),
        scoring=constant(2),
        store=constant(0.1),
        model=constant(1),
        **network_settings(KNOWN[name], {}),
    )
    return Model(KNOWN[name], network, GeneratorDemand(0.5, 0.0, 0.1), DEMANDS, {})


def test_threads_and_fan_out_come_from_the_contender() -> None:
    one, both, loop = (model(name).network for name in ("sync", "sync-concurrent", "async"))
    assert (one.one_by_one, one.threads, one.model_threads) == (True, 64, 128)
    assert (both.one_by_one, both.threads) == (False, 64)
    assert (loop.one_by_one, loop.threads, loop.model_threads, loop.slice_ms) == (False, 0, 0, 0.0)


def test_settings_of_all_services_reach_every_process() -> None:
    found = network_settings(KNOWN["sync"], {"model_min_ms": "8", "model_max_ms": "12", "threads": "16"})
    assert (found["sleep_ms"], found["threads"], found["model_threads"]) == ((8.0, 12.0), 16, 16)


@pytest.mark.parametrize(
    ("name", "setting", "field", "expected"),
    [
        ("sync", {"scoring": {"SERVING_THREADS": "128"}}, "threads", 128),
        ("async", {"scoring": {"SERVING_THREADS": "128"}}, "threads", 0),
        ("sync", {"scoring": {"SERVING_WORKERS": "2"}}, "workers", 2),
        (
            "async",
            {"model": {"SERVING_MODEL_MIN_MS": "190", "SERVING_MODEL_MAX_MS": "210"}},
            "sleep_ms",
            (190.0, 210.0),
        ),
        ("sync", {"scoring": {"SERVING_FAN_OUT": "concurrent"}}, "one_by_one", False),
    ],
)
def test_a_what_if_changes_the_network_and_nothing_else(
    name: str, setting: dict[str, dict[str, str]], field: str, expected: object
) -> None:
    before = model(name)
    after = before.changed(setting, {})
    assert getattr(after.network, field) == expected
    assert replace(after.network, **{field: getattr(before.network, field)}) == before.network


def test_assumptions_are_fields_of_the_network() -> None:
    assert model("sync").changed({}, {"cores": 4}).network.cores == 4
    assert model("sync").changed({}, {"feature_reads": 0}).network.feature_reads == 0
    assert model("sync").computing(5.0).network.model_cpu_ms == 5.0


def test_a_runtime_that_is_not_known_is_named() -> None:
    row = KNOWN["sync"].model_dump()
    row["process"] = [{**process, "module": "elsewhere.serve"} for process in row["process"]]
    with pytest.raises(ContenderError, match=r"elsewhere\.serve"):
        network_settings(Contender(**row), {})

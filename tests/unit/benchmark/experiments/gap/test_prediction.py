"""Predictions: what a contender's settings say of its network."""

from dataclasses import replace

import pytest

from benchmark.contenders.discovery import Contender, discover
from benchmark.contenders.service_settings import with_overrides
from benchmark.errors import ContenderError
from benchmark.experiments.prediction.bursts import Burst
from benchmark.experiments.prediction.demand import Demands, GeneratorDemand
from benchmark.experiments.prediction.model import Model, calibrated, fitted, network_settings
from benchmark.experiments.prediction.simulation import Demand, Network, constant, simulate, simulate_burst

KNOWN = discover()
DEMANDS = Demands(2.0, 1.0, 0.1, mean_ms=95.0, bursts=(), levels=(1, 2))
GENERATOR = GeneratorDemand(0.3, 0.0, 0.1)


def model(name: str) -> Model:
    network = Network(
        load=constant(0),
        scoring=constant(2),
        store=constant(0.1),
        model=constant(1),
        **network_settings(KNOWN[name]),
    )
    return Model(KNOWN[name], network, GeneratorDemand(0.5, 0.0, 0.1), DEMANDS)


def told(name: str, **settings: str) -> Contender:
    """Return a contender with settings in all its processes."""
    return with_overrides([KNOWN[name]], settings)[0]


def test_threads_and_fan_out_come_from_the_contender() -> None:
    one, both, loop = (model(name).network for name in ("sync", "sync-concurrent", "async"))
    assert (one.one_by_one, one.threads, one.model_threads) == (True, 64, 128)
    assert (both.one_by_one, both.threads) == (False, 64)
    assert (loop.one_by_one, loop.threads, loop.model_threads, loop.slice_ms) == (False, 0, 0, 0.0)
    assert (one.pool, both.pool, loop.pool, model("async-aiohttp").network.pool) == (0, 0, 2048, 2048)
    assert network_settings(told("sync", model_pool_size="8"))["pool"] == 8
    assert (one.steps, one.model_steps) == (4, 4)
    assert (loop.steps, loop.model_steps) == (3, 3)


def test_settings_of_all_services_reach_every_process() -> None:
    found = network_settings(told("sync", model_min_ms="8", model_max_ms="12", threads="16"))
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


@pytest.mark.parametrize("cpu_ms", [0.0, 5.0])
def test_what_models_burn_is_measured_with_the_rest_and_not_counted_twice(cpu_ms: float) -> None:
    demands = replace(DEMANDS, model_ms=1.0 + 2 * cpu_ms)
    network = calibrated(told("sync", model_cpu_ms=str(cpu_ms)), demands, GENERATOR).network
    assert network.model_cpu_ms == cpu_ms
    assert network.model == constant(1.0)
    assert simulate(network, 1).utilisation["model"] == pytest.approx(
        demands.model_ms / simulate(network, 1).mean_ms, rel=0.05
    )


def test_the_law_of_the_models_is_that_of_the_settings() -> None:
    found = network_settings(told("sync", model_law="lognormal", model_sigma="0.3"))
    assert (found["law"], found["sleep_ms"], found["sigma"]) == ("lognormal", (40.0, 50.0), 0.3)
    assert network_settings(KNOWN["sync"])["law"] == "uniform"


def test_a_contender_without_models_is_named() -> None:
    row = KNOWN["sync"].model_dump()
    row["process"] = [process for process in row["process"] if process["role"] != "model"]
    with pytest.raises(ContenderError, match="no process of the role model"):
        network_settings(Contender(**row))


def test_an_assumption_may_be_a_fraction_where_the_network_has_one() -> None:
    assert model("sync").changed({}, {"overhead_ms": 0.5}).network.overhead_ms == 0.5


def test_assumptions_are_fields_of_the_network() -> None:
    assert model("sync").changed({}, {"cores": 4}).network.cores == 4
    assert model("sync").changed({}, {"feature_reads": 0}).network.feature_reads == 0
    assert model("sync").computing(5.0).network.model_cpu_ms == 5.0


def test_a_runtime_that_is_not_known_is_named() -> None:
    row = KNOWN["sync"].model_dump()
    row["process"] = [{**process, "module": "elsewhere.serve"} for process in row["process"]]
    with pytest.raises(ContenderError, match=r"elsewhere\.serve"):
        network_settings(Contender(**row))


def bursts_of(network: Network, sizes: tuple[int, ...]) -> tuple[Burst, ...]:
    """Return what bursts would have cost if this network had been measured."""
    rows = []
    for size in sizes:
        seen = simulate_burst(replace(network, load=constant(0.3)), size, seed=7)
        cpu_ms = {"scoring": network.scoring.at(seen.backlog), "load": 0.3}
        rows.append(Burst("sync", size, 100, 2.0, cpu_ms, dict.fromkeys(cpu_ms, 0.0), {}, seen.last_ms))
    return tuple(rows)


def test_a_network_is_found_again_from_its_bursts() -> None:
    plain = model("sync").network
    real = replace(plain, scoring=Demand((0.0, 30.0), (2.0, 4.0)))
    found = fitted(plain, GENERATOR, replace(DEMANDS, mean_ms=90.0, bursts=bursts_of(real, (4, 16, 64))))
    for backlog in (1.0, 5.0, 20.0):
        assert found.scoring.at(backlog) == pytest.approx(real.scoring.at(backlog), rel=0.12)


def test_without_bursts_only_the_single_user_is_met() -> None:
    found = fitted(model("sync").network, GENERATOR, replace(DEMANDS, mean_ms=97.0))
    assert found.scoring == constant(2)
    assert found.overhead_ms > 0

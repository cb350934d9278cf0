"""Who is measured, in which order, for how long, and what the manifest says of it beforehand."""

import json
from collections import Counter
from dataclasses import replace

import pytest

from benchmark.contenders.discovery import Contender
from benchmark.errors import RecordError, UnknownContender
from benchmark.experiments.strategies import plan as module
from benchmark.experiments.strategies.figure_kinds import MEDIAN
from benchmark.experiments.strategies.law import Strategy
from benchmark.experiments.strategies.plan import Job, StrategiesPlan, assign
from benchmark.experiments.strategies.recorded import as_measured, predictions
from benchmark.load.plan import Level, Pause, Waves
from tests.unit.benchmark.experiments.strategies.synthetic import POOLS, make_strategy, other_strategy
from tests.unit.benchmark.synthetic import make_contender

BOTH = {POOLS: make_strategy(), "cache": other_strategy()}
KNOWN: dict[str, Contender] = {name: make_contender(name) for name in ("one", "two", "three")}


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "discover", lambda: KNOWN)


def test_every_contender_and_computation_of_every_strategy_is_a_job_of_each_block_once() -> None:
    plan = StrategiesPlan(BOTH, blocks=3, scale=1.0)
    jobs = {(POOLS, "one"), (POOLS, "two"), (POOLS, "sum"), ("cache", "one"), ("cache", "two")}
    for block in range(3):
        assert Counter(plan.order(block)) == Counter(Job(*job) for job in jobs)


def test_each_block_has_an_order_of_its_own_that_the_seed_fixes() -> None:
    plan = StrategiesPlan(BOTH, blocks=6, scale=1.0, seed=1)
    orders = [plan.order(block) for block in range(6)]
    assert orders == [StrategiesPlan(BOTH, blocks=6, scale=1.0, seed=1).order(block) for block in range(6)]
    assert orders != [StrategiesPlan(BOTH, blocks=6, scale=1.0, seed=2).order(block) for block in range(6)]
    assert len(set(map(tuple, orders))) > 1


def test_the_expected_time_is_that_of_the_loads_that_are_applied_and_of_the_starts() -> None:
    only = replace(make_strategy(), laws=(), charts=(), gain=None, computations={})  # the pool, while it is idle
    starts_s = StrategiesPlan({POOLS: replace(only, loads={**only.loads, "idle": Pause(0.0)})}, 1, 1.0).expected_s()
    assert StrategiesPlan({POOLS: only}, 1, 1.0).expected_s() == pytest.approx(starts_s + 0.5)


def test_a_longer_level_and_more_waves_are_expected_to_take_longer() -> None:
    whole = make_strategy()
    longer = {**whole.loads, "busy": Level(2, 1.0, 12.0), "four at once": Waves(4, 30)}
    more_s = StrategiesPlan({POOLS: replace(whole, loads=longer)}, 1, 1.0).expected_s()
    assert more_s > StrategiesPlan({POOLS: whole}, 1, 1.0).expected_s() + 10


def test_an_assignment_names_each_contender_once_and_counts_all_trials() -> None:
    assignment = assign(StrategiesPlan(BOTH, blocks=3, scale=0.25))
    assert [contender.label for contender in assignment.contenders] == ["one", "two"]
    assert assignment.trials == 15
    assert assignment.recorded_plan == {"strategies": [POOLS, "cache"], "blocks": 3, "scale": 0.25}


def test_the_manifest_holds_every_law_with_its_tolerance_before_anything_is_measured() -> None:
    laws = json.loads(json.dumps(dict(assign(StrategiesPlan(BOTH, 1, 1.0)).facts)))["laws"]
    assert set(laws) == set(BOTH)
    assert [each["says"] for each in laws[POOLS]["laws"]] == [law.says for law in make_strategy().laws]
    first = laws[POOLS]["laws"][1]
    assert (first["subject"], first["load"], first["figure"]) == ("two", "four at once", "makespan_ms")
    assert (first["expected"], first["at_most"]) == (50, pytest.approx(55))
    assert laws[POOLS]["asked"]["one"] == ["one at once", "four at once"]


def test_a_contender_that_nobody_knows_is_refused_before_anything_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "discover", lambda: {"one": make_contender("one")})
    with pytest.raises(UnknownContender, match="two"):
        assign(StrategiesPlan(BOTH, 1, 1.0))


def read_again(strategy: Strategy, then: Strategy) -> Strategy:
    """Return a strategy as a run measured it that was made with another."""
    return as_measured(POOLS, strategy, json.loads(json.dumps(predictions(then)))).strategy


def test_laws_are_read_from_the_manifest_as_they_were_stated_then() -> None:
    now = then = make_strategy()
    laws = (replace(then.laws[0], expected=200, at_least=190, at_most=220, says="four take 200 ms"), *then.laws[1:])
    read = read_again(now, replace(then, laws=laws))
    assert read.laws == laws
    assert read_again(now, then) == now


def test_loads_are_those_that_were_applied_whatever_the_folder_says_now() -> None:
    then = make_strategy()
    now = replace(then, loads=dict(reversed(list(then.loads.items()))), charts=())
    measured = as_measured(POOLS, now, json.loads(json.dumps(predictions(then))))
    assert measured.asked["two"] == ("one at once", "four at once", "random", "busy", "idle")
    assert dict(measured.loads) == dict(then.loads)
    assert measured.count == 3


@pytest.mark.parametrize("change", ["fewer", "of another figure", "in another order"])
def test_a_folder_that_states_other_laws_by_now_cannot_judge_a_run(change: str) -> None:
    laws = make_strategy().laws
    now = {
        "fewer": laws[1:],
        "of another figure": (replace(laws[0], figure=MEDIAN), *laws[1:]),
        "in another order": laws[::-1],
    }[change]
    with pytest.raises(RecordError, match="strategies/pools states other laws than when this was measured"):
        read_again(make_strategy(laws=now), make_strategy())

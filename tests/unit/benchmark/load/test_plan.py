"""What the harness tells a load generator reaches it unchanged."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from benchmark.load.plan import Arrivals, Level, LoadPlan, Pause, Waves, loads_from_json
from tests.conftest import SCORING

levels = st.lists(st.builds(Level, st.integers(1, 10_000), st.floats(0, 100), st.floats(0, 100)), max_size=6).map(tuple)
seconds = st.floats(0, 100)
loads = st.lists(
    st.builds(Level, st.integers(1, 100), seconds, seconds)
    | st.builds(Waves, st.integers(1, 100), st.integers(1, 9), st.integers(0, 2))
    | st.builds(Arrivals, st.floats(1, 500), seconds, seconds, st.integers(0, 99))
    | st.builds(Pause, seconds),
    max_size=6,
).map(tuple)
plans = st.builds(
    LoadPlan,
    url=st.just("http://127.0.0.1:5001"),
    endpoint=st.text(min_size=1, max_size=20),
    scenario=st.just(SCORING),
    seed=st.integers(0, 2**40),
    stage_clock=st.booleans(),
    levels=levels,
    climb=levels,
    answer_bounds_s=st.tuples(st.floats(0, 1), st.floats(1, 2)),
    samples=st.just(Path("/a/0-async#2.csv")),
    locust=st.just(Path("/a/0-async#2")),
    loads=loads,
)


@settings(deadline=None)  # a busy machine may take its time
@given(plan=plans)
def test_a_plan_survives_its_way_through_json(plan: LoadPlan) -> None:
    assert LoadPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_a_load_of_no_known_kind_is_refused() -> None:
    with pytest.raises(ValidationError):
        loads_from_json([{"size": 3}])

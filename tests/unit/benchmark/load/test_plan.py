"""What the harness tells a load generator reaches it unchanged."""

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.load.plan import Level, LoadPlan
from tests.conftest import SCORING

levels = st.lists(st.builds(Level, st.integers(1, 10_000), st.floats(0, 100), st.floats(0, 100)), max_size=6).map(tuple)
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
)


@settings(deadline=None)  # a busy machine may take its time
@given(plan=plans)
def test_a_plan_survives_its_way_through_json(plan: LoadPlan) -> None:
    assert LoadPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan

"""Of strategies that answer later: what was watched, the stages of an answer, and the time until the first response."""

import pytest

from benchmark.experiments.strategies.figure_kinds import ACCEPTED_MEAN, MAKESPAN, said
from benchmark.experiments.strategies.law import Law, OverTime, Stages, at_most
from tests.unit.benchmark.experiments.strategies.conftest import Begin
from tests.unit.benchmark.experiments.strategies.synthetic import FOUR, LATENCY_MS, POOLS, law_of, make_strategy

LATER = {
    "watched": ("busy",),
    "over_time": (OverTime("The backlog stays", "backlog", "jobs", ("two",), "busy", {0.0: 0.0, 2.0: 4.0}),),
    "stages": (Stages("Where the time goes", ("one", "two"), FOUR, (("wave", MAKESPAN), ("calls", said("calls")))),),
}


def test_what_was_watched_is_a_line_by_the_seconds_since_the_load_began(record: Begin) -> None:
    recorded = record(strategies={POOLS: make_strategy(**LATER)})
    recorded.whole()
    start_ns = recorded.run.trials()[1].windows[-2].start_ns  # of `busy`, before `idle`
    for t_s, backlog in ((0.5, 1), (1.0, 3)):
        recorded.say_during("two", "busy", start_ns + int(t_s * 1e9), backlog=backlog)
    (course,) = recorded.pools().over_time
    assert course.expected == ((0.0, 0.0), (2.0, 4.0))
    assert [(line.subject, line.t_s, line.values, line.valid) for line in course.lines] == [
        ("two", (0.5, 1.0), (1.0, 3.0), True)
    ]


def test_stages_are_the_means_of_each_contender_one_after_the_other(record: Begin) -> None:
    recorded = record(strategies={POOLS: make_strategy(**LATER)})
    recorded.whole()
    (stages,) = recorded.pools().stages
    assert [(row.subject, [(part.name, part.value) for part in row.parts]) for row in stages.rows] == [
        ("one", [("wave", 100.0), ("calls", 17.0)]),
        ("two", [("wave", 50.0), ("calls", 17.0)]),
    ]


def test_the_first_response_is_timed_apart_from_the_answer(record: Begin) -> None:
    law = Law("accepted at once", "two", "random", ACCEPTED_MEAN, **at_most(1_000))
    recorded = record(strategies={POOLS: make_strategy(laws=(law,))})
    recorded.measure("two")
    assert law_of(recorded.pools(), "accepted at once").value == pytest.approx(LATENCY_MS["two"])

"""What a scale leaves of the profiling plan."""

import pytest

from benchmark.experiments.profiling.plan import ProfilePlan


def test_a_scale_shortens_what_takes_time_and_nothing_else() -> None:
    plan, short = ProfilePlan(), ProfilePlan().scaled(0.5)
    assert (short.requests, short.seconds, short.warmup_s, short.scale) == (20, 5.0, 2.0, 0.5)
    assert (short.users, short.sides, short.profilers, short.sample_every_ms) == (
        plan.users,
        plan.sides,
        plan.profilers,
        plan.sample_every_ms,
    )


def test_a_scale_leaves_what_a_figure_is_made_of() -> None:
    short = ProfilePlan().scaled(0.01)
    assert (short.requests, short.warmup_calls, short.seconds, short.warmup_s) == (10, 3, 3.0, 1.5)


@pytest.mark.parametrize(
    ("plan", "seconds"),
    [
        (ProfilePlan(), 10.0),
        (ProfilePlan().scaled(0.5), 8.0),
        (ProfilePlan().scaled(0.1), 8.0),
        (ProfilePlan(seconds=0.5), 0.5),
        (ProfilePlan().scaled(3.0), 30.0),
    ],
)
def test_what_is_sampled_is_long_enough_for_a_sum_of_ticks(plan: ProfilePlan, seconds: float) -> None:
    plain, sampled = plan.levels(), plan.levels(sampled=True)
    assert sampled[1].measure_s == seconds
    assert plain[0] == sampled[0]
    assert plain[1].measure_s == plan.seconds


def test_a_scale_never_asks_for_more_than_was_asked() -> None:
    short = ProfilePlan(requests=4, seconds=1.0, warmup_s=0.5, warmup_calls=1).scaled(0.1)
    assert (short.requests, short.warmup_calls, short.seconds, short.warmup_s) == (4, 1, 1.0, 0.5)


def test_the_full_scale_changes_nothing() -> None:
    assert ProfilePlan().scaled(1.0) == ProfilePlan()

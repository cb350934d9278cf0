"""What counts as a peak: the one rule, for the climb of the generator, the record and every report."""

import pytest

from benchmark.experiments.bench import plan as plans
from benchmark.experiments.gap import plan as explain
from benchmark.load.peak import CLIMB_GROWTH, GROWTH, grows, is_bracketed, peak_users, why_no_peak
from benchmark.load.plan import Level

# As measured: the pool of httpx collapses beyond 16 users.
ASYNC = {1: 20.0, 8: 155.0, 16: 281.0, 32: 101.0, 64: 88.0, 128: 96.0}
SYNC = {1: 10.0, 16: 165.0, 64: 392.0, 128: 398.0}
# Rates as they were measured, of every contender at every level of a plan that it may reach.
KNOWN = {
    "sync": {1: 10.0, 8: 83.0, 16: 165.0, 32: 313.0, 64: 392.0, 128: 398.0, 256: 390.0, 512: 380.0},
    "sync-concurrent": {1: 20.0, 8: 155.0, 16: 297.0, 32: 377.0, 64: 355.0, 128: 350.0, 256: 350.0, 512: 350.0},
    "async": {**ASYNC, 256: 105.0, 512: 105.0},
    "async-aiohttp": {1: 20.0, 8: 162.0, 16: 322.0, 32: 648.0, 64: 1181.0, 128: 1447.0, 256: 1508.0, 512: 1500.0},
    "null": {1: 4146.0, 8: 9076.0, 16: 10399.0, 32: 10754.0, 64: 10953.0, 128: 10900.0, 256: 10900.0, 512: 10900.0},
}
PLANS = {
    "quick": (plans.quick_plan().levels, plans.quick_plan().climb),
    "default": (plans.default_plan().levels, plans.default_plan().climb),
    "full": (plans.full_plan().levels, plans.full_plan().climb),
    "explain": (explain.default_plan().cell.levels, explain.default_plan().cell.climb),
    "explain quick": (explain.quick_plan().cell.levels, explain.quick_plan().cell.climb),
}


def test_a_rate_that_recovers_far_below_its_highest_is_not_rising() -> None:
    rates = [*ASYNC.values(), ASYNC[128] * 1.5]
    assert not grows(rates)
    assert grows([*ASYNC.values(), 281.0 * GROWTH + 1])


def test_a_climb_goes_on_where_one_block_cannot_tell_a_ceiling() -> None:
    """Four blocks grew by 10.4 %, the first of them by 8 %: a climb that stops there leaves no peak to claim."""
    assert not grows([379.0, 409.0])
    assert grows([379.0, 409.0], CLIMB_GROWTH)
    assert not grows([379.0, 390.0], CLIMB_GROWTH)
    assert CLIMB_GROWTH < GROWTH


@pytest.mark.parametrize("rates_rps", [[], [0.0], [100.0, 110.0], [100.0, 60.0, 70.0]])
def test_what_does_not_exceed_all_before_by_a_tenth_has_met_its_ceiling(rates_rps: list[float]) -> None:
    assert not grows(rates_rps)


@pytest.mark.parametrize("rps", [ASYNC, SYNC, {1: 10.0, 64: 9.0}, {1: 0.0, 8: 5.0, 16: 5.2}])
def test_levels_bracket_a_peak_if_the_last_met_the_ceiling_and_a_lower_one_was_held(rps: dict[int, float]) -> None:
    assert is_bracketed(rps)
    assert why_no_peak(rps) == ""


@pytest.mark.parametrize(
    ("rps", "why"),
    [
        ({}, "VALID at no level"),
        ({32: 313.0}, "VALID at one level only"),
        ({1: 10.0, 32: 313.0}, "still rising at its last VALID level"),
        ({1: 20.0, 32: 61.0}, "still rising at its last VALID level"),  # although the truth is 302 at 16 users
        ({32: 101.0, 64: 88.0}, "highest at its lowest VALID level"),
    ],
)
def test_without_a_bracket_there_is_a_reason(rps: dict[int, float], why: str) -> None:
    assert not is_bracketed(rps)
    assert why_no_peak(rps) == why


def test_the_highest_rate_is_that_of_a_valid_level_if_there_is_one() -> None:
    assert peak_users(ASYNC, {1, 8}) == 8
    assert peak_users(ASYNC, set()) == 16
    assert peak_users({1: 0.0}, {1}) is None


@pytest.mark.parametrize("name", list(KNOWN))
@pytest.mark.parametrize("plan", list(PLANS))
def test_the_levels_of_every_plan_bracket_the_known_peaks(plan: str, name: str) -> None:
    levels, climb = PLANS[plan]
    held = climbed(levels, climb, KNOWN[name])
    assert is_bracketed(held), held
    known = max(KNOWN[name].values())
    assert max(held.values()) > 0.9 * known


def climbed(levels: tuple[Level, ...], climb: tuple[Level, ...], known: dict[int, float]) -> dict[int, float]:
    """Return the rates that a generator meets, which climbs on while they grow."""
    held = {level.users: known[level.users] for level in levels}
    for level in climb:
        if not grows(list(held.values()), CLIMB_GROWTH):
            break
        held[level.users] = known[level.users]
    return held


def test_a_quick_run_is_planned_for_about_a_minute() -> None:
    """What is held, with what starting five contenders twice, checking and reporting took in recorded runs."""
    plan, start_s, around_s = plans.quick_plan(), 1.4, 12.0
    seconds = {level.users: level.warmup_s + level.measure_s for level in (*plan.levels, *plan.climb)}
    # Who only shows the harness's floor does not climb.
    held = [climbed(plan.levels, plan.climb if name != "null" else (), known) for name, known in KNOWN.items()]
    cells_s = sum(start_s + sum(seconds[users] for users in levels) for levels in held)
    assert plan.blocks * cells_s + around_s < 65

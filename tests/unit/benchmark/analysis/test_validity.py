"""Every rule at its bound and just beyond it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benchmark.analysis.level_figures import LevelFigures
from benchmark.analysis.validity import (
    MAX_BUSY_BEFORE,
    MAX_DRIFT,
    MAX_FOREIGN,
    MAX_FOREIGN_IN_BLOCK,
    MAX_GENERATOR_CPU,
    MAX_LITTLE_ERROR,
    MAX_STEAL,
    MAX_STEAL_IN_BLOCK,
    disturbance_reasons,
    level_notes,
    level_reasons,
    run_reasons,
)
from benchmark.load.bodies import EARLY_MS
from benchmark.record.resources import Disturbance
from tests.unit.benchmark.synthetic import make_contender

USERS, LATENCY_MS = 4, 80.0
RPS = USERS / LATENCY_MS * 1e3
REAL, HARNESS = make_contender("a"), make_contender("null", floor="none", harness_floor=True)
JUST = 1e-6  # relative

# A level that breaks one rule only: what to change, at the bound and just beyond it.
AT_THE_BOUND: dict[str, Callable[[float], dict[str, Any]]] = {
    "generator": lambda by: {"cpu_share": {"load": MAX_GENERATOR_CPU * (1 + by)}},
    "too many in flight": lambda by: {"rps": RPS * (1 + MAX_LITTLE_ERROR * (1 + by))},
    "too few in flight": lambda by: {"rps": RPS * (1 - MAX_LITTLE_ERROR * (1 + by))},
    "growing rate": lambda by: {"drift": MAX_DRIFT * (1 + by)},
    "falling rate": lambda by: {"drift": -MAX_DRIFT * (1 + by)},
    "early answer": lambda by: {"fastest_excess_ms": -EARLY_MS * (1 + by)},
    "other programs": lambda by: {"foreign_share": MAX_FOREIGN * (1 + by)},
    "hypervisor": lambda by: {"steal_share": MAX_STEAL * (1 + by)},
}
EXEMPT = {"generator", "too many in flight", "too few in flight", "growing rate", "falling rate"}


def level(**changes: Any) -> LevelFigures:
    """Return the figures of a level that breaks no rule, but for what is changed."""
    good: dict[str, Any] = {
        "block": 0,
        "users": USERS,
        "rps": RPS,
        "mean_ms": LATENCY_MS,
        "latencies_ms": np.full(100, LATENCY_MS),
        "errors": 0,
        "first_error": "",
        "fastest_excess_ms": 2.0,
        "cpu_share": {"load": 0.2, "scoring": 0.5},
        "rss_mb": {"scoring": 50.0},
        "drift": 0.0,
    }
    return LevelFigures(**{**good, **changes})


def nothing(**changes: Any) -> LevelFigures:
    """Return the figures of a block in which no answer came."""
    return level(rps=0.0, mean_ms=float("nan"), latencies_ms=np.array([]), fastest_excess_ms=0.0, **changes)


def test_the_bounds_are_those_that_the_design_states() -> None:
    assert (MAX_GENERATOR_CPU, MAX_LITTLE_ERROR) == (0.90, 0.05)


def test_a_level_that_breaks_no_rule_is_valid() -> None:
    assert level_reasons(REAL, [level(), level()]) == []
    assert level_reasons(HARNESS, [level(), level()]) == []


@pytest.mark.parametrize("rule", AT_THE_BOUND)
def test_a_rule_trips_just_beyond_its_bound_and_not_before(rule: str) -> None:
    changes = AT_THE_BOUND[rule]
    assert level_reasons(REAL, [level(**changes(-JUST))] * 2) == []
    assert len(level_reasons(REAL, [level(**changes(+JUST))] * 2)) == 1


@pytest.mark.parametrize("rule", AT_THE_BOUND)
def test_what_shows_the_harness_may_saturate_it_and_nothing_else(rule: str) -> None:
    reasons = level_reasons(HARNESS, [level(**AT_THE_BOUND[rule](1.0))])
    assert len(reasons) == (0 if rule in EXEMPT else 1)


@pytest.mark.parametrize("contender", [REAL, HARNESS])
def test_one_error_is_one_too_many_and_is_quoted(contender: Any) -> None:
    (reason,) = level_reasons(contender, [level(), level(errors=1, first_error="status 503")])
    assert "1 " in reason.text
    assert "status 503" in reason.text


@pytest.mark.parametrize("contender", [REAL, HARNESS])
def test_a_level_without_a_checked_answer_is_never_valid(contender: Any) -> None:
    assert level_reasons(contender, [nothing(), nothing(errors=3, first_error="status 503")])


@pytest.mark.parametrize("contender", [REAL, HARNESS])
def test_a_block_without_a_checked_answer_is_never_valid(contender: Any) -> None:
    assert level_reasons(contender, [level(), nothing(), level()])


def test_rules_on_rates_look_at_the_mean_over_blocks_since_noise_has_no_direction() -> None:
    opposite = [level(drift=0.3, rps=RPS * 1.08), level(drift=-0.3, rps=RPS * 0.92)]
    assert level_reasons(REAL, opposite) == []


def test_a_drift_that_every_block_shows_is_no_noise() -> None:
    assert len(level_reasons(REAL, [level(drift=drift) for drift in (0.2, 0.21, 0.19)])) == 1
    assert len(level_reasons(REAL, [level(drift=drift) for drift in (-0.2, -0.21, -0.19)])) == 1


def test_a_single_block_cannot_tell_a_drift_from_chance() -> None:
    assert level_reasons(REAL, [level(drift=0.2)]) == []


def test_one_early_answer_in_one_block_is_enough() -> None:
    assert len(level_reasons(REAL, [level(), level(fastest_excess_ms=-5), level()])) == 1


def test_every_broken_rule_is_named() -> None:
    worst = level(
        errors=2, first_error="status 500", fastest_excess_ms=-9, cpu_share={"load": 1.0}, rps=RPS * 2, drift=0.5
    )
    assert len(level_reasons(REAL, [worst, worst])) == 5


def test_a_ceiling_of_the_harness_is_noted_instead() -> None:
    busy = level(cpu_share={"load": 0.99})
    assert len(level_notes(HARNESS, [busy])) == 1
    assert level_notes(HARNESS, [level()]) == []
    assert level_notes(REAL, [busy]) == []


def test_a_machine_that_was_busy_before_makes_the_run_invalid() -> None:
    assert run_reasons(MAX_BUSY_BEFORE) == []
    assert len(run_reasons(MAX_BUSY_BEFORE + JUST)) == 1


def test_other_programs_are_named_with_their_share_what_is_allowed_and_what_to_do() -> None:
    assert [reason.text for reason in level_reasons(REAL, [level(foreign_share=0.32), level(foreign_share=0.36)])] == [
        "other programs used 34 % of the machine (limit 15 %): stop them and measure again"
    ]


def test_a_hypervisor_that_gives_time_to_others_is_named() -> None:
    assert [reason.text for reason in level_reasons(REAL, [level(steal_share=0.22, foreign_share=0.01)])] == [
        "the hypervisor gave 22 % of the machine to other virtual machines (limit 10 %): measure again"
    ]


@pytest.mark.parametrize(
    ("share", "in_block"), [("foreign_share", MAX_FOREIGN_IN_BLOCK), ("steal_share", MAX_STEAL_IN_BLOCK)]
)
def test_a_disturbance_of_one_block_in_four_is_not_averaged_away(share: str, in_block: float) -> None:
    quiet = [level(**{share: 0.01})] * 3
    assert level_reasons(REAL, [*quiet, level(**{share: in_block * (1 - JUST)})]) == []
    (reason,) = level_reasons(REAL, [*quiet, level(**{share: in_block * (1 + JUST)})])
    assert f"in the worst of 4 blocks (limit {in_block * 100:.0f} %)" in reason.text


@pytest.mark.parametrize(
    ("share", "in_block"), [("foreign_share", MAX_FOREIGN_IN_BLOCK), ("steal_share", MAX_STEAL_IN_BLOCK)]
)
def test_a_share_of_many_blocks_may_be_disturbed_where_that_is_said(share: str, in_block: float) -> None:
    def reasons(count: int, disturbed: int, spared: float) -> list[str]:
        loud = level(**{share: in_block * (1 + JUST)})
        blocks = [loud] * disturbed + [level(**{share: 0.0})] * (count - disturbed)
        return [reason.text for reason in level_reasons(REAL, blocks, spared)]

    assert reasons(30, 3, spared=0.1) == []
    (reason,) = reasons(30, 4, spared=0.1)
    assert "in 4 of 30 blocks (at most 3 may be)" in reason
    for too_few in reasons(30, 1, spared=0.0), reasons(9, 1, spared=0.1):
        assert "in the worst of" in too_few[0]


@pytest.mark.parametrize("contender", [REAL, HARNESS])
def test_nobody_is_exempt_from_being_disturbed(contender: Any) -> None:
    assert len(level_reasons(contender, [level(foreign_share=0.5, steal_share=0.5)] * 2)) == 2


def test_a_block_without_an_answer_may_have_been_disturbed() -> None:
    (silent, disturbed) = level_reasons(REAL, [level(), nothing(foreign_share=0.9)])
    assert silent.text == "no correct answer in block 1"
    assert disturbed.text.startswith("other programs used 90 %")


def test_what_was_not_observed_is_no_reason() -> None:
    assert level_reasons(REAL, [level(foreign_share=None, steal_share=None)] * 2) == []
    (reason,) = level_reasons(REAL, [level(), level(foreign_share=0.9)])
    assert reason.text.startswith("other programs used 90 %")


def test_what_is_repeated_is_called_what_it_is() -> None:
    (reason,) = disturbance_reasons([Disturbance(0.0, 0.0), Disturbance(0.21, 0.0)], "repeat")
    assert reason.text.startswith("other programs used 21 % of the machine in the worst of 2 repeats (limit 20 %)")

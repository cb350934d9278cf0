"""From counted stacks to ms per request: what is attributed, what is not, and what profilers cost."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmark.analysis.level_figures import LevelFigures
from benchmark.experiments.profiling.libraries import HTTP_CLIENT, INTERPRETER
from benchmark.experiments.profiling.summarise import (
    HeldLevel,
    _call_costs,
    _reasons,
    attribute,
    part_reasons,
    stage_means_ms,
)
from tests.unit.benchmark.synthetic import make_contender

PLAN = {"sample_every_ms": 10.0}


def held(cpu_share: float, rps: float = 100.0, seconds: float = 10.0) -> HeldLevel:
    """Return a level of this rate, whose scoring handler used so many cores."""
    figures = LevelFigures(
        block=0,
        users=16,
        rps=rps,
        mean_ms=50.0,
        latencies_ms=np.full(10, 50.0),
        errors=0,
        first_error="",
        fastest_excess_ms=1.0,
        cpu_share={"scoring": cpu_share, "model": 0.1},
        rss_mb={},
        drift=0.0,
    )
    return HeldLevel(figures, rps * seconds)


def test_each_stack_stands_for_the_cpu_time_between_two_of_them() -> None:
    cpu = attribute({"httpx": 600, "event loop": 150, "threads": 50}, held(0.9), PLAN)
    assert cpu["cpu_by_library"] == {"httpx": 6.0, "event loop": 1.5, "threads": 0.5}
    assert cpu["cpu_by_kind"] == {HTTP_CLIENT: 6.0, INTERPRETER: 2.0}
    assert cpu["cpu_ms_counted"] == pytest.approx(9.0)
    assert cpu["cpu_not_attributed"] == pytest.approx(1.0)


def test_libraries_and_the_rest_sum_to_what_the_system_counted() -> None:
    cpu = attribute({"httpx": 613, "redis": 77}, held(0.8), PLAN)
    assert sum(cpu["cpu_by_library"].values()) + cpu["cpu_not_attributed"] == pytest.approx(cpu["cpu_ms_counted"])


def test_too_many_stacks_leave_a_negative_rest_and_nothing_is_scaled() -> None:
    cpu = attribute({"httpx": 900}, held(0.8), PLAN)
    assert cpu["cpu_by_library"] == {"httpx": 9.0}
    assert cpu["cpu_not_attributed"] == pytest.approx(-1.0)


@pytest.mark.parametrize("level", [None, held(0.5, rps=0.0), held(float("nan"))])
def test_without_requests_or_cpu_nothing_is_attributed(level: HeldLevel | None) -> None:
    cpu = attribute({"httpx": 1}, level, PLAN)
    assert cpu == {"cpu_by_library": {}, "cpu_by_kind": {}, "cpu_not_attributed": None, "cpu_ms_counted": None}


def test_stages_are_means_over_requests_and_both_models_count() -> None:
    headers = pd.Series(["features;dur=1, models;dur=90", "features;dur=3, models;dur=94", None])
    assert stage_means_ms(headers) == {"features": 2.0, "models": 92.0}


def test_the_cost_of_a_profiler_is_that_of_the_processes_it_profiles() -> None:
    without: dict[str, Any] = {"side": "", "profiler": None, "latencies_ms": [50.0, 52.0], "errors": [], "cpu_ms": {}}
    without["cpu_ms"] = {"scoring": 10.0, "model": 4.0, "client": 2.0, "redis": 1.0}
    server = {**without, "side": "server", "profiler": "yappi-cpu", "latencies_ms": [70.0, 72.0]}
    server["cpu_ms"] = {"scoring": 20.0, "model": 8.0, "client": 2.0, "redis": 1.0}
    client = {**without, "side": "client", "profiler": "pyinstrument", "cpu_ms": {"client": 3.0, "scoring": 99.0}}
    costs = _call_costs([without, client, server])
    assert [(c["side"], c["cpu_ms_without"], c["cpu_ms_with"]) for c in costs] == [
        ("client", 1.0, 1.5),
        ("server", 7.0, 14.0),
    ]
    assert (costs[1]["p50_ms_without"], costs[1]["p50_ms_with"]) == (51.0, 71.0)


NO_CPU: dict[str, Any] = {"cpu_not_attributed": None, "cpu_ms_counted": None}
CALLS: dict[str, Any] = {"side": "", "profiler": None, "latencies_ms": [50.0], "errors": [], "cpu_ms": {}}


def test_calls_and_levels_that_were_disturbed_are_invalid_and_say_which() -> None:
    level = held(0.5, rps=320.0)
    disturbed = replace(level, figures=replace(level.figures, foreign_share=0.3))
    client = {**CALLS, "side": "client", "profiler": "yappi-cpu", "foreign_share": 0.4, "steal_share": 0.3}
    quiet = {**CALLS, "foreign_share": 0.01, "steal_share": 0.0}
    reasons = _reasons(make_contender("a"), [{16: level}, {16: disturbed}], NO_CPU, [quiet, client])
    assert [reason.text.partition(" of the machine")[0] for reason in reasons] == [
        "sampled: other programs used 30 %",
        "calls (yappi-cpu, client): other programs used 40 %",
        "calls (yappi-cpu, client): the hypervisor gave 30 %",
    ]


def test_calls_of_a_record_that_does_not_tell_of_the_machine_are_not_disturbed() -> None:
    assert _reasons(make_contender("a"), [{}, {}], NO_CPU, [CALLS]) == []


GOOD_CPU: dict[str, Any] = {"cpu_not_attributed": 0.1, "cpu_ms_counted": 9.0}


def failing(users: int) -> HeldLevel:
    """Return a level at which requests failed."""
    good = held(0.9)
    figures = replace(good.figures, users=users, errors=3, first_error="status 503", mean_ms=users * 10.0)
    return replace(good, figures=figures)


def good(users: int) -> HeldLevel:
    level = held(0.9)
    return replace(level, figures=replace(level.figures, users=users, mean_ms=users * 10.0))


@pytest.mark.parametrize(
    ("plain", "sampled", "cpu", "struck"),
    [
        ({1: good(1), 16: good(16)}, {1: good(1), 16: good(16)}, GOOD_CPU, set()),
        ({1: good(1), 16: failing(16)}, {1: good(1), 16: good(16)}, GOOD_CPU, set()),
        ({1: failing(1), 16: good(16)}, {1: good(1), 16: good(16)}, GOOD_CPU, {"wall_reasons"}),
        ({1: good(1), 16: good(16)}, {1: failing(1), 16: good(16)}, GOOD_CPU, {"wall_reasons"}),
        ({1: good(1), 16: good(16)}, {1: good(1), 16: failing(16)}, GOOD_CPU, {"cpu_reasons"}),
        ({1: good(1)}, {16: good(16)}, {**GOOD_CPU, "cpu_not_attributed": 2.0}, {"cpu_reasons"}),
    ],
)
def test_a_bad_level_condemns_what_rests_on_it(
    plain: dict[int, HeldLevel], sampled: dict[int, HeldLevel], cpu: dict[str, Any], struck: set[str]
) -> None:
    found = part_reasons(make_contender(), plain, sampled, cpu, users=16)
    assert {part for part, reasons in found.items() if reasons} == struck
